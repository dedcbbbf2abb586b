"""Hostile requests in IQM's dialect: refused in its own shape, quickly, without side effects."""

from __future__ import annotations

import json
import random
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import pytest

from abuse.dialects import harmless, iqm_json
from abuse.fixtures import Tokens
from abuse.odd_values import DEEP, NO_JSON, ODD
from qwicket.dialects.routing import Route
from qwicket.gateway.tokens import new_secret
from qwicket.model.limits import Limits
from qwicket.vendors.iqm.dialect import wire
from qwicket.vendors.iqm.dialect.routes import ROUTES
from support.for_each import for_each
from support.iqm import COMPUTER, DIALECT, Caller, body, measure, prx

pytestmark = pytest.mark.extended

SUBMIT = f"{DIALECT}/v1/jobs/{COMPUTER}/circuit"
FIELDS = [field.encode_name for field in msgspec.structs.fields(wire.SubmitBody)]
NAMES = {
    "4,000 characters": "9" * 4_000,
    "NUL": "%00",
    "a NUL in an id": "0190%00aaaa-bbbb-7ccc-8ddd-eeeeffff0000",
    "a foreign id": "01908a5c-3a45-7000-8000-0000ffff0000",
    "up": "..%2F..%2Fetc%2Fpasswd",
    "snowmen": quote("☃" * 40),
    "SQL": "' or 1=1 --",
    "bad UTF-8": "%ff%fe",
    "braces": "{id}",
}


@pytest.fixture(scope="module")
def caller(client: httpx.Client, tokens: Tokens) -> Caller:
    return Caller(client, tokens.good)


def refused(answer: httpx.Response) -> str:
    harmless(answer)
    assert answer.is_client_error, (answer.status_code, answer.text[:500])
    return iqm_json(answer)


def path_of(route: Route, **names: str) -> str:
    known = {"alias": COMPUTER, "calibration": "default", "id": NAMES["a foreign id"], "rest": "x"}
    return DIALECT + route.path.format(**known | names)


# --- tokens ---------------------------------------------------------------------------------------


@for_each("kind", ["unknown", "revoked", "expired", "disabled", "other scheme", "none"])
def test_a_token_that_is_not_valid_opens_no_route(
    client: httpx.Client, tokens: Tokens, kind: str
) -> None:
    made = {"unknown": new_secret(), "none": ""}
    secret = made[kind] if kind in made else getattr(tokens, kind, tokens.good)
    scheme = "apiKey" if kind == "other scheme" else "Bearer"
    headers = {} if kind == "none" else {"Authorization": f"{scheme} {secret}"}
    for route in ROUTES:
        answer = client.request(route.method, path_of(route), headers=headers, content=b"{}")
        assert answer.status_code in (401, 429), (route, answer.text)  # 429: too many unknown ones
        refused(answer)


def test_a_stranger_sees_no_job_and_changes_none(
    client: httpx.Client, tokens: Tokens, caller: Caller
) -> None:
    job = caller.done()
    stranger = {"Authorization": f"Bearer {tokens.stranger}"}
    for route in ROUTES:
        if "{id}" in route.path:
            foreign = client.request(route.method, path_of(route, id=job), headers=stranger)
            absent = client.request(route.method, path_of(route), headers=stranger)
            assert foreign.status_code == 404, route
            assert foreign.content == absent.content, route
    assert caller.get(f"/jobs/{job}")["status"] == "completed"


# --- paths ----------------------------------------------------------------------------------------


@for_each("name", NAMES)
def test_odd_names_in_paths_find_nothing(caller: Caller, client: httpx.Client, name: str) -> None:
    for route in ROUTES:
        for key in ("alias", "calibration", "id"):
            if f"{{{key}}}" in route.path:
                url = path_of(route, **{key: NAMES[name]})
                content = json.dumps(body()) if route.method == "POST" else None
                answer = client.request(route.method, url, headers=caller.headers, content=content)
                assert refused(answer)
                assert answer.status_code in (400, 404), (route, answer.text)


# --- bodies ---------------------------------------------------------------------------------------


def send(caller: Caller, content: bytes) -> httpx.Response:
    return caller.http.post(SUBMIT, headers=caller.headers, content=content)


