"""What the classic Runtime dialect promises beside its document: scopes, limits, bombs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from qiskit import QuantumCircuit

from abuse.dialects import ibm_json
from qwicket.vendors.ibm.dialect.runtime.routes import ROUTES
from support import pubs
from support.described import described_by
from support.for_each import for_each
from support.held import held_job
from support.ibm import SIMULATOR, TWIN
from support.runtime import DIALECT, Client, body, sampler
from support.server import LiveServer
from vendors.ibm.unit.primitives.test_wire import NPY, PACKED, QPY

ABSENT = "0197a0b0-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def http(server: LiveServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60, verify=False) as client:
        yield client


@pytest.fixture(scope="module")
def client(server: LiveServer, http: httpx.Client) -> Client:
    return Client(http, server.token("runtime"))


@pytest.fixture(scope="module")
def other(server: LiveServer, http: httpx.Client) -> Client:
    return Client(http, server.token("another"))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server with small limits."""
    live = LiveServer(
        tmp_path_factory.mktemp("small"),
        *("--limit", "unfinished_jobs=1", "--limit", "list_page=3", "--limit", "pubs=2"),
        *("--limit", "parameter_sets=4", "--limit", "parameters=8", "--limit", "pauli_terms=5"),
        *("--limit", "unpacked_bytes=100000", "--limit", "group_life_s=60"),
        *("--limit", "filter_clauses=2", "--limit", "filter_jobs=2"),
    )
    with httpx.Client(base_url=live.url, timeout=60) as http:
        yield Client(http, live.token())
    assert live.stop() == 0
    live.assert_calm()


def refused(client: Client, status: int = 400, **fields: Any) -> str:
    answer = client.call("POST", "/jobs", json=body(**fields))
    assert answer.status_code == status, answer.text
    return ibm_json(answer)


def count(client: Client) -> int:
    return int(client.get("/jobs")["count"])


def test_the_answer_of_every_route_is_as_described(server: LiveServer) -> None:
    """The answers in the other tests are held to the description, too."""
    with httpx.Client(base_url=server.url, timeout=60) as http:
        mine = Client(http, server.token("described"))
        mine.get("/backends")
        for device in (SIMULATOR, TWIN):
            for path in ("configuration", "properties", "defaults", "status"):
                mine.get(f"/backends/{device}/{path}")
        session = mine.call("POST", "/sessions", json={"backend": SIMULATOR}).json()["id"]
        job = mine.submit(session_id=session, cost=600, tags=["a"])
        mine.ended(job)
        for path in (f"/jobs/{job}", f"/jobs/{job}/metrics", "/jobs", "/usage"):
            mine.get(path)
        mine.get(f"/sessions/{session}")
        assert mine.described[DIALECT].checked == described_by(ROUTES)


# --- two dialects ---------------------------------------------------------------------------------


def test_the_other_dialect_says_where_this_one_is(client: Client, server: LiveServer) -> None:
    services = client.other_dialect.get("/users/me")["urls"]["services"]
    assert services == {"runtime": server.url + DIALECT}


def test_jobs_of_the_two_dialects_do_not_meet(client: Client) -> None:
    mine, theirs = client.submit(), client.other_dialect.submit()
    assert mine in [job["id"] for job in client.get("/jobs", params={"limit": 1000})["jobs"]]
    assert theirs not in client.call("GET", "/jobs", params={"limit": 1000}).text
    assert mine not in [job["id"] for job in client.other_dialect.listed(limit=1000)]
    assert client.call("GET", f"/jobs/{theirs}").status_code == 404
    assert client.other_dialect.call("GET", f"/jobs/{mine}").status_code == 404
    for method, path in (("POST", "/cancel"), ("DELETE", "")):
        assert client.call(method, f"/jobs/{theirs}{path}").status_code == 404


