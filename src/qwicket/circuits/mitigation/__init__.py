"""Error mitigation of expectation values: circuits in, more circuits out, and their combination.

Readout errors are mitigated by twirled readout error extinction (TREX; van den Berg, Minev and
Temme, Phys. Rev. A 105, 032620, 2022). Random qubits are flipped before they are measured, so that
readout errors only scale each Pauli, by a factor that runs without a circuit show.

Errors of gates are mitigated by zero-noise extrapolation (Temme, Bravyi and Gambetta, Phys. Rev.
Lett. 119, 180509, 2017). Gates are folded, G to G G⁻¹ G, and the values extrapolated to no noise.

`runs` plans the circuits, `extrapolation` fits. Every device runs the circuits as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MAX_DEGREE: Final = 7

EXTRAPOLATORS: Final[Mapping[str, int]] = {
    "linear": 2,
    "exponential": 2,
    "fallback": 1,
    **{f"polynomial_degree_{degree}": degree + 1 for degree in range(1, MAX_DEGREE + 1)},
}
"""Extrapolators, with the number of different noise factors that each needs."""
