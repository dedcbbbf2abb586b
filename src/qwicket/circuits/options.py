"""Options of one run, which travel beside its packed circuits."""

from __future__ import annotations

import msgspec

from qwicket.circuits.mitigation.runs import Combination
from qwicket.circuits.noise import NoiseModel
from qwicket.model.limits import Limits, PhotonicLimits


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of a run, stored with its circuits, for engines and for checks of results.

    Attributes:
        shots: Shots per circuit.
        seed: 0 ≤ seed < 2^63; drawn at submission when the user gave none, so that a job that
            runs twice gives the same numbers.
        outputs: Requested outputs: `counts`, `memory`, `probabilities`, `samples`.
        noise: Noise model of the simulation; None is ideal. That of a twin is fixed at submission,
            so that a later calibration does not change the job.
        engine: Name of the engine; empty chooses one per circuit.
        max_outcomes: Limit on outcomes of one circuit with exact probabilities (limit
            `outcomes`); beyond it, shots are counted.
        variants: Number of symmetrised variants that share the shots; 1 turns debiasing off.
        alike: Number of equivalent qubits that variants may exchange; 0 allows no exchange.
        dry_run: Whether to return empty results without running anything.
        photonic: Limits of the photonic engine; None stands for the defaults.
    """

    # The JSON names `most_outcomes` and `is_dry` stay: jobs of older servers are stored with them.
    shots: int
    seed: int
    outputs: tuple[str, ...]
    noise: NoiseModel | None = None
    engine: str = ""
    max_outcomes: int = msgspec.field(default=Limits().jobs.outcomes, name="most_outcomes")
    variants: int = 1
    alike: int = 0
    dry_run: bool = msgspec.field(default=False, name="is_dry")
    photonic: PhotonicLimits | None = None


class LabOptions(RunOptions, frozen=True, kw_only=True):
    """Options of a job on a lab's device.

    Attributes:
        combinations: The estimations whose runs are the job's circuits, in their order; empty if
            the circuits are those of the program.
    """

    combinations: tuple[Combination, ...] = ()
