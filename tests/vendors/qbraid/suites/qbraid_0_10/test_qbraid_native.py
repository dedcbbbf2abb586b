"""qbraid 0.10.2 with qbraid-core 0.1.50, unmodified, speaking the native generation."""

import json
import os
import uuid
from pathlib import Path

import numpy as np
import pytest

os.environ["DISABLE_CACHE"] = "1"  # the client's own, of devices

from qbraid.runtime import DeviceStatus, JobStateError, JobStatus, QbraidProvider
from qbraid.runtime.exceptions import ResourceNotFoundError
from qbraid_core.exceptions import AuthError, RequestsApiError
from qbraid_core.services.quantum import QuantumClient, QuantumServiceRequestError
from qbraid_core.sessions import QbraidSession

from support.held import held_job
from support.vendors import bound, distance, within

URL = os.environ["QWICKET_URL"] + "/qbraid/api"
TOKEN = os.environ["QWICKET_TOKEN"]
OTHER_TOKEN = os.environ["QWICKET_OTHER_TOKEN"]
BELL = """OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
c = measure q;
"""
FAIR = {"00": 0.5, "11": 0.5}


def client(token=TOKEN):
    return QuantumClient(session=QbraidSession(api_key=token, base_url=URL))


@pytest.fixture(scope="module")
def device():
    return QbraidProvider(client=client()).get_device("qbraid_statevector")


def test_a_wrong_key_is_refused():
    with pytest.raises((AuthError, RequestsApiError, QuantumServiceRequestError)), within():
        client("qw_wrong").search_devices()


def test_the_file_of_settings_points_the_client_here():
    session = QbraidSession(api_key=TOKEN, base_url=URL)
    session.save_config()
    assert URL in (Path.home() / ".qbraid" / "qbraidrc").read_text()
    assert QbraidSession().get("/identity").json()["userName"] == "vendor"


def test_devices_are_listed_with_their_status(device):
    provider = QbraidProvider(client=client())
    found = {each.id: each for each in provider.get_devices()}
    assert found["qbraid_statevector"].status() is DeviceStatus.ONLINE
    assert found["qbraid_parked"].status() is DeviceStatus.OFFLINE
    assert device.queue_depth() >= 0
    assert device.profile.num_qubits >= 20
    simulators = client().search_devices({"type": "SIMULATOR", "status": "ONLINE"})
    assert "qbraid_statevector" in [each["qbraid_id"] for each in simulators]
    assert client().get_device(vendor_id="statevector")["qbraid_id"] == "qbraid_statevector"


def test_an_unknown_device_is_not_found():
    with pytest.raises((ResourceNotFoundError, QuantumServiceRequestError)):
        QbraidProvider(client=client()).get_device("qbraid_nothing")


def test_a_bell_pair_in_text_comes_back(device):
    job = device.run(BELL, shots=1_000, tags={"run": "a"})
    result = job.result()
    counts = result.data.get_counts()
    assert sum(counts.values()) == 1_000
    assert distance({key: n / 1_000 for key, n in counts.items()}, FAIR) < bound(FAIR, 1_000)
    assert job.status() is JobStatus.COMPLETED
    assert result.details["tags"] == {"run": "a"}
    assert result.details["metadata"]["circuitNumQubits"] == 2
    assert result.details["metadata"]["openQasm"].startswith("OPENQASM")


def test_a_circuit_of_qiskit_agrees_with_its_own_state_vector(device):
    from qiskit import QuantumCircuit
    from qiskit.quantum_info import Statevector

    rng = np.random.default_rng(5)
    circuit = QuantumCircuit(4)
    for _ in range(20):
        a, b = rng.choice(4, 2, replace=False).tolist()
        circuit.rx(rng.uniform(0, 6), a)
        circuit.h(b)
        circuit.cx(a, b)
    expected = Statevector(circuit).probabilities_dict()
    circuit.measure_all()
    counts = device.run(circuit, shots=20_000).result().data.get_counts()
    found = {key: n / 20_000 for key, n in counts.items()}
    assert distance(found, expected) < bound(expected, 20_000)


