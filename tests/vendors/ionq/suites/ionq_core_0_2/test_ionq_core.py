"""ionq-core 0.2.0, IonQ's own client, unmodified, speaking v0.4, in an environment of its own.

It parses every answer strictly: a key too few and it raises.
"""

import json
import math
import os
import subprocess
import sys
import warnings

import ionq_core as ic
import numpy as np
import pytest
from ionq_core.api.backends import get_backend, get_backends
from ionq_core.api.characterizations import (
    get_characterization,
    get_characterizations_for_backend,
)
from ionq_core.api.default import (
    cancel_job,
    cancel_jobs,
    clone_job,
    create_job,
    delete_job,
    delete_jobs,
    estimate_job_cost,
    get_job,
    get_job_artifact,
    get_job_cost,
    get_job_probabilities,
    get_session,
    get_sessions,
)
from ionq_core.api.whoami import get_whoami
from ionq_core.models.circuit_job_creation_payload import CircuitJobCreationPayload
from ionq_core.models.clone_job_payload import CloneJobPayload
from ionq_core.models.jobs_bulk_operation_request import JobsBulkOperationRequest
from ionq_core.models.json_multi_circuit_job import JSONMultiCircuitJob

from support.held import held_job
from support.vendors import bound, distance, within

URL = os.environ["QWICKET_URL"] + "/ionq/v0.4"
TOKEN = os.environ["QWICKET_TOKEN"]
BELL = [{"gate": "h", "target": 0}, {"gate": "cnot", "control": 0, "target": 1}]


def make(token=TOKEN):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it would rather have https
        return ic.IonQClient(api_key=token, base_url=URL)


@pytest.fixture(scope="module")
def client():
    return make()


def payload(circuit=BELL, qubits=2, gateset="qis", **fields):
    body = {
        "type": "ionq.circuit.v1",
        "backend": "simulator",
        "shots": 1000,
        "input": {"gateset": gateset, "qubits": qubits, "circuit": circuit},
    }
    return CircuitJobCreationPayload.from_dict({**body, **fields})


def held():
    """Return a job that runs until it is cancelled."""
    return payload(held_job().program["circuit"], 24)


def multi(*circuits, qubits=2):
    return JSONMultiCircuitJob.from_dict(
        {
            "type": "ionq.multi-circuit.v1",
            "backend": "simulator",
            "shots": 100,
            "input": {"gateset": "qis", "qubits": qubits, "circuits": list(circuits)},
        }
    )


def submit(client, body=None):
    return create_job.sync(client=client, body=body or payload()).id


def done(client, body=None):
    return ic.wait_for_job(client, submit(client, body), timeout=60, poll_interval=0.05)


def probabilities(client, body):
    found = get_job_probabilities.sync(uuid=done(client, body).id, client=client)
    return found.to_dict()


def test_backends_and_characterizations_are_parsed(client):
    rows = {row.backend: row for row in get_backends.sync(client=client)}
    assert list(rows) == ["simulator", "qpu.aria-1", "qpu.forte-1"]
    one = get_backend.sync("qpu.forte-1", client=client)
    assert (one.qubits, one.supported_native_gates) == (36, ["gpi", "gpi2", "zz"])
    assert one.supported_error_mitigations == ["debiasing"]
    found = get_characterizations_for_backend.sync("qpu.forte-1", client=client)
    (newest,) = found.characterizations
    again = get_characterization.sync("qpu.forte-1", newest.id, client=client)
    assert again.fidelity.to_dict() == newest.fidelity.to_dict()


def test_a_bell_pair_comes_back(client):
    assert probabilities(client, payload()) == {"0": 0.5, "3": 0.5}


def test_a_job_is_parsed_as_what_it_is(client):
    job = done(client, payload(name="bell", metadata={"a": "b"}))
    assert type(job).__name__ == "SingleCircuitJob"
    assert (job.name, job.metadata.to_dict()) == ("bell", {"a": "b"})
    assert job.stats.to_dict() == {"qubits": 2, "circuits": 1, "gate_counts": {"1q": 1, "2q": 1}}
    assert get_job_cost.sync(uuid=job.id, client=client).cost.value == 0


def test_an_artifact_is_fetched_by_its_id(client):
    job = done(client)
    descriptor = job.results.additional_properties["ionq.result.shots.json.v2"]
    answer = get_job_artifact.sync_detailed(job.id, descriptor.id, client=client)
    assert answer.status_code == 200
    shots = json.loads(answer.content)["shots"]
    assert len(shots) == 1000
    assert {tuple(shot["registers"]["output_all"]) for shot in shots} == {(0, 0), (1, 1)}


def test_a_compiled_circuit_is_fetched_by_its_id(client):
    job = done(client)
    circuits = job.to_dict()["output"]["compilation"]["compiled_circuits"]
    id_text = circuits["ionq.native.v1"]["id"]
    answer = get_job_artifact.sync_detailed(job.id, id_text, client=client)
    assert answer.status_code == 200
    assert json.loads(answer.content).keys() == {"qubits", "circuit"}


