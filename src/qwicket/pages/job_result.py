"""The result of one circuit as the page of its job shows it: outcomes as rows and columns."""

from __future__ import annotations

from heapq import nlargest
from math import ceil, floor, log10
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from qwicket.circuits.outcomes import Outcome

MAX_ALL_ROWS: Final = 32
"""Outcomes up to which a table has all of them. Also the number of expectation values shown."""
_TOP_ROWS: Final = 12
MORE_ROWS: Final = 100
"""Rows of the most frequent outcomes if there are more than `MAX_ALL_ROWS`: at first, and on
demand."""
_MAX_COLUMNS: Final = 400
"""Columns of ranked outcomes; of more outcomes, each column is one of equally many."""
_MAX_UNIFORM_BITS: Final = 20
"""Bits up to which a plot has the line of equally likely outcomes: above, it is on the axis."""
_MAX_LABEL_CHARS: Final = 18
_MAX_SAMPLES: Final = 20
_MAX_SAMPLE_CHARS: Final = 200
_ORDERS: Final = ("count", "bits")
_SCALES: Final = ("linear", "log")


class View(NamedTuple):
    """How a page shows a result and a program: the parameters of its address.

    Attributes:
        part: Index of the circuit.
        order: What sorts the outcomes.
        scale: Scale of the bars.
        other: Id of the job to compare with; `with` in the address.
        rows: `MORE_ROWS` if that many rows are wanted.
        show: Tab of the program.
    """

    part: int = 0
    order: str = _ORDERS[0]
    scale: str = _SCALES[0]
    other: str = ""
    rows: int = 0
    show: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str], part: int) -> View:
        """Return the view of an address; parameters that are not valid count as absent."""
        order, scale = query.get("order", ""), query.get("scale", "")
        return cls(
            part,
            order if order in _ORDERS else _ORDERS[0],
            scale if scale in _SCALES else _SCALES[0],
            query.get("with", "").strip(),
            MORE_ROWS if query.get("rows") == str(MORE_ROWS) else 0,
            query.get("show", ""),
        )

    @property
    def parameters(self) -> dict[str, object]:
        """Parameters of the address, without the usual values."""
        names = ("part", "order", "scale", "with", "rows", "show")
        every = zip(names, self, View(), strict=True)
        return {name: value for name, value, usual in every if value != usual}

    def address(self, **changes: Any) -> str:
        """Return the query of an address with some values changed."""
        return f"?{urlencode(self._replace(**changes).parameters)}"


class Row(NamedTuple):
    """An outcome: its count or probability, its share of all, and the width of its bar in %.

    `other` is its share in another job, None without a comparison.
    """

    label: str
    value: float
    share: float
    width: float
    other: float | None
    other_width: float


class Columns(NamedTuple):
    """All outcomes, the most frequent first, as a path in a box `n` wide and 100 high.

    `uniform` is the value if all outcomes were equally likely, and `uniform_y` where its line is;
    None with many bits.
    """

    n: int
    path: str
    highest: float
    lowest: float
    n_possible: int
    uniform: float | None
    uniform_y: float


class ResultView(NamedTuple):
    """The result of one circuit as the page shows it.

    Attributes:
        rows: Outcomes with their bars.
        n_outcomes: Number of all outcomes.
        more: Those without a row: how many, their sum, and their share; None without any.
        axis: Shares at both ends of the bars.
        columns: All outcomes, if there are too many for rows.
        has_counts: Whether values are counts; else they are probabilities.
        values: The first expectation values, each with its standard error or None.
        n_values: Number of all expectation values.
        samples: The first shots, if each shot was stored.
        n_samples: Number of stored shots.
        failure: Why the circuit has no outcome; empty if it has one.
        engine: Name and version of the engine.
        seed: Seed of the circuit.
        seconds: Time in the engine.
        notes: Notes of the engine.
    """

    rows: tuple[Row, ...] = ()
    n_outcomes: int = 0
    more: tuple[int, float, float] | None = None
    axis: tuple[float, float] = (0.0, 1.0)
    columns: Columns | None = None
    has_counts: bool = False
    values: tuple[tuple[float, float | None], ...] = ()
    n_values: int = 0
    samples: tuple[str, ...] = ()
    n_samples: int = 0
    failure: str = ""
    engine: str = ""
    seed: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def has_scales(self) -> bool:
        """Whether a logarithmic scale helps: of fewer or more outcomes, shares say more."""
        return 3 <= self.n_outcomes <= MAX_ALL_ROWS


