"""Evolution of spins: one axis of the state per wire, each gate by its cheapest exact method.

Diagonal gates are phases; rotations use the eigenvectors of Lx; exchange is diagonalised in blocks
of the conserved total k; gates with all terms use eigenvectors of the whole Hamiltonian or a
Chebyshev expansion.

SciPy is imported only for large matrices: the import takes longer than most small jobs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, reduce
from itertools import pairwise
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qwicket.circuits.atom_costs import DENSE_DIMENSION, is_dense, spectrum
from qwicket.circuits.atoms import AtomCircuit, AtomGate

State = NDArray[np.complex128]
"""Amplitudes, one axis per wire."""
Floats = NDArray[np.float64]

_VAN_DER_WAALS: Final = 6
_FEW_LEVELS: Final = 64
"""Size up to which a tridiagonal matrix is diagonalised as a dense one, in at most 1 ms."""


def evolve(circuit: AtomCircuit) -> State:
    """Return the state after all gates, from level 0 of every wire."""
    state: State = np.zeros(circuit.shape, dtype=complex)
    state[(0,) * state.ndim] = 1.0
    bases = _bases(circuit.atoms)
    for gate in circuit.gates:
        state = _applied(gate, state, bases)
    return state


def _applied(gate: AtomGate, state: State, bases: Bases) -> State:
    """Return the state after a gate."""
    atoms = tuple([bases.atoms[wire] for wire in gate.wires])
    match gate.name:
        case "rlx":
            (basis,) = bases.lx(atoms[0])
            return _in_blocks([basis], gate.params[0], state, gate.wires)
        case "sq_full":
            return _in_blocks([_twisted(atoms[0], gate.params)], 1.0, state, gate.wires)
        case "rlxly":
            return _in_blocks(bases.exchange(atoms), gate.params[0], state, gate.wires)
        case "multiqudit_full" | "rydberg_full":
            return _on_all(gate, state, atoms)
    turned: State = state * np.exp(-1j * _energies(gate, bases.atoms))
    return turned


# --- operators ------------------------------------------------------------------------------------


def _m(n: int) -> Floats:
    """Return the diagonal of Lz."""
    return n / 2 - np.arange(n + 1, dtype=float)


def _raising(n: int) -> Floats:
    """Return the entries above the diagonal of L+."""
    k = np.arange(1, n + 1)
    root: Floats = np.sqrt(k * (n - k + 1))
    return root


def _on_axis(values: Floats, wire: int, n_wires: int) -> Floats:
    """Return values of one wire in a shape that broadcasts over the joint levels."""
    return values.reshape([-1 if axis == wire else 1 for axis in range(n_wires)])


def _energies(gate: AtomGate, atoms: Sequence[int]) -> Floats:
    """Return the Hamiltonian of a gate that is diagonal, shaped to multiply the state."""
    m = [_on_axis(_m(n), wire, len(atoms)) for wire, n in enumerate(atoms)]
    match gate.name:
        case "rlz":
            return gate.params[0] * m[gate.wires[0]]
        case "rlz2":
            return gate.params[0] * m[gate.wires[0]] ** 2
        case "rlzlz":
            pairs = pairwise(gate.wires)
            return gate.params[0] * sum((m[a] * m[b] for a, b in pairs), start=np.zeros(()))
    assert gate.name == "rydberg_block"
    return gate.params[0] * _blockade(m)


def _blockade(m: Sequence[Floats]) -> Floats:
    """Return Σ n_i n_j / |i - j|⁶ over pairs of two-level wires, given Lz of each."""
    excited = [0.5 - each for each in m]
    found: Floats = np.zeros(())
    for i, first in enumerate(excited):
        for j in range(i):
            found = found + first * excited[j] / (i - j) ** _VAN_DER_WAALS
    return found


# --- eigenvectors ---------------------------------------------------------------------------------


class Block:
    """Eigenvectors of a Hamiltonian on one of its invariant sets of joint levels.

    Args:
        levels: Indices of the levels, over the wires that the Hamiltonian acts on.
        energies: Eigenvalues.
        vectors: Eigenvectors, one per column.
    """

    __slots__ = ("energies", "levels", "vectors")

    def __init__(self, levels: NDArray[np.intp] | slice, energies: Floats, vectors: Floats) -> None:
        self.levels = levels
        self.energies = energies
        self.vectors = vectors

    def turned(self, theta: float, amplitudes: State) -> State:
        """Return exp(-iθH) of the amplitudes of these levels, one column per level of the rest."""
        parts = self.vectors.T @ amplitudes
        parts *= np.exp(-1j * theta * self.energies)[:, None]
        return self.vectors @ parts


def _in_blocks(
    blocks: Sequence[Block], theta: float, state: State, wires: tuple[int, ...]
) -> State:
    """Return exp(-iθH) of a state, where H acts on `wires` in this order."""
    front = tuple(range(len(wires)))
    moved = np.moveaxis(state, wires, front)
    size = prod(moved.shape[: len(wires)])
    rows = moved.reshape(size, -1)
    turned = np.empty_like(rows)
    for block in blocks:
        turned[block.levels] = block.turned(theta, rows[block.levels])
    return np.moveaxis(turned.reshape(moved.shape), front, wires)


class Bases:
    """Cache of eigenvectors, which do not depend on angles, for circuits on the same atoms.

    Args:
        atoms: Atoms on each wire. The limit on the joint levels also bounds the cache.
    """

    def __init__(self, atoms: tuple[int, ...]) -> None:
        self.atoms = atoms
        self._kept: dict[tuple[int, ...], list[Block]] = {}

    def lx(self, n: int) -> list[Block]:
        """Return the eigenvectors of Lx. Its eigenvalues are known exactly."""
        if (n,) not in self._kept:
            _, vectors = _eigh_tridiagonal(np.zeros(n + 1), _raising(n) / 2)
            self._kept[(n,)] = [Block(slice(None), _m(n)[::-1], vectors)]
        return self._kept[(n,)]

    def exchange(self, atoms: tuple[int, ...]) -> list[Block]:
        """Return the eigenvectors of Σ (L+ L- + L- L+) over neighbours, a block per total k."""
        if atoms not in self._kept:
            hamiltonian = _rows(_exchange(atoms))
            grids = np.indices([n + 1 for n in atoms])
            totals = grids.sum(axis=0).reshape(-1)
            self._kept[atoms] = [
                _solved(hamiltonian, np.flatnonzero(totals == total))
                for total in range(sum(atoms) + 1)
            ]
        return self._kept[atoms]


@lru_cache(maxsize=2)
def _bases(atoms: tuple[int, ...]) -> Bases:
    return Bases(atoms)


def _solved(hamiltonian: Any, levels: NDArray[np.intp]) -> Block:
    """Return the eigenvectors of the Hamiltonian among some levels."""
    energies, vectors = _eigh(_filled(hamiltonian[levels][:, levels]))
    return Block(levels, energies, vectors)


def _twisted(n: int, params: tuple[float, ...]) -> Block:
    """Return the eigenvectors of Ω Lx + Δ Lz + χ Lz²."""
    omega, delta, chi = params
    m = _m(n)
    found = _eigh_tridiagonal(delta * m + chi * m**2, omega * _raising(n) / 2)
    return Block(slice(None), *found)


def _eigh_tridiagonal(diagonal: Floats, beside: Floats) -> tuple[Floats, Floats]:
    """Return eigenvalues and eigenvectors of a symmetric tridiagonal matrix."""
    if len(diagonal) <= _FEW_LEVELS:
        return _eigh(np.diag(diagonal) + np.diag(beside, -1))  # `eigh` reads only the lower half
    from scipy import linalg

    found: tuple[Floats, Floats] = linalg.eigh_tridiagonal(diagonal, beside)
    return found


def _eigh(matrix: Floats) -> tuple[Floats, Floats]:
    """Return eigenvalues and eigenvectors of a symmetric matrix."""
    found: tuple[Floats, Floats]
    if not _is_large(len(matrix)):
        energies, vectors = np.linalg.eigh(matrix)
        return energies, vectors
    from scipy import linalg

    found = linalg.eigh(matrix)  # needs less extra memory than NumPy's
    return found


# --- gates on all wires ---------------------------------------------------------------------------


def _on_all(gate: AtomGate, state: State, atoms: tuple[int, ...]) -> State:
    """Return the state after a gate on all wires."""
    amplitudes = state.reshape(-1)
    if gate.name == "rydberg_full" or is_dense(gate, atoms):
        block = Block(slice(None), *_eigh(_dense(gate, atoms)))
        turned = block.turned(1.0, amplitudes[:, None])[:, 0]
    else:
        from qwicket.engines.atoms import chebyshev

        hamiltonian = _rows(_whole(gate, atoms))
        turned = chebyshev.evolve(hamiltonian, spectrum(gate, atoms), amplitudes)
    return turned.reshape(state.shape)


def _dense(gate: AtomGate, atoms: tuple[int, ...]) -> Floats:
    """Return the Hamiltonian of a gate on all wires as a dense matrix."""
    if gate.name != "rydberg_full":
        return _filled(_whole(gate, atoms))
    return sum(
        (x * term for x, term in zip(gate.params, _rydberg(atoms), strict=True)), np.zeros(())
    )


@lru_cache(maxsize=8)
def _rydberg(atoms: tuple[int, ...]) -> tuple[Floats, ...]:
    """Return the operators of Ω, Δ and φ in `rydberg_full`; cached, as ramps need them often."""
    unit = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    gates = [AtomGate("rydberg_full", (), params) for params in unit]
    return tuple([_filled(_whole(gate, atoms)) for gate in gates])


def _whole(gate: AtomGate, atoms: tuple[int, ...]) -> Any:
    """Return the Hamiltonian of a gate on all wires as a matrix, sparse if it is large."""
    shape = tuple([n + 1 for n in atoms])
    m = [_on_axis(_m(n), wire, len(atoms)) for wire, n in enumerate(atoms)]
    energies: Floats = np.zeros(shape)
    omega, delta, *rest = gate.params
    energies += delta * sum(m, start=np.zeros(()))
    found: Any = 0
    if gate.name == "rydberg_full":
        energies += rest[0] * _blockade(m)
    else:
        chi, exchange, ising = rest
        energies += chi * sum((each**2 for each in m), start=np.zeros(()))
        for first, second in pairwise(m):
            energies += ising * first * second
        found = exchange * _exchange(atoms)
    for wire, n in enumerate(atoms):
        found = found + omega / 2 * _joint({wire: _ladder(n) + _ladder(n).T}, atoms)
    return found + _diagonal(energies.reshape(-1))


def _exchange(atoms: tuple[int, ...]) -> Any:
    """Return Σ (L+ L- + L- L+) over neighbours as a matrix, sparse if it is large."""
    found: Any = _diagonal(np.zeros(prod([n + 1 for n in atoms])))
    for wire, (a, b) in enumerate(pairwise(atoms)):
        one_way = _joint({wire: _ladder(a), wire + 1: _ladder(b).T}, atoms)
        found = found + one_way + one_way.T
    return found


def _ladder(n: int) -> Floats:
    """Return L+ of n atoms, (n + 1) × (n + 1)."""
    return np.diag(_raising(n), 1)


def _joint(factors: dict[int, Floats], atoms: tuple[int, ...]) -> Any:
    """Return the product of operators on some wires, the identity on the others."""
    each = [factors.get(wire, np.eye(n + 1)) for wire, n in enumerate(atoms)]
    if not _is_large(prod([n + 1 for n in atoms])):
        return reduce(_kron, each)
    from scipy import sparse

    return reduce(sparse.kron, [sparse.csr_array(factor) for factor in each])


def _kron(first: Floats, second: Floats) -> Floats:
    made: Any = np.kron(first, second)
    return np.asarray(made, float)


def _diagonal(values: Floats) -> Any:
    """Return a diagonal matrix, sparse if it is large."""
    if not _is_large(len(values)):
        return np.diag(values)
    from scipy import sparse

    return sparse.diags_array(values)


def _is_large(dimension: int) -> bool:
    return dimension > DENSE_DIMENSION


def _rows(matrix: Any) -> Any:
    """Return a matrix in a form whose rows can be selected."""
    return matrix if isinstance(matrix, np.ndarray) else matrix.tocsr()


def _filled(matrix: Any) -> Floats:
    """Return a matrix as a dense one."""
    found: Floats = matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
    return found
