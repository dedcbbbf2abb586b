"""`make bench`: run the measurements and print them as Markdown tables."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from os import getloadavg
from typing import Final, TypeVar

import msgspec

from benchmarks import (
    agents,
    atoms,
    batches,
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
    scale,
    sockets,
    steps,
    streams,
    vendors,
)
from benchmarks.figures import VERDICTS, Figure, Table, markdown
from benchmarks.history import Run, write
from benchmarks.places import DATABASES, places

T = TypeVar("T")

_tables: list[Table] = []
"""All printed tables."""

PARTS: Final = (
    *(
        "queue",
        "steps",
        "batches",
        "agents",
        "pilots",
        "dask",
        "scale",
        "express",
        "forecast",
        "hostile",
    ),
    *("sockets", "streams", "vendors", "engines", "atoms", "photons", "reading", "imports"),
)


def main() -> int:
    """Measure and print; return 1 when a figure is over its bar."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; or all")
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
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(unknown)}")
    parts = asked.parts or PARTS
    began, machine = datetime.now(UTC), _where()
    print(machine, flush=True)
    verdicts: list[bool | None] = []
    if "queue" in parts:
        verdicts += _show_figures(_queue(queue.QUICK if asked.quick else queue.FULL))
    if "steps" in parts:
        _show_steps()
    if "batches" in parts:
        verdicts += _show_figures(_batches(5 if asked.quick else batches.ROUNDS))
    if "agents" in parts:
        verdicts += _show_figures(_agents(40 if asked.quick else agents.ROUNDS))
    if "pilots" in parts:
        verdicts += _show_figures(_pilots(pilots.QUICK if asked.quick else pilots.ROUNDS))
    if "dask" in parts:
        verdicts += _show_figures(_dask(dask.QUICK if asked.quick else dask.ROUNDS))
    if "scale" in parts:
        verdicts += _show_figures(_scale(scale.QUICK if asked.quick else scale.ROUNDS))
    if "express" in parts:
        verdicts += _show_figures(express.measure(30 if asked.quick else express.ROUNDS))
    if "forecast" in parts:
        jobs = forecast.QUICK if asked.quick else forecast.JOBS
        verdicts += _show_figures(forecast.measure(jobs))
    if "hostile" in parts:
        verdicts += _show_figures(hostile.measure())
    if "sockets" in parts:
        verdicts += _show_figures(sockets.measure())
    if "streams" in parts:
        verdicts += _show_figures(streams.measure())
    if "vendors" in parts:
        verdicts += _show_figures(vendors.measure(3 if asked.quick else vendors.REPEATS))
    if "engines" in parts:
        verdicts += _show_engines(asked.peers)
    if "atoms" in parts:
        verdicts += _show_atoms()
    if "photons" in parts:
        verdicts += _show_photons(asked.photonic_peers)
    if "reading" in parts:
        _show_reading()
    if "imports" in parts:
        verdicts += _show_figures(imports.measure())
    print(_where())
    if asked.keep:
        at = began.isoformat(timespec="seconds")
        print(f"kept as {write(Run(at, _commit(), machine, _tables))}")
    return int(False in verdicts)


def _queue(size: queue.Size) -> Iterator[Figure]:
    with places() as made:
        yield from queue.measure(made, size)


def _show_steps() -> None:
    with places() as made:
        for database in DATABASES:
            with made.fresh(database) as place:
                cpu, timeline = steps.measure(place)
            rows = [(step.name, _ms(step.alone_ms), _ms(step.together_ms)) for step in cpu]
            many = f"{steps.CONNECTIONS} connections"
            _print((f"{database}: CPU of one job, by step", "1 connection", many), rows)
            times = [(gap.name, _ms(gap.wall_ms)) for gap in timeline]
            _print((f"{database}: from event to event of one job", "wall time, p50"), times)


def _batches(rounds: int) -> Iterator[Figure]:
    with places() as made:
        yield from batches.measure(made, rounds)


def _dask(rounds: int) -> Iterator[Figure]:
    with places() as made:
        yield from dask.measure(made, rounds)


