"""The engines that a job may ask for by name: which are installed here, what each cannot run.

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
"""One gate on two neighbours takes about 40 s at this bond, and eight times as long at the next."""

_PACKAGES: Final[Mapping[str, str]] = {
    STATE_VECTOR: "numpy",
    CLIFFORD: "stim",
    QSIM: "qsimcirq",
    MPS: "qiskit_aer",
}


@cache
def installed() -> tuple[str, ...]:
    """Return the engines whose package is here; none of them is imported."""
    return tuple([name for name, package in _PACKAGES.items() if find_spec(package)])


def unsupported_reason(summary: Summary, options: RunOptions) -> str | None:
    """Say why the engine that the options name cannot run a job, in a clause; None if it can."""
    if options.engine == CLIFFORD:
        fits = fits_stabilizers(summary, options.noise)
        return None if fits else "it runs Clifford circuits, with Pauli noise at most"
    if options.engine not in (QSIM, MPS):
        return None
    if options.noise is not None:
        return "it knows no noise"
    if summary.n_splits or summary.n_branches:
        return "it runs circuits that measure at their end alone"
    if options.engine == QSIM:
        has_exact = PROBABILITIES in options.outputs
        return "it computes in single precision and gives no probabilities" if has_exact else None
    if summary.n_bond_bits > MAX_BOND_BITS:
        return f"the circuit may entangle more than a bond of {1 << MAX_BOND_BITS} holds"
    return None


def fits_stabilizers(summary: Summary, noise: NoiseModel | None) -> bool:
    """Say whether a stabilizer simulator runs a job."""
    if noise is None:
        return summary.is_clifford
    return summary.is_clifford and not (summary.n_branches or _is_damped(noise))


def _is_damped(noise: NoiseModel) -> bool:
    """Say whether amplitudes may decay after some gate, which no Paulis amount to."""
    gates = [noise.one_qubit, noise.two_qubit, noise.multi_qubit, *noise.gates.values()]
    for site in noise.sites:
        gates += [site.default, site.multi_qubit, *site.gates.values()]
    found = [each for each in gates if each is not None]
    longest = max(each.duration_s for each in found)
    relaxations = (noise.relaxation, *noise.relaxation_of.values())
    return any(each.amplitude_damping for each in found) or any(
        each.during(longest).amplitude_damping for each in relaxations
    )
