"""Attacks by a member with a valid token: very many streams, websockets, uploads and drafts."""

from __future__ import annotations

import json
import socket
import struct
import time
from contextlib import ExitStack
from urllib.parse import urlsplit

from abuse.attacks import Outcome, Target, idle_latencies, note_latencies
from abuse.attacks.bystander import Bystander
from abuse.attacks.load import ATTACKER_ADDRESS
from abuse.dialects import NATIVE
from qwicket.model.limits import Limits
from qwicket.vendors.ibm.limits import IBMLimits
from support import ibm, raw
from support.waiting import PROMPT_S, until

MORE = 20
"""What is tried beyond each share."""
OPENED_PER_S = 100
SUBMITS = 4
UPLOADS = Limits().quotas.uploads_bytes // Limits().bodies.upload_bytes


def streams_and_uploads(target: Target) -> Outcome:
    """Open every stream that one account may have and read none; begin uploads and end none."""
    url = target.live.url
    for token in ("", target.bystander):
        idle_latencies(target, token)
    member = ibm.Client(target.http, target.attacker)
    drafts = [member.draft() for _ in range(target.size(50, 1_000))]
    asks, submits = Bystander(url), Bystander(url, target.bystander)
    with ExitStack() as stack:
        with asks.watching(), submits.watching():
            streams = [_stream(target, stack) for _ in range(Limits().requests.streams_each + MORE)]
            n_sockets = target.size(100, IBMLimits().sockets_each + MORE)
            sockets = [_websocket(member, stack, url, drafts[0]["id"]) for _ in range(n_sockets)]
            uploads = [_upload(stack, draft) for draft in drafts[: UPLOADS + MORE]]
            for _ in range(SUBMITS):
                body = NATIVE.text()
                sent = target.http.post("/v1/jobs", content=body, headers=target.as_attacker())
                assert sent.status_code == 201, sent.text
                time.sleep(0.5)
            until(lambda: all(map(_status, uploads)), "each upload has its end", timeout_s=60)
        refused = [status for stream in streams if (status := _status(stream)) != 200]
        assert refused == MORE * [429], refused
        maximum = IBMLimits().sockets_each
        n_open = sum(_is_signed_in(each) for each in sockets)
        assert n_open == min(n_sockets, maximum), f"{n_open} of {n_sockets} websockets are open"
        ends = sorted(map(_status, uploads))
        assert ends == MORE * [400] + UPLOADS * [408], ends
    _assert_shares_are_free(target, member, drafts[-1])
    seen = asks.latencies, submits.latencies
    assert not any(each.n_failed for each in seen), seen
    note_latencies(target, "A14 streams and uploads", seen[0])
    note_latencies(target, "A14 streams and uploads", seen[1], target.bystander)
    for draft in drafts[:-1]:
        assert member.call("POST", f"/jobs/{draft['id']}/cancel").status_code == 200
    return Outcome(
        f"{len(streams)} streams, {n_sockets} websockets, {len(uploads)} unfinished uploads and"
        f" {len(drafts)} unused URLs of one account",
        f"{MORE} streams and {MORE} uploads refused, others' /livez {seen[0]};"
        f" their submits {seen[1]}",
    )


def _stream(target: Target, stack: ExitStack) -> socket.socket:
    """Ask for all events of the account, and read nothing."""
    time.sleep(1 / OPENED_PER_S)
    auth = f"Authorization: Bearer {target.attacker}"
    return _ask(stack, target.live.url, raw.head("GET /v1/events", auth))


def _websocket(member: ibm.Client, stack: ExitStack, url: str, job: str) -> socket.socket:
    """Open a websocket, send the access token, and read nothing."""
    time.sleep(1 / OPENED_PER_S)
    text = json.dumps({"type": "authentication", "data": member.token}).encode()
    frame = struct.pack("!BBH4x", 0x81, 0x80 | 126, len(text)) + text  # the mask is zero
    head = raw.head(
        f"GET {ibm.DIALECT}/jobs/{job}/status", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    )  # fmt: skip
    opened = _ask(stack, url, head)
    until(lambda: _status(opened) == 101, "the websocket is open")
    opened.sendall(frame)  # before the 101 a client may send none (RFC 6455, section 4.1)
    return opened


def _upload(stack: ExitStack, draft: dict[str, dict[str, str]]) -> socket.socket:
    """Begin the largest upload, and send a byte of it."""
    url = draft["objectStorageInfo"]["uploadUrl"]
    address = urlsplit(url)
    target = f"{address.path}?{address.query}" if address.query else address.path
    head = raw.head(f"PUT {target}", f"Content-Length: {Limits().bodies.upload_bytes}")
    return _ask(stack, url, head + b"{")


def _ask(stack: ExitStack, url: str, text: bytes) -> socket.socket:
    made = stack.enter_context(raw.connect(url, receive_bytes=4_096, source=ATTACKER_ADDRESS))
    made.sendall(text)
    made.setblocking(False)
    return made


def _status(connection: socket.socket) -> int:
    """Return the status of the answer, which stays unread; 0 if none has come."""
    try:
        return int((connection.recv(12, socket.MSG_PEEK) + b"  0").split()[1])
    except BlockingIOError:
        return 0


def _is_signed_in(connection: socket.socket) -> bool:
    return b'{"type":"authenticated"}' in connection.recv(4_096, socket.MSG_PEEK)


def _assert_shares_are_free(
    target: Target, member: ibm.Client, draft: dict[str, dict[str, str]]
) -> None:
    """Open a stream and finish an upload with the same account."""

    def has_stream() -> bool:
        with ExitStack() as stack:
            stream = _stream(target, stack)
            return until(lambda: _status(stream), "the stream is answered") == 200

    until(has_stream, "the account may open a stream again", timeout_s=PROMPT_S)
    url = draft["objectStorageInfo"]["uploadUrl"]
    content = json.dumps(ibm.qobj()).encode()
    assert target.http.put(url, content=content).status_code == 200
    member.call("POST", f"/jobs/{draft['id']}/jobDataUploaded")
    assert member.ended(str(draft["id"]))["status"] == "COMPLETED"
