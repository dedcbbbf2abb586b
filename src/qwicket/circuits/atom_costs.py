"""Cost estimates of cold-atom circuits, for limits and admission.

The engine chooses between its methods by the same rules. Constants were measured on one core.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from math import hypot, prod, sqrt
from typing import Final, NamedTuple

from qwicket.circuits.atoms import AtomCircuit, AtomGate, pack
from qwicket.circuits.summary import Checked, Summary
from qwicket.model.errors import LimitExceeded
from qwicket.model.limits import Limits

DENSE_DIMENSION: Final = 1_024
"""Dimension up to which a gate on all wires is always diagonalised, in at most 0.6 s."""
DENSEST_DIMENSION: Final = 4_096
"""Dimension up to which such a gate is diagonalised if that is faster than a Chebyshev expansion:
17 s on an idle core."""

Params = tuple[float, ...]

FULL_GATES: Final = frozenset({"multiqudit_full", "rydberg_full"})
_ROW_NS: Final = 4
"""For each amplitude, times the rows of the gate's largest matrix."""
_BLOCK_NS: Final = 10_000
"""For each block of a gate that conserves a number of excitations."""
_SOLVED_BLOCK_NS: Final = 250_000
"""The first diagonalisation of a block, beside the time for its size."""
_CUBE_NS: Final = 0.6
"""The diagonalisation of a matrix, for the cube of its dimension."""
_CHEBYSHEV_NS: Final = 33
"""One term of a Chebyshev expansion, for each amplitude."""
_DIAGONAL_NS: Final = 20
"""A gate's phases, for each amplitude."""
_FERMION_NS: Final = 200_000
"""One gate on fermions."""
_GATE_NS: Final = 50_000
"""One other gate, beside the time for its amplitudes."""
_FLOAT_BYTES: Final = 8
_DENSE_COPIES: Final = 4
"""Matrices that are in memory while one is diagonalised."""


class Spectrum(NamedTuple):
    """Bounds of a Hamiltonian: all of its levels are within `radius` of `centre`."""

    centre: float
    radius: float

    @property
    def n_terms(self) -> int:
        """Terms of a Chebyshev expansion of its exponential, exact to rounding."""
        return int(self.radius + 10 * self.radius ** (1 / 3) + 30)


def spectrum(gate: AtomGate, atoms: tuple[int, ...]) -> Spectrum:
    """Bound the energy levels of `multiqudit_full`.

    The levels of Ω Lx + Δ Lz of a spin of length l are within ±l √(Ω² + Δ²). The norm of Σ A_i B_i
    is at most √(‖Σ A_i²‖ ‖Σ B_i²‖).
    """
    omega, delta, chi, exchange, ising = gate.params
    squares, lengths, exchanges, products = _norms(atoms)
    radius = chi * squares / 2 + hypot(omega, delta) * lengths
    radius += exchange * exchanges + ising * products
    return Spectrum(chi * squares / 2, radius)


@lru_cache(maxsize=8)
def _norms(atoms: tuple[int, ...]) -> tuple[float, float, float, float]:
    """Return bounds of Σ Lz², Σ L, Σ (L+ L- + L- L+) and Σ Lz Lz; cached for thousands of gates."""
    pairs = list(pairwise(atoms))
    exchanges = sum(2 * sqrt(a * (a + 2) * b * (b + 2)) / 4 for a, b in pairs)
    return (
        sum(n * n / 4 for n in atoms),
        sum(atoms) / 2,
        exchanges,
        sum(a * b / 4 for a, b in pairs),
    )


def is_dense(gate: AtomGate, atoms: tuple[int, ...]) -> bool:
    """Return whether a gate on all wires is diagonalised rather than expanded."""
    dimension = prod([n + 1 for n in atoms])
    if not DENSE_DIMENSION < dimension <= DENSEST_DIMENSION:
        return dimension <= DENSE_DIMENSION
    return _CUBE_NS * dimension**2 < _CHEBYSHEV_NS * spectrum(gate, atoms).n_terms


