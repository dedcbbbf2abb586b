"""Options of one run, which travel beside its packed circuits."""

from __future__ import annotations

import msgspec

from qwicket.circuits.noise import NoiseModel
from qwicket.model.limits import Limits, PhotonicLimits


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a program is to be run; kept beside its circuits and read by the engine alone.

    Attributes:
        shots: Shots per circuit.
        seed: 0 ≤ seed < 2^63; drawn at submission when the user gave none, so that a job that
            runs twice gives the same numbers.
        outputs: Which of `counts`, `memory`, `probabilities` are wanted.
        noise: How noisy the simulated device is; None means ideal. A twin's is frozen here at
            submission: a later calibration does not change the job.
        engine: Which engine runs it; empty means the one that suits each circuit.
        most_outcomes: Distinct outcomes kept for one circuit: the limit `outcomes`.
        variants: Among how many symmetrised variants the shots are split; 1 is none.
        alike: Qubits of the device that may stand for one another in a variant; 0 is none.
        is_dry: Nothing is run: a part that would be gives an empty outcome.
        photonic: Limits of the photonic engine; None are the usual ones.
    """

    shots: int
    seed: int
    outputs: tuple[str, ...]
    noise: NoiseModel | None = None
    engine: str = ""
    most_outcomes: int = Limits().jobs.outcomes
    variants: int = 1
    alike: int = 0
    is_dry: bool = False
    photonic: PhotonicLimits | None = None
