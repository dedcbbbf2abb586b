"""Error mitigation as the options of IBM's Estimator ask for it."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import msgspec

from qwicket.circuits.mitigation import EXTRAPOLATORS, settings
from qwicket.circuits.qubit import Folding, Mitigation
from qwicket.model.errors import InvalidProgram
from qwicket.model.limits import Limits
from qwicket.programs import json_text
from qwicket.programs.json_text import check_limit, quoted
from qwicket.vendors.ibm.limits import PrimitiveLimits

_LEVELS: Final = (0, 1, 2)
_FOLDINGS: Final[dict[str, Folding]] = {
    "gate_folding": "random",
    "gate_folding_front": "front",
    "gate_folding_back": "back",
}


class _Learning(msgspec.Struct, frozen=True):
    num_randomizations: int | None = None
    shots_per_randomization: int | str | None = None


class _Twirling(msgspec.Struct, frozen=True):
    enable_measure: bool | None = None
    num_randomizations: int | str | None = None
    shots_per_randomization: int | str | None = None


class _Extrapolation(msgspec.Struct, frozen=True):
    amplifier: str | None = None
    noise_factors: tuple[float, ...] | None = None
    extrapolator: str | tuple[str, ...] | None = None
    extrapolated_noise_factors: tuple[float, ...] | float | None = None


class _Resilience(msgspec.Struct, frozen=True):
    measure_mitigation: bool | None = None
    measure_noise_learning: _Learning | None = None
    zne_mitigation: bool | None = None
    zne: _Extrapolation | None = None


class _Options(msgspec.Struct, frozen=True):
    resilience_level: int | None = None
    resilience: _Resilience | None = None
    twirling: _Twirling | None = None


class _Params(msgspec.Struct, frozen=True):
    options: _Options | None = None
    resilience_level: int | None = None


class _Document(msgspec.Struct, frozen=True):
    program: Literal["estimator"]
    params: _Params
    default_level: int = 0


class Resilience(NamedTuple):
    """Error mitigation of all pubs of a document.

    Attributes:
        mitigates_readout: Whether readout errors are mitigated.
        randomizations: Runs in place of each one; None for a number that suits the shots.
        shots_each: Shots of each of these; None as above.
        calibrations: Runs from which readout errors are learnt.
        calibration_shots: Shots of each of these; None for as many as the others have.
        extrapolation: Settings of the extrapolation to zero noise; None without it.
    """

    mitigates_readout: bool
    randomizations: int | None
    shots_each: int | None
    calibrations: int
    calibration_shots: int | None
    extrapolation: Mitigation | None

    @property
    def applied(self) -> tuple[str, ...]:
        """Paths of options that only have an effect with this mitigation."""
        paths: tuple[str, ...] = ()
        if self.mitigates_readout:
            paths += (
                "resilience.measure_noise_learning",
                "twirling.enable_measure",
                "twirling.num_randomizations",
                "twirling.shots_per_randomization",
            )
        if self.extrapolation is not None:
            paths += ("resilience.zne",)
        return paths

    def of(self, shots: int, limits: Limits) -> tuple[int, Mitigation | None]:
        """Return the shots of each run, and the mitigation, of a pub with a number of shots.

        The shots are 0 if they are not divided.

        Raises:
            LimitExceeded: There are too many runs, or too many shots in one of them.
        """
        if not self.mitigates_readout:
            return 0, self.extrapolation
        runs, each = settings.divided(shots, self.randomizations, self.shots_each)
        learning = each if self.calibration_shots is None else self.calibration_shots
        check_limit("shots", max(each, learning), limits.jobs.shots)
        maximum = limits.of(PrimitiveLimits).estimator_runs
        check_limit("estimator_runs", max(runs, self.calibrations), maximum)
        return each, msgspec.structs.replace(
            self.extrapolation or Mitigation(),
            randomizations=runs,
            calibrations=self.calibrations,
            calibration_shots=learning,
        )


_decoder: Final = msgspec.json.Decoder(_Document)


def read(source: bytes) -> Resilience:
    """Return the error mitigation that an estimator's document asks for.

    Raises:
        InvalidProgram: An option is out of range, or asks for what cannot be done; the detail names
            it.
    """
    document = json_text.decode(_decoder, source, lambda _, path: f"{path}: " if path else "")
    params = document.params
    options = params.options or _Options()
    resilience, twirling = options.resilience or _Resilience(), options.twirling or _Twirling()
    level = params.resilience_level
    level = options.resilience_level if level is None else level
    level = document.default_level if level is None else level
    if level not in _LEVELS:
        raise _error("resilience_level", f"must be 0, 1 or 2, not {quoted(str(level))}")
    mitigates_readout = resilience.measure_mitigation
    if mitigates_readout is None:
        mitigates_readout = level >= 1
    extrapolates = resilience.zne_mitigation
    if extrapolates is None:
        extrapolates = level == 2
    if mitigates_readout and twirling.enable_measure is False:
        raise _error("twirling.enable_measure", "must be true with measure_mitigation, not false")
    learning = resilience.measure_noise_learning or _Learning()
    where = "resilience.measure_noise_learning"
    calibrations = _count(f"{where}.num_randomizations", learning.num_randomizations)
    return Resilience(
        mitigates_readout,
        _count("twirling.num_randomizations", twirling.num_randomizations),
        _count("twirling.shots_per_randomization", twirling.shots_per_randomization),
        settings.RANDOMIZATIONS if calibrations is None else calibrations,
        _count(f"{where}.shots_per_randomization", learning.shots_per_randomization),
        _extrapolation(resilience.zne or _Extrapolation()) if extrapolates else None,
    )


def _extrapolation(given: _Extrapolation) -> Mitigation:
    amplifier = given.amplifier or "gate_folding"
    if amplifier not in _FOLDINGS:
        raise _error(
            "resilience.zne.amplifier",
            f"{quoted(amplifier)} is not supported, only {', '.join(_FOLDINGS)}",
        )
    factors = settings.NOISE_FACTORS if given.noise_factors is None else given.noise_factors
    _refuse("resilience.zne.noise_factors", settings.factors_fault(factors, 1))
    named = given.extrapolator
    extrapolators = (named,) if isinstance(named, str) else named
    if extrapolators is None:
        extrapolators = settings.DEFAULT_EXTRAPOLATORS
    if not 1 <= len(extrapolators) <= settings.MAX_ENTRIES:
        raise _error("resilience.zne.extrapolator", f"takes 1 to {settings.MAX_ENTRIES} names")
    for name in extrapolators:
        if name not in EXTRAPOLATORS:
            raise _error(
                "resilience.zne.extrapolator",
                f"{quoted(name)} is not supported, only {', '.join(EXTRAPOLATORS)}",
            )
    _refuse("resilience.zne.noise_factors", settings.lack_of_factors(factors, extrapolators))
    points = given.extrapolated_noise_factors
    points = (points,) if isinstance(points, float) else points
    points = (0.0, *factors) if points is None else points
    fault = settings.factors_fault(points, 0)
    _refuse("resilience.zne.extrapolated_noise_factors", fault)
    return Mitigation(
        noise_factors=factors,
        folding=_FOLDINGS[amplifier],
        extrapolators=tuple(extrapolators),
        extrapolated_factors=points,
    )


def _refuse(path: str, fault: str) -> None:
    if fault:
        raise _error(path, fault)


def _count(path: str, given: int | str | None) -> int | None:
    """Return a number of at least 1; None for `auto`."""
    if given is None or given == "auto":
        return None
    if isinstance(given, str) or given < 1:
        raise _error(path, f"must be auto or an integer of at least 1, not {quoted(str(given))}")
    return given


def _error(path: str, text: str) -> InvalidProgram:
    return InvalidProgram(f"options.{path}: {text}", field=f"options.{path}")
