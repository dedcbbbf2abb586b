"""Operations on devices, their status and their providers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from qwicket.model.devices import (
    Device,
    DeviceChange,
    DeviceChanges,
    DeviceStatus,
    Presence,
    Provider,
)
from qwicket.model.errors import Conflict, NotFound
from qwicket.model.suggestions import did_you_mean
from qwicket.store import calibrations
from qwicket.store.operations import Operations, read, scan, write
from qwicket.store.rows import from_texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qwicket.circuits.calibrations import Calibrated
    from qwicket.store.database import Row, Tx

decoder = msgspec.json.Decoder(Device)
KEPT_CHANGES: Final = 200
"""Number of changes that are stored of each device."""


class DeviceSnapshot(NamedTuple):
    """A device with its status and calibration at a time, and the id of the exam at that time."""

    device: Device
    status: DeviceStatus
    calibration: Calibrated | None
    exam: str | None = None


class DeviceCondition(NamedTuple):
    """The status of a device, its presence unless it is simulated, and its calibration."""

    status: DeviceStatus
    presence: Presence | None
    calibration: Calibrated | None


class Devices(Operations):
    @write
    def seed(tx: Tx, devices: Iterable[Device], origin: str) -> None:
        """Store devices from files, except those whose name a device of another origin has."""
        for device in devices:
            put_device(tx, device, origin)

    @scan
    def all(tx: Tx) -> list[Device]:
        """Return all devices in listing order."""
        return [decoder.decode(body) for (body,) in tx.all("device_list")]

    @read
    def get(tx: Tx, name: str) -> Device | None:
        row = tx.one("device_get", name=name)
        return decoder.decode(row[0]) if row else None

    @scan
    def offered(tx: Tx) -> list[Device]:
        """Return the devices of active providers in listing order."""
        return [decoder.decode(body) for (body,) in tx.all("device_offered_list")]

    @read
    def find(tx: Tx, name: str) -> Device | None:
        """Return a device if its provider is active."""
        row = tx.one("device_offered", name=name)
        return decoder.decode(row[0]) if row else None

    @read
    def status(tx: Tx, name: str, at: int) -> DeviceStatus:
        """Return the status of a device at a time in Unix milliseconds."""
        row = tx.one("device_state_get", device=name, at=at)
        return _status(row, at) if row else DeviceStatus()

    @read
    def snapshot(tx: Tx, name: str, at: int) -> DeviceSnapshot | None:
        """Return all that a submission to a device depends on, in one look-up.

        Return None if the device does not exist or its provider is not active.
        """
        row = tx.one("device_snapshot", name=name, at=at)
        return _snapshot(row, at) if row else None

    @read
    def presence(tx: Tx, device: Device) -> Presence:
        """Return the presence of what runs a device's jobs elsewhere: agents, or another cloud."""
        is_remote = device.driver == "remote"
        row = tx.one("mirror_get" if is_remote else "device_presence", name=device.name)
        return _presence(device, row)

    @read
    def condition(tx: Tx, device: Device, at: int) -> DeviceCondition:
        """Return the condition of one device."""
        calibration = tx.one("calibration_at", device=device.name, at=at)
        return DeviceCondition(
            Devices.status(tx, device.name, at),
            None if device.is_simulated else Devices.presence(tx, device),
            calibrations.decode_row(calibration) if calibration else None,
        )

    @scan
    def conditions(tx: Tx, devices: Iterable[Device], at: int) -> dict[str, DeviceCondition]:
        """Return the conditions of devices by their names, without those that do not exist."""
        by_name = {each.name: each for each in devices}
        found = tx.all("device_conditions", tags=from_texts(tuple(by_name)), at=at)
        return {row[0]: _condition(by_name[row[0]], row[1:], at) for row in found}

    @write
    def turn_off_new(tx: Tx, reasons: Mapping[str, str], now: int) -> None:
        """Turn devices off, each for its reason, unless a status of them is stored already."""
        for device, reason in reasons.items():
            if tx.one("device_state_of", device=device) is None:
                _record_change(tx, device, DeviceStatus(is_on=False, reason=reason), now)
            tx.run("device_turn_off_new", device=device, reason=reason, now=now)

    @write
    def set_status(
        tx: Tx, name: str, status: DeviceStatus, now: int, *, keeps_message: bool = True
    ) -> None:
        """Turn a device on or off, let it drain, or pause it. Its message stays, or is removed.

        Raises:
            NotFound: There is no such device.
        """
        _check_exists(tx, name)
        _record_change(tx, name, status, now)
        tx.run(
            "device_state_put",
            device=name,
            now=now,
            is_on=int(status.is_on),
            reason=status.reason,
            until_at=status.until_at,
            is_draining=int(status.is_draining),
            is_paused=int(status.is_paused),
        )
        if not keeps_message:
            tx.run("device_message_put", device=name, message="", now=now)

    @write
    def set_message(tx: Tx, name: str, message: str, now: int) -> None:
        """Set the message of a device to its users; an empty one removes it.

        Raises:
            NotFound: There is no such device.
        """
        _check_exists(tx, name)
        tx.run("device_message_put", device=name, message=message, now=now)

    @scan
    def changes(tx: Tx, name: str, now: int) -> DeviceChanges:
        """Return stored changes of whether a device takes jobs, and begun maintenance windows."""
        limit = KEPT_CHANGES
        windows = tx.all("device_maintenance_list", device=name, now=now, limit=limit)
        return DeviceChanges(
            now,
            [DeviceChange(*row) for row in tx.all("device_change_list", device=name, limit=limit)],
            [DeviceChange(*row) for row in windows],
        )

    @write
    def add_provider(tx: Tx, name: str) -> Provider:
        """Create an active provider.

        Raises:
            Conflict: The name is taken.
        """
        if not tx.count("provider_add", name=name):
            raise Conflict(f"The name {name} is taken.", field="name")
        return Provider(name, is_active=True)

    @read
    def providers(tx: Tx) -> list[Provider]:
        """Return all providers by name."""
        return [Provider(name, bool(is_active)) for name, is_active in tx.all("provider_list")]

    @write
    def set_active(tx: Tx, provider: str, is_active: bool) -> None:
        """Show the devices of a provider, or hide them and refuse new jobs.

        Raises:
            NotFound: There is no such provider.
        """
        if not tx.count("provider_set", name=provider, is_active=int(is_active)):
            raise NotFound(f"There is no provider {provider}.")


