"""Read damaged OpenQASM programs by the hundred thousand, and time the readers.

    python benchmarks/fuzz_openqasm.py [--count 100000] [--seed 0]   damage the tests' programs
    python benchmarks/fuzz_openqasm.py --speed                       10,000 plain gates of each

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
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qwicket.model.limits import Limits
from qwicket.programs.openqasm import read_openqasm2, read_openqasm3

HEADS = {
    2: 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[20];\ncreg c[20];\n',
    3: 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[20] q;\nbit[20] c;\n',
}
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


def speed() -> None:
    """Print the best of several readings of 10,000 plain gates."""
    rng = random.Random(0)
    lists: dict[str, Callable[[], str]] = {
        "h, t and cx": lambda: rng.choice(["h {0};", "t {0};", "cx {0},{1};"]),
        "half of them with random angles": lambda: rng.choice(
            ["h {0};", "cx {0},{1};", f"rz({rng.uniform(-3, 3)}) {{0}};", "rx(-pi/4) {0};"]
        ),
    }
    for what, call in lists.items():
        gates = "\n".join(
            call().format(*(f"q[{k}]" for k in rng.sample(range(20), 2))) for _ in range(10_000)
        )
        for version, read in ((2, read_openqasm2), (3, read_openqasm3)):
            source = f"{HEADS[version]}{gates}\nmeasure q -> c;\n".encode()
            times = []
            for _ in range(15):
                start = time.process_time()
                read(source, Limits())
                times.append(time.process_time() - start)
            print(f"OpenQASM {version}, 10,000 gates, {what}: {min(times) * 1000:.1f} ms")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000, help="damaged programs to read")
    parser.add_argument("--seed", type=int, default=0, help="number of the first one")
    parser.add_argument("--speed", action="store_true", help="time the readers instead")
    options = parser.parse_args()
    if options.speed:
        speed()
        return 0
    return min(1, fuzz(options.count, options.seed))


if __name__ == "__main__":
    sys.exit(main())
