"""What breaks qlued's public clients when it is missed, each a test of its name.

Seen by running them: qiskit-cold-atom 0.2.1 (and 0.2.0, 0.0.1), and the plain HTTP programs of
qlued's documentation. Servers: django-qlued of August 2024.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import cos, pi, sin, sqrt
from typing import Any

import httpx
import pytest

from support.for_each import for_each
from support.server import LiveServer
from support.vendors import bound, distance
from support.waiting import until

V2, V3 = "/qlued/api/v2", "/qlued/api/v3"
DEVICES = ("singlequdit", "multiqudit", "rydberg", "fermions")
KEYS = ["job_id", "status", "detail", "error_message"]
ABSENT = "0192aaaa-bbbb-7ccc-8ddd-eeeeeeee0000"


def program(instructions: list[Any], shots: int = 3, **how: Any) -> dict[str, Any]:
    return {"experiment_0": {"instructions": instructions, "shots": shots, "num_wires": 1, **how}}


HALF_TURN = ["rlx", [0], [pi / 2]]
READ = ["measure", [0], []]
FLIP = program([["load", [0], [20.0]], ["rlx", [0], [pi]], ["measure", [0], []]])
"""Twenty atoms, all turned over: 20 in every shot."""
WRONG = program([["rly", [0], [1.0]], ["measure", [0], []]])


class Client:
    """Speaks qlued's version 2 over plain HTTP."""

    def __init__(self, http: httpx.Client, token: str) -> None:
        self.http = http
        self.token = token

    def get(self, path: str, **query: str) -> httpx.Response:
        return self.http.get(V2 + path, params={"token": self.token, **query})

    def post(self, device: str, job: Any, **fields: Any) -> httpx.Response:
        text = job if isinstance(job, str) else json.dumps(job)
        body = {"job": text, "token": self.token, **fields}
        return self.http.post(f"{V2}/{device}/post_job", json=body)

    def submit(self, device: str, job: Any) -> str:
        answer = self.post(device, job)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["job_id"])

    def status(self, device: str, job: str, **query: str) -> httpx.Response:
        return self.get(f"/{device}/get_job_status", job_id=job, **query)

    def result(self, device: str, job: str, **query: str) -> httpx.Response:
        return self.get(f"/{device}/get_job_result", job_id=job, **query)

    def ended(self, device: str, job: str) -> dict[str, Any]:
        def end() -> dict[str, Any] | None:
            found: dict[str, Any] = self.result(device, job).json()
            return found if found["status"] in ("DONE", "ERROR") else None

        return until(end, f"job {job} ends", timeout_s=60)

    def run(self, device: str, job: Any) -> list[dict[str, Any]]:
        """Return the results of a job's experiments."""
        found: list[dict[str, Any]] = self.ended(device, self.submit(device, job))["results"]
        return found


@pytest.fixture(scope="module")
def client(server: LiveServer) -> Iterator[Client]:
    with httpx.Client(base_url=server.url, timeout=60, verify=False) as http:
        yield Client(http, server.token())


def status_msg(answer: httpx.Response, code: int) -> dict[str, str]:
    found: dict[str, str] = answer.json()
    assert answer.status_code == code, answer.text
    assert list(found) == KEYS
    assert all(isinstance(value, str) for value in found.values())
    return found


# --- what breaks clients when missed --------------------------------------------------------------


def test_rule_1_a_username_selects_the_statuses_of_old_servers(client: Client) -> None:
    done, failed = client.submit("singlequdit", FLIP), client.submit("singlequdit", WRONG)
    client.ended("singlequdit", done)
    old = client.result("singlequdit", done, username="anyone").json()
    new = client.result("singlequdit", done).json()
    assert (old.pop("status"), new.pop("status")) == ("finished", "DONE")
    assert old == new
    for username, word in (({"username": ""}, "error"), ({}, "ERROR")):
        found = status_msg(client.result("singlequdit", failed, **username), 406)
        assert found["status"] == word
    for id_, device, code in ((ABSENT, "singlequdit", 406), (done, "nothing", 404)):
        assert status_msg(client.result(device, id_, username="x"), code)["status"] == "error"
    denied = client.http.get(f"{V2}/rydberg/get_job_result?job_id=x&token=x&username=x")
    assert status_msg(denied, 401)["status"] == "error"
    assert client.status("singlequdit", done, username="x").json()["status"] == "DONE"
    assert client.status("singlequdit", failed, username="x").json()["status"] == "ERROR"


