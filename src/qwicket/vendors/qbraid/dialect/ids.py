"""Ids of jobs, groups and devices in qBraid's spellings.

Besides the id of a job itself, clients see three spellings of it: `_id`, its first 24 hexadecimal
digits; and two texts, which begin with the device's name in v0 or v1, and end in 20 letters and
digits that encode the whole id.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from qwicket.model.devices import Device
    from qwicket.model.jobs import Job

ALIASES: Final = {"qbraid:qbraid:sim:qir-sv": "statevector"}
"""Devices by further names in v1, which lists leave out. The only one is the default of CUDA-Q,
which reads the leftmost bit of a result as that of qubit 0."""

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_TAIL: Final = re.compile(r"[0-9a-z]{20}")
_OBJECT_ID: Final = re.compile(r"[0-9a-f]{24}")
_PART_BITS: Final = 16
"""Number of the lowest bits of a UUID of this server, which are 0 in ids of jobs and groups."""
_LOW_BITS: Final = 46
_HIGH_BITS: Final = 12
"""Numbers of random bits of a UUID of version 7 after and before its variant (2 bits), without
the `_PART_BITS`."""


def tail(id_text: str) -> str:
    """Return 20 letters and digits that encode an id of this server: its time and random bits."""
    value = uuid.UUID(id_text).int >> _PART_BITS
    low = value & (1 << _LOW_BITS) - 1
    high = value >> (_LOW_BITS + 2) & (1 << _HIGH_BITS) - 1
    at = value >> (_LOW_BITS + 2 + _HIGH_BITS + 4)
    return to_base36((at << _HIGH_BITS | high) << _LOW_BITS | low)


def to_base36(value: int) -> str:
    """Return a number below 36²⁰ in 20 letters and digits."""
    found = ""
    for _ in range(20):
        value, digit = divmod(value, 36)
        found = _DIGITS[digit] + found
    return found


def id_of(text: str) -> str:
    """Return the id whose tail is at the end of a text; "" if there is none."""
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
    """Return the first 24 hexadecimal digits of an id of this server."""
    return id_text.replace("-", "")[:24]


def is_object_id(text: str) -> bool:
    return _OBJECT_ID.fullmatch(text) is not None


def object_id_of(name: str) -> str:
    """Return 24 hexadecimal digits as the id of something that has only a name."""
    return hashlib.sha256(name.encode()).hexdigest()[:24]


def v0_device_id(device: str) -> str:
    return f"qbraid_{device}"


def qrn(device: Device) -> str:
    """Return a device's QRN, its name in v1. It has four parts, which clients unpack."""
    kind = "sim" if device.is_simulated else "qpu"
    return f"qbraid:qbraid:{kind}:{device.name}"


def name_for(device: Device, _program: str) -> str:
    """Return what clients of v1 call a device, whatever program they send."""
    return qrn(device)


def shown_qrn(name: str, device: Device) -> str:
    """Return the name under which v1 shows a device that a client called `name`."""
    return name if name in ALIASES else qrn(device)


def group_qrn(group: str) -> str:
    return f"qbraid:group-{tail(group)}"


def v0_job_id(job: Job, owner: str) -> str:
    return f"{v0_device_id(job.device)}-{owner}-qjob-{tail(job.id)}"


def v1_job_id(job: Job, device_qrn: str) -> str:
    return f"{device_qrn}-{object_id_of(job.account)[:4]}-qjob-{tail(job.id)}"
