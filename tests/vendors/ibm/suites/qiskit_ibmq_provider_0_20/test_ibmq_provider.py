"""qiskit-ibmq-provider 0.20.2, unmodified. Runs in the client's own environment."""

import os
import subprocess
import sys
from datetime import datetime, timedelta

import pytest
from qiskit import IBMQ, ClassicalRegister, QuantumCircuit, QuantumRegister, transpile
from qiskit.providers.ibmq import IBMQBackend, least_busy
from qiskit.providers.ibmq.exceptions import IBMQProviderError
from qiskit.providers.ibmq.ibmqbackend import IBMQSimulator
from qiskit.quantum_info import Statevector

from support.vendors import bound, distance, within

URL = os.environ["QWICKET_URL"] + "/ibm/api"
TOKEN = os.environ["QWICKET_TOKEN"]
SIMULATOR = "qwicket_simulator"
TWINS = ["qwicket_line5", "qwicket_heavyhex27"]


def enable(token=TOKEN):
    if IBMQ.active_account():
        IBMQ.disable_account()
    return IBMQ.enable_account(token, url=URL)


@pytest.fixture(scope="module")
def provider():
    return enable()


def bell(name="bell"):
    circuit = QuantumCircuit(2, 2, name=name)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def counted(n, width):
    """Return a circuit that gives the number n."""
    circuit = QuantumCircuit(width, width, name=f"n{n}")
    for q in range(width):
        if n >> q & 1:
            circuit.x(q)
    circuit.measure(range(width), range(width))
    return circuit


def run(backend, circuits, **options):
    return backend.run(transpile(circuits, backend), **options)


# --- account and devices --------------------------------------------------------------------------


def test_an_account_has_its_project_as_provider(provider):
    credentials = provider.credentials
    assert (credentials.hub, credentials.group, credentials.project) == (
        "qwicket",
        "open",
        "vendor",
    )
    assert IBMQ.providers() == [provider]
    assert IBMQ.active_account() == {"token": TOKEN, "url": URL}
    assert IBMQ.get_provider(hub="qwicket", project="vendor") == provider
    assert not provider.has_service("experiment")


def test_a_wrong_token_raises_the_clients_error():
    script = f"from qiskit import IBMQ; IBMQ.enable_account('qw_wrong', url={URL!r})"
    done = python(script)
    assert done.returncode == 1
    assert "Error code: 3001" in done.stderr
    assert "token" in done.stderr


def test_devices_come_in_their_order_and_are_filtered(provider):
    names = [backend.name() for backend in provider.backends()]
    assert names == [SIMULATOR, *TWINS]
    assert isinstance(provider.get_backend(SIMULATOR), IBMQSimulator)
    assert type(provider.get_backend(TWINS[0])) is IBMQBackend
    assert [b.name() for b in provider.backends(simulator=False)] == TWINS
    assert [b.name() for b in provider.backends(n_qubits=5, operational=True)] == [TWINS[0]]
    assert len(provider.backends(min_num_qubits=20)) == 2
    assert len(provider.backends(input_allowed="job")) == 3
    wide = provider.backends(filters=lambda b: b.configuration().coupling_map is not None)
    assert [b.name() for b in wide] == TWINS
    assert least_busy(provider.backends(simulator=False)).name() in TWINS


def test_a_configuration_says_what_the_device_can_do(provider):
    for name, qubits in zip([SIMULATOR, *TWINS], [None, 5, 27], strict=True):
        found = provider.get_backend(name).configuration()
        assert found.n_qubits == (qubits or found.n_qubits)
        assert found.max_shots >= 8192
        assert {"u1", "u2", "u3", "cx", "id", "rz", "sx", "x"} <= set(found.basis_gates)
        assert found.conditional
        assert found.memory
        assert found.simulator is (name == SIMULATOR)
    line = provider.get_backend(TWINS[0]).configuration().coupling_map
    assert line == [[0, 1], [1, 0], [1, 2], [2, 1], [2, 3], [3, 2], [3, 4], [4, 3]]


