"""Status names of IBM's API and the job states that they stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.model.states import JobState

if TYPE_CHECKING:
    from qwicket.model.jobs import Job

CREATING: Final = "CREATING"
QUEUED: Final = "QUEUED"
RUNNING: Final = "RUNNING"
COMPLETED: Final = "COMPLETED"
CANCELLED: Final = "CANCELLED"
NOT_CREATED: Final = "ERROR_CREATING_JOB"
NOT_VALID: Final = "ERROR_VALIDATING_JOB"
NOT_RUN: Final = "ERROR_RUNNING_JOB"
STATUSES: Final = (
    CREATING,
    QUEUED,
    RUNNING,
    COMPLETED,
    CANCELLED,
    NOT_CREATED,
    NOT_VALID,
    NOT_RUN,
)
"""The status names that this server returns; clients know more."""

_EXPIRED: Final = "draft_expired"
_RUNNING: Final = (JobState.RUNNING, JobState.CANCELLING, JobState.UNCERTAIN)
_NAMES: Final = {
    JobState.DRAFT: CREATING,
    JobState.COMPLETED: COMPLETED,
    JobState.CANCELLED: CANCELLED,
}
_STATES: Final = {
    CREATING: (JobState.DRAFT,),
    QUEUED: (JobState.QUEUED,),
    RUNNING: (*_RUNNING, JobState.QUEUED),  # queued again after a first attempt
    COMPLETED: (JobState.COMPLETED,),
    CANCELLED: (JobState.CANCELLED,),
    **dict.fromkeys((NOT_CREATED, NOT_VALID, NOT_RUN), (JobState.FAILED,)),
}


def status(job: Job) -> str:
    """Return the status of a job. A job that has started stays RUNNING until it ends."""
    if job.state is JobState.FAILED:
        if job.error_code == _EXPIRED:
            return NOT_CREATED
        return NOT_VALID if job.queued_at is None else NOT_RUN
    if job.state is JobState.QUEUED and job.started_at is None:
        return QUEUED
    return _NAMES.get(job.state, RUNNING)


def states(status: str) -> tuple[JobState, ...]:
    """Return the states in which a job may have this status."""
    return _STATES[status]
