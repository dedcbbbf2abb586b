"""qiskit-ibmq-provider 0.4.6 of January 2020, unmodified, on Python 3.7. In its own environment."""

import os
import subprocess
import sys
import time
import warnings
from datetime import datetime, timedelta

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from qiskit import IBMQ, ClassicalRegister, QuantumCircuit, QuantumRegister, execute, transpile
    from qiskit.providers import JobStatus
    from qiskit.providers.ibmq import IBMQBackend
    from qiskit.providers.ibmq.exceptions import IBMQError
    from qiskit.providers.ibmq.job.exceptions import IBMQJobFailureError
    from qiskit.quantum_info import Statevector

from support.vendors import bound, distance, held_circuit, within

URL = os.environ["QWICKET_URL"] + "/ibm/api"
TOKEN = os.environ["QWICKET_TOKEN"]
SIMULATOR = "qwicket_simulator"
TWINS = ["qwicket_line5", "qwicket_heavyhex27"]


@pytest.fixture(scope="module")
def provider():
    if IBMQ.active_account():
        IBMQ.disable_account()
    return IBMQ.enable_account(TOKEN, url=URL)


@pytest.fixture(scope="module")
def backend(provider):
    return provider.get_backend(SIMULATOR)


def bell():
    circuit = QuantumCircuit(2, 2, name="bell")
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def counted(n, width):
    circuit = QuantumCircuit(width, width, name=f"n{n}")
    for q in range(width):
        if n >> q & 1:
            circuit.x(q)
    circuit.measure(range(width), range(width))
    return circuit


def held():
    circuit = held_circuit(QuantumCircuit(24, 24))
    circuit.measure(range(24), range(24))
    return circuit


def run(backend, circuits, **options):
    return execute(circuits, backend, **{"optimization_level": 0, "shots": 10, **options})


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_devices_are_found_and_filtered(provider):
    assert [backend.name() for backend in provider.backends()] == [SIMULATOR, *TWINS]
    assert type(provider.get_backend(TWINS[0])) is IBMQBackend
    found = provider.backends(filters=lambda b: not b.configuration().simulator)
    assert [backend.name() for backend in found] == TWINS
    assert provider.backends(n_qubits=5, operational=True)[0].name() == TWINS[0]


def test_status_properties_and_defaults_of_a_twin(provider):
    twin = provider.get_backend(TWINS[0])
    assert twin.status().operational
    found = twin.properties()
    assert 20e-6 < found.t1(0) < 200e-6
    assert 0 < found.gate_error("cx", [0, 1]) < 0.05
    assert 0 < found.readout_error(4) < 0.1
    assert twin.properties(datetime=datetime(2020, 1, 1)) is None
    assert twin.defaults() is None
    assert twin.job_limit().maximum_jobs is None
    assert twin.remaining_jobs_count() is None


def test_a_bell_pair_with_its_memory(backend):
    job = run(backend, bell(), shots=4096, memory=True)
    result = job.result()
    counts = result.get_counts()
    exact = {"00": 0.5, "11": 0.5}
    assert distance({key: n / 4096 for key, n in counts.items()}, exact) < bound(exact, 4096)
    memory = result.get_memory()
    assert {key: memory.count(key) for key in set(memory)} == counts
    assert memory != sorted(memory)


@pytest.mark.parametrize("name", TWINS)
def test_a_twin_has_its_noise(provider, name):
    counts = run(provider.get_backend(name), bell(), shots=8192).result().get_counts()
    assert 0.01 < (counts.get("01", 0) + counts.get("10", 0)) / 8192 < 0.12


def test_a_transpiled_circuit_agrees_with_qiskit(provider):
    circuit = QuantumCircuit(4, 4)
    for q in range(4):
        circuit.ry(0.4 + 0.3 * q, q)
        circuit.rz(0.7 - 0.2 * q, q)
    circuit.ccx(0, 1, 2)
    circuit.cu1(0.6, 2, 3)
    exact = {
        f"{key:04b}": abs(amplitude) ** 2
        for key, amplitude in enumerate(Statevector.from_instruction(circuit).data)
    }
    circuit.measure(range(4), range(4))
    counts = run(provider.get_backend(SIMULATOR), circuit, shots=8000).result().get_counts()
    assert distance({key: n / 8000 for key, n in counts.items()}, exact) < bound(exact, 8000)


def test_75_circuits_in_one_job_come_back_in_their_order(backend):
    result = run(backend, [counted(n, 7) for n in range(75)]).result()
    expected = [{f"{n:07b}": 10} for n in range(75)]
    assert [result.get_counts(f"n{n}") for n in range(75)] == expected


def test_a_conditional_gate_obeys_what_was_measured(backend):
    qubits, first, last = QuantumRegister(2), ClassicalRegister(1, "f"), ClassicalRegister(1, "l")
    circuit = QuantumCircuit(qubits, first, last)
    circuit.h(qubits[0])
    circuit.measure(qubits[0], first[0])
    circuit.x(qubits[1]).c_if(first, 1)
    circuit.measure(qubits[1], last[0])
    counts = run(backend, circuit, shots=1000).result().get_counts()
    assert set(counts) == {"0 0", "1 1"}


def test_several_jobs_at_once_each_get_their_own_result(backend):
    jobs = [run(backend, counted(n, 4)) for n in range(8)]
    found = [job.result().get_counts() for job in jobs]
    assert found == [{f"{n:04b}": 10} for n in range(8)]


