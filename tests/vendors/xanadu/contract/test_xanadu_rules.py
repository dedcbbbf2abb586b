"""What Xanadu Cloud's clients rely on, over plain HTTP, each rule a test of its name.

What the clients do was seen by running them: xanadu-cloud-client 0.3.2, strawberryfields 0.23.0
over it, and strawberryfields 0.18.0 with a client of its own.
"""

from __future__ import annotations

import io
import re
import uuid
from collections.abc import Iterator
from datetime import datetime, time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from qwicket.vendors.xanadu.dialect.routes import ROUTES
from support.described import described_by
from support.for_each import for_each
from support.held import held_job
from support.server import LiveServer
from support.waiting import until
from support.xanadu import TOKEN_PATH, Caller, fetch_access_token, held_circuit, pair

KEYS = {
    "id", "name", "status", "target", "language", "created_at", "started_at", "finished_at",
    "running_time", "meta",
}  # fmt: skip
DEVICES = ["X8_01", "simulon_gaussian", "tdm_small"]
KNOWN = ["/healthz", "/devices", "/devices/X8_01", "/jobs", "/jobs/x", "/jobs/x/result", "/auth/x"]


@pytest.fixture(scope="module")
def http(server: LiveServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def caller(server: LiveServer, http: httpx.Client) -> Caller:
    return Caller(http, server.token())


def grant(http: httpx.Client, **form: str) -> httpx.Response:
    return http.post(TOKEN_PATH, data=form)


def error(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check a refusal's shape; return its `meta`."""
    body = answer.json()
    assert body.keys() == {"status", "status_code", "code", "detail", "meta"}
    assert answer.status_code == body["status"] == body["status_code"] == status, body
    assert body["code"] == code
    assert isinstance(body["detail"], str)
    meta: dict[str, Any] = body["meta"]
    assert all(isinstance(text, str) for texts in meta.values() for text in texts)
    return meta


def invalid(answer: httpx.Response, field: str) -> str:
    """Check that a field was refused as the client shows it; return the text."""
    meta = error(answer, 400, "validation-error")
    assert list(meta) == [field], meta
    (text,) = meta[field]
    assert text == answer.json()["detail"]
    return str(text)


def test_the_answer_of_every_route_is_as_described(server: LiveServer) -> None:
    """The answers in the other tests are held to the description, too."""
    with httpx.Client(base_url=server.url, timeout=60) as http:
        mine = Caller(http, server.token())
        for path in ("/healthz", "/devices"):
            mine.call("GET", path)
        for target in DEVICES:
            for path in ("", "/specification", "/certificate"):
                mine.call("GET", f"/devices/{target}{path}")
        job = mine.done(pair(), name="described")
        mine.call("GET", f"/jobs/{job}/circuit")
        mine.call("GET", "/jobs")
        assert mine.described.checked == described_by(ROUTES)


# --- passes ---------------------------------------------------------------------------------------


def test_a_token_is_traded_for_a_pass(server: LiveServer, http: httpx.Client) -> None:
    answer = grant(
        http, grant_type="refresh_token", refresh_token=server.token(), client_id="public"
    )
    body = answer.json()
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert body["refresh_token"] == server.token() != body["access_token"]
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 300)
    assert body["access_token"].isascii()


@for_each("path", KNOWN)
def test_without_a_pass_nothing_is_answered(http: httpx.Client, path: str) -> None:
    answer = http.get(path)
    error(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


@for_each("path", KNOWN)
@for_each("scheme", ["Bearer", "bearer", "apiKey"])
def test_a_token_is_no_pass(server: LiveServer, http: httpx.Client, path: str, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {server.token()}"}
    error(http.get(path, headers=headers), 401, "unauthorized")


def test_a_pass_opens_the_dialect(caller: Caller) -> None:
    assert caller.call("GET", "/healthz").status_code == 200
    assert caller.call("GET", "/healthz", headers={"Accept-Version": "0.1.0"}).status_code == 200


@pytest.mark.parametrize("token", ["qw_" + "a" * 43, "x", "\N{SNOWMAN}", "a" * 10_000])
def test_a_wrong_token_is_an_invalid_grant(http: httpx.Client, token: str) -> None:
    answer = grant(http, grant_type="refresh_token", refresh_token=token, client_id="public")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("form", "word"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"refresh_token": "x"}, "invalid_request"),
        ({"grant_type": "password", "refresh_token": "x"}, "unsupported_grant_type"),
    ],
)
def test_a_malformed_form_is_reported(http: httpx.Client, form: dict[str, str], word: str) -> None:
    answer = grant(http, **form)
    assert (answer.status_code, answer.json()["error"]) == (400, word)


