"""qiskit-ionq 1.1.1, unmodified, speaking v0.4. Runs in the client's own environment."""

import os
import time

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.circuit.random import random_circuit
from qiskit.compiler import transpile
from qiskit.providers import JobStatus
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit_ionq import GPI2Gate, IonQProvider, MSGate, ZZGate
from qiskit_ionq.exceptions import IonQAPIError, IonQJobStateError

from support.vendors import answer_question, bounded_token, held_circuit

URL = os.environ["QWICKET_URL"]
TOKEN = os.environ["QWICKET_TOKEN"]
PREFIXES = ["/ionq/v0.4", "/v0.4"]

os.environ["IONQ_API_URL"] = URL + PREFIXES[0]


def simulator(prefix=PREFIXES[0], token=TOKEN):
    return IonQProvider(token, URL + prefix).get_backend("ionq_simulator")


@pytest.fixture(params=PREFIXES)
def backend(request):
    return simulator(request.param)


def measured(circuit):
    circuit = circuit.copy()
    circuit.measure_all()
    return circuit


def probabilities(circuit, backend):
    """Return what the client calls probabilities: exact, but without outcomes it never drew."""
    job = backend.run(circuit, shots=1_000_000)
    job.result(wait=0.05, timeout=60)
    return job.get_probabilities()


def bell():
    circuit = QuantumCircuit(2, 2, name="bell")
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def close(found, expected):
    """Compare to 1e-6; only what a million shots can miss may be absent."""
    missed = [expected[key] for key in expected if key not in found]
    return all(abs(p - expected.get(key, 0)) < 1e-6 for key, p in found.items()) and all(
        p < 3e-5 for p in missed
    )


def test_backends_are_listed_with_their_qubits():
    provider = IonQProvider(TOKEN, URL + PREFIXES[0])
    assert "ionq_simulator" in [backend.name for backend in provider.backends()]
    assert 20 <= simulator().num_qubits <= 29


def test_a_bell_pair_comes_back(backend):
    job = backend.run(bell(), shots=1000)
    job.result(wait=0.05, timeout=60)
    assert job.status() is JobStatus.DONE
    assert job.get_probabilities() == {"00": 0.5, "11": 0.5}
    counts = job.get_counts()
    assert set(counts) == {"00", "11"}
    assert sum(counts.values()) == 1000


def test_the_result_knows_name_and_shots():
    job = simulator().run(bell(), shots=321)
    result = job.result(wait=0.05, timeout=60)
    assert result.results[0].header["name"] == "bell"
    assert sum(job.get_counts().values()) == 321


def test_a_job_is_found_again_by_its_id_alone():
    first = simulator().run(bell(), shots=100)
    again = simulator().retrieve_job(first.job_id())
    again.result(wait=0.05, timeout=60)
    assert again.get_probabilities() == {"00": 0.5, "11": 0.5}


def twin(name="aria-1"):
    return IonQProvider(TOKEN, URL + PREFIXES[0]).get_backend(f"ionq_qpu.{name}")


@pytest.mark.parametrize(("name", "qubits"), [("aria-1", 25), ("forte-1", 36)])
def test_a_twin_has_its_originals_qubits(name, qubits):
    assert twin(name).num_qubits == qubits


def test_a_bell_pair_on_a_twin_has_its_noise():
    job = twin().run(bell(), shots=10_000)
    job.result(wait=0.05, timeout=60)
    assert job.status() is JobStatus.DONE
    counts = job.get_counts()
    assert sum(counts.values()) == 10_000
    # Readout flips one of two bits with 2 · 0.0039, gates add about half as much.
    assert 0.006 < (counts["01"] + counts["10"]) / 10_000 < 0.025
    assert abs(counts["00"] / 10_000 - 0.495) < 0.03


def test_a_twins_calibration_is_read():
    found = twin().calibration()
    assert (found.backend, found.qubits, found.date.year) == ("qpu.aria-1", 25, 2024)
    assert len(found.connectivity) == 25 * 24 / 2
    assert found.fidelity["1q"]["median"] == 0.9995
    assert found.fidelity["2q"]["median"] == 0.996
    assert found.median_spam_fidelity == 0.9961
    assert found.timing["2q"] == 0.0006
    assert (found.timing["t1"], found.timing["t2"]) == (100, 1)


