"""One ASGI application of all dialects: start-up in order, and shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import os
import socket
import time
from typing import TYPE_CHECKING, ClassVar, Final

from msgspec import structs

from qwicket import devices, engines
from qwicket.compute import ClusterUnavailable, ForkServer, LocalCompute, ParserPool
from qwicket.compute.local import WARM_UP
from qwicket.compute.memory import available_bytes
from qwicket.compute.parser_pool import PARSERS
from qwicket.dialects import DialectSettings, mounts, offered, shown_by
from qwicket.dialects.on_demand import DialectOnDemand
from qwicket.drivers.simulated import SimulatedDriver
from qwicket.gateway import Gateway
from qwicket.gateway.fair_threads import FairThreads
from qwicket.gateway.response_budget import ResponseBudget
from qwicket.model.accounts import master_key_name
from qwicket.model.errors import QwicketError, Unavailable
from qwicket.model.ids import new_id
from qwicket.model.jobs import Capacity, Runner
from qwicket.model.limits import INT64_MAX
from qwicket.model.states import FINAL
from qwicket.registrations import of_features
from qwicket.scheduling import (
    Dispatcher,
    Express,
    Heartbeat,
    LivenessMonitor,
    MaintenanceLoop,
)
from qwicket.server import compute, memory
from qwicket.server.docs import docs, with_browser_redirect
from qwicket.server.logs import AccessLog
from qwicket.server.metrics import Metrics, MetricSources
from qwicket.server.probes import probes
from qwicket.server.router import Router
from qwicket.store import Store, lock_folder, open_postgres, open_sqlite

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

    from qwicket.compute import Cluster
    from qwicket.dialects.pass_through import PassThrough
    from qwicket.drivers import Driver
    from qwicket.model.limits import Limits
    from qwicket.server.device_files import RemoteDevice
    from qwicket.server.settings import Settings

_PAGES: Final = "qwicket.pages.routes:application"
"""The function that makes the pages under `/ui`; the first request to them imports it."""
_MEMORY_SHARE: Final = 0.8
"""Part of the free memory that jobs may use; the rest is for the processes themselves."""
_RESPONSE_MARGIN_BYTES: Final = 16 << 20
"""Bytes that a worker's response may have beside twice the limit on results."""

_log = logging.getLogger(__name__)


def now_ms() -> int:
    """Return the wall clock in Unix milliseconds."""
    return time.time_ns() // 1_000_000