def test_a_job_is_seen_through_the_native_dialect(client: Client, server: LiveServer) -> None:
    estimator = pubs.params([pubs.circuit(pubs.turned()), {"Z": 2.0}, pubs.array([[0.0], [np.pi]])])
    job = client.submit(program_id="estimator", params=estimator)
    client.ended(job)
    with server.client(server.token("runtime")) as native:
        found = native.get(f"/v1/jobs/{job}").json()
        assert (found["dialect"], found["name"], found["shots"]) == ("runtime", "estimator", 4096)
        parts = native.get(f"/v1/jobs/{job}/result").json()["parts"]
    assert [part["evs"] for part in parts] == [[2.0], [-2.0]]
    assert [part["stds"] for part in parts] == [[0.0], [0.0]]


def test_the_native_dialect_takes_the_format_too(server: LiveServer) -> None:
    source = pubs.source("sampler", [pubs.circuit(pubs.bell()), None, 12]).decode()
    with server.client(server.token("runtime")) as native:
        fields = {"device": SIMULATOR, "format": "qiskit.primitives", "program": source}
        job = native.post("/v1/jobs", json={**fields, "shots": 1}).json()
        found = native.get(f"/v1/jobs/{job['id']}/result", params={"wait": 30}).json()
    assert sum(found["parts"][0]["counts"].values()) == job["shots"] == 12


# --- who ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "taken"), [("jobs:read", "GET"), ("jobs:write", "POST"), ("devices:read", "")]
)
def test_a_token_does_what_its_scopes_say(
    server: LiveServer, http: httpx.Client, scope: str, taken: str
) -> None:
    server.token("scoped")
    token = server.admin("token", "create", "--user", "scoped", "--scope", scope)
    client = Client(http, token)
    assert (client.call("GET", "/jobs").status_code == 200) is (taken == "GET")
    assert (client.call("POST", "/jobs", json=body()).status_code == 200) is (taken == "POST")
    for method, path in (("GET", "/jobs"), ("POST", "/jobs"), ("POST", "/sessions")):
        answer = client.call(method, path, json=body() if method == "POST" else None)
        if answer.status_code != 200:
            assert answer.status_code == 403
            assert "scope" in ibm_json(answer)


def test_the_token_itself_is_no_access_token(server: LiveServer, http: httpx.Client) -> None:
    for headers in (
        {},
        {"X-Access-Token": server.token("runtime")},
        {"Authorization": f"Bearer {server.token('runtime')}"},
    ):
        answer = http.get(f"{DIALECT}/jobs", headers=headers)
        assert answer.status_code == 401
        ibm_json(answer)


def test_job_and_session_of_another_account_are_not_found(client: Client, other: Client) -> None:
    job = client.submit()
    opened = client.call("POST", "/sessions", json={"backend": TWIN, "mode": "batch"}).json()["id"]
    for method, path in (
        *(("GET", f"/jobs/{job}"), ("GET", f"/jobs/{job}/results"), ("DELETE", f"/jobs/{job}")),
        *(("POST", f"/jobs/{job}/cancel"), ("GET", f"/jobs/{job}/logs")),
        *(("GET", f"/jobs/{job}/metrics"), ("GET", f"/sessions/{opened}")),
        ("DELETE", f"/sessions/{opened}/close"),
    ):
        answer = other.call(method, path)
        assert answer.status_code == 404, (method, path)
        absent = other.call(method, path.replace(job, ABSENT).replace(opened, ABSENT))
        assert absent.json()["error"] == answer.json()["error"]
    said = refused(other, backend=TWIN, session_id=opened)
    assert f'There is no session "{opened}"' in said


def test_jobs_go_to_the_project_that_is_named(server: LiveServer, http: httpx.Client) -> None:
    client = Client(http, server.token("placed"))
    place = {"hub": "qwicket", "group": "open", "project": "placed"}
    job = client.submit(**place)
    found = client.get(f"/jobs/{job}")
    assert {name: found[name] for name in place} == place
    listed = client.get("/jobs", params={"provider": "qwicket/open/placed"})
    assert listed["count"] == 1
    for provider, status in (("qwicket/open/nobody", 404), ("a/b", 400), ("a/b/c", 404)):
        for path in ("/jobs", "/backends"):
            answer = client.call("GET", path, params={"provider": provider})
            assert answer.status_code == status
    assert "no such hub" in refused(client, 404, **{**place, "project": "nobody"})


