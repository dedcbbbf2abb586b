"""Converts the instructions `unitary` and `initialize` to gates, and checks their parameters."""

from __future__ import annotations

from cmath import phase
from collections.abc import Iterator, Sequence
from math import atan2, fsum, hypot
from operator import mul
from typing import Final

from qwicket.circuits.qubit import Gate, Reset
from qwicket.model.limits import Limits
from qwicket.programs.json_text import FieldError, check_limit
from qwicket.vendors.ibm.qobj.wire import Instruction

_TOLERANCE: Final = 1e-8
"""Tolerance of each entry of U U† from the identity, and of a squared norm from 1."""

_LETTERS: Final = {"0": "", "1": "x", "+": "h", "-": "x h", "r": "h s", "l": "h sdg"}
"""The gates that make each state of one qubit from |0⟩."""


def unitary(instruction: Instruction, limits: Limits) -> Gate:
    """Return a matrix as a gate; the first qubit is the least significant bit of row and column.

    Raises:
        FieldError: There are no qubits, or the parameter is not a unitary matrix of their size.
        LimitExceeded: The matrix acts on too many qubits.
    """
    params, qubits = instruction.params, instruction.qubits
    check_limit("matrix_qubits", len(qubits), limits.programs.matrix_qubits)
    if not qubits or len(params) != 1 or not isinstance(params[0], tuple):
        raise FieldError("takes at least one qubit and one matrix", "params")
    size = 1 << len(qubits)
    rows = [row for row in params[0] if isinstance(row, tuple) and len(row) == size]
    if not len(rows) == len(params[0]) == size:
        raise FieldError(f"params[0] must be {size} rows of {size} numbers", "params[0]")
    matrix = [_numbers(row, f"params[0][{index}]") for index, row in enumerate(rows)]
    if not _is_unitary(matrix):
        raise FieldError("params[0] is not a unitary matrix", "params[0]")
    flat = tuple([part for row in matrix for entry in row for part in (entry.real, entry.imag)])
    # The first target of a flat gate is the most significant bit.
    return Gate("unitary", qubits[::-1], flat)


def initialize(instruction: Instruction, n_ops: int, limits: Limits) -> Iterator[Reset | Gate]:
    """Yield the operations that reset qubits and prepare a state on them.

    Args:
        instruction: Its parameters are all amplitudes, one whole number, or the letters of a
            label; the first qubit is the least significant bit and has the last letter.
        n_ops: Operations of the program so far.
        limits: Bounds on the number of operations.

    Raises:
        FieldError: The parameters are not a normalised state of the qubits.
        LimitExceeded: The preparation needs too many operations.
    """
    qubits, params = instruction.qubits, instruction.params
    if not qubits:
        raise FieldError("takes at least one qubit", "qubits")
    yield from map(Reset, qubits)
    letters = [value for value in params if isinstance(value, str)]
    if params and len(letters) == len(params):
        yield from _labelled("".join(letters), qubits)
    # A single number is not an amplitude: even one qubit has two.
    elif len(params) == 1:
        yield from _numbered(_numbers(params, "params")[0], qubits)
    else:
        # Bounded first, because 2^n of thousands of qubits is a number of thousands of digits.
        if len(qubits) > 62 or len(params) != 1 << len(qubits):
            raise FieldError(f"takes 2^{len(qubits)} amplitudes, not {len(params)}", "params")
        # Checked first: a state without zeros needs about two or three gates for each amplitude.
        check_limit("operations", n_ops + len(params), limits.programs.operations, " or more")
        yield from prepare_state(_amplitudes(params), qubits)


def _numbers(values: Sequence[object], field: str) -> list[complex]:
    """Return real and complex numbers, without a bound on their size."""
    found = []
    for index, value in enumerate(values):
        match value:
            case float():
                found.append(complex(value))
            case (float() as real, float() as imaginary):
                found.append(complex(real, imaginary))
            case _:
                raise FieldError("params must be numbers, or pairs of them", f"{field}[{index}]")
    return found


def _is_unitary(rows: Sequence[Sequence[complex]]) -> bool:
    """Return whether U U† is 1. Computed without NumPy, so that the server need not import it."""
    if not all(_is_small(entry) for row in rows for entry in row):
        return False
    for place, row in enumerate(rows):
        conjugated = [entry.conjugate() for entry in row]
        # U U† is Hermitian, so its lower half is enough.
        for other in range(place + 1):
            product = sum(map(mul, conjugated, rows[other]))
            if abs(product - (place == other)) > _TOLERANCE:
                return False
    return True


