"""Errors that several operations share, with a suggestion where a name is nearly right."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from qwicket.model.devices import MAX_NAME_CHARS
from qwicket.model.errors import DeviceOff, NotFound
from qwicket.model.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qwicket.model.devices import Device, DeviceStatus
    from qwicket.store import Store

_MAX_SHOWN_CHARS: Final = 100
"""Most characters of a name in an error: a client may send one of 16 MB."""


def no_device(
    name: str, dialect: str, devices: Iterable[Device], field: str | None = "device"
) -> NotFound:
    """Return the error for a device that a dialect does not show.

    Args:
        name: The requested name.
        dialect: The dialect.
        devices: Devices that users may see.
        field: The field with the name; None if it is in the path.
    """
    shown = [device.name for device in devices if dialect in device.dialects]
    return NotFound(
        f"There is no device {name[:_MAX_SHOWN_CHARS]}.{did_you_mean(name, shown)}", field=field
    )


async def existing_device(store: Store, name: str, field: str = "device") -> Device:
    """Return a device by its name, whatever its dialects.

    Args:
        store: The devices.
        name: The requested name.
        field: The field with the name.

    Raises:
        NotFound: There is none.
    """
    is_name = len(name) <= MAX_NAME_CHARS and "\0" not in name  # PostgreSQL refuses NUL
    found = await store.devices.get(name) if is_name else None
    if found is None:
        near = did_you_mean(name, [each.name for each in await store.devices.offered()])
        raise NotFound(f"There is no device {name[:_MAX_SHOWN_CHARS]}.{near}", field=field)
    return found


def device_off(name: str, status: DeviceStatus) -> DeviceOff:
    """Return the error for a device that is off or drains."""
    until = ""
    if status.until_at is not None:
        until = f" until {datetime.fromtimestamp(status.until_at / 1000, UTC):%Y-%m-%d %H:%M} UTC"
    reason = f": {status.reason}" if status.reason else ""
    state = "takes no new jobs" if status.is_on else "is off"
    return DeviceOff(f"The device {name} {state}{until}{reason.rstrip('.')}.", field="device")


def no_noise_model(device: Device, name: str) -> str:
    """Return the message for a noise model that a device does not have."""
    models = device.spec.noise_models
    if not models and device.spec.native_gates:
        return (
            f"noise: {device.name} has no noise model {name!r}: its noise follows from its"
            " calibration. Leave noise out."
        )
    known = ", ".join(models) or "none"
    wrong = f"noise: {device.name} has no noise model {name!r}; it has {known}."
    return wrong + did_you_mean(name, models)
