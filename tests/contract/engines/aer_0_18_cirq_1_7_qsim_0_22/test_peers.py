"""What `make bench` sets beside our engines draws from the same circuits, and runs in one process.

qsimcirq is installed as its users install it, with Cirq and whatever else it names.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from benchmarks import engines, peers
from benchmarks.circuits import ansatz, ghz, turning

from qwicket.circuits.qubit import QubitCircuit
from support import qubit_math

SHOTS = 20_000


def reversed_bits(key: int, n_qubits: int) -> int:
    return int(f"{key:0{n_qubits}b}"[::-1], 2)


def aer(circuits: list[QubitCircuit]) -> list[dict[int, int]]:
    found: Any = peers.aer(circuits, SHOTS, "statevector", None)()
    each = found if isinstance(found, list) else [found]
    return [{int(key, 2): n for key, n in counts.items()} for counts in each]


def qsim(circuits: list[QubitCircuit]) -> list[dict[int, int]]:
    """Cirq's first qubit is the highest bit."""
    found: Any = peers.qsim(circuits, SHOTS)()
    return [
        {reversed_bits(key, circuit.n_qubits): n for key, n in counts.items()}
        for circuit, counts in zip(circuits, found, strict=True)
    ]


def qsim_module(circuits: list[QubitCircuit]) -> list[dict[int, int]]:
    found: Any = peers.qsim_module(circuits, SHOTS)()
    return [dict(counts) for counts in found]


@pytest.mark.parametrize("peer", [aer, qsim, qsim_module])
def test_each_peer_draws_the_shots_of_our_circuits(
    peer: Callable[[list[QubitCircuit]], list[dict[int, int]]],
) -> None:
    circuits = [ansatz(5, 1), ansatz(5, 2), ghz(5), turning(5, 60)]
    for circuit, counts in zip(circuits, peer(circuits), strict=True):
        outcome = qubit_math.run(circuit, 1, outputs=("probabilities",))
        qubit_math.assert_follows(counts, outcome.probabilities(), SHOTS)


def test_a_case_has_the_cost_of_each_peer_and_no_bar_of_the_bare_module() -> None:
    bell = engines.cases()[0]
    cost = engines._cost(bell, 0.2)
    assert cost.engine == "qulacs"
    assert None not in (cost.aer_ms, cost.qsim_ms, cost.module_ms)
    assert engines._is_within(bell, 0.09, 1.0, 1.0) is True
    assert engines._is_within(bell, 0.09, 1.0, 0.08) is False
    assert engines._is_within(bell, 0.09, 0.4, 1.0) is False
    assert engines._is_within(bell, 0.11, 1.0, 1.0) is False


@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_our_engine_and_qsimcirq_share_a_process(first: str) -> None:
    """The compiled module loaded twice would end it with an abort."""
    imports = ["engine.qsim()", "import cirq, qsimcirq"]
    script = ["from qwicket.engines.qubit import engine"]
    script += imports if first == "ours" else imports[::-1]
    script += ["found = engine.qsim()", "wires = cirq.LineQubit.range(2)"]
    script += ["pair = cirq.Circuit(cirq.H(wires[0]), cirq.CNOT(*wires), cirq.measure(*wires))"]
    script += ["shots = qsimcirq.QSimSimulator(seed=1).run(pair, repetitions=100)"]
    script += ["print(found.name, found._qsim is qsimcirq.qsim, len(shots.data))"]
    environment = {"PYTHONPATH": ":".join(sys.path), "HOME": os.environ["HOME"]}
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(script)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "qsim True 100\n"), done.stderr
