"""Devices and their capabilities, as braket.schemas describes them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from qwicket.model.devices import DeviceCost
from qwicket.model.errors import NotFound
from qwicket.vendors.braket.dialect import analog
from qwicket.vendors.braket.dialect.names import QPU_REGION, device_arn
from qwicket.vendors.braket.limits import BraketLimits
from qwicket.vendors.braket.reader.channels import CHANNELS
from qwicket.vendors.braket.reader.gates import GATES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qwicket.gateway import DeviceView
    from qwicket.model.devices import Device
    from qwicket.model.limits import Limits

_SIMULATOR: Final = "statevector"
_NAMES: Final[Mapping[str, str]] = {"sv1": _SIMULATOR, "dm1": _SIMULATOR}
"""This server's device by AWS's names: `sv1` has no noise, `dm1` is for programs with noise."""
_NOISY: Final = "dm1"
_MISSING: Final = {
    "tn1": "There is no device tn1: this server does not simulate tensor networks. Use sv1, or dm1"
    " for programs with noise."
}
"""Simulators that AWS has and this server has not."""
_NOISE: Final = re.compile(r"pragma[ \t]+braket[ \t]+noise\b")
"""Matches anywhere in a line, because JSON that contains a program has its line breaks escaped."""
_PROVIDER: Final = "Qwicket"
_POLL_MS: Final = 100
_OBSERVABLES: Final = ("x", "y", "z", "h", "i", "hermitian")
_SCHEMA: Final = "braket.device_schema"
_BRAKET_GATES: Final = {"sx": "v", "cx": "cnot", "id": "i", "p": "phaseshift"}
"""Braket's names of native gates that have another name here."""


_PROGRAM: Final = "braket.ir.openqasm.program"
_PROGRAM_SET: Final = "braket.ir.openqasm.program_set"


class NamedDevice(NamedTuple):
    """A device under a name that Braket's clients use.

    Attributes:
        name: Its name in its ARN.
        view: The device.
        limits: Limits of Braket's programs.
    """

    name: str
    view: DeviceView
    limits: BraketLimits

    @property
    def is_simulator(self) -> bool:
        return self.view.device.spec.exact

    @property
    def is_analog(self) -> bool:
        return self.view.device.family == "atoms"

    @property
    def takes_noise(self) -> bool:
        return self.name == _NOISY

    @property
    def arn(self) -> str:
        return device_arn(self.name, is_simulator=self.is_simulator)

    @property
    def qubits(self) -> int:
        if self.takes_noise:
            return min(self.view.qubits, self.limits.density_qubits)
        return self.view.qubits

    def is_in(self, region: str) -> bool:
        """Return whether clients find it in a region: simulators are in all of them."""
        return self.is_simulator or region == QPU_REGION


def local_device_name(name: str, field: str | None = None) -> str:
    """Return this server's name of a device.

    Args:
        name: Name in its ARN.
        field: Field of the body that has the ARN, if a body has it.

    Raises:
        NotFound: It is a simulator that only AWS has.
    """
    if name in _MISSING:
        raise NotFound(_MISSING[name], field=field)
    return _NAMES.get(name, name)


def takes_noise(name: str) -> bool:
    """Return whether programs on a device may have noise."""
    return name == _NOISY


def named_devices(view: DeviceView, limits: Limits) -> Iterator[NamedDevice]:
    """Yield a device once under each name that clients use."""
    own = [name for name, device in _NAMES.items() if device == view.device.name]
    for name in own or [view.device.name]:
        yield NamedDevice(name, view, limits.of(BraketLimits))


def summary(device: NamedDevice) -> dict[str, Any]:
    """Return a device as searches list it."""
    view = device.view
    return {
        "deviceArn": device.arn,
        # Amazon shows its simulators in capitals, and clients search for them so.
        "deviceName": device.name.upper() if device.name in _NAMES else device.name,
        "providerName": _PROVIDER,
        "deviceType": "SIMULATOR" if device.is_simulator else "QPU",
        # Amazon's devices are online between their windows, too: tasks wait for the next one.
        "deviceStatus": "ONLINE" if view.is_online or view.status.is_paused else "OFFLINE",
    }


def details(device: NamedDevice, waiting: int) -> dict[str, Any]:
    """Return a device with its capabilities and queues.

    Args:
        device: The device.
        waiting: Number of its waiting jobs.
    """
    tasks = {"queue": "QUANTUM_TASKS_QUEUE", "queueSize": str(waiting)}
    return {
        **summary(device),
        "deviceCapabilities": msgspec.json.encode(_capabilities(device)).decode(),
        "deviceQueueInfo": [
            {**tasks, "queuePriority": "Normal"},
            {**tasks, "queueSize": "0", "queuePriority": "Priority"},
            {"queue": "JOBS_QUEUE", "queueSize": "0"},
        ],
    }


def arn_of(device: Device, source: str) -> str:
    """Return the ARN under which Braket's clients run a program on a device.

    Args:
        device: The device.
        source: The program, as text or as JSON that contains it.
    """
    name = device.name
    if name == _SIMULATOR:
        name = _NOISY if _NOISE.search(source) else next(iter(_NAMES))
    return device_arn(name, is_simulator=device.spec.exact)


