"""Exact gradients of expectation values, by the adjoint method.

Source: Jones and Gacon, "Efficient calculation of gradients in classical simulations of
variational quantum algorithms", arXiv:2009.02823. One pass from the end of the circuit to its first
gate with a parameter gives the derivatives with respect to all angles.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import pi, sqrt
from typing import Final

import msgspec
import numpy as np

from qwicket.circuits.qubit import Gate, Readout
from qwicket.engines.qubit.gates import dense
from qwicket.engines.qubit.observables import Complexes, Floats, apply_matrix, times

_SHIFTS: Final = ((pi, (1 - sqrt(2)) / 4), (pi / 2, 0.5))
"""Shifts of an angle, and the weights of the differences f(x + shift) - f(x - shift).

Entries of gates are sums of exp(iwx) with |w| = 0, 1/2 and 1 in each angle x. For these frequencies
2 * sum(weight * sin(w * shift)) is w, so the weighted sum of the differences is the derivative.
"""


def gradient(value: Readout, psi: Complexes, gates: Sequence[Gate]) -> Floats:
    """Return an expectation value, and its derivatives with respect to all parameters.

    Args:
        value: Observable, the sum of its products times their coefficients, and parameters.
        psi: State after the gates, of shape (2,) * qubits; axis q is qubit q.
        gates: Gates of the circuit, in time order.

    Returns:
        The value, then one derivative for each parameter: shape (1 + parameters,).
    """
    # By gate: angle that depends on a parameter, the parameter's place in the result, slope.
    weights: dict[int, list[tuple[int, int, float]]] = defaultdict(list)
    for place, parameter in enumerate(value.parameters, start=1):
        for index, angle, slope in parameter.slopes:
            weights[index].append((angle, place, slope))
    found = np.zeros(1 + len(value.parameters))
    bra = np.zeros_like(psi)
    for coefficient, product in zip(value.coefficients, value.products, strict=True):
        bra = bra + coefficient * times(product, psi)
    found[0] = np.vdot(psi, bra).real
    # Slopes number the gates without global phases.
    counted = [gate for gate in gates if gate.name != "gphase" or gate.controls]
    for number in range(len(counted) - 1, min(weights, default=len(counted)) - 1, -1):
        gate = counted[number]
        matrix, qubits = dense(gate)
        undone = matrix.conj().T
        # Now psi is the state before the gate. Until the end of the loop, bra is the observable
        # applied to the last state, taken back to after the gate: the derivative with respect to an
        # angle is 2 Re <bra| dU/dangle |psi>.
        psi = apply_matrix(psi, undone, qubits)
        derivatives: dict[int, float] = {}
        for angle, place, slope in weights.get(number, ()):
            if angle not in derivatives:
                turned = apply_matrix(psi, _derivative(gate, angle), qubits)
                derivatives[angle] = 2 * float(np.vdot(bra, turned).real)
            found[place] += slope * derivatives[angle]
        bra = apply_matrix(bra, undone, qubits)
    return found


def _derivative(gate: Gate, angle: int) -> Complexes:
    """Return the derivative of a gate's matrix with respect to one of its angles."""

    def shifted(by: float) -> Complexes:
        params = list(gate.params)
        params[angle] += by
        return dense(msgspec.structs.replace(gate, params=tuple(params)))[0]

    first, *others = [weight * (shifted(shift) - shifted(-shift)) for shift, weight in _SHIFTS]
    return sum(others, start=first)
