"""Convert jobs and circuits of qiskit-ionq to the JSON of a submission, without importing Qiskit.

A job has the attributes `circuit` (a circuit of Qiskit or of this package, or a list),
`backend()`, `_passed_args`, `extra_query_params` and `extra_metadata`. The metadata of the
submission allows qiskit-ionq to read the job again.
"""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

from qwicket import __version__
from qwicket.vendors.ionq.client.circuits import Circuit, NativeCircuit
from qwicket.vendors.ionq.client.errors import IonQClientError, IonQGateError

# Qiskit's name: IonQ's name and the number of targets. Qubits before the targets are controls.
_QIS: Final[dict[str, tuple[str, int]]] = {
    **{name: (name, 1) for name in ("x", "y", "z", "h", "s", "t", "rx", "ry", "rz")},
    **{f"c{name}": (name, 1) for name in ("x", "y", "z", "h", "rx", "ry", "rz")},
    "sdg": ("si", 1),
    "tdg": ("ti", 1),
    "sx": ("v", 1),
    "sxdg": ("vi", 1),
    "csx": ("v", 1),
    "p": ("z", 1),
    "cp": ("z", 1),
    "mcphase": ("z", 1),
    "ccx": ("x", 1),
    "mcx": ("x", 1),
    "swap": ("swap", 2),
    "cswap": ("swap", 2),
    "rxx": ("xx", 2),
    "ryy": ("yy", 2),
    "rzz": ("zz", 2),
}


@runtime_checkable
class QiskitIonQJob(Protocol):
    """Job of qiskit-ionq."""

    circuit: Any
    _passed_args: Any

    def backend(self) -> Any: ...


@dataclass(frozen=True)
class _ConvertedCircuit:
    """Circuit in IonQ's JSON format.

    Attributes:
        name: Name of the circuit.
        gates: Gates in IonQ's format.
        qubits: Width of the circuit.
        used: One more than the highest used qubit; for circuits of this package, their width.
        measured: For each classical bit, the qubit that is measured into it; None for circuits of
            this package.
        header: Header from which qiskit-ionq decodes the result; None for circuits of this
            package.
    """

    name: str
    gates: list[dict[str, Any]]
    qubits: int
    used: int
    measured: list[int | None] | None = None
    header: dict[str, Any] | None = None


def submission(job: QiskitIonQJob, *, is_v03: bool) -> dict[str, Any]:
    """Return the body of a submission, with the fields that qiskit-ionq sends.

    Raises:
        IonQClientError: The job has no circuit, or IonQ's format cannot express one of them.
    """
    backend = job.backend()
    name = backend.name() if callable(backend.name) else backend.name
    target = str(name).removeprefix("ionq_")
    gateset = backend.gateset()
    several = isinstance(job.circuit, list | tuple)
    given = job.circuit if several else [job.circuit]
    circuits = [_converted(circuit, gateset) for circuit in given]
    if not circuits:
        raise IonQClientError("The job has no circuit.")
    arguments = dict(job._passed_args or {})
    content = _content(circuits, gateset, several, is_v03)
    body: dict[str, Any] = {
        "shots": arguments.get("shots"),
        "name": arguments.get("name")
        or (f"{len(circuits)} circuits" if several else circuits[0].name),
    }
    if is_v03:
        body |= {"target": target, "input": {"format": "ionq.circuit.v0", **content}}
        body |= {} if several else {"registers": _registers(circuits[0])}
    else:
        kind = "ionq.multi-circuit.v1" if several else "ionq.circuit.v1"
        body |= {"type": kind, "backend": target, "input": content}
    body |= _options(backend, target, arguments, is_v03)
    body["metadata"] = _metadata(circuits, several, arguments, is_v03)
    body |= getattr(job, "extra_query_params", None) or {}
    body["metadata"] = {**body["metadata"], **(getattr(job, "extra_metadata", None) or {})}
    return body


def _content(
    circuits: list[_ConvertedCircuit], gateset: str, several: bool, is_v03: bool
) -> dict[str, Any]:
    content: dict[str, Any] = {
        "gateset": gateset,
        "qubits": max(_width(circuit, is_v03) for circuit in circuits),
    }
    if several:
        return {**content, "circuits": [_member(circuit, is_v03) for circuit in circuits]}
    return {**content, "circuit": circuits[0].gates}


def _width(circuit: _ConvertedCircuit, is_v03: bool) -> int:
    """Return the width that qiskit-ionq sends: of the whole circuit (v0.3), or of its used part."""
    return circuit.qubits if is_v03 else circuit.used


def _member(circuit: _ConvertedCircuit, is_v03: bool) -> dict[str, Any]:
    member = {"name": circuit.name, "circuit": circuit.gates}
    return {**member, "registers": _registers(circuit)} if is_v03 else member


def _registers(circuit: _ConvertedCircuit) -> dict[str, Any]:
    return {"meas_mapped": circuit.measured} if circuit.measured else {}


def _metadata(
    circuits: list[_ConvertedCircuit], several: bool, arguments: dict[str, Any], is_v03: bool
) -> dict[str, str]:
    metadata = {key: str(arguments.get(key)) for key in ("shots", "sampler_seed")}
    headers = [
        {**circuit.header, "n_qubits": _width(circuit, is_v03)}
        for circuit in circuits
        if circuit.header
    ]
    if len(headers) == len(circuits):
        content = json.dumps(headers if several else headers[0], default=str).encode()
        metadata["qiskit_header"] = base64.b64encode(gzip.compress(content)).decode()
    return metadata if is_v03 else {**metadata, "user_agent": f"qwicket/{__version__}"}


