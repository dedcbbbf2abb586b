"""Text and JSON of a job's result, and exit statuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from qwicket.clients.native import plots

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.clients.native import Part, Result

    class Job(Protocol):
        """A job as it is printed; or a trial (`qwicket agent --try`), whose id is its file."""

        @property
        def id(self) -> str: ...
        @property
        def state(self) -> str: ...


FAILED: Final = 3
"""Exit status for a job that failed."""
CANCELLED: Final = 4
"""Exit status for a job that was cancelled."""
_BAR_WIDTH: Final = 40
_MAX_BARS: Final = 16
_MAX_SAMPLES: Final = 8


def exit_status(state: str) -> int:
    """Return the exit status for the state `completed` (0), `failed` or `cancelled` of a job."""
    return {"completed": 0, "cancelled": CANCELLED}.get(state, FAILED)


def record(job: Job, result: Result) -> dict[str, Any]:
    """Return a result as the object that `--json` prints.

    `error` is None even if some circuits failed; their errors are in `parts`. For a job without a
    result, callers write the object themselves.
    """
    parts = [_part(part) for part in result.parts]
    return {"id": job.id, "state": job.state, "error": None, "parts": parts}


def _part(part: Part) -> dict[str, Any]:
    body: dict[str, Any] = {"counts": part.counts, "engine": part.engine, "error": part.error}
    body["seed"] = part.seed
    names = ("probabilities", "memory", "samples", "evs", "stds")
    return body | {name: getattr(part, name) for name in names if getattr(part, name)}


def lines(job: Job, result: Result) -> list[str]:
    """Return a line with id and state, then each part as text.

    A part is its error, bars, expectation values, or the first samples.
    """
    found = [f"{job.id}  {job.state}"]
    for part in result.parts:
        if part.error:
            found.append(f"  {part.error}")
        elif part.samples and not part.counts:
            found += _samples(part)
        elif part.evs:
            found += _indented(plots.values_text(part.evs, part.stds, _MAX_BARS))
        elif part.counts or not (part.probabilities or part.memory):
            # A part without any data has no bars, so it adds no line.
            found += bars(part.counts)
        else:
            rows = plots.highest(plots.heights(part), _MAX_BARS, "height")
            found += _indented(plots.text(*rows))
    return found


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.splitlines()]


def _samples(part: Part) -> list[str]:
    found = ["  " + "  ".join(map(str, shot)) for shot in part.samples[:_MAX_SAMPLES]]
    if len(part.samples) > _MAX_SAMPLES:
        found.append(f"  … and {len(part.samples) - _MAX_SAMPLES:,} more shots")
    return found


def bars(counts: Mapping[str, int]) -> list[str]:
    """Return a bar chart of counts, the most frequent outcomes first; without counts, no lines.

    A full bar is all shots (in `plots.text`: the highest bar).
    """
    total = sum(counts.values())
    ranked = sorted(
        (item for item in counts.items() if item[1]), key=lambda item: (-item[1], item[0])
    )
    found = [
        f"  {key}  {n:>7}  {'█' * max(1, round(_BAR_WIDTH * n / total))}"
        for key, n in ranked[:_MAX_BARS]
    ]
    if len(ranked) > _MAX_BARS:
        found.append(f"  … and {len(ranked) - _MAX_BARS} more outcomes")
    return found
