"""Results of Braket's tasks as outcomes: the measured bits of each shot, one column per qubit."""

from __future__ import annotations

import re
from collections import Counter
from math import inf
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qwicket.circuits.outcomes import Outcome
from qwicket.circuits.qubit import Readouts
from qwicket.drivers.remote import results
from qwicket.drivers.remote.clouds import InvalidResult
from qwicket.engines.qubit.readouts import Bits, of_bits
from qwicket.model.failures import Failure
from qwicket.programs.rewriting import measured_qubits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from qwicket.circuits.frames import Frame
    from qwicket.circuits.options import RunOptions
    from qwicket.circuits.qubit import QubitCircuit

_PATH: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,200}")
_SET: Final = "braket.task_result.program_set_task_result"


def outcomes(
    document: Mapping[str, Any],
    circuits: Sequence[QubitCircuit],
    frames: Sequence[Frame],
    options: RunOptions,
    engine: str,
    read: Callable[[str], Any],
) -> list[Outcome | Failure]:
    """Return the outcome of each circuit of a task.

    Args:
        document: The task's `results.json`.
        circuits: Circuits that ran.
        frames: Expected shape of each.
        options: Options of the run.
        engine: Name of the device.
        read: Returns the JSON of a further object of the task, from its path in the task's folder.

    Raises:
        InvalidResult: It is not a result of these circuits.
    """
    found = list(_executables(document, len(circuits), read))
    if len(found) != len(circuits):
        raise InvalidResult(f"it has {len(found)} results, not {len(circuits)}")
    return [
        _outcome(each, circuit, frame, options, engine)
        for each, circuit, frame in zip(found, circuits, frames, strict=True)
    ]


def of_analog(
    document: Mapping[str, Any], frame: Frame, options: RunOptions, engine: str
) -> Outcome:
    """Return the outcome of an analog program: whether each site's atom was excited.

    A site without an atom at the start of a shot has -1, and so have all sites of a failed shot.

    Raises:
        InvalidResult: It is not a result of this program.
    """
    shots = document.get("measurements")
    if not isinstance(shots, list) or len(shots) != options.shots:
        raise InvalidResult(f"it has not {options.shots} shots")
    rows = [_sites(shot, frame.columns) for shot in shots]
    return results.of_samples(rows, frame, options, engine=engine)


def _sites(shot: Any, n_sites: int) -> list[int]:
    try:
        before, after = (shot["shotResult"][f"{each}Sequence"] for each in ("pre", "post"))
        if before is after is None and shot["shotMetadata"]["shotStatus"] != "Success":
            return [-1] * n_sites
        pairs = list(zip(before, after, strict=True))
    except (KeyError, TypeError, ValueError):
        raise InvalidResult("it has a shot without its sites") from None
    if len(pairs) != n_sites or any(
        type(bit) is not int or bit not in (0, 1) for pair in pairs for bit in pair
    ):
        raise InvalidResult(f"it has a shot without the {n_sites} sites of the program")
    # An excited atom is lost, and is not seen any more.
    return [1 - seen if is_filled else -1 for is_filled, seen in pairs]


def seconds(document: Mapping[str, Any]) -> float:
    """Return the run time that a simulator states; 0 if there is none."""
    try:
        run_ms = document["additionalMetadata"]["simulatorMetadata"]["executionDuration"]
    except (KeyError, TypeError):
        return 0.0
    return run_ms / 1000 if isinstance(run_ms, int | float) and 0 <= run_ms < inf else 0.0


def _executables(
    document: Mapping[str, Any], n_most: int, read: Callable[[str], Any]
) -> Iterator[dict[str, Any]]:
    """Yield the result of each run: of a program set those of its programs, one after another."""
    header = document.get("braketSchemaHeader")
    if not isinstance(header, dict) or header.get("name") != _SET:
        yield dict(document)
        return
    for program in _objects(document.get("programResults"), n_most, read):
        runs = _objects(program.get("executableResults"), n_most, read)
        places = [str(run.get("inputsIndex")) for run in runs]
        if sorted(places) != sorted(map(str, range(len(runs)))):
            raise InvalidResult("it lacks a run of a program, or has one twice")
        n_most -= len(runs)
        yield from sorted(runs, key=lambda run: int(run["inputsIndex"]))


