"""Results of jobs."""

from __future__ import annotations

from typing import ClassVar

from qwicket.schema.base import Answer, Id, Record, State
from qwicket.schema.jobs import ErrorBody

Sample = int | float | tuple[float, float]
"""One number of a shot; a complex one is its real and imaginary part."""
Samples = list[list[Sample]]


class OutcomeBody(Record, frozen=True, kw_only=True, omit_defaults=True):
    """What one circuit gave. Keys are bit texts, the highest classical bit first.

    `samples` are numbers where outcomes are no bits: a list per shot, a column per measurement,
    a complex number as its real and imaginary part.

    Attributes:
        part: Which circuit, from 0.
        error: Why there is no outcome.
        registers: Names and sizes of the classical registers.
        counts: How often each key was read.
        probabilities: Of each key: exact where the device is, else frequencies.
        memory: The key of each shot, in their order.
        samples: The numbers of each shot.
        evs: Expectation values, where a program asks for those.
        stds: The standard error of each.
        engine: What ran it.
        engine_version: Of which version.
        seed: Of its random numbers.
        seconds: That it took.
        notes: What is to be known of it, such as `sampled_only`.
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


class ResultBody(Answer, frozen=True, kw_only=True):
    """What a job gave.

    Attributes:
        id: Of the job.
        state: Its end.
        shots: Of each circuit.
        parts: What each circuit gave, in their order.
    """

    id: Id = ""
    state: State = ""
    shots: int = 0
    parts: tuple[OutcomeBody, ...]


class PartAnswer(OutcomeBody, frozen=True, kw_only=True):
    """What one circuit gave. Keys are bit texts, the highest classical bit first.

    Attributes:
        id: Of the part.
        job: Of its job.
        shots: Of each circuit of the job.
    """

    id: str
    job: str
    shots: int
