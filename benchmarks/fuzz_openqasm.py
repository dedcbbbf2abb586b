"""Read damaged OpenQASM programs by the hundred thousand.

    python benchmarks/fuzz_openqasm.py [--count 100000] [--seed 0]   damage the tests' programs

Whatever is read must be a circuit that an engine can run; whatever is refused must say where.
Programs, damage and checks are those of `tests/unit/programs/openqasm`. Times are CPU times.
"""

from __future__ import annotations

import argparse
import importlib
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

SLOWEST_SHOWN = 5


def fuzz(count: int, seed: int) -> int:
    """Read damaged programs, print what came of them, and return the number of faults."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    mutation: Any = importlib.import_module("unit.programs.openqasm.mutation")
    programs = list(mutation.PROGRAMS.items())
    tally: Counter[str] = Counter()
    slowest: list[tuple[float, int, str]] = []
    for number in range(seed, seed + count):
        rng = random.Random(number)
        name, program = rng.choice(programs)
        text = mutation.mutate(rng, program.text)
        start = time.process_time()
        try:
            circuit = mutation.read_mutant(program, text)
            seconds = time.process_time() - start
            if circuit is not None:
                mutation.check(circuit)
            tally["refused" if circuit is None else "read"] += 1
        except Exception as fault:
            seconds = time.process_time() - start
            tally["faults"] += 1
            print(f"seed {number}, {name}: {fault!r}\n{text}\n")
        slowest = sorted([*slowest, (seconds, number, name)])[-SLOWEST_SHOWN:]
    print(f"{count:,} damaged programs from seed {seed}: {dict(tally)}")
    for seconds, number, name in reversed(slowest):
        print(f"  {seconds * 1000:7.1f} ms  seed {number}, {name}")
    return tally["faults"]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000, help="damaged programs to read")
    parser.add_argument("--seed", type=int, default=0, help="number of the first one")
    options = parser.parse_args()
    return min(1, fuzz(options.count, options.seed))


if __name__ == "__main__":
    sys.exit(main())
