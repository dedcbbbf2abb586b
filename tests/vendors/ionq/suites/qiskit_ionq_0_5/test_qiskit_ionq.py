"""qiskit-ionq 0.5.13, unmodified, speaking v0.3. Runs in the client's own environment."""

import os
import subprocess
import sys
import warnings

import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit.random import random_circuit
from qiskit.providers import JobStatus
from qiskit.quantum_info import Operator, Statevector
from qiskit_ionq import ErrorMitigation, GPI2Gate, GPIGate, IonQProvider, MSGate, ZZGate
from qiskit_ionq.exceptions import IonQAPIError, IonQJobStateError

from support.vendors import bound, distance, held_circuit, within

URL = os.environ["QWICKET_URL"]
TOKEN = os.environ["QWICKET_TOKEN"]
PREFIXES = ["/ionq/v0.3", "/v0.3"]
SHOTS = 2_000

os.environ["IONQ_API_URL"] = URL + PREFIXES[0]


def backend(name="simulator", prefix=PREFIXES[0], token=TOKEN, **options):
    return IonQProvider(token, URL + prefix).get_backend(f"ionq_{name}", **options)


def measured(circuit):
    circuit = circuit.copy()
    circuit.measure_all()
    return circuit


def bell(name="bell"):
    circuit = QuantumCircuit(2, 2, name=name)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def done(job):
    job.result(wait=0.05, timeout=60)
    return job


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_bell_pair_comes_back(prefix):
    job = done(backend(prefix=prefix).run(bell(), shots=1000))
    assert job.status() is JobStatus.DONE
    assert job.get_probabilities() == {"00": 0.5, "11": 0.5}
    assert sum(job.get_counts().values()) == 1000


def test_twins_have_their_originals_qubits():
    assert [backend(f"qpu.{name}").configuration().n_qubits for name in ("aria-1", "forte-1")] == [
        25,
        36,
    ]


def test_a_job_on_a_twin_has_its_noise():
    counts = done(backend("qpu.aria-1").run(bell(), shots=5_000)).get_counts()
    assert sum(counts.values()) == 5_000
    assert 0.004 < (counts["01"] + counts["10"]) / 5_000 < 0.03


def test_debiasing_is_averaged_and_sharpened():
    job = backend("qpu.aria-1").run(bell(), shots=500, error_mitigation=ErrorMitigation.DEBIASING)
    assert sum(done(job).get_counts().values()) == 500
    assert set(job.result(sharpen=True).get_counts()) <= {"00", "11"}


def test_a_parametrised_circuit_is_bound():
    from qiskit.circuit import Parameter

    t = Parameter("t")
    circuit = QuantumCircuit(1)
    circuit.ry(t, 0)
    bound_ = circuit.assign_parameters({t: 0.9})
    found = done(backend().run(measured(bound_), shots=SHOTS)).get_probabilities()
    assert distance(found, Statevector(bound_).probabilities_dict()) < 1e-6


@pytest.mark.parametrize("seed", range(4))
def test_random_circuits_agree_with_qiskit(seed):
    circuit = random_circuit(5, 6, max_operands=2, seed=seed)
    compiled = transpile(measured(circuit), backend(), optimization_level=1)
    job = done(backend().run(compiled, shots=SHOTS, sampler_seed=seed))
    expected = Statevector(circuit).probabilities_dict()
    frequencies = {key: n / SHOTS for key, n in job.get_counts().items()}
    assert distance(frequencies, expected) < bound(expected, SHOTS)
    assert all(abs(p - expected[key]) < 1e-6 for key, p in job.get_probabilities().items())


def test_registers_are_mapped():
    circuit = QuantumCircuit(3, 2)
    circuit.x(2)
    circuit.measure([2, 0], [0, 1])
    assert done(backend().run(circuit, shots=10)).get_probabilities() == {"01": 1.0}


