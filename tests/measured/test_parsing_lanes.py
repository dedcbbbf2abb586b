"""Two accounts whose programs use all of their parsing time do not delay a third account."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.library import PauliGate

from measured.conftest import Record
from support import pubs
from support.processes import parsers_of, user_ticks
from support.runtime import Client, body
from support.server import LiveServer
from support.waiting import until

QASM = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; measure q -> c;'
N_TRIES = 7
MAX_RATIO = 10.0
"""Times the median on an idle server; without a lane of their own it was a thousand times."""
LONGEST_S = 3.0


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    live = LiveServer(tmp_path_factory.mktemp("lanes"))
    yield live
    live.kill()  # its parsers are at work


def slow_circuit() -> QuantumCircuit:
    """Return a circuit of nearly a million gates, which takes its reader some 15 s."""
    circuit = QuantumCircuit(5_000, 1)
    for _ in range(190):
        circuit.append(PauliGate("X" * 5_000), range(5_000))
    circuit.measure(0, 0)
    return circuit


def seconds(submit: Callable[[], httpx.Response]) -> list[float]:
    found = []
    for _ in range(N_TRIES):
        began = time.monotonic()
        assert submit().is_success
        found.append(time.monotonic() - began)
    return found


def test_two_accounts_with_slow_qpy_hold_up_no_other(live: LiveServer, record: Record) -> None:
    slow = body(params=pubs.params([pubs.circuit(slow_circuit()), None, 1]))
    with live.client(live.token("bob")) as http, ThreadPoolExecutor(4) as hostile:
        bob = Client(http, live.token("bob"))
        kinds: dict[str, Callable[[], httpx.Response]] = {
            "QPY": lambda: bob.call("POST", "/jobs", json=body()),
            "OpenQASM": lambda: http.post(
                "/v1/jobs", json={"device": "simulator", "program": QASM, "shots": 1}
            ),
        }
        assert all(kind().is_success for kind in kinds.values())  # Qiskit is loaded once
        until(lambda: len(parsers_of(live.process.pid)) == 3, "all parsers are there", timeout_s=60)
        idle = {name: seconds(kind) for name, kind in kinds.items()}
        before = {pid: user_ticks(pid) for pid in parsers_of(live.process.pid)}
        for name in ("alice", "eve"):
            client = live.client(live.token(name))
            account = Client(client, live.token(name))
            for _ in range(2):
                hostile.submit(account.call, "POST", "/jobs", json=slow)

        def are_held() -> bool:
            return sum(user_ticks(pid) > ticks + 20 for pid, ticks in before.items()) >= 2

        until(are_held, "two parsers are at work", timeout_s=60)
        held = {name: seconds(kind) for name, kind in kinds.items()}
        live.kill()
    for name in kinds:
        ratio = statistics.median(held[name]) / statistics.median(idle[name])
        what = f"submitting {name} beside slow QPY of two accounts"
        record(f"{what}: median / idle", ratio, at_most=MAX_RATIO, unit="×")
        record(f"{what}: longest", max(held[name]), at_most=LONGEST_S, unit="s")
