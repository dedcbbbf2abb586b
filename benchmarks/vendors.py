"""A Bell pair through vendors' unmodified clients: seconds from submit to counts, server idle.

The clients run in the environments of the contract tests. Each signs in and finds its device first,
as the snippet of `qwicket snippet` does; only the time of jobs is measured.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.bench_databases import BenchDatabase
from benchmarks.figures import Figure, ms, p50
from benchmarks.live import server
from contract.environments import interpreter
from qwicket.snippets import SNIPPETS, text

REPEATS: Final = 9
BAR_S: Final = 0.15
_RUN_S: Final = 300
_TIMED: Final = """
import json, time
took = []
for _ in range({repeats} + 1):
    began = time.perf_counter()
    counts = {run}
    took.append(time.perf_counter() - began)
    assert sum(dict(counts).values()) == 1000, counts
print(json.dumps(took[1:]))  # the first one loads modules
"""


class Client(NamedTuple):
    """How a vendor's client runs a Bell pair.

    Attributes:
        run: Expression that submits 1,000 shots and returns counts, after the snippet's set-up.
        prepare: Statements that are not measured, such as compiling.
        has_bar: Whether the bar applies; it does not if the client itself sleeps longer.
    """

    run: str
    prepare: str = ""
    has_bar: bool = True


CLIENTS: Final = {
    "qiskit-ionq": Client("backend.run(bell, shots=1000).result().get_counts()"),
    "qbraid": Client("device.run(bell, shots=1000).result().data.get_counts()"),
    "qbraid-0.10": Client("device.run(bell, shots=1000).result().data.get_counts()"),
    "cirq-ionq": Client('service.run(bell, repetitions=1000).histogram(key="m")'),
    "pennylane-ionq": Client("bell()"),
    "ibm": Client(
        "backend.run(compiled, shots=1000).result().get_counts()",
        "compiled = transpile(bell, backend)",
    ),
    "ibm-runtime": Client(
        "sampler.run([compiled], shots=1000).result()[0].data.meas.get_counts()",
        "sampler, compiled = SamplerV2(backend), transpile(bell, backend)",
    ),
    "qiskit-cold-atom": Client(
        "backend.run(circuit, shots=1000).result().get_counts()", has_bar=False
    ),
}


def measure(repeats: int = REPEATS) -> list[Figure]:
    """Return a figure for each client, from one idle server."""
    with tempfile.TemporaryDirectory(prefix="qwicket-bench-") as folder:
        bench_db = BenchDatabase("SQLite", Path(folder), None)
        (token,) = bench_db.add_accounts(1)
        with server(bench_db) as live:
            return [
                _figure(name, bench_db, _seconds(name, live.url, token, repeats))
                for name in CLIENTS
            ]


def _figure(name: str, bench_db: BenchDatabase, took: list[float]) -> Figure:
    client = CLIENTS[name]
    bar = f"p50 ≤ {ms(BAR_S)}" if client.has_bar else ""
    is_within = p50(took) <= BAR_S if client.has_bar else None
    measured = f"{ms(p50(took))} / {ms(max(took))}"
    title = f"Bell through {SNIPPETS[name].client}, submit to counts, p50 / worst"
    return Figure(title, bench_db.database, measured, "", bar, is_within)


def _seconds(name: str, url: str, token: str, repeats: int) -> list[float]:
    """Run a client; return what each job took after the first."""
    suite = SNIPPETS[name].suite
    assert suite is not None
    client = CLIENTS[name]
    set_up = text(name, url).rpartition("\nprint(")[0]
    program = f"{set_up}\n{client.prepare}\n{_TIMED.format(repeats=repeats, run=client.run)}"
    with tempfile.TemporaryDirectory(prefix="qwicket-bench-") as home:
        done = subprocess.run(
            [str(interpreter(suite)), "-W", "ignore", "-c", program],
            env={"PATH": os.environ["PATH"], "HOME": home, "QWICKET_TOKEN": token},
            cwd=home,
            text=True,
            capture_output=True,
            timeout=_RUN_S,
            check=False,
        )
    if done.returncode != 0:
        raise RuntimeError(f"{name}: {done.stderr[-2_000:]}")
    took: list[float] = json.loads(done.stdout.splitlines()[-1])
    return took


if __name__ == "__main__":
    for figure in measure(int(sys.argv[1]) if sys.argv[1:] else REPEATS):
        sys.stdout.write(f"{figure.name}: {figure.measured} {figure.verdict}\n")