# --- submissions ----------------------------------------------------------------------------------


def test_what_is_not_there_is_no_404_but_a_program(client: Client) -> None:
    # the client takes 404 for a program that is not there
    assert "must be sampler, estimator or executor" in refused(
        client, 404, program_id="noise-learner"
    )
    assert "backend: " in refused(client, backend="nothing")
    assert "backend: " in refused(client, backend="simulator")  # of another dialect
    assert "session_id: " in refused(client, session_id=ABSENT)
    assert "private: " in refused(client, private=True)
    assert "calibration_id: " in refused(client, calibration_id="c-1")


def test_results_are_laid_out_as_the_values_are(client: Client) -> None:
    circuit = pubs.turned()
    circuit.measure_all()
    values = pubs.array(np.array([0, np.pi, 0, 0, np.pi, 0]).reshape(3, 2, 1))
    (found,) = client.results(client.submit(params=sampler([pubs.circuit(circuit), values, 4])))
    data = found["data"]["__value__"]
    assert (data["field_names"], data["shape"]) == (["meas"], [3, 2])
    bits = data["fields"]["meas"]["__value__"]
    array = pubs.unpacked(bits["array"])
    assert bits["num_bits"] == 1
    assert array.dtype == np.uint8
    assert array.shape == (3, 2, 4, 1)
    assert array[..., 0, 0].tolist() == [[0, 1], [0, 0], [1, 0]]


def test_a_failed_job_says_why_as_text(client: Client) -> None:
    wide = pubs.params([pubs.circuit(many(21)), {"Y" * 21: 1.0}, None, 0])
    job = client.submit(program_id="estimator", params=wide)
    found = client.ended(job)
    assert found["state"]["status"] == "Failed"
    assert "ask for a precision" in found["state"]["reason"]
    answer = client.call("GET", f"/jobs/{job}/results")
    assert answer.status_code == 200
    assert "ask for a precision" in answer.text


def many(n_qubits: int) -> Any:
    circuit = pubs.ghz(n_qubits)
    for qubit in range(n_qubits):
        circuit.ry(0.3 + qubit, qubit)
    return circuit


def held() -> dict[str, Any]:
    """Parameters of a job that runs until it is cancelled."""
    job, circuit = held_job(), QuantumCircuit(24, 1)
    for number in range(400):
        circuit.rz(job.angle, number % 24)
    circuit.cx(range(23), range(1, 24))  # or the qubits were simulated apart
    circuit.measure(0, 0)
    return sampler([pubs.circuit(circuit), None, 10])


def test_a_result_that_is_not_there_yet_is_409_and_only_what_goes_on_is_cancelled(
    client: Client,
) -> None:
    job = client.submit(params=held())
    assert client.call("GET", f"/jobs/{job}/results").status_code == 409
    assert client.call("POST", f"/jobs/{job}/cancel").status_code == 204
    assert client.ended(job)["status"] == "Cancelled"
    again = client.call("POST", f"/jobs/{job}/cancel")
    assert again.status_code == 409
    assert "cannot be cancelled any more" in ibm_json(again)


@pytest.mark.parametrize(
    ("pubs_sent", "program", "said"),
    [
        ([[1, 2]] * 3, "sampler", "pubs: 3 is above the limit of 2"),
        ("values", "sampler", "parameter_sets: 5"),
        ("wide values", "sampler", "parameters: 9"),
        ("terms", "estimator", "pauli_terms: 6"),
        ("zeros", "sampler", "unpacked_bytes: 100001 or more"),
    ],
)
def test_every_limit_is_named(small: Client, pubs_sent: Any, program: str, said: str) -> None:
    circuit = pubs.turned()
    circuit.measure_all()
    entry = pubs.circuit(circuit)
    entries: dict[str, list[Any]] = {
        "values": [[entry, pubs.array(np.zeros((5, 1)))]],
        "wide values": [[entry, pubs.array(np.zeros((3, 3)))]],
        "terms": [[entry, [{"Z": 1, "X": 1}] * 3, pubs.array([0.1])]],
        "zeros": [[pubs.typed("QuantumCircuit", pubs.packed(bytes(150_000)))]],
    }
    sent = entries[pubs_sent] if isinstance(pubs_sent, str) else pubs_sent
    before = count(small)
    assert said in refused(small, program_id=program, params=pubs.params(*sent))
    assert count(small) == before