def _is_small(number: complex) -> bool:
    """Return whether a number may be an entry or amplitude; squares of large ones may overflow."""
    return abs(number.real) < 2 and abs(number.imag) < 2


def _amplitudes(params: Sequence[object]) -> list[complex]:
    amplitudes = _numbers(params, "params")
    parts = [part for each in amplitudes for part in (each.real, each.imag)]
    if not all(map(_is_small, parts)) or abs(fsum(map(mul, parts, parts)) - 1) > _TOLERANCE:
        raise FieldError("the squares of the amplitudes do not add up to 1", "params")
    return amplitudes


def _labelled(label: str, qubits: tuple[int, ...]) -> Iterator[Gate]:
    if len(label) != len(qubits) or not set(label) <= _LETTERS.keys():
        known = " ".join(_LETTERS)
        raise FieldError(f"takes a label of {len(qubits)} letters out of {known}", "params")
    for qubit, letter in zip(qubits, reversed(label), strict=True):
        for name in _LETTERS[letter].split():
            yield Gate(name, (qubit,))


def _numbered(number: complex, qubits: tuple[int, ...]) -> Iterator[Gate]:
    # Above 2^53 a float does not hold every integer, so another state might be meant.
    if number.imag or not number.real.is_integer() or not 0 <= number.real < 2.0**53:
        raise FieldError("takes amplitudes, a whole number or a label", "params[0]")
    state = int(number.real)
    if state >> len(qubits):
        raise FieldError(f"the state {state} does not fit {len(qubits)} qubits", "params[0]")
    for place, qubit in enumerate(qubits):
        if state >> place & 1:
            yield Gate("x", (qubit,))


def prepare_state(amplitudes: Sequence[complex], qubits: Sequence[int]) -> Iterator[Gate]:
    """Yield the gates that prepare a state from |0…0⟩, up to a global phase.

    From the most significant qubit down, each qubit is rotated by one angle for each state of the
    qubits above it (Möttönen et al., quant-ph/0407010, section 3, without their decomposition of
    controlled gates); the last one gets the phases as well.

    Args:
        amplitudes: 2^n of them, normalised.
        qubits: The first is the least significant bit.
    """
    # Norms of the parts of the state in which the qubits above have certain values: the ratio of
    # two neighbours gives the angle of a rotation.
    levels = [[abs(amplitude) for amplitude in amplitudes]]
    while len(levels[-1]) > 1:
        norms = levels[-1]
        levels.append([hypot(*norms[k : k + 2]) for k in range(0, len(norms), 2)])
    # Controls act on |1⟩, so those that must be |0⟩ are flipped before. They are flipped back only
    # when the next gates need it; bit k of `flipped` is the k-th control.
    flipped = 0
    for level, norms in enumerate(reversed(levels[:-1])):
        controls, target = tuple(qubits[len(qubits) - level :]), qubits[-1 - level]
        is_last = level == len(qubits) - 1
        for number in range(1 << level):
            above = number ^ number >> 1  # Gray code: one bit changes from each value to the next
            pair = slice(2 * above, 2 * above + 2)
            phases = [phase(each) if each else None for each in amplitudes[pair]] if is_last else []
            gates = list(_turns(controls, target, norms[pair], phases))
            if gates:
                wanted = ~above & (1 << level) - 1
                yield from _flips(flipped ^ wanted, qubits, level)
                yield from gates
                flipped = wanted
        flipped <<= 1  # the target becomes the lowest control of the next level
    yield from _flips(flipped >> 1, qubits, len(qubits) - 1)


def _turns(
    controls: tuple[int, ...],
    target: int,
    norms: Sequence[float],
    phases: Sequence[float | None],
) -> Iterator[Gate]:
    # Gates that would change nothing are left out: many states are mostly zeros.
    if norms[1]:
        yield Gate("ry", (target,), (2 * atan2(norms[1], norms[0]),), controls)
    known = [each for each in phases if each is not None]
    if not known:
        return
    if known[-1] != known[0]:
        yield Gate("rz", (target,), (known[-1] - known[0],), controls)
    if controls and known[-1] + known[0]:
        yield Gate("gphase", (), ((known[-1] + known[0]) / 2,), controls)


def _flips(bits: int, qubits: Sequence[int], n_controls: int) -> Iterator[Gate]:
    """Flip the controls whose bits are set."""
    for place, qubit in enumerate(qubits[len(qubits) - n_controls :]):
        if bits >> place & 1:
            yield Gate("x", (qubit,))