def _objects(found: Any, n_most: int, read: Callable[[str], Any]) -> list[dict[str, Any]]:
    """Return parts of a result, which it has itself or of which it has the paths."""
    if not isinstance(found, list) or len(found) > n_most:
        raise InvalidResult("it has no list of programs and runs, or too long a list")
    parts = [_part(each, read) if isinstance(each, str) else each for each in found]
    if not all(isinstance(each, dict) for each in parts):
        raise InvalidResult("a part of it is not an object")
    return parts


def _part(path: str, read: Callable[[str], Any]) -> Any:
    if not _PATH.fullmatch(path) or ".." in path:
        raise InvalidResult(f"a part of it is not in its folder: {path[:100]!r}")
    return read(path)


def _outcome(
    found: Mapping[str, Any],
    circuit: QubitCircuit,
    frame: Frame,
    options: RunOptions,
    engine: str,
) -> Outcome | Failure:
    failure = found.get("failureMetadata")
    if isinstance(failure, dict):
        text = str(failure.get("failureReason") or "It failed there without a reason.")
        return Failure("remote_failed", text)
    shots = frame.shots or options.shots
    column_of, bits = _measurements(found, shots)
    try:
        if circuit.readouts is not None:
            return _of_readouts(circuit.readouts, column_of, bits, engine)
        columns = {clbit: column_of[qubit] for clbit, qubit in measured_qubits(circuit).items()}
    except KeyError as qubit:
        raise InvalidResult(f"it has no column for the qubit {qubit}") from None
    rows = np.zeros(shots, dtype=object)
    for clbit, column in columns.items():
        rows |= bits[:, column].astype(object) << clbit
    memory = [results.key_of(int(row)) for row in rows]
    return results.of_bits(frame, options, engine=engine, counts=Counter(memory), memory=memory)


def _of_readouts(
    readouts: Readouts, column_of: Mapping[int, int], bits: Bits, engine: str
) -> Outcome:
    """Return the outcome of a program of Braket's own, which names qubits as it likes."""
    columns = [column_of[readouts.labels[place]] for _, place in readouts.measured]
    return Outcome(
        registers=(),
        arrays=of_bits(readouts, np.ascontiguousarray(bits[:, columns])),
        engine=engine,
        engine_version="",
        seed=0,
        seconds=0.0,
    )


def _measurements(found: Mapping[str, Any], shots: int) -> tuple[dict[int, int], Bits]:
    """Return the column of each measured qubit, and the bits: shots × columns."""
    qubits = found.get("measuredQubits")
    if not isinstance(qubits, list) or not all(type(qubit) is int for qubit in qubits):
        raise InvalidResult("it has no list of measured qubits")
    if len(set(qubits)) != len(qubits):
        raise InvalidResult("it has a measured qubit twice")
    rows = found.get("measurements")
    if rows is None:
        rows = _rows_of(found.get("measurementProbabilities"), len(qubits), shots)
    try:
        bits = np.asarray(rows)
    except (TypeError, ValueError, OverflowError):
        raise InvalidResult("it has no list of bits for each shot") from None
    if bits.shape != (shots, len(qubits)):
        raise InvalidResult(f"it has not {shots} shots of {len(qubits)} bits")
    if bits.dtype.kind != "i" or not np.isin(bits, (0, 1)).all():
        raise InvalidResult("it has a number that is not a bit")
    return {qubit: column for column, qubit in enumerate(qubits)}, bits.astype(np.uint8)


def _rows_of(probabilities: Any, width: int, shots: int) -> list[list[int]]:
    """Return the bits of each shot from frequencies, which some machines give instead."""
    if not isinstance(probabilities, dict):
        raise InvalidResult("it has neither measurements nor their probabilities")
    try:
        given = {text.encode(): float(each) for text, each in probabilities.items()}
    except (TypeError, ValueError):
        raise InvalidResult("its probabilities are not numbers") from None
    if any(len(text) != width or text.strip(b"01") for text in given):
        raise InvalidResult(f"its probabilities are not of {width} bits")
    counts = results.draw_counts(given, shots, 0, is_exact=False)
    return [[byte - ord("0") for byte in text] for text, n in counts.items() for _ in range(n)]