@pytest.mark.parametrize("route", ["get_job_status", "get_job_result"])
def test_rule_2_an_id_may_come_in_json(client: Client, route: str) -> None:
    job = client.submit("singlequdit", WRONG)
    named = json.dumps({"job_id": job})
    found = status_msg(client.get(f"/singlequdit/{route}", username="x", json=named), 406)
    assert found["job_id"] == job
    assert "'rly' is not known" in found["error_message"]


@for_each(
    "path",
    [
        *("/rydberg/get_config/", "/rydberg//get_config", "//rydberg/get_config"),
        *("///qwicket_rydberg_simulator//get_config///", "/backends/", "//backends"),
        "/rydberg//get_backend_status/",
    ],
)
def test_rule_3_slashes_too_many_are_taken_without_a_redirect(client: Client, path: str) -> None:
    assert client.http.get(V2 + path).status_code == 200


def test_rule_3_slashes_too_many_are_taken_where_jobs_are_sent_and_read(client: Client) -> None:
    sent = client.http.post(
        f"{V2}/qwicket_singlequdit_simulator//post_job/",
        json={"job": json.dumps(FLIP), "token": client.token},
    )
    job = sent.json()["job_id"]
    for route in ("get_job_status", "get_job_result"):
        assert client.get(f"/singlequdit//{route}/", job_id=job).status_code == 200


def test_rule_4_a_job_is_text_inside_of_json_and_a_username_is_ignored(client: Client) -> None:
    found = status_msg(client.post("singlequdit", FLIP, username="somebody else"), 200)
    assert found == {
        "job_id": found["job_id"],
        "status": "INITIALIZING",
        "detail": "Got your json.",
        "error_message": "None",
    }
    assert 8 <= len(found["job_id"]) <= 64
    assert set(found["job_id"]) <= set("0123456789abcdef-")


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "unknown gate": ("singlequdit", WRONG, "'rly'"),
    "no experiments": ("rydberg", {}, "no experiments"),
    "wrong key": ("rydberg", {"experiment_x": {}}, "experiment_x"),
    "not an experiment": ("rydberg", {"experiment_0": 3}, "object"),
    "a billion shots": ("singlequdit", program([READ], 10**9), "shots"),
    "a wire too many": ("rydberg", program([["rlx", [3], [1]]]), "wire 3"),
    "a negative angle": ("rydberg", program([["rlx", [0], [-1]]]), "omega"),
    "no parameter": (
        *("fermions", program([["fint", [*range(8)], []]], wire_order="interleaved")),
        "fint",
    ),
    "sequential fermions": ("fermions", program([["load", [0], []]]), "wire_order"),
    "a state too large": (
        *("multiqudit", program([["load", [w], [50]] for w in range(3)], num_wires=3)),
        "hilbert_dimension",
    ),
    "occupied wire": (
        *("fermions", program([["load", [0], []]] * 2, wire_order="interleaved")),
        "wire 0",
    ),
}


@for_each("case", REFUSED)
def test_rule_5_a_refused_program_is_a_job_that_ends_in_error(client: Client, case: str) -> None:
    device, job, reason = REFUSED[case]
    id_ = client.submit(device, job)
    client.ended(device, id_)
    for route in (client.status, client.result):
        found = status_msg(route(device, id_), 406)
        assert (found["job_id"], found["status"]) == (id_, "ERROR")
        assert reason in found["error_message"]
        assert found["error_message"] in found["detail"]
        for leak in ("Traceback", ".py", "numpy"):
            assert leak not in found["error_message"]


