"""Interface of a scaler to the batch system that runs its workers."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class SiteError(Exception):
    """The batch system does not respond, or refuses a request."""


class Workers(NamedTuple):
    """Numbers of workers of one group at a site, with those that wait to start.

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