def result_view(part: Outcome, other: Outcome | None, view: View) -> ResultView:
    """Return a result as the page shows it; with that of another job, compared with it."""
    values = {bits(key, part.n_bits): value for key, value in _counts_or_probabilities(part)}
    total = sum(values.values()) or 1.0
    others = None
    if other is not None and values:
        others = {bits(key, other.n_bits): value for key, value in _counts_or_probabilities(other)}
        all_others = sum(others.values()) or 1.0
        others = {label: value / all_others for label, value in others.items()}
        values = dict.fromkeys(others, 0.0) | values
    evs, stds = part.evs(), part.stds()
    errors = [*stds, *[None] * (len(evs) - len(stds))]
    samples, n_samples = _samples(part)
    found = ResultView(
        n_outcomes=len(values),
        has_counts="counts" in part.arrays,
        values=tuple(zip(evs, errors, strict=True))[:MAX_ALL_ROWS],
        n_values=len(evs),
        samples=samples,
        n_samples=n_samples,
        engine=f"{part.engine} {part.engine_version}",
        seed=part.seed,
        seconds=part.seconds,
        notes=tuple(part.notes),
    )
    return _with_rows(found, values, total, others, view, part.n_bits) if values else found


def _with_rows(
    found: ResultView,
    values: dict[str, float],
    total: float,
    others: dict[str, float] | None,
    view: View,
    n_bits: int,
) -> ResultView:
    compared = others or {}
    n_rows = len(values) if len(values) <= MAX_ALL_ROWS else view.rows or _TOP_ROWS
    shown = nlargest(
        n_rows, values, key=lambda each: max(values[each] / total, compared.get(each, 0.0))
    )
    width, axis = _scale(
        [values[each] / total for each in shown] + [compared.get(each, 0.0) for each in shown],
        is_log=view.scale == "log" and found.has_scales,
    )
    if view.order == "bits":
        shown.sort()
    rows = tuple(
        Row(
            short(label),
            values[label],
            values[label] / total,
            width(values[label] / total),
            None if others is None else others.get(label, 0.0),
            width(compared.get(label, 0.0)),
        )
        for label in shown
    )
    rest = total - sum(row.value for row in rows)
    n_more = len(values) - len(rows)
    return found._replace(
        rows=rows,
        more=(n_more, round(rest) if found.has_counts else rest, rest / total) if n_more else None,
        axis=axis,
        columns=columns(values.values(), total, n_bits) if len(values) > MAX_ALL_ROWS else None,
    )


def _scale(
    shares: Sequence[float], *, is_log: bool
) -> tuple[Callable[[float], float], tuple[float, float]]:
    """Return the width in % of the bar of a share, and the shares at both ends of the axis."""
    top = max(shares) or 1.0
    if not is_log:
        step = 10.0 ** floor(log10(top))
        end = min(1.0, round(ceil(round(top / step, 9)) * step, 12))
        return lambda share: round(100 * share / end, 1), (0.0, end)
    least = min(share for share in shares if share > 0)

    def width(share: float) -> float:
        # The least share has a tenth of a decade, so that its bar is seen.
        if share <= 0:
            return 0.0
        return round(100 * (log10(share / least) + 0.1) / (log10(top / least) + 0.1), 1)

    return width, (least, top)


def columns(values: Iterable[float], total: float, n_bits: int) -> Columns:
    """Return all outcomes as columns, the most frequent first."""
    ranked = sorted(values, reverse=True)
    n = min(len(ranked), _MAX_COLUMNS)
    shown = [ranked[k * len(ranked) // n] for k in range(n)]
    path = "".join(f"V{100 - 100 * value / ranked[0]:.1f}h1" for value in shown)
    uniform = total / 2**n_bits if n_bits <= _MAX_UNIFORM_BITS else None
    return Columns(
        n,
        f"M0 100{path}V100",
        ranked[0],
        ranked[-1],
        2 ** min(n_bits, _MAX_UNIFORM_BITS),
        uniform,
        round(100 - 100 * (uniform or 0.0) / ranked[0], 1),
    )


def _counts_or_probabilities(part: Outcome) -> list[tuple[int, float]]:
    return list(part.each_count()) or list(part.each_probability())


def _samples(part: Outcome) -> tuple[tuple[str, ...], int]:
    """Return the first shots, and the number of all that are stored."""
    if "samples" in part.arrays:
        return tuple(_first(part.each_sample(), str)), part.arrays["samples"].shape[0]
    if "memory" in part.arrays:
        shots = _first(part.each_shot(), lambda key: bits(key, part.n_bits))
        return tuple(shots), part.arrays["memory"].shape[0]
    return (), 0


def _first(rows: Iterator[Any], render: Callable[[Any], str]) -> Iterator[str]:
    for number, row in enumerate(rows):
        if number == _MAX_SAMPLES:
            return
        yield render(row)[:_MAX_SAMPLE_CHARS]


def bits(key: int, width: int) -> str:
    """Return an outcome as bits."""
    return format(key, f"0{width}b") if width else ""


def short(label: str) -> str:
    """Return a label of limited length with both ends of a longer one."""
    if len(label) <= _MAX_LABEL_CHARS:
        return label
    return f"{label[:8]}…{label[-8:]}"
