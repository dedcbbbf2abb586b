"""Devices of the folder `--device-dir`: stored at the start, and served where they are remote."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from qwicket.devices.files import OwnDeviceFile, load_folder
from qwicket.devices.remotes import NoKey
from qwicket.dialects import shown_by
from qwicket.dialects.pass_through import PassThrough
from qwicket.drivers.remote import RemoteDriver
from qwicket.drivers.remote.clouds import CloudError
from qwicket.drivers.remote.pass_through import Sender
from qwicket.model.errors import InvalidRequest, QwicketError, Unavailable
from qwicket.model.ids import new_id
from qwicket.model.jobs import Runner
from qwicket.scheduling import Dispatcher, Heartbeat

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qwicket.gateway import Gateway
    from qwicket.model.limits import Limits
    from qwicket.model.pass_through import VendorRequest, VendorResponse
    from qwicket.server.settings import OwnAddress, Settings
    from qwicket.store import Store

ORIGIN: Final = "file"
"""Origin of these devices in the database; devices of another origin are not replaced."""

_log = logging.getLogger(__name__)


class RemoteDevice:
    """A device at another cloud: its driver, the runner that claims its jobs, and its status.

    Args:
        store: The queue.
        file: The device's file, whose `remote` is not None.
        path: Path of the file, for errors.
        limits: Limits on results.
        now_ms: Clock; returns Unix milliseconds.
        host: Name of this server, which users see as the runner of their jobs.
        lease_s: Lease time of runners in seconds.

    Raises:
        InvalidRequest: Its key cannot be read, or its address is invalid.
    """

    def __init__(
        self,
        store: Store,
        file: OwnDeviceFile,
        path: Path,
        limits: Limits,
        now_ms: Callable[[], int],
        host: str,
        *,
        lease_s: float,
    ) -> None:
        assert file.remote is not None
        self._store = store
        self._remote = file.remote
        self._now_ms = now_ms
        device = file.device(shown_by)
        self._name = device.name
        try:
            self._driver = RemoteDriver(device, self._remote, self._remote.key(), limits)
        except (NoKey, ValueError) as error:
            raise InvalidRequest(f"--device-dir: {path}: {error}.") from None
        self._runner = Runner(
            id=f"{new_id(now_ms())}/{host}",
            kind="server",
            beat=0,
            slots=self._remote.jobs_at_once,
            device=device.name,
        )
        self._heartbeat = Heartbeat(store.leases, self._runner, now_ms, lease_s=lease_s)
        self._dispatcher = Dispatcher(store, self._driver, [device.name], self._runner.id, now_ms)
        self._mirroring: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to claim its jobs."""
        await self._store.leases.register(self._runner, self._now_ms())
        self._heartbeat.start()
        self._dispatcher.start()
        self._mirroring = asyncio.create_task(self._mirror_always())

    def stop_claiming(self) -> None:
        self._dispatcher.stop_claiming()

    def release_running(self) -> None:
        self._dispatcher.release_running()

    async def stop(self, grace_s: float) -> None:
        """Leave its jobs to the next server; they continue at the cloud.

        Args:
            grace_s: Seconds to wait for responses to submissions.
        """
        if self._mirroring is not None:
            self._mirroring.cancel()
            await asyncio.gather(self._mirroring, return_exceptions=True)
        await self._dispatcher.stop(grace_s)
        self._heartbeat.stop()
        await self._driver.close()
        try:
            await self._store.leases.void_runner(
                self._runner.id, self._now_ms(), "its server stopped"
            )
        except QwicketError as error:  # other servers notice that the heartbeat has stopped
            _log.warning("the runner of %s was not removed: %s", self._name, error)

    async def _mirror_always(self) -> None:
        while True:
            try:
                await self._mirror()
            except QwicketError as error:
                _log.warning("the state of %s was not stored: %s", self._name, error)
            except Exception:
                # This task must survive any response: if it ended, the state would become stale.
                _log.exception("the state of %s was not understood", self._name)
            await asyncio.sleep(self._driver.status_pause_s)

    async def _mirror(self) -> None:
        slots = self._driver.slots
        status = await self._driver.device_status()
        if self._driver.slots != slots:
            self._dispatcher.resize()
            self._heartbeat.resize(self._driver.slots)
            state = "runs jobs" if status.is_online else f"runs no jobs: {status.reason}"
            _log.info("%s at %s %s", self._name, self._remote.url, state)
        await self._store.forwards.put_mirror(
            self._name,
            self._now_ms(),
            is_online=status.is_online,
            reason=status.reason,
            n_waiting=status.n_waiting or 0,
        )
        if status.calibration is not None:
            await self._store.calibrations.seed({self._name: status.calibration}, self._now_ms())
        for id in self._driver.open_groups:
            group = await self._store.job_groups.get(id)
            is_open = group is not None and group.is_open(self._now_ms())
            if not is_open and not (await self._store.job_groups.use(id)).unfinished:
                await self._driver.close_group(id)


def open_pass_through(gateway: Gateway, settings: Settings) -> dict[str, PassThrough]:
    """Return the applications that pass requests on to devices' servers, by device name.

    Raises:
        InvalidRequest: An address names a device to which its requests cannot be passed on, or the
            device's key cannot be read.
    """
    applications = {}
    for address in settings.listen:
        if address.device is not None:
            file = pass_through_file(settings, address)
            assert file.remote is not None
            try:
                sender = Sender(file.remote, file.remote.key())
            except (NoKey, ValueError) as error:
                raise InvalidRequest(f"--device-dir: {file.name}: {error}.") from None
            send = partial(_send, sender, file.name)
            applications[file.name] = PassThrough(gateway, send, file.name, file.remote.device)
    return applications


def _send(sender: Sender, device: str, request: VendorRequest) -> VendorResponse:
    try:
        return sender.send(request)
    except CloudError as error:
        raise Unavailable(f"The server of {device} does not respond: {error}") from None


def pass_through_file(settings: Settings, address: OwnAddress) -> OwnDeviceFile:
    """Return the file of the device to which the requests of an address are passed on.

    Raises:
        InvalidRequest: There is none, or requests of this dialect cannot be passed on to it.
    """
    files = load_folder(settings.device_dir) if settings.device_dir is not None else {}
    file = next((each for each in files.values() if each.name == address.device), None)
    remote = file.remote if file is not None else None
    if file is None or remote is None or not remote.pass_through:
        raise InvalidRequest(
            f"--listen: {address}: --device-dir has no device {address.device!r} with"
            " pass_through = true."
        )
    if remote.kind != address.dialect:
        raise InvalidRequest(
            f"--listen: {address}: the server of {file.name} speaks {remote.kind}, not"
            f" {address.dialect}."
        )
    return file


async def store_devices(store: Store, folder: Path, now_ms: int) -> dict[Path, OwnDeviceFile]:
    """Store the devices of a folder; return its files.

    Raises:
        InvalidRequest: A file is invalid, or its device's name belongs to a lab.
    """
    files = load_folder(folder)
    devices = {path: file.device(shown_by) for path, file in files.items()}
    await store.devices.seed(devices.values(), ORIGIN)
    for path, device in devices.items():
        if await store.devices.get(device.name) != device:
            raise InvalidRequest(
                f"--device-dir: {path}: the name {device.name} belongs to a device of a lab."
            )
    off_reasons = {file.name: file.off for file in files.values() if file.off is not None}
    await store.devices.turn_off_new(off_reasons, now_ms)
    calibrations = {f.name: f.calibration for f in files.values() if f.calibration is not None}
    await store.calibrations.seed(calibrations, now_ms)
    return files
