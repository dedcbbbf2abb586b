"""The loop of a scaler: compare the waiting work with the workers, and start what is missing."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from qwicket import schema
from qwicket.agents.api import is_transient, pause_s
from qwicket.clients.http import RetryPolicy
from qwicket.clients.native import ClientError
from qwicket.clients.native.transport import Transport
from qwicket.scaling.site import SiteError, Workers, to_start

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from qwicket.scaling.site import Site

_TIMEOUT_S: Final = 10.0
_NO_RETRY: Final = RetryPolicy(max_attempts=1)
_STEPS_PER_S: Final = 4
"""Requests for the demand in a second of several scalers together, if they are more than these."""
_FIRST_PAUSE_S: Final = 2.0
"""Pause after a first failure of the site or its workers; it doubles with each further one."""
_LONGEST_PAUSE_S: Final = 60.0

_log = logging.getLogger(__name__)


class ScalerAPI:
    """Reads the demand for the workers of one group at one server.

    Args:
        url: Address of the server.
        token: API token with the scope `compute:serve`.
        group: Name of the group. Only one of its scalers is active at a time.
        memory_bytes: Memory in bytes of one job in its workers; larger jobs are not counted. None
            counts all waiting jobs.
        above_bytes: Jobs that need no more memory than this are not counted.
        projects: Names of the projects whose jobs its workers take; empty means all.
        except_projects: Names of projects whose jobs they do not take.

    Raises:
        ClientError: The address or the token is invalid.
    """

    def __init__(
        self,
        url: str,
        token: str,
        group: str,
        memory_bytes: int | None = None,
        *,
        above_bytes: int = 0,
        projects: Sequence[str] = (),
        except_projects: Sequence[str] = (),
    ) -> None:
        self._transport = Transport(url, token, _TIMEOUT_S, retry_policy=_NO_RETRY)
        self.group = group
        self._path = f"/v1/scalers/{quote(group, safe='')}-{secrets.token_hex(4)}"
        self._body = schema.pilots.ScalerBody(
            group=group,
            memory_bytes=memory_bytes,
            above_bytes=above_bytes,
            projects=tuple(projects),
            except_projects=tuple(except_projects),
        )
        self.url = self._transport.url

    def __repr__(self) -> str:
        return f"<ScalerAPI of {self.group} at {self.url}>"

    def demand(self) -> schema.pilots.DemandBody:
        """Return the demand, and whether this scaler is the active one.

        Raises:
            ClientError: There is no response, or the server refuses the request.
        """
        return self._transport.run(
            self._transport.api.send(
                "POST", f"{self._path}/demand", self._body, schema.pilots.DemandBody
            )
        )

    def leave(self) -> None:
        """Let another scaler of the group be the active one.

        Raises:
            ClientError: There is no response, or the server refuses the request.
        """
        self._transport.run(self._transport.api.delete(self._path))


class Scaler:
    """Starts workers for waiting work. Idle workers end on their own, except `min_workers` of them.

    Args:
        api: The server.
        site: Starts workers.
        min_workers: Number of workers that stay even without work.
        max_workers: Number of workers from which no more are started for waiting work.
        idle_s: Seconds without waiting work after which workers that wait to start are cancelled.
        step_s: Seconds between two requests for the demand.
    """

    def __init__(
        self,
        api: ScalerAPI,
        site: Site,
        *,
        min_workers: int,
        max_workers: int,
        idle_s: float,
        step_s: float = 1.0,
    ) -> None:
        self._api = api
        self._log = _log.getChild(api.group)
        self._site = site
        self._min_workers = min_workers
        self._max_workers = max_workers
        self._idle_s = idle_s
        self._step_s = step_s
        self._leaving = threading.Event()
        self._had_work_at = time.monotonic()
        self._n_expected = 0  # workers at the site after the last step
        self._n_met = 0  # how many of these have been connected
        self._connections = 0  # the server's count at the last step, 0 if not active then
        self._pause_s = 0.0
        self._start_at = 0.0  # monotonic time before which no worker is started

    def leave(self) -> None:
        """Make `serve` return. Workers continue; spare ones end when they are idle."""
        self._leaving.set()

    def serve(self) -> None:
        """Start workers when they are needed, until `leave`.

        Raises:
            ApiError: The server refuses this scaler, such as its token or the name of its group.
        """
        n_failed_steps = 0
        try:
            while not self._leaving.is_set():
                wait_s = self._step_s
                try:
                    self._step(self._api.demand())
                    n_failed_steps = 0
                except ClientError as error:
                    if not is_transient(error):
                        raise
                    n_failed_steps += 1
                    wait_s = pause_s(n_failed_steps, error)
                    self._log.warning("the demand could not be read: %s", error)
                except SiteError as error:
                    n_failed_steps += 1
                    # The exponent has a bound, because a float has no power of two above 2**1023.
                    wait_s = min(
                        _LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(n_failed_steps - 1, 10)
                    )
                    self._log.error("%s", error)
                self._leaving.wait(wait_s)
        finally:
            with suppress(ClientError):
                self._api.leave()

    def _step(self, demand: schema.pilots.DemandBody) -> None:
        if not demand.is_active:
            self._connections = self._n_expected = self._n_met = 0
            return
        workers = self._site.workers()
        if self._n_failed(workers, demand) > 0:
            demand = self._api.demand()  # one may have connected since, and ended
        self._pause_after_failures(workers, demand)
        now = time.monotonic()
        if demand.jobs:
            self._had_work_at = now
        elif workers.waiting and now - self._had_work_at >= self._idle_s:
            self._log.info(
                "no job waits: %d workers that wait to start are cancelled", workers.waiting
            )
            self._site.withdraw()
            return
        if now < self._start_at or not demand.is_active:
            return
        kept, spare = to_start(
            demand,
            workers,
            self._site.slots,
            min_workers=self._min_workers,
            max_workers=self._max_workers,
        )
        for number, is_kept in ((kept, True), (spare, False)):
            if number:
                self._log.info("%d jobs wait; %d workers are started", demand.jobs, number)
                self._site.start(number, is_kept=is_kept)
        self._n_expected = workers.number + kept + spare

    def _n_connected(self, demand: schema.pilots.DemandBody) -> int:
        """Return how many workers have connected since the last step."""
        return demand.connections - self._connections if self._connections else 0

    def _n_failed(self, workers: Workers, demand: schema.pilots.DemandBody) -> int:
        """Return how many workers ended that were never connected; 0 while any is connected."""
        n_met = self._n_met + self._n_connected(demand)
        return 0 if demand.workers else self._n_expected - workers.number - n_met

    def _pause_after_failures(self, workers: Workers, demand: schema.pilots.DemandBody) -> None:
        """Pause if workers ended that were never connected: the next ones would do the same."""
        n_failed, n_connected = self._n_failed(workers, demand), self._n_connected(demand)
        if demand.workers or n_connected:
            self._pause_s = 0.0
        self._n_met = demand.workers or min(self._n_met + n_connected, workers.number)
        self._n_expected = workers.number
        self._connections = demand.connections
        if n_failed > 0:
            self._pause_s = min(_LONGEST_PAUSE_S, 2 * self._pause_s or _FIRST_PAUSE_S)
            self._start_at = time.monotonic() + self._pause_s
            self._log.error(
                "%d workers ended and none is connected; their output says why. Next try in %g s",
                n_failed,
                self._pause_s,
            )


def step_s(n_scalers: int) -> float:
    """Return the seconds between two requests of each of several scalers in one process."""
    return max(1.0, n_scalers / _STEPS_PER_S)


def serve_all(scalers: Collection[Scaler]) -> None:
    """Let several scalers serve until `leave`. If one fails, the others leave, too.

    Raises:
        ApiError: As for `Scaler.serve`.
    """
    with ThreadPoolExecutor(len(scalers)) as threads:
        tasks = [threads.submit(each.serve) for each in scalers]
        wait(tasks, return_when=FIRST_COMPLETED)
        for each in scalers:
            each.leave()
    for task in tasks:
        task.result()
