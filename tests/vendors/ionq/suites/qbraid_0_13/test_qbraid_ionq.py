"""qbraid 0.13.0 with its IonQ provider, unmodified, speaking v0.4, in its own environment."""

import json
import math
import os
import subprocess
import sys

import pytest
from qbraid.runtime import DeviceStatus, JobStatus
from qbraid.runtime.ionq import IonQJob, IonQProvider

from support.held import held_job
from support.vendors import bound, call, distance, within

URL = os.environ["QWICKET_URL"] + "/ionq/v0.4"
TOKEN = os.environ["QWICKET_TOKEN"]
BELL = """OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
h q[0];
cx q[0], q[1];
"""
X1 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nx q[1];\n'


def provider(token=TOKEN):
    made = IonQProvider(token)
    made.session.base_url = URL
    return made


def device(name="simulator", token=TOKEN):
    return provider(token).get_device(name)


def test_devices_are_listed_with_their_characterizations():
    found = {each.id: each for each in provider().get_devices()}
    assert list(found) == ["simulator", "qpu.aria-1", "qpu.forte-1"]
    assert all(each.status() is DeviceStatus.ONLINE for each in found.values())
    assert found["qpu.aria-1"].profile.get("characterization")["fidelity"]["2q"]["mean"] == 0.996
    assert device().avg_queue_time() >= 0


def test_a_bell_pair_comes_back():
    job = device().run(BELL, shots=1000)
    data = job.result().data
    assert data.get_probabilities() == {"00": 0.5, "11": 0.5}
    assert data.get_counts() == {"00": 500, "11": 500}
    assert job.status() is JobStatus.COMPLETED


def test_a_rotation_and_several_controls():
    program = """OPENQASM 3.0;
include "stdgates.inc";
qubit[3] q;
x q[0];
x q[1];
ccx q[0], q[1], q[2];
"""
    assert device().run(program, shots=10).result().data.get_probabilities() == {"111": 1.0}


def test_a_parametrised_circuit_is_bound():
    from qiskit import QuantumCircuit, qasm3
    from qiskit.circuit import Parameter

    angle = Parameter("t")
    circuit = QuantumCircuit(1)
    circuit.ry(angle, 0)
    for theta in (0.4, 2.2):
        program = qasm3.dumps(circuit.assign_parameters({angle: theta}))
        found = device().run(program, shots=10).result().data.get_probabilities()
        assert found["1"] == pytest.approx(math.sin(theta / 2) ** 2, abs=1e-6)


def test_native_gates_are_taken_as_they_are():
    half = {"gate": "gpi2", "target": 0, "phase": 0.25}
    crossed = {"gate": "ms", "targets": [0, 1], "phases": [0, 0], "angle": 0.25}
    program = {"gateset": "native", "qubits": 2, "circuit": [crossed]}
    assert device().submit(program, shots=10).result().data.get_probabilities() == {
        "00": pytest.approx(0.5),
        "11": pytest.approx(0.5),
    }
    turned = {"gateset": "native", "qubits": 2, "circuit": [half, half]}  # ry(pi)
    twin = device("qpu.aria-1").submit(turned, shots=1000).result().data.get_counts()
    assert twin["01"] > 950
    zz = {"gate": "zz", "targets": [0, 1], "angle": 0.25}
    with within(), pytest.raises(Exception, match="native gates"):
        device("qpu.aria-1").submit({**program, "circuit": [zz]}, shots=10)


def test_random_circuits_agree_with_a_state_vector():
    import numpy as np
    from qiskit import QuantumCircuit, qasm3
    from qiskit.quantum_info import Statevector

    rng = np.random.default_rng(5)
    circuit = QuantumCircuit(5)
    for _ in range(25):
        a, b = rng.choice(5, 2, replace=False).tolist()
        circuit.rx(rng.uniform(0, 6), a)
        circuit.rz(rng.uniform(0, 6), b)
        circuit.h(b)
        circuit.cx(a, b)
    expected = Statevector(circuit).probabilities_dict()
    found = device().run(qasm3.dumps(circuit), shots=100).result().data.get_probabilities()
    assert distance(found, expected) < 1e-6
    noisy = device("qpu.aria-1").run(qasm3.dumps(circuit), shots=2000)
    counts = noisy.result().data.get_counts()
    frequencies = {key: n / 2000 for key, n in counts.items()}
    # 25 dressed two-qubit gates of about half a percent each disturb a quarter at most.
    assert distance(frequencies, expected) < bound(expected, 2000) + 0.25


def test_several_programs_are_one_job():
    job = device().run([BELL, X1], shots=100)
    assert job.result().data.get_counts() == [{"00": 50, "11": 50}, {"10": 100}]


def test_noise_and_debiasing_are_taken():
    noisy = device().run(BELL, shots=500, noise={"model": "aria-1", "seed": 3})
    again = device().run(BELL, shots=500, noise={"model": "aria-1", "seed": 3})
    assert noisy.result().data.get_counts() == again.result().data.get_counts()
    debiased = device("qpu.aria-1").run(BELL, shots=500, error_mitigation={"debiasing": True})
    assert sum(debiased.result().data.get_counts().values()) == 500


def test_a_job_is_read_by_its_id_from_a_fresh_process():
    job = device().run(BELL, shots=10)
    job.wait_for_final_state()
    script = f"""
from qbraid.runtime.ionq import IonQJob, IonQProvider
provider = IonQProvider({TOKEN!r})
provider.session.base_url = {URL!r}
print(IonQJob({job.id!r}, provider.session).result().data.get_probabilities())
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip() == "{'00': 0.5, '11': 0.5}", done.stderr


def test_a_job_is_cancelled_and_costs_nothing():
    job = device().run(held_job().openqasm, shots=10)
    job.cancel()
    assert job.status() is JobStatus.CANCELLED
    assert job.cost()["cost"] == {"value": 0.0, "unit": "usd"}


def test_what_another_client_deleted_is_gone():
    job = device().run(BELL, shots=10)
    job.wait_for_final_state()
    call("DELETE", f"/jobs/{job.id}")
    with within(), pytest.raises(Exception, match="no such job"):
        IonQJob(job.id, provider().session).status()


def test_refusals_end_at_once():
    with within(), pytest.raises(Exception, match="token"):
        device(token="qw_wrong").run(BELL, shots=10)
    with within(), pytest.raises(Exception, match=r"qpu\.none"):
        device("qpu.none")
    with within(), pytest.raises(Exception, match="shots"):
        device().run(BELL, shots=1_000_001)
    with within(), pytest.raises(Exception, match="no such job"):
        IonQJob("0d7c2f5e-1111-4222-8333-444455556666", provider().session).status()
    data = {
        "backend": "simulator",
        "input": {"qubits": 1, "circuit": [{"gate": "no", "target": 0}]},
    }
    with within(), pytest.raises(Exception, match="not a gate of the qis gateset"):
        provider().session.create_job(json.dumps(data))
