"""One ASGI application out of all doors: what starts, in which order, and how it stops."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from msgspec import structs

from qwicket import devices
from qwicket.compute import LocalCompute, Readers
from qwicket.compute.memory import available_bytes
from qwicket.dialects import mounts
from qwicket.drivers.simulated import SimulatedDriver
from qwicket.gateway import Gateway
from qwicket.model.ids import new_id
from qwicket.scheduling import Dispatcher, Heartbeat
from qwicket.server.http import Front
from qwicket.server.probes import probes
from qwicket.store import Store, lock_folder, open_sqlite

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from qwicket.model.limits import Limits
    from qwicket.server.settings import Settings

_RUN_GRACE_S: Final = 20.0
_MEMORY_SHARE: Final = 0.8


def now_ms() -> int:
    """Return the wall clock in Unix milliseconds."""
    return time.time_ns() // 1_000_000


class App:
    """The server without its socket: doors, queue and workers."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._workers = settings.workers or os.cpu_count() or 1
        self._limits = _with_memory(settings.limits, self._workers)
        self._front: Front | None = None
        self._store: Store | None = None
        self._is_ready = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._front is not None:
            await self._front(scope, receive, send)

    def begin_stop(self) -> None:
        """Stop being ready, claim no more, and answer every long poll now with what it has."""
        self._is_ready = False
        if self._store is not None:
            self._dispatcher.stop_claiming()
            self._store.changes.close()

    def hurry(self) -> None:
        """Give running jobs back at once: the operator asks a second time."""
        self._dispatcher.hurry()

    async def start(self) -> None:
        """Open the store, start the workers, offer again what a former server held.

        Raises:
            Unavailable: Another server runs on the folder.
            OSError: The folder cannot be used.
        """
        settings = self._settings
        self._lock = lock_folder(settings.data_dir)
        store = self._store = open_sqlite(settings.data_dir)
        self._compute = LocalCompute(self._workers, memory_bytes=self._limits.memory_bytes)
        self._readers = Readers(self._limits)
        await store.devices.seed(devices.built_in(), "builtin")
        # The folder's lock is ours, so that whoever held these leases is gone.
        await store.leases.void_runners("server", now_ms())
        runner = new_id(now_ms())
        await store.leases.add_runner(runner, "server", now_ms())
        self._heartbeat = Heartbeat(store.leases, runner, lease_s=settings.lease_s)
        self._dispatcher = Dispatcher(
            store,
            SimulatedDriver(self._compute, "qubit", self._limits.run_time_s),
            [device.name for device in await store.devices.all() if device.driver == "simulated"],
            runner,
            now_ms,
        )
        gateway = Gateway(store, self._readers, self._limits, now_ms)
        doors = {**mounts(gateway), **probes(lambda: self._is_ready and store.is_alive)}
        self._front = Front(doors, self._limits, settings.public_url)
        self._heartbeat.start()
        self._dispatcher.start()
        self._is_ready = True

    async def stop(self) -> None:
        """Let running jobs finish for a while, give the others back, close everything."""
        self.begin_stop()
        await self._dispatcher.stop(_RUN_GRACE_S)
        self._heartbeat.stop()
        await self._compute.close()
        await self._readers.close()
        if self._store is not None:
            await self._store.close()
        os.close(self._lock)


def _with_memory(limits: Limits, workers: int) -> Limits:
    """Divide this machine's memory among the workers unless the operator set a limit."""
    if limits.memory_bytes is not None:
        return limits
    return structs.replace(limits, memory_bytes=int(_MEMORY_SHARE * available_bytes() / workers))
