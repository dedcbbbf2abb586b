"""Hostile requests in IBM's dialect: the response is a job, a page or an error in its shape."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from abuse.dialects import harmless, ibm_json
from abuse.odd_values import NO_JSON, ODD, matters
from qwicket.vendors.ibm.dialect import wire
from qwicket.vendors.ibm.dialect.routes import ROUTES
from support.for_each import for_each
from support.ibm import DIALECT, SIMULATOR, Client, qobj
from support.pairwise import by_row, pairs
from support.server import LiveServer

pytestmark = pytest.mark.extended

ABSENT = "0197a0b0-0000-7000-8000-000000000000"
IDS = {
    "absent": ABSENT,
    "part of one": "0197a0b0-0000-7000-8000-000000000001",
    "NUL": "a%00b",
    "dots": "%2e%2e",
    "slash": "a%2fb",
    "4000 characters": "x" * 4_000,
    "SQL": "'; drop table job; --",
    "braces": "{0.__class__}",
    "percent": "%25n%25s",
    "no UTF-8": "%ff%fe",
    "snowmen": "%E2%98%83" * 200,
    "number": "9" * 400,
}
SCOPES = ("", "/Network/qwicket/Groups/open/Projects/hostile", "/Network/%00/Groups/x/Projects/y")


@pytest.fixture(scope="module")
def ibm(server: LiveServer) -> Iterator[Client]:
    with httpx.Client(base_url=server.url, timeout=60, verify=False) as http:
        yield Client(http, server.token("hostile"))


def routes() -> list[tuple[str, str]]:
    """Return method and path of every route except websockets, as the dialect declares them."""
    return [(route.method, route.path) for route in ROUTES]


PUBLIC = {"/version", "/users/login", "/users/loginwithtoken"}


@for_each("method, path", routes())
def test_every_route_wants_a_sign_in(ibm: Client, method: str, path: str) -> None:
    url = DIALECT + path.format(id=ABSENT, device=SIMULATOR, signature="x.y.z")
    for headers in ({}, {"X-Access-Token": "x.y.z"}, {"Authorization": "Bearer x"}):
        answer = ibm.http.request(method, url, headers=headers)
        is_queue = path.endswith("/queue/status")  # public, but a wrong token is refused
        if path == "/version" or (is_queue and "X-Access-Token" not in headers):
            assert answer.status_code == 200
            continue
        refusals = (400,) if path in PUBLIC else (401, 403)
        assert answer.status_code in refusals, answer.text
        ibm_json(answer)


@for_each("way, name", pairs([way for way in routes() if "{" in way[1]], IDS, always={"NUL"}))
def test_a_hostile_name_is_an_unknown_one(ibm: Client, way: tuple[str, str], name: str) -> None:
    (method, path), id_text = way, IDS[name]
    at = path.format(id=id_text, device=id_text, signature=id_text)
    for scope in SCOPES:
        body = {"name": "x"} if method == "PUT" else None
        answer = ibm.call(method, scope + at, json=body)
        harmless(answer)
        assert answer.is_client_error, (answer.status_code, answer.text[:200])
        ibm_json(answer)


@pytest.mark.parametrize("scope", SCOPES[1:])
def test_hostile_scopes_end_in_its_shape(ibm: Client, scope: str) -> None:
    for path in ("", "/", "/v/1", "/users/me", "/nothing"):
        answer = ibm.call("GET", scope + path)
        assert answer.status_code == 404
        ibm_json(answer)


@for_each("text", NO_JSON.values())
def test_what_is_no_json_is_refused_wherever_a_body_is_read(ibm: Client, text: bytes) -> None:
    body = b'{"backend":{"name":"qwicket_simulator"},"qObject":' + text + b"}"
    answer = ibm.call("POST", "/jobs", content=body)
    harmless(answer)
    assert answer.is_client_error
    ibm_json(answer)
    for path in ("/users/login", "/users/loginWithToken"):
        answer = ibm.http.post(DIALECT + path, content=text)
        assert answer.status_code == 400
        ibm_json(answer)


FIELDS = {field.encode_name: field.type for field in msgspec.structs.fields(wire.JobBody)}
FIELDS["backend.name"] = str


@for_each("field, text", pairs(FIELDS, ODD, keep=lambda field, text: matters(text, FIELDS[field])))
def test_an_odd_value_of_a_field_is_taken_or_refused(ibm: Client, field: str, text: str) -> None:
    values = {
        "backend": b'{"name":"qwicket_simulator"}',
        "qObject": json.dumps(qobj(shots=1)).encode(),
    }
    if field == "allowObjectStorage":
        del values["qObject"]
    value = ODD[text]
    values[field.partition(".")[0]] = b'{"name":' + value + b"}" if "." in field else value
    pairs = (json.dumps(name).encode() + b":" + value for name, value in values.items())
    answer = ibm.call("POST", "/jobs", content=b"{" + b",".join(pairs) + b"}")
    harmless(answer)
    if answer.status_code != 200:
        ibm_json(answer)
        return
    job = answer.json()["id"]
    harmless(ibm.call("GET", f"/jobs/{job}"))
    ibm.call("POST", f"/jobs/{job}/cancel")


IN_PROGRAMS: dict[str, Any] = {
    "header": dict[str, Any],
    "config.shots": int,
    "config.memory": bool,
    "experiments": list[Any],
}
"""Places in a program, and the values there."""


@for_each(
    "place, text",
    pairs(IN_PROGRAMS, ODD, keep=lambda place, text: matters(text, IN_PROGRAMS[place])),
)
def test_an_odd_value_in_a_program_is_taken_or_refused(ibm: Client, place: str, text: str) -> None:
    mark = "here-it-is"
    program = qobj(shots=1)
    if "." in place:
        program["config"][place.partition(".")[2]] = mark
    else:
        program[place] = mark
    whole = json.dumps(program).encode().replace(f'"{mark}"'.encode(), ODD[text])
    draft = ibm.draft()
    sent = ibm.http.put(draft["objectStorageInfo"]["uploadUrl"], content=whole)
    assert sent.status_code == 200
    told = ibm.call("POST", f"/jobs/{draft['id']}/jobDataUploaded")
    harmless(told)
    assert told.status_code == 200
    if "error" not in told.json()["job"]:
        assert ibm.ended(draft["id"])["status"] == "COMPLETED"
        url = ibm.get(f"/jobs/{draft['id']}/resultDownloadUrl")["url"]
        assert ibm.http.get(url).status_code == 200


@pytest.mark.parametrize(
    ("field", "texts"),
    by_row(pairs(["name", "tags"], ODD, keep=lambda field, text: matters(text, FIELDS[field]))),
)
def test_an_odd_name_is_taken_or_refused(
    subtests: pytest.Subtests, ibm: Client, field: str, texts: list[str]
) -> None:
    for text in texts:
        with subtests.test(text):
            job = ibm.draft()["id"]
            body = b'{"' + field.encode() + b'":' + ODD[text] + b"}"
            answer = ibm.call("PUT", f"/jobs/{job}", content=body)
            harmless(answer)
            if answer.status_code != 200:
                ibm_json(answer)
            harmless(ibm.call("GET", f"/jobs/{job}"))
            ibm.call("POST", f"/jobs/{job}/cancel")


@for_each("text", ODD.values())
def test_an_odd_filter_is_taken_or_refused(ibm: Client, text: bytes) -> None:
    for asked in (text, b'{"where":' + text + b"}", b'{"where":{"name":' + text + b"}}"):
        if len(asked) > 10_000:
            continue  # no head is that large
        answer = ibm.call("GET", "/jobs/status", params={"filter": asked})
        harmless(answer)
        assert answer.status_code in (200, 400)
    answer = ibm.call("GET", f"/backends/{SIMULATOR}/properties", params={"filter": text[:10_000]})
    harmless(answer)


def test_headers_of_the_client_are_taken_whatever_they_are(ibm: Client) -> None:
    for text in ("", "/", "a/b/c/d", "x" * 60_000, "ibmqprovider/0.4.", "é/ü"):
        headers = {"X-Qx-Client-Application": text.encode("latin-1")}
        answer = ibm.call("POST", "/jobs", headers=headers, json=body())
        assert answer.status_code == 200
        info = ibm.get(f"/jobs/{answer.json()['id']}").get("clientInfo", {})
        assert len(info.get("name", "")) <= 512


def body() -> dict[str, Any]:
    return {"backend": {"name": SIMULATOR}, "qObject": qobj(shots=1)}
