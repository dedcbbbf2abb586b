"""The client of IonQ's API against a live server's dialect of v0.4."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from qwicket.clients.ionq import (
    Circuit,
    IonQAPIError,
    IonQClient,
    IonQJobTimeoutError,
    Job,
    NativeCircuit,
)
from support.held import held_job
from support.server import LiveServer

BELL = Circuit(2).h(0).cnot(0, 1)


@pytest.fixture
def client(server: LiveServer) -> Iterator[IonQClient]:
    with IonQClient(server.token(), f"{server.url}/ionq/v0.4") as client:
        yield client


def probabilities(client: IonQClient, job: Any) -> dict[str, float]:
    job_id = client.submit_job(job)["id"]
    assert client.wait(job_id, timeout=60)["status"] == "completed"
    found: dict[str, float] = client.get_results(job_id)
    return found


def test_a_bell_pair_there_and_back(client: IonQClient) -> None:
    job = Job(circuit=BELL, shots=200, name="Bell", metadata={"who": "ada\x1f0"})
    submitted = client.submit_job(job)
    assert submitted["status"] in {"submitted", "ready"}
    body = client.wait(submitted["id"], timeout=60)
    assert (body["status"], body["name"], body["shots"]) == ("completed", "Bell", 200)
    assert body["metadata"] == {"who": "ada\x1f0"}
    assert client.get_results(body["id"]) == pytest.approx({"0": 0.5, "3": 0.5})


def test_a_result_is_read_at_the_address_in_the_job(client: IonQClient) -> None:
    body = client.wait(client.submit_job(BELL)["id"], timeout=60)
    address = body["results"]["probabilities"]["url"]
    assert address == f"/v0.4/jobs/{body['id']}/results/probabilities"
    assert client.get_results(address) == client.get_results(body["id"])


def test_a_job_is_found_again_from_another_process(client: IonQClient, server: LiveServer) -> None:
    job_id = client.submit_job(BELL)["id"]
    with IonQClient(server.token(), f"{server.url}/ionq/v0.4") as other:
        assert other.wait(job_id, timeout=60)["status"] == "completed"


def test_jobs_are_listed_beyond_a_page_that_the_filter_leaves_empty(server: LiveServer) -> None:
    client = IonQClient(server.token("lister"), f"{server.url}/ionq/v0.4")
    old = client.submit_job(Job(circuit=BELL, backend="simulator"))["id"]
    for _ in range(3):
        client.submit_job(Job(circuit=BELL, backend="qpu.aria-1"))
    query = {"target": "simulator,qpu.forte-1", "limit": 2}
    first = client.list_page(**query)
    assert (first["jobs"], bool(first["next"])) == ([], True)
    assert [job["id"] for job in client.list_jobs(**query)] == [old]


def test_the_dialect_at_the_root_is_the_same(server: LiveServer) -> None:
    with IonQClient(server.token(), f"{server.url}/v0.4") as client:
        assert set(probabilities(client, BELL)) == {"0", "3"}


def test_a_plain_dict_is_a_job(client: IonQClient) -> None:
    body = {
        "type": "ionq.circuit.v1",
        "backend": "simulator",
        "shots": 10,
        "input": {"qubits": 1, "circuit": [{"gate": "x", "target": 0}]},
    }
    assert probabilities(client, body) == pytest.approx({"1": 1.0})


# Each is an inverse pair, or an identity of gates, that leaves |0...0>: no number is ours.
IDENTITIES: dict[str, Circuit] = {
    "s·si": Circuit(1).h(0).s(0).si(0).h(0),
    "t·ti": Circuit(1).h(0).t(0).ti(0).h(0),
    "v·vi": Circuit(1).v(0).vi(0),
    "v² = x": Circuit(1).v(0).v(0).x(0),
    "s = phase(π/2)": Circuit(1).h(0).s(0).phase(0, -1.5707963267948966).h(0),
    "rx(θ)·rx(-θ)": Circuit(1).rx(0, 0.7).rx(0, -0.7),
    "ry(θ)·ry(-θ)": Circuit(1).ry(0, 0.7).ry(0, -0.7),
    "rz(θ)·rz(-θ)": Circuit(1).h(0).rz(0, 0.7).rz(0, -0.7).h(0),
    "y = i·x·z": Circuit(1).h(0).y(0).x(0).z(0).h(0),
    "swap": Circuit(2).x(0).swap(0, 1).x(1),
    "xx(θ)·xx(-θ)": Circuit(2).xx(0, 1, 0.7).xx(0, 1, -0.7),
    "yy(θ)·yy(-θ)": Circuit(2).yy(0, 1, 0.7).yy(0, 1, -0.7),
    "zz(θ)·zz(-θ)": Circuit(2).h(0).h(1).zz(0, 1, 0.7).zz(0, 1, -0.7).h(0).h(1),
    "xx(θ) = pauliexp": Circuit(2).xx(0, 1, 0.6).pauliexp([0, 1], ["XX"], [-0.5], time=0.6),
}


@pytest.mark.parametrize("name", IDENTITIES)
def test_the_gates_that_the_builder_writes_are_the_gates_that_it_names(
    name: str, client: IonQClient
) -> None:
    assert probabilities(client, IDENTITIES[name]) == pytest.approx({"0": 1.0}, abs=1e-9)


def test_native_gates_are_taken_in_turns(client: IonQClient) -> None:
    # gpi2(0.25) is R_Y(π/2), and two of them are a full flip up to phase.
    flip = NativeCircuit(2).gpi2(0, 0.25).gpi2(0, 0.25)
    assert probabilities(client, flip) == pytest.approx({"1": 1.0})
    assert probabilities(client, NativeCircuit(2).ms(0, 1, (0, 0))) == pytest.approx(
        {"0": 0.5, "3": 0.5}
    )


def test_a_noisy_simulation_repeats_with_its_seed(client: IonQClient) -> None:
    job = Job(circuit=BELL, shots=500, noise="aria-1", seed=7)
    assert probabilities(client, job) == probabilities(client, job)


def test_a_wait_that_is_over_leaves_the_job_running_until_it_is_cancelled(
    client: IonQClient,
) -> None:
    job_id = client.submit_job(
        {"type": "ionq.circuit.v1", "backend": "simulator", "input": held_job().program}
    )["id"]
    with pytest.raises(IonQJobTimeoutError, match=job_id):
        client.wait(job_id, timeout=0.2)
    client.cancel_job(job_id)
    assert client.wait(job_id, timeout=30)["status"] == "canceled"
    with pytest.raises(IonQAPIError) as caught:
        client.get_results(job_id)
    assert caught.value.status_code == 404


def test_backends_and_calibrations_need_no_key(server: LiveServer) -> None:
    with IonQClient("", f"{server.url}/ionq/v0.4") as client:
        names = [backend["backend"] for backend in client.list_backends()]
        assert {"simulator", "qpu.aria-1"} <= set(names)
        (found,) = client.list_calibrations("qpu.aria-1", limit=1)
        assert (found["backend"], found["qubits"]) == ("qpu.aria-1", 25)
        assert client.get_calibration_data("ionq_qpu.aria-1") == found
        assert client.get_calibration_data("qpu") == found
        assert client.get_calibration_data("simulator") == {}


def test_calibrations_are_one_type_in_both_versions(server: LiveServer) -> None:
    with IonQClient(server.token("ionq"), f"{server.url}/ionq/v0.3") as client:
        assert client.get_calibration_data("qpu")["backend"] == "qpu.aria-1"
        assert client.get_calibration_data("simulator") == {}
        with pytest.raises(IonQAPIError):
            client.get_calibration_data("qpu.none")


def test_a_wrong_key_is_refused_and_not_quoted(server: LiveServer) -> None:
    wrong = "qw_" + "w" * 43
    with (
        IonQClient(wrong, f"{server.url}/ionq/v0.4") as client,
        pytest.raises(IonQAPIError) as caught,
    ):
        client.submit_job(BELL)
    assert caught.value.status_code == 401
    assert wrong not in f"{caught.value} {vars(caught.value)}"


@pytest.mark.parametrize("job_id", ["nothing", "0198f3a0-0000-7000-8000-000000000000"])
def test_an_unknown_job_is_a_404(client: IonQClient, job_id: str) -> None:
    for ask in (client.retrieve_job, client.cancel_job, client.get_results):
        with pytest.raises(IonQAPIError) as caught:
            ask(job_id)
        assert caught.value.status_code == 404


@pytest.mark.parametrize(
    ("job", "named"),
    [
        (Job(circuit=Circuit(1).gate("nosuch", 0)), "nosuch"),
        (Job(circuit=BELL, backend="nowhere"), "nowhere"),
        (Job(circuit=BELL, shots=0), "shots"),
        (Job(circuit=Circuit(3000).h(0)), "qubits"),
    ],
)
def test_a_refusal_names_what_is_wrong(client: IonQClient, job: Job, named: str) -> None:
    with pytest.raises(IonQAPIError, match=named) as caught:
        client.submit_job(job)
    assert caught.value.status_code in {400, 404}
