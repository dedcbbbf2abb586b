"""The two versions, and how they write states, times and queries."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.dialects.bodies import invalid
from qwicket.model.limits import INT64_MAX
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.model.jobs import Job


class Version(NamedTuple):
    """A version of the API: how it begins its paths, and its word for a job that runs."""

    name: str
    running: str

    def status(self, job: Job, state: JobState | None = None) -> str:
        """Return the word for a job's state. Once it ran, it does so until it ends.

        Args:
            job: The job.
            state: That of one of its circuits.
        """
        state = state or job.state
        if state is JobState.QUEUED and job.started_at is not None:
            return self.running
        return _STATUS.get(state, self.running)


V03: Final = Version("v0.3", "running")
V04: Final = Version("v0.4", "started")

_STATUS: Final = {
    JobState.DRAFT: "submitted",
    JobState.QUEUED: "ready",
    JobState.COMPLETED: "completed",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "canceled",
}

_RUNNING: Final = (JobState.RUNNING, JobState.CANCELLING, JobState.UNCERTAIN)
_STATES: Final = {
    "submitted": (JobState.DRAFT,),
    "ready": (JobState.QUEUED,),
    "queued": (JobState.DRAFT, JobState.QUEUED),  # qiskit-ionq's sessions say so
    "started": (*_RUNNING, JobState.QUEUED),
    "running": (*_RUNNING, JobState.QUEUED),
    "completed": (JobState.COMPLETED,),
    "failed": (JobState.FAILED,),
    "canceled": (JobState.CANCELLED,),
}


def states(word: str | None) -> tuple[JobState, ...]:
    """Return the states that a list is asked for; none is all.

    Raises:
        InvalidRequest: There is no such word.
    """
    if word is None:
        return ()
    if word not in _STATES:
        raise invalid(f"status must be one of {', '.join(_STATES)}", word, "status")
    return _STATES[word]


def has_status(job: Job, word: str | None) -> bool:
    """Return whether a job is shown under a status; a job that waits to run again is running."""
    if word is None or job.state is not JobState.QUEUED:
        return True
    return (job.started_at is not None) == (word in ("started", "running"))


def time(at_ms: int | None) -> str | None:
    """Return an instant as IonQ writes it."""
    if at_ms is None:
        return None
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at_ms % 1000:03d}Z"


def number(query: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    """Return a whole number of a query.

    Raises:
        InvalidRequest: It is none, or out of range.
    """
    text = query.get(name)
    if text is None:
        return default
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
    if not least <= value <= most:
        raise invalid(f"{name} must be {least} to {most}", text, name)
    return value


def instant(query: Mapping[str, str], name: str, default: int) -> int:
    """Return a time of a query in Unix milliseconds, given as such or in ISO 8601.

    Raises:
        InvalidRequest: It is neither.
    """
    text = query.get(name)
    if text is None:
        return default
    if text.isascii() and text.isdigit() and len(text) < 16:
        return int(text)
    try:
        at = datetime.fromisoformat(text)
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        detail = f"{name} must be Unix milliseconds or a time in ISO 8601"
        raise invalid(detail, text, name) from None


def truth(query: Mapping[str, str], name: str) -> bool:
    """Return whether a query says `true`, as Python or as JSON writes it.

    Raises:
        InvalidRequest: It says neither that nor `false`.
    """
    text = query.get(name, "false").lower()
    if text not in ("true", "false", "1", "0"):
        raise invalid(f"{name} must be true or false", query[name], name)
    return text in ("true", "1")


def cursor(query: Mapping[str, str]) -> int | None:
    """Return where a list goes on.

    Raises:
        InvalidRequest: It is no cursor of ours.
    """
    return number(query, "next", 0, 1, INT64_MAX) if "next" in query else None
