"""Results of circuits, in the form that workers encode and dialects translate.

Bits: classical bit 0 is the first bit of the first register and the least significant bit of a
key. A key of n bits is stored as ceil(n/8) bytes, but at least one, little-endian.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Mapping
from itertools import repeat
from math import prod
from typing import Any, Final, Literal, NamedTuple

import msgspec

from qwicket.circuits.qubit import Register
from qwicket.model.failures import Failure

COUNTS: Final = "counts"
MEMORY: Final = "memory"
SHARPENED: Final = "sharpened"
PROBABILITIES: Final = "probabilities"
SAMPLES: Final = "samples"
EVS: Final = "evs"
STDS: Final = "stds"
MEASUREMENTS: Final = "measurements"
LABELS: Final = "labels"
READOUTS: Final = "readouts"
OUTPUTS: Final = frozenset({COUNTS, MEMORY, PROBABILITIES, SAMPLES})
"""Outputs that a submission may request."""

SAMPLED_ONLY: Final = "sampled_only"
"""Note: there are no exact probabilities (a machine, noise, too many outcomes or branches)."""

NOTHING_MEASURED: Final = "nothing_measured"
"""Note: no qubit is measured, so all classical bits are 0."""

MAX_OUTCOME_BYTES: Final = 1 << 30
"""Bound of one outcome before compression."""

_PLAIN_BYTES: Final = 1 << 10
"""Size up to which compression costs more than it saves."""

_ZLIB_MARK: Final = b"x"
"""First byte of zlib's stream; an outcome in msgpack is a map and never begins with it."""

_INT16: Final = "<i2"
_INT64: Final = "<i8"
_FLOAT64: Final = "<f8"
_COMPLEX128: Final = "<c16"
_CASTS: Final[Mapping[str, Literal["h", "q", "d"]]] = {
    _INT16: "h",
    _INT64: "q",
    _FLOAT64: "d",
    _COMPLEX128: "d",
}
"""`struct` codes of array numbers; a complex number is two of them."""


class Array(msgspec.Struct, frozen=True, array_like=True):
    """A C-ordered array: NumPy dtype text, shape, raw little-endian bytes."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one circuit.

    Attributes:
        registers: Classical registers, least significant first.
        arrays: `keys` (k × bytes, uint8), and aligned with it `counts` (k, int64),
            `probabilities` (k, float64) and, of symmetrised runs, `sharpened` (k, float64), the
            share of the plurality vote; `memory` (shots × bytes, uint8) in shot order. Where
            outcomes are not bits, only `samples` (shots × columns; for time bins shots × 1 × bins)
            in shot order: int16 for atoms; int64, float64 or complex128 for photons. For an
            estimation, only `evs` and `stds` (one float64 per observable): expectation values and
            their standard errors; with mitigation also those of `mitigation.runs.array_shapes`.
            For readouts, only `readouts` (the quantities as JSON, qubits as the source numbers
            them) and `value0`, `value1`, … (float64 or complex128), with shots also `measurements`
            (shots × qubits, uint8) and `labels` (int64, the number of each of these qubits).
        engine: Name of the engine that ran.
        engine_version: Version of the engine and of the library under it.
        seed: The seed that the numbers were drawn with.
        seconds: Time spent in the engine.
        notes: Codes: `sampled_only`, `nothing_measured`.
    """

    registers: tuple[Register, ...]
    arrays: dict[str, Array]
    engine: str
    engine_version: str
    seed: int
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def n_bits(self) -> int:
        return sum(register.size for register in self.registers)

    def keys(self) -> list[int]:
        return list(self._each_key())

    def _each_key(self) -> Iterator[int]:
        return _rows(self.arrays["keys"])

    def counts(self) -> dict[int, int]:
        """Return shots per key, zeros left out; empty without counts."""
        return dict(self.each_count())

    def probabilities(self) -> dict[int, float]:
        """Return exact probabilities per key; empty if not available."""
        return dict(self.each_probability())

    def memory(self) -> list[int]:
        """Return one key per shot, in shot order; empty if memory was not requested."""
        return list(self.each_shot())

    def samples(self) -> list[list[Any]]:
        """Return the numbers of each shot, in shot order; empty when outcomes are bits.

        A complex number is a list of its real and imaginary part.
        """
        return list(self.each_sample())

    def evs(self) -> list[float]:
        """Return expectation values; empty without an estimation."""
        return self.floats(EVS)

    def stds(self) -> list[float]:
        """Return the standard error of each expectation value."""
        return self.floats(STDS)

    def floats(self, name: str) -> list[float]:
        """Return an array of float64 as a list; empty if there is none."""
        return list(memoryview(self.arrays[name].data).cast("d")) if name in self.arrays else []

    def integers(self, name: str) -> list[int]:
        """Return an array of int64 as a list."""
        return list(memoryview(self.arrays[name].data).cast("q"))

    def each_row_of(self, name: str) -> Iterator[list[float]]:
        """Yield the rows of an array of float64 with two dimensions."""
        numbers, width = self.floats(name), self.arrays[name].shape[1]
        return (numbers[at : at + width] for at in range(0, len(numbers), width))

    def each_count(self) -> Iterator[tuple[int, int]]:
        """Yield the items of `counts` one by one."""
        if COUNTS in self.arrays:
            numbers = memoryview(self.arrays[COUNTS].data).cast("q")
            yield from ((key, n) for key, n in zip(self._each_key(), numbers, strict=True) if n)

    def each_probability(self) -> Iterator[tuple[int, float]]:
        """Yield the items of `probabilities` one by one."""
        return self._each_float(PROBABILITIES)

    def each_row(self) -> Iterator[tuple[int, int, float | None]]:
        """Yield each key with its count and probability: 0 and None if not available.

        Keys without both are left out.
        """
        arrays = self.arrays
        counts = memoryview(arrays[COUNTS].data).cast("q") if COUNTS in arrays else repeat(0)
        shares = self.floats(PROBABILITIES) if PROBABILITIES in arrays else repeat(None)
        for key, count, share in zip(self._each_key(), counts, shares, strict=False):
            if count or share is not None:
                yield key, count, share

    def each_share(self) -> Iterator[tuple[int, float]]:
        """Yield the share of each key in the vote of symmetrised variants, zeros left out."""
        return ((key, share) for key, share in self._each_float(SHARPENED) if share)

    def _each_float(self, name: str) -> Iterator[tuple[int, float]]:
        if name in self.arrays:
            numbers = memoryview(self.arrays[name].data).cast("d")
            yield from zip(self._each_key(), numbers, strict=True)

    def each_shot(self) -> Iterator[int]:
        """Yield the items of `memory` one by one."""
        if MEMORY in self.arrays:
            yield from _rows(self.arrays[MEMORY])

    def each_sample(self) -> Iterator[list[Any]]:
        """Yield the items of `samples` one by one."""
        if SAMPLES not in self.arrays:
            return
        array = self.arrays[SAMPLES]
        is_complex = array.dtype == _COMPLEX128
        numbers = memoryview(array.data).cast(_CASTS[array.dtype])
        width = prod(array.shape[1:]) * (1 + is_complex)
        for shot in range(array.shape[0]):
            row = numbers[shot * width : (shot + 1) * width].tolist()
            yield (
                [list(pair) for pair in zip(row[::2], row[1::2], strict=True)]
                if is_complex
                else row
            )


