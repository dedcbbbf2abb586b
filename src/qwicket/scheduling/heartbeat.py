"""A runner's heartbeat, sent from its own thread because a stalled event loop must not stop it."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import msgspec

from qwicket.scheduling.forward_log import log_failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwicket.model.jobs import Runner
    from qwicket.store import Leases

_log = logging.getLogger(__name__)


class Heartbeat:
    """Increments the heartbeat of one runner four times per lease time until stopped."""

    def __init__(
        self, leases: Leases, runner: Runner, now_ms: Callable[[], int], *, lease_s: float
    ) -> None:
        self._leases = leases
        self._runner = runner
        self._now_ms = now_ms
        self._interval_s = lease_s / 4
        self._wake = threading.Event()
        self._is_stopped = False
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._is_stopped = True
        self._wake.set()
        self._thread.join()

    def resize(self, slots: int) -> None:
        """Store a new number of slots at once, because forecasts depend on it."""
        self._runner = msgspec.structs.replace(self._runner, slots=slots)
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait(self._interval_s)
            self._wake.clear()
            if self._is_stopped:
                return
            try:
                self._leases.record_heartbeat(self._runner, self._now_ms()).result(self._interval_s)
            except TimeoutError:
                _log.warning("a heartbeat was not stored in time")
            except Exception as error:  # the thread must go on, or this server would count as dead
                log_failure("a heartbeat was not stored", error)
