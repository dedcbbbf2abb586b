"""qbraid 0.13.0 with qbraid-core 0.6.37, unmodified, speaking the current generation."""

import json
import math
import os
import urllib.request
import uuid

import numpy as np
import pytest

os.environ["DISABLE_CACHE"] = "1"  # the client's own, of devices

from qbraid.runtime import (
    DeviceStatus,
    GroupJobSession,
    JobStateError,
    JobStatus,
    QbraidProvider,
    ResourceNotFoundError,
)
from qbraid_core.services.runtime import QuantumRuntimeClient, QuantumRuntimeServiceRequestError
from qbraid_core.sessions import QbraidSessionV1

from support.held import held_job
from support.vendors import bound, distance, within

URL = os.environ["QWICKET_URL"] + "/qbraid/api/v1"
TOKEN = os.environ["QWICKET_TOKEN"]
OTHER_TOKEN = os.environ["QWICKET_OTHER_TOKEN"]
STATEVECTOR = "qbraid:qbraid:sim:statevector"
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
    return QuantumRuntimeClient(session=QbraidSessionV1(api_key=token, base_url=URL))


def provider(token=TOKEN):
    return QbraidProvider(client=client(token))


@pytest.fixture(scope="module")
def device():
    return provider().get_device(STATEVECTOR)


def test_the_key_is_verified_before_anything_else():
    found = client().session.get("/users/verify").json()
    assert found["success"] is True
    assert found["data"]["userName"] == "vendor"


def test_a_wrong_key_is_refused():
    from qbraid_core.exceptions import AuthError

    with pytest.raises((AuthError, ResourceNotFoundError)), within():
        provider("qw_wrong").get_devices()


def test_devices_are_listed_with_their_status():
    found = {each.id: each for each in provider().get_devices()}
    assert {STATEVECTOR, "qbraid:qbraid:sim:parked"} <= set(found)
    assert found[STATEVECTOR].status() is DeviceStatus.ONLINE
    assert found["qbraid:qbraid:sim:parked"].status() is DeviceStatus.OFFLINE
    assert found[STATEVECTOR].queue_depth() >= 0
    assert found[STATEVECTOR].profile.batch_job_support is True
    assert found[STATEVECTOR].profile.num_qubits >= 20


def test_an_unknown_device_is_not_found():
    with pytest.raises(ResourceNotFoundError):
        provider().get_device("qbraid:qbraid:sim:nothing")


def test_a_bell_pair_in_text_comes_back(device):
    job = device.run(BELL, shots=1_000, name="bell")
    result = job.result()
    counts = result.data.get_counts()
    assert sum(counts.values()) == 1_000
    assert distance({key: n / 1_000 for key, n in counts.items()}, FAIR) < bound(FAIR, 1_000)
    assert job.status() is JobStatus.COMPLETED
    assert result.success is True
    assert result.details["cost"] == 0
    times = result.details["time_stamps"]
    assert times.endedAt >= times.createdAt


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
    options = {"memory": True, "seed": 5}
    first, second = (
        device.run(BELL, shots=20, runtime_options=dict(options)).result().data for _ in "ab"
    )
    rows = ["".join(map(str, row)) for row in first.measurements]
    assert {key: rows.count(key) for key in set(rows)} == first.get_counts()
    assert np.array_equal(first.measurements, second.measurements)


def test_an_ionq_circuit_runs(device):
    from qbraid_core.services.runtime.schemas import Program

    circuit = {"qubits": 2, "circuit": [{"gate": "x", "target": 1}]}
    job = device.submit(Program(format="ionq.circuit.v0", data=json.dumps(circuit)), shots=5)
    assert job.result().data.get_counts() == {"10": 5}
    assert job.program().data == json.dumps(circuit)


def test_a_batch_is_one_job_of_several_programs(device):
    ones = BELL.replace("h q[0];\ncx q[0], q[1];", "x q[0];\nx q[1];")
    job = device.run([BELL, ones], shots=50, as_batch=True)
    result = job.result()
    assert job.metadata()["numCircuits"] == 2
    assert [program.format for program in job.program()] == ["qasm3", "qasm3"]
    assert [sum(each.data.get_counts().values()) for each in result.results] == [50, 50]
    assert result.results[1].data.get_counts() == {"11": 50}
    assert result.success is True


def test_a_batch_of_one_is_a_batch(device):
    result = device.run([BELL], shots=10, as_batch=True).result()
    assert len(result.results) == 1


