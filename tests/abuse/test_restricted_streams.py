"""Streams, websockets and signed URLs with tokens that are limited to one device or revoked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from abuse.dialects import ibm_json
from abuse.every_route import token
from support import ibm
from support.server import LiveServer

OWNER = "restricted-streamer"
"""SECURITY.md: streams and websockets end within 5 s of their token's end."""
SCOPES = ("--scope", "jobs:read", "--scope", "jobs:write", "--scope", "devices:read")


@pytest.fixture(scope="module")
def owner(server: LiveServer, client: httpx.Client) -> ibm.Client:
    return ibm.Client(client, token(server, OWNER, *SCOPES))


@pytest.fixture(scope="module")
def there(owner: ibm.Client) -> Iterator[str]:
    """A job on the simulator that has not ended."""
    job = owner.draft()["id"]
    yield str(job)
    owner.call("POST", f"/jobs/{job}/cancel")


def websocket(live: LiveServer, stack: ExitStack, job: str) -> ClientConnection:
    url = f"{live.url.replace('http', 'ws')}{ibm.DIALECT}/jobs/{job}/status"
    return stack.enter_context(connect(url, proxy=None, close_timeout=1))


def end(socket: ClientConnection) -> int:
    """Read to the end; return the close code."""
    try:
        while True:
            socket.recv(timeout=20)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 0


def sign(socket: ClientConnection, secret: str) -> None:
    socket.send(json.dumps({"type": "authentication", "data": secret}))


def test_a_token_for_another_device_opens_no_stream_and_no_websocket(
    server: LiveServer, client: httpx.Client, owner: ibm.Client, there: str
) -> None:
    secret = token(server, OWNER, "--device", "clifford", *SCOPES)
    other = ibm.Client(client, secret)
    assert other.call("GET", f"/jobs/{there}/status").status_code == 404
    headers = {"Authorization": f"Bearer {secret}"}
    assert client.get(f"/v1/jobs/{there}/stream", headers=headers).status_code == 404
    with ExitStack() as stack:
        refused, allowed = (websocket(server, stack, there) for _ in range(2))
        sign(refused, other.token)
        assert end(refused) == 4003, "as an absent job"
        sign(allowed, owner.token)
        assert allowed.recv(timeout=20) == b'{"type":"authenticated"}'
        assert b'"CREATING"' in allowed.recv(timeout=20)


def test_what_a_restricted_token_opened_ends_when_it_is_revoked(
    server: LiveServer, client: httpx.Client, there: str
) -> None:
    secret = token(server, OWNER, "--device", "qwicket_simulator", *SCOPES)
    member, headers = ibm.Client(client, secret), {"Authorization": f"Bearer {secret}"}
    url = member.draft()["objectStorageInfo"]["uploadUrl"]
    with ExitStack() as stack:
        socket = websocket(server, stack, there)
        sign(socket, member.token)
        assert socket.recv(timeout=20) == b'{"type":"authenticated"}'
        streams = [
            stack.enter_context(client.stream("GET", path, headers=headers))
            for path in ("/v1/events", f"/v1/jobs/{there}/stream")
        ]
        assert [stream.status_code for stream in streams] == [200, 200]
        own = client.get("/v1/account", headers=headers).json()["token"]["id"]
        server.admin("token", "revoke", own)
        assert end(socket) == 1008
        for stream in streams:
            stream.read()
    refused = client.put(url, content=b"{}")
    assert refused.status_code == 403
    ibm_json(refused)


def test_a_signed_url_is_worth_nothing_for_another_job_or_with_another_account(
    server: LiveServer, client: httpx.Client, owner: ibm.Client
) -> None:
    """The URL decides whose request it is: a token beside it adds no right and takes none."""
    stranger = ibm.Client(client, token(server, "url-stranger", *SCOPES))
    mine, theirs = owner.draft(), stranger.draft()
    url = theirs["objectStorageInfo"]["uploadUrl"]
    swapped = url.replace(theirs["id"], mine["id"])
    for headers in ({}, {"X-Access-Token": stranger.token}, {"X-Access-Token": owner.token}):
        refused = client.put(swapped, content=b"{}", headers=headers)
        assert refused.status_code == 403
        ibm_json(refused)
    bare = mine["objectStorageInfo"]["uploadUrl"].rpartition("/")[0]
    for headers in ({}, {"X-Access-Token": stranger.token}):
        refused = client.put(f"{bare}/x", content=b"{}", headers=headers)
        assert refused.status_code == 403
    assert stranger.call("POST", f"/jobs/{mine['id']}/jobDataUploaded").status_code == 404
    assert owner.get(f"/jobs/{mine['id']}")["status"] == "CREATING"
