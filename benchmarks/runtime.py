"""Jobs in a loop through the unmodified client of Runtime's platform channel, server idle.

The client's own time is the CPU time of its process while a job is submitted and awaited; the rest
of the wall time is the server, the network and the client's pauses.
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
from contract.environments import ROOT, interpreter

QUICK: Final = 20
JOBS: Final = 100
BELL_BAR_S: Final = 0.015
H2_BAR_S: Final = 1.5
_SUITE: Final = "ibm/qiskit_ibm_runtime_0_51"
_RUN_S: Final = 300
_PROGRAM: Final = """
import collections, json, sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np
import requests
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp
from qiskit_ibm_runtime import EstimatorV2, SamplerV2
from support.platform_client import bell, connect, fitted

n_jobs = int(sys.argv[1])
n_requests = 0
send = requests.Session.send

def counted(self, *arguments, **options):
    global n_requests
    n_requests += 1
    return send(self, *arguments, **options)

requests.Session.send = counted

def timed(run, times):
    run()  # the first one loads modules, here and at the server
    rows = []
    for _ in range(times):
        before, wall, cpu = n_requests, time.perf_counter(), time.process_time()
        run()
        rows.append((time.perf_counter() - wall, time.process_time() - cpu, n_requests - before))
    return rows

backend = connect().backend("qwicket_simulator")
(pair,) = fitted(bell(), backend)
sampler = SamplerV2(backend)

# H2 in STO-3G at 0.735 Å, four spin orbitals after Jordan and Wigner: Seeley, Richard and Love,
# J. Chem. Phys. 137, 224109 (2012). The ansatz is the one excitation of two electrons.
H2 = SparsePauliOp.from_list([
    ("IIII", -0.81055), ("IIIZ", 0.17218), ("IIZI", 0.17218), ("IZII", -0.22575),
    ("ZIII", -0.22575), ("IIZZ", 0.16893), ("IZIZ", 0.12091), ("ZIIZ", 0.16615),
    ("IZZI", 0.16615), ("ZIZI", 0.12091), ("ZZII", 0.17464), ("YYXX", -0.04523),
    ("XXYY", -0.04523), ("YXXY", 0.04523), ("XYYX", 0.04523),
])
theta = Parameter("theta")
ansatz = QuantumCircuit(4)
ansatz.x([0, 1])
ansatz.ry(theta, 3)
ansatz.cx(3, 2)
ansatz.cx(3, 1)
ansatz.cx(3, 0)
isa, energy = fitted(ansatz, backend, H2)
estimator = EstimatorV2(backend)
angles = iter(np.linspace(-1, 1, 10 * n_jobs))
sweep = np.linspace(-1, 1, n_jobs)[:, np.newaxis]
print(json.dumps({
    "bell": timed(lambda: sampler.run([pair], shots=1000).result(), n_jobs),
    "h2": timed(lambda: estimator.run([(isa, energy, [next(angles)])]).result(), n_jobs),
    "sweep": timed(lambda: estimator.run([(isa, energy, sweep)]).result(), 3),
}))
"""


class Job(NamedTuple):
    """What one job took: seconds of wall and client's CPU time, and how many requests."""

    wall_s: float
    client_s: float
    requests: int

    @property
    def beyond_s(self) -> float:
        return self.wall_s - self.client_s


def measure(n_jobs: int = JOBS) -> list[Figure]:
    """Return the figures from one idle server."""
    with tempfile.TemporaryDirectory(prefix="qwicket-bench-") as folder:
        bench_db = BenchDatabase("SQLite", Path(folder), None)
        (token,) = bench_db.add_accounts(1)
        with server(bench_db) as live:
            return _figures(_jobs(live.url, token, n_jobs), n_jobs)


def _figures(jobs: dict[str, list[Job]], n_jobs: int) -> list[Figure]:
    bell, h2 = jobs["bell"], jobs["h2"]
    client = "qiskit-ibm-runtime 0.51"
    beyond = p50([job.beyond_s for job in bell])
    total = sum(job.wall_s for job in h2)
    sweep = p50([job.wall_s for job in jobs["sweep"]])
    own = f"client {ms(p50([job.client_s for job in bell]))}"
    own_h2 = f"client {ms(sum(job.client_s for job in h2))}"
    wall = ms(p50([job.wall_s for job in bell]))
    n_requests = f"{p50([job.requests for job in bell]):.0f}"
    bar = f"≤ {ms(H2_BAR_S)}" if n_jobs == JOBS else ""  # the bar is for 100 iterations
    return [
        Figure(f"Bell by SamplerV2 in a loop, requests per job, {client}", "SQLite", n_requests),
        Figure("the same, wall time of one job, p50", "SQLite", wall),
        Figure(
            "the same, beyond the client's own time, p50",
            *("SQLite", ms(beyond), own, f"≤ {ms(BELL_BAR_S)}", beyond <= BELL_BAR_S),
        ),
        Figure(
            f"H2 by EstimatorV2, 15 terms, {n_jobs} jobs in turn, {client}",
            *("SQLite", ms(total), own_h2, bar, total <= H2_BAR_S if bar else None),
        ),
        Figure(
            f"the same, {n_jobs} values of the parameter in one job",
            *("SQLite", ms(sweep), "", bar, sweep <= H2_BAR_S if bar else None),
        ),
    ]


def _jobs(url: str, token: str, n_jobs: int) -> dict[str, list[Job]]:
    """Run the client; return what its jobs took, by kind."""
    with tempfile.TemporaryDirectory(prefix="qwicket-bench-") as home:
        done = subprocess.run(
            [str(interpreter(_SUITE)), "-W", "ignore", "-c", _PROGRAM, str(n_jobs)],
            env={
                "PATH": os.environ["PATH"],
                "HOME": home,
                "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")]),
                "QWICKET_URL": url,
                "QWICKET_TOKEN": token,
            },
            cwd=home,
            text=True,
            capture_output=True,
            timeout=_RUN_S,
            check=False,
        )
    if done.returncode != 0:
        raise RuntimeError(f"{_SUITE}: {done.stderr[-2_000:]}")
    found: dict[str, list[list[float]]] = json.loads(done.stdout.splitlines()[-1])
    return {
        kind: [Job(wall, client, int(requests)) for wall, client, requests in rows]
        for kind, rows in found.items()
    }


if __name__ == "__main__":
    for figure in measure(int(sys.argv[1]) if sys.argv[1:] else JOBS):
        sys.stdout.write(f"{figure.name}: {figure.measured} {figure.floor} {figure.verdict}\n")
