"""Parse hundreds of thousands of damaged OpenQASM programs.

    python benchmarks/fuzz_openqasm.py [--count 100000] [--seed 0]   damage the tests' programs

With every change, `tests/fault/test_openqasm_fuzz.py` reads the first 10,000. `make long`
reads the first 100,000 there, and a million more with this program.
A program that is accepted must be a circuit that an engine can run; a refusal must name the place.
Programs, damage and checks are those of `tests/unit/programs/openqasm`. Times are CPU times.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any


def fuzz(count: int, first: int) -> int:
    """Parse damaged programs, print the results, and return the number of faults."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    mutation: Any = importlib.import_module("unit.programs.openqasm.mutation")
    tally = mutation.fuzz(first, count)
    print(f"{count:,} damaged programs from seed {first}: ", end="")
    print(f"{tally.n_read:,} read, {tally.n_refused:,} refused, {len(tally.faults):,} faults")
    for seconds, seed, name in tally.slowest:
        print(f"  {seconds * 1000:7.1f} ms  seed {seed}, {name}")
    for fault in tally.faults:
        print(f"seed {fault}\n")
    return len(tally.faults)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000, help="damaged programs to read")
    parser.add_argument("--seed", type=int, default=0, help="number of the first one")
    options = parser.parse_args()
    return min(1, fuzz(options.count, options.seed))


if __name__ == "__main__":
    sys.exit(main())
