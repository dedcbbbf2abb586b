"""Circuits in few words, and what they give by the textbook: whole Hamiltonians."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import expm
from scipy.sparse.linalg import expm_multiply

from qwicket.circuits.atoms import FERMION_WIRES, AtomCircuit, AtomGate

State = NDArray[np.complex128]
Floats = NDArray[np.float64]
Gates = list[tuple[str, list[int], list[float]]]


def spins(atoms: list[int], *gates: tuple[str, list[int], list[float]]) -> AtomCircuit:
    """A circuit that reads every wire once, in order."""
    return AtomCircuit("spins", tuple(atoms), made(gates), tuple(range(len(atoms))), 1)


def fermions(
    *gates: tuple[str, list[int], list[float]], measured: tuple[int, ...] = tuple(range(8))
) -> AtomCircuit:
    return AtomCircuit("fermions", (), made(gates), measured, 1)


def made(gates: tuple[tuple[str, list[int], list[float]], ...]) -> tuple[AtomGate, ...]:
    return tuple(AtomGate(name, tuple(wires), tuple(params)) for name, wires, params in gates)


def marginal(circuit: AtomCircuit, p: Floats) -> dict[str, float]:
    """Return the probability of each reading, levels joined by blanks."""
    found: dict[str, float] = {}
    for levels in np.ndindex(p.shape):
        key = " ".join(str(levels[wire]) for wire in circuit.measured)
        found[key] = found.get(key, 0.0) + float(p[levels])
    return found


def dense(circuit: AtomCircuit) -> Floats:
    """Return the exact probabilities by exponentials of whole Hamiltonians."""
    machine = _Fermions() if circuit.kind == "fermions" else _Spins(circuit.atoms)
    psi = np.zeros(circuit.dimension, dtype=complex)
    psi[0] = 1
    for gate in circuit.gates:
        psi = machine.applied(gate, psi)
    p = np.abs(psi) ** 2
    assert abs(p.sum() - 1) < 1e-9
    return p.reshape(circuit.shape)


class _Spins:
    def __init__(self, atoms: tuple[int, ...]) -> None:
        self._atoms = atoms
        self._raise, self._z, self._x = [], [], []
        for wire, n in enumerate(atoms):
            k = np.arange(1, n + 1)
            up = np.diag(np.sqrt(k * (n - k + 1)), 1)
            self._raise.append(self._on(wire, up))
            self._z.append(self._on(wire, np.diag(n / 2 - np.arange(n + 1))))
            self._x.append(self._on(wire, (up + up.T) / 2))

    def _on(self, wire: int, matrix: Floats) -> Floats:
        each = [np.eye(n + 1) for n in self._atoms]
        each[wire] = matrix
        whole: Floats = each[0]
        for factor in each[1:]:
            whole = np.kron(whole, factor).astype(float)
        return whole

    def applied(self, gate: AtomGate, psi: State) -> State:
        turned: State = expm(-1j * self._hamiltonian(gate)) @ psi
        return turned

    def _hamiltonian(self, gate: AtomGate) -> Floats:
        x, z, wires, params = self._x, self._z, gate.wires, gate.params
        n = range(len(self._atoms))
        match gate.name:
            case "rlx":
                return params[0] * x[wires[0]]
            case "rlz":
                return params[0] * z[wires[0]]
            case "rlz2":
                return params[0] * z[wires[0]] @ z[wires[0]]
            case "sq_full":
                (w,) = wires
                return params[0] * x[w] + params[1] * z[w] + params[2] * z[w] @ z[w]
            case "rlxly":
                return params[0] * self._flips(wires)
            case "rlzlz":
                return sum((params[0] * z[a] @ z[b] for a, b in pairwise(wires)), start=0 * z[0])
            case "multiqudit_full":
                omega, delta, chi, exchange, ising = params
                fields = sum(omega * x[i] + delta * z[i] + chi * z[i] @ z[i] for i in n)
                pairs = sum((z[a] @ z[b] for a, b in pairwise(n)), start=0 * fields)
                return fields + exchange * self._flips(tuple(n)) + ising * pairs
            case "rydberg_block":
                return params[0] * self._blockade()
            case "rydberg_full":
                fields = sum(params[0] * x[i] + params[1] * z[i] for i in n)
                return fields + params[2] * self._blockade()
        raise AssertionError(gate.name)

    def _flips(self, wires: tuple[int, ...]) -> Floats:
        found = 0 * self._x[0]
        for a, b in pairwise(wires):
            one_way = self._raise[a] @ self._raise[b].T
            found = found + one_way + one_way.T
        return found

    def _blockade(self) -> Floats:
        excited = [np.eye(len(z)) / 2 - z for z in self._z]
        found = 0 * self._x[0]
        for i, first in enumerate(excited):
            for j in range(i):
                found = found + first @ excited[j] / (i - j) ** 6
        return found


class _Fermions:
    """Jordan and Wigner: modes in the order of the wires, 256 levels."""

    def __init__(self) -> None:
        lower, parity = np.array([[0.0, 1.0], [0.0, 0.0]]), np.diag([1.0, -1.0])
        strings = [
            [parity] * wire + [lower] + [np.eye(2)] * (FERMION_WIRES - wire - 1)
            for wire in range(FERMION_WIRES)
        ]
        self._c = [
            sparse.csr_array(reduce(sparse.kron, map(sparse.csr_array, string)))
            for string in strings
        ]
        self._n = [c.T @ c for c in self._c]

    def applied(self, gate: AtomGate, psi: State) -> State:
        if gate.name == "load":
            loaded: State = self._c[gate.wires[0]].T @ psi
            return loaded
        turned: State = expm_multiply(-1j * self._hamiltonian(gate), psi)
        return turned

    def _hamiltonian(self, gate: AtomGate) -> Any:
        c, n, wires = self._c, self._n, gate.wires
        if gate.name == "fint":
            return gate.params[0] * sum(n[2 * s] @ n[2 * s + 1] for s in range(4))
        found = 0 * n[0]
        for k, energy in enumerate(gate.params):
            for mode in wires[2 * k : 2 * k + 2]:
                there = c[mode + 2] if gate.name == "fhop" else c[mode]
                one_way = energy * c[mode].T @ there
                found = found + (one_way + one_way.T if gate.name == "fhop" else one_way)
        return found
