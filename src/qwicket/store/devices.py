"""Operations on devices, their status, and the providers to whom they belong."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from qwicket.model.devices import Device, DeviceStatus, Provider
from qwicket.model.errors import Conflict, NotFound
from qwicket.store import calibrations

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qwicket.model.calibrations import Calibrated
    from qwicket.store.database import Database, Row, Tx

decoder = msgspec.json.Decoder(Device)


class Standing(NamedTuple):
    """A device as it stands at a time: its status then, and the calibration in force."""

    device: Device
    status: DeviceStatus
    calibration: Calibrated | None


class Devices:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def seed(self, devices: Iterable[Device], origin: str) -> None:
        """Write devices that come from files; what came from elsewhere is left alone."""
        await self._database.write(lambda tx: _seed(tx, devices, origin))

    async def all(self) -> list[Device]:
        """Return all devices in listing order."""
        found = await self._database.read(lambda tx: tx.all("device_list"))
        return [decoder.decode(body) for (body,) in found]

    async def get(self, name: str) -> Device | None:
        row = await self._database.read(lambda tx: tx.one("device_get", name=name))
        return decoder.decode(row[0]) if row else None

    async def offered(self) -> list[Device]:
        """Return the devices of active providers in listing order."""
        found = await self._database.read(lambda tx: tx.all("device_offered_list"))
        return [decoder.decode(body) for (body,) in found]

    async def find(self, name: str) -> Device | None:
        """Return a device if its provider is active."""
        row = await self._database.read(lambda tx: tx.one("device_offered", name=name))
        return decoder.decode(row[0]) if row else None

    async def status(self, name: str, at: int) -> DeviceStatus:
        """Return whether the device is on."""
        row = await self._database.read(lambda tx: tx.one("device_state_get", device=name))
        return _status(row, at) if row else DeviceStatus()

    async def standing(self, name: str, at: int) -> Standing | None:
        """Return a device with all that a submission to it depends on, in one look-up.

        None if there is none, or its provider is not active.
        """
        row = await self._database.read(lambda tx: tx.one("device_standing", name=name, at=at))
        return _standing(row, at) if row else None

    async def park(self, reasons: Mapping[str, str], now: int) -> None:
        """Turn off, each for its reason, devices of which nobody has said whether they are on."""
        await self._database.write(lambda tx: _park(tx, reasons, now))

    async def set_status(self, name: str, status: DeviceStatus, now: int) -> None:
        """Turn a device on or off.

        Raises:
            NotFound: There is no such device.
        """
        await self._database.write(lambda tx: _set_status(tx, name, status, now))

    async def add_provider(self, name: str) -> Provider:
        """Make a provider, active.

        Raises:
            Conflict: The name is taken.
        """
        return await self._database.write(lambda tx: _add_provider(tx, name))

    async def providers(self) -> list[Provider]:
        """Return all providers by name."""
        found = await self._database.read(lambda tx: tx.all("provider_list"))
        return [_provider(row) for row in found]

    async def set_active(self, provider: str, is_active: bool) -> None:
        """Show the devices of a provider, or hide them and refuse their new jobs.

        Raises:
            NotFound: There is no such provider.
        """
        await self._database.write(lambda tx: _set_active(tx, provider, is_active))


def _standing(row: Row, at: int) -> Standing:
    body, *state = row[:4]
    status = _status(tuple(state), at) if state[0] is not None else DeviceStatus()
    calibration = calibrations.calibrated(row[4:]) if row[4] is not None else None
    return Standing(decoder.decode(body), status, calibration)


def _status(row: Row, at: int) -> DeviceStatus:
    """Return how a device stands; a time that `until_at` names ends an `off`."""
    is_on, reason, until_at = row
    if not is_on and until_at is not None and until_at <= at:
        return DeviceStatus()
    return DeviceStatus(is_on=bool(is_on), reason=reason, until_at=until_at)


def _seed(tx: Tx, devices: Iterable[Device], origin: str) -> None:
    for device in devices:
        tx.run("provider_add", name=device.provider)
        tx.run(
            "device_put",
            name=device.name,
            position=device.position,
            provider=device.provider,
            body=msgspec.json.encode(device).decode(),
            origin=origin,
        )


def _park(tx: Tx, reasons: Mapping[str, str], now: int) -> None:
    for device, reason in reasons.items():
        tx.run("device_park", device=device, reason=reason, now=now)


def _set_status(tx: Tx, name: str, status: DeviceStatus, now: int) -> None:
    if tx.one("device_get", name=name) is None:
        raise NotFound(f"There is no device {name}.")
    tx.run(
        "device_state_put",
        device=name,
        is_on=int(status.is_on),
        reason=status.reason,
        until_at=status.until_at,
        now=now,
    )


def _add_provider(tx: Tx, name: str) -> Provider:
    if not tx.count("provider_add", name=name):
        raise Conflict(f"The name {name} is taken.", field="name")
    return Provider(name, is_active=True)


def _set_active(tx: Tx, name: str, is_active: bool) -> None:
    if not tx.count("provider_set", name=name, is_active=int(is_active)):
        raise NotFound(f"There is no provider {name}.")


def _provider(row: Row) -> Provider:
    name, is_active = row
    return Provider(name, bool(is_active))
