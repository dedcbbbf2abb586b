"""`make bench`: run every measurement and print the tables."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from os import getloadavg

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks import hostile, latency, reading
from benchmarks.engines import Cost


def main() -> int:
    """Measure and print; return 1 when a figure is over its bar.

    The only argument is an interpreter that has the engines' peers; by default our own.
    """
    console = Console(width=120)
    verdicts = [*_show_latency(console), *_show_engines(console, sys.argv[1:] or [sys.executable])]
    _show_reading(console)
    console.print(
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, Python {platform.python_version()},"
        f" {platform.machine()}, load {getloadavg()[0]:.1f}"
    )
    return int(False in verdicts)


def _show_latency(console: Console) -> list[bool | None]:
    table = Table("figure", "measured", "floor", "bar", "")
    figures = latency.measure() + hostile.measure()
    for figure in figures:
        table.add_row(*figure[:-1], _verdict(figure.is_within))
    console.print(table)
    return [figure.is_within for figure in figures]


def _show_engines(console: Console, interpreter: list[str]) -> list[bool | None]:
    table = Table("CPU of one job, 1,000 shots", "engine", "ours", "Aer", "", "qsim", "", "")
    verdicts = []
    for cost in _costs(interpreter):
        ours = cost.ours_ms
        columns = [*_beside(cost.aer_ms, ours), *_beside(cost.qsim_ms, ours)]
        table.add_row(cost.name, cost.engine, _ms(ours), *columns, _verdict(cost.is_within))
        verdicts.append(cost.is_within)
    console.print(table)
    return verdicts


def _show_reading(console: Console) -> None:
    table = Table(f"format, {reading.N_GATES:,} gates", "text", "CPU to read")
    for found in reading.measure():
        table.add_row(found.format, f"{found.size_bytes:,} bytes", f"{found.cpu_ms:.1f} ms")
    console.print(table)


def _costs(interpreter: list[str]) -> Iterator[Cost]:
    path = os.pathsep.join(("src", "."))
    done = subprocess.run(
        [*interpreter, "-m", "benchmarks.engines"],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        check=True,
    )
    yield from (msgspec.json.decode(line, type=Cost) for line in done.stdout.splitlines())


def _beside(peer_ms: float | None, ours_ms: float) -> tuple[str, str]:
    """Return a peer's time, and ours as a part of it."""
    return ("", "") if peer_ms is None else (_ms(peer_ms), f"× {ours_ms / peer_ms:.2g}")


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:,.0f} ms" if milliseconds >= 1_000 else f"{milliseconds:.3g} ms"


def _verdict(is_within: bool | None) -> str:
    return "" if is_within is None else ("ok" if is_within else "OVER")


if __name__ == "__main__":
    sys.exit(main())