def check(circuit: AtomCircuit, limits: Limits) -> None:
    """Refuse a circuit whose cost exceeds the limits.

    Raises:
        LimitExceeded: The limit `hilbert_dimension` or `gate_work` is exceeded.
    """
    dimension = circuit.dimension
    if dimension > limits.atoms.hilbert_dimension:
        raise LimitExceeded(
            f"Hilbert space dimension too large! hilbert_dimension: {dimension} is above the limit"
            f" of {limits.atoms.hilbert_dimension}",
            field="hilbert_dimension",
        )
    if dimension <= DENSEST_DIMENSION:
        return
    for gate in circuit.gates:
        if gate.name not in FULL_GATES:
            continue
        work = dimension * spectrum(gate, circuit.atoms).radius
        if work > limits.atoms.gate_work:
            raise LimitExceeded(
                f"gate_work: {gate.name} has energies times dimension of {work:.3g}, above the"
                f" limit of {limits.atoms.gate_work}",
                field="gate_work",
            )


def to_checked(circuits: tuple[AtomCircuit, ...]) -> Checked:
    """Return packed circuits with their summary."""
    return Checked(summarise(circuits), pack(circuits))


def summarise(circuits: tuple[AtomCircuit, ...]) -> Summary:
    """Summarise cold-atom circuits for admission."""
    costs = [_cost(circuit) for circuit in circuits]
    n_gates = sum(len(circuit.gates) for circuit in circuits)
    n_single = sum(len(gate.wires) == 1 for circuit in circuits for gate in circuit.gates)
    return Summary(
        family="atoms",
        n_circuits=len(circuits),
        n_qubits=max((len(circuit.shape) for circuit in circuits), default=0),
        n_ops_1q=n_single,
        n_ops_2q=n_gates - n_single,
        n_samples=sum(circuit.shots * len(circuit.measured) for circuit in circuits),
        work_ns=sum(cost.work_ns for cost in costs),
        work_bytes=max((cost.n_bytes for cost in costs), default=0),
        is_seeded=any(circuit.seed is not None for circuit in circuits),
    )


class _Cost(NamedTuple):
    work_ns: int
    n_bytes: int


def _cost(circuit: AtomCircuit) -> _Cost:
    if circuit.kind == "fermions":
        return _Cost(len(circuit.gates) * _FERMION_NS, 0)
    work, kept, maximum = 0.0, 0, 0
    solved: set[tuple[int, ...]] = set()
    for (name, wires, params), times in Counter(map(_cost_key(circuit), circuit.gates)).items():
        gate = AtomGate(name, wires, params)
        atoms = tuple([circuit.atoms[wire] for wire in wires])
        is_solved = name in FULL_GATES and is_dense(gate, atoms)
        size = prod([n + 1 for n in atoms])
        width = size if is_solved else _width(name, atoms)
        n_blocks = sum(atoms) + 1 if name == "rlxly" else 1
        each: float = _GATE_NS + circuit.dimension * (_DIAGONAL_NS + _ROW_NS * width)
        each += _BLOCK_NS * n_blocks
        if name in FULL_GATES and not is_solved:
            each += _CHEBYSHEV_NS * size * spectrum(gate, atoms).n_terms
        elif is_solved or name == "sq_full":
            each += _CUBE_NS * size**3
            maximum = max(maximum, _DENSE_COPIES * _FLOAT_BYTES * size**2)
        elif width and atoms not in solved:
            solved.add(atoms)
            work += _CUBE_NS * size * width**2 + _SOLVED_BLOCK_NS * n_blocks
            kept += _FLOAT_BYTES * size * width
        work += times * each
    return _Cost(int(work), kept + maximum)


def _cost_key(circuit: AtomCircuit) -> Callable[[AtomGate], tuple[str, tuple[int, ...], Params]]:
    """Return a function that gives gates of equal cost the same key."""
    if circuit.dimension > DENSE_DIMENSION:
        return lambda gate: (
            gate.name,
            gate.wires,
            gate.params if gate.name in FULL_GATES else (),
        )
    return lambda gate: (gate.name, gate.wires, ())


def _width(name: str, atoms: tuple[int, ...]) -> int:
    """Return the rows of the largest matrix of a gate's eigenvectors; 0 if it has none."""
    match name:
        case "rlx" | "sq_full":
            return atoms[0] + 1
        case "rlxly":
            return _widest_block(atoms)
    return 0


@lru_cache(maxsize=64)
def _widest_block(atoms: tuple[int, ...]) -> int:
    return max(totals(atoms))


def totals(atoms: tuple[int, ...]) -> list[int]:
    """Return the number of joint levels of some wires by their total k, from 0."""
    ways = [1]
    for n in atoms:
        longer = [0] * (len(ways) + n)
        for total, count in enumerate(ways):
            for k in range(n + 1):
                longer[total + k] += count
        ways = longer
    return ways
