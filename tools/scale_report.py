"""Rates and kills of workers on other machines: `make scale` writes docs/reports/scale.md.

    python tools/scale_report.py                      # everything, for some hours
    python tools/scale_report.py rates --quick        # fewer rounds; then the report is written
    python tools/scale_report.py kills --kills 20     # these kills are added to earlier ones

Runs are kept in build/scale, and the report shows all of them: rates of the last run, and kills of
all runs. `--fresh` forgets earlier ones. Slurm's daemons need root.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from benchmarks import dask, pilots, scale
from benchmarks.bench_databases import bench_databases
from benchmarks.figures import Figure

from support.kills import FILE, GONE_S, KillRecord

Record = TypeVar("Record")

ROOT: Final = Path(__file__).parents[1]
REPORT: Final = ROOT / "docs" / "reports" / "scale.md"
KEPT: Final = ROOT / "build" / "scale"
RATES, KILLS = KEPT / "rates.jsonl", KEPT / "kills.jsonl"
PARTS: Final = {"pilots": pilots, "dask": dask, "scale": scale}
SUITES: Final = ("pilots", "dask_kills", "slurm_kills", "rolling_restart")
REPEATED: Final = "kill or kills or restart"
"""Expression of pytest for the tests that repeat a kill."""
LONG_KILLS: Final = 100


class Measured(msgspec.Struct, frozen=True):
    """A figure with the load average at its end, the time in Unix seconds, and the commit."""

    figure: Figure
    load: float
    at: float
    commit: str


def measure_rates(*, is_quick: bool) -> bool:
    """Measure all figures anew; return whether all meet their aims."""
    RATES.unlink(missing_ok=True)
    commit, are_within = _commit(), True
    for part in PARTS.values():
        with bench_databases() as made:
            for figure in part.measure(made, part.QUICK if is_quick else part.ROUNDS):
                load = os.getloadavg()[0]
                print(*figure[:3], figure.verdict, f"load {load:.1f}", sep="  ", flush=True)
                are_within = are_within and figure.is_within is not False
                line = Measured(figure, load, datetime.now(UTC).timestamp(), commit)
                _append(RATES, msgspec.json.encode(line))
    return are_within


def run_kills(number: int, only: str) -> bool:
    """Run the kill tests, which append their records; return whether all passed."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "worksteal"]
    command += ["--durations=0", "--durations-min=1", "-k", only]
    env = {
        **os.environ,
        "QWICKET_FAULT": "long",
        "QWICKET_KILLS": str(number),
        FILE: str(KILLS),
    }
    suites = [f"tests/fault/test_{each}.py" for each in SUITES]
    return subprocess.run([*command, *suites], cwd=ROOT, env=env, check=False).returncode == 0


def report() -> str:
    """Return the page."""
    figures, kills = _read(RATES, Measured), _read(KILLS, KillRecord)
    return f"""# Workers on other machines

`make scale` wrote this page (`tools/scale_report.py`). Server, workers, batch system and clients
share one machine: {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}.
*Load* is the average of the last minute at the end. It includes the measurement itself; kills are
measured two kinds at a time.

## Rates and times

{_lines(_rates(figures))}

## Kills

Servers, workers and daemons are real processes. They are killed at a random moment while jobs run;
servers on one database are stopped in order, one after the other. Lost and doubled jobs are found
in the database, not asked of the server: *lost* is an acknowledged job that has not ended, *twice*
a completed job with two outcomes, or with a change of state that its claims and releases do not
explain. *Gone* is the longest time from a kill (from the end of a server that is stopped) until all
its child processes had ended; more than {GONE_S:g} s fails the test. `make scale` makes
{LONG_KILLS} kills of each kind. A run that stopped before all its jobs had ended is not counted.
The rows of slurmd and of workers in Slurm are of the same jobs. A *started* scheduler is one that
the server started itself.

{_lines(_kills(kills))}
"""


def _lines(lines: Iterator[str]) -> str:
    return "\n".join(lines) or "Not measured."


def _rates(figures: Sequence[Measured]) -> Iterator[str]:
    if not figures:
        return
    days, commit = _days(each.at for each in figures), figures[0].commit
    yield f"Measured {days} at commit {commit}, with SQLite."
    yield ""
    yield "| figure | measured | aim | | load |"
    yield "|---|---|---|---|---|"
    for each in figures:
        name, _, measured, _, bar, is_within = each.figure
        verdict = {None: "", True: "met", False: "**not met**"}[is_within]
        yield f"| {name} | {measured} | {bar} | {verdict} | {each.load:.1f} |"


def _kills(records: Sequence[KillRecord]) -> Iterator[str]:
    if not records:
        return
    yield f"Run {_days(each.at for each in records)}."
    yield ""
    yield "| killed | database | kills | runs | jobs | lost | twice | gone | load |"
    yield "|---|---|--:|--:|--:|--:|--:|--:|---|"
    ordered = sorted(records, key=lambda each: (each.kind, each.database))
    for (kind, database), group in groupby(ordered, lambda each: (each.kind, each.database)):
        runs = list(group)
        sums = {
            name: sum(getattr(each, name) for each in runs)
            for name in ("kills", "jobs", "lost", "twice")
        }
        loads = [each.load for each in runs]
        yield (
            f"| {kind} | {database} | {sums['kills']} | {len(runs)} | {sums['jobs']:,}"
            f" | {sums['lost']} | {sums['twice']} | {max(each.longest_s for each in runs):.2f} s"
            f" | {_range(min(loads), max(loads))} |"
        )


def _range(low: float, high: float) -> str:
    return f"{low:.1f}" if f"{low:.1f}" == f"{high:.1f}" else f"{low:.1f} to {high:.1f}"


def _days(times: Iterator[float]) -> str:
    days = sorted({f"{datetime.fromtimestamp(each, UTC):%Y-%m-%d}" for each in times})
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"


def _append(file: Path, line: bytes) -> None:
    with file.open("ab") as kept:
        kept.write(line + b"\n")


def _read(file: Path, kind: type[Record]) -> list[Record]:
    if not file.exists():
        return []
    return [msgspec.json.decode(line, type=kind) for line in file.read_bytes().splitlines()]


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=ROOT
    ).stdout.strip()


def main() -> int:
    """Run what is asked for, and write the report; return 1 if an aim or a test failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help="rates, kills; or both")
    parser.add_argument("--quick", action="store_true", help="fewer rounds of the rates")
    parser.add_argument("--kills", type=int, default=LONG_KILLS, help="kills of each kind")
    parser.add_argument("--only", default=REPEATED, help="expression of pytest's -k")
    parser.add_argument("--fresh", action="store_true", help="forget earlier runs")
    given = parser.parse_args()
    parts = given.parts or ["rates", "kills"]
    if unknown := set(parts) - {"rates", "kills", "page"}:
        parser.error(f"there is no part {', '.join(unknown)}")
    if given.fresh:
        shutil.rmtree(KEPT, ignore_errors=True)
    KEPT.mkdir(parents=True, exist_ok=True)
    is_good = True
    if "rates" in parts:
        is_good &= measure_rates(is_quick=given.quick)
    if "kills" in parts:
        is_good &= run_kills(given.kills, given.only)
    REPORT.write_text(report())
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