def test_a_circuit_of_cirq_is_read_from_right_to_left(device):
    import cirq

    a, b = cirq.LineQubit.range(2)
    circuit = cirq.Circuit(cirq.X(a), cirq.I(b), cirq.measure(a, b))
    assert device.run(circuit, shots=7).result().data.get_counts() == {"01": 7}


def test_measurements_come_when_memory_is_asked_for_and_a_seed_repeats_them(device):
    first, second = (device.run(BELL, shots=20, memory=True, seed=5).result().data for _ in "ab")
    rows = ["".join(map(str, row)) for row in first.measurements]
    assert {key: rows.count(key) for key in set(rows)} == first.get_counts()
    assert np.array_equal(first.measurements, second.measurements)


def test_several_programs_are_several_jobs(device):
    jobs = device.run([BELL, BELL], shots=10)
    assert len({job.id for job in jobs}) == 2
    assert all(sum(job.result().data.get_counts().values()) == 10 for job in jobs)


def test_other_programs_run_or_are_refused_by_name():
    circuit = {"qubits": 2, "circuit": [{"gate": "x", "target": 1}]}
    sent = {"qbraidDeviceId": "qbraid_statevector", "shots": 5, "tags": "{}"}
    job = client().create_job({**sent, "ionqCircuit": json.dumps(circuit)})
    assert job["experimentType"] == "gate_model"
    with pytest.raises(QuantumServiceRequestError, match="expected a section of LLVM's text"):
        client().create_job({**sent, "bitcode": b"BC"})
    described = client().create_job({**sent, "bitcode": b"BC", "openQasm": BELL})
    assert described["status"] in ("QUEUED", "RUNNING", "COMPLETED")


def test_a_running_job_is_cancelled(device):
    job = device.run(held_job().openqasm, shots=10)
    job.cancel()
    job.wait_for_final_state(timeout=30, poll_interval=1)
    assert job.status() is JobStatus.CANCELLED
    with pytest.raises(JobStateError):
        job.cancel()


def test_a_foreign_job_is_not_found(device):
    job = device.run(BELL, shots=10)
    with pytest.raises(QuantumServiceRequestError, match="No jobs found"):
        client(OTHER_TOKEN).get_job(job.id)


def test_a_refused_program_and_a_device_that_is_off_say_why(device):
    sent = {"qbraidDeviceId": "qbraid_statevector", "tags": "{}", "shots": 1}
    with pytest.raises(QuantumServiceRequestError, match="gate 'foo' is not known"):
        client().create_job({**sent, "openQasm": "OPENQASM 3.0;\nqubit q;\nfoo q;\n"})
    parked = QbraidProvider(client=client()).get_device("qbraid_parked")
    with pytest.raises(QuantumServiceRequestError, match="is off"), within(10):
        parked.run(BELL, shots=10)
    with pytest.raises(QuantumServiceRequestError, match="errorMitigation"):
        client().create_job({**sent, "openQasm": BELL, "errorMitigation": '{"debias": true}'})


def test_jobs_are_listed_by_tags_status_and_pages(device):
    word = uuid.uuid4().hex
    ids = [device.run(BELL, shots=10, tags={"sweep": word, "k": str(k)}).id for k in range(3)]
    search = client().search_jobs
    assert [job["qbraidJobId"] for job in search({"tags.sweep": word})] == ids[::-1]
    assert [job["qbraidJobId"] for job in search({"tags.k": "1", "tags.sweep": word})] == [ids[1]]
    page = search({"tags.sweep": word, "resultsPerPage": 2, "page": 2})
    assert [job["qbraidJobId"] for job in page] == [ids[0]]
    device.run(BELL, shots=10).wait_for_final_state()
    assert {job["status"] for job in search({"status": "COMPLETED"})} == {"COMPLETED"}
    assert search({"provider": "ionq"}) == []
    by_id = client().get_job(object_id=search({"tags.k": "1", "tags.sweep": word})[0]["_id"])
    assert by_id["qbraidJobId"] == ids[1]


def test_nothing_costs_anything(device):
    assert client().user_credits_value() == 0
    assert client().estimate_cost(device.id, shots=100) == {"estimatedCredits": 0}
