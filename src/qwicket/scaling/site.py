"""Interface of a scaler to the batch system that runs its workers, and the number to start."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from qwicket import schema

_MAX_PER_STEP: Final = 16
"""Limit on the workers of each kind, kept and spare, that a scaler starts in one step."""


class SiteError(Exception):
    """The batch system does not respond, or refuses a request."""


class Workers(NamedTuple):
    """Numbers of workers of one group at a site, including those that wait to start.

    Attributes:
        kept: Number of those that stay when they are idle.
        spare: Number of those that end when they are idle.
        waiting: Number of spare ones that the site has not started yet.
    """

    kept: int
    spare: int
    waiting: int

    @property
    def number(self) -> int:
        return self.kept + self.spare


class Site(Protocol):
    """Starts workers of one group."""

    slots: int
    """Jobs that each worker runs at the same time."""

    def workers(self) -> Workers:
        """Return the workers that wait or run.

        Raises:
            SiteError: The site does not respond.
        """

    def start(self, n: int, *, is_kept: bool) -> None:
        """Ask for `n` more workers.

        Raises:
            SiteError: The site does not respond, or refuses.
        """

    def withdraw(self) -> None:
        """Cancel the spare workers that have not started.

        Raises:
            SiteError: The site does not respond.
        """


def to_start(
    demand: schema.pilots.DemandBody,
    workers: Workers,
    slots: int,
    *,
    min_workers: int,
    max_workers: int,
) -> tuple[int, int]:
    """Return how many workers to start: those that stay when they are idle, and those that end.

    Args:
        demand: The waiting work, and the workers that are connected.
        workers: The workers at the site.
        slots: Slots of each worker.
        min_workers: Number of workers that stay; they are started even if there are `max_workers`
            already.
        max_workers: Number of workers from which no more are started for waiting work.
    """
    kept = max(0, min_workers - workers.kept)
    # Spare ones: as many as the work needs, less those that are starting, up to `max_workers`.
    starting = max(0, workers.number - demand.workers) + kept
    missing = math.ceil(demand.slots / slots) - starting
    free = max_workers - workers.number - kept
    return min(kept, _MAX_PER_STEP), max(0, min(missing, free, _MAX_PER_STEP))