def test_native_gates_agree_with_the_clients_matrices(client):
    circuit = [
        {"gate": "gpi2", "target": 0, "phase": 0.1},
        {"gate": "gpi", "target": 1, "phase": 0.3},
        {"gate": "ms", "targets": [0, 1], "phases": [0.1, 0.2], "angle": 0.15},
        {"gate": "zz", "targets": [0, 1], "angle": 0.2},
        {"gate": "gpi2", "target": 1, "phase": 0.4},
    ]
    eye = np.eye(2)
    gpi, gpi2 = (lambda p: np.array(ic.gpi_matrix(p))), (lambda p: np.array(ic.gpi2_matrix(p)))
    state = np.kron(gpi2(0.1), gpi(0.3))[:, 0]
    state = np.array(ic.zz_matrix(0.2)) @ np.array(ic.ms_matrix(0.1, 0.2, 0.15)) @ state
    state = np.kron(eye, gpi2(0.4)) @ state
    # Its matrices are big-endian, results are little-endian.
    expected = {str(int(f"{n:02b}"[::-1], 2)): abs(a) ** 2 for n, a in enumerate(state)}
    found = probabilities(client, payload(circuit, gateset="native"))
    assert distance(found, expected) < 1e-9
    on_twin = payload(circuit[:3], gateset="native", backend="qpu.aria-1", shots=2000)
    exact = probabilities(client, payload(circuit[:3], gateset="native"))
    assert distance(probabilities(client, on_twin), exact) < bound(exact, 2000) + 0.02


def rotated(theta):
    """Return a circuit of one parameter."""
    return [{"gate": "ry", "target": 0, "rotation": theta}, *BELL[1:]]


def test_a_parametrised_circuit_follows_its_angle(client):
    for theta in (0.3, 1.1, 2.9):
        found = probabilities(client, payload(rotated(theta)))
        assert found["3"] == pytest.approx(math.sin(theta / 2) ** 2, abs=1e-9)


def unitary(gate):
    """Return the matrix of a gate of one qubit."""
    theta = gate.get("rotation", 0) / 2
    c, s = math.cos(theta), math.sin(theta)
    return np.array(
        {
            "h": [[math.sqrt(0.5), math.sqrt(0.5)], [math.sqrt(0.5), -math.sqrt(0.5)]],
            "t": [[1, 0], [0, np.exp(0.25j * math.pi)]],
            "rx": [[c, -1j * s], [-1j * s, c]],
            "ry": [[c, -s], [s, c]],
            "rz": [[c - 1j * s, 0], [0, c + 1j * s]],
        }[gate["gate"]]
    )


def probabilities_of(circuit, qubits):
    """Run a circuit on a state vector; qubit 0 is the lowest bit of a key."""
    state = np.zeros(1 << qubits, complex)
    state[0] = 1
    keys = np.arange(1 << qubits)
    for gate in circuit:
        bit = 1 << gate["target"]
        if gate["gate"] == "cnot":
            turned = (keys >> gate["control"] & 1) == 1
            state = np.where(turned, state[keys ^ bit], state)
        else:
            matrix, row = unitary(gate), keys >> gate["target"] & 1
            state = matrix[row, 0] * state[keys & ~bit] + matrix[row, 1] * state[keys | bit]
    return {str(key): abs(amplitude) ** 2 for key, amplitude in enumerate(state)}


@pytest.mark.parametrize("seed", range(3))
def test_random_circuits_agree_with_a_state_vector(client, seed):
    rng, qubits = np.random.default_rng(seed), 8
    circuit = []
    for _ in range(40):
        a, b = rng.choice(qubits, 2, replace=False).tolist()
        circuit += [
            {
                "gate": str(rng.choice(["rx", "ry", "rz"])),
                "target": a,
                "rotation": rng.uniform(0, 6),
            },
            {"gate": str(rng.choice(["h", "t"])), "target": b},
            {"gate": "cnot", "control": a, "target": b},
        ]
    expected = probabilities_of(circuit, qubits)
    found = probabilities(client, payload(circuit, qubits=qubits))
    assert distance(found, expected) < 1e-9
    noisy = payload(circuit, qubits=qubits, shots=4000, noise={"model": "aria-1", "seed": seed})
    counts = probabilities(client, noisy)
    # 40 gates on two qubits with 1.33 % and 80 on one with 0.05 % disturb 44 % of the runs at most.
    assert distance(counts, expected) < bound(expected, 4000) + 0.44
    assert counts != found


def test_several_circuits_are_one_job_with_children(client):
    one, two = ({"circuit": [{"gate": "x", "target": q}], "name": f"x{q}"} for q in (0, 1))
    job = done(client, multi(one, two))
    assert type(job).__name__ == "MultiCircuitJob"
    for number, child in enumerate(job.child_job_ids):
        part = get_job.sync(child, client=client)
        assert (part.parent_job_id, part.name, part.status) == (job.id, f"x{number}", "completed")
        found = get_job_probabilities.sync(uuid=child, client=client).to_dict()
        assert found == {str(1 << number): 1.0}