def test_rule_6_memory_has_a_column_for_each_measurement_in_the_order_of_these(
    client: Client,
) -> None:
    load = [["load", [w], [10 + w]] for w in range(3)]
    flips = [["rlx", [w], [pi]] for w in (0, 2)]
    order = (2, 0, 1, 2)
    job = program([*load, *flips, *(["measure", [w], []] for w in order)], num_wires=3)
    (found,) = client.run("multiqudit", job)
    assert found["data"]["memory"] == ["12 10 0 12"] * 3
    assert found["data"]["counts"] == {"12 10 0 12": 3}
    (single,) = client.run("singlequdit", FLIP)
    assert single["data"]["memory"] == ["20"] * 3


def test_rule_6_a_program_without_measurements_has_an_empty_memory(client: Client) -> None:
    for device in DEVICES:
        (found,) = client.run(device, program([], wire_order="interleaved"))
        assert (found["data"]["memory"], found["shots"]) == ([], 3)


def test_rule_7_fermions_are_read_as_they_are_measured(client: Client) -> None:
    wires = (5, 0, 3)
    job = program(
        [["load", [3], []], ["load", [0], []], *(["measure", [w], []] for w in wires)],
        num_wires=4,
        wire_order="interleaved",
    )
    (found,) = client.run("fermions", job)
    assert found["data"]["memory"] == ["0 1 1"] * 3


def test_rule_8_wire_order_may_be_absent_but_for_fermions(client: Client) -> None:
    for device in ("singlequdit", "multiqudit", "rydberg"):
        (found,) = client.run(device, program([["rlx", [0], [pi]], ["measure", [0], []]]))
        assert found["data"]["memory"] == ["1"] * 3
    job = client.submit("fermions", program([]))
    assert "wire_order" in status_msg(client.status("fermions", job), 406)["error_message"]


def test_rule_9_results_are_in_the_order_of_the_keys_as_sent(client: Client) -> None:
    job = {
        f"experiment_{n}": program([["load", [0], [n]], ["rlx", [0], [pi]], ["measure", [0], []]])[
            "experiment_0"
        ]
        | {"shots": n}
        for n in (7, 2, 11, 1)
    }
    found = client.run("singlequdit", job)
    assert [each["header"]["name"] for each in found] == list(job)
    assert [each["data"]["memory"] for each in found] == [[str(n)] * n for n in (7, 2, 11, 1)]
    assert [each["shots"] for each in found] == [7, 2, 11, 1]


TYPES: dict[str, Any] = {
    **dict.fromkeys(("backend_name", "display_name", "description", "backend_version"), str),
    **dict.fromkeys(("n_qubits", "max_shots", "max_experiments", "num_species"), int),
    **dict.fromkeys(("basis_gates", "gates", "supported_instructions"), list),
    **dict.fromkeys(("cold_atom_type", "wire_order", "coupling_map", "url"), str),
    **dict.fromkeys(("simulator", "local", "conditional", "open_pulse", "memory"), bool),
    "dynamic_reprate_enabled": bool,
}


@pytest.mark.parametrize("device", DEVICES)
def test_rule_10_a_configuration_needs_no_token_and_has_all_its_fields(
    client: Client, device: str
) -> None:
    found = client.http.get(f"{V2}/{device}/get_config?anything=goes").json()
    assert {key: type(value) for key, value in found.items()} == TYPES
    full = f"qwicket_{device}_simulator"
    assert (found["backend_name"], found["display_name"]) == (full, device)
    assert found["url"] == f"{client.http.base_url}/qlued/api/v2/{full}/"
    assert found["cold_atom_type"] == ("fermion" if device == "fermions" else "spin")
    assert found["num_species"] == (2 if device == "fermions" else 1)
    assert found["n_qubits"] == dict(zip(DEVICES, (1, 5, 5, 8), strict=True))[device]
    assert (found["max_shots"], found["max_experiments"]) == (1_000_000, 1_000)
    assert (found["simulator"], found["memory"], found["coupling_map"]) == (True, True, "linear")
    assert [gate["name"] for gate in found["gates"]] == found["basis_gates"]
    others = ["barrier", "measure"] if device == "rydberg" else ["load", "barrier", "measure"]
    assert found["supported_instructions"] == found["basis_gates"] + others
    for gate in found["gates"]:
        assert gate.keys() == {"name", "description", "parameters", "qasm_def", "coupling_map"}
        assert len(gate["parameters"]) == 1
        assert gate["qasm_def"] == f"gate {gate['name']}({gate['parameters'][0]}) {{}}"