def _snapshot(row: Row, at: int) -> DeviceSnapshot:
    body, *state = row[:9]
    exam, *calibration = row[9:]
    return DeviceSnapshot(
        decoder.decode(body),
        _status(tuple(state), at),
        calibrations.decode_row(tuple(calibration)) if calibration[0] is not None else None,
        exam,
    )


def _condition(device: Device, row: Row, at: int) -> DeviceCondition:
    state, agents, mirror, calibration = row[:8], row[8:10], row[10:14], row[14:]
    seen = agents if device.driver != "remote" else mirror if mirror[0] is not None else None
    return DeviceCondition(
        _status(state, at),
        None if device.is_simulated else _presence(device, seen),
        calibrations.decode_row(calibration) if calibration[0] is not None else None,
    )


def _presence(device: Device, row: Row | None) -> Presence:
    if row is not None:
        return Presence(*row)
    return Presence(0, None, "it has not been reached yet" if device.driver == "remote" else "")


def _status(row: Row, at: int) -> DeviceStatus:
    """Return the status of a device at a time.

    After `until_at` it is on again. In a maintenance window it is off, at least until the window's
    end.
    """
    is_on, reason, until_at, is_draining, is_paused, message, window_reason, window_until = row
    is_over = until_at is not None and until_at <= at
    status = DeviceStatus(message=message or "")
    if is_on == 0 and not is_over:
        off = {"is_on": False, "reason": reason, "until_at": until_at}
        status = msgspec.structs.replace(status, **off, is_paused=bool(is_paused))
    elif is_draining:
        status = msgspec.structs.replace(status, is_draining=True, reason=reason)
    is_longer = not status.is_on and (until_at is None or until_at >= (window_until or 0))
    if window_until is None or is_longer:
        return status
    return msgspec.structs.replace(
        status,
        is_on=False,
        is_draining=False,
        is_paused=False,
        reason=window_reason or "maintenance",
        until_at=window_until,
    )


def _check_exists(tx: Tx, name: str) -> None:
    if tx.one("device_get", name=name) is None:
        names = [decoder.decode(body).name for (body,) in tx.all("device_list")]
        raise NotFound(f"There is no device {name[:100]}.{did_you_mean(name, names)}")


def put_device(tx: Tx, device: Device, origin: str) -> None:
    """Store a device, unless a device of another origin has its name, and the device's provider."""
    tx.run("provider_add", name=device.provider)
    tx.run(
        "device_put",
        name=device.name,
        position=device.position,
        provider=device.provider,
        body=msgspec.json.encode(device).decode(),
        origin=origin,
    )


def note_online(tx: Tx, device: str, now: int) -> None:
    """Record that an agent begins to serve a device, unless an agent serves it already."""
    if tx.count("device_change_online", device=device, now=now):
        _delete_oldest_changes(tx, device)


def note_away(tx: Tx, runner: str, now: int) -> None:
    """Record that a runner, which is removed next, was the last agent of its device."""
    row = tx.one("device_change_away", id=runner, now=now)
    if row is not None:
        _delete_oldest_changes(tx, row[0])


def note_mirrored(tx: Tx, device: str, reason: str, now: int, *, is_online: bool) -> None:
    """Record that another cloud begins or ceases to run a device's jobs, or gives a new reason."""
    status = "online" if is_online else "away"
    state = {"is_online": int(is_online), "status": status, "reason": reason}
    if tx.count("device_change_mirrored", device=device, now=now, **state):
        _delete_oldest_changes(tx, device)


def _record_change(tx: Tx, device: str, status: DeviceStatus, now: int) -> None:
    """Add a status that an administrator sets to a device's changes, unless it has it already."""
    is_noted = tx.count(
        "device_change_note",
        device=device,
        now=now,
        status=status.state
        if status.is_on
        else "off",  # for its history, a pause is no other state
        is_on=int(status.is_on),
        is_draining=int(status.is_draining),
        reason=status.reason,
        until_at=status.until_at,
    )
    if is_noted:
        _delete_oldest_changes(tx, device)


def _delete_oldest_changes(tx: Tx, device: str) -> None:
    tx.run("device_change_trim", device=device, keep=KEPT_CHANGES)
