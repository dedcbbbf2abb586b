"""iqm-client 36.0.0, unmodified, by its Qiskit path: from a token to counts that are found again.

The suite `iqm_client_36_full` has everything else.
"""

import os

import pytest
from exa.common.errors.iqm_error import AuthenticationError, NotFoundError
from iqm.qiskit_iqm import IQMProvider
from qiskit import QuantumCircuit, transpile

from support.vendors import bound, distance

URL = os.environ["QWICKET_URL"]
SHOTS = 2_000


def backend(computer="simulator", token="QWICKET_TOKEN"):
    return IQMProvider(URL, quantum_computer=computer, token=os.environ[token]).get_backend()


def test_a_bell_pair_is_run_and_found_again():
    bell = QuantumCircuit(2)
    bell.h(0)
    bell.cx(0, 1)
    bell.measure_all()
    simulator = backend()
    job = simulator.run(transpile(bell, simulator), shots=SHOTS)
    counts = job.result().get_counts()
    found = {key: n / SHOTS for key, n in counts.items()}
    half = {"00": 0.5, "11": 0.5}
    assert distance(found, half) < bound(half, SHOTS)
    assert backend().retrieve_job(job.job_id()).result().get_counts() == counts
    with pytest.raises(NotFoundError):
        backend(token="QWICKET_OTHER_TOKEN").retrieve_job(job.job_id())
    with pytest.raises(AuthenticationError, match="token"):
        backend(token="QWICKET_REVOKED_TOKEN")
