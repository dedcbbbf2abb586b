"""qiskit-cold-atom 0.2.0, unmodified: form fields, `password`, slashes at the end, ids in JSON."""

import os
from math import pi

import pytest
import requests
from qiskit import QuantumCircuit
from qiskit.providers import JobError, JobStatus
from qiskit_cold_atom.exceptions import QiskitColdAtomError
from qiskit_cold_atom.providers import ColdAtomProvider

from support.vendors import within

URL = os.environ["QWICKET_URL"] + "/qlued/api/v2"


def backend(name, token="QWICKET_TOKEN"):
    credentials = {
        "urls": [f"{URL}/{name}"],
        "username": "anyone",
        "token": os.environ.get(token, token),
    }
    return ColdAtomProvider(credentials).get_backend(f"qwicket_{name}_simulator")


def flip(wire_angle=pi):
    circuit = QuantumCircuit(2, 2)
    circuit.rlx(wire_angle, 1)
    circuit.measure_all(add_bits=False)
    return circuit


@pytest.mark.parametrize("name", ["multiqudit", "rydberg"])
def test_spins_are_turned_over_and_the_job_is_found_again(name):
    with within(60):
        job = backend(name).run(flip(), shots=5)
        again = backend(name).retrieve_job(job.job_id())
        result = again.result(timeout=30, wait=0.1)
        assert again.status() is JobStatus.DONE
    assert result.data()["memory"] == ["0 1"] * 5
    assert result.get_counts() == {"0 1": 5}


def test_one_spin_of_many_atoms_is_turned_over():
    circuit = QuantumCircuit(1, 1)
    circuit.load_spins(20, 0)
    circuit.rlx(pi, 0)
    circuit.measure(0, 0)
    with within(60):
        result = backend("singlequdit").run(circuit, shots=3).result(timeout=30, wait=0.1)
    assert result.data()["memory"] == ["20"] * 3


def test_fermions_stay_where_they_are_loaded():
    circuit = QuantumCircuit(4, 4)
    circuit.fload(1)
    circuit.fload(2)
    circuit.measure_all(add_bits=False)
    with within(60):
        result = backend("fermions").run(circuit, shots=3).result(timeout=30, wait=0.1)
    assert result.data()["memory"] == ["0 1 1 0"] * 3


def test_a_refused_program_is_an_error_that_says_why():
    with within():
        job = backend("rydberg").run(flip(7.0), shots=1)
        with pytest.raises(JobError, match="omega must be"):
            job.result(timeout=20, wait=0.1)
        assert job.status() is JobStatus.ERROR
        assert "omega must be" in job.error_message()


def test_a_wrong_token_and_anothers_job_are_reported_at_once():
    with within():
        with pytest.raises(requests.HTTPError, match="401"):
            backend("rydberg", "qw_wrong").run(flip(), shots=1)
        job = backend("rydberg").run(flip(), shots=1)
        with pytest.raises(QiskitColdAtomError, match="could not be retrieved"):
            backend("rydberg", "QWICKET_OTHER_TOKEN").retrieve_job(job.job_id())