# --- devices --------------------------------------------------------------------------------------


def test_backends_are_all_devices_as_their_configurations_say(client: Client) -> None:
    found = client.http.get(f"{V2}/backends").json()
    assert found == [client.http.get(f"{V2}/{name}/get_config").json() for name in DEVICES]


def test_a_backend_status_contains_the_queue(client: Client) -> None:
    for name in ("rydberg", "qwicket_rydberg_simulator"):
        assert client.http.get(f"{V2}/{name}/get_backend_status").json() == {
            "backend_name": "qwicket_rydberg_simulator",
            "backend_version": "0.3",
            "operational": True,
            "pending_jobs": 0,
            "status_msg": "",
        }


UNKNOWN = (
    *("nothing", "qwicket_rydberg", "qwicket_rydberg_hardware", "alqor_rydberg_simulator"),
    *("qwicket__simulator", "_", "__", "qwicket_rydberg_simulator_x", "Rydberg", "simulator"),
    *("qwicket_qwicket_rydberg_simulator", "r" * 4_000, "%00", "ryd%00berg", "%2e%2e", "☃"),
)


@for_each("name", UNKNOWN)
def test_an_unknown_device_is_not_found_by_any_route(client: Client, name: str) -> None:
    public = ("get_config", "get_backend_status")
    answers = [client.http.get(f"{V2}/{name}/{route}") for route in public]
    answers += [client.post(name, FLIP), client.status(name, ABSENT), client.result(name, ABSENT)]
    for answer in answers:
        found = status_msg(answer, 404)
        assert (found["status"], found["error_message"]) == ("ERROR", "Unknown back-end!")
        assert found["detail"].startswith("Unknown back-end!")


# --- errors ---------------------------------------------------------------------------------------

DENIED = {
    "job_id": "None",
    "status": "ERROR",
    "detail": "Invalid credentials!",
    "error_message": "Invalid credentials!",
}


def missing(answer: httpx.Response, *where: str) -> None:
    assert answer.status_code == 422, answer.text
    (entry,) = answer.json()["detail"]
    assert entry == {"type": "missing", "loc": list(where), "msg": "Field required"}


def test_errors_come_in_the_order_422_401_404_406(client: Client) -> None:
    nowhere = f"{V2}/nothing"
    for route in ("get_job_status", "get_job_result"):
        missing(client.http.get(f"{nowhere}/{route}?token=x"), "query", "job_id")
        missing(client.http.get(f"{nowhere}/{route}?job_id=x"), "query", "token")
        denied = client.http.get(f"{nowhere}/{route}?job_id=x&token=x")
        assert (denied.status_code, denied.json()) == (401, DENIED)
        status_msg(client.get(f"/nothing/{route}", job_id="x"), 404)
        status_msg(client.get(f"/rydberg/{route}", job_id="x"), 406)
    post = client.http.post
    missing(post(f"{nowhere}/post_job", json={"token": "x"}), "body", "data", "job")
    missing(post(f"{nowhere}/post_job", json={"job": "["}), "body", "data", "token")
    denied = post(f"{nowhere}/post_job", json={"job": "[", "token": "x"})
    assert (denied.status_code, denied.json()) == (401, DENIED)
    status_msg(client.post("nothing", "["), 404)
    found = status_msg(client.post("rydberg", "["), 406)
    assert found["job_id"] == "None"
    assert found["error_message"] == "The encoding of your json seems not work out!"


