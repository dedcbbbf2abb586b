"""Exact probabilities of Clifford circuits that measure at their end, at any width.

All possible outcomes are equally likely. Each is the sum, over GF(2), of one fixed outcome and some
X parts of the state's stabilizers (Dehaene and De Moor, Phys. Rev. A 68, 042318, 2003).

Keys are integers here; bit i is classical bit i.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import stim

from qwicket.engines.qubit.clifford import Stabilizers
from qwicket.engines.qubit.cost import max_listed


def support(plan: Stabilizers, n_bits: int, max_outcomes: int) -> list[int] | None:
    """Return the possible outcomes, ascending, or None if they are too many.

    Args:
        plan: A circuit of gates and then measurements, without noise.
        n_bits: Classical bits.
        max_outcomes: Limit on possible outcomes; `max_listed` lowers it for long keys.
    """
    reference = stim.Circuit(plan.text).reference_sample()
    one = sum(1 << bit for bit, record in plan.record_of.items() if reference[record])
    basis = reduce_basis(_x_parts(plan, n_bits), max_listed(n_bits, max_outcomes).bit_length() - 1)
    return None if basis is None else span(one, basis)


def reduce_basis(vectors: Iterable[int], maximum: int) -> list[int] | None:
    """Return a basis, ascending, in which no vector has the top bit of another.

    None where it would have more than `maximum` vectors.
    """
    basis: list[int] = []
    for vector in vectors:
        for known in basis:
            vector = min(vector, vector ^ known)
        if not vector:
            continue
        if len(basis) == maximum:
            return None
        top = vector.bit_length() - 1
        basis = [known ^ vector if known >> top & 1 else known for known in basis]
        basis.append(vector)
    return sorted(basis)


def span(origin: int, basis: Sequence[int]) -> list[int]:
    """Return `origin` plus all sums of a reduced basis, ascending."""
    for vector in basis:
        origin = min(origin, origin ^ vector)
    found = [origin]
    for vector in basis:
        found += [vector ^ other for other in found]
    return found


def _x_parts(plan: Stabilizers, n_bits: int) -> list[int]:
    """Return the X parts of the state's stabilizers, as the classical bits that show them."""
    lines = plan.text.splitlines()  # gates, then measurements
    gates = stim.Circuit("\n".join(lines[: len(lines) - plan.n_records]))
    tableau = stim.Tableau.from_circuit(gates)
    _, _, z_to_x, *_ = tableau.to_numpy()
    shown = np.zeros((len(tableau), n_bits), dtype=bool)
    for bit in plan.record_of:
        qubit = plan.measurements[bit]
        if qubit < len(tableau):  # else only identities act on it: it reads 0
            shown[:, bit] = z_to_x[:, qubit]
    rows = np.packbits(shown, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in rows]
