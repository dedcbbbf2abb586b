"""qiskit-ionq 1.1.1, unmodified: several circuits, memory, OpenQASM 3, sessions, estimates."""

import os
import subprocess
import sys

import pytest
from qiskit import QuantumCircuit
from qiskit.providers import JobStatus
from qiskit.quantum_info import Statevector
from qiskit_ionq import ErrorMitigation, GPI2Gate, GPIGate, IonQProvider, MSGate, Session
from qiskit_ionq.exceptions import IonQAPIError, IonQJobError

from support.vendors import within

URL = os.environ["QWICKET_URL"]
TOKEN = os.environ["QWICKET_TOKEN"]
BASE = URL + "/ionq/v0.4"

os.environ["IONQ_API_URL"] = BASE


def backend(name="simulator", token=TOKEN):
    return IonQProvider(token, BASE).get_backend(f"ionq_{name}")


def bell():
    circuit = QuantumCircuit(2, 2, name="bell")
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def counted(n):
    circuit = QuantumCircuit(3, 3, name=f"n{n}")
    for q in range(3):
        if n >> q & 1:
            circuit.x(q)
    circuit.measure([0, 1, 2], [2, 1, 0])
    return circuit


def done(job):
    job.result(wait=0.05, timeout=60)
    return job


def test_several_circuits_come_back_in_their_order():
    circuits = [counted(n) for n in range(8)]
    job = done(backend().run(circuits, shots=10))
    counts = [job.get_counts(circuit) for circuit in circuits]
    assert counts == [{f"{n:03b}"[::-1]: 10} for n in range(8)]
    assert job.status(detailed=True)["statuses"] == [JobStatus.DONE] * 8


@pytest.mark.parametrize(("name", "own"), [("qpu.aria-1", "ms"), ("qpu.forte-1", "zz")])
def test_a_compiled_circuit_is_in_the_machines_own_gates(name, own):
    compiled = done(backend(name).run(bell(), shots=100)).compiled_circuit("native")
    assert compiled["qubits"] == 2
    gates = [gate["gate"] for gate in compiled["circuit"]]
    assert gates.count(own) == 1
    assert set(gates) <= {"gpi", "gpi2", own}


def test_a_compiled_circuit_has_the_clients_own_matrix():
    """Its gates, as the client defines them, make a Bell pair."""
    compiled = done(backend().run(bell(), shots=1)).compiled_circuit()
    circuit = QuantumCircuit(2)
    for gate in compiled["circuit"]:
        if gate["gate"] == "ms":
            circuit.append(MSGate(*gate["phases"], gate["angle"]), gate["targets"])
        else:
            kind = {"gpi": GPIGate, "gpi2": GPI2Gate}[gate["gate"]]
            circuit.append(kind(gate["phase"]), [gate["target"]])
    assert Statevector(circuit).probabilities() == pytest.approx([0.5, 0, 0, 0.5])


def test_memory_of_a_twin_agrees_with_its_counts():
    job = done(backend("qpu.aria-1").run(bell(), shots=300, memory=True))
    memory = job.get_memory()
    assert {key: memory.count(key) for key in memory} == job.get_counts()
    assert memory != sorted(memory)


def test_memory_of_several_circuits_is_that_of_each_child():
    circuits = [counted(1), counted(3)]
    job = done(backend("qpu.forte-1").run(circuits, shots=50, memory=True))
    for circuit in circuits:
        memory = job.get_memory(circuit)
        assert {key: memory.count(key) for key in memory} == job.get_counts(circuit)


def test_a_measurement_on_the_way_becomes_openqasm_3():
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.measure(0, 0)
    circuit.reset(0)
    with circuit.if_test((0, 1)):
        circuit.x(1)
    circuit.measure(1, 1)
    job = done(backend().run(circuit, shots=400))
    counts = job.get_counts()
    assert set(counts) == {"00", "11"}
    assert sum(counts.values()) == 400
    assert abs(counts["00"] - 200) < 100


def test_a_debiased_job_is_sharpened():
    job = backend("qpu.aria-1").run(bell(), shots=500, error_mitigation=ErrorMitigation.DEBIASING)
    assert sum(done(job).get_counts().values()) == 500
    assert set(job.result(sharpen=True).get_counts()) <= {"00", "11"}


def test_a_dry_run_has_no_result():
    job = backend("qpu.aria-1").run(bell(), shots=100, dry_run=True)
    with within(), pytest.raises(IonQJobError, match="dry_run"):
        job.result(wait=0.05, timeout=20)


def test_a_session_has_its_jobs_and_ends():
    with Session(backend=backend("qpu.aria-1"), max_jobs=2, max_time=5, max_cost=1) as session:
        assert session.status() == "created"
        for _ in range(2):
            done(session.run(bell(), shots=10))
        assert session.status() == "started"
        assert session.usage() >= 0
        with within(), pytest.raises(IonQAPIError) as full:
            session.run(bell(), shots=10)
        assert "session_id" in full.value.message
        session.cancel()
    found = Session.from_id(session.session_id, backend=backend("qpu.aria-1"))
    assert found.status() == "ended"
    session.close()  # again, as clients may
    with within(), pytest.raises(IonQAPIError):
        found.run(bell(), shots=10)


def test_an_estimate_costs_nothing():
    client = backend("qpu.aria-1").client
    found = client.estimate_job(
        backend="ionq_qpu.aria-1", oneq_gates=10, twoq_gates=5, qubits=4, shots=100
    )
    assert found.backend == "qpu.aria-1"
    assert (found.cost, found.cost_unit) == (0, "usd")


def test_a_job_is_deleted():
    job = done(backend().run(bell(), shots=10))
    client = backend().client
    assert client.delete_job(job.job_id())["status"] == "deleted"
    with within(), pytest.raises(IonQAPIError):
        client.retrieve_job(job.job_id())


def test_results_by_id_from_a_fresh_process():
    job = done(backend().run(bell(), shots=100))
    script = f"""
from qiskit_ionq import IonQProvider
backend = IonQProvider({TOKEN!r}, {BASE!r}).get_backend("ionq_simulator")
job = backend.retrieve_job({job.job_id()!r})
job.result(wait=0.05, timeout=60)
print(job.get_probabilities())
"""
    again = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=120
    )
    assert again.stdout.strip() == "{'00': 0.5, '11': 0.5}", again.stderr


def test_refusals_end_at_once():
    with within(), pytest.raises(IonQAPIError):
        backend(token="qw_wrong").run(bell(), shots=10)
    with within(), pytest.raises(IonQAPIError):
        backend().retrieve_job("0d7c2f5e-1111-4222-8333-444455556666")
    with within(), pytest.raises(IonQAPIError) as few:
        backend("qpu.aria-1").run(bell(), shots=499, error_mitigation=ErrorMitigation.DEBIASING)
    assert "debias_shots" in few.value.message