def native(name, two):
    backend = IonQProvider(TOKEN, URL + PREFIXES[0]).get_backend(
        f"ionq_qpu.{name}", gateset="native"
    )
    circuit = QuantumCircuit(2, 2)
    circuit.append(GPI2Gate(0.25), [0])
    circuit.append(two, [0, 1])
    circuit.measure([0, 1], [0, 1])
    return backend.run(circuit, shots=500)


def test_native_gates_of_the_machine_run_on_its_twin():
    for name, two in (("aria-1", MSGate(0, 0)), ("forte-1", ZZGate(0.25))):
        job = native(name, two)
        job.result(wait=0.05, timeout=60)
        assert sum(job.get_counts().values()) == 500


def test_native_gates_of_another_machine_are_refused_by_name():
    for name, two, word in (("aria-1", ZZGate(0.25), "zz"), ("forte-1", MSGate(0, 0), "ms")):
        with pytest.raises(IonQAPIError) as refused:
            native(name, two)
        assert refused.value.status_code == 400
        assert f"not {word}" in refused.value.message


def test_bits_are_in_qiskits_order():
    circuit = QuantumCircuit(3, 3)
    circuit.x(0)
    circuit.measure([0, 1, 2], [0, 1, 2])
    assert probabilities(circuit, simulator()) == {"001": 1.0}


def test_measures_may_be_partial_and_crossed():
    circuit = QuantumCircuit(3, 2)
    circuit.x(2)
    circuit.measure([2, 0], [0, 1])
    assert probabilities(circuit, simulator()) == {"01": 1.0}


def test_a_circuit_that_only_measures_gives_zero():
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    assert probabilities(circuit, simulator()) == {"0": 1.0}


def test_the_reference_circuit_has_its_published_probabilities():
    """Reference circuit A: three layers of rotations, each followed by a ring of cx."""
    circuit = QuantumCircuit(3)
    for layer in range(3):
        for q in range(3):
            circuit.ry(0.3 + 0.2 * q + 0.1 * layer, q)
            circuit.rx(0.5 - 0.1 * q + 0.07 * layer, q)
        for control, target in ((0, 1), (1, 2), (2, 0)):
            circuit.cx(control, target)
    expected = {
        "000": 0.153732,
        "001": 0.054684,
        "010": 0.310856,
        "011": 0.103981,
        "100": 0.144541,
        "101": 0.124613,
        "110": 0.039221,
        "111": 0.068372,
    }
    assert close(probabilities(measured(circuit), simulator()), expected)


TARGET = simulator().target
NO_GATES = {"measure", "reset", "barrier", "delay", "id"}
FIXED = sorted(
    name
    for name in set(TARGET.operation_names) - NO_GATES
    if not isinstance(TARGET.operation_from_name(name), type)
)


def mixed(qubits):
    """Return a circuit whose amplitudes all differ, so that no gate goes unnoticed."""
    circuit = QuantumCircuit(qubits)
    for q in range(qubits):
        circuit.ry(0.4 + 0.3 * q, q)
        circuit.rz(0.7 - 0.2 * q, q)
    return circuit


def check(circuit):
    for q in range(circuit.num_qubits):
        circuit.rx(0.9 - 0.25 * q, q)
    expected = Statevector(circuit).probabilities_dict()
    assert close(probabilities(measured(circuit), simulator()), expected)


@pytest.mark.parametrize("name", FIXED)
def test_every_gate_of_the_backend_agrees_with_qiskit(name):
    operation = TARGET.operation_from_name(name)
    circuit = mixed(max(operation.num_qubits, 3))
    values = [0.37 + 0.21 * i for i in range(len(operation.params))]
    circuit.append(operation.base_class(*values), range(operation.num_qubits))
    check(circuit)


def test_the_backend_has_all_of_the_clients_gates():
    assert {"x", "h", "rx", "ry", "rz", "cx", "swap", "rxx", "ryy", "rzz"} <= set(FIXED)


