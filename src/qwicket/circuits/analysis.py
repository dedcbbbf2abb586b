"""Static analysis of circuits: summary and possible methods of simulation.

Admission uses `summarise`, and engines choose their method by the same rules.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations, islice
from math import pi
from typing import Final

from qwicket.circuits.bonds import bonds
from qwicket.circuits.mitigation.runs import all_shots, upper_bounds
from qwicket.circuits.qubit import (
    DELAY,
    Branch,
    Gate,
    Jump,
    Measure,
    Op,
    QubitCircuit,
    Reset,
    pack,
)
from qwicket.circuits.summary import Checked, Summary

_NATIVE: Final = frozenset({"gpi", "gpi2", "ms", "zz"})
"""Gates that exist only in the native gateset of trapped ions."""

MAX_JOINT_QUBITS: Final = 12
"""Up to this many qubits are simulated together, because a state of so few costs little."""


def to_checked(circuits: tuple[QubitCircuit, ...]) -> Checked:
    """Return packed circuits with their summary."""
    return Checked(summarise(circuits), pack(circuits))


def summarise(circuits: tuple[QubitCircuit, ...]) -> Summary:
    """Summarise qubit circuits for admission."""
    runs = ops_1q = ops_2q = branches = extra_ops = splits = bits = bond_steps = terms = 0
    delays, delay_s = 0, 0.0
    mitigated_shots = 0
    active = connected = operands = 1
    qubits = clbits = shots = 0
    is_all_clifford = True
    is_estimation = is_exact = False
    native: set[str] = set()
    unmeasured = 0
    for number, circuit in enumerate(circuits, 1):
        is_measured = False
        for times, upper_bound_run in upper_bounds(circuit):
            runs += times
            used: set[int] = set()
            for op in upper_bound_run.ops:
                # `type(op) is` is safe, because operations have no subclasses. A negative
                # `isinstance` takes five times as long on a struct, which matters for a million
                # operations.
                if type(op) is Gate:
                    targets = op.targets
                    used.update(targets)
                    if op.controls:
                        used.update(op.controls)
                        ops_2q += times
                        operands = max(operands, len(targets) + len(op.controls))
                    elif len(targets) > 1:
                        ops_2q += times
                        operands = max(operands, len(targets))
                    else:
                        ops_1q += times
                    if op.name in COSTLY:
                        extra_ops += times * extra_cost(op)
                    elif op.name in _NATIVE:
                        native.add(op.name)
                    elif op.name == DELAY:
                        ops_1q -= times
                        delays += times
                        delay_s += times * op.params[0]
                elif type(op) is Measure:
                    is_measured = True
                elif type(op) is Branch or type(op) is Jump:
                    branches += times
            is_mixed = circuit.readouts is not None and is_noisy(upper_bound_run.ops)
            n_used = 2 * len(used) if is_mixed else len(used)
            active = max(active, n_used)
            is_sampled = circuit.readouts is None or (circuit.readouts.shots and not is_mixed)
            if is_sampled and n_used > connected:
                n_used = len(components(upper_bound_run.ops, used)[0])
            connected = max(connected, n_used)
            clbits = max(clbits, upper_bound_run.n_clbits)
            splits = max(splits, _count_splits(upper_bound_run.ops))
            bond = bonds(upper_bound_run.ops)
            bits = max(bits, bond.bits)
            bond_steps += times * bond.steps
            is_all_clifford = is_all_clifford and is_clifford(upper_bound_run.ops)
        if circuit.estimation is not None:
            is_estimation = True
            is_exact = is_exact or circuit.estimation.is_exact
            terms += sum(map(len, circuit.estimation.observables))
            if circuit.estimation.mitigation is not None:
                mitigated_shots += all_shots(circuit)
        elif not (is_measured or unmeasured):
            unmeasured = number
        qubits = max(qubits, circuit.n_qubits)
        shots = max(shots, circuit.readouts.shots if circuit.readouts else circuit.shots)
    return Summary(
        family="qubit",
        n_circuits=runs,
        n_qubits=qubits,
        n_ops_1q=ops_1q,
        n_ops_2q=ops_2q,
        n_active=active,
        n_connected=connected if connected < active else 0,
        n_clbits=clbits,
        n_splits=splits,
        n_branches=branches,
        n_extra_ops=extra_ops,
        native_gates=tuple(sorted(native)),
        is_clifford=is_all_clifford,
        n_bond_bits=bits,
        n_bond_steps=bond_steps,
        n_parts=len(circuits) if is_estimation else 0,
        n_terms=terms,
        shots=shots,
        is_exact=is_exact,
        n_operands=operands,
        n_delays=delays,
        delay_s=delay_s,
        unmeasured=unmeasured,
        is_estimation=is_estimation,
        mitigated_shots=mitigated_shots,
    )


def components(
    ops: Iterable[Op], qubits: Collection[int], *, max_joint: int = MAX_JOINT_QUBITS
) -> list[list[int]]:
    """Divide qubits into groups that can be simulated apart, the widest first.

    Gates connect their qubits, and measurements into one bit do. A branch or jump connects all.
    Qubits that are not in `qubits` are left out. Up to `max_joint` qubits are one group.
    """
    if len(qubits) <= max_joint:
        return [sorted(qubits)]
    parent = {qubit: qubit for qubit in qubits}
    qubit_of: dict[int, int] = {}
    n_left = len(parent)
    for op in ops:
        if type(op) is Gate:
            operands = op.targets + op.controls
        elif type(op) is Measure and op.qubit in parent:
            operands = (qubit_of.setdefault(op.clbit, op.qubit), op.qubit)
        elif type(op) is Branch or type(op) is Jump:
            return [sorted(qubits)]
        else:
            continue
        for qubit in operands[1:]:
            one, other = _root(parent, operands[0]), _root(parent, qubit)
            if one != other:
                parent[one] = other
                n_left -= 1
        if n_left == 1:
            return [sorted(qubits)]
    found: dict[int, list[int]] = {}
    for qubit in sorted(qubits):
        found.setdefault(_root(parent, qubit), []).append(qubit)
    return sorted(found.values(), key=len, reverse=True)


def _root(parent: dict[int, int], qubit: int) -> int:
    while parent[qubit] != qubit:
        parent[qubit] = parent[parent[qubit]]
        qubit = parent[qubit]
    return qubit


def is_noisy(ops: Sequence[Op]) -> bool:
    """Return whether a circuit has channels, so that its state is a density matrix."""
    return any(type(op) is Gate and op.name == "kraus" for op in ops)


def final_part_start(ops: Sequence[Op]) -> int:
    """Return the index where the final part begins.

    Its measurements can be moved to the end, so it needs one evolution and sampling instead of one
    run per shot. From there on no gate acts on a measured qubit, resets follow the last use of
    their qubit, nothing branches, and every path through the circuit passes this index.
    """
    last_jump_target = n_leading = 0
    for op in ops:
        if type(op) is not Gate:
            break
        n_leading += 1
    for index, op in enumerate(islice(ops, n_leading, None), n_leading):
        if type(op) is Branch or type(op) is Jump:
            last_jump_target = max(last_jump_target, index + 1 + op.skip)
    changed: set[int] = set()
    measured: set[int] = set()
    for index in range(len(ops) - 1, max(last_jump_target, n_leading) - 1, -1):
        op = ops[index]
        if type(op) is Gate:
            changed.update(op.targets)
            if op.controls:
                changed.update(op.controls)
        elif type(op) is Measure:
            if op.qubit in changed:
                return index + 1
            measured.add(op.qubit)
        elif type(op) is Reset and op.qubit not in changed and op.qubit not in measured:
            continue
        else:
            return index + 1
    return min(last_jump_target, len(ops))


def _count_splits(ops: Sequence[Op]) -> int:
    """Count mid-circuit measurements and resets of qubits that a gate has touched.

    Each can split the shots into branches with different states.
    """
    end = final_part_start(ops)
    used: set[int] = set()
    count = 0
    for op in islice(ops, end):
        if type(op) is Gate:
            used.update(op.targets)
            if op.controls:
                used.update(op.controls)
        elif type(op) is Measure or type(op) is Reset:
            count += op.qubit in used
    return count


CLIFFORD_GRID: Final[Mapping[str, tuple[float, ...]]] = {
    **dict.fromkeys(("id", "x", "y", "z", "h", "s", "sdg", "sx", "sxdg", "swap", DELAY), ()),
    **dict.fromkeys(("rx", "ry", "rz", "p", "gpi2", "rxx", "ryy", "rzz", "zz"), (pi / 2,)),
    "u": (pi / 2, pi / 2, pi / 2),
    "gpi": (pi / 4,),
    "ms": (pi / 2, pi / 2, pi / 2),
}
"""Step of each parameter in radians; a gate is Clifford if all are multiples of their steps."""

CONTROLLED_CLIFFORD_GRID: Final[Mapping[str, tuple[float, ...]]] = {
    **dict.fromkeys(("id", "x", "y", "z"), ()),
    "p": (pi,),
    "gphase": (pi / 2,),
}
"""The same for gates with one control."""

_TOLERANCE: Final = 1e-9
"""Deviation from the grid, in radians, that counts as rounding."""
_LARGEST_ANGLE: Final = 1e6
"""Above this, rounding errors of π approach the tolerance."""
_PAULI_STEPS: Final = {"x": 0, "y": 0, "z": 0, "id": 0, "rx": 2, "ry": 2, "rz": 2, "p": 2, "gpi": 2}
"""Gates that are Pauli gates, up to a phase, at multiples of this many steps of `CLIFFORD_GRID`.