class Encoded(msgspec.Struct, frozen=True, array_like=True):
    """An encoded result: msgpack, compressed unless small, with its sha256."""

    body: bytes
    sha256: bytes


PartResult = Encoded | Failure

Completion = tuple[PartResult, ...]
"""One entry per circuit, in the order of submission."""


class RunResult(NamedTuple):
    """Results of one job, and its run time in seconds of one core."""

    result: Completion | Failure
    seconds: float


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Outcome)


def encode(outcome: Outcome) -> Encoded:
    """Encode and compress a result: too slow for the server's event loop."""
    raw = _encoder.encode(outcome)
    body = raw if len(raw) <= _PLAIN_BYTES else zlib.compress(raw, 1)
    return Encoded(body, hashlib.sha256(body).digest())


def decode(encoded: Encoded, *, max_bytes: int = MAX_OUTCOME_BYTES) -> Outcome:
    """Decode a result.

    Args:
        encoded: The bytes and their digest.
        max_bytes: Limit on the size to which a compressed body decompresses.

    Raises:
        ValueError: The bytes do not match their digest, or decompress to more than `max_bytes`.
    """
    if hashlib.sha256(encoded.body).digest() != encoded.sha256:
        raise ValueError("outcome bytes do not match their sha256")
    return _decoder.decode(_inflate(encoded.body, max_bytes))


def is_compressed(body: bytes) -> bool:
    """Return whether an encoded result is compressed."""
    return body[:1] == _ZLIB_MARK


def is_longer(body: bytes, max_bytes: int) -> bool:
    """Return whether an encoded result decodes to more than `max_bytes`, without decoding more."""
    if not is_compressed(body):
        return len(body) > max_bytes
    return len(zlib.decompressobj().decompress(body, max_bytes + 1)) > max_bytes


def _inflate(body: bytes, max_bytes: int) -> bytes:
    if not is_compressed(body):
        return body
    inflater = zlib.decompressobj()
    raw = inflater.decompress(body, max_bytes)
    if inflater.unconsumed_tail:
        raise ValueError(f"outcome is larger than {max_bytes} bytes")
    return raw


def int64_array(data: bytes) -> Array:
    return Array(_INT64, (len(data) // 8,), data)


def float64_array(data: bytes) -> Array:
    return Array(_FLOAT64, (len(data) // 8,), data)


def sample_array(data: bytes, shots: int, columns: int) -> Array:
    """Return shots of small numbers as an array; `data` is C-ordered int16."""
    return Array(_INT16, (shots, columns), data)


def key_array(data: bytes, n_bits: int) -> Array:
    """Return packed keys as an array; `data` holds rows of ceil(n_bits/8) bytes (at least 1)."""
    width = key_width(n_bits)
    return Array("|u1", (len(data) // width, width), data)


def key_width(n_bits: int) -> int:
    """Return the bytes of one packed key."""
    return max(1, -(-n_bits // 8))


def value_name(number: int) -> str:
    """Return the name of the array of a readout's value."""
    return f"value{number}"


def _rows(array: Array) -> Iterator[int]:
    width, data = array.shape[1], array.data
    if width == 1:
        return iter(data)
    return (int.from_bytes(data[i : i + width], "little") for i in range(0, len(data), width))
