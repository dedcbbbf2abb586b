"""Hostile requests in the classic Runtime dialect: a job, a page or an error in its shape."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from abuse.dialects import harmless, ibm_json, routes
from abuse.odd_values import NO_JSON, ODD, matters
from qwicket.vendors.ibm.dialect.runtime import wire
from support import pubs
from support.for_each import for_each
from support.ibm import SIMULATOR, TWIN
from support.pairwise import by_row, pairs
from support.runtime import DIALECT, Client, body
from support.server import LiveServer
from vendors.ibm.abuse.test_ibm_dialect import ABSENT, IDS

pytestmark = pytest.mark.extended

WAYS = [
    (method, path)
    for path, methods in routes(DIALECT).items()
    for method in sorted(methods - {"HEAD"})
]


@pytest.fixture(scope="module")
def runtime(server: LiveServer) -> Iterator[Client]:
    with httpx.Client(base_url=server.url, timeout=60, verify=False) as http:
        yield Client(http, server.token("hostile-runtime"))


@for_each("method, path", WAYS)
def test_every_route_wants_a_sign_in(runtime: Client, method: str, path: str) -> None:
    url = DIALECT + path.format(id=ABSENT, device=SIMULATOR)
    for headers in ({}, {"X-Access-Token": "x.y.z"}, {"Authorization": "Bearer x"}):
        answer = runtime.http.request(method, url, headers=headers)
        assert answer.status_code == 401, answer.text
        assert answer.headers["www-authenticate"] == "X-Access-Token"
        ibm_json(answer)


@for_each("way, name", pairs([way for way in WAYS if "{" in way[1]], IDS, always={"NUL"}))
def test_a_hostile_name_is_an_unknown_one(runtime: Client, way: tuple[str, str], name: str) -> None:
    (method, path), id_text = way, IDS[name]
    sent = {"PUT": {"tags": []}, "PATCH": {"accepting_jobs": False}}.get(method)
    answer = runtime.call(method, path.format(id=id_text, device=id_text), json=sent)
    harmless(answer)
    assert answer.status_code in (404, 405), (answer.status_code, answer.text[:200])
    ibm_json(answer)


@for_each("text", NO_JSON.values())
def test_what_is_no_json_is_refused_wherever_a_body_is_read(runtime: Client, text: bytes) -> None:
    params = b'{"program_id":"sampler","backend":"qwicket_simulator","params":' + text + b"}"
    for path, sent in (("/jobs", params), ("/jobs", text), ("/sessions", text)):
        answer = runtime.call("POST", path, content=sent)
        harmless(answer)
        assert answer.is_client_error
        ibm_json(answer)


def taken_or_refused(runtime: Client, fields: dict[str, bytes]) -> None:
    pairs = (json.dumps(name).encode() + b":" + value for name, value in fields.items())
    answer = runtime.call("POST", "/jobs", content=b"{" + b",".join(pairs) + b"}")
    harmless(answer)
    if answer.status_code != 200:
        ibm_json(answer)
        return
    job = answer.json()["id"]
    for path in ("", "/metrics", "/logs"):
        harmless(runtime.call("GET", f"/jobs/{job}{path}"))
    runtime.ended(job)
    harmless(runtime.call("GET", f"/jobs/{job}/results"))


SOUND = {name: json.dumps(value).encode() for name, value in body().items()}
FIELDS = {field.encode_name: field.type for field in msgspec.structs.fields(wire.RunBody)}


@for_each("field, text", pairs(FIELDS, ODD, keep=lambda field, text: matters(text, FIELDS[field])))
def test_an_odd_value_of_a_field_is_taken_or_refused(
    runtime: Client, field: str, text: str
) -> None:
    taken_or_refused(runtime, {**SOUND, field: ODD[text]})


PLACES: dict[str, Any] = {
    "pubs": lambda mark: {**pubs.params(), "pubs": mark},
    "pub": lambda mark: pubs.params(mark),
    "circuit": lambda mark: pubs.params([mark]),
    "packed circuit": lambda mark: pubs.params([pubs.typed("QuantumCircuit", mark)]),
    "values": lambda mark: pubs.params([pubs.circuit(pubs.bell()), mark]),
    "shots": lambda mark: pubs.params([pubs.circuit(pubs.bell()), None, mark]),
    "default shots": lambda mark: pubs.params([pubs.circuit(pubs.bell())], default_shots=mark),
    "options": lambda mark: {**pubs.params([pubs.circuit(pubs.bell())]), "options": mark},
    "seed": lambda mark: pubs.params(
        [pubs.circuit(pubs.bell())], simulator={"seed_simulator": mark}
    ),
    "version": lambda mark: {**pubs.params([pubs.circuit(pubs.bell())]), "version": mark},
}
TYPES: dict[str, Any] = {
    "pubs": list[Any],
    "pub": list[Any],
    "circuit": dict[str, Any],
    "packed circuit": str,
    "values": list[Any] | dict[str, Any],
    "shots": int,
    "default shots": int,
    "options": dict[str, Any],
    "seed": int,
    "version": int,
}
"""The values in each place."""


@for_each("place, text", pairs(PLACES, ODD, keep=lambda place, text: matters(text, TYPES[place])))
def test_an_odd_value_in_a_sampler_is_taken_or_refused(
    runtime: Client, place: str, text: str
) -> None:
    mark = "here-it-is"
    whole = json.dumps(PLACES[place](mark)).encode().replace(f'"{mark}"'.encode(), ODD[text])
    taken_or_refused(runtime, {**SOUND, "params": whole})


IN_ESTIMATORS: dict[str, Any] = {
    "observables": list[Any] | dict[str, Any] | str,
    "coefficient": float,
    "precision": float,
}
"""Places in an estimator's input, and the values there."""


