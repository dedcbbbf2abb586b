"""Validates outcomes from agents, pilots and other clouds.

Code that reads stored outcomes trusts them. Refuses data that is too large when it is unpacked,
shapes that do not match the data, and numbers that are not finite. Large outcomes take long to
check, so call this in a thread.
"""

from __future__ import annotations

import hashlib
import zlib
from math import prod
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from qwicket.circuits.mitigation import runs
from qwicket.circuits.outcomes import (
    COUNTS,
    EVS,
    LABELS,
    MEASUREMENTS,
    MEMORY,
    NOTHING_MEASURED,
    PROBABILITIES,
    READOUTS,
    SAMPLED_ONLY,
    SAMPLES,
    SHARPENED,
    STDS,
    Array,
    Encoded,
    Outcome,
    is_compressed,
    key_width,
    value_name,
)
from qwicket.circuits.qubit import Readout
from qwicket.model.errors import InvalidRequest, LimitExceeded
from qwicket.model.limits import INT64_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.circuits.frames import Frame
    from qwicket.circuits.options import RunOptions
    from qwicket.circuits.qubit import Mitigation
    from qwicket.model.limits import Limits

_KEYS: Final = "keys"
_NOTES: Final = frozenset({SAMPLED_ONLY, NOTHING_MEASURED})
_NAME_CHARS: Final = 64
_LONGEST_S: Final = 1e9
_ROUNDING: Final = 1e-6
"""Amount by which probabilities and shares, and their sums, may exceed 1."""

_readouts = msgspec.json.Decoder(tuple[Readout, ...])
_decoder = msgspec.msgpack.Decoder(Outcome)


def check(
    parts: Sequence[tuple[int, Encoded]],
    frames: Sequence[Frame],
    options: RunOptions,
    limits: Limits,
    *,
    is_simulated: bool = False,
) -> None:
    """Refuse outcomes that are incomplete, other than requested, or too large.

    Args:
        parts: Indices of circuits, from 0, with their outcomes.
        frames: Expected shape of each circuit's outcome.
        options: Options of the run.
        limits: `result_bytes` bounds all outcomes together, unpacked.
        is_simulated: Whether a simulator of Qwicket ran the circuits, not a machine. Then they may
            have exact probabilities, expectation values, and the shares of votes of debiased runs,
            and must be empty after a dry run.

    Raises:
        InvalidRequest: An outcome is damaged or does not fit; the field names it.
        LimitExceeded: The outcomes are too large.
    """
    left_bytes = limits.jobs.result_bytes
    for number, encoded in parts:
        where = f"parts[{number}]"
        if hashlib.sha256(encoded.body).digest() != encoded.sha256:
            raise InvalidRequest(f"{where}.outcome does not have this sha256.", field=where)
        raw = _inflated(encoded.body, left_bytes, limits, where)
        left_bytes -= len(raw)
        _check(_read(raw, where), frames[number], options, where, is_simulated=is_simulated)


def _inflated(body: bytes, max_bytes: int, limits: Limits, where: str) -> bytes:
    raw, is_whole = body, True
    if is_compressed(body):
        inflater = zlib.decompressobj()
        try:
            raw = inflater.decompress(body, max_bytes + 1)  # 0 would mean: without a limit
        except zlib.error:
            raise InvalidRequest(f"{where}.outcome cannot be unpacked.", field=where) from None
        is_whole = inflater.eof and not inflater.unused_data
    if len(raw) > max_bytes:
        raise LimitExceeded(
            f"The outcomes have more than {limits.jobs.result_bytes} bytes (limit result_bytes).",
            field=where,
        )
    if not is_whole:
        raise InvalidRequest(
            f"{where}.outcome is incomplete, or has more after its end.", field=where
        )
    return raw


def _read(raw: bytes, where: str) -> Outcome:
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise InvalidRequest(f"{where}.outcome is not a valid outcome.", field=where) from None


def _check(
    outcome: Outcome, frame: Frame, options: RunOptions, where: str, *, is_simulated: bool
) -> None:
    try:
        if is_simulated and options.dry_run:
            _need(not outcome.arrays, "a dry run must have no arrays")
            is_known = outcome.registers in ((), frame.registers)  # older pilots name none
            _need(is_known, "its registers are not those of the circuit")
        elif frame.dtypes:
            _check_samples(outcome, frame, frame.shots or options.shots)
        elif frame.n_readouts is not None:
            _check_readouts(outcome, frame)
        elif frame.n_observables is not None:
            _check_estimates(outcome, frame.n_observables, frame.mitigation)
        elif not is_simulated:
            _check_machine_bits(outcome, frame, options)
        else:
            _check_simulated_bits(outcome, frame, options)
        _check_metadata(outcome)
    except _InvalidOutcome as unfit:
        raise InvalidRequest(f"{where}.outcome: {unfit}.", field=where) from None


class _InvalidOutcome(Exception):
    """An outcome does not fit; the text says why."""


def _need(holds: bool, text: str) -> None:
    if not holds:
        raise _InvalidOutcome(text)