def _options(backend: Any, target: str, arguments: dict[str, Any], is_v03: bool) -> dict[str, Any]:
    """Return noise, settings and other options of the job, else of its backend."""
    options = getattr(backend, "options", None)
    found: dict[str, Any] = {}
    if target == "simulator":
        model = arguments.get("noise_model") or getattr(options, "noise_model", None) or "ideal"
        found["noise"] = {"model": model, "seed": getattr(options, "sampler_seed", None)}
    settings = dict(arguments.get("job_settings") or {})
    chosen = arguments.get("error_mitigation") or getattr(options, "error_mitigation", None)
    mitigation = getattr(chosen, "value", chosen)
    if mitigation and is_v03:
        found["error_mitigation"] = mitigation
    elif mitigation:
        settings["error_mitigation"] = {**(settings.get("error_mitigation") or {}), **mitigation}
    if settings:
        found["settings"] = settings
    given = {key: arguments.get(key) for key in ("session_id", "dry_run")}
    return found | {key: value for key, value in given.items() if value}


def _converted(circuit: Any, gateset: str) -> _ConvertedCircuit:
    if isinstance(circuit, Circuit | NativeCircuit):
        if circuit.gateset != gateset:
            raise IonQClientError(f"The backend takes {gateset} gates, not {circuit.gateset}.")
        return _ConvertedCircuit(circuit.name, circuit.gates, circuit.qubits, circuit.qubits)
    if not all(hasattr(circuit, name) for name in ("data", "qubits", "clbits")):
        raise IonQClientError(f"A circuit cannot be a {type(circuit).__name__}.")
    qubit_at = {bit: index for index, bit in enumerate(circuit.qubits)}
    clbit_at = {bit: index for index, bit in enumerate(circuit.clbits)}
    measured: list[int | None] = [None] * len(clbit_at)
    gates: list[dict[str, Any]] = []
    measured_qubits: set[int] = set()
    used = 0
    for step in circuit.data:
        name = step.operation.name
        if name == "barrier":
            continue
        qubits = [qubit_at[bit] for bit in step.qubits]
        used = max([used, *(qubit + 1 for qubit in qubits)])
        if name == "measure":
            measured[clbit_at[step.clbits[0]]] = qubits[0]
            measured_qubits.update(qubits)
        elif not measured_qubits.isdisjoint(qubits):
            raise IonQClientError(f"A gate ({name}) acts on a qubit after its measurement.")
        elif name != "id":  # it has no effect, and IonQ has no such gate
            gates.append(_gate(step.operation, qubits, gateset))
    header = _header(circuit, measured)
    return _ConvertedCircuit(circuit.name, gates, len(qubit_at), used, measured, header)


def _gate(operation: Any, qubits: list[int], gateset: str) -> dict[str, Any]:
    if getattr(operation, "condition", None) is not None:
        raise IonQClientError(f"A gate ({operation.name}) depends on a measurement.")
    made = _native(operation, qubits) if gateset == "native" else _qis(operation, qubits)
    if made is None:
        raise IonQGateError(operation.name, gateset)
    return made


def _qis(operation: Any, qubits: list[int]) -> dict[str, Any] | None:
    if operation.name == "PauliEvolution":
        return _evolution(operation, qubits)
    if operation.name not in _QIS:
        return None
    name, n_targets = _QIS[operation.name]
    gate: dict[str, Any] = {"gate": name, "targets": qubits[-n_targets:]}
    if controls := qubits[:-n_targets]:
        gate["controls"] = controls
    if operation.params:
        gate["rotation"] = float(operation.params[0])
    return gate


def _evolution(operation: Any, qubits: list[int]) -> dict[str, Any]:
    terms = operation.operator.to_list()
    if any(complex(coefficient).imag for _, coefficient in terms):
        raise IonQClientError("The coefficients of an evolution must be real.")
    return {
        "gate": "pauliexp",
        "targets": qubits,
        "terms": [term for term, _ in terms],
        "coefficients": [complex(coefficient).real for _, coefficient in terms],
        "time": float(operation.params[0]),
    }


def _native(operation: Any, qubits: list[int]) -> dict[str, Any] | None:
    name, params = operation.name, [float(value) for value in operation.params]
    if name in {"gpi", "gpi2"}:
        return {"gate": name, "target": qubits[0], "phase": params[0]}
    if name == "ms":
        return {"gate": name, "targets": qubits, "phases": params[:2], "angle": params[2]}
    if name == "zz":
        return {"gate": name, "targets": qubits, "angle": params[0]}
    return None


def _header(circuit: Any, measured: list[int | None]) -> dict[str, Any]:
    header = {
        "memory_slots": len(circuit.clbits),
        "global_phase": float(circuit.global_phase),
        "name": circuit.name,
        "creg_sizes": [[register.name, register.size] for register in circuit.cregs],
        "clbit_labels": _labels(circuit.cregs),
        "qreg_sizes": [[register.name, register.size] for register in circuit.qregs],
        "qubit_labels": _labels(circuit.qregs),
        "meas_mapped": measured,
    }
    return {**header, "metadata": circuit.metadata} if circuit.metadata else header


def _labels(registers: Any) -> list[list[Any]]:
    return [[register.name, index] for register in registers for index in range(register.size)]
