"""Bodies of responses with results of jobs."""

from __future__ import annotations

from typing import ClassVar

from msgspec import UNSET, UnsetType

from qwicket.schema.base import Id, ResponseBody, ResponsePart, State
from qwicket.schema.jobs import ErrorBody, JobBody

Sample = int | float | tuple[float, float]
"""One number of a shot; a complex one is its real and imaginary part."""
Samples = list[list[Sample]]


class MitigationBody(ResponsePart, frozen=True, kw_only=True, omit_defaults=True):
    """What error mitigation has run. A row of values is that of one observable.

    Attributes:
        circuits: Number of circuits that were run.
        shots: Shots of all of them.
        noise_factors: Factors by which the noise of gates was amplified.
        evs_noise_factors: Expectation values at each factor.
        stds_noise_factors: Standard errors of these values.
    """

    always: ClassVar[tuple[str, ...]] = ("circuits", "shots")

    circuits: int = -1
    shots: int = -1
    noise_factors: list[float] | None = None
    evs_noise_factors: list[list[float]] | None = None
    stds_noise_factors: list[list[float]] | None = None


class OutcomeBody(ResponsePart, frozen=True, kw_only=True, omit_defaults=True):
    """Outcome of one circuit. Keys are bit strings, the highest classical bit first.

    Attributes:
        part: Index of the circuit, from 0.
        error: Reason why there is no outcome.
        registers: Names and sizes of the classical registers.
        counts: Number of shots by key.
        probabilities: Probability by key: exact for exact devices, else a frequency.
        quasi_probabilities: Counts with readout errors mitigated, if requested: they add up to 1,
            and some may be negative.
        memory: Key of each shot, in their order.
        samples: Results of devices whose outcomes are not bits: for each shot a list with a number
            for each measurement; a complex number is a list of its real and imaginary part.
        evs: Expectation values, if the program requests them.
        stds: Standard errors of the expectation values.
        mitigation: What error mitigation of the expectation values has run.
        engine: Name of the engine that ran it.
        engine_version: Version of the engine.
        seed: Seed of its random numbers.
        seconds: Run time in seconds.
        notes: Codes of remarks: `sampled_only` if exact probabilities were requested and are not
            available, `nothing_measured` if the circuit measures no qubit.
    """

    always: ClassVar[tuple[str, ...]] = ("part",)

    part: int = -1
    error: ErrorBody | None = None
    registers: tuple[tuple[str, int], ...] = ()
    counts: dict[str, int] | None = None
    probabilities: dict[str, float] | None = None
    quasi_probabilities: dict[str, float] | None = None
    memory: list[str] | None = None
    samples: Samples | None = None
    evs: list[float] | None = None
    stds: list[float] | None = None
    mitigation: MitigationBody | None = None
    engine: str = ""
    engine_version: str = ""
    seed: int | None = None
    seconds: float | None = None
    notes: tuple[str, ...] = ()


class ResultBody(ResponseBody, frozen=True, kw_only=True):
    """Results of a job.

    Attributes:
        id: Id of the job.
        state: Final state of the job.
        shots: Shots per circuit.
        parts: Outcome of each circuit, in their order.
    """

    id: Id = ""
    state: State = ""
    shots: int = 0
    parts: tuple[OutcomeBody, ...]


class SubmittedBody(JobBody, frozen=True, kw_only=True):
    """A submitted job, with its result if it was requested and the job has ended.

    Attributes:
        result: The result. Absent if the response would exceed 1 MB, or if too many other large
            responses are being sent.
    """

    result: ResultBody | UnsetType = UNSET


class PartResultBody(OutcomeBody, frozen=True, kw_only=True):
    """Outcome of one circuit of a job. Keys are bit strings, the highest classical bit first.

    Attributes:
        id: Id of the part, which is this circuit of the job.
        job: Id of the job.
        shots: Shots per circuit of the job.
    """

    id: str
    job: str
    shots: int


class SharedBody(ResponseBody, frozen=True, kw_only=True):
    """What a link shows.

    Attributes:
        job: The job.
        result: The result of the job; null if it has none.
    """

    job: JobBody
    result: ResultBody | None = None
