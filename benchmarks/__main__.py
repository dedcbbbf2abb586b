"""`make bench`: run the measurements and print them as Markdown tables."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from os import getloadavg

from benchmarks import engines, queue, reading
from benchmarks.figures import Figure, markdown
from benchmarks.places import places

PARTS = ("queue", "engines", "reading")


def main() -> int:
    """Measure and print; return 1 when a figure is over its bar."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; or all")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: under a minute")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(unknown)}")
    parts = asked.parts or PARTS
    print(_where(), flush=True)
    is_within = True
    if "queue" in parts:
        figures = list(_shown(queue.QUICK if asked.quick else queue.FULL))
        is_within = all(figure.is_within is not False for figure in figures)
        rows = [(f.name, f.database, f.measured, f.floor, f.bar, f.verdict) for f in figures]
        _print(("figure", "database", "measured", "floor", "bar", ""), rows)
    if "engines" in parts:
        costs = [(c.name, c.engine, f"{c.cpu_ms:.3g} ms") for c in engines.measure()]
        _print(("circuit, 1,000 shots", "engine", "CPU"), costs)
    if "reading" in parts:
        texts = [
            (r.format, f"{r.size_bytes:,} bytes", f"{r.cpu_ms:.1f} ms") for r in reading.measure()
        ]
        _print((f"format, {reading.N_GATES:,} gates", "text", "CPU to read"), texts)
    print(_where())
    return int(not is_within)


def _shown(size: queue.Size) -> Iterator[Figure]:
    """Tell each figure on standard error as it comes: the whole takes minutes."""
    with places() as made:
        for figure in queue.measure(made, size):
            words = (figure.database, figure.name, figure.measured, figure.verdict)
            print("  ".join(words), file=sys.stderr, flush=True)
            yield figure


def _print(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    print(f"\n{markdown(head, rows)}\n", flush=True)


def _where() -> str:
    """Return machine, date and load: no figure means anything without them."""
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {platform.machine()}, {os.cpu_count()} cores,"
        f" Python {platform.python_version()}, load {getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    sys.exit(main())
