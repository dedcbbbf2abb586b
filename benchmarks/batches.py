"""A hundred small circuits as one job in IonQ's dialect, beside the same on the bare engine.

From the submission to all probabilities, with a poll every 2 ms in between. The bare engine runs
the same circuits with the same options in this process, in turns with the server, so that both see
the same machine.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from benchmarks.bench_databases import DATABASES, BenchDatabases, timed
from benchmarks.circuits import ansatz
from benchmarks.figures import Figure, both, ms, p50
from benchmarks.live import Live, server
from benchmarks.wire import SHOTS, HTTPConnection, request
from qwicket import engines, programs
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import COUNTS, PROBABILITIES
from qwicket.circuits.qubit import Gate
from qwicket.model.limits import Limits

ROUNDS: Final = 30
CIRCUITS: Final = 100
QUBITS: Final = 5
MAX_TIMES: Final = 1.5
MAX_MORE_S: Final = 0.020
_WARM_UP: Final = 3
_PAUSE_S: Final = 0.002
_V04: Final = "/ionq/v0.4"


def measure(bench_databases: BenchDatabases, rounds: int = ROUNDS) -> Iterator[Figure]:
    """Yield the figures of each database."""
    source = msgspec.json.encode(_batch())
    options = msgspec.msgpack.encode(
        RunOptions(shots=SHOTS, seed=1, outputs=(COUNTS, PROBABILITIES))
    )
    bare = ("qubit", programs.read("ionq.circuit.v1", source, Limits()).circuits, options)
    for database in DATABASES:
        with bench_databases.fresh(database) as bench_db:
            secret, *_ = bench_db.add_accounts()
            with server(bench_db) as live:
                dialect = _Dialect(live, secret, source)
                yield from _beside(database, dialect, bare, rounds)


def _beside(
    database: str, dialect: _Dialect, bare: tuple[str, bytes, bytes], rounds: int
) -> Iterator[Figure]:
    alone: list[float] = []
    whole: list[float] = []
    for number in range(_WARM_UP + rounds):
        floor, found = timed(lambda: engines.run_jobs([bare]), 1), timed(dialect.batch, 1)
        if number >= _WARM_UP:
            alone += floor
            whole += found
    bar = MAX_TIMES * p50(alone) + MAX_MORE_S
    name = f"{CIRCUITS} circuits of {QUBITS} qubits as one IonQ job"
    yield Figure(
        f"{name}, submit → result, p50 / p95",
        database,
        f"{both(whole)}, {p50(whole) / p50(alone):.2f} × bare",
        f"{both(alone)} (bare engine)",
        f"p50 ≤ {MAX_TIMES:g} × bare + {1000 * MAX_MORE_S:.0f} ms = {ms(bar)}",
        p50(whole) <= bar,
    )


class _Dialect:
    """Submits the batch and reads it back, on one connection."""

    def __init__(self, live: Live, secret: str, source: bytes) -> None:
        self._keeper = HTTPConnection(live.url, secret, "apiKey")
        self._secret = secret
        body = {
            "type": "ionq.multi-circuit.v1",
            "backend": "simulator",
            "shots": SHOTS,
            "input": msgspec.Raw(source),
        }
        text = msgspec.json.encode(body)
        self._submission = request("POST", f"{_V04}/jobs", secret, text, "apiKey")

    def batch(self) -> None:
        job = json.loads(self._keeper.ask(self._submission))["id"]
        while (found := self._poll(job))["status"] != "completed":
            assert found["status"] != "failed", found
            time.sleep(_PAUSE_S)
        result = self._keeper.get(f"{_V04}/jobs/{job}/results/probabilities/aggregated")
        assert len(json.loads(result)) == CIRCUITS

    def _poll(self, job: str) -> Any:
        return json.loads(self._keeper.get(f"{_V04}/jobs/{job}"))


def _batch() -> dict[str, Any]:
    circuits = [{"circuit": _words(seed)} for seed in range(CIRCUITS)]
    return {"gateset": "qis", "qubits": QUBITS, "circuits": circuits}


def _words(seed: int) -> list[dict[str, Any]]:
    """Return a variational circuit as IonQ writes it."""
    gates = (op for op in ansatz(QUBITS, seed).ops if isinstance(op, Gate))
    return [
        {"gate": "cnot", "control": gate.controls[0], "target": gate.targets[0]}
        if gate.controls
        else {"gate": gate.name, "target": gate.targets[0], "rotation": gate.params[0]}
        for gate in gates
    ]
