"""Encode results of a lab's function for the server: msgpack, compression, hash.

docs/agents.md describes the format. `InvalidOutcome` explains why a result does not fit.
"""

from __future__ import annotations

import hashlib
import zlib
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Complex, Integral, Real
from typing import Any, Final

import msgspec

from qwicket.agents.circuits import Measure, PhotonicCircuit, QubitCircuit
from qwicket.agents.program import Counts, Failed, Memory, Outcome, Program, Samples

_PLAIN_BYTES: Final = 1 << 10
"""Larger results are compressed."""

_Array = tuple[str, tuple[int, ...], bytes]
"""Dtype, shape and bytes of an array, in C order and little-endian."""


class InvalidOutcome(Exception):
    """A result is not what the job requested; the text gives the reason."""


@dataclass(frozen=True)
class Part:
    """An encoded result.

    Attributes:
        body: The result in msgpack, compressed by zlib if it is larger than 1 KiB.
        sha256: SHA-256 of the body, in hexadecimal.
    """

    body: bytes
    sha256: str


def encode_outcomes(
    outcomes: Outcome | Sequence[Outcome], program: Program, seconds: float
) -> list[Part | Failed]:
    """Encode the results of a lab's function, one part per circuit.

    Args:
        outcomes: One per circuit; a single one need not be in a list.
        program: The program.
        seconds: Run time of all circuits, in seconds.

    Raises:
        InvalidOutcome: Their number, kind or content is wrong.
    """
    several = [outcomes] if isinstance(outcomes, Counts | Memory | Samples | Failed) else outcomes
    if not isinstance(several, list | tuple) or len(several) != len(program.circuits):
        raise InvalidOutcome(
            f"there must be {len(program.circuits)} outcomes, one for each circuit"
        )
    return [_part(each, k, program, seconds) for k, each in enumerate(several)]


def _part(outcome: Outcome, number: int, program: Program, seconds: float) -> Part | Failed:
    if isinstance(outcome, Failed):
        if not all(isinstance(text, str) for text in (outcome.message, outcome.code)):
            raise InvalidOutcome(f"message and code of outcome {number} must be texts")
        return outcome
    circuit = program.circuits[number]
    notes = []
    registers: Sequence[Any] = ()
    if isinstance(outcome, Samples) and program.family != "qubit":
        is_binned = isinstance(circuit, PhotonicCircuit) and circuit.bins > 0
        arrays = {"samples": _samples(outcome, program.family, is_binned)}
    elif isinstance(circuit, QubitCircuit) and isinstance(outcome, Counts | Memory):
        registers = circuit.registers
        arrays = _bits(outcome, circuit.bits, program.outputs)
        notes = ["sampled_only"] if "probabilities" in program.outputs else []
        if not any(isinstance(each, Measure) for each in circuit.operations):
            notes.append("nothing_measured")
    else:
        wanted = "Counts or Memory" if program.family == "qubit" else "Samples"
        kind = type(outcome).__name__
        raise InvalidOutcome(
            f"outcome {number} is of the kind {kind}; the family {program.family} needs {wanted}"
        )
    raw = msgspec.msgpack.encode(
        {
            "registers": registers,
            "arrays": arrays,
            "engine": program.device,
            "engine_version": "",
            "seed": program.seed,
            "seconds": seconds,
            "notes": notes,
        }
    )
    body = raw if len(raw) <= _PLAIN_BYTES else zlib.compress(raw, 1)
    return Part(body, hashlib.sha256(body).hexdigest())


def _bits(outcome: Counts | Memory, n_bits: int, outputs: Sequence[str]) -> dict[str, _Array]:
    """Return the requested arrays. Counts follow from memory, not the reverse."""
    arrays: dict[str, _Array] = {}
    if isinstance(outcome, Memory):
        counts: dict[str, int] = Counter(outcome.shots)
    else:
        counts = {key: int(n) for key, n in outcome.counts.items() if n}
    if "memory" in outputs:
        if not isinstance(outcome, Memory):
            raise InvalidOutcome("the job requests memory: return Memory instead of Counts")
        arrays["memory"] = _keys(outcome.shots, n_bits)
    if "counts" in outputs or "probabilities" in outputs:
        arrays["keys"] = _keys(counts, n_bits)
        try:
            numbers = array("q", counts.values())
        except OverflowError:
            raise InvalidOutcome("a count is out of range") from None
        arrays["counts"] = ("<i8", (len(counts),), numbers.tobytes())
    return arrays


def _keys(texts: Iterable[str], n_bits: int) -> _Array:
    width = max(1, -(-n_bits // 8))
    known: dict[str, bytes] = {}
    rows = []
    for text in texts:
        if text not in known:
            known[text] = _key(text, n_bits, width)
        rows.append(known[text])
    return "|u1", (len(rows), width), b"".join(rows)


def _key(text: str, n_bits: int, width: int) -> bytes:
    if len(text) != n_bits or not set(text) <= {"0", "1"}:
        raise InvalidOutcome(f"{text[:40]!r} must be {n_bits} characters 0 or 1")
    return (int(text, 2) if n_bits else 0).to_bytes(width, "little")


def _samples(outcome: Samples, family: str, is_binned: bool) -> _Array:
    rows = outcome.shots
    columns = len(rows[0]) if len(rows) else 0
    if any(len(row) != columns for row in rows):
        raise InvalidOutcome("shots have different numbers of readings")
    numbers = [number for row in rows for number in row]
    dtype, data = _numbers(numbers, family)
    return dtype, ((len(rows), 1, columns) if is_binned else (len(rows), columns)), data


def _numbers(numbers: Sequence[Any], family: str) -> tuple[str, bytes]:
    try:
        # Abstract kinds, because most types of NumPy do not derive from those of Python. Atoms
        # need none: their samples are whole numbers.
        kinds = {kind for kind in set(map(type, numbers)) if family != "atoms"}
        if any(issubclass(kind, Complex) and not issubclass(kind, Real) for kind in kinds):
            pairs = [part for each in numbers for part in (each.real, each.imag)]
            return "<c16", array("d", pairs).tobytes()
        if any(issubclass(kind, Real) and not issubclass(kind, Integral) for kind in kinds):
            return "<f8", array("d", numbers).tobytes()
        whole = [int(each) for each in numbers]
        if whole != numbers:
            raise InvalidOutcome("a sample is not a whole number")
        dtype, code = ("<i2", "h") if family == "atoms" else ("<i8", "q")
        return dtype, array(code, whole).tobytes()
    except (OverflowError, TypeError, ValueError):
        raise InvalidOutcome("a sample is not a number, or out of range") from None
