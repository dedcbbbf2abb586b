"""Moves circuits to qubits that a device connects, and adds swaps, with Qiskit's transpiler.

Qiskit gets the operations as labels with their qubits and bits, and does not know what they do.
Observables follow the qubits to where the last swap has left them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from qwicket.circuits.qubit import Estimation, Gate, Measure, Op, QubitCircuit, Reset

if TYPE_CHECKING:
    from qwicket.circuits.calibrations import Pair

_SWAP: Final = "swap"
_SEED: Final = 0
"""The same program gets the same qubits."""


def route(
    circuits: Sequence[QubitCircuit], pairs: Iterable[Pair]
) -> tuple[QubitCircuit, ...] | None:
    """Return circuits whose gates on two qubits act on connected pairs; swaps may be among them.

    Args:
        circuits: Circuits of one program.
        pairs: Pairs of qubits that the device connects.

    Returns:
        The circuits; None if all fit already, or one cannot be routed: Qiskit is not installed,
        there are conditions, readouts or gates on more than two qubits, or the device is too small.
    """
    connected = {frozenset(pair) for pair in pairs}
    if all(_fits(circuit, connected) for circuit in circuits):
        return None
    try:
        from qiskit.transpiler import CouplingMap, TranspilerError, generate_preset_pass_manager
    except ImportError:
        return None
    if not all(_is_routable(op) for circuit in circuits for op in circuit.ops):
        return None
    if any(circuit.readouts for circuit in circuits):  # their qubits would need to follow, too
        return None
    places = _largest_part(connected)
    number_of = {qubit: number for number, qubit in enumerate(places)}
    edges = [[number_of[qubit] for qubit in pair] for pair in connected if pair <= {*places}]
    coupling = CouplingMap([pair for a, b in edges for pair in ([a, b], [b, a])])
    manager = generate_preset_pass_manager(1, coupling_map=coupling, seed_transpiler=_SEED)
    # Only the layout and the routing remain: other stages replace gates.
    manager.init = manager.translation = manager.optimization = manager.scheduling = None
    try:
        return tuple(
            circuit if _fits(circuit, connected) else _routed(circuit, manager, places)
            for circuit in circuits
        )
    except TranspilerError:
        return None


def _fits(circuit: QubitCircuit, connected: set[frozenset[int]]) -> bool:
    acts_on = (frozenset(op.controls + op.targets) for op in circuit.ops if isinstance(op, Gate))
    return all(len(qubits) != 2 or qubits in connected for qubits in acts_on)


def _is_routable(op: Op) -> bool:
    if isinstance(op, Gate):
        return len(op.controls + op.targets) <= 2
    return isinstance(op, Measure | Reset)


def _largest_part(connected: Iterable[frozenset[int]]) -> list[int]:
    """Return the qubits of the largest connected part of a device.

    Qiskit's routing does not end well where a device has several parts and a circuit idle qubits.
    """
    parts: list[frozenset[int]] = []
    for pair in connected:
        joined = [part for part in parts if part & pair]
        parts = [part for part in parts if not part & pair] + [pair.union(*joined)]
    largest: frozenset[int] = max(parts, key=len, default=frozenset())
    return sorted(largest)


def _routed(circuit: QubitCircuit, manager: Any, places: Sequence[int]) -> QubitCircuit:
    from qiskit import QuantumCircuit
    from qiskit.circuit import Instruction

    estimation = circuit.estimation
    used = {qubit for op in circuit.ops for qubit in _qubits(op)}
    if estimation is not None:
        used.update(qubit for pauli in estimation.paulis for qubit in pauli.qubits)
    number_of = {qubit: number for number, qubit in enumerate(sorted(used))}
    n_clbits = sum(register.size for register in circuit.registers)
    labels = QuantumCircuit(len(used), n_clbits)
    for index, op in enumerate(circuit.ops):
        numbers = [number_of[qubit] for qubit in _qubits(op)]
        clbits = [op.clbit] if isinstance(op, Measure) else []
        if numbers:  # a phase of the whole state has no effect
            labels.append(Instruction(str(index), len(numbers), len(clbits), []), numbers, clbits)
    placed = manager.run(labels)
    ops: list[Op] = []
    for each in placed.data:
        qubits = tuple(places[placed.find_bit(qubit).index] for qubit in each.qubits)
        label = each.operation.name
        ops.append(
            Gate(_SWAP, qubits) if label == _SWAP else _moved(circuit.ops[int(label)], qubits)
        )
    final = placed.layout.final_index_layout()
    last_place = {qubit: places[final[number]] for qubit, number in number_of.items()}
    width = 1 + max(*last_place.values(), *(qubit for op in ops for qubit in _qubits(op)))
    if estimation is not None:
        estimation = _followed(estimation, last_place)
    return replace(circuit, n_qubits=width, ops=tuple(ops), estimation=estimation)


def _followed(estimation: Estimation, last_place: Mapping[int, int]) -> Estimation:
    """Return an estimation whose Paulis are on the last places of their qubits."""
    paulis = [
        replace(pauli, qubits=tuple(last_place[qubit] for qubit in pauli.qubits))
        for pauli in estimation.paulis
    ]
    return replace(estimation, paulis=tuple(paulis))


def _qubits(op: Op) -> tuple[int, ...]:
    if isinstance(op, Gate):
        return op.controls + op.targets
    return (op.qubit,) if isinstance(op, Measure | Reset) else ()


def _moved(op: Op, qubits: tuple[int, ...]) -> Op:
    """Return an operation on other qubits."""
    if isinstance(op, Gate):
        n_controls = len(op.controls)
        return replace(op, controls=qubits[:n_controls], targets=qubits[n_controls:])
    assert isinstance(op, Measure | Reset)
    return replace(op, qubit=qubits[0])