def test_results_by_id_from_a_fresh_process(client):
    job = done(client).id
    script = f"""
import ionq_core as ic
from ionq_core.api.default import get_job_probabilities
client = ic.IonQClient(api_key={TOKEN!r}, base_url={URL!r})
print(get_job_probabilities.sync(uuid={job!r}, client=client).to_dict())
"""
    done_ = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=60
    )
    assert done_.stdout.strip() == "{'0': 0.5, '3': 0.5}", done_.stderr


def test_jobs_are_paged_through(client):
    ids = [submit(client) for _ in range(5)]
    with within():
        found = [job.id for job in ic.iter_jobs(client, limit=2)]
    assert found[:5] == ids[::-1]
    assert not list(ic.iter_jobs(client, status="failed"))


def test_a_job_is_cancelled_deleted_and_cloned(client):
    job = submit(client, held())
    assert cancel_job.sync(job, client=client).status == "canceled"
    with within():
        ended = ic.wait_for_job(client, job, timeout=60, poll_interval=0.05)
    assert (ended.status, ended.results) == ("canceled", None)
    assert delete_job.sync(job, client=client).status == "deleted"
    with within(), pytest.raises(ic.NotFoundError):
        get_job.sync(job, client=client)
    first = done(client, payload(name="first", metadata={"k": "v"})).id
    body = CloneJobPayload(name="second", shots=7)
    again = clone_job.sync(first, client=client, body=body).id
    job = ic.wait_for_job(client, again, timeout=60, poll_interval=0.05)
    assert (job.name, job.shots, job.metadata.to_dict()) == ("second", 7, {"k": "v"})
    assert get_job_probabilities.sync(uuid=again, client=client).to_dict() == {"0": 0.5, "3": 0.5}


def test_many_jobs_are_cancelled_and_deleted_at_once(client):
    ids = [submit(client, held()) for _ in range(4)]
    body = JobsBulkOperationRequest(ids=ids)
    found = cancel_jobs.sync(client=client, body=body)
    assert (found.ids, found.status) == (ids, "canceled")
    assert {get_job.sync(job, client=client).status for job in ids} == {"canceled"}
    assert delete_jobs.sync(client=client, body=body).status == "deleted"
    with within(), pytest.raises(ic.NotFoundError):
        delete_jobs.sync(client=client, body=body)


def test_an_estimate_and_who_one_is(client):
    found = estimate_job_cost.sync(
        client=client, backend="qpu.aria-1", field_1q_gates=10, field_2q_gates=5, qubits=4
    )
    assert (found.estimated_total_cost, found.estimated_unit) == (0, "usd")
    assert found.estimated_execution_time >= 0
    assert get_whoami.sync(client=client).key_name == "vendor"


def test_a_session_limits_its_jobs_and_ends(client):
    with ic.SessionManager(client, "simulator", max_jobs=2, max_time=5, max_cost=1) as session:
        assert session.status() == "created"
        jobs = [done(client, payload(session_id=session.session_id)) for _ in range(2)]
        assert {job.session_id for job in jobs} == {session.session_id}
        assert session.status() == "started"
        with within(), pytest.raises(ic.BadRequestError, match="session_id"):
            submit(client, payload(session_id=session.session_id))
        listed = [job.id for job in ic.iter_session_jobs(client, session.session_id)]
        assert listed == [job.id for job in jobs[::-1]]
    found = get_session.sync(session_id=session.session_id, client=client)
    assert (found.status, found.active) == ("ended", False)
    assert found.settings.cost_limit.value == 1
    assert session.session_id in [each.id for each in get_sessions.sync(client=client).sessions]
    with within(), pytest.raises(ic.BadRequestError, match="closed"):
        submit(client, payload(session_id=session.session_id))


def test_a_dry_run_is_completed_without_results(client):
    job = done(client, payload(dry_run=True))
    assert (job.dry_run, job.results) == (True, None)


def test_refusals_end_at_once(client):
    with within(), pytest.raises(ic.AuthenticationError):
        submit(make("qw_wrong"))
    with within(), pytest.raises(ic.NotFoundError):
        get_job.sync("0d7c2f5e-1111-4222-8333-444455556666", client=client)
    with within(), pytest.raises(ic.NotFoundError):
        get_job.sync(submit(client), client=make(os.environ["QWICKET_OTHER_TOKEN"]))
    for word, body in {
        "backend": payload(backend="qpu.none"),
        "shots": payload(shots=0),
        "debias_shots": payload(settings={"error_mitigation": {"debiasing": True}}, shots=499),
        "rotation": payload([{"gate": "rx", "target": 0}]),
        "qubits": payload(qubits=40),
    }.items():
        with within(), pytest.raises(ic.BadRequestError, match=word):
            submit(client, body)
