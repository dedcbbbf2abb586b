"""Devices and calibrations in the JSON of v0 and v1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qwicket.dialects.times import format_time
from qwicket.model.devices import DeviceCost
from qwicket.vendors.qbraid.dialect import ids
from qwicket.vendors.qbraid.dialect.ids import object_id_of, v0_device_id
from qwicket.vendors.qbraid.dialect.jobs import PROVIDER_ID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.circuits.calibrations import Calibrated
    from qwicket.gateway import DeviceView
    from qwicket.model.devices import Device

_PROGRAM_TYPES: Final = {
    "openqasm2": "qasm2",
    "openqasm3": "qasm3",
    "ionq.circuit.v1": "ionq",
    "qir": "pyqir",
    "ahs": "braket_ahs",
}
"""Program types of qBraid's clients by this server's formats, in the order of listing."""
_CREDITS_PER_DOLLAR: Final = 100
"""Rate at which qBraid's clients convert prices of v0, which they read as US dollars."""


def _is_analog(view: DeviceView) -> bool:
    return view.device.family == "atoms"


def _status(view: DeviceView) -> str:
    """Return the status of a device: OFFLINE if it is off for an unknown time."""
    if view.is_online:
        return "ONLINE"
    is_off = view.status.state == "off" and view.status.until_at is None
    return "OFFLINE" if is_off else "UNAVAILABLE"


def _program_types(view: DeviceView) -> list[str]:
    return [name for format_, name in _PROGRAM_TYPES.items() if format_ in view.device.spec.formats]


def _title(view: DeviceView) -> str:
    return f"Qwicket {view.device.name}"


def _pricing(device: Device) -> dict[str, float]:
    """Return the parts of a device's cost in credits; all are 0 if the device has no cost."""
    cost = device.spec.cost or DeviceCost()
    return {
        "perTask": cost.per_job,
        "perShot": cost.per_shot,
        "perMinute": 60 * cost.per_second,
    }


def v1_device(view: DeviceView, n_waiting: int, wait_s: float) -> dict[str, Any]:
    """Return a device for v1."""
    device, status = view.device, view.status
    is_simulated = device.is_simulated
    return {
        "name": _title(view),
        "qrn": ids.qrn(device),
        "vrn": device.name,
        "vendor": "qbraid",
        "provider": "qbraid",
        "providerId": PROVIDER_ID,
        "deviceType": "SIMULATOR" if is_simulated else "QPU",
        "runInputTypes": _program_types(view),
        "status": _status(view),
        "statusMsg": status.note or None,
        "nextAvailable": format_time(status.until_at) if not status.is_on else None,
        "queueDepth": n_waiting,
        "avgQueueTime": round(wait_s / 60),
        "numberQubits": view.qubits,
        "paradigm": "analog" if _is_analog(view) else "gate_model",
        "modality": None,
        "noiseModels": list(device.spec.noise_models) or None,
        "minShots": 1,
        "maxShots": view.max_shots,
        "pricingModel": "fixed",
        "pricing": _pricing(device),
        "directAccess": True,
        "batchJobSupport": "batch" in device.spec.formats,
        "visibility": "public",
        "verified": "verified",
        "description": device.spec.description,
        "statusLocked": False,
    }


def v0_device(view: DeviceView, n_waiting: int, now: int) -> dict[str, Any]:
    """Return a device for the registry and v0."""
    device = view.device
    # qbraid 0.10 warns of each type whose package its user has not installed.
    program_types = [each for each in _program_types(view) if each != _PROGRAM_TYPES["qir"]]
    return {
        "_id": object_id_of(device.name),
        "qbraid_id": v0_device_id(device.name),
        "objArg": device.name,
        "objRef": device.name,
        "name": _title(view),
        "provider": "qBraid",
        "vendor": "qBraid",
        "type": "Simulator" if device.is_simulated else "QPU",
        "architecture": None,
        "runPackage": program_types[0] if program_types else None,
        "runInputTypes": program_types,
        "paradigm": "ahs" if _is_analog(view) else "gate-based",
        "numberQubits": view.qubits,
        "status": _status(view),
        "isAvailable": view.is_online,
        "statusRefresh": format_time(now),
        "pendingJobs": n_waiting,
        "queueDepth": n_waiting,
        "noiseModels": list(device.spec.noise_models) or None,
        "visibility": "public",
        "description": device.spec.description,
        "pricing": {part: price / _CREDITS_PER_DOLLAR for part, price in _pricing(device).items()},
    }


def provider(views: Sequence[DeviceView]) -> dict[str, Any]:
    """Return the only provider, to which all devices belong."""
    return {
        "_id": PROVIDER_ID,
        "provider": "qbraid",
        "providerDescription": "The devices of this server",
        "about": None,
        "visibility": "public",
        "devices": [ids.qrn(view.device) for view in views],
        "logo": {"light": None, "dark": None},
        "qrn": "qbraid:qbraid",
    }


def calibration(view: DeviceView, calibrated: Calibrated, now: int) -> dict[str, Any]:
    """Return a calibration: T1 and T2 in seconds, errors as probabilities.

    `calibrated` is false for a figure that is the device's average, because the calibration has
    none for the qubit or pair.
    """
    body, n_qubits = calibrated.body, view.device.spec.qubits
    qubits, edges = {}, []
    for number in range(n_qubits):
        own = body.qubits.get(number)
        figures = own or body.qubit
        gate = (own.gate if own else None) or body.one_qubit
        is_own = own is not None
        qubits[str(number)] = {
            "t1": figures.t1_s,
            "t2": figures.t2_s,
            "frequency": figures.frequency_hz,
            "readoutError": figures.spam_error,
            "gateError": {"1q": gate.error},
            "calibrated": {"t1": is_own, "t2": is_own, "readoutError": is_own},
        }
    pairs = {frozenset(pair.qubits): pair.error for pair in body.pairs}
    for a, b in body.connected(n_qubits):
        error = pairs.get(frozenset((a, b)))
        value = body.two_qubit.error if error is None else error
        is_own = error is not None
        edges.append({"source": a, "target": b, "value": value, "calibrated": is_own})
    return {
        "deviceQRNs": [ids.qrn(view.device)],
        "provider": "qbraid",
        "lastCalibrated": format_time(calibrated.valid_from),
        "fetchedAt": format_time(now),
        "qubits": qubits,
        "edges": {"gateError": {"2q": edges}} if edges else {},
    }
