"""Converts results of other clouds to outcomes."""

from __future__ import annotations

import zlib
from array import array
from base64 import b64decode
from collections import Counter
from io import BytesIO
from math import isclose, isfinite, prod
from random import Random
from typing import TYPE_CHECKING, Any, Final

from qwicket.circuits.outcomes import (
    COUNTS,
    MEMORY,
    PROBABILITIES,
    SAMPLED_ONLY,
    SAMPLES,
    Array,
    Outcome,
    float64_array,
    int64_array,
    key_array,
    key_width,
)
from qwicket.drivers.remote.clouds import InvalidResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from qwicket.circuits.frames import Frame
    from qwicket.circuits.options import RunOptions

_ROUNDING: Final = 1e-6
"""Maximum rounding error of a frequency that a cloud returns."""
_HEADER_BYTES: Final = 10_000
"""Size of the longest header of a NumPy file."""
_RANKS: Final = {"b": 0, "u": 0, "i": 0, "f": 1, "c": 2}
"""Ranks of NumPy's kinds of numbers; none is converted to one of a lower rank."""


def key_of(number: int) -> bytes:
    """Return a key, whose bits are those of a number, as bytes.

    Mappings have no integers as keys: users can make results whose keys all have one hash as
    integers, and Python randomises only the hashes of texts and bytes.

    Raises:
        InvalidResult: The number is negative.
    """
    if number < 0:
        raise InvalidResult("a key is negative")
    return number.to_bytes((number.bit_length() + 7) // 8, "little")


def of_bits(
    frame: Frame,
    options: RunOptions,
    *,
    engine: str,
    seconds: float = 0.0,
    counts: Mapping[bytes, int] | None = None,
    probabilities: Mapping[bytes, float] | None = None,
    memory: Sequence[bytes] | None = None,
    notes: tuple[str, ...] = (),
    seed: int = 0,
    engine_version: str = "",
) -> Outcome:
    """Return the outcome of a circuit whose bits are sampled, with the requested arrays.

    Args:
        frame: Expected shape.
        options: Options of the run.
        engine: Name of the device or engine that ran it.
        seconds: Run time of the circuit.
        counts: Shots by key; see `key_of`.
        probabilities: Exact probabilities by key, if the cloud returns them.
        memory: Key of each shot.
        notes: Remarks of the engine.
        seed: Seed of the engine.
        engine_version: Version of the engine.

    Raises:
        InvalidResult: A requested output is missing, or a key has too many bits.
    """
    n_bits = sum(register.size for register in frame.registers)
    arrays: dict[str, Array] = {}
    if MEMORY in options.outputs:
        if memory is None:
            raise InvalidResult("it has no memory")
        arrays[MEMORY] = _keys(memory, n_bits)
        counts = Counter(memory) if counts is None else counts
    is_exact = PROBABILITIES in options.outputs and probabilities is not None
    if PROBABILITIES in options.outputs and not is_exact:
        notes = tuple(dict.fromkeys((*notes, SAMPLED_ONLY)))
    has_counts = COUNTS in options.outputs or (PROBABILITIES in options.outputs and not is_exact)
    if has_counts and counts is None:
        raise InvalidResult("it has no counts")
    if has_counts or is_exact:
        keys = list(dict.fromkeys((*(counts or ()), *((probabilities or ()) if is_exact else ()))))
        arrays["keys"] = _keys(keys, n_bits)
        if has_counts:
            arrays[COUNTS] = int64_array(array("q", _in_order(counts or {}, keys)).tobytes())
        if is_exact:
            arrays[PROBABILITIES] = float64_array(
                array("d", _in_order(probabilities or {}, keys)).tobytes()
            )
    return Outcome(
        registers=frame.registers,
        arrays=arrays,
        engine=engine,
        engine_version=engine_version,
        seed=seed,
        seconds=seconds,
        notes=notes,
    )


def draw_counts(
    probabilities: Mapping[bytes, float], shots: int, seed: int, *, is_exact: bool
) -> dict[bytes, int]:
    """Return counts for probabilities that a cloud returns instead of counts.

    Frequencies of that many shots are converted back to counts. From exact probabilities, and from
    those that are no such frequencies, as after the cloud's error mitigation, shots are drawn.

    Raises:
        InvalidResult: The probabilities are negative, not finite, or do not add up to 1.
    """
    total = sum(probabilities.values())
    is_valid = all(isfinite(each) and each >= 0 for each in probabilities.values())
    if not is_valid or not isclose(total, 1.0, abs_tol=1e-3):
        raise InvalidResult(f"its probabilities add up to {total:.6g}, not 1")
    counts = {key: round(each * shots) for key, each in probabilities.items()}
    is_frequency = not is_exact and all(
        abs(each * shots - counts[key]) <= max(_ROUNDING, _ROUNDING * shots)
        for key, each in probabilities.items()
    )
    if is_frequency and sum(counts.values()) == shots:
        return {key: n for key, n in counts.items() if n}
    drawn = Random(seed).choices(list(probabilities), list(probabilities.values()), k=shots)  # noqa: S311 - physics
    return dict(Counter(drawn))


def _in_order(numbers: Mapping[bytes, float], keys: Sequence[bytes]) -> Iterable[float]:
    return (numbers.get(key, 0) for key in keys)


def _keys(keys: Sequence[bytes], n_bits: int) -> Array:
    width = key_width(n_bits)
    if any(len(key) > width for key in keys):
        raise InvalidResult(f"a key has more than {n_bits} bits")
    return key_array(b"".join(key.ljust(width, b"\0") for key in keys), n_bits)


def of_samples(
    numbers: Any, frame: Frame, options: RunOptions, *, engine: str, **others: Any
) -> Outcome:
    """Return the outcome of a circuit whose shots are numbers.

    Args:
        numbers: An array or lists: shots × measurements; of time bins shots × 1 × bins.
        frame: Expected shape.
        options: Options of the run.
        engine: Name of the device or engine that ran it.
        others: Further fields of the outcome.

    Raises:
        InvalidResult: The numbers are of another kind or shape.
    """
    import numpy as np  # imported late: few devices have samples

    dtype = np.dtype(frame.dtypes[0] if frame.dtypes else "<i8")
    shots = frame.shots or options.shots
    try:
        given = np.asarray(numbers)
        if given.size and _RANKS.get(given.dtype.kind, 3) > _RANKS[dtype.kind]:
            raise InvalidResult(f"its samples are {given.dtype}, not {dtype}")
        shape = (shots, 1, -1) if frame.is_binned else (shots, -1)
        rows = given.astype(dtype).reshape(shape if given.size else (shots, 0))
    except (TypeError, ValueError, OverflowError):
        raise InvalidResult(f"its samples are not of {shots} shots") from None
    array = Array(dtype.str, rows.shape, rows.tobytes())
    return Outcome(
        **{"registers": (), "seed": 0, "seconds": 0.0, "engine_version": "", **others},
        arrays={SAMPLES: array},
        engine=engine,
    )


def numbers_of_rows(array: Mapping[str, Any], size: int, shots: int) -> list[int]:
    """Return each shot of a Qiskit `BitArray` as an integer: a row of bytes, the last one lowest.

    The array is a compressed NumPy file. At most as many bytes as expected are decompressed.

    Raises:
        ValueError: There are other numbers of bits or shots.
        Exception: It is malformed.
    """
    n_bytes = (size + 7) // 8
    found = _of_file(array["array"]["__value__"], "|u1", (shots, n_bytes))
    if array["num_bits"] != size:
        raise ValueError
    data = found.tobytes()
    numbers = [
        int.from_bytes(data[at : at + n_bytes], "big") for at in range(0, len(data), n_bytes)
    ]
    if max(numbers) >> size:
        raise ValueError
    return numbers


def floats_of_file(text: str, shape: tuple[int, ...]) -> Any:
    """Return an array of float64 of a shape.

    The text is a compressed NumPy file. At most as many bytes as expected are decompressed.

    Raises:
        ValueError: It has another shape or type.
        Exception: It is malformed.
    """
    return _of_file(text, "<f8", shape).astype("<f8")


def _of_file(text: str, dtype: str, shape: tuple[int, ...]) -> Any:
    import numpy as np  # imported late: an idle server does without
    from numpy.lib import format as npy

    packed = b64decode(text, validate=True)
    size = prod(shape) * np.dtype(dtype).itemsize
    content = zlib.decompressobj().decompress(packed, _HEADER_BYTES + size)
    stream = BytesIO(content)
    npy.read_magic(stream)
    found, is_fortran, kind = npy.read_array_header_1_0(stream)
    if (found, kind.str) != (shape, dtype):
        raise ValueError
    numbers = np.frombuffer(content, dtype, offset=stream.tell())
    return numbers.reshape(shape, order="F" if is_fortran else "C")
