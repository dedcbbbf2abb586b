"""Format `estimation`: expectation values of another program's final state.

    {"program": "OPENQASM 3.0; …", "observables": [{"ZZ": 1.0, "XI": 0.5}], "shots": 4096,
     "mitigation": {"readout": true, "noise_factors": [1, 3, 5]}}

The rightmost letter of a word is qubit 0. Measurements at the end of the program are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Final, NamedTuple, cast, get_args

import msgspec
from msgspec import structs

from qwicket.circuits.analysis import final_part_start
from qwicket.circuits.estimation import (
    LETTERS,
    Observable,
    estimation,
    n_terms_of,
    without_projectors,
)
from qwicket.circuits.mitigation import EXTRAPOLATORS, settings
from qwicket.circuits.mitigation.runs import Combination, all_shots, n_runs_of
from qwicket.circuits.mitigation.runs import expand as expand_one
from qwicket.circuits.qubit import Folding, Measure, Mitigation, Pauli, QubitCircuit
from qwicket.model.errors import InvalidProgram, InvalidRequest, LimitExceeded
from qwicket.model.limits import INT64_MAX, Limits
from qwicket.programs import json_text
from qwicket.programs.json_text import check_limit, quoted

Reader = Callable[[bytes, Limits, Mapping[str, float]], Sequence[QubitCircuit]]

_MAX_COEFFICIENT: Final = 1e100
"""Squares of coefficients are summed, so they must stay finite."""


class EstimationLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of programs in the format `estimation`."""

    estimated_terms: int = 20_000
    """Terms of the observables of one estimation, with projectors written as sums of Paulis, and
    its extrapolated values."""
    estimation_runs: int = 10_000
    """Circuits that are run for one estimation."""
    mitigated_outcomes: int = 4_096
    """Different outcomes of a circuit whose counts are mitigated."""
    estimated_values: int = 200_000_000
    """Bits of Paulis and values of terms in all shots of a job whose circuits a lab runs. So many
    take the server four seconds."""


class Expanded(NamedTuple):
    """Estimations as the circuits to run for them, with the shots of all of these."""

    circuits: tuple[QubitCircuit, ...]
    combinations: tuple[Combination, ...]
    shots: int


class _Mitigation(msgspec.Struct, frozen=True, kw_only=True):
    readout: bool = False
    randomizations: int | None = None
    noise_factors: tuple[float, ...] = ()
    folding: str = "random"
    extrapolators: tuple[str, ...] = settings.DEFAULT_EXTRAPOLATORS


class _Document(msgspec.Struct, frozen=True, kw_only=True):
    program: msgspec.Raw
    format: str = ""
    observables: tuple[dict[str, float], ...]
    shots: int = 4096
    mitigation: _Mitigation | None = None


class _Keys(msgspec.Struct, frozen=True):
    """The keys of a document."""

    mitigation: dict[str, msgspec.Raw] | None = None


_decoder: Final = msgspec.json.Decoder(_Document)
_keys: Final = msgspec.json.Decoder(_Keys)
_objects: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_texts: Final = msgspec.json.Decoder(str)


def read(
    source: bytes,
    limits: Limits,
    inputs: Mapping[str, float],
    readers: Mapping[str, Reader],
    guess: Callable[[bytes], str],
) -> tuple[QubitCircuit, ...]:
    """Read an estimation.

    Args:
        source: JSON text.
        limits: Bounds on the program and on its observables.
        inputs: Values of the program's inputs.
        readers: Reader of each allowed format.
        guess: Returns the format of a program that has none.

    Raises:
        InvalidProgram: The text is no estimation, or its program is refused.
        LimitExceeded: A limit is exceeded.
    """
    check_limit("program_json_bytes", len(source), limits.programs.program_json_bytes)
    document = json_text.decode(_decoder, source, lambda _, path: f"{path}: " if path else "")
    _check_keys(source)
    circuit = _circuit(document, limits, inputs, readers, guess)
    if not 0 <= document.shots <= INT64_MAX:
        raise InvalidProgram(f"shots must be at least 0, not {document.shots}", field="shots")
    check_limit("shots", document.shots, limits.jobs.shots)
    shots, mitigation = document.shots, None
    if shots and document.mitigation is not None:
        shots, mitigation = _mitigation(document.mitigation, shots)
    observables = _observables(document, circuit.n_qubits, limits, mitigation)
    maximum = limits.of(EstimationLimits).estimation_runs
    asked = estimation(observables, maximum, mitigation, is_exact=not document.shots)
    check_limit("estimation_runs", n_runs_of(asked), maximum, " or more")
    amplified = max(mitigation.noise_factors, default=1) if mitigation else 1
    check_limit("operations", int(len(circuit.ops) * amplified), limits.programs.operations)
    return (structs.replace(circuit, shots=shots, estimation=asked),)


