"""Checks the lease of a submission again before each request that its client sends.

A client may sign in before the request that submits a job, and may repeat that request after a
sign-in. This takes time, in which another server may adopt the job.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qwicket.drivers.remote.clouds import RequireLease

__all__ = ["LeaseCheck"]


class LeaseCheck(threading.local):
    """The lease check of the submission that this thread makes; each thread has its own."""

    _require_lease: RequireLease | None = None

    @contextmanager
    def during(self, require_lease: RequireLease) -> Iterator[None]:
        """Use this check within the context."""
        self._require_lease = require_lease
        try:
            yield
        finally:
            self._require_lease = None

    def __call__(self) -> None:
        """Check the lease; outside a submission, do nothing.

        Raises:
            NothingSent: Another server has the job, or this is unknown.
        """
        if self._require_lease is not None:
            self._require_lease()