def test_unfinished_jobs_may_be_limited(small: Client) -> None:
    job = small.submit(params=held())
    answer = small.call("POST", "/jobs", json=body())
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == 3458
    assert small.call("POST", f"/jobs/{job}/cancel").status_code == 204
    small.ended(job)


@pytest.mark.parametrize("filters", [{"tags": ["a", "b", "c"]}, {"limit": "x"}, {"offset": "-1"}])
def test_a_filter_that_makes_no_sense_is_refused(small: Client, filters: dict[str, Any]) -> None:
    answer = small.call("GET", "/jobs", params=filters)
    assert answer.status_code == 400
    assert next(iter(filters)) in ibm_json(answer)


@pytest.mark.parametrize(
    ("name", "value"),
    [("pending", "perhaps"), ("sort", "up"), ("created_after", "soon"), ("created_before", "")],
)
def test_an_odd_filter_names_itself(client: Client, name: str, value: str) -> None:
    answer = client.call("GET", "/jobs", params={name: value})
    assert answer.status_code == 400
    assert name in ibm_json(answer)


def test_pages_are_bounded_and_count_everything(small: Client) -> None:
    ids = []
    for _ in range(5):
        ids.append(small.submit(tags=["page"]))
        small.ended(ids[-1])
    asked = {"tags": "page", "limit": 1_000_000}
    page = small.get("/jobs", params=asked)
    assert [job["id"] for job in page["jobs"]] == ids[:1:-1]
    assert (page["count"], page["limit"], page["offset"]) == (5, 3, 0)
    page = small.get("/jobs", params={**asked, "offset": 3, "sort": "asc"})
    assert [job["id"] for job in page["jobs"]] == ids[3:]
    assert small.get("/jobs", params={**asked, "offset": 10**15 - 1})["jobs"] == []


def test_a_filter_of_the_other_dialect_looks_at_so_many_jobs(small: Client) -> None:
    ibm = small.other_dialect
    jobs = [ibm.submit(name=f"job {k}") for k in range(1)]
    ibm.ended(jobs[0])
    for k in range(3):
        ibm.ended(ibm.submit(name=f"more {k}"))
    asked = {"where": {"name": {"regexp": "nothing"}}, "limit": 1}
    answer = ibm.call("GET", "/jobs/status", params={"filter": json.dumps(asked)})
    assert answer.status_code == 400
    assert "limit filter_jobs" in ibm_json(answer)
    assert [job["id"] for job in ibm.listed(where={"name": "job 0"}, limit=1)] == jobs


# --- sessions -------------------------------------------------------------------------------------


def test_a_session_is_for_one_device_and_closes_once(client: Client) -> None:
    opened = client.call("POST", "/sessions", json={"backend": TWIN, "mode": "dedicated"}).json()
    at = f"/sessions/{opened['id']}"
    assert (opened["state"], opened["accepting_jobs"], opened["max_ttl"]) == ("open", True, None)
    assert "is for the device" in refused(client, session_id=opened["id"])
    job = client.submit(backend=TWIN, session_id=opened["id"])
    client.ended(job)
    assert client.get(at)["state"] == "active"
    for _ in range(2):
        answer = client.call("PATCH", at, json={"accepting_jobs": False})
        assert answer.status_code == 204
    found = client.get(at)
    assert (found["state"], found["accepting_jobs"]) == ("closed", False)
    assert found["closed_at"] is not None
    assert "closed" in refused(client, backend=TWIN, session_id=opened["id"])
    answer = client.call("PATCH", at, json={"accepting_jobs": True})
    assert answer.status_code == 400
    assert "cannot be opened again" in ibm_json(answer)