def test_a_twins_properties_are_read_now_and_as_of_a_date(provider):
    backend = provider.get_backend(TWINS[0])
    found = backend.properties()
    assert 20e-6 < found.t1(0) < 200e-6
    assert found.t2(0) <= 2 * found.t1(0)
    assert 0 < found.gate_error("cx", [0, 1]) < 0.05
    assert found.gate_error("cx", [0, 1]) == found.gate_error("cx", [1, 0])
    assert found.gate_error("rz", 0) == 0
    assert 0 < found.readout_error(4) < 0.1
    assert 4e9 < found.frequency(2) < 6e9
    assert backend.properties(datetime=datetime(2020, 1, 1)) is None
    later = backend.properties(datetime=datetime.now() + timedelta(days=1))
    assert later.last_update_date == found.last_update_date
    assert provider.get_backend(SIMULATOR).properties() is None


def test_status_limits_and_reservations_of_a_device(provider):
    backend = provider.get_backend(TWINS[0])
    status = backend.status()
    assert (status.operational, status.status_msg) == (True, "active")
    assert status.pending_jobs >= 0
    assert backend.job_limit().maximum_jobs is None
    assert backend.remaining_jobs_count() is None
    assert backend.defaults() is None
    assert backend.reservations() == []
    assert provider.backend.my_reservations() == []


# --- results --------------------------------------------------------------------------------------


def test_a_bell_pair_on_the_simulator(provider):
    result = run(provider.get_backend(SIMULATOR), bell(), shots=4096).result()
    counts = result.get_counts()
    assert set(counts) == {"00", "11"}
    found = {key: n / 4096 for key, n in counts.items()}
    exact = {"00": 0.5, "11": 0.5}
    assert distance(found, exact) < bound(exact, 4096)
    assert result.results[0].header.name == "bell"
    assert result.backend_name == SIMULATOR


@pytest.mark.parametrize("name", TWINS)
def test_a_bell_pair_on_a_twin_has_its_noise(provider, name):
    counts = run(provider.get_backend(name), bell(), shots=8192).result().get_counts()
    wrong = (counts.get("01", 0) + counts.get("10", 0)) / 8192
    assert 0.01 < wrong < 0.12  # readout of two qubits, some per cent each, and a cx


def test_memory_is_in_the_order_of_shots_and_agrees_with_counts(provider):
    result = run(provider.get_backend(TWINS[0]), bell(), shots=500, memory=True).result()
    memory = result.get_memory()
    assert {key: memory.count(key) for key in set(memory)} == result.get_counts()
    assert memory != sorted(memory)


def test_the_same_seed_gives_the_same_shots(provider):
    backend = provider.get_backend(SIMULATOR)
    jobs = [run(backend, bell(), shots=200, memory=True, seed_simulator=7) for _ in range(2)]
    assert jobs[0].result().get_memory() == jobs[1].result().get_memory()


def test_registers_keep_their_names_and_order(provider):
    circuit = QuantumCircuit(QuantumRegister(3), ClassicalRegister(2, "a"), ClassicalRegister(1))
    circuit.x([0, 2])
    circuit.measure([0, 1, 2], [0, 1, 2])
    counts = run(provider.get_backend(SIMULATOR), circuit, shots=10).result().get_counts()
    assert counts == {"1 01": 10}


def test_75_circuits_in_one_job_come_back_in_their_order(provider):
    circuits = [counted(n, 7) for n in range(75)]
    result = run(provider.get_backend(SIMULATOR), circuits, shots=20).result()
    assert [result.get_counts(n) for n in range(75)] == [{f"{n:07b}": 20} for n in range(75)]
    assert result.get_counts("n42") == {f"{42:07b}": 20}


@pytest.mark.parametrize("name", [SIMULATOR, TWINS[0]])
def test_a_conditional_gate_obeys_what_was_measured(provider, name):
    qubits, first, last = QuantumRegister(2), ClassicalRegister(1, "f"), ClassicalRegister(1, "l")
    circuit = QuantumCircuit(qubits, first, last)
    circuit.h(0)
    circuit.measure(0, first[0])
    circuit.x(1).c_if(first, 1)
    circuit.measure(1, last[0])
    counts = run(provider.get_backend(name), circuit, shots=2000).result().get_counts()
    agree = (counts.get("0 0", 0) + counts.get("1 1", 0)) / 2000
    assert agree == 1 if name == SIMULATOR else agree > 0.9
    assert abs(counts["1 1"] / 2000 - 0.5) < 0.08