def test_a_revoked_token_gives_no_pass_and_ends_those_it_gave(
    server: LiveServer, http: httpx.Client
) -> None:
    token = server.token("brief")
    mine = Caller(http, token)
    assert mine.call("GET", "/healthz").status_code == 200
    listed = server.admin("token", "list", "--user", "brief")
    (number,) = re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", listed)
    server.admin("token", "revoke", number)
    error(mine.call("GET", "/healthz"), 401, "unauthorized")
    answer = grant(http, grant_type="refresh_token", refresh_token=token)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_a_pass_expires_and_can_be_renewed(tmp_path: Path) -> None:
    server = LiveServer(tmp_path, "--access-token-s", "1")
    try:
        with httpx.Client(base_url=server.url, timeout=60) as http:
            mine = Caller(http, server.token())
            until(lambda: mine.call("GET", "/healthz").status_code == 401, "the pass expires")
            assert Caller(http, server.token()).call("GET", "/healthz").status_code == 200
    finally:
        server.stop()


# --- devices --------------------------------------------------------------------------------------


def test_devices_are_listed_with_their_hours(caller: Caller) -> None:
    body = caller.call("GET", "/devices").json()
    assert [device["target"] for device in body["data"]] == DEVICES
    for device in body["data"]:
        assert device == caller.call("GET", f"/devices/{device['target']}").json()
        assert device.keys() == {"target", "status", "created_at", "expected_uptime"}
        assert device["status"] == "online"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", device["created_at"])
        assert len(device["expected_uptime"]) == 7
        for up, down in device["expected_uptime"].values():
            assert time.fromisoformat(up) < time.fromisoformat(down)
    assert caller.call("GET", "/devices?status=offline").json() == {"data": []}


@pytest.mark.parametrize("target", DEVICES)
def test_a_specification_has_what_is_compiled_against(caller: Caller, target: str) -> None:
    found = caller.call("GET", f"/devices/{target}/specifications").json()
    assert found.keys() == {"target", "layout", "modes", "compiler", "gate_parameters"}
    assert found["target"] == target
    assert found == caller.call("GET", f"/devices/{target}/specification").json()
    assert re.findall(r"target (\w+)", found["layout"]) in ([], [target])
    assert {*re.findall(r"{(\w+)}", found["layout"])} == {*found["gate_parameters"]}
    certificate = caller.call("GET", f"/devices/{target}/certificate").json()
    assert isinstance(certificate, dict)


@for_each("path", ["", "/specifications", "/specification", "/certificate"])
@for_each("target", ["x8_01", "simulator", "a" * 4_000, "%00", "é", "X8_01%2F"])
def test_an_unknown_device_is_not_found(caller: Caller, target: str, path: str) -> None:
    error(caller.call("GET", f"/devices/{target}{path}"), 404, "not-found")


def test_a_device_that_is_off_takes_no_jobs(server: LiveServer, caller: Caller) -> None:
    server.admin("device", "off", "X8_01", "--reason", "cleaning")
    try:
        assert caller.call("GET", "/devices/X8_01").json()["status"] == "offline"
        refused = caller.post("S2gate(1) | [0, 4]\nMeasureFock() | [0, 4]", target="X8_01")
        assert error(refused, 503, "device-off") == {}
        assert "cleaning" in refused.json()["detail"]
    finally:
        server.admin("device", "on", "X8_01")


# --- submission -----------------------------------------------------------------------------------


def test_a_submission_is_answered_with_201_and_every_key(caller: Caller) -> None:
    answer = caller.post(pair(), name="example")
    body = answer.json()
    assert (answer.status_code, body.keys()) == (201, KEYS)
    assert str(uuid.UUID(body["id"])) == body["id"]
    assert (body["name"], body["status"]) == ("example", "open")
    assert (body["target"], body["language"]) == ("simulon_gaussian", "blackbird:1.0")
    assert body["started_at"] is body["finished_at"] is body["running_time"] is None
    ended = caller.ended(body["id"])
    assert ended.keys() == KEYS
    assert (ended["status"], ended["meta"]) == ("complete", {})
    created, started, finished = (
        datetime.fromisoformat(ended[key]) for key in ("created_at", "started_at", "finished_at")
    )
    assert created <= started <= finished
    assert ended["running_time"] == pytest.approx((finished - started).total_seconds(), abs=2e-3)


def test_a_circuit_alone_says_its_target_and_has_no_name(caller: Caller) -> None:
    answer = caller.call("POST", "/jobs", json={"circuit": pair()})
    body = answer.json()
    assert (answer.status_code, body["target"], body["name"]) == (201, "simulon_gaussian", None)


