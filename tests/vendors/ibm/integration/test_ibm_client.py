"""Our client of IBM's API against a live server: the whole way, and what goes wrong."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator, Mapping

import pytest

from qwicket.clients.http import RetryPolicy
from qwicket.clients.ibm_qx import (
    IBMQXAPIError,
    IBMQXClient,
    IBMQXClientError,
    IBMQXJobError,
    IBMQXTimeoutError,
)
from support.held import held_job
from support.ibm import BELL, CX, DIALECT, SIMULATOR, TWIN, H, experiment, held_qobj, measure, qobj
from support.server import LiveServer

SCOPE = {"hub": "qwicket", "group": "open", "project": "client"}


@pytest.fixture(scope="module", params=[False, True], ids=["account", "project"])
def client(server: LiveServer, request: pytest.FixtureRequest) -> Iterator[IBMQXClient]:
    scope = SCOPE if request.param else {}
    with IBMQXClient(server.token("client"), url=server.url + DIALECT, **scope) as made:
        yield made


def test_account_network_and_devices(client: IBMQXClient) -> None:
    assert client.me().username == "client"
    assert client.me()["username"] == "client"
    (hub,) = client.network()
    assert "client" in hub["groups"]["open"]["projects"]
    names = [device.name for device in client.backends()]
    assert names == [SIMULATOR, TWIN, "qwicket_heavyhex27"]
    simulator, line, _ = client.backends()
    assert (simulator.is_simulator, simulator.coupling_map) == (True, None)
    assert line.coupling_map is not None
    assert (line.n_qubits, line.coupling_map[0]) == (5, [0, 1])
    assert "u3" in line.basis_gates
    assert line.max_shots >= 8192
    assert client.properties(TWIN)["backend_name"] == TWIN
    assert client.properties(SIMULATOR) == {}
    assert client.defaults(TWIN) == {}
    assert client.queue_status(TWIN).is_on
    assert client.queue_status(TWIN).length >= 0


def test_a_job_from_submission_to_result(client: IBMQXClient) -> None:
    job = client.run_qobj(qobj(memory=True), SIMULATOR, name="way", tags=["one", "two"])
    assert (job.name, job.tags, job.device, job.shots) == ("way", ["one", "two"], SIMULATOR, 100)
    done = client.wait(job.id, timeout=60)
    assert done.status == "COMPLETED"
    assert done.is_final
    assert done.created is not None
    assert done.ended is not None
    assert done.ended >= done.created
    result = client.result(job.id)
    assert result.success
    assert set(result.counts()) <= {"0x0", "0x3"}
    assert len(result.memory()) == 100
    assert isinstance(result, Mapping)
    assert client.job_properties(job.id) == {}
    assert client.job(job.id)["qObject"]["qobj_id"] == qobj()["qobj_id"]


def test_a_large_program_is_uploaded(client: IBMQXClient) -> None:
    gates = [H, H] * 30_000
    big = qobj(experiment(*gates, *measure(0), qubits=1))
    job = client.run_qobj(big, SIMULATOR, name="big")
    assert job.kind == "q-object-external-storage"
    assert client.wait(job.id, 60).status == "COMPLETED"
    assert client.result(job.id).counts() == {"0x0": 100}


def test_an_uploaded_program_that_is_refused_says_why(client: IBMQXClient) -> None:
    gates = [H] * 60_000 + [{"name": "nonsense", "qubits": [0]}]
    with pytest.raises(IBMQXJobError, match="nonsense") as refused:
        client.run_qobj(qobj(experiment(*gates, qubits=1)), SIMULATOR)
    assert refused.value.status == "ERROR_VALIDATING_JOB"
    assert pickle.loads(pickle.dumps(refused.value)).status == "ERROR_VALIDATING_JOB"


def test_a_stream_sends_each_status(client: IBMQXClient) -> None:
    job = client.run_qobj(held_qobj(held_job()), SIMULATOR)
    threading.Timer(1.5, client.cancel, [job.id]).start()
    told = [status.status for status in client.states(job.id, timeout=60)]
    assert told[-1] == "CANCELLED"
    assert "RUNNING" in told
    assert [status.status for status in client.states(job.id)] == ["CANCELLED"]
    with pytest.raises(IBMQXJobError) as none:
        client.result(job.id)
    assert none.value.status == "CANCELLED"


def test_a_wait_gives_up_in_time_and_the_job_goes_on(client: IBMQXClient) -> None:
    job = client.run_qobj(held_qobj(held_job()), SIMULATOR)
    with pytest.raises(IBMQXTimeoutError):
        client.wait(job.id, timeout=0.3)
    with pytest.raises(IBMQXJobError, match=r"QUEUED|RUNNING"):
        client.result(job.id)
    assert client.cancel(job.id)
    assert client.wait(job.id, 30).status == "CANCELLED"
    assert not client.cancel(job.id)


def test_lists_are_filtered(client: IBMQXClient) -> None:
    mark = f"mark-{'scoped' if client._scope else 'free'}"
    made = [
        client.run_qobj(qobj(), TWIN if n else SIMULATOR, name=f"{mark}-{n}", tags=[mark])
        for n in range(3)
    ]
    ids = [job.id for job in made]
    for each in ids:
        client.wait(each, 60)
    find = client.jobs
    assert [job.id for job in find(tags=mark)] == ids[::-1]
    assert [job.id for job in find(tags=mark, device=TWIN, limit=1)] == ids[:1:-1]
    assert [job.id for job in find(tags=mark, order="creationDate ASC", skip=1)] == ids[1:]
    assert [job.id for job in find(name={"regexp": f"{mark}-[02]"})] == [ids[2], ids[0]]
    assert [job.id for job in find(where={"or": [{"id": ids[1]}]}, status="COMPLETED")] == [ids[1]]
    assert find(tags=mark, status="QUEUED") == []


def test_headers_come_back_as_they_were_sent(client: IBMQXClient) -> None:
    first = experiment(H, CX, *measure(0, 1), name="first", anything={"at": ["all"]})
    job = client.run_qobj(qobj(first, BELL), SIMULATOR)
    client.wait(job.id, 60)
    result = client.result(job.id)
    assert [each["header"]["name"] for each in result["results"]] == ["first", "bell"]
    assert result["results"][0]["header"] == first["header"]
    assert result["header"] == qobj()["header"]


def test_a_password_signs_in(server: LiveServer) -> None:
    server.admin(
        *("user", "add", "mail", "--email", "mail@example.org", "--password-stdin"),
        stdin="correct horse\n",
    )
    url = server.url + DIALECT
    with IBMQXClient(email="mail@example.org", password="correct horse", url=url) as client:
        assert client.me().email == "mail@example.org"
        job = client.run_qobj(qobj(), SIMULATOR)
        assert client.wait(job.id, 60).status == "COMPLETED"
    with (
        IBMQXClient(email="mail@example.org", password="battery", url=url) as wrong,
        pytest.raises(IBMQXAPIError) as refused,
    ):
        wrong.me()
    assert refused.value.status_code == 401
    assert "battery" not in str(refused.value)


def test_refusals_contain_the_servers_text(client: IBMQXClient, server: LiveServer) -> None:
    with pytest.raises(IBMQXAPIError, match="no device") as unknown:
        client.run_qobj(qobj(), "nothing")
    assert unknown.value.status_code == 404
    with pytest.raises(IBMQXAPIError) as absent:
        client.job("0197a0b0-0000-7000-8000-000000000000")
    assert (absent.value.code, absent.value.name) == (3250, "JOB_NOT_FOUND")
    with pytest.raises(IBMQXAPIError, match="config is missing") as bad:
        client.run_qobj({"qobj_id": "x"}, SIMULATOR)
    assert bad.value.status_code == 400
    with pytest.raises(IBMQXClientError):
        client.job("..")
    with pytest.raises(IBMQXClientError):
        IBMQXClient("t", email="a", password="b", url=server.url)
    with pytest.raises(IBMQXClientError):
        IBMQXClient("t", url=server.url, hub="qwicket")


def test_an_access_token_that_is_refused_is_renewed_once(server: LiveServer) -> None:
    with IBMQXClient(server.token("client"), url=server.url + DIALECT) as client:
        client.retry_policy = RetryPolicy(max_attempts=1)
        client._access_token = "not.a.token"
        assert client.me().username == "client"
        assert client._access_token != "not.a.token"
