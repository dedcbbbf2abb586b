"""The Estimator on a lab's device, whose agent is given nothing but circuits."""

import json
import os
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit_ibm_runtime import EstimatorV2

from support.platform_client import connect, fitted

DEVICE = "noisylab"
TESTS = Path(__file__).parents[5]


def announce(*dialects: str) -> None:
    spec = {
        "description": "A noisy machine",
        "qubits": 4,
        "formats": ["qiskit.primitives"],
        "outputs": ["counts", "memory"],
        "gates": ["rz", "sx", "x", "cz"],
    }
    request = urllib.request.Request(  # our own server
        f"{os.environ['QWICKET_URL']}/v1/agent/devices/{DEVICE}",
        data=json.dumps({"family": "qubit", "spec": spec, "dialects": dialects}).encode(),
        headers={"Authorization": f"Bearer {os.environ['QWICKET_LAB_TOKEN']}"},
        method="PUT",
    )
    urllib.request.urlopen(request, timeout=30).close()


@pytest.fixture(scope="module")
def lab() -> Any:
    """A lab's backend, and the agent that serves it. Later tests do not see it."""
    announce("runtime")
    command = [os.environ["QWICKET_PYTHON"], "-m", "qwicket", "agent", "--device", DEVICE]
    agent = subprocess.Popen(
        [*command, "--run", "support.lab_machine:noisy"],
        cwd=TESTS,
        env={**os.environ, "QWICKET_TOKEN": os.environ["QWICKET_LAB_TOKEN"]},
    )
    try:
        yield connect().backend(DEVICE)
    finally:
        agent.terminate()
        agent.wait(40)
        announce()


def chain(rng: np.random.Generator) -> QuantumCircuit:
    """Return two steps of an Ising chain of three qubits in time."""
    circuit = QuantumCircuit(3)
    for _ in range(2):
        for first in range(2):
            circuit.rzz(rng.uniform(0.1, 0.5), first, first + 1)
        circuit.rx(rng.uniform(0.05, 0.3), range(3))
    return circuit


def test_an_estimator_mitigates_the_errors_of_a_labs_device(lab):
    """Five circuits; half is reached although three standard errors count against it."""
    rng, zzz = np.random.default_rng(7), SparsePauliOp("ZZZ")
    circuits = [chain(rng) for _ in range(5)]
    exact = [Statevector(each).expectation_value(zzz).real for each in circuits]
    pubs = [fitted(each, lab, zzz) for each in circuits]
    errors, stds, executed = [], [], []
    for level in (0, 2):
        options = {"resilience_level": level, "seed_estimator": 7, "default_shots": 16_000}
        found = EstimatorV2(lab, options=options).run(pubs).result()
        errors.append(
            np.mean([abs(each.data.evs - e) for each, e in zip(found, exact, strict=True)])
        )
        stds = [each.data.stds for each in found]
        executed = [each.metadata.get("executed") for each in found]
    assert errors[1] + 3 * np.linalg.norm(stds) / 5 < errors[0] / 2
    assert executed == [{"circuits": 128, "shots": 64_000}] * 5
