"""Options of Qiskit's primitives: each is applied, ignored with a note in the result, or refused.

Options that only ask for less noise are ignored. Options that would change the content or the
meaning of a result are refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

import msgspec

from qwicket.model.errors import InvalidProgram
from qwicket.programs.json_text import quoted

_DEPTH: Final = 8
"""Limit on the nesting of options; those of clients are two deep."""
_MAX_NOTES: Final = 100
"""Notes on ignored options of one job; further ones are left out."""


class Treatment(StrEnum):
    APPLIED = "applied"
    IGNORED = "ignored"
    REFUSED = "refused"


class Option(NamedTuple):
    """An option, or all options below a path.

    Attributes:
        path: Its place below `options`; only `resilience_level` stands beside `options`.
        treatment: Treatment by this server.
        reason: How or why, for the documentation, the note and the error. That of a refused option
            may begin with `must`; the error then adds the given value.
        neutral: Values that ask for what happens anyway: neither noted nor refused.
    """

    path: str
    treatment: Treatment
    reason: str
    neutral: tuple[Any, ...] = (None,)


_TWIRLING: Final = "circuits run as they are, with the shots that were asked for"
_RANDOMIZED: Final = "has an effect only with measure_mitigation"
_NO_TIME: Final = "simulated gates take no time, so no qubit idles"
_LEARNING: Final = "only the noise of measurements is learnt"

OPTIONS: Final = (
    Option("default_shots", Treatment.APPLIED, "shots of pubs without a number of their own"),
    Option("default_precision", Treatment.APPLIED, "precision of pubs without one of their own"),
    Option("seed_estimator", Treatment.APPLIED, "seed of the job"),
    Option("simulator.seed_simulator", Treatment.APPLIED, "seed of the job"),
    Option(
        "simulator.noise_model",
        Treatment.REFUSED,
        "noise models are not supported; use a device with noise",
    ),
    Option("simulator.coupling_map", Treatment.IGNORED, "the device has its own"),
    Option("simulator.basis_gates", Treatment.IGNORED, "the device has its own"),
    Option(
        "resilience_level",
        Treatment.APPLIED,
        "0, 1 or 2; without it, 1 as at IBM, and 0 on the ideal simulator",
    ),
    Option(
        "resilience.measure_mitigation",
        Treatment.APPLIED,
        "readout errors are mitigated (TREX); without it, from level 1",
    ),
    Option("resilience.measure_noise_learning", Treatment.IGNORED, _RANDOMIZED),
    Option("resilience.layer_noise_learning", Treatment.IGNORED, _LEARNING),
    Option(
        "resilience.layer_noise_model",
        Treatment.REFUSED,
        "noise models are not supported; leave it out",
    ),
    Option(
        "resilience.zne_mitigation",
        Treatment.APPLIED,
        "values are extrapolated to zero noise; without it, at level 2",
    ),
    Option("resilience.zne", Treatment.IGNORED, "has an effect only with zne_mitigation"),
    Option(
        "resilience.pec_mitigation",
        Treatment.REFUSED,
        "probabilistic error cancellation is not supported; leave it out, or set it to false",
        (None, False),
    ),
    Option("resilience.pec", Treatment.IGNORED, "has an effect only with pec_mitigation"),
    Option("twirling.enable_gates", Treatment.IGNORED, _TWIRLING, (None, False)),
    Option("twirling.enable_measure", Treatment.IGNORED, _RANDOMIZED, (None, False)),
    Option("twirling.num_randomizations", Treatment.IGNORED, _RANDOMIZED),
    Option("twirling.shots_per_randomization", Treatment.IGNORED, _RANDOMIZED),
    Option("twirling", Treatment.IGNORED, _TWIRLING),
    Option("dynamical_decoupling.enable", Treatment.IGNORED, _NO_TIME, (None, False)),
    Option("dynamical_decoupling", Treatment.IGNORED, _NO_TIME),
    Option(
        "execution.meas_type",
        Treatment.REFUSED,
        "must be classified (outcomes are bits)",
        (None, "classified"),
    ),
    Option(
        "execution.init_qubits",
        Treatment.REFUSED,
        "must be true (each shot starts in the ground state)",
        (None, True),
    ),
    Option("execution.rep_delay", Treatment.IGNORED, "no time passes between shots"),
    Option("experimental", Treatment.IGNORED, "experimental options are those of IBM's machines"),
)
"""All options of clients. The first whose path is that of a value, or above it, decides: so an
option comes before the path above it, as `twirling.enable_gates` does."""

_UNKNOWN: Final = Option("", Treatment.IGNORED, "this server does not know it")


def review(params: Mapping[str, Any], applied: Collection[str] = ()) -> dict[str, str]:
    """Return the options that are ignored, and why.

    Args:
        params: Parameters of a primitive, decoded from JSON.
        applied: Paths of options that are applied although `OPTIONS` says that they are ignored.

    Raises:
        InvalidProgram: An option is refused; the detail names it.
    """
    notes: dict[str, str] = {}
    given = {**(params.get("options") or {})}
    if "resilience_level" in params:
        given["resilience_level"] = params["resilience_level"]
    for path, value in _leaves(given):
        option = _option(path)
        is_applied = option.treatment is Treatment.APPLIED or option.path in applied
        if is_applied or _is_neutral(value, option):
            continue
        if option.treatment is Treatment.REFUSED:
            raise _refusal(option, value)
        if len(notes) < _MAX_NOTES:
            notes[path] = option.reason
    return notes


def _leaves(given: Mapping[str, Any], above: str = "", depth: int = 1) -> Iterator[tuple[str, Any]]:
    """Yield all values, with their paths.

    The value of a refused option stays whole, so that one error covers all of it.
    """
    for name, value in given.items():
        path = f"{above}{name}"
        # An empty object is a value like any other, and so is one that is nested too deeply.
        is_inner = isinstance(value, dict) and value and depth < _DEPTH
        if is_inner and not any(path == option.path for option in _REFUSED):
            yield from _leaves(value, f"{path}.", depth + 1)
        else:
            yield path, value


_REFUSED: Final = tuple(each for each in OPTIONS if each.treatment is Treatment.REFUSED)


def _option(path: str) -> Option:
    for option in OPTIONS:
        if path == option.path or path.startswith(option.path + "."):
            return option
    return _UNKNOWN


def _is_neutral(value: Any, option: Option) -> bool:
    # Types are compared, too, because 0 equals False in Python.
    return any(
        value is each or (type(value) is type(each) and value == each) for each in option.neutral
    )


def _refusal(option: Option, value: Any) -> InvalidProgram:
    path = f"options.{option.path}"
    text = f"{path}: {option.reason}"
    if option.reason.startswith("must"):
        given = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        text += f", not {quoted(given)}"
    return InvalidProgram(text, field=path)