@for_each(
    "text",
    ["", "{", "[]", "3", "null", '"{}"', "{} {}", "{'a': 1}", "[" * 100_000, '{"a":' * 100_000],
)
def test_a_text_that_is_no_json_object_is_no_job(client: Client, text: str) -> None:
    found = status_msg(client.post("rydberg", text), 406)
    assert found["error_message"] == "The encoding of your json seems not work out!"


@pytest.mark.parametrize("fields", [{"job": {}}, {"job": None}, {"job": 1}, {"token": 7}])
def test_a_field_that_is_no_text_is_422(client: Client, fields: dict[str, Any]) -> None:
    body = {"job": "{}", "token": client.token, **fields}
    answer = client.http.post(f"{V2}/rydberg/post_job", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "data", *fields]


@for_each("job", ["../..", "x" * 4_000, "\0", "☃", "", ABSENT, "%2e%2e/"])
def test_any_text_is_at_most_an_unknown_id(client: Client, job: str) -> None:
    for route in (client.status, client.result):
        assert status_msg(route("rydberg", job), 406) == {
            "job_id": job,
            "status": "ERROR",
            "detail": "Could not find the status file.",
            "error_message": f"Missing status file for {job}.",
        }


def test_a_job_of_another_user_or_device_or_dialect_is_an_unknown_id(
    client: Client, server: LiveServer, http: httpx.Client
) -> None:
    other = Client(client.http, server.token("stranger"))
    job = client.submit("singlequdit", FLIP)
    bell = {"gateset": "qis", "qubits": 1, "circuit": []}
    native = http.post("/v1/jobs", json={"device": "simulator", "program": bell, "shots": 1})
    for asked, device, id_ in (
        (other, "singlequdit", job),
        (client, "rydberg", job),
        (client, "singlequdit", native.json()["id"]),
    ):
        for route in (asked.status, asked.result):
            found = status_msg(route(device, id_), 406)
            assert found["error_message"] == f"Missing status file for {id_}."


def test_a_revoked_token_is_refused_at_once(client: Client, server: LiveServer) -> None:
    account = server.unused("leaver")
    server.token(account)
    token = server.admin("token", "create", "--user", account)
    leaver = Client(client.http, token)
    job = leaver.submit("singlequdit", FLIP)
    for line in server.admin("token", "list", "--user", account).splitlines():
        server.admin("token", "revoke", line.split()[0])
    for answer in (leaver.post("singlequdit", FLIP), leaver.status("singlequdit", job)):
        assert (answer.status_code, answer.json()) == (401, DENIED)


def test_a_device_that_is_off_refuses_jobs_and_says_why(client: Client, server: LiveServer) -> None:
    server.admin("device", "off", "fermions", "--reason", "the magnets are warm")
    try:
        found = client.http.get(f"{V2}/fermions/get_backend_status").json()
        assert (found["operational"], found["status_msg"]) == (False, "the magnets are warm")
        found = status_msg(client.post("fermions", FLIP), 406)
        assert "the magnets are warm" in found["error_message"]
    finally:
        server.admin("device", "on", "fermions")


def test_a_provider_that_is_off_takes_its_devices_along_but_no_job(
    client: Client, server: LiveServer, http: httpx.Client
) -> None:
    job = client.submit("singlequdit", FLIP)
    server.admin("device", "provider", "off", "qwicket")
    try:
        assert client.http.get(f"{V2}/backends").json() == []
        for answer in (
            client.http.get(f"{V2}/singlequdit/get_config"),
            client.http.get(f"{V2}/qwicket_rydberg_simulator/get_backend_status"),
            client.post("singlequdit", FLIP),
            client.status("singlequdit", job),
            client.result("singlequdit", job),
        ):
            assert status_msg(answer, 404)["error_message"] == "Unknown back-end!"
        ended = http.get(f"/v1/jobs/{job}?wait=60").json()
        assert ended["state"] == "completed"
    finally:
        server.admin("device", "provider", "on", "qwicket")
    assert client.ended("singlequdit", job)["results"][0]["data"]["memory"] == ["20"] * 3


