"""`make bench`: run the measurements and print them as Markdown tables."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from os import getloadavg
from typing import Final, NamedTuple, TypeVar

import msgspec

from benchmarks import (
    agents,
    atoms,
    batches,
    compare,
    dask,
    engines,
    express,
    forecast,
    hostile,
    imports,
    photons,
    pilots,
    queue,
    reading,
    runtime,
    scale,
    sockets,
    steps,
    streams,
    vendors,
)
from benchmarks.bench_databases import DATABASES, BenchDatabases, bench_databases
from benchmarks.figures import VERDICTS, Figure, Table, markdown, python_build
from benchmarks.history import Run, write

Verdicts = list[bool | None]
Size = TypeVar("Size")
Cost = TypeVar("Cost", bound=engines.Cost | atoms.Cost | photons.Cost)

_tables: list[Table] = []
"""All printed tables."""


class Settings(NamedTuple):
    """What a part is run with.

    Attributes:
        quick: Whether to measure fewer rounds.
        peers: Interpreter with Aer and qsim.
        photonic_peers: Interpreter with piquasso and thewalrus.
    """

    quick: bool
    peers: str
    photonic_peers: str

    def size(self, quick: Size, full: Size) -> Size:
        """Return the size of a part for these settings."""
        return quick if self.quick else full


PARTS: Final[dict[str, Callable[[Settings], Verdicts]]] = {
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
    "pilots": lambda run: _show_figures(
        _with_databases(pilots.measure, run.size(pilots.QUICK, pilots.ROUNDS))
    ),
    "dask": lambda run: _show_figures(
        _with_databases(dask.measure, run.size(dask.QUICK, dask.ROUNDS))
    ),
    "scale": lambda run: _show_figures(
        _with_databases(scale.measure, run.size(scale.QUICK, scale.ROUNDS))
    ),
    "express": lambda run: _show_figures(express.measure(run.size(30, express.ROUNDS))),
    "forecast": lambda run: _show_figures(
        forecast.measure(run.size(forecast.QUICK, forecast.JOBS))
    ),
    "hostile": lambda _run: _show_figures(hostile.measure()),
    "sockets": lambda _run: _show_figures(sockets.measure()),
    "streams": lambda _run: _show_figures(streams.measure()),
    "vendors": lambda run: _show_figures(vendors.measure(run.size(3, vendors.REPEATS))),
    "runtime": lambda run: _show_figures(runtime.measure(run.size(runtime.QUICK, runtime.JOBS))),
    "engines": lambda run: _show_engines(run.peers),
    "atoms": lambda _run: _show_atoms(),
    "photons": lambda run: _show_photons(run.photonic_peers),
    "reading": lambda _run: _show_reading(),
    "imports": lambda _run: _show_figures(imports.measure()),
}
"""Each part by its name: prints its tables and returns a verdict on each row that has one."""


def main(
    arguments: Sequence[str] | None = None,
    parts: Mapping[str, Callable[[Settings], Verdicts]] = PARTS,
) -> int:
    """Measure and print; return 1 when a figure is over its bar or a part failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(parts)}; or all")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument(
        "--peers", default=sys.executable, metavar="PYTHON", help="interpreter with Aer and qsim"
    )
    parser.add_argument(
        "--photonic-peers",
        default=sys.executable,
        metavar="PYTHON",
        help="interpreter with piquasso and thewalrus",
    )
    parser.add_argument(
        "--keep", action="store_true", help="write the tables to benchmarks/history, too"
    )
    parser.add_argument(
        "--base", metavar="COMMIT", help="compare what a job costs with this commit, in turn"
    )
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(parts):
        parser.error(f"there is no part {', '.join(unknown)}")
    settings = Settings(options.quick, options.peers, options.photonic_peers)
    began, machine = datetime.now(UTC), _where()
    commit = _commit() if options.keep else ""
    print(machine, python_build(), sep="\n", flush=True)
    _tables.clear()
    if options.base:
        _print(compare.HEAD, compare.measure(options.base, settings.size(3, compare.ROUNDS)))
        print(_where())
        return 0
    verdicts: Verdicts = []
    failed: list[str] = []
    for name, measure in parts.items():
        if options.parts and name not in options.parts:
            continue
        try:
            verdicts += measure(settings)
        except Exception:  # the other parts, and what this one has measured, are worth keeping
            traceback.print_exc()
            failed.append(name)
    print(_where())
    if options.keep:
        at = began.isoformat(timespec="seconds")
        print(f"kept as {write(Run(at, commit, machine, list(_tables), failed))}")
    if failed:
        print(f"failed, see the errors above: {', '.join(failed)}")
    return int(False in verdicts or bool(failed))


