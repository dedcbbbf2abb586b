"""What no client sends to `/mcp`: each message gets a refusal or an answer of the protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import httpx
import msgspec
import pytest

from abuse.dialects import harmless
from abuse.odd_values import NO_JSON, ODD
from support.for_each import for_each
from support.programs import BELL
from support.server import LiveServer

ARGUMENTS = {"device": "simulator", "program": BELL, "shots": 10}
PLACES: dict[str, bytes] = {
    "id": b'{"jsonrpc": "2.0", "id": %s, "method": "ping"}',
    "method": b'{"jsonrpc": "2.0", "id": 1, "method": %s}',
    "params": b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": %s}',
    "_meta": b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"_meta": %s}}',
    "name": b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": %s}}',
    "arguments": b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params":'
    b' {"name": "submit_job", "arguments": %s}}',
    "uri": b'{"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": %s}}',
    "batch": b'[%s, {"jsonrpc": "2.0", "id": 1, "method": "ping"}]',
    "twice": b'{"jsonrpc": "2.0", "id": 1, "id": %s, "method": "ping"}',
    "whole": b"%s",
    **{
        name: json.dumps(
            {
                "jsonrpc": "2.0",
                "id": 1,
                "method": "tools/call",
                "params": {
                    "name": "submit_job",
                    "arguments": {**ARGUMENTS, "tags": ["of a hostile call"], name: "HERE"},
                },
            }
        )
        .encode()
        .replace(b"%", b"%%")
        .replace(b'"HERE"', b"%s")
        for name in ("program", "shots", "inputs", "idempotency_key")
    },
}
BODIES = [
    (f"{place}: {name}", PLACES[place] % value)
    for place, (name, value) in product(PLACES, {**NO_JSON, **ODD}.items())
]


class WithId(msgspec.Struct):
    """A message, of which only the id is decoded."""

    id: Any


@pytest.fixture
def http(shared_server: LiveServer) -> Iterator[httpx.Client]:
    with shared_server.client(shared_server.token(shared_server.unused("eve"))) as client:
        yield client


def test_each_of_the_bodies_has_an_answer_of_the_protocol(http: httpx.Client) -> None:
    assert len(BODIES) > 200
    for name, body in BODIES:
        response = http.post("/mcp", content=body)
        harmless(response)
        if response.status_code == 202:
            assert response.content == b"", name
            continue
        assert response.status_code in (200, 400, 413), (name, response.text[:200])
        reply = json.loads(response.content)
        assert reply["jsonrpc"] == "2.0", name
        assert ("error" in reply) != ("result" in reply), name
        assert len(response.content) < 200_000, name
        if reply["id"] is not None and "result" in reply:
            assert msgspec.json.decode(body, type=WithId).id == reply["id"], name
    assert http.post("/mcp", content=PLACES["id"] % b"1").json()["result"] == {}


@for_each(
    "id_",
    [b'"\\q"', b'"\\ud800"', b'"a\tb"', b"1e999", b"1-2", b"01", b"true", b'"' + 300 * b"x" + b'"'],
)
def test_an_id_that_would_spoil_the_answer_is_refused(
    shared_server: LiveServer, id_: bytes
) -> None:
    with shared_server.client(shared_server.token("eve")) as client:
        response = client.post("/mcp", content=PLACES["id"] % id_)
    assert response.status_code == 400
    assert response.json()["id"] is None


@for_each(
    "headers",
    [
        {"Mcp-Session-Id": "x" * 8_000},
        {"Mcp-Session-Id": "", "Last-Event-ID": "1"},
        {"Mcp-Method": "tools/call", "Mcp-Name": "cancel_job"},
        {"MCP-Protocol-Version": "2025-11-25", "Mcp-Method": "x"},
        {"Accept": "text/event-stream"},
        {"Content-Type": "text/plain"},
    ],
)
def test_headers_of_sessions_and_streams_change_nothing(
    shared_server: LiveServer, headers: dict[str, str]
) -> None:
    with shared_server.client(shared_server.token("eve")) as client:
        response = client.post("/mcp", content=PLACES["id"] % b"7", headers=headers)
    assert response.json() == {"jsonrpc": "2.0", "id": 7, "result": {}}
    assert response.headers["content-type"] == "application/json"
    assert "mcp-session-id" not in response.headers


@for_each(
    "origin",
    ["null", "", "http://127.0.0.1", "http://127.0.0.1:1", "https://evil.invalid", "x" * 8_000],
)
def test_a_page_of_any_other_origin_is_refused(shared_server: LiveServer, origin: str) -> None:
    """One whose name was made to lead here (DNS rebinding) still has its own origin."""
    host = origin.partition("//")[2] or "evil.invalid"
    with shared_server.client(shared_server.token("eve")) as client:
        headers = {"Origin": origin, "Host": host[:200]}
        response = client.post("/mcp", content=PLACES["id"] % b"7", headers=headers)
        assert response.status_code == 403, origin
        assert client.get("/mcp", headers=headers).status_code == 403


@for_each("version", ["", "2026-07-29", "x" * 8_000, "2026-07-28, 2026-07-28", "DRAFT-2026-v1"])
def test_another_revision_is_refused_with_the_one_that_there_is(
    shared_server: LiveServer, version: str
) -> None:
    with shared_server.client(shared_server.token("eve")) as client:
        headers = {"MCP-Protocol-Version": version}
        response = client.post("/mcp", content=PLACES["id"] % b"7", headers=headers)
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["code"], error["data"]["supported"]) == (-32022, ["2026-07-28"])
    assert len(response.content) < 500


def test_a_body_of_the_stateless_revision_needs_its_headers(http: httpx.Client) -> None:
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
    message = {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"_meta": meta}}
    for headers in ({}, {"MCP-Protocol-Version": "2025-11-25"}):
        error = http.post("/mcp", json=message, headers=headers).json()["error"]
        assert error["code"] == -32020


def test_a_notification_starts_nothing_and_ends_nothing(http: httpx.Client) -> None:
    arguments = {**ARGUMENTS, "name": "by a notification"}
    params = {"name": "submit_job", "arguments": arguments}
    for method, given in {
        "tools/call": params,
        "notifications/cancelled": {"requestId": 1, "reason": "x" * 10_000},
        "notifications/progress": {"progressToken": [[[]]], "progress": "much"},
        "x": {},
    }.items():
        response = http.post("/mcp", json={"jsonrpc": "2.0", "method": method, "params": given})
        assert (response.status_code, response.content) == (202, b""), method
    assert http.get("/v1/jobs").json()["jobs"] == []