@for_each("field", FIELDS)
def test_a_value_of_another_kind_is_refused_by_its_field(caller: Caller, field: str) -> None:
    for name, value in {**ODD, **NO_JSON}.items():
        fields = {key: json.dumps(each).encode() for key, each in body().items()} | {field: value}
        pairs = [json.dumps(key).encode() + b":" + each for key, each in fields.items()]
        answer = send(caller, b"{" + b",".join(pairs) + b"}")
        harmless(answer)
        if not answer.is_success:
            said = iqm_json(answer)
            is_of_program = "circuit" in said or "the program" in said
            assert name in NO_JSON or field in said or is_of_program, (name, said)


def test_deep_and_large_bodies_are_refused(caller: Caller) -> None:
    text = json.dumps(body()).encode()
    deep = b"[" * DEEP + b"]" * DEEP
    assert refused(send(caller, text.replace(b'"QB1"', deep, 1)))
    assert refused(send(caller, text[:-1] + b',"metadata":' + deep + b"}"))
    maximum = Limits().bodies.body_bytes
    large = send(caller, b" " * (maximum + 1))
    assert large.status_code == 413
    assert "body_bytes" in refused(large)
    many = b'{"circuits":[{"instructions":[' + b"{}," * 400_000 + b"{}]}]}"
    assert "limits iqm_instructions" in refused(send(caller, many))
    names = b'{"circuits":[{"instructions":[{"name":"barrier","locus":['
    wide = names + b'"QB1",' * 1_500_000 + b'"QB1"]}]}]}'
    assert "operations" in refused(send(caller, wide))
    keys = [measure(k % 20, key=f"{k}") for k in range(10_001)]
    assert "clbits" in refused(caller.post(body(keys)))


def hostile(fitting: dict[str, Any], rng: random.Random) -> bytes:
    """Return a body that fits with something wrong: a value, some bytes, or its length."""
    values: list[Any] = [
        *(None, True, -1, 2**63, 1e308, "", "x", "\0", "\ud800", "x" * 50_000, [], {}, [[]]),
        *({"circuits": []}, "QB1", ["QB1"] * 3, "QB99999999999", [None]),
    ]
    changed = json.loads(json.dumps(fitting))
    at: Any = changed
    while isinstance(at, dict | list) and at:  # a random place, down to a leaf
        key = rng.choice([*at]) if isinstance(at, dict) else rng.randrange(len(at))
        if rng.random() < 0.4 or not (isinstance(at[key], dict | list) and at[key]):
            at[key] = rng.choice(values)
            break
        at = at[key]
    content = bytearray(json.dumps(changed).encode("utf-8", "surrogatepass"))
    match rng.randrange(5):
        case 0:
            del content[rng.randrange(len(content)) :]
        case 1:
            for _ in range(rng.choice([1, 3, 30])):
                content[rng.randrange(len(content))] = rng.randrange(256)
        case 2:
            place = rng.randrange(len(content))
            content[place:place] = rng.choice([b"[", b"{", b'"', b"\0", b"\xff"]) * 2_000
    return bytes(content)


@for_each("route", [route for route in ROUTES if route.method != "GET"])
def test_two_hundred_hostile_bodies_do_no_harm(
    caller: Caller, client: httpx.Client, route: Route
) -> None:
    fitting = body([prx(0), measure(0)], [prx(1), measure(0, 1)], qubit_mapping=None)
    rng = random.Random(route.path)
    n_refused = 0
    for _ in range(200):
        answer = client.request(
            route.method, path_of(route), headers=caller.headers, content=hostile(fitting, rng)
        )
        harmless(answer)
        if not answer.is_success:
            iqm_json(answer)
            n_refused += 1
    assert n_refused > 100


@for_each("text", ["true", "TRUE", "1", "", "x" * 5_000, "%00", "false&use_timeslot=true"])
def test_a_time_slot_is_refused_in_any_spelling(caller: Caller, text: str) -> None:
    url = f"{SUBMIT}?use_timeslot={text}"
    answer = caller.http.post(url, headers=caller.headers, json=body())
    assert "use_timeslot must be false" in refused(answer)
