"""How a device's jobs get done: the seam between scheduling and whatever does the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from qwicket.model.jobs import Assignment, Completion
    from qwicket.model.outcomes import Failure

__all__ = ["Died", "Driver", "NotBegun"]


class Died(Exception):
    """The process that did the work died, and the job may be to blame."""


class NotBegun(Exception):
    """The work never began, which is nobody's fault: the job is offered again."""


class Driver(Protocol):
    """Does the jobs of one or more devices, at most `slots` at a time."""

    @property
    def slots(self) -> int: ...

    async def run(self, assignment: Assignment) -> Completion | Failure:
        """Do one job. Cancelling the awaiting task really stops the work.

        Raises:
            Died: The work's process died; scheduling decides whether to try again.
            NotBegun: No process could be had.
        """