def test_several_circuits_come_back_in_their_order():
    circuits = []
    for n in range(8):
        circuit = QuantumCircuit(3, 3, name=f"n{n}")
        for q in range(3):
            if n >> q & 1:
                circuit.x(q)
        circuit.measure([0, 1, 2], [2, 1, 0])  # crossed: each child knows its own registers
        circuits.append(circuit)
    job = done(backend().run(circuits, shots=10))
    counts = [job.get_counts(circuit) for circuit in circuits]
    assert counts == [{f"{n:03b}"[::-1]: 10} for n in range(8)]
    assert job.status(detailed=True)["statuses"] == [JobStatus.DONE] * 8


def test_a_list_of_one_circuit_comes_back():
    job = done(backend().run([bell()], shots=1000))
    assert set(job.get_probabilities()) == {"00", "11"}


def test_native_gates_agree_with_the_clients_matrices():
    circuit = QuantumCircuit(2)
    circuit.append(GPI2Gate(0.1), [0])
    circuit.append(GPIGate(0.3), [1])
    circuit.append(MSGate(0.1, 0.2, 0.15), [0, 1])
    circuit.append(GPI2Gate(0.4), [1])
    state = Statevector.from_int(0, 4)
    for step in circuit.data:
        places = [circuit.find_bit(q).index for q in step.qubits]
        state = state.evolve(Operator(step.operation.to_matrix()), places)
    expected = state.probabilities_dict()
    job = done(backend(gateset="native").run(measured(circuit), shots=SHOTS))
    found = job.get_probabilities()
    assert distance(found, expected) < 1e-6
    zz = QuantumCircuit(2, 2)
    zz.append(ZZGate(0.1), [0, 1])
    with within(), pytest.raises(IonQAPIError, match="not zz"):
        backend("qpu.aria-1", gateset="native").run(measured(zz), shots=10)


def test_results_by_id_from_a_fresh_process():
    job = done(backend().run(bell(), shots=100))
    script = f"""
from qiskit_ionq import IonQProvider
backend = IonQProvider({TOKEN!r}, {URL + PREFIXES[0]!r}).get_backend("ionq_simulator")
job = backend.retrieve_job({job.job_id()!r})
job.result(wait=0.05, timeout=60)
print(job.get_probabilities())
"""
    again = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=120
    )
    assert again.stdout.strip() == "{'00': 0.5, '11': 0.5}", again.stderr


def test_a_job_is_cancelled_and_deleted():
    job = backend().run(measured(held_circuit(QuantumCircuit(24))), shots=10)
    job.cancel()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert job.status() is JobStatus.CANCELLED
    with within(), pytest.raises(IonQJobStateError):
        job.result(wait=0.05, timeout=20)
    client = backend().client
    assert client.delete_job(job.job_id())["status"] == "deleted"
    with within(), pytest.raises(IonQAPIError):
        client.retrieve_job(job.job_id())


def test_the_calibration_is_read():
    found = backend("qpu.aria-1").calibration()
    assert (found.target, found.num_qubits) == ("qpu.aria-1", 25)
    assert found.calibration_time.year == 2024
    assert found.fidelities["2q"]["mean"] == 0.996
    assert len(found.connectivity) == 25 * 24 / 2


def test_refusals_end_at_once():
    with within(), pytest.raises(IonQAPIError) as wrong:
        backend(token="qw_wrong").run(bell(), shots=10)
    assert wrong.value.status_code == 401
    with within(), pytest.raises(IonQAPIError) as unknown:
        backend().retrieve_job("0d7c2f5e-1111-4222-8333-444455556666")
    assert unknown.value.status_code == 404
    job = backend().run(bell(), shots=10)
    with within(), pytest.raises(IonQAPIError) as foreign:
        backend(token=os.environ["QWICKET_OTHER_TOKEN"]).retrieve_job(job.job_id())
    assert foreign.value.status_code == 404
    with within(), pytest.raises(IonQAPIError) as many:
        backend().run(bell(), shots=1_000_001)
    assert "shots" in many.value.message
    with within(), pytest.raises(IonQAPIError) as wide:
        backend().run(measured(QuantumCircuit(40)), shots=10)
    assert "qubits" in wide.value.message
    with within(), pytest.raises(IonQAPIError) as few:
        backend("qpu.aria-1").run(bell(), shots=499, error_mitigation=ErrorMitigation.DEBIASING)
    assert "debias_shots" in few.value.message