def _capabilities(device: NamedDevice) -> dict[str, Any]:
    if device.is_simulator:
        header = f"{_SCHEMA}.simulators.gate_model_simulator_device_capabilities"
        paradigm: dict[str, Any] = {
            "braketSchemaHeader": _header(
                f"{_SCHEMA}.simulators.gate_model_simulator_paradigm_properties"
            ),
            "qubitCount": device.qubits,
        }
    elif device.is_analog:
        header = f"{_SCHEMA}.quera.quera_device_capabilities"
        paradigm = analog.paradigm(device.qubits)
    else:
        header = f"{_SCHEMA}.iqm.iqm_device_capabilities"
        paradigm = _machine(device)
    return {
        "braketSchemaHeader": _header(header),
        "service": _service(device),
        "action": _actions(device),
        "paradigm": paradigm,
        "deviceParameters": {},
    }


def _header(name: str) -> dict[str, str]:
    return {"name": name, "version": "1"}


def _service(device: NamedDevice) -> dict[str, Any]:
    return {
        "braketSchemaHeader": _header(f"{_SCHEMA}.device_service_properties"),
        "executionWindows": [
            {
                "executionDay": "Everyday",
                "windowStartHour": "00:00:00",
                "windowEndHour": "23:59:59",
            }
        ],
        "shotsRange": [0 if device.is_simulator else 1, device.view.max_shots],
        "deviceCost": _cost(device.view.device),
        "deviceDocumentation": {"summary": device.view.device.spec.description},
        "getTaskPollIntervalMillis": _POLL_MS,
    }


def _cost(device: Device) -> dict[str, Any]:
    """Return the cost in credits per shot, else per minute, else per task: AWS states only one."""
    cost = device.spec.cost or DeviceCost()
    if cost.per_shot:
        return {"price": cost.per_shot, "unit": "shot"}
    if cost.per_second:
        return {"price": 60 * cost.per_second, "unit": "minute"}
    return {"price": cost.per_job, "unit": "task"}


def _machine(device: NamedDevice) -> dict[str, Any]:
    """Return the `paradigm` of a machine: connected pairs in both directions, native gates."""
    spec, calibration = device.view.device.spec, device.view.calibration
    pairs = calibration.body.connectivity if calibration else None
    graph: dict[str, list[str]] = {}
    for a, b in pairs or ():
        graph.setdefault(str(a), []).append(str(b))
        graph.setdefault(str(b), []).append(str(a))
    return {
        "braketSchemaHeader": _header(f"{_SCHEMA}.gate_model_qpu_paradigm_properties"),
        "connectivity": {"fullyConnected": pairs is None, "connectivityGraph": graph},
        "qubitCount": device.qubits,
        "nativeGateSet": [_BRAKET_GATES.get(gate, gate) for gate in spec.native_gates],
    }


def _actions(device: NamedDevice) -> dict[str, Any]:
    if device.is_analog:
        return {analog.ACTION: {"actionType": analog.ACTION, "version": ["1"]}}
    # Program sets are taken, but announced only on demand: PennyLane's plugin 1.36.1 then sends
    # every circuit as a program set, and fails on one without parameters.
    found: dict[str, Any] = {_PROGRAM: _openqasm(device)}
    if device.limits.announced_executables > 0:
        n_executables = min(device.limits.announced_executables, device.view.max_circuits)
        found[_PROGRAM_SET] = {
            "actionType": _PROGRAM_SET,
            "version": ["1"],
            "maximumExecutables": n_executables,
            "maximumTotalShots": n_executables * device.view.max_shots,
        }
    return found


def _openqasm(device: NamedDevice) -> dict[str, Any]:
    pragmas = ["braket_unitary_matrix", "verbatim"]
    if device.takes_noise:
        pragmas += [f"braket_noise_{name}" for name in CHANNELS] + ["braket_noise_kraus"]
    results = _result_types(device)
    # Without a number, qiskit-braket-provider 0.27 compiles for a gate that it does not know.
    controls = {"max_qubits": max(1, device.qubits - 1)}
    pragmas += [f"braket_result_type_{each['name'].lower()}" for each in results]
    return {
        "actionType": _PROGRAM,
        "version": ["1"],
        # `gphase` and `U` are taken, but pytket-braket 0.48 fails at devices that list them.
        "supportedOperations": [*(name for name in GATES if name != "U"), "unitary"],
        "supportedModifiers": [
            {"name": "ctrl", **controls},
            {"name": "negctrl", **controls},
            {"name": "pow", "exponent_types": ["int", "float"]},
            {"name": "inv"},
        ],
        "supportedPragmas": pragmas,
        "forbiddenPragmas": [],
        "supportPhysicalQubits": True,
        "requiresAllQubitsMeasurement": False,
        "requiresContiguousQubitIndices": False,
        "disabledQubitRewiringSupported": True,
        "supportedResultTypes": results,
    }


def _result_types(device: NamedDevice) -> list[dict[str, Any]]:
    # Without shots, a simulator returns exact values.
    minimum, maximum = (0 if device.is_simulator else 1), device.view.max_shots
    found: list[dict[str, Any]] = [
        {"name": "Sample", "observables": _OBSERVABLES, "minShots": 1, "maxShots": maximum},
        {
            "name": "Expectation",
            "observables": _OBSERVABLES,
            "minShots": minimum,
            "maxShots": maximum,
        },
        {"name": "Variance", "observables": _OBSERVABLES, "minShots": minimum, "maxShots": maximum},
        {"name": "Probability", "minShots": minimum, "maxShots": maximum},
    ]
    if device.is_simulator:
        names = ["DensityMatrix"]
        if not device.takes_noise:
            names += ["StateVector", "Amplitude"]
            gradient = {"name": "AdjointGradient", "observables": _OBSERVABLES}
            found.append({**gradient, "minShots": 0, "maxShots": 0})
        found += [{"name": name, "minShots": 0, "maxShots": 0} for name in names]
    return found
