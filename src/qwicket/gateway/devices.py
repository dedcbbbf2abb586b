"""Devices for dialects, with their status and calibrations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from qwicket import engines
from qwicket.gateway.refusals import no_device
from qwicket.gateway.views import DeviceView
from qwicket.model.devices import MAX_NAME_CHARS
from qwicket.model.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qwicket.circuits.calibrations import Calibrated
    from qwicket.gateway.device_limits import DeviceLimits
    from qwicket.model.devices import Device, DeviceChanges
    from qwicket.store import DeviceCondition, Store
    from qwicket.store.calibrations import CalibrationPage, CalibrationTime


class Devices:
    """Reads devices for dialects.

    Args:
        store: Stores devices.
        limits: Limits on the jobs of each device.
        now_ms: Clock; returns Unix milliseconds.
    """

    def __init__(self, store: Store, limits: DeviceLimits, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._limits = limits
        self._now_ms = now_ms

    async def of(self, dialect: str) -> list[DeviceView]:
        """Return the devices of active providers that this dialect shows, in listing order."""
        return await self.views(await self.offered(dialect))

    async def offered(self, dialect: str) -> list[Device]:
        """Return the devices of `of` without their status, presence and calibration."""
        return [
            device for device in await self._store.devices.offered() if dialect in device.dialects
        ]

    async def views(self, devices: Iterable[Device]) -> list[DeviceView]:
        """Return devices with status, presence and calibration, except those removed meanwhile."""
        await self._limits.update_memory()
        devices = [*devices]
        found = await self._store.devices.conditions(devices, self._now_ms())
        return [
            self._view(device, found[device.name]) for device in devices if device.name in found
        ]

    async def get(self, name: str, dialect: str) -> DeviceView:
        """Return one device of this dialect.

        Raises:
            NotFound: The dialect does not show such a device.
        """
        await self._limits.update_memory()
        device = await self._shown(name, dialect)
        return self._view(device, await self._store.devices.condition(device, self._now_ms()))

    async def calibration(self, name: str, dialect: str, at: int | None = None) -> Calibrated:
        """Return the calibration of a device at a time.

        Args:
            name: The device.
            dialect: The dialect.
            at: Unix milliseconds; None is now.

        Raises:
            NotFound: The dialect shows no such device, or the device had no calibration then.
        """
        await self._shown(name, dialect)
        at = self._now_ms() if at is None else at
        found = await self._store.calibrations.at(name, at)
        if found is None:
            raise NotFound(f"The device {name} has no calibration, or had none by then.")
        return found

    async def calibrations(
        self, name: str, dialect: str, since: int, until: int, *, offset: int, limit: int
    ) -> CalibrationPage:
        """Return a page of the calibrations of a device, the last added first.

        Args:
            name: The device.
            dialect: The dialect.
            since: First time of validity in Unix milliseconds.
            until: Last time of validity; those of the future are not returned.
            offset: Number of calibrations before the page.
            limit: Most calibrations of the page.

        Raises:
            NotFound: The dialect shows no such device.
        """
        await self._shown(name, dialect)
        until = min(until, self._now_ms())
        return await self._store.calibrations.page(name, since, until, offset, limit)

    async def calibration_times(self, name: str, dialect: str) -> list[CalibrationTime]:
        """Return when each stored calibration of a device became valid, the last added first.

        Raises:
            NotFound: The dialect shows no such device.
        """
        await self._shown(name, dialect)
        return await self._store.calibrations.times(name, self._now_ms())

    async def calibration_by_id(self, name: str, dialect: str, calibration: str) -> Calibrated:
        """Return a calibration by id, as jobs refer to it.

        Raises:
            NotFound: The dialect shows no such device, or it has no such calibration.
        """
        await self._shown(name, dialect)
        found = await self._store.calibrations.get(calibration)
        if found is None or found.device != name:
            raise NotFound(f"The device {name} has no such calibration.")
        return found

    async def changes(self, name: str, dialect: str) -> DeviceChanges:
        """Return the last changes of whether a device takes jobs, and its maintenance windows.

        Raises:
            NotFound: The dialect shows no such device.
        """
        await self._shown(name, dialect)
        return await self._store.devices.changes(name, self._now_ms())

    async def _shown(self, name: str, dialect: str) -> Device:
        is_name = len(name) <= MAX_NAME_CHARS
        device = await self._store.devices.find(name) if is_name else None
        if device is None or dialect not in device.dialects:
            raise no_device(name, dialect, await self._store.devices.offered(), field=None)
        return device

    def _view(self, device: Device, condition: DeviceCondition) -> DeviceView:
        status, presence, calibration = condition
        is_twin = calibration is not None and device.is_simulated
        # While a device is on, the reason why the other cloud does not run its jobs is shown.
        if presence is not None and status.is_on and presence.reason:
            status = msgspec.structs.replace(status, reason=presence.reason)
        if device.is_simulated and not engines.has_family(device.family):
            reason = f"this server has no engines for the family {device.family}"
            status = msgspec.structs.replace(status, is_on=False, reason=reason)
        return DeviceView(
            device=device,
            status=status,
            qubits=self._limits.qubits(device, is_twin),
            max_shots=self._limits.shots(device),
            max_circuits=self._limits.circuits(device),
            calibration=calibration,
            engines=self._limits.installed_engines(device),
            presence=presence,
        )
