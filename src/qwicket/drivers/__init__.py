"""How a device's jobs get done: the seam between scheduling and whatever does the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from qwicket.circuits.outcomes import Ran
    from qwicket.model.jobs import Assignment, Forward

__all__ = ["Desk", "Died", "Driver", "NotBegun", "Overran", "RunApart", "StoppedThere"]


class Died(Exception):
    """The process that did the work died, and the job may be to blame."""


class NotBegun(Exception):
    """The work never began, which is nobody's fault: the job is offered again."""


class Overran(Exception):
    """A short job took more time or memory than an express slot gives: a worker slot takes it."""


class RunApart(Exception):
    """Jobs that travelled together failed together: each is offered again, to run alone."""


class StoppedThere(Exception):
    """The other cloud has surely stopped the job, or it never began there."""


class Desk(Protocol):
    """Where a driver that forwards a job to another cloud writes down how far it came.

    `intend` before the vendor is called, `sent` when its id is known: whatever dies in between, the
    job is found again by its mark and never sent twice.
    """

    @property
    def cancel_asked(self) -> asyncio.Event:
        """Set when the user wants the job to stop; it goes on until the other side says so."""

    async def intend(self, marker: str) -> Forward: ...

    async def sent(self, vendor_job_id: str) -> None: ...


class Driver(Protocol):
    """Does the jobs of one or more devices, at most `slots` tasks at a time."""

    @property
    def slots(self) -> int: ...

    @property
    def batch(self) -> int:
        """How many tiny jobs may travel as one task."""

    @property
    def forwards(self) -> bool:
        """Whether jobs go to another cloud, where they live on when this process dies."""

    async def run(self, assignments: Sequence[Assignment], desk: Desk) -> list[Ran]:
        """Do one job, or some tiny ones together; return what each gave, in their order.

        Cancelling the awaiting task really stops work that is done here; work that was forwarded
        goes on and is adopted later.

        Raises:
            Died: The work's process died; scheduling decides whether to try again.
            NotBegun: No process could be had.
            Overran: It was stopped in an express slot, whose bounds are narrower than the job's.
            RunApart: One of several jobs failed in a way that took the others along.
            StoppedThere: The job was cancelled where it was forwarded to.
        """
