"""The cost of gates on cold atoms in a warm worker, beside the method of qlued's own simulators.

That is `scipy.sparse.linalg.expm_multiply` for spins, whose time grows with the angle, and a dense
`expm` of 256 × 256 for fermions. Times are CPU times on one thread: for ours from a circuit to its
outcome, for the original of the exponential alone. Prints one JSON object per line; `make bench`
shows a table.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import reduce
from itertools import pairwise
from math import pi, prod
from multiprocessing.connection import Connection
from typing import Any, Final, Literal

os.environ.setdefault("OMP_NUM_THREADS", "1")  # as in a worker; read when NumPy is imported
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import msgspec
import numpy as np
from scipy import linalg, sparse
from scipy.sparse.linalg import expm_multiply

from benchmarks.figures import best_ms
from qwicket.circuits.atom_costs import spectrum
from qwicket.circuits.atoms import AtomCircuit, AtomGate
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import SAMPLES
from qwicket.engines.atoms import engine

_OPTIONS: Final = RunOptions(shots=1, seed=1, outputs=(SAMPLES,))
_TIMEOUT_S: Final = 10.0
_MAX_RATIO: Final = 1.1
_MODES: Final = 8

Atoms = tuple[int, ...]


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A circuit of one gate, and the gate's Hamiltonian if the original method is measured, too."""

    name: str
    circuit: AtomCircuit
    hamiltonian: Callable[[], Any] | None = None


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """CPU milliseconds: the best of several runs of ours, and one of the original.

    Attributes:
        name: Name of the case.
        ours_ms: Ours.
        original_ms: The original's; None if it was not measured, or took over ten seconds.
        is_cut: Whether the original took over ten seconds.
    """

    name: str
    ours_ms: float
    original_ms: float | None = None
    is_cut: bool = False

    @property
    def is_within(self) -> bool | None:
        if self.original_ms is None:
            return True if self.is_cut else None
        return self.ours_ms <= _MAX_RATIO * self.original_ms


def cases() -> Iterator[Case]:
    for name, chi in (("0.3", 0.3), ("π", pi), ("20 π", 20 * pi)):
        yield _spins(f"rlz2 {name}, N = 500", (500,), "rlz2", (chi,))
    yield _spins("rlx π, N = 500", (500,), "rlx", (pi,))
    for power in (2, 4, 5, 6):
        params = (1.0, 0.5, 10.0**power)
        yield _spins(f"rydberg_full, 5 wires, φ = 10^{power}", (1,) * 5, "rydberg_full", params)
    for n in (63, 89):
        yield _spins(f"rlxly, two wires of {n} atoms", (n, n), "rlxly", (0.4,))
    two, five = (63, 63), (5,) * 5
    yield from (_all_wires(two, 56), _all_wires(two, 1700))
    yield from (_all_wires(five, 44), _all_wires(five, 1300))
    hop = AtomGate("fhop", (0, 1, 2, 3), (0.7,))
    yield Case(
        name="fhop, 8 modes",
        circuit=AtomCircuit("fermions", (), (hop,), (0,), 1),
        hamiltonian=_hop,
    )
    yield _million("5 two-level wires", "spins", (1,) * 5)
    yield _million("N = 500", "spins", (500,))
    yield _million("8 fermion modes", "fermions", ())


def _spins(name: str, atoms: Atoms, gate: str, params: tuple[float, ...]) -> Case:
    wires = tuple(range(len(atoms)))
    made = AtomGate(gate, wires, params)
    circuit = AtomCircuit("spins", atoms, (made,), wires, 1)
    return Case(name=name, circuit=circuit, hamiltonian=lambda: _hamiltonian(made, atoms))


def _all_wires(atoms: Atoms, radius: float) -> Case:
    """Return `multiqudit_full` with parameters in fixed proportions and levels within ±radius."""
    wires = tuple(range(len(atoms)))
    unit = (1.0, 0.5, 0.01, 0.01, 0.01)
    scale = radius / spectrum(AtomGate("multiqudit_full", wires, unit), atoms).radius
    params = tuple([scale * each for each in unit])
    dimension = prod(n + 1 for n in atoms)
    name = f"multiqudit_full, dimension {dimension}, half-width {radius}"
    return _spins(name, atoms, "multiqudit_full", params)


def _million(name: str, kind: Literal["spins", "fermions"], atoms: Atoms) -> Case:
    wires = tuple(range(len(atoms) or _MODES))
    gates = tuple([AtomGate("rlx", (wire,), (1.0,)) for wire, _ in enumerate(atoms)])
    if kind == "fermions":
        loads = tuple([AtomGate("load", (wire,)) for wire in (0, 3)])
        gates = (*loads, AtomGate("fhop", wires, (0.7, 0.9, 1.1)))
    circuit = AtomCircuit(kind, atoms, gates, wires, 1_000_000)
    return Case(name=f"10^6 shots, {name}", circuit=circuit)