def _check_samples(outcome: Outcome, frame: Frame, shots: int) -> None:
    _need(set(outcome.arrays) == {SAMPLES}, "it must have only samples")
    _need(not outcome.registers, "samples must have no registers")
    samples = outcome.arrays[SAMPLES]
    rows, *rest = samples.shape or (0,)
    _need(rows == shots, f"it has {rows} shots, not {shots}")
    if frame.is_binned:
        _need(rest[:1] == [1], "samples of time bins must have the shape shots × 1 × bins")
        del rest[0]
    _need(len(rest) == 1, "samples must have a row for each shot and a column for each measurement")
    fits = 0 <= rest[0] <= frame.columns
    _need(fits, f"it has {rest[0]} columns, not 0 to {frame.columns}")
    _need(samples.dtype in frame.dtypes, f"samples must be {' or '.join(frame.dtypes)}")
    _check_size(SAMPLES, samples)
    if samples.dtype != "<i2":
        numbers = np.frombuffer(samples.data, samples.dtype)
        _need(bool(np.isfinite(numbers).all()), "a sample is not a finite number")


def _check_readouts(outcome: Outcome, frame: Frame) -> None:
    _need(not outcome.registers, "readouts must have no registers")
    names = [value_name(number) for number in range(frame.n_readouts or 0)]
    wanted = {READOUTS, *names, *((MEASUREMENTS, LABELS) if frame.shots else ())}
    _need(set(outcome.arrays) == wanted, f"it has {_list(outcome.arrays)}, not {_list(wanted)}")
    for name in names:
        value = outcome.arrays[name]
        _need(value.dtype in ("<f8", "<c16"), f"{name} must be float64 or complex128")
        _check_size(name, value)
        numbers = np.frombuffer(value.data, value.dtype)
        _need(bool(np.isfinite(numbers).all()), f"{name} has a number that is not finite")
    _need(outcome.arrays[READOUTS].dtype == "|u1", "readouts must be text")
    _check_size(READOUTS, outcome.arrays[READOUTS])
    try:
        readouts = _readouts.decode(outcome.arrays[READOUTS].data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        readouts = None
    fits = readouts is not None and len(readouts) == len(names)
    _need(fits, f"readouts must describe {len(names)} values")
    if frame.shots:
        bits, labels = outcome.arrays[MEASUREMENTS], outcome.arrays[LABELS]
        _need(bits.dtype == "|u1", "measurements must be uint8")
        _need(bits.shape == (frame.shots, frame.columns), "measurements must be shots × qubits")
        _check_size(MEASUREMENTS, bits)
        _need(not bits.data.strip(b"\0\1"), "measurements must be 0 or 1")
        _need(
            labels.dtype == "<i8" and labels.shape == (frame.columns,),
            "labels must be an int64 for each qubit",
        )
        _check_size(LABELS, labels)


def _check_machine_bits(outcome: Outcome, frame: Frame, options: RunOptions) -> None:
    _need(outcome.registers == frame.registers, "its registers are not those of the circuit")
    arrays, width, shots = outcome.arrays, key_width(outcome.n_bits), frame.shots or options.shots
    # A machine has no exact probabilities: as in a noisy simulation, counts replace them, with a
    # note.
    computed = {COUNTS if each == PROBABILITIES else each for each in options.outputs}
    if PROBABILITIES in options.outputs:
        _need(SAMPLED_ONLY in outcome.notes, f"it needs the note {SAMPLED_ONLY}")
    wanted = computed | ({_KEYS} if COUNTS in computed else set())
    _need(set(arrays) == wanted, f"it has {_list(arrays)}, not {_list(wanted)}")
    for name in wanted & {_KEYS, MEMORY}:
        _check_keys(name, arrays[name], width, outcome.n_bits)
    if COUNTS in wanted:
        _check_counts(arrays[_KEYS], arrays[COUNTS], shots)
    if MEMORY in wanted:
        rows = arrays[MEMORY].shape[0]
        _need(rows == shots, f"memory has {rows} shots, not {shots}")


def _check_simulated_bits(outcome: Outcome, frame: Frame, options: RunOptions) -> None:
    _need(outcome.registers == frame.registers, "its registers are not those of the circuit")
    arrays, width, shots = outcome.arrays, key_width(outcome.n_bits), frame.shots or options.shots
    # Simulators may add counts, probabilities and shares that were not asked for, and keys with
    # count 0.
    wanted = set(options.outputs)
    if PROBABILITIES in wanted - set(arrays):
        _need(SAMPLED_ONLY in outcome.notes, f"it needs the note {SAMPLED_ONLY}")
        wanted = wanted - {PROBABILITIES} | {COUNTS}
    per_key = set(arrays) & {COUNTS, PROBABILITIES, SHARPENED}
    expected = wanted | per_key | ({_KEYS} if per_key else set())
    _need(set(arrays) == expected, f"it has {_list(arrays)}, not {_list(expected)}")
    for name in expected & {_KEYS, MEMORY}:
        _check_keys(name, arrays[name], width, outcome.n_bits)
    if per_key:
        _check_distinct(arrays[_KEYS])
    for name in per_key - {COUNTS}:
        _check_shares(name, arrays[name], arrays[_KEYS].shape[0])
    if COUNTS in expected:
        _check_totals(arrays[_KEYS], arrays[COUNTS], shots)
    if MEMORY in expected:
        rows = arrays[MEMORY].shape[0]
        _need(rows == shots, f"memory has {rows} shots, not {shots}")


def _check_shares(name: str, array: Array, rows: int) -> None:
    _need(
        array.dtype == "<f8" and array.shape == (rows,), f"{name} must be one float64 for each key"
    )
    _check_size(name, array)
    numbers = np.frombuffer(array.data, "<f8")
    # NaN fails both comparisons.
    _need(bool(((numbers >= 0) & (numbers <= 1 + _ROUNDING)).all()), f"{name} must be 0 to 1")
    _need(float(numbers.sum()) <= 1 + _ROUNDING, f"{name} add up to more than 1")


def _check_estimates(outcome: Outcome, n_observables: int, mitigation: Mitigation | None) -> None:
    arrays = outcome.arrays
    shapes: dict[str, tuple[int, ...]] = {EVS: (n_observables,), STDS: (n_observables,)}
    if mitigation is not None:
        shapes |= runs.array_shapes(mitigation, n_observables)
    _need(set(arrays) == set(shapes), f"it has {_list(arrays)}, not {_list(set(shapes))}")
    for name, array in arrays.items():
        dtype = "<i8" if name == runs.RUNS else "<f8"
        fits = array.dtype == dtype and array.shape == shapes[name]
        kind = "int64" if name == runs.RUNS else "float64"
        _need(fits, f"{name} must be {kind} of the shape {shapes[name]}")
        _check_size(name, array)
        numbers = np.frombuffer(array.data, dtype)
        is_known = np.isfinite(numbers)
        may_lack = name in (runs.EVS_EXTRAPOLATED, runs.STDS_EXTRAPOLATED)  # where a fit failed
        _need(may_lack or bool(is_known.all()), f"{name} must be finite numbers")
        has_sign = name.startswith("evs")
        _need(has_sign or bool((numbers[is_known] >= 0).all()), f"{name} must be at least 0")


def _check_keys(name: str, array: Array, width: int, n_bits: int) -> None:
    _need(array.dtype == "|u1", f"{name} must be bytes")
    _need(len(array.shape) == 2 and array.shape[1] == width, f"{name} must have {width} bytes each")
    _check_size(name, array)
    unused = 8 * width - n_bits
    if unused:
        last = np.frombuffer(array.data, np.uint8).reshape(array.shape)[:, -1]
        _need(not (last >> (8 - unused)).any(), f"{name} have more than {n_bits} bits")


def _check_counts(keys: Array, counts: Array, shots: int) -> None:
    _need(keys.shape[0] <= shots, "there are more keys than shots")
    _check_totals(keys, counts, shots)
    _check_distinct(keys)


def _check_totals(keys: Array, counts: Array, shots: int) -> None:
    fits = counts.dtype == "<i8" and counts.shape == keys.shape[:1]
    _need(fits, "counts must be one int64 for each key")
    _check_size(COUNTS, counts)
    numbers = np.frombuffer(counts.data, "<i8")
    # Each count is bounded first, so that their sum cannot overflow.
    _need(bool(((numbers >= 0) & (numbers <= shots)).all()), "a count is out of range")
    total = int(numbers.sum())
    _need(total == shots, f"the counts are of {total} shots, not {shots}")


def _check_distinct(keys: Array) -> None:
    rows, width = keys.shape
    different = {keys.data[start : start + width] for start in range(0, rows * width, width)}
    _need(len(different) == rows, "a key is there twice")


def _check_size(name: str, array: Array) -> None:
    _need(
        all(0 <= length <= INT64_MAX for length in array.shape), f"{name} have an impossible shape"
    )
    size = prod(array.shape) * np.dtype(array.dtype).itemsize
    _need(len(array.data) == size, f"{name} have {len(array.data)} bytes, not {size}")


def _check_metadata(outcome: Outcome) -> None:
    for label in (outcome.engine, outcome.engine_version):
        fits = len(label) <= _NAME_CHARS and label.isprintable()
        _need(fits, f"engine and version may have at most {_NAME_CHARS} printable characters")
    _need(
        _NOTES.issuperset(outcome.notes) and len(outcome.notes) <= len(_NOTES),
        "it has an unknown note",
    )
    _need(-INT64_MAX <= outcome.seed <= INT64_MAX, "its seed is out of range")
    _need(0 <= outcome.seconds <= _LONGEST_S, "its seconds are out of range")


def _list(names: set[str] | dict[str, Array]) -> str:
    return " and ".join(sorted(str(name)[:_NAME_CHARS] for name in names)[:8]) or "nothing"
