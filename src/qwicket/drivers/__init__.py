"""Drivers: the interface between scheduling and the code that runs a device's jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from qwicket.circuits.outcomes import RunResult
    from qwicket.model.groups import ForwardedGroup
    from qwicket.model.jobs import Assignment, Forward
    from qwicket.store import FullProgram

__all__ = [
    "Driver",
    "ExpressOverrun",
    "ForwardLog",
    "JobNotStarted",
    "ProcessDied",
    "RetrySeparately",
    "StoppedRemotely",
    "Unresolved",
]


class ProcessDied(Exception):
    """The process that ran the job died, perhaps because of the job."""


class JobNotStarted(Exception):
    """The job did not run, or was ended from outside. It is queued again; no attempt is counted."""


class ExpressOverrun(Exception):
    """A short job exceeded the time or memory of an express slot, and must use a worker slot."""


class RetrySeparately(Exception):
    """Tiny jobs in one task failed together. Each is queued again and then runs alone."""


class StoppedRemotely(Exception):
    """The user cancelled the job, and the other cloud has stopped it or never got it."""


class Unresolved(Exception):
    """It is unknown whether the other cloud has the job; the text says what a person can do."""


class ForwardLog(Protocol):
    """Durable progress of forwarding a job to another cloud.

    The driver calls `record_intent` before it calls the vendor, and `record_sent` when the vendor's
    id is known. After a crash in between, the driver looks for the job by its marker before it
    sends the job again. It calls `withdraw` if the vendor has certainly not accepted the job. Reads
    and writes are repeated while the database does not respond. The writes raise `StaleLease` if
    another runner has the job.
    """

    @property
    def cancel_asked(self) -> asyncio.Event:
        """Set when the user cancels the job. A sent job continues until its vendor ends it."""

    async def full_program(self) -> FullProgram:
        """Return the job's program."""

    async def group(self, sent_to: str) -> ForwardedGroup | None:
        """Return the job's group, if it has one; `sent_to` as for `record_intent`."""

    async def record_intent(self, marker: str, sent_to: str) -> Forward:
        """Record that the job is about to be sent with this marker, and return the stored record.

        The marker of an earlier attempt is kept. From now on, the job may be at the vendor.

        Args:
            marker: Text that finds the job there.
            sent_to: Short hash of the address and key with which it is sent.
        """

    async def record_sent(self, vendor_job_id: str, response: bytes | None = None) -> None:
        """Record the job's id at its vendor.

        Args:
            vendor_job_id: The id.
            response: Response of the device's own server to a request that was passed on. It is
                stored together with the id, so that no crash loses it.

        Raises:
            Conflict: Another job of the device has this id.
        """

    async def forget_sent(self) -> Forward:
        """Forget the job's id at its vendor, because it is another job's; return the new record."""

    async def record_response(self, response: bytes) -> None:
        """Record that the device's own server refused a request that was passed on."""

    async def withdraw(self) -> None:
        """Delete the recorded intent, because the vendor has not accepted the job."""

    async def is_held(self) -> bool:
        """Return whether this run still has the job's lease."""

    async def pause_without_slot(self, seconds: float) -> None:
        """Pause while another job may use this job's slot, then wait until a slot is free.

        When the user cancels the job, both end at once. The wait also ends when the driver has no
        slots.
        """

    async def wait_turn(self) -> None:
        """Wait while more jobs run than the driver has slots, as after a restart.

        The wait ends at once when the user cancels the job.
        """


class Driver(Protocol):
    """Runs the jobs of one or more devices, at most `slots` tasks at a time."""

    @property
    def slots(self) -> int:
        """Number of tasks that can run at the same time; it may change."""

    @property
    def jobs_per_task(self) -> int:
        """Maximum number of tiny jobs in one task; any other job is a task of its own."""

    @property
    def forwards(self) -> bool:
        """Whether jobs run at another cloud, where they survive this process."""

    async def run(
        self, assignments: Sequence[Assignment], forward_log: ForwardLog
    ) -> list[RunResult]:
        """Run one job, or several tiny ones; return their results in order.

        Cancelling the awaiting task stops local work. Forwarded work continues and is adopted
        later.

        Raises:
            ProcessDied: The process died; the dispatcher decides about a retry.
            JobNotStarted: No process could be started, the worker was lost or ended from outside,
                or the other cloud did not accept the job.
            ExpressOverrun: The job exceeded the bounds of an express slot, but not its own.
            RetrySeparately: One of several tiny jobs failed in a way that ended all of them.
            StoppedRemotely: The user cancelled the job, and the vendor stopped it or never got it.
            Unresolved: A person must say whether the vendor has the job.
        """