def test_who_ends_a_session_cancels_what_it_has(client: Client) -> None:
    opened = client.call("POST", "/sessions", json={"backend": SIMULATOR}).json()["id"]
    inside, outside = client.submit(params=held(), session_id=opened), client.submit(params=held())
    assert client.call("DELETE", f"/sessions/{opened}/close").status_code == 204
    assert client.ended(inside)["status"] == "Cancelled"
    assert client.get(f"/sessions/{opened}")["state"] == "closed"
    assert client.get(f"/jobs/{outside}")["status"] in {"Queued", "Running"}
    assert client.call("POST", f"/jobs/{outside}/cancel").status_code == 204


def test_a_group_of_another_dialect_is_no_session(client: Client, server: LiveServer) -> None:
    header = {"Authorization": f"Bearer {server.token('runtime')}"}
    opened = client.http.post("/v1/groups", json={"name": "g"}, headers=header)
    assert opened.status_code == 201, opened.text
    group = opened.json()["id"]
    assert f'There is no session "{group}"' in refused(client, session_id=group)
    assert client.call("GET", f"/sessions/{group}").status_code == 404


def test_a_session_lives_as_long_as_it_may(small: Client) -> None:
    for name in ("max_ttl", "max_session_ttl"):
        opened = small.call("POST", "/sessions", json={"backend": TWIN, name: 60})
        assert opened.json()["max_ttl"] == 60
        answer = small.call("POST", "/sessions", json={"backend": TWIN, name: 61})
        assert answer.status_code == 400
        assert "limit group_life_s" in ibm_json(answer)


# --- what means harm ------------------------------------------------------------------------------

HOSTILE: dict[str, list[Any]] = {
    **{f"packed: {name}": [pubs.typed("QuantumCircuit", data)] for name, data in PACKED.items()},
    **{
        f"qpy: {name}": [pubs.typed("QuantumCircuit", pubs.packed(data))]
        for name, data in QPY.items()
    },
    **{
        f"npy: {name}": [
            pubs.circuit(pubs.bell()),
            pubs.typed("ndarray", pubs.packed(data)),
        ]
        for name, data in NPY.items()
    },
    **{
        f"version {version}": [
            pubs.typed(
                "QuantumCircuit",
                pubs.packed(pubs.qpy_bytes(pubs.bell())[:6] + bytes([version]) + bytes(100)),
            )
        ]
        for version in (0, 4, 10, 12, 18, 255)
    },
}


@pytest.fixture(scope="module")
def hurt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, LiveServer]]:
    """A server whose parsers have read a circuit, so that Qiskit is loaded."""
    live = LiveServer(tmp_path_factory.mktemp("hurt"))
    with httpx.Client(base_url=live.url, timeout=60) as http:
        client = Client(http, live.token())
        for _ in range(3):
            client.ended(client.submit())
        yield client, live
    assert live.stop() == 0
    live.assert_calm()


@for_each("entry", HOSTILE.values())
def test_what_means_harm_is_refused_and_leaves_nothing(
    hurt: tuple[Client, LiveServer], entry: list[Any]
) -> None:
    client, live = hurt
    began = used_s(live)
    said = refused(client, params=pubs.params(entry))
    assert said.startswith(("params", "pubs", "unpacked_bytes", "parameter_sets", "parameters")), (
        said
    )
    assert used_s(live) - began < 1.0  # of processor time, by all processes of the server
    assert count(client) == 3


def used_s(live: LiveServer) -> float:
    """Return the processor time that the server and its processes took so far."""
    from support.processes import below

    ticks = 0
    for process in (live.process.pid, *below(live.process.pid)):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / 100


def test_a_body_that_is_one_large_bomb_is_refused(hurt: tuple[Client, LiveServer]) -> None:
    client, _ = hurt
    entry = [pubs.typed("QuantumCircuit", PACKED["bomb"])]
    assert "unpacked_bytes" in refused(client, params=pubs.params(*[entry] * 30))
    huge = [pubs.typed("QuantumCircuit", "A" * (11 << 20))]
    assert "program_json_bytes" in refused(client, params=pubs.params(huge))
