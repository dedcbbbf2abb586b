"""The two versions of the API, and their names for the states of a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.dialects.bodies import invalid
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from qwicket.model.jobs import Job


class Version(NamedTuple):
    """A version of the API: first part of its paths, and its status for a running job."""

    name: str
    running: str

    def status(self, job: Job, state: JobState | None = None) -> str:
        """Return the status of a job. A job that has started is running until it ends.

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
