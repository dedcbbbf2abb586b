"""Results of jobs in IonQ's formats.

Keys are decimal integers as text, in which bit 0 is the least significant; in IonQ's JSON it is
qubit 0. Version 2 of a format is by register: bit strings with the last bit leftmost, but for shots
lists with bit 0 first. Shots are independent, so their order has no meaning; it is drawn from the
job's seed when shots are requested.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, Final

import msgspec

from qwicket.circuits.outcomes import PROBABILITIES, SHARPENED, Outcome
from qwicket.dialects.bodies import invalid
from qwicket.dialects.streaming import raw_list, raw_object
from qwicket.model.errors import NotFound
from qwicket.model.ids import PART_BITS, part_id
from qwicket.vendors.ionq.dialect import jobs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.circuits.qubit import Register
    from qwicket.gateway import JobResults

_AGGREGATIONS = ("average", "voting")
_ROUNDING: Final = 1e-12
"""Distance of a probability from a share of the shots that is an error of rounding."""


def is_sharpened(query: Mapping[str, str], is_debiased: bool) -> bool:
    """Return whether a request is for the plurality vote, which only debiased jobs have.

    Raises:
        InvalidRequest: The job is debiased, and the aggregation is unknown.
    """
    if not is_debiased:
        return False
    way = query.get("aggregation")
    if way is not None and way not in _AGGREGATIONS:
        known = " or ".join(_AGGREGATIONS)
        raise invalid(f"aggregation must be {known}", way, "aggregation")
    return way == "voting" or (way is None and query.get("sharpen", "").lower() == "true")


def nest_results(results: JobResults, *, sharpen: bool) -> msgspec.Raw:
    """Return the probabilities of all circuits that did not fail, by the ids of the child jobs."""
    return raw_object(
        (part_id(results.job.id, number), probabilities(part, results.job.shots, sharpen=sharpen))
        for number, part in enumerate(results.parts)
        if isinstance(part, Outcome)
    )


def single_outcome(results: JobResults) -> Outcome:
    """Return the only outcome in these results.

    Raises:
        NotFound: There is no outcome: the circuit failed, or the job was a dry run.
    """
    found = results.parts[0]
    if not isinstance(found, Outcome) or not found.arrays:
        raise NotFound("The job has no results.")
    return found


def probabilities(outcome: Outcome, shots: int, *, sharpen: bool = False) -> msgspec.Raw:
    """Return the exact probabilities of an outcome, or frequencies if it has only counts.

    With `sharpen`, return the shares of the plurality vote instead if the outcome has them.
    """
    return raw_object((str(key), _written(p, shots)) for key, p in _likely(outcome, shots, sharpen))


def _written(probability: float, shots: int) -> float:
    """Return a probability as it is written: its product with the shots is not below a count.

    CUDA-Q truncates that product to get the counts, and 0.29 * 100 is 28.999999999999996.
    """
    count = round(probability * shots)
    if count == 0 or abs(probability - count / shots) > _ROUNDING:
        return probability
    share = count / shots
    return share if share * shots >= count else math.nextafter(share, 1)


def _likely(outcome: Outcome, shots: int, sharpen: bool = False) -> Iterator[tuple[int, float]]:
    if sharpen and SHARPENED in outcome.arrays:
        return outcome.each_share()
    if PROBABILITIES in outcome.arrays:
        return ((key, p) for key, p in outcome.each_probability() if p)
    return ((key, n / shots) for key, n in outcome.each_count())


def histogram(outcome: Outcome) -> msgspec.Raw:
    return raw_object((str(key), n) for key, n in outcome.each_count())


def shots(outcome: Outcome, number: int) -> msgspec.Raw:
    """Return the key of each shot of the circuit with this number in its job."""
    return raw_list(map(str, _shuffled_keys(outcome, number)))


def _shuffled_keys(outcome: Outcome, number: int) -> list[int]:
    """Return the key of each shot, shuffled. Equal circuits of a job have different orders."""
    each = list(chain.from_iterable(repeat(key, n) for key, n in outcome.each_count()))
    random.Random(outcome.seed << PART_BITS | number).shuffle(each)  # noqa: S311  # no secret
    return each


def artifact(form: str, results: JobResults, number: int, *, is_named: bool) -> Any:
    """Return one circuit's result in some format.

    Args:
        form: Format of the result.
        results: Results of the circuit.
        number: Which circuit of its job it is.
        is_named: Whether its registers have names that its author gave.
    """
    outcome, n_shots = single_outcome(results), results.job.shots
    if form == jobs.PROBABILITIES_V1:
        return probabilities(outcome, n_shots)
    if form == jobs.HISTOGRAM_V1:
        return histogram(outcome)
    if form == jobs.SHOTS_V1:
        return shots(outcome, number)
    registers = _registers(outcome, is_named=is_named)
    if form == jobs.SHOTS_V2:
        return {"shots": raw_list(_shot(key, registers) for key in _shuffled_keys(outcome, number))}
    if form == jobs.HISTOGRAM_V2:
        return {"histogram": {"registers": _by_register(registers, outcome.each_count())}}
    by_register = {
        name: {bits: _written(p, n_shots) for bits, p in found.items()}
        for name, found in _by_register(registers, _likely(outcome, n_shots)).items()
    }
    return {"probabilities": {"registers": by_register}}


def _registers(outcome: Outcome, *, is_named: bool) -> list[tuple[int, Register]]:
    """Return the registers with the position of their first bit in a key."""
    placed, first = [], 0
    for register in outcome.registers:
        named = register if is_named else msgspec.structs.replace(register, name="output_all")
        placed.append((first, named))
        first += register.size
    return placed


def _shot(key: int, registers: Iterable[tuple[int, Register]]) -> dict[str, Any]:
    return {
        "registers": {
            register.name: [key >> bit & 1 for bit in range(first, first + register.size)]
            for first, register in registers
        }
    }


def _by_register(
    registers: list[tuple[int, Register]], values: Iterable[tuple[int, float]]
) -> dict[str, dict[str, float]]:
    by_register: dict[str, dict[str, float]] = {register.name: {} for _, register in registers}
    for key, value in values:
        for first, register in registers:
            bits = f"{key >> first & (1 << register.size) - 1:0{register.size}b}"
            into = by_register[register.name]
            into[bits] = into.get(bits, 0) + value
    return by_register
