"""docs/reports/speed.md: the newest whole run of `make bench`, as a page.

    python -m benchmarks.page

writes it again from the kept runs. Nothing on it is written by hand.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.figures import VERDICTS, Table, markdown
from benchmarks.history import LEAST, Run, picture, runs

PAGE: Final = Path(__file__).parents[1] / "docs" / "reports" / "speed.md"
TITLES: Final = {
    "queue": "The queue",
    "others": "Beside other systems",
    "steps": "Where the time of a job goes",
    "batches": "Batches in a dialect",
    "vendors": "Vendors' clients",
    "runtime": "IBM's client of today",
    "agents": "Labs' machines",
    "express": "Beside long jobs",
    "forecast": "How often forecasts hold",
    "hostile": "Beside hostile texts",
    "sockets": "Silent connections",
    "streams": "Streams of events",
    "engines": "What circuits cost",
    "atoms": "What atoms cost",
    "photons": "What photons cost",
    "reading": "Reading programs",
    "imports": "Starting commands and clients",
}
"""The title of each part, in the order of the page."""


def write(all_runs: Sequence[Run], path: Path = PAGE) -> None:
    """Write the page of the newest run, and a picture of all runs once there are enough."""
    run = all_runs[-1]
    trends = ""
    if len(all_runs) >= LEAST:
        path.with_name("speed.svg").write_text(picture(all_runs))
        trends = "\n## Trends\n\n![A panel for each of the main figures over time](speed.svg)\n"
    path.write_text(_page(run) + trends)


def _page(run: Run) -> str:
    tables = [table for name in TITLES for table in run.parts.get(name, ())]
    met = sum(row[-1] == VERDICTS[True] for table in tables for row in table.rows)
    missed = [row for table in tables for row in table.not_met]
    rows = [
        ("run", f"{run.rounds} rounds, commit {run.commit}"),
        ("begun", run.machine),
        ("build", run.build.partition(":")[0]),
        ("bars", f"{met} met, {len(missed)} not met"),
        ("parts that failed", ", ".join(run.failed) or "none"),
    ]
    sections = [_section(name, run.parts[name]) for name in TITLES if run.parts.get(name)]
    below = "\n".join(sections)
    missing = "\n".join(f"- {row[0]}{_of(row[1])}" for row in missed)
    return f"""\
# Speed

The newest whole run of `make bench`, which writes this page. Each row is the median of its rounds,
with the lowest and the highest beside it. A *floor* is what the machine needs for the core of the
work, in the same round. A *bar* is the aim; it is met if it was met in more than half of the
rounds. Clients ran on the same cores.

{markdown(("what", "value"), rows)}

## Bars that are not met

{missing or "None."}

{below}"""


def _of(database: str) -> str:
    return f" ({database})" if database in {"SQLite", "PostgreSQL"} else ""


def _section(name: str, tables: Sequence[Table]) -> str:
    about = inspect.getdoc(importlib.import_module(f"benchmarks.{name}")) or ""
    shown = "\n\n".join(markdown(table.head, table.rows) for table in tables)
    return f"## {TITLES[name]}\n\n{about}\n\n{shown}\n"


if __name__ == "__main__":
    write(runs())
