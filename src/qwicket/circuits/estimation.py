"""Expectation values by measurement: groups of Paulis, and the circuits that measure them.

Paulis with compatible bases on all qubits are measured together, grouped greedily in their order.
Basis changes use gates of superconducting machines, so that on a twin they are as noisy as on the
machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import pi
from typing import Final

from msgspec import structs

from qwicket.circuits.qubit import (
    Estimation,
    Gate,
    Measure,
    Mitigation,
    Op,
    Pauli,
    QubitCircuit,
    Register,
)

LETTERS: Final[Mapping[str, str]] = {
    **dict.fromkeys("Z01", "Z"),
    **dict.fromkeys("X+-", "X"),
    **dict.fromkeys("Yrl", "Y"),
}
"""Measurement basis of each letter of a `Pauli`: a projector is measured like its operator."""

PROJECTORS: Final[Mapping[str, int]] = {**dict.fromkeys("0+r", 1), **dict.fromkeys("1-l", -1)}
"""Eigenvalue of the state onto which a letter projects."""

Observable = tuple[tuple[Pauli, float], ...]
"""A sum of Paulis with their coefficients."""

EXACT_QUBITS: Final = 16
"""Limit on qubits of one exact run, which lists the probabilities of all outcomes."""

_BASES: Final = {"X": (1, 0), "Z": (0, 1), "Y": (1, 1)}
"""Bits of each basis: whether it contains X, and whether it contains Z (Y is i X Z)."""
_TURNS: Final[Mapping[str, tuple[tuple[str, tuple[float, ...]], ...]]] = {
    "X": (("rz", (pi / 2,)), ("sx", ())),
    "Y": (("sx", ()),),
    "Z": (),
}
"""Gates that map a basis to that of Z, with eigenvalue 1 to |0⟩."""


def estimation(
    observables: Sequence[Observable],
    max_groups: int,
    mitigation: Mitigation | None = None,
    *,
    is_exact: bool = False,
) -> Estimation:
    """Return the estimation of observables.

    Args:
        observables: Sums of Paulis.
        max_groups: As `maximum` of `group_paulis`.
        mitigation: Error mitigation, if any.
        is_exact: Whether values are computed without shots.
    """
    index_of: dict[Pauli, int] = {}
    sums = tuple(
        [
            tuple([(index_of.setdefault(pauli, len(index_of)), c) for pauli, c in terms])
            for terms in observables
        ]
    )
    paulis = tuple(index_of)
    groups = group_paulis(paulis, max_groups, is_exact=is_exact)
    return Estimation(paulis, groups, sums, is_exact, mitigation)


def n_terms_of(observable: Observable, is_split: bool) -> int:
    """Return the number of terms, with projectors split into Paulis or as they are."""
    if not is_split:
        return len(observable)
    return sum(1 << sum(map(pauli.letters.count, PROJECTORS)) for pauli, _ in observable)


def without_projectors(observable: Observable) -> Observable:
    """Return the same sum over X, Y and Z: a projector is (1 ± P)/2."""
    sums: dict[Pauli, float] = {}
    for pauli, factor in observable:
        terms: list[tuple[str, tuple[int, ...], float]] = [("", (), factor)]
        for letter, qubit in zip(pauli.letters, pauli.qubits, strict=True):
            operator = LETTERS[letter]
            grown = [(word + operator, (*qubits, qubit), c) for word, qubits, c in terms]
            if sign := PROJECTORS.get(letter):
                halves = [(word, qubits, c / 2) for word, qubits, c in terms]
                grown = halves + [(word, qubits, sign * c / 2) for word, qubits, c in grown]
            terms = grown
        for word, qubits, c in terms:
            key = Pauli(word, qubits)
            sums[key] = sums.get(key, 0.0) + c
    return tuple(sums.items())


def group_paulis(
    paulis: Sequence[Pauli], maximum: int, *, is_exact: bool = False
) -> tuple[tuple[int, ...], ...]:
    """Return groups of indices into `paulis`; the identity, a Pauli on no qubit, is left out.

    Args:
        paulis: Paulis to measure.
        maximum: Number of groups that the caller accepts. Grouping stops after one more, so that
            the caller sees that there are too many.
        is_exact: Whether groups must fit into an exact run, of at most `EXACT_QUBITS` qubits. A
            Pauli on more qubits is a group alone.
    """
    groups: list[list[int]] = []
    masks: list[tuple[int, int]] = []
    for index, pauli in enumerate(paulis):
        x, z = _masks(pauli)
        if not x | z:
            continue
        for number, (group_x, group_z) in enumerate(masks):
            # The bases differ on a qubit that both use, so one run cannot measure both.
            if (x ^ group_x | z ^ group_z) & (x | z) & (group_x | group_z):
                continue
            if is_exact and (x | z | group_x | group_z).bit_count() > EXACT_QUBITS:
                continue
            groups[number].append(index)
            masks[number] = (group_x | x, group_z | z)
            break
        else:
            groups.append([index])
            masks.append((x, z))
            if len(groups) > maximum:
                break
    return tuple(map(tuple, groups))


def _masks(pauli: Pauli) -> tuple[int, int]:
    x = z = 0
    for letter, qubit in zip(pauli.letters, pauli.qubits, strict=True):
        has_x, has_z = _BASES[LETTERS[letter]]
        x |= has_x << qubit
        z |= has_z << qubit
    return x, z


def measurement_circuit(circuit: QubitCircuit, group: Iterable[int]) -> QubitCircuit:
    """Return the circuit that measures a group; its last register has the bits of `qubits_read`."""
    assert circuit.estimation is not None
    bases = _bases(circuit.estimation, group)
    first = circuit.n_clbits
    ops: list[Op] = list(circuit.ops)
    for qubit, basis in bases.items():
        ops += [Gate(name, (qubit,), params) for name, params in _TURNS[basis]]
    ops += [Measure(qubit, first + bit) for bit, qubit in enumerate(bases)]
    registers = (*circuit.registers, Register("estimation", len(bases)))
    return structs.replace(circuit, ops=tuple(ops), registers=registers, estimation=None)


def qubits_read(estimation: Estimation, group: Iterable[int]) -> tuple[int, ...]:
    """Return the qubits that the run of a group reads, in the order of their bits."""
    return tuple(_bases(estimation, group))


def _bases(estimation: Estimation, group: Iterable[int]) -> dict[int, str]:
    bases: dict[int, str] = {}
    for index in group:
        pauli = estimation.paulis[index]
        bases.update(
            (qubit, LETTERS[letter])
            for letter, qubit in zip(pauli.letters, pauli.qubits, strict=True)
        )
    return dict(sorted(bases.items()))


def runs_and_upper_bound(circuit: QubitCircuit) -> tuple[int, QubitCircuit]:
    """Return the number of runs, and one circuit that costs at least as much as each of them.

    Without an estimation that is one run of the circuit itself. Otherwise the circuit measures all
    qubits of the estimation in X, the basis with the most gates.
    """
    if circuit.estimation is None:
        return 1, circuit
    groups = circuit.estimation.groups
    qubits = sorted({q for pauli in circuit.estimation.paulis for q in pauli.qubits})
    all_in_x = Estimation((Pauli("X" * len(qubits), tuple(qubits)),), ((0,),), ())
    return len(groups), measurement_circuit(structs.replace(circuit, estimation=all_in_x), (0,))
