"""Circuits for the engines: checked, without idle qubits, the last measurements set apart.

The checks matter: with an operand out of range, simulators write outside of their memory.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, cast

from qwicket.circuits.analysis import final_part_start
from qwicket.circuits.qubit import Branch, Gate, Jump, Measure, Op, QubitCircuit, Reset
from qwicket.engines.failures import CannotRun
from qwicket.engines.qubit.sampling import MeasuredBits, measured_bits


class Program(NamedTuple):
    """Operations on the qubits that any gate touches, renumbered from 0.

    A measurement or reset of any other qubit names it as ~(its old number): it is |0⟩.

    Attributes:
        n_qubits: Qubits that a gate touches, at least one.
        ops: Operations without the final measurements. Jumps are unchanged: none leads across a
            final measurement.
        is_straight: Whether all operations are gates, and all measurements are final.
        measurements: Final measurements, from classical bit to qubit.
        n_bits: Classical bits.
        origin: The old number of each qubit.
    """

    n_qubits: int
    ops: Sequence[Op]
    is_straight: bool
    measurements: Mapping[int, int]
    n_bits: int
    origin: Sequence[int]

    def reads(self) -> MeasuredBits:
        """Return the mapping from an index of the final state to classical bits."""
        busy = {bit: qubit for bit, qubit in self.measurements.items() if qubit >= 0}
        return measured_bits(busy, self.n_bits)

    def gates(self) -> Sequence[Gate]:
        """Return the operations typed as gates; callers use only slices that are gates."""
        return cast(Sequence[Gate], self.ops)

    def original(self, qubit: int) -> int:
        """Return the number that a qubit had in the circuit."""
        return self.origin[qubit] if qubit >= 0 else ~qubit


def read(circuit: QubitCircuit) -> Program:
    """Check a circuit and renumber its qubits.

    Raises:
        CannotRun: An operand does not exist or a gate names it twice, a jump leads out of the
            circuit, or the value of a condition is not a number.
    """
    gates: list[Gate] = []
    used: set[int] = set()
    measured: set[int] = set()
    measurements: dict[int, int] = {}
    fresh: dict[int, int] = {}
    is_straight = True
    for index, op in enumerate(circuit.ops):
        if type(op) is Gate:
            operands = op.targets
            if op.controls or len(operands) > 1:
                operands += op.controls
                if len(set(operands)) < len(operands):
                    raise _invalid(f"operation {index} names a qubit twice")
            if measured and not measured.isdisjoint(operands):
                is_straight = False
            used.update(operands)
            gates.append(op)
        elif type(op) is Measure:
            measured.add(op.qubit)
            measurements[op.clbit] = op.qubit
        elif type(op) is Reset:
            if op.qubit in used:
                is_straight = False
            else:
                fresh[index] = op.qubit
        else:
            _check_jump(index, op, circuit)
            is_straight = False
    _check_range("qubit", used.union(measured, fresh.values()), circuit.n_qubits)
    _check_range("classical bit", measurements.keys(), circuit.n_clbits)
    ops: Sequence[Op] = gates
    if not is_straight:
        ops, measurements = _without_tail(circuit.ops, fresh)
        is_straight = all(type(op) is Gate for op in ops)
    made = Program(circuit.n_qubits, ops, is_straight, measurements, circuit.n_clbits, ())
    return renumbered(made, sorted(used))._replace(origin=sorted(used))


def _without_tail(ops: Sequence[Op], fresh: Collection[int]) -> tuple[list[Op], dict[int, int]]:
    """Set apart what is measured at the end; a reset of a qubit still |0⟩ names it as idle."""
    start = final_part_start(ops)
    head: list[Op] = [
        Reset(~op.qubit) if type(op) is Reset and index in fresh else op
        for index, op in enumerate(ops[:start])
    ]
    tail = ops[start:]
    gates = [op for op in tail if type(op) is Gate]
    return head + gates, {op.clbit: op.qubit for op in tail if type(op) is Measure}


def renumbered(program: Program, used: Sequence[int]) -> Program:
    """Return a program whose qubit k is qubit used[k]; others become idle. `origin` is kept."""
    if len(used) == program.n_qubits:
        return program
    index_of = {qubit: index for index, qubit in enumerate(used)}
    return program._replace(
        n_qubits=max(1, len(used)),
        ops=[_moved(op, index_of) for op in program.ops],
        measurements={bit: _index(qubit, index_of) for bit, qubit in program.measurements.items()},
    )


def _moved(op: Op, index_of: Mapping[int, int]) -> Op:
    if type(op) is Gate:
        targets = tuple([index_of[qubit] for qubit in op.targets])
        controls = tuple([index_of[qubit] for qubit in op.controls])
        return Gate(op.name, targets, op.params, controls, op.terms)
    if type(op) is Measure:
        return Measure(_index(op.qubit, index_of), op.clbit)
    if type(op) is Reset:
        return Reset(_index(op.qubit, index_of))
    return op


def _index(qubit: int, index_of: Mapping[int, int]) -> int:
    """Return the new number of a qubit; that of an idle one stays, or becomes, negative."""
    return qubit if qubit < 0 else index_of.get(qubit, ~qubit)


def _check_jump(index: int, op: Branch | Jump, circuit: QubitCircuit) -> None:
    if not 0 <= op.skip < len(circuit.ops) - index:
        raise _invalid(f"operation {index} leads out of the circuit")
    if type(op) is Branch:
        _check_range("classical bit", op.clbits, circuit.n_clbits)
        if not (
            op.value.isascii() and op.value.isdigit() and len(op.value) <= circuit.n_clbits + 9
        ):
            raise _invalid(f"operation {index} compares with a value that is not a number")


def _check_range(kind: str, indices: Collection[int], number: int) -> None:
    if indices and not (min(indices) >= 0 and max(indices) < number):
        raise _invalid(f"a {kind} is named that is outside 0..{number - 1}")


def _invalid(text: str) -> CannotRun:
    return CannotRun("invalid_circuit", text)
