"""Fermions on four sites, as a matrix: configurations of the up spins by those of the down spins.

With all up modes before all down modes, hops of neighbours have no sign strings; loading has.
Bit s of a configuration is site s.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qwicket.circuits.atoms import FERMION_SITES, AtomCircuit, AtomGate
from qwicket.engines.failures import CannotRun

State = NDArray[np.complex128]
Floats = NDArray[np.float64]

_SIZE: Final = 1 << FERMION_SITES
_SITES: Final = np.arange(FERMION_SITES)
_FILLED: Final = (np.arange(_SIZE)[:, None] >> _SITES) & 1
"""Atoms of each configuration on each site."""
_ROUNDING: Final = 1e-9
"""Probability up to which a site counts as empty."""


def evolve(circuit: AtomCircuit) -> State:
    """Return the state after all gates, one axis per wire, from the state without atoms.

    Raises:
        CannotRun: An atom is loaded onto a wire that may hold one already.
    """
    psi: State = np.zeros((_SIZE, _SIZE), dtype=complex)
    psi[0, 0] = 1.0
    for gate in circuit.gates:
        psi = _applied(gate, psi)
    return _by_wire(psi)


def _applied(gate: AtomGate, psi: State) -> State:
    """Return the state after a gate."""
    sites = [wire // 2 for wire in gate.wires[::2]]
    match gate.name:
        case "load":
            return _loaded(psi, gate.wires[0])
        case "fhop":
            energies, vectors = np.linalg.eigh(_hops(sites, gate.params))
            evolution: State = (vectors * np.exp(-1j * energies)) @ vectors.T
            return evolution @ psi @ evolution.T
        case "fint":
            return psi * np.exp(-1j * gate.params[0] * (_FILLED @ _FILLED.T))
    assert gate.name == "fphase"
    phases = np.exp(-1j * (_FILLED[:, sites] @ np.array(gate.params)))
    return psi * np.outer(phases, phases)


def _hops(sites: list[int], energies: tuple[float, ...]) -> Floats:
    """Return the hopping energies of one spin as a symmetric matrix, `_SIZE` × `_SIZE`.

    There is one energy for each site and the next, so none for the last site.
    """
    found: Floats = np.zeros((_SIZE, _SIZE))
    for site, energy in zip(sites, energies, strict=False):
        found += energy * _hop(site)
    return found


@cache
def _hop(site: int) -> Floats:
    """Return c†_s c_{s+1} + h.c. of one spin; neighbours need no sign string."""
    found: Floats = np.zeros((_SIZE, _SIZE))
    for here in np.flatnonzero(_FILLED[:, site] > _FILLED[:, site + 1]):
        there = here ^ (0b11 << site)
        found[here, there] = found[there, here] = 1.0
    return found


def _loaded(psi: State, wire: int) -> State:
    """Return the state with one more atom; its sign is the parity of the atoms in modes before."""
    site, is_down = divmod(wire, 2)
    own_spin_first = psi.T if is_down else psi
    filled = _FILLED[:, site].astype(bool)
    occupied = float(np.sum(np.abs(own_spin_first[filled]) ** 2))
    if occupied > _ROUNDING:
        text = f"load: wire {wire} holds an atom already, with probability {occupied:.3g}"
        raise CannotRun("invalid_circuit", text)
    signs = (-1.0) ** _FILLED[~filled, :site].sum(axis=1)
    loaded = np.zeros_like(own_spin_first)
    loaded[filled] = (
        signs[:, None] * own_spin_first[~filled]
    )  # both in ascending order: pairs of one bit
    if is_down:
        loaded *= (-1.0) ** _FILLED.sum(axis=1)
    return loaded.T if is_down else loaded


def _by_wire(psi: State) -> State:
    """Return the amplitudes with an axis per wire: site by site, up before down."""
    axes = psi.reshape((2,) * (2 * FERMION_SITES))  # up sites 3 to 0, then down sites 3 to 0
    last = FERMION_SITES - 1
    order = [axis for s in range(FERMION_SITES) for axis in (last - s, FERMION_SITES + last - s)]
    return axes.transpose(order)
