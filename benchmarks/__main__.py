"""`make bench`: run every measurement and print one table."""

from __future__ import annotations

import platform
import sys
from datetime import UTC, datetime
from os import getloadavg

from rich.console import Console
from rich.table import Table

from benchmarks import engines, hostile, latency, reading


def main() -> int:
    """Measure and print; return 1 when a figure is over its bar."""
    table = Table("figure", "measured", "floor", "bar", "")
    figures = latency.measure() + hostile.measure()
    for figure in figures:
        verdict = "" if figure.is_within is None else ("ok" if figure.is_within else "OVER")
        table.add_row(figure.name, figure.measured, figure.floor, figure.bar, verdict)
    console = Console(width=120)
    console.print(table)
    costs = Table("circuit, 1,000 shots", "engine", "CPU")
    for cost in engines.measure():
        costs.add_row(cost.name, cost.engine, f"{cost.cpu_ms:.3g} ms")
    console.print(costs)
    readings = Table(f"format, {reading.N_GATES:,} gates", "text", "CPU to read")
    for found in reading.measure():
        readings.add_row(found.format, f"{found.size_bytes:,} bytes", f"{found.cpu_ms:.1f} ms")
    console.print(readings)
    console.print(
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, Python {platform.python_version()},"
        f" {platform.machine()}, load {getloadavg()[0]:.1f}"
    )
    return int(any(figure.is_within is False for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