Gates with 0 have no parameters and are always Pauli gates.
"""


def clifford_steps(gate: Gate) -> tuple[int, ...] | None:
    """Return the parameters of a Clifford gate in steps of its grid; None for any other gate."""
    if gate.name == "gphase" and not gate.controls:
        return ()
    if len(gate.controls) > 1:
        return None
    grid = (CONTROLLED_CLIFFORD_GRID if gate.controls else CLIFFORD_GRID).get(gate.name)
    if grid is None:
        return None
    if not grid:
        return ()
    steps = []
    for parameter, step in zip(gate.params, grid, strict=False):
        if not abs(parameter) <= _LARGEST_ANGLE:
            return None
        steps.append(round(parameter / step))
        if abs(parameter - steps[-1] * step) > _TOLERANCE:
            return None
    return tuple(steps) if len(steps) == len(grid) else None


_X_BITS: Final = str.maketrans("IXYZ", "0110")
_Z_BITS: Final = str.maketrans("IXYZ", "0011")
_CHEBYSHEV_ORDERS: Final = 20.0
"""Orders that an expansion of strings that do not commute takes beside one for each radian."""
_MAX_ORDERS: Final = 1e5
"""Bound of the estimated orders, because the sum of the angles may be infinite."""
_STRING_GATES: Final = 25
"""Cost of applying one Pauli string term by term, in gates.