# --- the original method --------------------------------------------------------------------------


def _hamiltonian(gate: AtomGate, atoms: Atoms) -> Any:
    """Return the Hamiltonian of a gate on all wires, as `circuits.atoms` defines it."""
    lx = [_on(wire, (_raising(n) + _raising(n).T) / 2, atoms) for wire, n in enumerate(atoms)]
    lz = [_on(wire, sparse.diags(_m(n)), atoms) for wire, n in enumerate(atoms)]
    up = [_on(wire, _raising(n), atoms) for wire, n in enumerate(atoms)]
    exchange = sum((a @ b.T + a.T @ b for a, b in pairwise(up)), start=0 * lz[0])
    ising = sum((a @ b for a, b in pairwise(lz)), start=0 * lz[0])
    twist = sum(each @ each for each in lz)
    match gate.name, gate.params:
        case "rlx", (omega,):
            return omega * lx[0]
        case "rlz2", (chi,):
            return chi * twist
        case "rlxly", (coupling,):
            return coupling * exchange
        case "rydberg_full", (omega, delta, phi):
            return omega * sum(lx) + delta * sum(lz) + phi * _blockade(lz)
    omega, delta, chi, j, jz = gate.params
    return omega * sum(lx) + delta * sum(lz) + chi * twist + j * exchange + jz * ising


def _m(n: int) -> Any:
    return n / 2 - np.arange(n + 1)


def _raising(n: int) -> Any:
    k = np.arange(1, n + 1)
    return sparse.diags(np.sqrt(k * (n - k + 1)), 1)


def _on(wire: int, operator: Any, atoms: Atoms) -> Any:
    each = [operator if k == wire else sparse.identity(n + 1) for k, n in enumerate(atoms)]
    return reduce(sparse.kron, each).tocsc()


def _blockade(lz: list[Any]) -> Any:
    one = sparse.identity(lz[0].shape[0])
    excited = [one / 2 - each for each in lz]
    pairs = [(i, j) for i in range(len(lz)) for j in range(i)]
    return sum(excited[i] @ excited[j] / (i - j) ** 6 for i, j in pairs)


def _hop() -> Any:
    """Return a hop between the first two sites, by Jordan and Wigner, as a dense matrix."""
    sign, lower = np.diag([1.0, -1.0]), np.array([[0.0, 1.0], [0.0, 0.0]])
    modes = [
        reduce(np.kron, [sign] * k + [lower] + [np.eye(2)] * (_MODES - k - 1))
        for k in range(_MODES)
    ]
    one_way = modes[0].T @ modes[2] + modes[1].T @ modes[3]
    return 0.7 * (one_way + one_way.T)


def _original(case: Case, results: Connection) -> None:
    assert case.hamiltonian is not None
    hamiltonian = case.hamiltonian()
    state = np.zeros(hamiltonian.shape[0], dtype=complex)
    state[0] = 1.0
    began = time.process_time()
    if sparse.issparse(hamiltonian):
        expm_multiply(-1j * hamiltonian, state)
    else:
        linalg.expm(-1j * hamiltonian) @ state
    results.send(1_000 * (time.process_time() - began))


def _original_ms(case: Case) -> float | None:
    """Run the original method once, in a process that is killed after ten seconds."""
    here, there = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_original, args=(case, there))
    process.start()
    try:
        return float(here.recv()) if here.poll(_TIMEOUT_S) else None
    finally:
        process.kill()
        process.join()


# --- ours -----------------------------------------------------------------------------------------


def measure(seconds: float) -> Iterator[Cost]:
    """Yield what each case costs, as it is known; each figure takes some seconds."""
    for case in cases():
        yield _cost(case, seconds)


def _cost(case: Case, seconds: float) -> Cost:
    ours_ms = best_ms(lambda: engine.run(case.circuit, _OPTIONS, 0), seconds)
    if case.hamiltonian is None:
        return Cost(name=case.name, ours_ms=ours_ms)
    original_ms = _original_ms(case)
    return Cost(
        name=case.name, ours_ms=ours_ms, original_ms=original_ms, is_cut=original_ms is None
    )


if __name__ == "__main__":
    for cost in measure(float(sys.argv[1])):
        sys.stdout.buffer.write(msgspec.json.encode(cost) + b"\n")
        sys.stdout.flush()
        sys.stderr.write(f"{cost.name}: {cost.ours_ms:.3g} ms\n")