@pytest.mark.parametrize("level", [0, 3])
def test_a_transpiled_circuit_agrees_with_qiskit(provider, level):
    circuit = QuantumCircuit(4)
    for q in range(4):
        circuit.ry(0.4 + 0.3 * q, q)
        circuit.rz(0.7 - 0.2 * q, q)
    circuit.ccx(0, 1, 2)
    circuit.cp(0.6, 2, 3)
    circuit.swap(0, 3)
    exact = Statevector(circuit).probabilities_dict()
    circuit.measure_all()
    backend = provider.get_backend(SIMULATOR)
    compiled = transpile(circuit, backend, optimization_level=level)
    counts = backend.run(compiled, shots=8000).result().get_counts()
    assert distance({key: n / 8000 for key, n in counts.items()}, exact) < bound(exact, 8000)


def test_the_method_chooses_the_engine(provider):
    wide = QuantumCircuit(28, 28)
    wide.h(0)
    for q in range(27):
        wide.cx(q, q + 1)
    wide.measure(range(28), range(28))
    backend = provider.get_backend(SIMULATOR)
    width = backend.configuration().n_qubits
    assert width >= 28
    counts = run(backend, wide, shots=100, method="stabilizer").result().get_counts()
    assert set(counts) == {"0" * 28, "1" * 28}


# --- several at once, and later -------------------------------------------------------------------


def test_several_jobs_at_once_each_get_their_own_result(provider):
    backend = provider.get_backend(SIMULATOR)
    circuits = [transpile(counted(n, 4), backend) for n in range(12)]
    jobs = [backend.run(circuit, shots=10) for circuit in circuits]
    assert [job.result().get_counts() for job in jobs] == [{f"{n:04b}": 10} for n in range(12)]


def test_a_job_is_retrieved_by_its_id_from_a_fresh_process(provider):
    job = run(provider.get_backend(SIMULATOR), bell(), shots=100, job_name="later")
    counts = job.result().get_counts()
    script = f"""
from qiskit import IBMQ
provider = IBMQ.enable_account({TOKEN!r}, url={URL!r})
job = provider.backend.retrieve_job({job.job_id()!r})
print(job.name(), job.status().name, job.backend().name())
print(sorted(job.result().get_counts().items()))
print(job.circuits()[0].num_qubits, job.header())
"""
    done = python(script)
    assert done.returncode == 0, done.stderr
    first, second, third = done.stdout.splitlines()
    assert first == f"later DONE {SIMULATOR}"
    assert second == str(sorted(counts.items()))
    assert third.startswith("2 ")


def test_accounts_in_the_environment_are_loaded():
    script = "from qiskit import IBMQ; print(IBMQ.load_account().backends()[0])"
    done = python(script, QE_TOKEN=TOKEN, QE_URL=URL)
    assert done.stdout.strip() == SIMULATOR, done.stderr


def test_a_job_of_another_account_does_not_exist(provider):
    job = run(provider.get_backend(SIMULATOR), bell(), shots=10)
    stranger = os.environ["QWICKET_OTHER_TOKEN"]
    script = f"""
from qiskit import IBMQ
provider = IBMQ.enable_account({stranger!r}, url={URL!r})
try:
    provider.backend.retrieve_job({job.job_id()!r})
except Exception as error:
    print(type(error).__name__, error)
"""
    done = python(script)
    assert "IBMQBackendApiError" in done.stdout or "IBMQBackendError" in done.stdout, done.stderr
    assert "Error code: 3250" in done.stdout


def test_an_unknown_provider_is_the_clients_own_error(provider):
    with within(), pytest.raises(IBMQProviderError):
        IBMQ.get_provider(project="nobodys")


def python(script, **env):
    """Run a script in a process of its own, as a user would on another day."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **env},
        check=False,
    )
