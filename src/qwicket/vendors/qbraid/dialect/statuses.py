"""Status names of qBraid's API, the same in all generations, and the job states they stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.dialects.bodies import invalid
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.model.jobs import Job

_STATUS: Final = {
    JobState.DRAFT: "INITIALIZING",  # no job of this dialect is a draft
    JobState.QUEUED: "QUEUED",
    JobState.RUNNING: "RUNNING",
    JobState.UNCERTAIN: "RUNNING",
    JobState.CANCELLING: "CANCELLING",
    JobState.CANCELLED: "CANCELLED",
    JobState.COMPLETED: "COMPLETED",
    JobState.FAILED: "FAILED",
}
STATUSES: Final = (*dict.fromkeys(_STATUS.values()), "VALIDATING", "UNKNOWN", "HOLD")
"""All statuses that clients know. Jobs of this server never have the last three."""

_RETURNED: Final = (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)
_GROUPS: Final = {
    "pending": tuple([state for state in JobState if state not in _RETURNED]),
    "returned": _RETURNED,
    "all": tuple(JobState),
}


def status(job: Job) -> str:
    """Return the status of a job. A job that is queued again after its start stays RUNNING."""
    if job.state is JobState.QUEUED and job.started_at is not None:
        return _STATUS[JobState.RUNNING]
    return _STATUS[job.state]


def of_state(state: JobState) -> str:
    """Return the status of a state."""
    return _STATUS[state]


def states(query: Mapping[str, str]) -> tuple[JobState, ...]:
    """Return the states that the filters of a list select; empty if they select no jobs.

    Raises:
        InvalidRequest: `status` or `statusGroup` is not one of qBraid's values.
    """
    status, group = query.get("status"), query.get("statusGroup", "all")
    if status is not None:
        if status not in STATUSES:
            raise invalid(f"status must be one of {', '.join(STATUSES)}", status, "status")
        return tuple([state for state, name in _STATUS.items() if name == status])
    if group not in _GROUPS:
        known = ", ".join(_GROUPS)
        raise invalid(f"statusGroup must be one of {known}", group, "statusGroup")
    return _GROUPS[group]