def expand(circuits: Sequence[QubitCircuit], limits: Limits, seed: int) -> Expanded:
    """Return the runs of estimations as circuits, for a device that runs nothing else.

    Args:
        circuits: Circuits with an estimation.
        limits: Bounds on the runs.
        seed: Seed of what the mitigation draws.

    Raises:
        InvalidProgram: Exact values are asked for; or all observables are constants, so there is
            nothing to run.
        LimitExceeded: There are too many circuits, operations or values.
    """
    runs: list[QubitCircuit] = []
    combinations: list[Combination] = []
    n_ops = n_shots = n_values = 0
    rng = Random(f"{seed} estimation")  # noqa: S311 - repeatable, not secret
    for circuit in circuits:
        assert circuit.estimation is not None
        if circuit.estimation.is_exact:
            raise InvalidProgram(
                "precision: only an ideal simulator gives exact values, and a precision takes"
                f" 1/precision² shots, at most {limits.jobs.shots} (limit shots)",
                field="precision",
            )
        maximum = limits.programs.circuits
        check_limit("circuits", len(runs) + n_runs_of(circuit.estimation), maximum, " or more")
        n_values += _n_values(circuit)
        maximum = limits.of(EstimationLimits).estimated_values
        check_limit("estimated_values", n_values, maximum, " or more")
        maximum = limits.programs.operations
        n_runs = n_runs_of(circuit.estimation)
        check_limit("operations", n_ops + n_runs * len(circuit.ops), maximum, " or more")
        found, combination = expand_one(circuit, rng)
        n_ops += sum([len(each.ops) for each in found])
        check_limit("operations", n_ops, maximum, " or more")
        n_shots += all_shots(circuit)
        runs += found
        combinations.append(combination)
    if not runs:
        raise InvalidProgram(
            "the observables are constants, so there is nothing to run", field="observables"
        )
    return Expanded(tuple(runs), tuple(combinations), n_shots)


def _n_values(circuit: QubitCircuit) -> int:
    """Return how many bits of Paulis and values of terms the shots of an estimation have."""
    estimation = circuit.estimation
    assert estimation is not None
    mitigation = estimation.mitigation or Mitigation()
    uses = Counter([index for terms in estimation.observables for index, _ in terms])
    n_values = sum(
        [
            len(estimation.paulis[index].letters) + uses[index]
            for group in estimation.groups
            for index in group
        ]
    )
    runs = max(1, mitigation.randomizations) * max(1, len(mitigation.noise_factors))
    shots = runs * circuit.shots + mitigation.calibrations * mitigation.calibration_shots
    return n_values * shots


def _check_keys(source: bytes) -> None:
    """Refuse keys that nothing has, which may be misspelt."""
    inner = _keys.decode(source).mitigation or {}
    for found, known, place in (
        (_objects.decode(source), _Document, ""),
        (inner, _Mitigation, "mitigation."),
    ):
        for key in found:
            if key not in known.__struct_fields__:
                names = ", ".join(known.__struct_fields__)
                text = f"{place}{quoted(key)} is not known; known: {names}"
                raise InvalidProgram(text, field=place.rstrip(".") or None)


def _circuit(
    document: _Document,
    limits: Limits,
    inputs: Mapping[str, float],
    readers: Mapping[str, Reader],
    guess: Callable[[bytes], str],
) -> QubitCircuit:
    """Return the program's circuit without the measurements at its end."""
    text = bytes(document.program)
    source = _texts.decode(text).encode() if text[:1] == b'"' else text
    name = document.format or guess(source)
    if name not in readers:
        detail = f"format {quoted(name)} is not one of {', '.join(readers)}"
        raise InvalidProgram(detail, field="format")
    try:
        found = readers[name](source, limits, inputs)
    except (InvalidRequest, LimitExceeded) as refusal:
        kind = LimitExceeded if isinstance(refusal, LimitExceeded) else InvalidProgram
        place = f"program.{refusal.field}" if refusal.field else "program"
        raise kind(f"program: {refusal.detail}", field=place) from None
    if len(found) != 1:
        detail = f"the program has {len(found)} circuits: in an estimation it has one"
        raise InvalidProgram(detail, field="program")
    (circuit,) = found
    if circuit.readouts or circuit.estimation:
        raise InvalidProgram("the program asks for values of its own", field="program")
    end = final_part_start(circuit.ops)
    ops = [op for at, op in enumerate(circuit.ops) if at < end or type(op) is not Measure]
    return structs.replace(circuit, ops=tuple(ops))


