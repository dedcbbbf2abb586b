"""The two versions of the API, and their statuses of jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.dialects.bodies import invalid
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from qwicket.model.jobs import Job


class Version(NamedTuple):
    """A version of the API.

    Attributes:
        running: Status of a running job.
    """

    running: str

    def status(self, job: Job, state: JobState | None = None) -> str:
        """Return the status of a job: once it has started, it is running until it ends.

        Args:
            job: The job.
            state: State of one circuit of the job, to return its status instead.
        """
        state = state or job.state
        if state is JobState.QUEUED and job.started_at is not None:
            return self.running
        return _STATUS.get(state, self.running)


V03: Final = Version(running="running")
V04: Final = Version(running="started")

_STATUS: Final = {
    JobState.DRAFT: "submitted",  # no job of this dialect is a draft
    JobState.QUEUED: "ready",
    JobState.COMPLETED: "completed",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "canceled",
}

_RUNNING: Final = (JobState.RUNNING, JobState.CANCELLING, JobState.UNCERTAIN)
_STATES: Final = {
    "submitted": (JobState.DRAFT,),
    "ready": (JobState.QUEUED,),
    "queued": (JobState.DRAFT, JobState.QUEUED),  # in filters of qiskit-ionq's sessions
    "started": (*_RUNNING, JobState.QUEUED),
    "running": (*_RUNNING, JobState.QUEUED),
    "completed": (JobState.COMPLETED,),
    "failed": (JobState.FAILED,),
    "canceled": (JobState.CANCELLED,),
}


def states(word: str | None) -> tuple[JobState, ...]:
    """Return the states that a status in a filter stands for; empty for all states.

    Raises:
        InvalidRequest: There is no such status.
    """
    if word is None:
        return ()
    if word not in _STATES:
        raise invalid(f"status must be one of {', '.join(_STATES)}", word, "status")
    return _STATES[word]


def has_status(job: Job, word: str | None) -> bool:
    """Return whether a job that is in one of the `states` of a status has this status.

    A queued job is running if it has started before, else ready; `states` finds it for both.
    """
    if word is None or job.state is not JobState.QUEUED:
        return True
    return (job.started_at is not None) == (word in ("started", "running"))
