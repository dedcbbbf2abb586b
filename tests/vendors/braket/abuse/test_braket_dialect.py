"""Hostile requests to Braket, S3 and STS: signatures that do not fit, and bodies of every kind."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Generator
from typing import Any

import httpx
import pytest

from abuse.dialects import braket_json, harmless, s3_xml, sts_xml
from abuse.every_route import SignedIn, signed_in
from qwicket.model.accounts import Scope
from support import braket
from support.for_each import for_each
from support.server import LiveServer

pytestmark = pytest.mark.extended

SHAPES = {"/braket": braket_json, "/s3": s3_xml, "/sts": sts_xml}
ASKS = {
    "/braket": ("POST", "/braket/devices", b'{"filters":[]}'),
    "/s3": ("GET", "/s3/some-bucket?list-type=2", b""),
    "/sts": ("POST", "/sts/", b"Action=GetCallerIdentity"),
}


@pytest.fixture(scope="module")
def who(server: LiveServer, client: httpx.Client) -> SignedIn:
    scopes = [f"--scope={scope}" for scope in (Scope.JOBS_READ, Scope.JOBS_WRITE)]
    return signed_in(server, client, "signer", *scopes, "--scope=devices:read")


class Changed(httpx.Auth):
    """Signs a request, and then changes it."""

    requires_request_body = True

    def __init__(self, inner: httpx.Auth, **headers: str) -> None:
        self._inner = inner
        self._headers = headers

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        (signed,) = self._inner.auth_flow(request)
        signed.headers.update(self._headers)
        yield signed


def auth(who: SignedIn, prefix: str) -> httpx.Auth:
    return who.auth(prefix)


def refused(answer: httpx.Response, prefix: str, status: int = 403) -> str:
    harmless(answer)
    assert answer.status_code == status, answer.text
    return SHAPES[prefix](answer)


@pytest.mark.parametrize("prefix", ASKS)
def test_what_is_signed_is_taken_and_what_is_not_is_refused(
    client: httpx.Client, who: SignedIn, prefix: str
) -> None:
    method, url, content = ASKS[prefix]
    assert client.request(method, url, content=content, auth=auth(who, prefix)).is_success
    refused(client.request(method, url, content=content), prefix)
    for headers in (
        {"authorization": "Bearer " + who.secret},
        {"authorization": "AWS4-HMAC-SHA256 " + "x" * 5000},
        {"x-amz-date": "20200101T000000Z"},
        {"x-amz-date": "20200101T990000Z"},
        {"host": "elsewhere.example"},
    ):
        changed = Changed(auth(who, prefix), **headers)
        refused(client.request(method, url, content=content, auth=changed), prefix)


@pytest.mark.parametrize("prefix", ASKS)
def test_a_signature_of_another_service_is_refused(
    client: httpx.Client, who: SignedIn, prefix: str
) -> None:
    method, url, content = ASKS[prefix]
    for other in braket.SERVICES.keys() - {prefix}:
        answer = client.request(method, url, content=content, auth=auth(who, other))
        assert "signature is for" in refused(answer, prefix)


SKEWED = {
    "/braket": "InvalidSignatureException",
    "/s3": "RequestTimeTooSkewed",
    "/sts": "SignatureDoesNotMatch",
}


@pytest.mark.parametrize("prefix", ASKS)
def test_a_request_can_be_replayed_for_15_minutes(
    server: LiveServer, client: httpx.Client, prefix: str
) -> None:
    name = server.unused("replay")
    server.token(name)
    pair = server.admin(
        *("token", "create", "--user", name, "--aws"),
        *("--scope", "jobs:read", "--scope", "devices:read"),
    )
    method, url, content = ASKS[prefix]
    for age_s in (840, -840, 960, -960):
        signed = braket.Signature(pair, braket.SERVICES[prefix], age_s=age_s)
        answer = client.request(method, url, content=content, auth=signed)
        if abs(age_s) < 900:
            assert answer.is_success, answer.text
        else:
            assert "too far from the server's time" in refused(answer, prefix)
            assert SKEWED[prefix] in answer.text


def test_another_body_than_the_signed_one_is_refused(client: httpx.Client, who: SignedIn) -> None:
    class OtherBody(Changed):
        def auth_flow(
            self, request: httpx.Request
        ) -> Generator[httpx.Request, httpx.Response, None]:
            (signed,) = self._inner.auth_flow(request)
            yield httpx.Request(
                signed.method,
                signed.url,
                content=b'{"filters":[ ]}',
                headers={**signed.headers, "content-length": "15"},
            )

    url = "/braket/devices"
    answer = client.post(url, content=b'{"filters":[]}', auth=OtherBody(auth(who, "/braket")))
    refused(answer, "/braket")
    digest = hashlib.sha256(b"other").hexdigest()
    changed = Changed(auth(who, "/s3"), **{"x-amz-content-sha256": digest})
    refused(client.get("/s3/some-bucket?list-type=2", auth=changed), "/s3")


def test_a_path_that_is_encoded_twice_finds_nothing(client: httpx.Client, who: SignedIn) -> None:
    arn = braket.SV1.replace(":", "%253A").replace("/", "%252F")
    refused(client.get(f"/braket/device/{arn}", auth=auth(who, "/braket")), "/braket", 404)
    once = braket.SV1.replace(":", "%3A").replace("/", "%2F")
    assert client.get(f"/braket/device/{once}", auth=auth(who, "/braket")).is_success


VALUES: list[Any] = [
    *(None, True, -1, 0, 2**63, 1e308, "", "x", "\0", "\ud800", "x" * 100_000),
    *([], [[]], {}, {"a": {}}, "arn:aws:braket:::device/x", "{}", "[" * 2000, '{"a":' * 500),
]


@for_each("field", [*braket.body(), "tags", "associations", "deviceParameters"])
def test_odd_values_of_a_task_are_refused_in_awss_words(
    client: httpx.Client, who: SignedIn, field: str
) -> None:
    for value in VALUES:
        content = json.dumps(braket.body(**{field: value}))
        answer = client.post("/braket/quantum-task", content=content, auth=auth(who, "/braket"))
        harmless(answer)
        if not answer.is_success:
            assert answer.status_code in (400, 403, 413), answer.text
            braket_json(answer)


@for_each(
    "path", ["/devices", "/quantum-task", "/quantum-tasks", "/tags/x", "/tags/arn:aws:braket"]
)
def test_odd_bodies_are_refused_in_awss_words(
    client: httpx.Client, who: SignedIn, path: str
) -> None:
    bodies = [b"", b"{", b"[]", b"null", b"\xff", b"{" * 5000, b'{"filters":' + b"[" * 3000]
    bodies += [json.dumps({"filters": value}).encode() for value in VALUES]
    bodies += [
        json.dumps({"filters": [{"name": name, "operator": operator, "values": values}]}).encode()
        for name in ("status", "createdAt", "deviceArn", "quantumTaskArn", "x")
        for operator in ("EQUAL", "BETWEEN", "LT", "x")
        for values in ([], ["x"], ["2026-01-01", "x"], ["9999-12-31T23:59:59+00:00"], ["\0"])
    ]
    for content in bodies:
        answer = client.post(f"/braket{path}", content=content, auth=auth(who, "/braket"))
        harmless(answer)
        if not answer.is_success:
            braket_json(answer)


TASK = f"/braket/quantum-task/{braket.SV1.replace('/', '%2F')}"
ROUTES: dict[str, tuple[str, Any]] = {
    "/braket/devices": ("POST", {"filters": [{"name": "deviceName", "values": ["sv1"]}]}),
    "/braket/quantum-task": ("POST", braket.body()),
    f"{TASK}/cancel": ("PUT", {"clientToken": "t"}),
    "/braket/quantum-tasks": (
        "POST",
        {"filters": [{"name": "status", "operator": "EQUAL", "values": ["QUEUED"]}]},
    ),
    f"/braket/tags/{braket.SV1}": ("POST", {"tags": {"a": "b"}}),
    "/braket/job": ("POST", {"jobName": "j"}),
    "/s3/some-bucket": ("PUT", "<CreateBucketConfiguration/>"),
    "/s3/some-bucket/key": ("PUT", "content"),
    "/sts/": ("POST", "Action=GetCallerIdentity&Version=2011-06-15"),
}
"""Routes that take a body: the method, and a body that fits."""


def hostile(fitting: Any, rng: random.Random) -> bytes:
    """Return a body that fits with something wrong: a value, a key, some bytes, or its length."""
    if isinstance(fitting, dict) and rng.random() < 0.5:
        key = rng.choice([*fitting, "\0", "x" * 5_000])
        fitting = {**fitting, key: rng.choice([*VALUES, {key: list(VALUES)}])}
    text = fitting if isinstance(fitting, str) else json.dumps(fitting)
    content = bytearray(text.encode("utf-8", "surrogatepass"))
    match rng.randrange(5):
        case 0:
            del content[rng.randrange(len(content)) :]
        case 1:
            for _ in range(rng.choice([1, 3, 30])):
                content[rng.randrange(len(content))] = rng.randrange(256)
        case 2:
            at = rng.randrange(len(content))
            content[at:at] = rng.choice([b"[", b"{", b'"', b"\0", b"&", b"<!DOCTYPE a>"]) * 2_000
        case 3:
            content *= rng.choice([2, 20])
        case _:
            pass
    return bytes(content)


@for_each("path", ROUTES)
def test_two_hundred_hostile_bodies_are_refused_in_awss_words(
    client: httpx.Client, who: SignedIn, path: str
) -> None:
    method, fitting = ROUTES[path]
    prefix = f"/{path.split('/')[1]}"
    rng = random.Random(path)
    n_refused = 0
    for _ in range(200):
        content = hostile(fitting, rng)
        answer = client.request(method, path, content=content, auth=auth(who, prefix))
        harmless(answer)  # no 5xx, unless it says that this is not offered
        if not answer.is_success:
            SHAPES[prefix](answer)
            n_refused += 1
    assert n_refused > 0 or path == "/s3/some-bucket"  # which ignores its body


def test_odd_programs_are_refused_with_their_place(client: httpx.Client, who: SignedIn) -> None:
    for source in ("qubit q;\n" * 3, "#pragma braket", "qubit q; #pragma", "x" * 50_000, "\0"):
        content = json.dumps(braket.body(action=braket.action(source)))
        answer = client.post("/braket/quantum-task", content=content, auth=auth(who, "/braket"))
        refused(answer, "/braket", 400)


@pytest.mark.parametrize(
    ("part", "names"),
    [
        ("braketSchemaHeader", ["braketSchemaHeader"]),
        ("setup", ["setup", "register"]),
        ("hamiltonian", ["hamiltonian", "drivingFields", "NUL"]),
    ],
)
def test_odd_analog_programs_are_refused_with_their_field(
    client: httpx.Client, who: SignedIn, part: str, names: list[str]
) -> None:
    def sent(**changes: Any) -> httpx.Response:
        content = braket.body(action=braket.analog_action(**changes), deviceArn=braket.RYDBERG)
        return client.post("/braket/quantum-task", json=content, auth=auth(who, "/braket"))

    assert sent().status_code == 201
    nested: Any = []
    for _ in range(900):
        nested = [nested]
    wide = {"sites": [["0", "0"]] * 50_000, "filling": [1] * 50_000}
    odd = [value for value in VALUES if value != "\ud800"]
    for value in (*odd, nested, {"ahs_register": nested}, {"ahs_register": wide}):
        text = refused(sent(**{part: value}), "/braket", 400)
        assert any(name in text for name in names), (value, text)


def test_the_missing_part_of_an_analog_program_is_named(
    client: httpx.Client, who: SignedIn
) -> None:
    for part in ("setup", "hamiltonian"):
        program = json.loads(braket.analog_action())
        del program[part]
        content = braket.body(action=json.dumps(program), deviceArn=braket.RYDBERG)
        answer = client.post("/braket/quantum-task", json=content, auth=auth(who, "/braket"))
        assert refused(answer, "/braket", 400) == f"action: {part} is missing."