def _mitigation(given: _Mitigation, shots: int) -> tuple[int, Mitigation | None]:
    """Return the shots of each run, and the mitigation."""
    factors = given.noise_factors
    for name in given.extrapolators:
        if name not in EXTRAPOLATORS:
            raise _error(
                "extrapolators", f"{quoted(name)} is not one of {', '.join(EXTRAPOLATORS)}"
            )
    if not 1 <= len(given.extrapolators) <= settings.MAX_ENTRIES:
        raise _error("extrapolators", f"takes 1 to {settings.MAX_ENTRIES} names")
    if given.folding not in get_args(Folding):
        known = ", ".join(get_args(Folding))
        raise _error("folding", f"must be one of {known}, not {quoted(given.folding)}")
    if factors:
        fault = settings.factors_fault(factors, 1)
        fault = fault or settings.lack_of_factors(factors, given.extrapolators)
        if fault:
            raise _error("noise_factors", fault)
    if given.randomizations is not None and not 1 <= given.randomizations <= INT64_MAX:
        raise _error("randomizations", "must be at least 1")
    if not given.readout and not factors:
        return shots, None
    found = Mitigation()
    if factors:
        folding = cast("Folding", given.folding)
        found = Mitigation(0, 0, 0, factors, folding, given.extrapolators)
    if not given.readout:
        return shots, found
    runs, each = settings.divided(shots, given.randomizations, None)
    calibrations = given.randomizations or settings.RANDOMIZATIONS
    return each, structs.replace(
        found, randomizations=runs, calibrations=calibrations, calibration_shots=each
    )


def _observables(
    document: _Document, n_qubits: int, limits: Limits, mitigation: Mitigation | None
) -> list[Observable]:
    if not document.observables:
        raise InvalidProgram("observables must have at least one", field="observables")
    maximum = limits.of(EstimationLimits).estimated_terms
    n_words = sum(max(1, len(each)) for each in document.observables)
    check_limit("estimated_terms", n_words, maximum)
    for number, each in enumerate(document.observables):
        if not each:
            place = f"observables[{number}]"
            raise InvalidProgram(f"{place} has no words", field=place)
    found = [
        tuple([_term(word, c, n_qubits, number) for word, c in observable.items()])
        for number, observable in enumerate(document.observables)
    ]
    is_split = mitigation is not None and bool(mitigation.randomizations)
    n_terms = sum(n_terms_of(each, is_split) for each in found)
    if mitigation is not None and mitigation.noise_factors:
        n_terms += len(found) * len(mitigation.extrapolators)
    check_limit("estimated_terms", n_terms, maximum)
    return [without_projectors(each) for each in found] if is_split else [*found]


def _term(word: str, coefficient: float, n_qubits: int, number: int) -> tuple[Pauli, float]:
    place = f"observables[{number}]"
    if not word or not set(word) <= {"I", *LETTERS}:
        text = f"{place}: {quoted(word)} has letters other than I{''.join(LETTERS)}"
        raise InvalidProgram(text, field=place)
    if len(word) > n_qubits:
        text = f"{place}: {quoted(word)} has {len(word)} letters, the program {n_qubits} qubits"
        raise InvalidProgram(text, field=place)
    if not abs(coefficient) <= _MAX_COEFFICIENT:
        raise InvalidProgram(f"{place}: {quoted(word)} has no finite coefficient", field=place)
    acting = [(qubit, each) for qubit, each in enumerate(reversed(word)) if each != "I"]
    pauli = Pauli("".join([each for _, each in acting]), tuple([qubit for qubit, _ in acting]))
    return pauli, float(coefficient)


def _error(name: str, text: str) -> InvalidProgram:
    return InvalidProgram(f"mitigation.{name}: {text}", field=f"mitigation.{name}")