def _pilots(rounds: int) -> Iterator[Figure]:
    with places() as made:
        yield from pilots.measure(made, rounds)


def _scale(rounds: int) -> Iterator[Figure]:
    with places() as made:
        yield from scale.measure(made, rounds)


def _agents(rounds: int) -> Iterator[Figure]:
    with places() as made:
        yield from agents.measure(made, rounds)


def _show_figures(figures: Iterable[Figure]) -> list[bool | None]:
    """Print a table; each figure goes to standard error at once, because all take minutes."""
    found = []
    for figure in figures:
        words = (figure.database, figure.name, figure.measured, figure.verdict)
        print("  ".join(words), file=sys.stderr, flush=True)
        found.append(figure)
    rows = [(f.name, f.database, f.measured, f.floor, f.bar, f.verdict) for f in found]
    _print(("figure", "database", "measured", "floor", "bar", ""), rows)
    return [figure.is_within for figure in found]


def _show_engines(interpreter: str) -> list[bool | None]:
    costs = list(_costs(interpreter, "engines", engines.Cost))
    rows = [
        (
            *(cost.name, cost.engine, _ms(cost.ours_ms)),
            *_beside(cost.aer_ms, cost.ours_ms),
            *_beside(cost.qsim_ms, cost.ours_ms),
            *_beside(cost.module_ms, cost.ours_ms),
            VERDICTS[cost.is_within],
        )
        for cost in costs
    ]
    head = ("CPU of one job, 1,000 shots", "engine", "ours")
    beside = ("Aer", "ratio", "qsim", "ratio", "qsim's module", "ratio")
    _print((*head, *beside, ""), rows)
    print(engines.COLUMNS)
    return [cost.is_within for cost in costs]


def _show_atoms() -> list[bool | None]:
    costs = list(_costs(sys.executable, "atoms", atoms.Cost))
    rows = [
        (
            *(cost.name, _ms(cost.ours_ms)),
            *(("> 60 s", "") if cost.is_cut else _beside(cost.original_ms, cost.ours_ms)),
            VERDICTS[cost.is_within],
        )
        for cost in costs
    ]
    _print(("CPU of one gate on cold atoms", "ours", "original", "ratio", ""), rows)
    return [cost.is_within for cost in costs]


def _show_photons(interpreter: str) -> list[bool | None]:
    costs = list(_costs(interpreter, "photons", photons.Cost))
    rows = [
        (
            *(cost.name, _ms(cost.ours_ms), _ms(cost.bar_ms)),
            *_beside(cost.piquasso_ms, cost.ours_ms),
            *_beside(cost.walrus_ms, cost.ours_ms),
            VERDICTS[cost.is_within],
        )
        for cost in costs
    ]
    head = ("CPU of one shot of photon counting", "ours", "bar")
    _print((*head, "piquasso", "ratio", "thewalrus", "ratio", ""), rows)
    return [cost.is_within for cost in costs]


def _costs(interpreter: str, part: str, kind: type[T]) -> Iterator[T]:
    """Run a measurement in a process of its own; yield the costs that it prints."""
    done = subprocess.run(
        [interpreter, "-m", f"benchmarks.{part}"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(("src", "."))},
        stdout=subprocess.PIPE,
        check=True,
    )
    yield from (msgspec.json.decode(line, type=kind) for line in done.stdout.splitlines())


def _show_reading() -> None:
    rows = [(r.format, f"{r.size_bytes:,} bytes", f"{r.cpu_ms:.1f} ms") for r in reading.measure()]
    _print((f"format, {reading.N_GATES:,} gates", "text", "CPU to read"), rows)


def _beside(peer_ms: float | None, ours_ms: float) -> tuple[str, str]:
    """Return a peer's time, and the ratio of ours to it."""
    return ("", "") if peer_ms is None else (_ms(peer_ms), f"× {ours_ms / peer_ms:.2g}")


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:,.0f} ms" if milliseconds >= 1_000 else f"{milliseconds:.3g} ms"


def _print(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = Table(list(head), [list(row) for row in rows])
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