def test_a_parametrised_circuit_is_bound():
    angle = Parameter("t")
    circuit = mixed(2)
    circuit.rzz(angle, 0, 1)
    circuit.ry(2 * angle, 1)
    for theta in (0.4, 2.2):
        check(circuit.assign_parameters({angle: theta}))


def test_gates_of_many_controls_agree_with_qiskit():
    circuit = mixed(5)
    circuit.mcx([0, 1, 3], 2)
    circuit.ccx(4, 1, 0)
    circuit.mcp(0.6, [0, 2], 4)
    check(circuit)


@pytest.mark.parametrize("seed", range(5))
def test_random_circuits_agree_with_qiskit(seed):
    backend = simulator()
    circuit = random_circuit(5, 6, max_operands=2, seed=seed)
    expected = Statevector(circuit).probabilities_dict()
    compiled = transpile(measured(circuit), backend, optimization_level=1)
    assert close(probabilities(compiled, backend), expected)


def test_a_pauli_evolution_agrees_with_qiskit():
    operator = SparsePauliOp(["XXI", "IZZ", "YIY"], [0.3, -0.7, 0.2])
    circuit = QuantumCircuit(3)
    circuit.ry(0.4, 0)
    circuit.h(1)
    for term, coefficient in zip(operator.paulis, operator.coeffs, strict=True):
        circuit.append(PauliEvolutionGate(SparsePauliOp([term], [coefficient]), 0.8), range(3))
    circuit.rx(0.3, 2)
    expected = Statevector(circuit).probabilities_dict()
    assert close(probabilities(measured(circuit), simulator()), expected)


def test_a_running_job_is_cancelled():
    job = simulator().run(measured(held_circuit(QuantumCircuit(24))), shots=10)
    deadline = time.monotonic() + 60
    while job.status() is not JobStatus.RUNNING:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    job.cancel()
    assert job.status() is JobStatus.CANCELLED
    with pytest.raises(IonQJobStateError):
        job.result(wait=0.05, timeout=60)


def test_cancelling_a_finished_job_changes_nothing():
    job = simulator().run(bell(), shots=10)
    job.result(wait=0.05, timeout=60)
    job.cancel()
    assert simulator().retrieve_job(job.job_id()).status() is JobStatus.DONE


def test_a_wrong_key_raises_the_clients_error():
    with pytest.raises(IonQAPIError) as refused:
        simulator(token="qw_wrong").run(bell(), shots=10)
    assert refused.value.status_code == 401
    assert "token" in refused.value.message


def test_a_job_of_another_account_does_not_exist():
    job = simulator().run(bell(), shots=10)
    with pytest.raises(IonQAPIError) as refused:
        simulator(token=os.environ["QWICKET_OTHER_TOKEN"]).retrieve_job(job.job_id())
    assert refused.value.status_code == 404


def test_too_many_shots_are_refused_by_name():
    with pytest.raises(IonQAPIError) as refused:
        simulator().run(bell(), shots=1_000_001)
    assert refused.value.status_code == 400
    assert "shots" in refused.value.message


def test_the_bounds_of_a_token_are_the_clients_error():
    token = bounded_token(daily_shots=150, ask_above_shots=100)
    simulator(token=token).run(bell(), shots=100)
    with pytest.raises(IonQAPIError) as refused:
        simulator(token=token).run(bell(), shots=100)
    assert (refused.value.status_code, refused.value.error_type) == (403, "Forbidden")
    assert "50 shots left, and this job needs 100 shots" in refused.value.message
    token = bounded_token(ask_above_shots=100)
    with pytest.raises(IonQAPIError) as refused:
        simulator(token=token).run(bell(), shots=101)
    assert refused.value.status_code == 403
    assert answer_question(refused.value.message, token) == 403
    assert answer_question(refused.value.message, TOKEN) == 200
    job = simulator(token=token).run(bell(), shots=101)
    assert sum(job.result(wait=0.05, timeout=60).get_counts().values()) == 101


def test_a_circuit_that_is_too_wide_is_refused_by_name():
    with pytest.raises(IonQAPIError) as refused:
        simulator().run(measured(QuantumCircuit(40)), shots=10)
    assert refused.value.status_code == 400
    assert "qubits" in refused.value.message
