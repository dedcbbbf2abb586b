"""What a job gave. Keys are bit texts, the highest classical bit first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qwicket.clients.http import plain
from qwicket.clients.native.errors import JobFailed

if TYPE_CHECKING:
    from qwicket.clients.native.wire import PartBody, Sample


@dataclass(frozen=True)
class Part:
    """The outcome of one circuit.

    Attributes:
        counts: Shots per outcome.
        probabilities: Exact probabilities, where asked for and known.
        memory: One outcome per shot in shot order, where asked for.
        engine: Name and version of the engine that ran.
        seed: The seed that the numbers were drawn with.
        seconds: Time spent in the engine.
        error: Why there is nothing, if there is nothing.
        samples: Numbers per shot, one for each measurement, where outcomes are no bits; a complex
            number is its real and imaginary part.
    """

    counts: dict[str, int] = field(default_factory=dict)
    probabilities: dict[str, float] = field(default_factory=dict)
    memory: list[str] = field(default_factory=list)
    engine: str = ""
    seed: int | None = None
    seconds: float | None = None
    error: str | None = None
    samples: list[list[Sample]] = field(default_factory=list)

    @classmethod
    def from_body(cls, body: PartBody) -> Part:
        """Return the part that one entry of the server's answer describes."""
        error = body.error
        return cls(
            counts=body.counts or {},
            probabilities=body.probabilities or {},
            memory=body.memory or [],
            samples=body.samples or [],
            engine=f"{body.engine} {body.engine_version}".strip(),
            seed=body.seed,
            seconds=body.seconds,
            error=f"{plain(error.code)}: {plain(error.message)}" if error else None,
        )


@dataclass(frozen=True)
class Result:
    """The outcomes of all circuits of a job, in the order of submission."""

    job: str
    parts: tuple[Part, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Shots per outcome of a job of one circuit."""
        return self._only().counts

    @property
    def probabilities(self) -> dict[str, float]:
        """Exact probabilities of a job of one circuit."""
        return self._only().probabilities

    @property
    def memory(self) -> list[str]:
        """Outcomes in shot order of a job of one circuit."""
        return self._only().memory

    @property
    def samples(self) -> list[list[Sample]]:
        """Numbers per shot of a job of one circuit."""
        return self._only().samples

    def _only(self) -> Part:
        if len(self.parts) != 1:
            raise ValueError(f"The job has {len(self.parts)} circuits: read .parts.")
        (part,) = self.parts
        if part.error is not None:
            raise JobFailed(part.error)
        return part
