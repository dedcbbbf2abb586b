"""Engines that a job may name: which are installed, and which jobs each cannot run.

Imported by the server: no NumPy, no simulator.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from typing import Final

from qwicket.circuits.noise import NoiseModel
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import PROBABILITIES
from qwicket.circuits.summary import Summary

STATE_VECTOR: Final = "statevector"
CLIFFORD: Final = "clifford"
QSIM: Final = "qsim"
MPS: Final = "aer-mps"

MAX_BOND_BITS: Final = 10
"""log2 of the largest bond of `aer-mps`. With it a gate on two neighbours takes about 40 s, and
eight times as long for each further bit."""

_PACKAGES: Final[Mapping[str, str]] = {
    STATE_VECTOR: "numpy",
    CLIFFORD: "stim",
    QSIM: "qsimcirq",
    MPS: "qiskit_aer",
}


@cache
def list_installed() -> tuple[str, ...]:
    """Return the engines whose package is installed, without importing them."""
    return tuple([name for name, package in _PACKAGES.items() if find_spec(package)])


def unsupported_reason(summary: Summary, options: RunOptions) -> str | None:
    """Return why the engine named in the options cannot run a job, as a clause, or None."""
    if options.engine == CLIFFORD:
        fits = fits_stabilizers(summary, options.noise)
        return None if fits else "it runs Clifford circuits, with Pauli noise at most"
    if options.engine not in (QSIM, MPS):
        return None
    if options.noise is not None:
        return "it does not simulate noise"
    if summary.n_splits or summary.n_branches:
        return "it runs only circuits that measure at their end"
    if options.engine == QSIM:
        has_exact = PROBABILITIES in options.outputs
        return "it computes in single precision and gives no probabilities" if has_exact else None
    if summary.n_bond_bits > MAX_BOND_BITS:
        return f"the circuit may entangle more than a bond of {1 << MAX_BOND_BITS} holds"
    return None


def fits_stabilizers(summary: Summary, noise: NoiseModel | None) -> bool:
    """Return whether a stabilizer simulator can run a job."""
    if noise is None:
        return summary.is_clifford
    return summary.is_clifford and not (summary.n_branches or _is_damped(noise))


def _is_damped(noise: NoiseModel) -> bool:
    """Return whether some gate has amplitude damping, which is not a mixture of Paulis."""
    gates = [noise.one_qubit, noise.two_qubit, noise.multi_qubit, *noise.gates.values()]
    for site in noise.sites:
        gates += [site.default, site.multi_qubit, *site.gates.values()]
    found = [each for each in gates if each is not None]
    longest = max(each.duration_s for each in found)
    relaxations = (noise.relaxation, *noise.relaxation_of.values())
    return any(each.amplitude_damping for each in found) or any(
        each.during(longest).amplitude_damping for each in relaxations
    )
