"""Plots of results: with matplotlib, or as text without it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from qwicket.clients.native.results import Part

Sort = Literal["key", "height"]

_COLOUR: Final = "#4c72b0"
_WIDTH: Final = 40
"""Characters of the longest bar."""
_BINS: Final = 16
_LABEL_CHARS: Final = 60
"""Characters of all labels together that fit side by side; longer ones are turned."""
_FULL: Final = "█"
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"


def heights(part: Part) -> dict[str, float]:
    """Return a plot's bars: counts, else probabilities, else the counted memory or samples."""
    if part.counts or part.probabilities or part.memory:
        return dict(sorted((part.counts or part.probabilities or Counter(part.memory)).items()))
    return _counted(part.samples)


def highest(
    of: Mapping[str, float], maximum: int, sort: Sort = "key"
) -> tuple[list[tuple[str, float]], int]:
    """Return the highest entries and the number of omitted ones; entries of 0 do not count.

    Args:
        of: Heights by label.
        maximum: Maximum number of entries.
        sort: `key` keeps the order of the labels, `height` puts the highest first.

    Raises:
        ValueError: `sort` is neither of these.
    """
    if sort not in ("key", "height"):
        raise ValueError(f"sort must be 'key' or 'height', not {str(sort)[:100]!r}.")
    present = [(label, height) for label, height in of.items() if height]
    tallest = sorted(present, key=lambda entry: -entry[1])[:maximum]
    if sort == "height":
        return tallest, len(present) - len(tallest)
    chosen = {label for label, _ in tallest}
    return [entry for entry in present if entry[0] in chosen], len(present) - len(chosen)


def text(rows: Iterable[tuple[str, float]], left_out: int) -> str:
    """Return a bar chart of labels and heights as text. A full bar is the highest one.

    Its last line has the number of outcomes that are not shown, `left_out`, if there are any.
    """
    rows = list(rows)
    # 1 if there are no rows or all heights are 0.
    maximum = max((height for _, height in rows), default=1) or 1
    label_width = max((len(label) for label, _ in rows), default=0)
    lines = [
        f"{label:<{label_width}}  {height:>8g}  {_bar(height / maximum)}" for label, height in rows
    ]
    if left_out:
        lines.append(f"… and {left_out} more outcomes")
    return "\n".join(lines) if lines else "(no outcomes)"


def draw(rows: list[tuple[str, float]], left_out: int, label: str, title: str, axes: Any) -> Any:
    """Draw bars with matplotlib; return the axes, or None without matplotlib."""
    axes = _new_axes() if axes is None else axes
    if axes is None:
        return None
    labels = [label for label, _ in rows]
    axes.bar(range(len(rows)), [height for _, height in rows], color=_COLOUR)
    is_tight = sum(map(len, labels)) > _LABEL_CHARS
    turned = {"rotation": 60, "ha": "right", "rotation_mode": "anchor"} if is_tight else {}
    axes.set_xticks(range(len(rows)), labels, **turned)
    axes.set_xlabel("outcome")
    axes.set_ylabel(label)
    rarer = f"{left_out:,} rarer outcomes omitted" if left_out else ""
    axes.set_title("\n".join(filter(None, (title, rarer))))
    return axes


def values(evs: Sequence[float], stds: Sequence[float]) -> list[tuple[str, str]]:
    """Return two texts per observable: its number, and its value with the standard error if any."""
    return [
        (str(number), f"{ev:+.6f} ± {std:.6f}" if std else f"{ev:+.6f}")
        for number, (ev, std) in enumerate(zip(evs, stds, strict=False))
    ]


def values_text(evs: Sequence[float], stds: Sequence[float], maximum: int) -> str:
    """Return the first expectation values as text."""
    rows = values(evs[:maximum], stds)
    lines = [f"{number:>{len(rows[-1][0])}}  {value}" for number, value in rows]
    if len(evs) > maximum:
        lines.append(f"… and {len(evs) - maximum} more values")
    return "\n".join(lines)


def draw_values(evs: Sequence[float], stds: Sequence[float], title: str, axes: Any) -> Any:
    """Draw expectation values with matplotlib; return the axes, or None without matplotlib."""
    axes = _new_axes() if axes is None else axes
    if axes is None:
        return None
    axes.errorbar(range(len(evs)), evs, yerr=stds, fmt="o", capsize=3)
    axes.axhline(0.0, color="0.8", linewidth=0.8, zorder=0)
    axes.locator_params(axis="x", integer=True)
    axes.set_xlabel("observable")
    axes.set_ylabel("expectation value")
    axes.set_title(title)
    return axes


def _new_axes() -> Any:
    try:
        from matplotlib import pyplot
    except ImportError:
        return None
    return pyplot.subplots(layout="constrained")[1]


def _bar(share: float) -> str:
    eighths = max(1, round(8 * _WIDTH * share))
    return (_FULL * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()


def _counted(samples: list[list[Any]]) -> dict[str, float]:
    """Count shots of integers; of other shots, bin the first column's real part into `_BINS`."""
    if not samples or not samples[0]:
        return {}
    if all(isinstance(value, int) for row in samples for value in row):
        counted = Counter(tuple(row) for row in samples)
        return {" ".join(map(str, row)): counted[row] for row in sorted(counted)}
    reals = [row[0][0] if isinstance(row[0], tuple) else float(row[0]) for row in samples]
    low, high = min(reals), max(reals)
    step = (high - low) / _BINS or 1.0
    numbers = Counter(min(int((real - low) / step), _BINS - 1) for real in reals)
    return {f"{low + (number + 0.5) * step:+.3f}": numbers[number] for number in range(_BINS)}