def test_the_stream_is_used_and_polling_when_it_cannot_be(backend, caplog):
    caplog.set_level("DEBUG", logger="qiskit.providers.ibmq")
    for stream in (True, False):
        caplog.clear()
        api = backend._api
        before = api.client_ws.websocket_url if hasattr(api, "client_ws") else None
        if not stream and before is not None:
            api.client_ws.websocket_url = "ws://127.0.0.1:9"
        try:
            with within(60):
                assert sum(run(backend, bell(), shots=50).result().get_counts().values()) == 50
        finally:
            if before is not None:
                api.client_ws.websocket_url = before
        said = [record.getMessage() for record in caplog.records]
        fell_back = any("using websocket" in text for text in said)
        assert fell_back is not stream, said


def test_a_running_and_a_waiting_job_are_cancelled(backend):
    jobs = [run(backend, held()) for _ in range(4)]
    try:
        wait_until(lambda: jobs[0].status() is JobStatus.RUNNING)
        wait_until(lambda: jobs[3].status() is JobStatus.QUEUED)
        wait_until(lambda: jobs[3].queue_position(refresh=True))
        assert jobs[3].queue_info().position >= 1
        assert jobs[3].cancel()
        assert jobs[3].status() is JobStatus.CANCELLED
        assert jobs[0].cancel()
        wait_until(lambda: jobs[0].status() is JobStatus.CANCELLED, seconds=10)
    finally:
        for job in jobs:
            job.cancel()


def test_a_finished_job_shows_its_steps(backend):
    job = run(backend, bell(), job_name="story", job_tags=["once"])
    result = job.result()
    job.refresh()
    assert list(job.time_per_step()) == ["CREATING", "QUEUED", "RUNNING", "COMPLETED"]
    assert (job.name(), job.tags()) == ("story", ["once"])
    assert job.creation_date().endswith("Z")
    assert result.job_id == job.job_id()
    assert not job.cancel()
    assert job.qobj().experiments[0].header.name == "bell"


def test_a_job_is_retrieved_by_its_id_from_a_fresh_process(backend):
    job = run(backend, bell(), shots=100)
    counts = job.result().get_counts()
    script = f"""
from qiskit import IBMQ
provider = IBMQ.enable_account({TOKEN!r}, url={URL!r})
job = provider.backends.retrieve_job({job.job_id()!r})
print(job.status().name, sorted(job.result().get_counts().items()))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.strip() == f"DONE {sorted(counts.items())}", done.stderr


def test_a_bad_job_is_refused_with_its_reason(backend):
    from qiskit.circuit import Gate
    from qiskit.compiler import assemble

    circuit = QuantumCircuit(1, 1)
    circuit.append(Gate("nonsense", 1, []), [0], [])
    with within(), pytest.raises((IBMQError, IBMQJobFailureError)) as refused:
        backend.run(assemble(circuit, backend=backend, shots=10), job_name="refused").result()
    assert "nonsense" in str(refused.value)


def ids(jobs):
    return [job.job_id() for job in jobs]


def test_lists_are_filtered(provider, backend):
    mark = f"list-{time.time_ns()}"
    twin = provider.get_backend(TWINS[0])
    jobs = [
        run(
            twin if n % 2 else backend,
            bell(),
            job_name=f"{mark}-{n}",
            job_tags=[mark, f"t{n % 3}"],
        )
        for n in range(6)
    ]
    made = [job.job_id() for job in jobs]
    for job in jobs:
        job.result()
    find = provider.backends.jobs
    assert ids(find(limit=9, job_tags=[mark])) == made[::-1]
    assert ids(find(limit=2, skip=1, job_tags=[mark])) == made[::-1][1:3]
    assert ids(find(limit=9, job_name=f"{mark}-[13]$")) == [made[3], made[1]]
    assert ids(find(limit=9, job_tags=[mark, "t1"], job_tags_operator="AND")) == [made[4], made[1]]
    assert ids(find(limit=9, backend_name=TWINS[0], job_tags=[mark])) == made[5::-2]
    assert ids(twin.jobs(limit=9, job_tags=[mark])) == made[5::-2]
    assert ids(find(limit=9, status=JobStatus.DONE, job_tags=[mark])) == made[::-1]
    for status in ("INITIALIZING", "VALIDATING", "QUEUED", "RUNNING", "CANCELLED", "ERROR"):
        assert ids(find(limit=9, status=status, job_tags=[mark])) == []
    now = datetime.now()
    assert ids(find(limit=9, job_tags=[mark], start_datetime=now + timedelta(days=1))) == []
    since = {"start_datetime": now - timedelta(days=1), "end_datetime": now + timedelta(days=1)}
    assert ids(find(limit=9, job_tags=[mark], **since)) == made[::-1]
    chosen = {"or": [{"name": mark + "-0"}, {"name": {"regexp": "-5$"}}]}
    assert ids(find(limit=9, job_tags=[mark], db_filter=chosen)) == [made[5], made[0]]


def test_a_wrong_token_is_refused():
    script = f"from qiskit import IBMQ; IBMQ.enable_account('qw_wrong', url={URL!r})"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "3001" in done.stderr


def test_the_transpiler_reaches_the_basis_of_a_twin(provider):
    twin = provider.get_backend(TWINS[0])
    circuit = QuantumCircuit(5, 5)
    circuit.h(0)
    circuit.cx(0, 4)
    compiled = transpile(circuit, twin)
    assert set(compiled.count_ops()) <= set(twin.configuration().basis_gates)