def test_several_programs_are_several_jobs_otherwise(device):
    jobs = device.run([BELL, BELL], shots=10)
    assert len({job.id for job in jobs}) == 2
    assert all(sum(job.result().data.get_counts().values()) == 10 for job in jobs)


def test_the_program_comes_back_as_it_was_sent(device):
    job = device.run(BELL, shots=10)
    assert job.program().format == "qasm3"
    assert 'include "stdgates.inc";' in job.program().data
    job.wait_for_final_state()
    assert job.compiled_program() is None


def test_a_twin_gives_its_compiled_program():
    job = provider().get_device("qbraid:qbraid:sim:qpu.forte-1").run(BELL, shots=10)
    job.wait_for_final_state()
    program = job.compiled_program()
    assert program.format == "ionq.circuit.v0"
    gates = json.loads(program.data)["circuit"]
    assert "zz" in {gate["gate"] for gate in gates}


def test_a_running_job_is_cancelled(device):
    job = device.run(held_job().openqasm, shots=10)
    job.cancel()
    job.wait_for_final_state(timeout=30, poll_interval=1)
    assert job.status() is JobStatus.CANCELLED
    with pytest.raises(JobStateError):
        job.cancel()
    assert job.result().success is False


def test_a_job_is_deleted(device):
    job = device.run(BELL, shots=10)
    job.wait_for_final_state(poll_interval=1)
    job.client.delete_job(job.id)
    with pytest.raises(QuantumRuntimeServiceRequestError):
        job.client.get_job(job.id)
    several = device.run([BELL, BELL], shots=10)
    for each in several:
        each.wait_for_final_state(poll_interval=1)
    job.client.delete_jobs([each.id for each in several])
    for each in several:
        with pytest.raises(QuantumRuntimeServiceRequestError):
            job.client.get_job(each.id)


def test_a_foreign_job_is_not_found(device):
    job = device.run(BELL, shots=10)
    with pytest.raises(QuantumRuntimeServiceRequestError, match="no such job"):
        client(OTHER_TOKEN).get_job(job.id)
    with pytest.raises(QuantumRuntimeServiceRequestError, match="no such job"):
        client(OTHER_TOKEN).cancel_job(job.id)


def test_a_refused_program_says_why(device):
    from qbraid_core.services.runtime.schemas import Program

    with pytest.raises(QuantumRuntimeServiceRequestError, match="gate 'foo' is not known"):
        device.submit(Program(format="qasm3", data="OPENQASM 3.0;\nqubit q;\nfoo q;\n"), shots=1)
    with pytest.raises(QuantumRuntimeServiceRequestError, match="quil"):
        device.submit(Program(format="quil", data="H 0"), shots=1)


def test_a_device_that_is_off_refuses_at_once():
    parked = provider().get_device("qbraid:qbraid:sim:parked")
    with pytest.raises(QuantumRuntimeServiceRequestError, match="is off"), within(10):
        parked.run(BELL, shots=10)


def test_jobs_are_listed_by_tags_status_text_and_pages(device):
    word = uuid.uuid4().hex
    mark = device.run(BELL, shots=10, tags={"sweep": word, "k": 0, "ok": True}).id
    ids = [
        device.run(BELL, shots=10, tags={"sweep": word, "k": k}, name=f"Nebula {k} {word}").id
        for k in (1, 2)
    ]
    list_jobs = device.client.list_jobs
    assert [job.jobQrn for job in list_jobs(tags={"sweep": word})] == [ids[1], ids[0], mark]
    assert [job.jobQrn for job in list_jobs(tags={"sweep": word, "k": 1})] == [ids[0]]
    assert [job.jobQrn for job in list_jobs(tags={"sweep": word, "ok": True})] == [mark]
    assert [job.jobQrn for job in list_jobs(search=f"NEBULA 2 {word}")] == [ids[1]]
    assert list_jobs(tags={"sweep": word}, page=2, limit=2)[0].jobQrn == mark
    assert list_jobs(vendor="aws") == []
    assert all(job.status == JobStatus.COMPLETED for job in list_jobs(status="COMPLETED"))
    found = device.client.list_platform_jobs_paginated(tags={"sweep": word}, page=1, limit=2)
    assert [job.jobQrn for job in found.data] == [ids[1], ids[0]]
    pages = found.pagination
    assert (pages.total, pages.totalPages, pages.hasNext, pages.hasPrev) == (3, 2, True, False)


