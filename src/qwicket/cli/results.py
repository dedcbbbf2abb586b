"""What a job gave, as lines for people and for scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.clients.native import Part, Result

    class Job(Protocol):
        """What is printed of a job, or of a program that ran without a server."""

        @property
        def id(self) -> str: ...
        @property
        def state(self) -> str: ...


FAILED: Final = 3
"""Exit status when a job that was waited for has failed."""
CANCELLED: Final = 4
"""Exit status when it was cancelled."""
_BAR_WIDTH: Final = 40
_MAX_BARS: Final = 16
_MAX_SAMPLES: Final = 8


def outcome(state: str) -> int:
    """Return the exit status of a command that waited for a job: 0 when it completed."""
    return {"completed": 0, "cancelled": CANCELLED}.get(state, FAILED)


def record(job: Job, result: Result) -> dict[str, Any]:
    """Return a result for JSON."""
    parts = [_part(part) for part in result.parts]
    return {"id": job.id, "state": job.state, "error": None, "parts": parts}


def _part(of: Part) -> dict[str, Any]:
    told: dict[str, Any] = {"counts": of.counts, "engine": of.engine, "error": of.error}
    told["seed"] = of.seed
    others = {"probabilities": of.probabilities, "memory": of.memory, "samples": of.samples}
    return told | {name: value for name, value in others.items() if value}


def lines(job: Job, result: Result) -> list[str]:
    """Return a result for people: bars for counts, else the first samples."""
    told = [f"{job.id}  {job.state}"]
    for part in result.parts:
        if part.error:
            told.append(f"  {part.error}")
        elif part.samples and not part.counts:
            told += _samples(part)
        else:
            told += bars(part.counts)
    return told


def _samples(of: Part) -> list[str]:
    told = ["  " + "  ".join(map(str, shot)) for shot in of.samples[:_MAX_SAMPLES]]
    if len(of.samples) > _MAX_SAMPLES:
        told.append(f"  … and {len(of.samples) - _MAX_SAMPLES:,} more shots")
    return told


def bars(counts: Mapping[str, int]) -> list[str]:
    """Return counts as bars, the most frequent outcomes first."""
    total = sum(counts.values())
    ranked = sorted(
        (item for item in counts.items() if item[1]), key=lambda item: (-item[1], item[0])
    )
    told = [
        f"  {key}  {n:>7}  {'█' * max(1, round(_BAR_WIDTH * n / total))}"
        for key, n in ranked[:_MAX_BARS]
    ]
    if len(ranked) > _MAX_BARS:
        told.append(f"  … and {len(ranked) - _MAX_BARS} more outcomes")
    return told
