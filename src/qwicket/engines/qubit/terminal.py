"""The plan for circuits whose measurements all stand at the end: evolve once, then sample.

Circuits with measurements, resets or branches in between will get a plan of their own beside it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from qwicket.engines.failures import CannotRun
from qwicket.engines.qubit.sampling import Readout, readout
from qwicket.model.circuits import Gate, Measure, QubitCircuit


class Plan(NamedTuple):
    """Gates on the qubits that any gate touches, numbered anew from 0, and what is read of them."""

    n_qubits: int
    gates: list[Gate]
    reads: Readout


def plan(circuit: QubitCircuit) -> Plan:
    """Split a circuit into gates and read-out, leaving out idle qubits: they stay 0.

    Raises:
        CannotRun: Something follows a measurement, or an operand does not exist or comes twice.
            Simulators write outside their memory when told to, so this is their guard.
    """
    gates: list[Gate] = []
    written: dict[int, int] = {}
    used: set[int] = set()
    measured: set[int] = set()
    for place, op in enumerate(circuit.ops):
        if isinstance(op, Gate):
            operands = op.targets + op.controls
            if measured and not measured.isdisjoint(operands):
                raise _unsupported(place, f"gate {op.name} on a measured qubit")
            if len(operands) > 1 and len(set(operands)) < len(operands):
                raise CannotRun("invalid_circuit", f"operation {place} names a qubit twice")
            used.update(operands)
            gates.append(op)
        elif isinstance(op, Measure):
            measured.add(op.qubit)
            written[op.clbit] = op.qubit
        else:
            raise _unsupported(place, type(op).__name__.lower())
    _check_range("qubit", used | measured, circuit.n_qubits)
    _check_range("classical bit", written.keys(), circuit.n_clbits)
    if len(used) == circuit.n_qubits:
        return Plan(circuit.n_qubits, gates, readout(written, circuit.n_clbits))
    place_of = {qubit: place for place, qubit in enumerate(sorted(used))}
    busy = {clbit: place_of[qubit] for clbit, qubit in written.items() if qubit in place_of}
    moved = [_moved(gate, place_of) for gate in gates]
    return Plan(max(1, len(used)), moved, readout(busy, circuit.n_clbits))


def _moved(gate: Gate, place_of: dict[int, int]) -> Gate:
    targets = tuple([place_of[qubit] for qubit in gate.targets])
    controls = tuple([place_of[qubit] for qubit in gate.controls])
    return Gate(gate.name, targets, gate.params, controls, gate.terms)


def _unsupported(place: int, what: str) -> CannotRun:
    text = f"operation {place} ({what}): only circuits that measure at their end can run yet"
    return CannotRun("unsupported", text)


def _check_range(kind: str, found: Collection[int], number: int) -> None:
    if found and not (min(found) >= 0 and max(found) < number):
        raise CannotRun("invalid_circuit", f"a {kind} is named that is outside 0..{number - 1}")
