"""A device that announces program sets gets many circuits of Qiskit's provider as one task."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from contract.environments import interpreter
from qwicket.snippets.environments import variables
from support import leftovers
from support.server import running_server

pytestmark = [pytest.mark.vendor, pytest.mark.extended, pytest.mark.timeout(300)]

PROGRAM = """
from braket.aws import AwsDevice
from qiskit import QuantumCircuit
from qiskit_braket_provider import BraketAwsBackend

circuits = []
for number in range(3):
    circuit = QuantumCircuit(2)
    circuit.ry(0.1 * number, 0)
    circuit.measure_all()
    circuits.append(circuit)
device = AwsDevice("arn:aws:braket:::device/quantum-simulator/qwicket/sv1")
job = BraketAwsBackend(device=device).run(circuits, shots=10)
print([sum(each.values()) for each in job.result().get_counts()])
"""


@pytest.mark.parametrize(
    ("options", "n_tasks"), [([], 3), (["--limit", "announced_executables=100"], 1)]
)
def test_circuits_are_a_task_each_unless_program_sets_are_announced(
    options: list[str], n_tasks: int, tmp_path: Path
) -> None:
    with running_server(tmp_path, *options) as server, server.client(server.token()) as http:
        pair = server.admin("token", "create", "--user", server.account, "--aws").split()
        secrets = dict(zip(("QWICKET_AWS_KEY_ID", "QWICKET_AWS_SECRET"), pair, strict=True))
        addresses = variables("braket", server.url, secrets)
        done = subprocess.run(
            [interpreter("braket/plugins"), "-W", "ignore", "-c", PROGRAM],
            env={
                **leftovers.marks(),
                **{name: value for name, value in addresses.items() if value is not None},
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.stdout.splitlines()[-1:] == ["[10, 10, 10]"], done.stderr[-3_000:]
        assert len(http.get("/v1/jobs").json()["jobs"]) == n_tasks
