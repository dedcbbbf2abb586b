"""A limit of jobs, as qiskit-ibmq-provider 0.20.2 meets it: a server of its own sets one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from contract.environments import interpreter
from support.held import held_job
from support.server import LiveServer

pytestmark = pytest.mark.extended

SCRIPT = """
import os
from qiskit import IBMQ, QuantumCircuit
from qiskit.providers.ibmq.exceptions import IBMQBackendJobLimitError

url = os.environ["QWICKET_URL"] + "/ibm/api"
provider = IBMQ.enable_account(os.environ["QWICKET_TOKEN"], url=url)
backend = provider.get_backend("qwicket_simulator")
held = QuantumCircuit(24)
for i in range(400):
    held.rz(float(os.environ["HELD_ANGLE"]), i % 24)
held.cx(range(23), range(1, 24))
held.measure_all()
job = backend.run(held, shots=10)
print(backend.job_limit().maximum_jobs, backend.job_limit().active_jobs)
print(backend.remaining_jobs_count())
try:
    backend.run(held, shots=10)
except IBMQBackendJobLimitError as error:
    print("3458" in str(error))
print(job.cancel())
"""


@pytest.mark.vendor
@pytest.mark.timeout(600)
def test_the_client_knows_the_limit_and_meets_its_own_error(tmp_path: Path) -> None:
    live = LiveServer(tmp_path, "--limit", "unfinished_jobs=1")
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "QWICKET_URL": live.url,
        "QWICKET_TOKEN": live.token(),
        "HELD_ANGLE": repr(held_job().angle),
    }
    python = str(interpreter("ibm/qiskit_ibmq_provider_0_20"))
    done = subprocess.run(
        [python, "-W", "ignore", "-c", SCRIPT], env=env, text=True, capture_output=True, check=False
    )
    assert live.stop() == 0
    assert done.stdout.splitlines() == ["1 1", "0", "True", "True"], done.stderr
