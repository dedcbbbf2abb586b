"""Targets for Qiskit's transpiler: gates, coupled pairs, errors and durations of a device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qiskit.circuit import Delay, ForLoopOp, IfElseOp, Measure, Parameter, Reset, SwitchCaseOp
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.transpiler import InstructionProperties, QubitProperties, Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NAMES: Final = {
    "not": "x",
    "cnot": "cx",
    "si": "sdg",
    "ti": "tdg",
    "v": "sx",
    "vi": "sxdg",
    "xx": "rxx",
    "yy": "ryy",
    "zz": "rzz",
    "u1": "p",
    "u2": "u",
    "u3": "u",
}
"""Qiskit's names of gates, by their other names in Qwicket. `u2` and `u3` become `u`."""

_FREE: Final = frozenset({"id", "z", "s", "sdg", "t", "tdg", "rz", "p"})
"""Gates that only change the phases of later pulses, so twins run them exactly and in no time."""

_NOT_GATES: Final = frozenset({"delay", "measure", "reset", "global_phase"})
"""Names in Qiskit's table that are not gates for the server, or are added separately."""


def target(device: Mapping[str, Any], calibration: Mapping[str, Any] | None) -> Target:
    """Return the target of a device.

    Args:
        device: The server's description of the device.
        calibration: Its calibration, in seconds and average infidelities. None if it has none: then
            all its gates are exact and act on any qubits.
    """
    return _ideal(device) if calibration is None else _calibrated(device, calibration)


def gates(device: Mapping[str, Any]) -> list[str]:
    """Return Qiskit's names of the gates to transpile to.

    These are the native gates if Qiskit has all of them, else the accepted gates that Qiskit has.
    If there are none, they are all gates of Qiskit.
    """
    known = get_standard_gate_name_mapping()
    native = device.get("native_gates") or []
    if native and all(name in known for name in native):
        return list(dict.fromkeys(native))
    named = [_NAMES.get(name, name) for name in device.get("gates") or []]
    found = [name for name in dict.fromkeys(named) if name in known]
    return found or sorted(known.keys() - _NOT_GATES)


def _ideal(device: Mapping[str, Any]) -> Target:
    made = Target(str(device.get("description", "")), num_qubits=_qubits(device))
    known = get_standard_gate_name_mapping()
    for name in gates(device):
        made.add_instruction(known[name], None, name=name)
    made.add_instruction(Measure(), None)
    made.add_instruction(Reset(), None)
    made.add_instruction(Delay(Parameter("t")), None)
    _add_control_flow(made)
    return made


def _calibrated(device: Mapping[str, Any], figures: Mapping[str, Any]) -> Target:
    qubits = range(_qubits(device))
    own = [figures.get("qubits", {}).get(str(q)) or figures["qubit"] for q in qubits]
    made = Target(
        str(device.get("description", "")),
        num_qubits=len(qubits),
        qubit_properties=[
            QubitProperties(t1=q["t1_s"], t2=q["t2_s"], frequency=q.get("frequency_hz"))
            for q in own
        ],
    )
    one_qubit = {(q,): _properties(own[q].get("gate") or figures["one_qubit"]) for q in qubits}
    free = {(q,): InstructionProperties(error=0.0, duration=0.0) for q in qubits}
    two_qubit = _two_qubit_properties(figures, len(qubits))
    known = get_standard_gate_name_mapping()
    for name in gates(device):
        width = known[name].num_qubits
        if width <= 2:  # a calibration has no values for larger gates
            on_one = free if name in _FREE else one_qubit
            made.add_instruction(known[name], on_one if width == 1 else two_qubit, name=name)
    read = {(q,): _readout(own[q], figures.get("readout_s")) for q in qubits}
    resets = {(q,): InstructionProperties(duration=figures.get("reset_s")) for q in qubits}
    made.add_instruction(Measure(), read)
    made.add_instruction(Reset(), resets)
    made.add_instruction(Delay(Parameter("t")), {(q,): None for q in qubits})
    _add_control_flow(made)
    return made


def _two_qubit_properties(figures: Mapping[str, Any], n_qubits: int) -> dict[tuple[int, int], Any]:
    """Return errors and durations of two-qubit gates, for each pair in both directions."""
    own = {frozenset(pair["qubits"]): pair for pair in figures.get("pairs", ())}
    pairs: Iterable[tuple[int, int]] | None = figures.get("connectivity")
    if pairs is None:
        pairs = [(a, b) for a in range(n_qubits) for b in range(a)]
    return {
        (a, b): _properties(own.get(frozenset((a, b)), figures["two_qubit"]))
        for pair in pairs
        for a, b in (pair, reversed(pair))
    }


def _properties(gate: Mapping[str, Any]) -> InstructionProperties:
    return InstructionProperties(error=gate["error"], duration=gate["duration_s"])


def _readout(qubit: Mapping[str, Any], duration_s: float | None) -> InstructionProperties:
    error = (qubit["one_for_zero"] + qubit["zero_for_one"]) / 2
    return InstructionProperties(error=error, duration=duration_s)


def _add_control_flow(made: Target) -> None:
    made.add_instruction(IfElseOp, name="if_else")
    made.add_instruction(ForLoopOp, name="for_loop")
    made.add_instruction(SwitchCaseOp, name="switch_case")


def _qubits(device: Mapping[str, Any]) -> int:
    return int(device["qubits"])
