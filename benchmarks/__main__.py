"""`make bench`: run the measurements and print them as Markdown tables."""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from os import getloadavg
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import msgspec

from benchmarks import (
    agents,
    atoms,
    batches,
    compare,
    engines,
    express,
    forecast,
    hostile,
    imports,
    others,
    page,
    photons,
    queue,
    reading,
    runtime,
    sockets,
    steps,
    streams,
    vendors,
)
from benchmarks.bench_databases import DATABASES, BenchDatabases, bench_databases
from benchmarks.figures import VERDICTS, Figure, Table, combined, markdown, python_build
from benchmarks.history import Run, runs, write

Size = TypeVar("Size")
Cost = TypeVar("Cost", bound=engines.Cost | atoms.Cost | photons.Cost)

_tables: list[Table] = []
"""The tables of the part and round that run."""


class Settings(NamedTuple):
    """What a part is run with.

    Attributes:
        quick: Whether to measure fewer rounds.
        peers: Interpreter with Aer and qsim.
        photonic_peers: Interpreter with piquasso.
    """

    quick: bool
    peers: str
    photonic_peers: str

    def size(self, quick: Size, full: Size) -> Size:
        """Return the size of a part for these settings."""
        return quick if self.quick else full


PARTS: Final[dict[str, Callable[[Settings], None]]] = {
    "queue": lambda run: _show_figures(
        _with_databases(queue.measure, run.size(queue.QUICK, queue.FULL))
    ),
    "steps": lambda _run: _show_steps(),
    "batches": lambda run: _show_figures(
        _with_databases(batches.measure, run.size(5, batches.ROUNDS))
    ),
    "agents": lambda run: _show_figures(
        _with_databases(agents.measure, run.size(40, agents.ROUNDS))
    ),
    "express": lambda run: _show_figures(express.measure(run.size(30, express.ROUNDS))),
    "forecast": lambda run: _show_figures(
        forecast.measure(run.size(forecast.QUICK, forecast.JOBS))
    ),
    "hostile": lambda _run: _show_figures(hostile.measure()),
    "sockets": lambda _run: _show_figures(sockets.measure()),
    "streams": lambda _run: _show_figures(streams.measure()),
    "vendors": lambda run: _show_figures(vendors.measure(run.size(3, vendors.REPEATS))),
    "others": lambda run: _show_figures(
        _with_databases(others.measure, run.size(others.QUICK, others.JOBS))
    ),
    "runtime": lambda run: _show_figures(runtime.measure(run.size(runtime.QUICK, runtime.JOBS))),
    "engines": lambda run: _show_engines(run),
    "atoms": lambda run: _show_atoms(run),
    "photons": lambda run: _show_photons(run),
    "reading": lambda _run: _show_reading(),
    "imports": lambda _run: _show_figures(imports.measure()),
}
"""Each part by its name: adds its tables to `_tables`."""


