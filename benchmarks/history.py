"""Figures over time: runs of `make bench`, kept below benchmarks/history and drawn for the docs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

import msgspec

from benchmarks.figures import Table, leading, number

FOLDER: Final = Path(__file__).parent / "history"
LEAST: Final = 10
"""Runs from which on a trend is drawn."""

_SHOWN: Final = (
    "start to /readyz, empty store",
    "idle memory, server",
    "submit, idle, p50 / p95",
    "submit, then result, Bell, 1,000 shots, p50 / p95",
    "status poll, p50 / p95",
    "Bell jobs/s, 64 connections; each p50 / p95",
    "CPU of one job, 64 connections, server + workers",
    "claim with 10,000 waiting, p50 / p95",
    "Bell",
    "20 qubits, 300 gates",
    "noisy, 8 qubits, 96 gates",
)
"""Names of the figures that have a panel."""
_WIDTH, _HEIGHT, _COLUMNS = 300, 96, 3
_COLOURS: Final = {"SQLite": "#2563eb", "PostgreSQL": "#d97706", "": "#059669"}


class Run(msgspec.Struct, frozen=True):
    """One run of the benchmarks.

    Attributes:
        at: When it began, ISO 8601.
        commit: Short name of the commit.
        machine: Machine, Python and load, as printed.
        build: How its Python was built.
        rounds: How often each part ran; its tables have the medians.
        parts: The tables of each part, as printed.
        failed: Parts that raised an error. Their tables have what was measured before it.
    """

    at: str
    commit: str
    machine: str
    build: str
    rounds: int
    parts: dict[str, list[Table]]
    failed: list[str] = []


class Point(NamedTuple):
    """One value of a figure."""

    at: datetime
    value: float
    text: str


def runs(folder: Path = FOLDER) -> list[Run]:
    """Return all runs, the oldest first."""
    found = [msgspec.json.decode(path.read_bytes(), type=Run) for path in folder.glob("*.json")]
    return sorted(found, key=lambda run: run.at)


def write(run: Run, folder: Path = FOLDER) -> Path:
    """Write a run to a file named by its date and commit; return the path.

    A second run of the day at this commit has its time in the name, too: it may have fewer parts,
    so it does not replace the first.
    """
    folder.mkdir(exist_ok=True)
    path = folder / f"{run.at[:10]}-{run.commit}.json"
    if path.exists():
        path = folder / f"{run.at[:19].replace(':', '')}-{run.commit}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=1) + b"\n")
    return path


def series(all_runs: Iterable[Run]) -> dict[str, dict[str, list[Point]]]:
    """Return the points of each shown figure, by its name and its database ("" for none)."""
    found: dict[str, dict[str, list[Point]]] = {name: {} for name in _SHOWN}
    for run in all_runs:
        at = datetime.fromisoformat(run.at)
        for table in (table for tables in run.parts.values() for table in tables):
            for row in table.rows:
                text = row[table.measured]
                value = number(text)
                if row[0] in found and value is not None:
                    database = row[1] if table.head[1] == "database" else ""
                    points = found[row[0]].setdefault(database, [])
                    points.append(Point(at, value, text))
    return {name: lines for name, lines in found.items() if lines}


def picture(all_runs: Sequence[Run]) -> str:
    """Return an SVG with one panel for each figure; its lines begin at zero."""
    panels = list(series(all_runs).items())
    times = [datetime.fromisoformat(run.at).timestamp() for run in all_runs]
    span = (min(times), max(times))
    rows = -(-len(panels) // _COLUMNS)
    drawn = "\n".join(
        f'<g transform="translate({_WIDTH * (i % _COLUMNS)},{_HEIGHT * (i // _COLUMNS)})">'
        f"{_panel(name, lines, span)}</g>"
        for i, (name, lines) in enumerate(panels)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH * _COLUMNS}'
        f' {_HEIGHT * rows}" font-family="sans-serif" font-size="10">\n'
        f"<title>Figures of {len(all_runs)} runs</title>\n{drawn}\n</svg>\n"
    )


def _panel(name: str, lines: Mapping[str, Sequence[Point]], span: tuple[float, float]) -> str:
    top = max(point.value for points in lines.values() for point in points) or 1.0
    first, last = span

    def place(point: Point) -> str:
        part = (point.at.timestamp() - first) / (last - first) if last > first else 1.0
        return f"{8 + 170 * part:.1f},{80 - 52 * point.value / top:.1f}"

    drawn = [f'<text x="8" y="14" fill="#666">{escape(name)}</text>']
    drawn.append('<line x1="8" y1="80" x2="178" y2="80" stroke="#999"/>')
    for i, (database, points) in enumerate(sorted(lines.items())):
        colour = _COLOURS[database]
        drawn.append(
            f'<polyline fill="none" stroke="{colour}" points="{" ".join(map(place, points))}"/>'
        )
        drawn += [
            f'<circle cx="{x}" cy="{y}" r="2.5" fill="{colour}"/>'
            for x, y in (place(point).split(",") for point in points)
        ]
        latest = leading(points[-1].text)
        shown = escape(f"{database} {latest}".strip())
        drawn.append(f'<text x="190" y="{40 + 14 * i}" fill="{colour}">{shown}</text>')
    return "".join(drawn)