def _with_databases(
    measure: Callable[[BenchDatabases, Size], Iterable[Figure]], size: Size
) -> Iterator[Figure]:
    with bench_databases() as made:
        yield from measure(made, size)


def _show_steps() -> Verdicts:
    with bench_databases() as made:
        for database in DATABASES:
            with made.fresh(database) as bench_db:
                cpu, timeline = steps.measure(bench_db)
            rows = [(step.name, _ms(step.alone_ms), _ms(step.together_ms)) for step in cpu]
            many = f"{steps.CONNECTIONS} connections"
            _print((f"{database}: CPU of one job, by step", "1 connection", many), rows)
            times = [(gap.name, _ms(gap.wall_ms)) for gap in timeline]
            _print((f"{database}: from event to event of one job", "wall time, p50"), times)
    return []


def _show_figures(figures: Iterable[Figure]) -> Verdicts:
    """Print a table; each figure goes to standard error at once, because all take minutes.

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
        _print(("figure", "database", "measured", "floor", "bar", ""), rows)
    return [figure.is_within for figure in found]


def _show_engines(interpreter: str) -> Verdicts:
    def row(cost: engines.Cost) -> tuple[str, ...]:
        return (
            *(cost.name, cost.engine, _ms(cost.ours_ms)),
            *_beside(cost.aer_ms, cost.ours_ms),
            *_beside(cost.qsim_ms, cost.ours_ms),
            *_beside(cost.module_ms, cost.ours_ms),
        )

    head = ("CPU of one job, 1,000 shots", "engine", "ours")
    beside = ("Aer", "ratio", "qsim", "ratio", "qsim's module", "ratio")
    verdicts = _show_costs("engines", interpreter, engines.Cost, (*head, *beside), row)
    print(engines.COLUMNS)
    return verdicts


def _show_atoms() -> Verdicts:
    def row(cost: atoms.Cost) -> tuple[str, ...]:
        original = ("> 60 s", "") if cost.is_cut else _beside(cost.original_ms, cost.ours_ms)
        return cost.name, _ms(cost.ours_ms), *original

    head = ("CPU of one gate on cold atoms", "ours", "original", "ratio")
    return _show_costs("atoms", sys.executable, atoms.Cost, head, row)


def _show_photons(interpreter: str) -> Verdicts:
    def row(cost: photons.Cost) -> tuple[str, ...]:
        return (
            *(cost.name, _ms(cost.ours_ms), _ms(cost.bar_ms)),
            *_beside(cost.piquasso_ms, cost.ours_ms),
            *_beside(cost.walrus_ms, cost.ours_ms),
        )

    head = ("CPU of one shot of photon counting", "ours", "bar")
    beside = ("piquasso", "ratio", "thewalrus", "ratio")
    return _show_costs("photons", interpreter, photons.Cost, (*head, *beside), row)


def _show_costs(
    part: str,
    interpreter: str,
    kind: type[Cost],
    head: Sequence[str],
    row: Callable[[Cost], Sequence[str]],
) -> Verdicts:
    """Run a measurement in a process of its own, and print a table of the costs that it prints.

    Raises:
        CalledProcessError: The process failed; the table has the costs before that.
    """
    done = subprocess.run(
        [interpreter, "-m", f"benchmarks.{part}"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(("src", "."))},
        stdout=subprocess.PIPE,
        check=False,
    )
    costs = [msgspec.json.decode(line, type=kind) for line in done.stdout.splitlines()]
    _print((*head, ""), [(*row(cost), VERDICTS[cost.is_within]) for cost in costs])
    done.check_returncode()
    return [cost.is_within for cost in costs]


def _show_reading() -> Verdicts:
    rows = [(r.format, f"{r.size_bytes:,} bytes", f"{r.cpu_ms:.1f} ms") for r in reading.measure()]
    _print((f"format, {reading.N_GATES:,} gates", "text", "CPU to read"), rows)
    return []


def _beside(peer_ms: float | None, ours_ms: float) -> tuple[str, str]:
    """Return a peer's time, and the ratio of ours to it."""
    return ("", "") if peer_ms is None else (_ms(peer_ms), f"× {ours_ms / peer_ms:.2g}")


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:,.0f} ms" if milliseconds >= 1_000 else f"{milliseconds:.3g} ms"


def _print(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print and keep a table, unless it has no rows."""
    table = Table(list(head), [list(row) for row in rows])
    if not table.rows:
        return
    _tables.append(table)
    print(f"\n{markdown(table.head, table.rows)}\n", flush=True)


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _where() -> str:
    """Return date, machine and load, which each figure needs."""
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {platform.machine()}, {os.cpu_count()} cores,"
        f" Python {platform.python_version()}, load {getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    sys.exit(main())