@pytest.mark.parametrize("name", [None, "", "é" * 255])
def test_a_name_comes_back_as_it_was(caller: Caller, name: str | None) -> None:
    assert caller.read(caller.submit(pair(), name=name))["name"] == name


CIRCUIT = "MeasureFock() | 0"
MANY = "target simulon_gaussian (shots=700000)\n"
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"circuit": ""}, "circuit", "must not be empty"),
    ({"circuit": None}, "circuit", "^circuit must be a text, not null.$"),
    ({"circuit": 5}, "circuit", "^circuit must be a text, not 5.$"),
    ({"circuit": "Sgate(1 | 0\nMeasureFock() | 0"}, "circuit", "line 1"),
    ({"circuit": "name x\n\n\nNogate() | 0"}, "circuit", "line 4: .*'Nogate' is not known"),
    ({"circuit": "Vacuum() | 0"}, "circuit", "measures nothing"),
    ({"circuit": "target simulon_gaussian (shots=0)\n" + CIRCUIT}, "circuit", "line 1: shots"),
    ({"circuit": "target simulon_gaussian (shots=2000000)\n" + CIRCUIT}, "circuit", "limit shots"),
    ({"circuit": "MeasureFock() | 0\0"}, "circuit", "NUL"),
    ({"circuit": "Sgate(1) | 0\nMeasureFock() | 0", "target": "X8_01"}, "circuit", "of its layout"),
    ({"circuit": "MeasureFock() | 65", "target": "tdm_small"}, "circuit", "66 modes, tdm_small"),
    (
        {"circuit": MANY + "MeasureHD | [0, 1, 2, 3, 4, 5, 6, 7, 8]"},
        "circuit",
        "limit result_bytes",
    ),
    ({"circuit": "Sgate(9) | 0\n" + CIRCUIT}, "circuit", "the limit 'squeezing' is 2.5"),
    ({"target": "X9"}, "target", "no device X9"),
    ({"target": "simulator"}, "target", "no device simulator"),
    ({"target": ""}, "target", "must name a device"),
    ({"target": None}, "target", "must name a device"),
    ({"target": 5}, "target", "^target must be a text, not 5.$"),
    ({"target": "t" * 4_000}, "target", "no device"),
    ({"target": "X8_01", "circuit": pair()}, "target", 'for "simulon_gaussian", the job for'),
    ({"language": "openqasm:2"}, "language", r"blackbird:1 or blackbird:1\.N, not"),
    ({"language": ""}, "language", r"blackbird:1 or blackbird:1\.N, not"),
    ({"language": "blackbird:1.0\n"}, "language", r"blackbird:1 or blackbird:1\.N, not"),
    ({"name": "n" * 256}, "name", "limit name_chars"),
    ({"name": 5}, "name", "^name must be a text, not 5.$"),
]


@pytest.mark.parametrize(("fields", "field", "text"), REFUSED)
def test_a_wrong_field_is_named_where_the_client_shows_it(
    caller: Caller, fields: dict[str, Any], field: str, text: str
) -> None:
    said = invalid(caller.post(**{"circuit": CIRCUIT, **fields}), field)
    assert re.search(text, said), said