def test_a_refused_program_is_a_failed_job_to_the_native_dialect_too(
    client: Client, http: httpx.Client
) -> None:
    job = client.submit("singlequdit", WRONG)
    found = http.get(f"/v1/jobs/{job}").json()
    assert (found["state"], found["started_at"]) == ("failed", None)
    assert "'rly' is not known" in json.dumps(found)
    assert http.get(f"/v1/jobs/{job}/result").status_code == 409
    assert http.get("/v1/jobs?limit=1").json()["jobs"][0]["id"] == job
    assert http.delete(f"/v1/jobs/{job}").status_code == 204
    status_msg(client.status("singlequdit", job), 406)


def test_tokens_in_queries_are_in_no_log(client: Client, server: LiveServer) -> None:
    client.status("rydberg", ABSENT)
    client.get("/rydberg/nothing")
    assert client.token not in server.log.read_text()


# --- old clients, version 3 -----------------------------------------------------------------------


def test_form_fields_and_a_password_are_taken_as_old_clients_send_them(client: Client) -> None:
    form = {"json": json.dumps(FLIP), "username": "x", "password": client.token}
    sent = client.http.post(f"{V2}/singlequdit/post_job/", data=form)
    job = status_msg(sent, 200)["job_id"]
    client.ended("singlequdit", job)
    query = {"json": json.dumps({"job_id": job}), "username": "x", "password": client.token}
    found = client.http.get(f"{V2}/singlequdit/get_job_result/", params=query).json()
    assert found["status"] == "finished"
    assert found["results"][0]["data"]["memory"] == ["20"] * 3
    missing(
        client.http.post(f"{V2}/singlequdit/post_job", data={"json": "{}"}), "body", "data", "token"
    )


def test_version_3_takes_an_object_and_a_token_in_a_header(client: Client) -> None:
    auth = {"Authorization": f"Bearer {client.token}"}
    sent = client.http.post(f"{V3}/singlequdit/post_job", json={"payload": FLIP}, headers=auth)
    job = status_msg(sent, 200)["job_id"]
    client.ended("singlequdit", job)
    where = f"{V3}/singlequdit/get_job_result?job_id={job}"
    found = client.http.get(where, headers=auth).json()
    assert (found["status"], found["results"][0]["data"]["memory"]) == ("DONE", ["20"] * 3)
    for wrong in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Basic {client.token}"}):
        denied = client.http.get(f"{where}&token={client.token}", headers=wrong)
        assert (denied.status_code, denied.json()) == (401, DENIED)
        denied = client.http.post(f"{V3}/singlequdit/post_job", json={"payload": {}}, headers=wrong)
        assert (denied.status_code, denied.json()) == (401, DENIED)
    missing(
        client.http.post(f"{V3}/singlequdit/post_job", json={"job": "{}"}, headers=auth),
        *("body", "data", "payload"),
    )
    text = client.http.post(f"{V3}/rydberg/post_job", json={"payload": "{}"}, headers=auth)
    assert text.status_code == 422


# --- results and the programs of the documentation ------------------------------------------------


def test_a_result_repeats_the_program_and_itself(client: Client) -> None:
    program_ = {"experiment_3": {**FLIP["experiment_0"], "extra": "ignored", "seed": 5}}
    job = client.submit("qwicket_singlequdit_simulator", program_)
    found = client.ended("singlequdit", job)
    (result,) = found.pop("results")
    assert found == {
        "backend_name": "qwicket_singlequdit_simulator",
        "display_name": "singlequdit",
        "backend_version": "0.3",
        "job_id": job,
        "qobj_id": None,
        "success": True,
        "status": "DONE",
        "header": {},
    }
    assert result["header"] == {"name": "experiment_3", "extra metadata": "text"}
    assert result["success"] is True
    assert result["data"]["instructions"] == [
        {"name": "load", "wires": [0], "params": [20.0]},
        {"name": "rlx", "wires": [0], "params": [pi]},
        {"name": "measure", "wires": [0], "params": []},
    ]
    again = client.result("singlequdit", job)
    assert again.content == client.result("singlequdit", job).content