Without controls, strings that commute are applied as rotations of one gate each.
"""


def pauli_masks(letters: str) -> tuple[int, int]:
    """Return the bits of a Pauli string that are X or Y, and those that are Z or Y.

    The rightmost letter is bit 0 of both.
    """
    return int("0" + letters.translate(_X_BITS), 2), int("0" + letters.translate(_Z_BITS), 2)


def all_commute(strings: Iterable[tuple[int, int]]) -> bool:
    """Return whether all Pauli strings, given as masks, commute with each other.

    Commutation is bilinear in the masks, so it is sufficient to compare a basis, which has at most
    twice as many strings as qubits.
    """
    basis: list[tuple[int, int]] = []
    for x, z in strings:
        for bx, bz in basis:
            # Gaussian elimination over GF(2): the XOR is smaller if and only if the string has the
            # leading bit of the basis string, which the XOR clears.
            x, z = min((x, z), (x ^ bx, z ^ bz))
        if x or z:
            basis.append((x, z))
    return not any(
        ((ax & bz).bit_count() + (az & bx).bit_count()) & 1
        for (ax, az), (bx, bz) in combinations(basis, 2)
    )


COSTLY: Final = frozenset(("pauliexp", "unitary", "kraus"))
"""Gates whose simulation costs more than an ordinary gate; see `extra_cost`."""


def extra_cost(gate: Gate) -> int:
    """Return the cost of a gate above that of one gate, in gates."""
    if gate.name == "kraus":
        return len(gate.params) >> 2 * len(gate.targets)  # two for each Kraus matrix
    if gate.name == "unitary":
        return 3 * (1 << len(gate.targets)) // 4  # measured with Qulacs on 1 to 9 qubits
    return _pauli_cost(gate) if gate.name == "pauliexp" else 0


def _pauli_cost(gate: Gate) -> int:
    if all_commute(map(pauli_masks, gate.terms)):
        return len(gate.terms) * (_STRING_GATES if gate.controls else 1)
    orders = min(_MAX_ORDERS, _CHEBYSHEV_ORDERS + sum(map(abs, gate.params)))
    return int(len(gate.terms) * orders * _STRING_GATES)


def is_clifford(ops: Sequence[Op]) -> bool:
    """Return whether a stabilizer simulator can run operations.

    A branch must test a single bit and skip only Pauli gates; jumps are not supported.
    """
    for index, op in enumerate(ops):
        if type(op) is Gate:
            n_controls = len(op.controls)
            grid = CLIFFORD_GRID if n_controls == 0 else CONTROLLED_CLIFFORD_GRID
            is_always = n_controls < 2 and grid.get(op.name) == ()
            if not is_always and clifford_steps(op) is None:
                return False
        elif type(op) is Branch:
            if len(op.clbits) != 1 or not all(map(is_pauli, ops[index + 1 : index + 1 + op.skip])):
                return False
        elif type(op) is Jump:
            return False
    return True


def is_pauli(op: Op) -> bool:
    """Return whether an operation is a Pauli gate up to a phase.

    Recognises only the gates in `_PAULI_STEPS`.
    """
    if type(op) is not Gate or op.controls or op.name not in _PAULI_STEPS:
        return False
    steps = clifford_steps(op)
    return steps is not None and all(step % _PAULI_STEPS[op.name] == 0 for step in steps)
