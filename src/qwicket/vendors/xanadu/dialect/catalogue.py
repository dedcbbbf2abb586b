"""Devices in Xanadu Cloud's JSON, which Strawberry Fields reads to compile programs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from qwicket.model.devices import PhotonicSpec

if TYPE_CHECKING:
    from qwicket.gateway import DeviceView
    from qwicket.model.devices import Device

_Modes = int | Mapping[str, Any]
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ALL_DAY: Final = ["00:00:00+00:00", "23:59:59+00:00"]
_DEFAULT_SPEC: Final = PhotonicSpec(modes=0, since=datetime(2026, 1, 1, tzinfo=UTC))


def overview(view: DeviceView) -> dict[str, Any]:
    """Return a device. Its expected uptime is always the whole week."""
    return {
        "target": view.device.name,
        "status": "online" if view.is_online else "offline",
        "created_at": _spec(view.device).since.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "expected_uptime": dict.fromkeys(_DAYS, _ALL_DAY),
    }


def specification(view: DeviceView) -> dict[str, Any]:
    """Return the specification of a device. Compilers need all of its five keys."""
    device, spec = view.device, _spec(view.device)
    return {
        "target": device.name,
        "layout": spec.layout,
        "modes": _bounded(spec.modes, view.qubits) or view.qubits,
        "compiler": spec.compilers,
        "gate_parameters": spec.gate_parameters,
    }


def _bounded(modes: _Modes, maximum: int) -> _Modes:
    """Return a number of modes, or numbers by kind of measurement, limited to a maximum."""
    if isinstance(modes, Mapping):
        return {kind: _bounded(each, maximum) for kind, each in modes.items()}
    return min(modes, maximum)


def certificate(device: Device) -> dict[str, Any]:
    """Return the certificate of a device."""
    return {**_spec(device).certificate}


def _spec(device: Device) -> PhotonicSpec:
    """Return a device's specification for compilers, or a default one that accepts any circuit."""
    return device.spec.photonic or _DEFAULT_SPEC