def test_the_same_seed_gives_the_same_memory(client: Client) -> None:
    turn = [["load", [0], [50]], ["rlx", [0], [1.0]], ["measure", [0], []]]
    job = {f"experiment_{n}": program(turn, 50, seed=9)["experiment_0"] for n in range(2)}
    first, second = client.run("singlequdit", job), client.run("singlequdit", job)
    memories = [each["data"]["memory"] for each in (*first, *second)]
    assert memories == [memories[0]] * 4
    assert len(set(memories[0])) > 1


def test_published_programs_read_their_result_once_and_at_once(client: Client) -> None:
    """As in the documentation's notebooks: post, ask for the status, read `results`, no loop."""
    phases = [0.0, 0.5, 1.0]
    job = {}
    for n, phase in enumerate(phases):
        ramsey = [["load", [0], [1]], HALF_TURN, ["rlz", [0], [phase]], HALF_TURN, READ]
        job[f"experiment_{n}"] = program(ramsey, 2_000)["experiment_0"]

    def at_once() -> list[dict[str, Any]] | None:
        id_ = client.post("singlequdit", job).json()["job_id"]
        status = client.status("singlequdit", id_).json()["status"]
        assert status in ("INITIALIZING", "QUEUED", "DONE")
        results: list[dict[str, Any]] | None = (
            client.result("singlequdit", id_).json().get("results")
        )
        return results

    # Not the first time on a busy machine: then a worker's SciPy takes longer than is waited for.
    found = until(at_once, "a program runs straight through", timeout_s=60)
    for phase, each in zip(phases, found, strict=True):
        p = cos(phase / 2) ** 2  # Ramsey's fringe
        compare(each, {"1": p, "0": 1 - p})


def test_rydberg_atoms_block_each_other(client: Client) -> None:
    """`rydberg_full` on two of five wires, as the documentation's notebook writes it."""
    omega, strong = 1.0, 1_000.0
    job = program(
        [["rydberg_full", [0, 1], [omega, 0, strong]], *(["measure", [w], []] for w in (0, 1))],
        2_000,
        num_wires=2,
    )
    (found,) = client.run("rydberg", job)
    one = sin(sqrt(2) * omega / 2) ** 2 / 2  # the blockade's Rabi frequency is larger by sqrt(2)
    compare(found, {"0 0": 1 - 2 * one, "0 1": one, "1 0": one})


def test_a_fermion_hops(client: Client) -> None:
    job = program(
        [["load", [0], []], ["fhop", [0, 1, 2, 3], [0.7]], *(["measure", [w], []] for w in (0, 2))],
        2_000,
        num_wires=4,
        wire_order="interleaved",
    )
    (found,) = client.run("fermions", job)
    compare(found, {"0 1": sin(0.7) ** 2, "1 0": cos(0.7) ** 2})


def test_spins_exchange(client: Client) -> None:
    turn = [["rlx", [0], [pi]], ["rlxly", [0, 1], [0.4]]]
    job = program([*turn, *(["measure", [w], []] for w in (0, 1))], 2_000, num_wires=2)
    (found,) = client.run("multiqudit", job)
    compare(found, {"0 1": sin(0.4) ** 2, "1 0": cos(0.4) ** 2})


def compare(found: Mapping[str, Any], exact: Mapping[str, float]) -> None:
    shots = found["shots"]
    assert len(found["data"]["memory"]) == shots
    counts = {key: n / shots for key, n in found["data"]["counts"].items()}
    assert distance(counts, exact) < bound(exact, shots)
    assert all(found["data"]["memory"].count(key) == round(n * shots) for key, n in counts.items())