@for_each("content", [b"", b"{", b"[]", b"null", b"\xff", b'"x"', b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(caller: Caller, content: bytes) -> None:
    assert error(caller.call("POST", "/jobs", content=content), 400, "invalid-request") == {}


def test_a_body_without_a_circuit_is_refused(caller: Caller) -> None:
    assert invalid(caller.call("POST", "/jobs", json={"target": "X8_01"}), "circuit")


def test_other_versions_of_the_language_are_taken(caller: Caller) -> None:
    job = caller.submit(pair(), language="blackbird:1.2")
    assert caller.read(job)["language"] == "blackbird:1.2"


# --- lists ----------------------------------------------------------------------------------------


def listed(caller: Caller, query: str) -> list[str]:
    body = caller.call("GET", f"/jobs?{query}").json()
    assert all(job.keys() == KEYS for job in body["data"])
    return [job["id"] for job in body["data"]]


def test_a_list_is_newest_first_and_can_be_filtered(server: LiveServer, http: httpx.Client) -> None:
    mine = Caller(http, server.token(server.unused("lister")))
    jobs = [mine.done(pair(1)) for _ in range(12)]
    newest = jobs[::-1]
    assert listed(mine, "") == newest[:10]
    assert listed(mine, "size=3") == newest[:3]
    assert listed(mine, "size=1000") == newest
    assert listed(mine, "status=complete&size=2") == newest[:2]
    assert listed(mine, "status=failed") == listed(mine, "status=open") == []
    assert listed(mine, f"size=3&id={jobs[1]}&id=x&id={jobs[4]}&id={jobs[1]}") == [jobs[4], jobs[1]]
    assert listed(mine, f"size=1&id={jobs[1]}&id={jobs[4]}") == [jobs[4]]
    assert listed(mine, f"id={jobs[1]}&status=failed") == []
    assert listed(mine, f"id={'9' * 4_000}") == []


@for_each("query", ["size=0", "size=1001", "size=-1", "size=x", "size=", "size=²"])
def test_a_wrong_size_is_refused(caller: Caller, query: str) -> None:
    assert "list_page" in invalid(caller.call("GET", f"/jobs?{query}"), "size")


@pytest.mark.parametrize("word", ["completed", "", "OPEN", "x" * 4_000])
def test_an_unknown_status_is_refused(caller: Caller, word: str) -> None:
    assert "cancel_pending" in invalid(caller.call("GET", f"/jobs?status={word}"), "status")


def test_ids_are_limited_in_number(caller: Caller) -> None:
    query = "&".join(["id=x"] * 1_001)
    assert "list_page" in invalid(caller.call("GET", f"/jobs?{query}"), "id")


# --- circuit and result ---------------------------------------------------------------------------


def test_a_circuit_comes_back_byte_for_byte(caller: Caller) -> None:
    text = "\ufeff# é \U0001f600\r\n" + pair().replace("\n", "\r\n") + "\t \n\n"
    job = caller.submit(text)
    assert caller.call("GET", f"/jobs/{job}/circuit").json() == {"circuit": text}


def test_a_long_circuit_comes_back_byte_for_byte(caller: Caller) -> None:
    text = pair() + "# é \U0001f600\n" * 80_000
    job = caller.submit(text)
    assert caller.call("GET", f"/jobs/{job}/circuit").json() == {"circuit": text}


def test_a_result_is_an_archive_or_a_bare_array(caller: Caller) -> None:
    job = caller.done(pair(100))
    answer = caller.call("GET", f"/jobs/{job}/result")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert int(answer.headers["content-length"]) == len(answer.content)
    samples = caller.samples(job)
    assert (samples.shape, samples.dtype) == ((100, 2), np.dtype(np.int64))
    assert (samples[:, 0] == samples[:, 1]).all()
    assert samples.any()
    bare = caller.call("GET", f"/jobs/{job}/result", headers={"Accept": "application/x-numpy"})
    assert (np.load(io.BytesIO(bare.content), allow_pickle=False) == samples).all()


@pytest.mark.parametrize(
    ("measure", "dtype"),
    [
        ("MeasureFock() | [0, 1]", np.int64),
        ("MeasureThreshold() | [1, 0]", np.int64),
        ("MeasureX | 0\nMeasureP | 1", np.float64),
        ("MeasureHD | [0, 1]", np.complex128),
    ],
)
def test_samples_are_shots_by_modes_in_their_own_type(
    caller: Caller, measure: str, dtype: type
) -> None:
    head = "target simulon_gaussian (shots=3)\n"
    samples = caller.samples(caller.done(f"{head}S2gate(0.5) | [0, 1]\n{measure}"))
    assert (samples.shape, samples.dtype) == ((3, 2), np.dtype(dtype))


def test_time_bins_are_a_third_dimension(caller: Caller) -> None:
    text = "target tdm_small (shots=5)\ntype tdm (temporal_modes=4)\nfloat array p0 =\n  0,1,2,3\n"
    job = caller.done(f"{text}Sgate(1) | 1\nBSgate(p0) | (1, 0)\nMeasureX | 0", target="tdm_small")
    assert caller.samples(job).shape == (5, 1, 4)


def test_a_failed_job_says_why_and_has_no_result(caller: Caller) -> None:
    many = "\n".join(f"Squeezed(2) | {mode}" for mode in range(4))
    mixed = "\n".join(f"BSgate() | [{mode}, {mode + 1}]" for mode in range(3))
    job = caller.submit(f"{many}\n{mixed}\nMeasureFock() | [0, 1, 2, 3]")
    ended = caller.ended(job)
    assert ended["status"] == "failed"
    assert ended["meta"].keys() == {"error-code", "error-detail"}
    assert "mean photons" in ended["meta"]["error-detail"]
    answer = caller.call("GET", f"/jobs/{job}/result")
    assert error(answer, 404, "not-found") == {}
    assert "mean photons" in answer.json()["detail"]


def test_a_limit_that_an_operator_sets_reaches_the_engine(tmp_path: Path) -> None:
    server = LiveServer(tmp_path, "--limit", "pair_photons=1", "--limit", "squeezing=1.5")
    try:
        with httpx.Client(base_url=server.url, timeout=60) as http:
            mine = Caller(http, server.token())
            said = mine.ended(mine.submit(pair()))["meta"]["error-detail"]
            assert "the limit 'pair_photons' is 1" in said
            refused = invalid(mine.post("Sgate(1.6) | 0\nMeasureFock() | 0"), "circuit")
            assert "the limit 'squeezing' is 1.5" in refused
    finally:
        server.stop()


# --- cancel ---------------------------------------------------------------------------------------


def cancel(caller: Caller, job: str) -> httpx.Response:
    return caller.call("PATCH", f"/jobs/{job}", json={"status": "cancelled"})


def test_a_running_job_is_queued_until_its_cancel_has_come_through(caller: Caller) -> None:
    job = caller.submit(held_circuit(held_job()))
    found = until(lambda: (body := caller.read(job))["started_at"] and body, "the job runs")
    assert (found["status"], found["finished_at"]) == ("queued", None)
    assert job in listed(caller, "status=queued")
    error(caller.call("GET", f"/jobs/{job}/result"), 404, "not-found")
    for _ in range(2):
        answer = cancel(caller, job)
        assert (answer.status_code, answer.content) == (204, b"")
        assert caller.read(job)["status"] in ("cancel_pending", "cancelled")
    assert caller.ended(job)["status"] == "cancelled"
    assert cancel(caller, job).status_code == 204
    error(caller.call("GET", f"/jobs/{job}/result"), 404, "not-found")


def test_cancelling_what_has_ended_changes_nothing(caller: Caller) -> None:
    job = caller.done(pair())
    before = caller.read(job)
    assert cancel(caller, job).status_code == 204
    assert caller.read(job) == before


@for_each("status", ["complete", "canceled", "", None, 5])
def test_nothing_else_can_be_set(caller: Caller, status: Any) -> None:
    job = caller.done(pair())
    invalid(caller.call("PATCH", f"/jobs/{job}", json={"status": status}), "status")


# --- other people, other paths --------------------------------------------------------------------


def test_other_peoples_jobs_are_not_there(
    server: LiveServer, http: httpx.Client, caller: Caller
) -> None:
    job, stranger = caller.done(pair()), Caller(http, server.token("stranger"))
    for path in ("", "/circuit", "/result"):
        error(stranger.call("GET", f"/jobs/{job}{path}"), 404, "not-found")
    error(cancel(stranger, job), 404, "not-found")
    assert listed(stranger, f"id={job}") == []
    assert job not in listed(stranger, "size=1000")


def test_jobs_of_other_dialects_are_not_there(server: LiveServer, caller: Caller) -> None:
    with server.client() as native:
        body = {"device": "simulon_gaussian", "format": "blackbird", "program": pair(), "shots": 3}
        job = native.post("/v1/jobs", json={**body, "outputs": ["samples"]}).json()["id"]
    error(caller.call("GET", f"/jobs/{job}"), 404, "not-found")
    assert listed(caller, f"id={job}") == []


@for_each(
    "path", ["/jobs/x/y", "/jobs/x/result/z", "/devices/a/b", "/jobs/", "/auth/realms", "/jobs//"]
)
def test_a_path_that_is_none_is_not_found(caller: Caller, path: str) -> None:
    error(caller.call("GET", path), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/healthz", "GET, HEAD"),
        ("DELETE", "/jobs", "GET, POST, HEAD"),
        ("PUT", "/jobs/x", "GET, PATCH, HEAD"),
        ("PATCH", "/devices", "GET, HEAD"),
    ],
)
def test_a_405_lists_the_allowed_methods(
    caller: Caller, method: str, path: str, allowed: str
) -> None:
    answer = caller.call(method, path)
    error(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == allowed


def test_scopes_are_kept(server: LiveServer, http: httpx.Client) -> None:
    server.token("reader")
    made = server.admin("token", "create", "--user", "reader", "--scope", "jobs:read")
    reader = Caller(http, made)
    assert listed(reader, "") == []
    error(reader.post(pair()), 403, "forbidden")
    error(reader.call("GET", "/devices"), 403, "forbidden")


def test_two_access_tokens_of_a_token_are_valid_at_once(
    server: LiveServer, http: httpx.Client
) -> None:
    first, second = (fetch_access_token(http, server.token()) for _ in range(2))
    for each in (first, second):
        headers = {"Authorization": f"Bearer {each}"}
        assert http.get("/healthz", headers=headers).status_code == 200
