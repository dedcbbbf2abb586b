"""Results of jobs."""

from __future__ import annotations

from typing import ClassVar

from msgspec import UNSET, UnsetType

from qwicket.schema.base import Id, ResponseBody, ResponsePart, State
from qwicket.schema.jobs import ErrorBody, JobBody

Sample = int | float | tuple[float, float]
"""One number of a shot; a complex one is its real and imaginary part."""
Samples = list[list[Sample]]


class OutcomeBody(ResponsePart, frozen=True, kw_only=True, omit_defaults=True):
    """Outcome of one circuit. Keys are bit strings, the highest classical bit first.

    `samples` are numbers, for devices whose outcomes are not bits: a list per shot, a column per
    measurement, a complex number as its real and imaginary part.

    Attributes:
        part: Index of the circuit, from 0.
        error: Reason why there is no outcome.
        registers: Names and sizes of the classical registers.
        counts: Number of shots by key.
        probabilities: Probability by key: exact for exact devices, else a frequency.
        memory: Key of each shot, in their order.
        samples: Numbers of each shot.
        evs: Expectation values, if the program requests them.
        stds: Standard errors of the expectation values.
        engine: Name of the engine that ran it.
        engine_version: Version of the engine.
        seed: Seed of its random numbers.
        seconds: Run time in seconds.
        notes: Remarks such as `sampled_only`.
    """

    always: ClassVar[tuple[str, ...]] = ("part",)

    part: int = -1
    error: ErrorBody | None = None
    registers: tuple[tuple[str, int], ...] = ()
    counts: dict[str, int] | None = None
    probabilities: dict[str, float] | None = None
    memory: list[str] | None = None
    samples: Samples | None = None
    evs: list[float] | None = None
    stds: list[float] | None = None
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
        result: The result. Absent if it is larger than 1 MB.
    """

    result: ResultBody | UnsetType = UNSET


class PartResultBody(OutcomeBody, frozen=True, kw_only=True):
    """Outcome of one circuit. Keys are bit strings, the highest classical bit first.

    Attributes:
        id: Id of the part.
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
        result: Its result; null without one.
    """

    job: JobBody
    result: ResultBody | None = None
