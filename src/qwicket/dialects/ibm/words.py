"""IBM's words: what a job's state is called, how times are written, where a project stands."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from qwicket.model.states import JobState

if TYPE_CHECKING:
    from qwicket.model.jobs import Job

DOOR: Final = "ibm"
RUNTIME: Final = "runtime"
"""The door of Qiskit Runtime's classic channel; one signs in for it at the other one."""

RUNTIME_PREFIX: Final = "/ibm/runtime/classic"
"""Where that door is mounted."""

HUB: Final = "qwicket"
GROUP: Final = "open"
"""Every project stands in this hub and group: IBM's three levels are one here."""

DIRECT: Final = "q-object"
STORED: Final = "q-object-external-storage"
"""Kinds of jobs: the program came in the request, or it was uploaded."""

CREATING: Final = "CREATING"
QUEUED: Final = "QUEUED"
RUNNING: Final = "RUNNING"
COMPLETED: Final = "COMPLETED"
CANCELLED: Final = "CANCELLED"
NOT_CREATED: Final = "ERROR_CREATING_JOB"
NOT_VALID: Final = "ERROR_VALIDATING_JOB"
NOT_RUN: Final = "ERROR_RUNNING_JOB"
STATUSES: Final = (
    *(CREATING, QUEUED, RUNNING, COMPLETED, CANCELLED),
    *(NOT_CREATED, NOT_VALID, NOT_RUN),
)
"""The words that this server uses; clients know some more."""

_EXPIRED: Final = "draft_expired"
_RUNNING: Final = (JobState.RUNNING, JobState.CANCELLING, JobState.UNCERTAIN)
_WORDS: Final = {
    JobState.DRAFT: CREATING,
    JobState.COMPLETED: COMPLETED,
    JobState.CANCELLED: CANCELLED,
}
_STATES: Final = {
    CREATING: (JobState.DRAFT,),
    QUEUED: (JobState.QUEUED,),
    RUNNING: (*_RUNNING, JobState.QUEUED),  # one that waits to run again is shown as running
    COMPLETED: (JobState.COMPLETED,),
    CANCELLED: (JobState.CANCELLED,),
    **dict.fromkeys((NOT_CREATED, NOT_VALID, NOT_RUN), (JobState.FAILED,)),
}


def status(job: Job) -> str:
    """Return the word for a job's state. Once it ran, it does so until it ends."""
    if job.state is JobState.FAILED:
        if job.error_code == _EXPIRED:
            return NOT_CREATED
        return NOT_VALID if job.queued_at is None else NOT_RUN
    if job.state is JobState.QUEUED and job.started_at is None:
        return QUEUED
    return _WORDS.get(job.state, RUNNING)


def states(status: str) -> tuple[JobState, ...]:
    """Return the states that may be shown under a word."""
    return _STATES[status]


def time(at_ms: int | None) -> str | None:
    """Return a time in ISO 8601 with milliseconds."""
    if at_ms is None:
        return None
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant(text: str) -> int | None:
    """Return a time in Unix milliseconds; None when it is none. Without a zone it is UTC."""
    try:
        at = datetime.fromisoformat(text)
        return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
