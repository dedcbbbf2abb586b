"""Engines that a job may name: which are installed, and which jobs each cannot run.

The server imports this module, so it imports neither NumPy nor a simulator.
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
"""log2 of the largest bond dimension that `aer-mps` accepts. At this one a gate on two neighbours
takes about 40 s; each further bit multiplies the time by eight."""

_PACKAGES: Final[Mapping[str, str]] = {
    STATE_VECTOR: "numpy",  # which runs it where Qulacs is missing
    CLIFFORD: "stim",
    QSIM: "qsimcirq",
    MPS: "qiskit_aer",
}


@cache
def list_installed() -> tuple[str, ...]:
    """Return the engines whose package is installed, without importing the packages."""
    return tuple([name for name, package in _PACKAGES.items() if find_spec(package)])


def unsupported_reason(summary: Summary, options: RunOptions) -> str | None:
    """Return why the engine named in the options cannot run a job, or None.

    The text completes the sentence "X does not run this: …".
    """
    if options.engine == CLIFFORD:
        if fits_stabilizers(summary, options.noise):
            return None
        return "it runs Clifford circuits; noise must be Pauli noise, and then without conditions"
    if options.engine not in (QSIM, MPS):
        return None
    if options.noise is not None:
        return "it does not simulate noise"
    if summary.n_splits or summary.n_branches:
        return "it runs only circuits that measure at their end"
    if options.engine == QSIM:
        # `aer-mps` returns counts in their place.
        has_exact = PROBABILITIES in options.outputs
        return "it computes in single precision and gives no probabilities" if has_exact else None
    if summary.n_bond_bits > MAX_BOND_BITS:
        return f"the circuit may need a bond dimension above {1 << MAX_BOND_BITS}"
    return None


def fits_stabilizers(summary: Summary, noise: NoiseModel | None) -> bool:
    """Return whether a stabilizer simulator can run a job.

    It runs any Clifford circuit without noise. Noise must be Pauli noise, and then no
    operation may depend on a measured bit: the operation may be noisy, or the bit recorded wrong.
    """
    if noise is None:
        return summary.is_clifford
    return summary.is_clifford and not (summary.n_branches or _is_damped(noise, summary.delay_s))


def _is_damped(noise: NoiseModel, delay_s: float) -> bool:
    """Return whether a gate of the model, or relaxation during it or a delay, damps amplitudes."""
    gates = [noise.one_qubit, noise.two_qubit, noise.multi_qubit, *noise.gates.values()]
    for site in noise.sites:
        gates += [site.default, site.multi_qubit, *site.gates.values()]
    found = [each for each in gates if each is not None]
    # Relaxation damps during every gate that takes time, so the longest gate is enough.
    longest = max(delay_s, *(each.duration_s for each in found))
    return any(each.amplitude_damping for each in found) or any(
        each.during(longest).amplitude_damping for each in noise.relaxations
    )
