"""The fifteen rules that break IonQ's public clients when they are missed, each a test of its name.

What the clients do was seen by running them: qiskit-ionq 1.1.1 (QK4) and 0.5.13 (QK3), cirq-ionq
1.7.0 (CQ), pennylane-ionq 0.45.0 (PL), qbraid 0.13.0 (QB), ionq-core 0.2.0 (IC).
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from qwicket.vendors.ionq.dialect import jobs
from support.described import described_by
from support.for_each import for_each
from support.held import held_job
from support.ionq import ROUTES, hold_to_description
from support.programs import BELL
from support.server import LiveServer
from support.waiting import until

PREFIXES = ("/ionq/v0.4", "/v0.4", "/ionq/v0.3", "/v0.3")
NEW, OLD = "/ionq/v0.4", "/ionq/v0.3"
X0 = {"circuit": [{"gate": "x", "target": 0}]}
X1 = {"circuit": [{"gate": "x", "target": 1}]}


class Client:
    """Speaks IonQ over plain HTTP, and holds each answer to the dialect's description."""

    def __init__(self, http: httpx.Client, token: str) -> None:
        self.http = http
        self.described = hold_to_description(http)
        self.auth = {"Authorization": f"apiKey {token}"}

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {**self.auth, **options.pop("headers", {})}
        return self.http.request(method, path, headers=headers, **options)

    def submit(self, prefix: str = NEW, **fields: Any) -> str:
        answer = self.call("POST", f"{prefix}/jobs", json=body(prefix, **fields))
        assert answer.status_code in (200, 201), answer.text
        return str(answer.json()["id"])

    def read(self, job: str, prefix: str = NEW) -> dict[str, Any]:
        answer = self.call("GET", f"{prefix}/jobs/{job}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def ended(self, job: str, prefix: str = NEW) -> dict[str, Any]:
        def end() -> dict[str, Any] | None:
            found = self.read(job, prefix)
            return found if found["status"] in ("completed", "failed", "canceled") else None

        return until(end, f"job {job} ends", timeout_s=60)

    def done(self, prefix: str = NEW, **fields: Any) -> dict[str, Any]:
        """Submit a job; return its body when it is completed."""
        found = self.ended(self.submit(prefix, **fields), prefix)
        assert found["status"] == "completed", found
        return found

    def running(self, prefix: str) -> str:
        job = self.submit(prefix, input=held_job().program)
        word = "running" if prefix == OLD else "started"
        until(lambda: self.read(job, prefix)["status"] == word, "the job runs", timeout_s=60)
        return job


def body(prefix: str, **fields: Any) -> dict[str, Any]:
    key = "target" if prefix.endswith("v0.3") else "backend"
    device = fields.pop("backend", "simulator")
    made = {key: device, "input": BELL, "shots": 100, **fields}
    if key == "backend" and "type" not in made:
        made["type"] = f"ionq.{'multi-' * ('circuits' in made['input'])}circuit.v1"
    return made


@pytest.fixture(scope="module")
def client(server: LiveServer) -> Iterator[Client]:
    with httpx.Client(base_url=server.url, timeout=60, verify=False) as http:
        yield Client(http, server.token())


def error(answer: httpx.Response, status: int) -> str:
    found = answer.json()
    assert found.keys() == {"statusCode", "error", "message"}
    assert answer.status_code == found["statusCode"] == status, answer.text
    return str(found["message"])


@for_each("prefix", [NEW, OLD])
def test_the_answer_of_every_route_is_as_described(server: LiveServer, prefix: str) -> None:
    """The answers in the other tests are held to the description, too."""
    with httpx.Client(base_url=server.url, timeout=60, verify=False) as http:
        mine = Client(http, server.token("described"))
        for path in ("", "/qpu", "/qpu/characterizations"):
            mine.call("GET", f"{prefix}/backends{path}")
        current = asked(mine, f"{prefix}/characterizations/backends/qpu/current")["id"]
        for path in (f"/backends/qpu/characterizations/{current}", "/calibrations", "/whoami"):
            mine.call("GET", prefix + path)
        mine.call("GET", f"{prefix}/calibrations/current")
        mine.call("GET", f"{prefix}/jobs/estimate?backend=simulator")
        mine.call("GET", f"{prefix}/report/organizations/any")
        session = mine.call("POST", f"{prefix}/sessions", json={"backend": "simulator"}).json()
        job = mine.done(prefix, session_id=session["id"])["id"]
        for path in ("", f"/{session['id']}", f"/{session['id']}/jobs"):
            mine.call("GET", f"{prefix}/sessions{path}")
        mine.call("POST", f"{prefix}/sessions/{session['id']}/end")
        for path in ("", "?ids=" + job, f"/{job}/cost"):
            mine.call("GET", f"{prefix}/jobs{path}")
        for path in ("", "/probabilities", "/probabilities/aggregated", "/histogram", "/shots"):
            mine.call("GET", f"{prefix}/jobs/{job}/results{path}")
        for form in jobs.ARTIFACTS:
            mine.call("GET", f"{prefix}/jobs/{job}/artifacts/{jobs.artifact_id(job, form)}")
        clone = mine.call("POST", f"{prefix}/jobs/{job}/clone", json={}).json()["id"]
        mine.call("PUT", f"{prefix}/jobs/{clone}/status/cancel")
        mine.call("PUT", f"{prefix}/jobs/status/cancel", json={"ids": [clone]})
        mine.call("DELETE", f"{prefix}/jobs", json={"ids": [clone]})
        mine.call("DELETE", f"{prefix}/jobs/{job}")
        routes = ROUTES[prefix.removeprefix("/ionq")]
        assert mine.described[prefix].checked == described_by(routes)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_bare_qpu_is_the_same_machine_wherever_it_is_written(client: Client, prefix: str) -> None:
    for path in ("/backends/{}", "/backends/{}/characterizations"):
        bare, full = (asked(client, prefix + path.format(name)) for name in ("qpu", "qpu.aria-1"))
        assert without_times(bare) == without_times(full)
    path = "/characterizations/backends/{}/current"
    current = asked(client, prefix + path.format("qpu"))
    assert current == asked(client, prefix + path.format("qpu.aria-1"))
    one = f"/backends/qpu/characterizations/{current['id']}"
    assert asked(client, prefix + one) == current
    job = client.submit(prefix, backend="qpu")
    listed = asked(client, f"{prefix}/jobs?target=qpu")["jobs"]
    assert job in [each["id"] for each in listed]


def asked(client: Client, path: str) -> Any:
    answer = client.call("GET", path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def without_times(found: Any) -> Any:
    moving = ("last_updated", "average_queue_time")
    return {key: value for key, value in found.items() if key not in moving}


@pytest.mark.parametrize("prefix", PREFIXES)
def test_rule_1_every_route_is_served_below_the_prefix_and_at_the_root(
    client: Client, prefix: str
) -> None:
    other = prefix.removeprefix("/ionq") if "ionq" in prefix else f"/ionq{prefix}"
    job = client.submit(prefix)
    assert client.ended(job, other)["status"] == "completed"
    assert client.http.get(f"{prefix}/backends").json()[0]["backend"] == "simulator"


def test_rule_2_result_addresses_begin_with_the_version(client: Client) -> None:
    single = client.done()
    multi = client.done(input={"qubits": 2, "circuits": [X0, X1]})
    at = f"/v0.4/jobs/{single['id']}/results"
    assert single["results"]["probabilities"]["url"] == f"{at}/probabilities"
    assert single["results"]["histogram"]["url"] == f"{at}/histogram"
    assert single["results"]["shots"]["url"] == f"{at}/shots"
    url = f"/v0.4/jobs/{multi['id']}/results/probabilities/aggregated"
    assert multi["results"]["probabilities"]["url"] == url
    for found in (single, multi):
        for entry in found["results"].values():
            if "url" in entry:
                assert client.call("GET", entry["url"]).status_code == 200
                assert client.call("GET", f"/ionq{entry['url']}").status_code == 200


def test_rule_3_a_submit_is_200_in_v0_3_and_201_in_v0_4(client: Client) -> None:
    for prefix in PREFIXES:
        answer = client.call("POST", f"{prefix}/jobs", json=body(prefix))
        assert answer.status_code == (200 if prefix.endswith("v0.3") else 201)
        assert answer.json()["status"] == "ready"
    old = client.call("POST", f"{OLD}/jobs", json=body(OLD)).json()
    assert abs(old["request"] - time.time()) < 60


def test_rule_4_what_runs_is_running_in_v0_3_and_started_in_v0_4(client: Client) -> None:
    job = client.running(OLD)
    assert (client.read(job, OLD)["status"], client.read(job, NEW)["status"]) == (
        "running",
        "started",
    )
    assert client.call("PUT", f"{OLD}/jobs/{job}/status/cancel").json()["status"] == "canceled"


@pytest.mark.parametrize("prefix", PREFIXES)
def test_rule_5_backends_are_public_and_a_bare_list(client: Client, prefix: str) -> None:
    rows = client.http.get(f"{prefix}/backends").json()
    assert isinstance(rows, list)
    for row in rows:
        assert client.http.get(f"{prefix}/backends/{row['backend']}").json()["qubits"] > 0
    assert sum("characterization_id" in row for row in rows) == 2


REFUSALS: dict[str, tuple[str, str, Any, int]] = {
    "unknown path": ("GET", "/nothing", None, 404),
    "wrong method": ("PATCH", "/jobs", None, 405),
    "unknown job": ("GET", "/jobs/0", None, 404),
    "unknown backend": ("GET", "/backends/qpu.qpu", None, 404),
    "no JSON": ("POST", "/jobs", b"{", 400),
    "wrong shots": ("POST", "/jobs", {"shots": "x"}, 400),
    "wrong gate": (
        *("POST", "/jobs"),
        {"input": {"qubits": 1, "circuit": [{"gate": "?", "target": 0}]}},
        400,
    ),
    "unknown session": ("GET", "/sessions/0", None, 404),
    "organisations": ("GET", "/organizations/o/usage", None, 404),
    "schemas": ("GET", "/schemas/formats/x", None, 404),
    "moving": ("POST", "/jobs/0/move", {}, 404),
}


@pytest.mark.parametrize("prefix", PREFIXES)
def test_rule_6_errors_have_a_status_code_and_a_message(
    subtests: pytest.Subtests, client: Client, prefix: str
) -> None:
    for case in REFUSALS:
        with subtests.test(case):
            method, path, sent, status = REFUSALS[case]
            content = sent if isinstance(sent, bytes) else None
            if isinstance(sent, dict) and path == "/jobs":
                sent = body(prefix, **sent)
            content = content or (json.dumps(sent).encode() if sent is not None else None)
            error(client.call(method, prefix + path, content=content), status)


def test_rule_7_bodies_are_json_whatever_the_content_type(client: Client) -> None:
    for content_type in ("", "text/plain", "application/x-www-form-urlencoded"):
        headers = {"Content-Type": content_type} if content_type else {}
        sent = json.dumps(body(NEW)).encode()
        assert client.call("POST", f"{NEW}/jobs", content=sent, headers=headers).status_code == 201
    listed = client.call("GET", f"{NEW}/jobs", content=b'{"limit": 1000}')  # as CQ does
    assert listed.status_code == 200


def test_rule_8_shots_may_be_text_and_a_seed_null(client: Client) -> None:
    found = client.done(shots="4096", noise={"model": "ideal", "seed": None})
    assert found["shots"] == 4096
    assert client.done(OLD, shots="77", noise={"model": "ideal", "seed": None})["shots"] == 77


METADATA = {
    "qiskit_header": "H4sI" * 9_000,
    "measurement0": "a\x1f0,1\x1eb\x1f2",
    "shots": "100",
    "sampler_seed": "None",
    "ключ": "☃",
}


@pytest.mark.parametrize("prefix", [NEW, OLD])
def test_rule_9_metadata_comes_back_untouched(client: Client, prefix: str) -> None:
    job = client.submit(prefix, metadata=METADATA)
    for either in (NEW, OLD):
        assert client.read(job, either)["metadata"] == METADATA
    assert client.read(client.submit(prefix, metadata=None), prefix)["metadata"] == {}


@pytest.mark.parametrize("prefix", [NEW, OLD])
def test_rule_10_results_of_many_circuits_keep_their_order(client: Client, prefix: str) -> None:
    members = [
        {"circuit": [{"gate": "x", "target": q} for q in range(5) if n >> q & 1]} for n in range(32)
    ]
    job = client.done(prefix, input={"qubits": 5, "circuits": members})["id"]
    path = "results" if prefix == OLD else "results/probabilities/aggregated"
    found = client.call("GET", f"{prefix}/jobs/{job}/{path}").json()
    assert [*found.values()] == [{str(n): 1.0} for n in range(32)]
    ids = client.read(job, prefix)["children" if prefix == OLD else "child_job_ids"]
    assert [*found] == ids == sorted(ids)


def test_rule_11_one_member_answers_flat_in_v0_3(client: Client) -> None:
    job = client.done(OLD, input={"qubits": 2, "circuits": [X1]})["id"]
    assert client.call("GET", f"{OLD}/jobs/{job}/results").json() == {"2": 1.0}
    nested = client.call("GET", f"{NEW}/jobs/{job}/results/probabilities/aggregated").json()
    (child,) = client.read(job)["child_job_ids"]
    assert nested == {child: {"2": 1.0}}


def test_rule_12_a_last_page_has_no_next_for_cirq_and_null_for_others(
    client: Client, server: LiveServer
) -> None:
    stranger = Client(client.http, server.token("pager"))
    cirq = {"User-Agent": "cirq/1.7.0 (python/3.11.7)"}
    assert "next" not in stranger.call("GET", f"{NEW}/jobs", headers=cirq).json()
    assert stranger.call("GET", f"{NEW}/jobs").json() == {"jobs": [], "next": None}
    ids = [stranger.submit() for _ in range(5)]
    for headers in ({}, cirq):
        found, query = [], {"limit": "2"}
        for _ in range(4):
            page = stranger.call("GET", f"{NEW}/jobs", headers=headers, params=query).json()
            found += [job["id"] for job in page["jobs"]]
            if page.get("next") is None:
                break
            query["next"] = page["next"]
        assert found == ids[::-1]
        assert ("next" in page) is (headers is not cirq)


def test_rule_13_some_keys_are_absent_others_objects(client: Client) -> None:
    found = client.done()
    for absent in ("warning",):
        assert absent not in found
    assert found["failure"] == {}
    assert found["metadata"] == {}
    assert found["noise"]["model"] == "ideal"
    assert found["stats"] == {"qubits": 2, "circuits": 1, "gate_counts": {"1q": 1, "2q": 1}}
    for present in ("parent_job_id", "session_id", "project_id", "submitter_id", "dry_run"):
        assert present in found
    who = client.call("GET", f"{NEW}/whoami").json()
    assert str(uuid.UUID(who["key_id"])) == who["key_id"]
    assert str(uuid.UUID(who["project_id"])) == who["project_id"]
    job = client.running(NEW)
    client.call("PUT", f"{NEW}/jobs/{job}/status/cancel")
    assert client.read(job)["failure"] == {}
    assert "failure" not in client.read(job, OLD)


def test_rule_14_a_job_has_none_of_qbraids_own_names(client: Client) -> None:
    for found in (client.done(), client.done(input={"qubits": 2, "circuits": [X0, X1]})):
        assert found.keys().isdisjoint({"data", "success", "job_id", "device_id"})


def test_rule_15_no_get_and_no_refusal_asks_for_a_retry(client: Client) -> None:
    """409, 429 and 5xx are repeated, by some for an hour and by some without end."""
    multi = client.done(input={"qubits": 2, "circuits": [X0, X1]})
    child, dry = multi["child_job_ids"][0], client.done(dry_run=True)["id"]
    job = client.running(NEW)
    results = ("", "/probabilities", "/probabilities/aggregated", "/histogram", "/shots")
    for result in results:
        error(client.call("GET", f"{NEW}/jobs/{job}/results{result}"), 404)
        error(client.call("GET", f"{NEW}/jobs/{dry}/results{result}"), 404)
    error(client.call("GET", f"{NEW}/jobs/{job}/artifacts/{uuid.uuid4()}"), 404)
    assert multi["id"] in error(client.call("DELETE", f"{NEW}/jobs/{child}"), 400)
    assert multi["id"] in error(client.call("PUT", f"{NEW}/jobs/{child}/status/cancel"), 400)
    client.call("PUT", f"{NEW}/jobs/{job}/status/cancel")
    for result in results:
        error(client.call("GET", f"{NEW}/jobs/{job}/results{result}"), 404)


def test_rule_15_a_device_that_is_off_and_a_closed_session_ask_for_no_retry(
    client: Client, server: LiveServer
) -> None:
    session = client.call("POST", f"{NEW}/sessions", json={"backend": "simulator"}).json()["id"]
    client.call("POST", f"{NEW}/sessions/{session}/end")
    sent = body(NEW, session_id=session)
    said = error(client.call("POST", f"{NEW}/jobs", json=sent), 400)
    assert said == "session_id: The session is closed."
    server.admin("device", "off", "qpu.forte-1", "--reason", "laser")
    try:
        sent = body(NEW, backend="qpu.forte-1")
        said = error(client.call("POST", f"{NEW}/jobs", json=sent), 400)
        assert said == "backend: The device qpu.forte-1 is off: laser."
    finally:
        server.admin("device", "on", "qpu.forte-1")
