"""Refusals that several operations share: what is wrong, and the right name where one is near."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from qwicket.model.errors import DeviceOff, NotFound
from qwicket.model.suggestions import closest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qwicket.model.devices import Device, DeviceStatus


def no_device(
    name: str, door: str, devices: Iterable[Device], field: str | None = "device"
) -> NotFound:
    """Return the refusal of a device that a dialect does not show.

    Args:
        name: What was asked for.
        door: The dialect.
        devices: Those that users may see.
        field: The field that names it; None where the path does.
    """
    shown = [device.name for device in devices if door in device.doors]
    return NotFound(f"There is no device {name}.{closest(name, shown)}", field=field)


def device_off(name: str, status: DeviceStatus) -> DeviceOff:
    """Return the refusal of a device that is off."""
    until = ""
    if status.until_at is not None:
        until = f" until {datetime.fromtimestamp(status.until_at / 1000, UTC):%Y-%m-%d %H:%M} UTC"
    reason = f": {status.reason}" if status.reason else ""
    return DeviceOff(f"The device {name} is off{until}{reason}.", field="device")


def no_noise_model(device: Device, name: str) -> str:
    """Return why a device has no noise model of this name."""
    models = device.spec.noise_models
    if not models and device.spec.native_gates:
        return (
            f"noise: {device.name} has no noise model {name!r}: it is noisy itself, by its"
            " calibration. Leave noise out."
        )
    known = ", ".join(models) or "none"
    wrong = f"noise: {device.name} has no noise model {name!r}; it has {known}."
    return wrong + closest(name, models)
