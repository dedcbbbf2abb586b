"""What our server adds to the time that a vendor's client needs for itself."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from statistics import median
from typing import Final

import pytest

from contract.environments import ROOT, interpreter
from measured.conftest import Record
from support.server import running_server

pytestmark = pytest.mark.vendor

RUNTIME: Final = "ibm/qiskit_ibm_runtime_0_51"
PROGRAM: Final = """
import json, os, time, warnings
from pathlib import Path
warnings.simplefilter("ignore")
from qiskit_ibm_runtime.executor_sampler import Sampler
from support.platform_client import bell, connect, fitted
from support.processes import cpu_s

server = int(os.environ["SERVER_PID"])
backend = connect().backend("qwicket_simulator")
(isa,) = fitted(bell(), backend)
sleep, slept_s, n_sleeps = time.sleep, 0.0, 0

def count_sleep(seconds):
    global slept_s, n_sleeps
    began = time.perf_counter()
    sleep(seconds)
    slept_s += time.perf_counter() - began
    n_sleeps += 1

def own_s():
    waited_ns = int(Path("/proc/thread-self/schedstat").read_text().split()[1])
    return time.process_time() + waited_ns / 1e9 + slept_s

time.sleep = count_sleep
beyond_s = []
for number in range(60):
    if number == 10:
        n_sleeps, server_s = 0, cpu_s(server)
    began, own = time.perf_counter(), own_s()
    counts = Sampler(backend).run([isa], shots=1_000).result()[0].data.c.get_counts()
    assert counts.keys() == {"00", "11"}
    beyond_s.append(time.perf_counter() - began - (own_s() - own))
print(json.dumps([beyond_s[10:], (cpu_s(server) - server_s) / 50, n_sleeps / 50]))
"""
"""Prints the time beyond the client's own for each job, the processor time of the server's
processes for one job, and how often the client slept for one job.

The client's own time is the sum of:

- the processor time of its process;
- what its thread waits for a processor that others use, from Linux's `schedstat`: on a busy machine
  this is most of the whole, and on an idle one nothing;
- what it sleeps between polls. If the server held no poll until the job ends, this would be 0.5 s.

The rest is what the client waits for responses: the server's work, its flushes to disk (one of the
job, one of its result), and what its processes wait for a processor. The first ten jobs are left
out: client and server import what they need."""


def test_a_bell_pair_by_the_executors_sampler(tmp_path: Path, record: Record) -> None:
    with running_server(tmp_path) as live:
        done = subprocess.run(
            [str(interpreter(RUNTIME)), "-c", PROGRAM],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")]),
                "QWICKET_URL": live.url,
                "QWICKET_TOKEN": live.token(),
                "SERVER_PID": str(live.process.pid),
            },
            text=True, capture_output=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    beyond_s, server_s, n_sleeps = json.loads(done.stdout.splitlines()[-1])
    job = "Bell pair by IBM's executor sampler"
    name = f"{job}, beyond the client's own time: p50"
    record(name, 1_000 * median(beyond_s), at_most=20, unit="ms")
    record(f"{job}, CPU of the server", 1_000 * server_s, at_most=20, unit="ms")
    record(f"{job}, sleeps of the client between polls", n_sleeps, at_most=0.1, unit="per job")