def test_statuses_costs_and_providers_are_listed(device):
    assert device.client.get_job_statuses()["COMPLETED"] >= 1
    assert device.client.estimate_cost(STATEVECTOR, shots=100).estimatedCost == 0
    assert STATEVECTOR in device.client.list_providers()[0].devices
    platform = {each.qrn: each for each in device.client.list_platform_devices()}
    assert platform[STATEVECTOR].vrn == "statevector"


def test_a_group_collects_its_jobs(device):
    with GroupJobSession(name="sweep", client=device.client, tags={"a": 1}, max_ttl=60) as group:
        jobs = [device.run(BELL, shots=10) for _ in range(2)]
    results = group.results(timeout=60)
    assert set(results.results) == {job.id for job in jobs}
    assert len(results.successful()) == 2
    found = device.client.get_group(group.group_id)
    assert (found.status.value, found.jobCount, found.completedCount) == ("COMPLETED", 2, 2)
    assert found.tags == {"a": 1}
    listed = device.client.get_group_jobs(group.group_id)
    assert {job.jobQrn for job in listed} == {job.id for job in jobs}
    assert group.group_id in [each.groupJobQrn for each in device.client.list_groups()]


def test_a_closed_group_takes_no_more_and_a_cancelled_one_says_so(device):
    from qbraid_core.services.runtime.schemas import JobRequest, Program

    group = device.client.create_group(name="short", max_ttl=60)
    assert group.status.value == "OPEN"
    assert device.client.close_group(group.groupJobQrn).status.value == "COMPLETED"
    request = JobRequest(
        deviceQrn=STATEVECTOR,
        shots=1,
        groupJobQrn=group.groupJobQrn,
        program=Program(format="qasm3", data=BELL),
    )
    with pytest.raises(QuantumRuntimeServiceRequestError, match="group is closed"):
        device.client.create_job(request)
    other = device.client.create_group()
    assert device.client.cancel_group(other.groupJobQrn).status.value == "CANCELLED"
    device.client.delete_group(other.groupJobQrn)
    device.client.delete_group(other.groupJobQrn)
    with pytest.raises(QuantumRuntimeServiceRequestError):
        device.client.get_group(other.groupJobQrn)


def test_a_twin_shows_its_calibration_and_is_noisy():
    twin = provider().get_device("qbraid:qbraid:sim:qpu.aria-1")
    found = twin.get_calibrations()
    assert found.qubits["0"].t1 == 100.0
    assert twin.best_qubits(3) == (0, 1, 2)
    assert twin.coupling_map is not None
    gates = "cx q[0], q[1];\n" * 200
    source = BELL.replace("h q[0];\ncx q[0], q[1];\n", gates)
    counts = twin.run(source, shots=2_000).result().data.get_counts()
    assert counts["00"] < 2_000
    assert provider().get_device(STATEVECTOR).get_calibrations() is None


def test_rydberg_atoms_block_each_other():
    """A pi pulse of two atoms that block each other excites one, √2 times as fast."""
    from braket.ahs import AnalogHamiltonianSimulation, AtomArrangement, DrivingField
    from braket.timings import TimeSeries

    omega, far = 2 * math.pi * 1e6, 30e-6
    time = math.pi / omega

    def program(distance, seconds):
        register = AtomArrangement()
        register.add((0.0, 0.0))
        register.add((distance, 0.0))

        def series(value):
            return TimeSeries().put(0.0, value).put(seconds, value)

        drive = DrivingField(amplitude=series(omega), phase=series(0.0), detuning=series(0.0))
        return AnalogHamiltonianSimulation(register=register, hamiltonian=drive)

    device = provider().get_device("qbraid:qbraid:sim:rydberg")
    counts = device.run(program(far, time), shots=200).result().data.get_counts()
    assert counts == {"rr": 200}
    near = device.run(program(3e-6, time / math.sqrt(2)), shots=2_000).result().data
    assert set(near.get_counts()) == {"rg", "gr"}
    assert near.measurements[0].pre_sequence.tolist() == [1, 1]
    assert sum(near.measurements[0].post_sequence) == 1


def test_a_repeated_post_with_its_key_is_one_job():
    body = {"deviceQrn": STATEVECTOR, "shots": 1, "program": {"format": "qasm3", "data": BELL}}
    ids, key = set(), str(uuid.uuid4())
    for _ in range(2):
        request = urllib.request.Request(
            URL + "/jobs",
            data=json.dumps(body).encode(),
            headers={"X-API-Key": TOKEN, "Idempotency-Key": key},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            ids.add(json.load(answer)["data"]["jobQrn"])
    assert len(ids) == 1
