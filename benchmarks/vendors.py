"""A Bell pair through vendors' unmodified clients: seconds from submit to counts, server idle.

The clients run in the environments of the contract tests. Each signs in and finds its device first,
as the snippet of `qwicket snippet` does; only the time of jobs is measured. Where a client sleeps
between polls, its own pauses are printed beside the rest.
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
from qwicket.snippets import SNIPPETS, text, variables
from support.server import cli

REPEATS: Final = 9
BAR_S: Final = 0.15
_RUN_S: Final = 300
_TIMED: Final = """
import asyncio, json, time
took, pauses, slept = [], [], 0.0
sleep, sleep_async = time.sleep, asyncio.sleep
def counted_sleep(seconds):
    global slept
    slept += seconds
    sleep(seconds)
async def counted_sleep_async(seconds, *args):
    global slept
    slept += seconds
    return await sleep_async(seconds, *args)
time.sleep, asyncio.sleep = counted_sleep, counted_sleep_async
for _ in range({repeats} + 1):
    slept, began = 0.0, time.perf_counter()
    counts = {run}
    took.append(time.perf_counter() - began)
    pauses.append(slept)
    assert sum(dict(counts).values()) == 1000, counts
print(json.dumps([took[1:], pauses[1:]]))  # the first one loads modules
"""


class Client(NamedTuple):
    """How a vendor's client runs a Bell pair.

    Attributes:
        run: Expression that submits 1,000 shots and returns counts, after the snippet's set-up.
        prepare: Statements that are not measured, such as compiling.
        bar_s: Bar; None if the client itself sleeps longer.
        is_beyond_pauses: Whether the bar is for what remains without the client's own pauses.
    """

    run: str
    prepare: str = ""
    bar_s: float | None = BAR_S
    is_beyond_pauses: bool = False


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
        "backend.run(circuit, shots=1000).result().get_counts()", bar_s=None
    ),
    "braket": Client(
        "device.run(bell, shots=1000).result().measurement_counts",
        "bell = Circuit().h(0).cnot(0, 1)",
        bar_s=0.06,
        is_beyond_pauses=True,
    ),
}


def measure(repeats: int = REPEATS) -> list[Figure]:
    """Return a figure for each client, from one idle server."""
    with tempfile.TemporaryDirectory(prefix="qwicket-bench-") as folder:
        bench_db = BenchDatabase("SQLite", Path(folder), None)
        (token,) = bench_db.add_accounts(1)
        with server(bench_db) as live:
            pair = cli("token", "create", "--user", "bench-0", "--aws", *bench_db.options)
            key_id, secret = pair.split()
            credentials = variables(token) | variables(secret, key_id)
            return [
                _figure(name, bench_db, *_seconds(name, live.url, credentials, repeats))
                for name in CLIENTS
            ]


def _figure(name: str, bench_db: BenchDatabase, took: list[float], pauses: list[float]) -> Figure:
    client = CLIENTS[name]
    measured = f"{ms(p50(took))} / {ms(max(took))}"
    title = f"Bell through {SNIPPETS[name].client}, submit to counts, p50 / worst"
    if client.is_beyond_pauses:
        measured = f"{measured}, of it {ms(p50(pauses))} / {ms(max(pauses))} pauses of the client"
        took = [each - pause for each, pause in zip(took, pauses, strict=True)]
    bar = "" if client.bar_s is None else f"p50 ≤ {ms(client.bar_s)}"
    is_within = None if client.bar_s is None else p50(took) <= client.bar_s
    return Figure(title, bench_db.database, measured, "", bar, is_within)


def _seconds(
    name: str, url: str, credentials: dict[str, str], repeats: int
) -> tuple[list[float], list[float]]:
    """Run a client; return what each job took after the first, and its pauses in that time."""
    suite = SNIPPETS[name].suite
    assert suite is not None
    client = CLIENTS[name]
    set_up = text(name, url).rpartition("\nprint(")[0]
    program = f"{set_up}\n{client.prepare}\n{_TIMED.format(repeats=repeats, run=client.run)}"
    with tempfile.TemporaryDirectory(prefix="qwicket-bench-") as home:
        done = subprocess.run(
            [str(interpreter(suite)), "-W", "ignore", "-c", program],
            env={"PATH": os.environ["PATH"], "HOME": home, **credentials},
            cwd=home,
            text=True,
            capture_output=True,
            timeout=_RUN_S,
            check=False,
        )
    if done.returncode != 0:
        raise RuntimeError(f"{name}: {done.stderr[-2_000:]}")
    took, pauses = json.loads(done.stdout.splitlines()[-1])
    return took, pauses


if __name__ == "__main__":
    for figure in measure(int(sys.argv[1]) if sys.argv[1:] else REPEATS):
        sys.stdout.write(f"{figure.name}: {figure.measured} {figure.verdict}\n")
