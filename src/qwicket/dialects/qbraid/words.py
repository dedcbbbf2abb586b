"""How qBraid writes states, times and ids; the same in all generations.

A job has one id in three spellings: `_id`, its first 24 hexadecimal digits; and, before a tail of
20 letters and digits that holds the whole of it, the name of its device in the generation's words.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from qwicket.dialects.bodies import invalid
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.model.devices import Device
    from qwicket.model.jobs import Job

_STATUS: Final = {
    JobState.DRAFT: "INITIALIZING",
    JobState.QUEUED: "QUEUED",
    JobState.RUNNING: "RUNNING",
    JobState.UNCERTAIN: "RUNNING",
    JobState.CANCELLING: "CANCELLING",
    JobState.CANCELLED: "CANCELLED",
    JobState.COMPLETED: "COMPLETED",
    JobState.FAILED: "FAILED",
}
STATUSES: Final = (*dict.fromkeys(_STATUS.values()), "VALIDATING", "UNKNOWN", "HOLD")
"""Every word that clients know; the last three no job of ours ever has."""

_RETURNED: Final = (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)
_GROUPS: Final = {
    "pending": tuple([state for state in JobState if state not in _RETURNED]),
    "returned": _RETURNED,
    "all": tuple(JobState),
}

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_TAIL: Final = re.compile(r"[0-9a-z]{20}")
_OBJECT_ID: Final = re.compile(r"[0-9a-f]{24}")
_PART_BITS: Final = 16
_LOW_BITS: Final = 46
_HIGH_BITS: Final = 12


def status(job: Job) -> str:
    """Return the word for a job's state. Once it ran, it does so until it ends."""
    if job.state is JobState.QUEUED and job.started_at is not None:
        return _STATUS[JobState.RUNNING]
    return _STATUS[job.state]


def word(state: JobState) -> str:
    return _STATUS[state]


def states(query: Mapping[str, str]) -> tuple[JobState, ...]:
    """Return the states that a list is asked for; none, where no job is ever in them.

    Raises:
        InvalidRequest: `status` or `statusGroup` is no word of qBraid's.
    """
    asked, group = query.get("status"), query.get("statusGroup", "all")
    if asked is not None:
        if asked not in STATUSES:
            raise invalid(f"status must be one of {', '.join(STATUSES)}", asked, "status")
        return tuple([state for state, name in _STATUS.items() if name == asked])
    if group not in _GROUPS:
        known = ", ".join(_GROUPS)
        raise invalid(f"statusGroup must be one of {known}", group, "statusGroup")
    return _GROUPS[group]


def time(at_ms: int | None) -> str | None:
    """Return an instant. Fraction and Z are what older clients insist on."""
    if at_ms is None:
        return None
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at_ms % 1000:03d}Z"


def number(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    """Return a whole number of a query, from 1.

    Raises:
        InvalidRequest: It is none, or out of range.
    """
    text = query.get(name)
    if text is None:
        return default
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
    if not 1 <= value <= most:
        raise invalid(f"{name} must be 1 to {most}", text, name)
    return value


# --- ids ------------------------------------------------------------------------------------------


def tail(id_text: str) -> str:
    """Return 20 letters and digits for one of our ids: its time and all that is random in it."""
    value = uuid.UUID(id_text).int >> _PART_BITS
    low = value & (1 << _LOW_BITS) - 1
    high = value >> (_LOW_BITS + 2) & (1 << _HIGH_BITS) - 1
    at = value >> (_LOW_BITS + 2 + _HIGH_BITS + 4)
    return spelled((at << _HIGH_BITS | high) << _LOW_BITS | low)


def spelled(value: int) -> str:
    """Return a number below 36²⁰ in 20 letters and digits."""
    found = ""
    for _ in range(20):
        value, digit = divmod(value, 36)
        found = _DIGITS[digit] + found
    return found


def id_of(text: str) -> str:
    """Return the id that a text ends in the tail of; of any other text nothing."""
    end = text.rpartition("-")[2]
    if not _TAIL.fullmatch(end):
        return ""
    value = int(end, 36)
    low = value & (1 << _LOW_BITS) - 1
    high = value >> _LOW_BITS & (1 << _HIGH_BITS) - 1
    at = value >> (_LOW_BITS + _HIGH_BITS)
    bits = (at << 4 | 0x7) << _HIGH_BITS | high
    number = ((bits << 2 | 0b10) << _LOW_BITS | low) << _PART_BITS
    return str(uuid.UUID(int=number)) if number < 1 << 128 else ""


def object_id(id_text: str) -> str:
    """Return the first 24 hexadecimal digits of one of our ids."""
    return id_text.replace("-", "")[:24]


def is_object_id(text: str) -> bool:
    return _OBJECT_ID.fullmatch(text) is not None


def object_id_of(name: str) -> str:
    """Return 24 hexadecimal digits for what has a name and no id."""
    return hashlib.sha256(name.encode()).hexdigest()[:24]


def native_device(device: str) -> str:
    return f"qbraid_{device}"


def qrn(device: Device) -> str:
    """Return a device's name today: four parts, which clients unpack."""
    kind = "sim" if device.driver == "simulated" else "qpu"
    return f"qbraid:qbraid:{kind}:{device.name}"


def group_qrn(group: str) -> str:
    return f"qbraid:group-{tail(group)}"


def native_job(job: Job, owner: str) -> str:
    return f"{native_device(job.device)}-{owner}-qjob-{tail(job.id)}"


def current_job(job: Job, device_qrn: str) -> str:
    return f"{device_qrn}-{object_id_of(job.account)[:4]}-qjob-{tail(job.id)}"