@pytest.mark.parametrize(
    ("place", "texts"),
    by_row(pairs(IN_ESTIMATORS, ODD, keep=lambda at, text: matters(text, IN_ESTIMATORS[at]))),
)
def test_an_odd_value_in_an_estimator_is_taken_or_refused(
    subtests: pytest.Subtests, runtime: Client, place: str, texts: list[str]
) -> None:
    for text in texts:
        with subtests.test(text):
            mark = "here-it-is"
            entry: list[Any] = [pubs.circuit(pubs.ghz(2)), {"ZZ": 1.0}, None, 0.5]
            if place == "coefficient":
                entry[1] = {"ZZ": mark}
            else:
                entry[1 if place == "observables" else 3] = mark
            whole = json.dumps(pubs.params(entry)).encode().replace(f'"{mark}"'.encode(), ODD[text])
            taken_or_refused(runtime, {**SOUND, "program_id": b'"estimator"', "params": whole})


OF_SESSIONS = {field.encode_name: field.type for field in msgspec.structs.fields(wire.SessionBody)}


@for_each(
    "field, text",
    pairs(OF_SESSIONS, ODD, keep=lambda field, text: matters(text, OF_SESSIONS[field])),
)
def test_an_odd_value_of_a_session_is_taken_or_refused(
    runtime: Client, field: str, text: str
) -> None:
    fields = {"backend": json.dumps(TWIN).encode(), field: ODD[text]}
    pairs = (json.dumps(name).encode() + b":" + value for name, value in fields.items())
    answer = runtime.call("POST", "/sessions", content=b"{" + b",".join(pairs) + b"}")
    harmless(answer)
    if answer.status_code != 200:
        ibm_json(answer)
        return
    at = f"/sessions/{answer.json()['id']}"
    assert runtime.call("GET", at).status_code == 200
    assert runtime.call("DELETE", f"{at}/close").status_code == 204


@for_each("text", ODD.values())
def test_odd_tags_and_filters_are_taken_or_refused(runtime: Client, text: bytes) -> None:
    job = runtime.submit()
    answer = runtime.call("PUT", f"/jobs/{job}/tags", content=b'{"tags":' + text + b"}")
    harmless(answer)
    if answer.status_code != 204:
        ibm_json(answer)
    short = text[:2_000]
    for name in ("tags", "backend", "program", "session_id", "provider", "limit", "offset"):
        answer = runtime.call("GET", "/jobs", params={name: short})
        harmless(answer)
        assert answer.status_code in (200, 400, 404)
    for name in ("pending", "sort", "created_after", "created_before"):
        harmless(runtime.call("GET", "/jobs", params={name: short}))
    harmless(runtime.call("GET", f"/backends/{TWIN}/properties", params={"updated_before": short}))
    runtime.ended(job)