class App:
    """The server without its socket: dialects, queue and workers.

    Raises:
        InvalidRequest: Settings do not fit each other; the text starts with the option.

    Attributes:
        summary: One sentence for the operator; empty before `start`.
        parsers: Number of parser processes, without the additional one for short programs.
        warm_up: The function that loads engines, before workers are forked.
        starts_parsers: Whether parsers start with the server; else the first program that needs
            one starts them.
    """

    parsers: ClassVar = PARSERS
    warm_up: ClassVar = WARM_UP
    starts_parsers: ClassVar = True

    def __init__(self, settings: Settings) -> None:
        compute.check(settings)
        self._settings = settings
        self._workers = os.cpu_count() or 1 if settings.workers is None else settings.workers
        self._express_slots = settings.express_slots if self._workers else 0
        self._limits = _with_memory(settings.limits, self._workers)
        self._router: Router | None = None
        self._store: Store | None = None
        self._lock: int | None = None
        self._access: AccessLog | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._remotes: list[RemoteDevice] = []
        self._claiming: list[Dispatcher | RemoteDevice] = []
        self._pass_through: dict[str, PassThrough] = {}
        self._is_ready = False
        self._monotonic = time.monotonic  # in a test bed that of its clock
        self.summary = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and self._router is not None:
            await self._router(scope, receive, send)

    async def offer_setup_link(self, sockets: Sequence[socket.socket]) -> None:
        """Print the link that sets up a server without accounts, if it may have one.

        Args:
            sockets: Where the server listens.
        """
        from qwicket.server import setup_link  # late: needed once

        await setup_link.offer(self._gateway, self._settings, sockets)

    def supports_websocket(self, path: str, own: str = "") -> bool:
        """Return whether the dialect of a path has websockets.

        Args:
            path: The path.
            own: Name of the dialect whose own address it is at; empty for the main address.
        """
        return self._router is not None and self._router.supports_websocket(path, own)

    def pass_through(self, device: str | None) -> PassThrough | None:
        """Return the application that passes requests on to a device's server, if it has one."""
        return None if device is None else self._pass_through.get(device)

    def begin_stop(self) -> None:
        """Become unready, stop claiming jobs, and end every long poll now."""
        self._is_ready = False
        if self._store is not None:
            for each in self._claiming:
                each.stop_claiming()
            self._store.changes.close()

    def release_running(self) -> None:
        """Return running jobs to the queue at once, after a second signal."""
        for each in self._claiming:
            each.release_running()

    async def start(self) -> None:
        """Open the store and start all services but workers and parsers (`start_processes`).

        With SQLite, jobs that ran when the last server ended are queued again first. With
        PostgreSQL, the liveness monitors do this.

        Raises:
            InvalidRequest: A setting, or a file that it names, is invalid.
            Unavailable: Another server uses the folder, or the database or the cluster does not
                respond.
            OSError: The folder cannot be used.
        """
        asyncio.get_running_loop().set_default_executor(FairThreads())
        settings, limits = self._settings, self._limits.jobs
        store = self._store = self._open_store()
        # What a worker sends is about as long as the result in JSON, whose size is limited.
        response_bytes = 2 * limits.result_bytes + _RESPONSE_MARGIN_BYTES
        cluster = compute.cluster(settings, response_bytes)
        if cluster is not None:
            await self._connect(cluster)
            limits = self._limits.jobs
        fork_server = ForkServer(self.warm_up)
        self._compute = cluster or compute.local(
            self._workers,
            memory_bytes=limits.memory_bytes,
            response_bytes=response_bytes,
            fork_server=fork_server,
        )
        self._express = LocalCompute(
            self._express_slots,
            memory_bytes=min(limits.express_bytes, limits.memory_bytes or INT64_MAX),
            response_bytes=response_bytes,
            fork_server=fork_server,
        )
        self._parsers = ParserPool(self._limits, processes=self.parsers)
        await store.devices.seed(devices.built_in(shown_by), "builtin")
        await store.devices.turn_off_new(devices.off_reasons(), now_ms())
        await store.calibrations.seed(devices.calibrations(), now_ms())
        if settings.device_dir is not None:
            await self._open_device_files(store, settings.device_dir)
        if self._lock is not None:
            # This process holds the folder's lock, so no other server runs.
            for each in await store.leases.runners():
                if each.kind == "server":
                    await store.leases.void_runner(each.id, now_ms())
        families = self._families = {
            device.name: device.family
            for device in await store.devices.all()
            if device.is_simulated and engines.has_family(device.family)
        }
        driver = self._in_front_of(SimulatedDriver(self._compute, families, limits.run_time_s))
        express_s = min(limits.express_s, limits.run_time_s)
        express = Express(
            SimulatedDriver(self._express, families, express_s, is_express=True),
            max_estimate_s=limits.express_s,
            barred_s=limits.express_bar_s,
        )
        runner = self._runner = Runner(
            id=_runner_id(),
            kind="server",
            beat=0,
            slots=driver.slots,
            express_slots=self._express_slots,
            memory_bytes=limits.memory_bytes,
        )
        await store.leases.register(runner, now_ms())
        self._heartbeat = Heartbeat(store.leases, runner, now_ms, lease_s=settings.lease_s)
        capacity = Capacity(limits.memory_bytes or INT64_MAX)
        self._dispatcher = Dispatcher(
            store, driver, families, runner.id, now_ms, express, capacity=capacity
        )
        liveness = self._watch(store, runner.id)
        maintenance = MaintenanceLoop(
            store,
            runner.id,
            now_ms,
            keep_days=settings.keep_days,
            every_s=settings.maintenance_interval_s,
            clock=self._monotonic,
        )
        master_file = settings.master_file
        gateway = self._gateway = Gateway(
            store,
            self._parsers,
            self._limits,
            now_ms,
            lease_s=settings.lease_s,
            first_poll_ms=settings.first_poll_ms,
            memory_grows=settings.limits.jobs.memory_bytes is None,
            runner=runner.id,
            allow_private_webhooks=settings.allow_private_webhooks,
            dist=settings.dist,
            sign_in=settings.sign_in,
            aws_master_file=master_file,
        )
        gateway.cluster = cluster
        if master_file is not None and master_file.exists():
            await gateway.key_pairs.check()
        elif await store.accounts.find_server_key(master_key_name()) is not None:
            _log.warning(
                "the file of the master keys is not there: no key pair of AWS's clients works"
                " (aws-master-file)"
            )
        if any(each.device is not None for each in settings.listen):
            from qwicket.server import device_files  # late: few servers have any

            self._pass_through = device_files.open_pass_through(gateway, settings)
        access = self._access = AccessLog() if settings.access_log else None
        metrics = Metrics()
        store.on_commit(metrics.committed)
        store.changes.listen(metrics.job_ended, *FINAL)
        response_budget = ResponseBudget(self._limits.responses, gateway.auth.confirm)
        sources = MetricSources(
            store=store,
            gateway=gateway,
            response_budget=response_budget,
            dispatcher=self._dispatcher,
            liveness=liveness,
            compute=self._compute,
            express=self._express,
            parsers=self._parsers,
            access=access,
        )
        public_url = (settings.public_url or "").rstrip("/")
        dialect_settings = DialectSettings(
            public_url=public_url,
            access_token_s=settings.access_token_s,
            in_force=settings.in_force,
            dialects=settings.dialects,
        )
        dialects = mounts(gateway, dialect_settings)
        apps: dict[str, ASGIApp] = {
            **dialects,
            "": with_browser_redirect(dialects.get("")),
            **docs(dialects, settings.dialects),
            "/ui": DialectOnDemand(_PAGES, gateway, dialect_settings),
            **probes(
                lambda: self._why_not_ready(store, cluster, liveness),
                gateway.auth.by_token,
                lambda: metrics.text(sources),
            ),
        }
        for made in of_features("mounts"):
            apps |= made(gateway)
        self._router = Router(
            apps,
            self._limits,
            public_url,
            response_budget=response_budget,
            metrics=metrics,
            access=access,
            own={each.name: each.at_own_address() for each in offered(settings.dialects)},
        )
        self._heartbeat.start()
        if not settings.no_dispatch:
            self._dispatcher.start()
            self._claiming.append(self._dispatcher)
            for remote in self._remotes:
                await remote.start()
                self._claiming.append(remote)
        if cluster is not None:
            cluster.on_resize(lambda: self._resize(cluster.slots))
            self._resize(cluster.slots)
            if cluster.is_ours:
                from qwicket.scheduling.cluster_size import follow_queue  # late: few servers

                following = follow_queue(store, families.keys(), cluster)
                self._tasks.append(asyncio.create_task(following))
        self._tasks += [
            asyncio.create_task(liveness.run()),
            asyncio.create_task(maintenance.run()),
            asyncio.create_task(gateway.auth.refusals.run(store.maintenance.add_refusals)),
            *(asyncio.create_task(run(gateway)) for run in of_features("task")),
        ]
        self._is_ready = True
        n_devices = len(await store.devices.all())
        where = f"in {self._workers} worker processes"
        if cluster is not None:
            where = f"in the cluster {settings.compute}, which has {cluster.slots} slots now"
        elif settings.no_dispatch:
            where = "by other servers (--no-dispatch)"
        elif not self._workers:
            where = "on other machines (`qwicket worker`)"
        self.summary = f"Qwicket serves {n_devices} devices; simulations run {where}."

    def _why_not_ready(
        self, store: Store, cluster: Cluster | None, liveness: LivenessMonitor
    ) -> str | None:
        """Return why a load balancer should send no requests here.

        Workers and their scalers come through the load balancer, so a server that waits for them is
        ready; else they could not come back. It reaches the scheduler of a cluster itself.
        """
        if not self._is_ready:
            return "The server is starting or stopping."
        if not store.is_alive:
            return "The database does not respond."
        if cluster is None or cluster.is_connected or liveness.has_runners or self._remotes:
            return None
        return "The scheduler of the cluster was lost, and nothing else runs jobs."

    async def _open_device_files(self, store: Store, folder: Path) -> None:
        """Store the devices of a folder, and prepare to serve those that are at other clouds."""
        from qwicket.server import device_files  # late: few servers have any

        files = await device_files.store_devices(store, folder, now_ms())
        self._remotes = [
            device_files.RemoteDevice(
                store,
                file,
                path,
                self._limits,
                now_ms,
                _server_name(),
                lease_s=self._settings.lease_s,
            )
            for path, file in files.items()
            if file.remote is not None and not self._settings.no_dispatch
        ]

    async def _connect(self, cluster: Cluster) -> None:
        """Connect to the cluster, and limit programs by its workers' memory."""
        try:
            await cluster.connect()
        except ClusterUnavailable as error:
            await cluster.close()
            raise Unavailable(f"--compute {self._settings.compute}: {error}.") from None
        if self._settings.limits.jobs.memory_bytes is None and cluster.memory_bytes is not None:
            jobs = structs.replace(self._limits.jobs, memory_bytes=cluster.memory_bytes)
            self._limits = structs.replace(self._limits, jobs=jobs)

    def _resize(self, slots: int) -> None:
        self._dispatcher.resize()
        self._heartbeat.resize(slots)

    def start_processes(self) -> None:
        """Start workers and parsers, and import modules that the first requests do not need.

        Called when the server already listens: on two cores, new processes would make the
        start take half as long again. A job that is submitted before they are warm waits for them.
        """
        if isinstance(self._compute, LocalCompute):
            self._compute.start()
        self._express.start()
        if self.starts_parsers:
            self._parsers.start()
        self._tasks.append(asyncio.create_task(_finish_imports()))

    async def stop(self) -> None:
        """Wait for running jobs within the grace time, requeue the others, and close.

        Jobs at other clouds continue there, and the next server follows them.
        """
        self.begin_stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(
            self._dispatcher.stop(self._settings.stop_grace_s),
            *(remote.stop(self._settings.stop_grace_s) for remote in self._remotes),
        )
        for each in self._pass_through.values():
            each.close()
        self._heartbeat.stop()
        # Together: workers and express slots share a fork server, which their last `close` ends.
        await asyncio.gather(self._compute.close(), self._express.close(), self._parsers.close())
        if self._store is not None:
            # If this fails, other servers notice that the heartbeat has stopped.
            with contextlib.suppress(QwicketError):
                runner = self._runner.id
                await self._store.leases.void_runner(runner, now_ms(), "its server stopped")
            await self._store.close()
        if self._access is not None:
            self._access.close()
        if self._lock is not None:
            os.close(self._lock)

    def _in_front_of(self, driver: Driver) -> Driver:
        """Return the driver that runs jobs; here `driver`, in a test bed one in front of it."""
        return driver

    def _watch(self, store: Store, runner: str) -> LivenessMonitor:
        """Return what watches the other runners; in a test bed it follows another clock."""
        lease_s = self._settings.lease_s
        return LivenessMonitor(store, runner, now_ms, time.monotonic, lease_s=lease_s)

    def _open_store(self) -> Store:
        if self._settings.database_url is not None:
            return open_postgres(self._settings.database_url)
        self._lock = lock_folder(self._settings.data_dir)
        return open_sqlite(self._settings.data_dir)


async def _finish_imports() -> None:
    try:
        # Imported now in a thread, because the first handshake would import it on the event loop.
        await asyncio.to_thread(importlib.import_module, "qwicket.server.websocket")
    finally:
        memory.tune_garbage_collector()


def _runner_id() -> str:
    """Return an id whose end users see as the runner of their jobs."""
    return f"{new_id(now_ms())}/{_server_name()}"


def _server_name() -> str:
    return f"{socket.gethostname().partition('.')[0]}-{os.getpid()}"


def _with_memory(limits: Limits, workers: int) -> Limits:
    """Divide this machine's memory among the workers unless the operator set a limit."""
    if limits.jobs.memory_bytes is not None:
        return limits
    share = int(_MEMORY_SHARE * available_bytes() / max(1, workers))
    return structs.replace(limits, jobs=structs.replace(limits.jobs, memory_bytes=share))