def main(
    arguments: Sequence[str] | None = None,
    parts: Mapping[str, Callable[[Settings], None]] = PARTS,
) -> int:
    """Measure and print; return 1 when a bar is not met or a part failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(parts)}; or all")
    parser.add_argument("--quick", action="store_true", help="fewer jobs of each kind")
    parser.add_argument(
        "--rounds", type=int, default=1, metavar="N", help="each part N times: medians and spreads"
    )
    parser.add_argument(
        "--peers", default=sys.executable, metavar="PYTHON", help="interpreter with Aer and qsim"
    )
    parser.add_argument(
        "--photonic-peers",
        default=sys.executable,
        metavar="PYTHON",
        help="interpreter with piquasso",
    )
    parser.add_argument(
        "--keep",
        action="store_true",
        help="write the tables to benchmarks/history and docs/reports/speed.md, too",
    )
    parser.add_argument(
        "--base", metavar="COMMIT", help="compare what a job costs with this commit, in turn"
    )
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(parts):
        parser.error(f"there is no part {', '.join(unknown)}")
    settings = Settings(options.quick, options.peers, options.photonic_peers)
    began, machine, build = datetime.now(UTC), _where(), python_build()
    commit = _commit() if options.keep else ""
    print(machine, build, sep="\n", flush=True)
    if options.base:
        rows = compare.measure(options.base, settings.size(3, compare.ROUNDS))
        _print(Table(list(compare.HEAD), list(map(list, rows))))
        print(_where())
        return 0
    measured: dict[str, list[Table]] = {}
    failed: list[str] = []
    for name, measure in parts.items():
        if options.parts and name not in options.parts:
            continue
        rounds = []
        for _ in range(options.rounds):
            _tables.clear()
            try:
                measure(settings)
            except Exception:  # the other parts, and what this one has measured, are worth keeping
                traceback.print_exc()
                failed.append(name)
            rounds.append(list(_tables))
            if name in failed:
                break
        measured[name] = combined(rounds)
        for table in measured[name]:
            _print(table)
    print(_where())
    if options.keep:
        at = began.isoformat(timespec="seconds")
        run = Run(at, commit, machine, build, options.rounds, measured, failed)
        print(f"kept as {write(run)}")
        page.write(runs())
    if failed:
        print(f"failed, see the errors above: {', '.join(failed)}")
    tables = [table for found in measured.values() for table in found]
    return int(bool(failed) or any(table.not_met for table in tables))


def _with_databases(
    measure: Callable[[BenchDatabases, Size], Iterable[Figure]], size: Size
) -> Iterator[Figure]:
    with bench_databases() as made:
        yield from measure(made, size)


def _show_steps() -> None:
    with bench_databases() as made:
        for database in DATABASES:
            with made.fresh(database) as bench_db:
                cpu, timeline = steps.measure(bench_db)
            rows = [(step.name, _ms(step.alone_ms), _ms(step.together_ms)) for step in cpu]
            many = f"{steps.CONNECTIONS} connections"
            _add((f"{database}: CPU of one job, by step", "1 connection", many), rows)
            times = [(gap.name, _ms(gap.wall_ms)) for gap in timeline]
            _add((f"{database}: from event to event of one job", "wall time, p50"), times)


def _show_figures(figures: Iterable[Figure]) -> None:
    """Add a table; each figure goes to standard error at once, because all take minutes.

    If measuring fails, the table has the figures before the error.
    """
    found = []
    try:
        for figure in figures:
            words = (figure.database, figure.name, figure.measured, figure.verdict)
            print("  ".join(words), file=sys.stderr, flush=True)
            found.append(figure)
    finally:
        rows = [(f.name, f.database, f.measured, f.floor, f.bar, f.verdict) for f in found]
        _add(("figure", "database", "measured", "floor", "bar", ""), rows)


def _show_engines(settings: Settings) -> None:
    def row(cost: engines.Cost) -> tuple[str, ...]:
        return (
            *(cost.name, cost.engine, _ms(cost.ours_ms)),
            *_beside(cost.aer_ms, cost.ours_ms),
            *_beside(cost.qsim_ms, cost.ours_ms),
            *_beside(cost.module_ms, cost.ours_ms),
        )

    head = ("CPU of one job, 1,000 shots", "engine", "ours")
    beside = ("Aer", "ratio", "qsim", "ratio", "qsim's module", "ratio")
    _show_costs("engines", settings, settings.peers, engines.Cost, (*head, *beside), row)
    print(engines.COLUMNS)


def _show_atoms(settings: Settings) -> None:
    def row(cost: atoms.Cost) -> tuple[str, ...]:
        original = ("> 10 s", "") if cost.is_cut else _beside(cost.original_ms, cost.ours_ms)
        return cost.name, _ms(cost.ours_ms), *original

    head = ("CPU of one gate on cold atoms", "ours", "original", "ratio")
    _show_costs("atoms", settings, sys.executable, atoms.Cost, head, row)


def _show_photons(settings: Settings) -> None:
    def row(cost: photons.Cost) -> tuple[str, ...]:
        return (
            *(cost.name, _ms(cost.ours_ms), _ms(cost.bar_ms)),
            *_beside(cost.piquasso_ms, cost.ours_ms),
        )

    head = ("CPU of one shot of photon counting", "ours", "bar")
    beside = ("piquasso", "ratio")
    _show_costs("photons", settings, settings.photonic_peers, photons.Cost, (*head, *beside), row)


def _show_costs(
    part: str,
    settings: Settings,
    interpreter: str,
    kind: type[Cost],
    head: Sequence[str],
    row: Callable[[Cost], Sequence[str]],
) -> None:
    """Run a measurement in a process of its own, and add a table of the costs that it prints.

    Raises:
        CalledProcessError: The process failed; the table has the costs before that.
    """
    done = subprocess.run(
        [interpreter, "-m", f"benchmarks.{part}", str(settings.size(0.2, 1.0))],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(("src", "."))},
        stdout=subprocess.PIPE,
        check=False,
    )
    costs = [msgspec.json.decode(line, type=kind) for line in done.stdout.splitlines()]
    _add((*head, ""), [(*row(cost), VERDICTS[cost.is_within]) for cost in costs])
    done.check_returncode()


def _show_reading() -> None:
    rows = [(r.format, f"{r.size_bytes:,} bytes", f"{r.cpu_ms:.1f} ms") for r in reading.measure()]
    _add((f"format, {reading.N_GATES:,} gates", "text", "CPU to read"), rows)


def _beside(peer_ms: float | None, ours_ms: float) -> tuple[str, str]:
    """Return a peer's time, and the ratio of ours to it."""
    return ("", "") if peer_ms is None else (_ms(peer_ms), f"× {ours_ms / peer_ms:.2g}")


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:,.0f} ms" if milliseconds >= 1_000 else f"{milliseconds:.3g} ms"


def _add(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Keep a table, unless it has no rows."""
    table = Table(list(head), [list(row) for row in rows])
    if table.rows:
        _tables.append(table)


def _print(table: Table) -> None:
    print(f"\n{markdown(table.head, table.rows)}\n", flush=True)


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _where() -> str:
    """Return date, machine and load, which each figure needs."""
    model = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    machine = model[1] if model else platform.machine()
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {machine}, {os.cpu_count()} cores,"
        f" Python {platform.python_version()}, load {getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    sys.exit(main())
