"""The slowest requests to Braket, S3 and STS leave the event loop free."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple
from urllib.parse import urlencode

import httpx
import pytest

from abuse.dialects import braket_json, s3_xml, sts_xml
from support import braket, raw
from support.event_loop import MEASURED, assert_loop_stays_free
from support.server import LiveServer

pytestmark = pytest.mark.extended

MB = 1 << 20
SHAPES = {"/braket": braket_json, "/s3": s3_xml, "/sts": sts_xml}
PATHS = {"/braket": "GET /braket/device/x", "/s3": "GET /s3/some-bucket", "/sts": "POST /sts/"}
USUAL = "host;x-amz-content-sha256;x-amz-date"
WORDS = "b " * 60_000 + "b"
"""About as long as the request line and headers may be together."""
PER_CENT = "%20" * 20_000


@pytest.fixture(scope="module")
def unharmed() -> None:
    """No shared server is in play."""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    live = LiveServer(tmp_path_factory.mktemp("signatures"), "--access-log", **MEASURED)
    yield live
    assert live.stop() == 0
    live.assert_calm()


@pytest.fixture(scope="module")
def pair(live: LiveServer) -> str:
    """A key pair, with which each service has answered once."""
    live.token()
    scopes = [f"--scope={scope}" for scope in ("jobs:read", "jobs:write", "devices:read")]
    pair = live.admin("token", "create", "--user", "ada", "--aws", *scopes)
    with httpx.Client(base_url=live.url) as client:
        for prefix, service in braket.SERVICES.items():
            client.post(prefix + "/x", content=b"{}", auth=braket.Signature(pair, service))
    return pair


class Worst(NamedTuple):
    """What a request has besides what any has: its signature is wrong, but that is seen last.

    Attributes:
        names: Names of the signed headers.
        header: Value of the header `a`.
        rest: Rest of the path.
        query: Query.
        lines: Further headers.
        why: What is refused before the signature is computed, if anything.
    """

    names: str = USUAL
    header: str = ""
    rest: str = ""
    query: str = ""
    lines: tuple[str, ...] = ()
    why: str = ""


_UNIQUE = ";".join(sorted(f"a{number}" for number in range(330)))
_MANY = "parameters"
_MANY_ESCAPES = "escapes"
WORST = {
    "a name again and again": Worst("a;" * 1_000 + USUAL, WORDS, why="once"),
    "names out of order": Worst(f"z;{USUAL}", WORDS, why="alphabetical"),
    "a long header": Worst(f"a;{USUAL}", WORDS),
    "a header again and again": Worst(f"a;{USUAL}", lines=("a: b",) * 18_000),
    "many names": Worst(f"a;{_UNIQUE};{USUAL}", WORDS),
    "short parameters": Worst(query="a&" * 30_000, why=_MANY),
    "escaped parameters": Worst(query="a=%20&" * 10_000, why=_MANY),
    "more than may be signed": Worst(query="a=b&" * 2_000, why="over 100 parameters"),
    "many escapes": Worst(query="a=" + PER_CENT, why=_MANY_ESCAPES),
    "a long parameter": Worst(query="a=" + "%20" * 8_000 + "x" * 40_000),
    "long parameters": Worst(query=("a=" + "%20" * 88 + "x" * 400 + "&") * 90),
    "a long path": Worst(rest="/" + "%20" * 8_000 + "~!" * 18_000),
    "a long path of others": Worst(rest="/" + "~!" * 30_000),
}


def head(pair: str, prefix: str, worst: Worst, *, is_presigned: bool = False) -> bytes:
    """Return the head of a request with a wrong signature of an existing key pair."""
    date = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    service = braket.SERVICES[prefix]
    credential = f"{pair.split()[0]}/{date[:8]}/us-east-1/{service}/aws4_request"
    lines = [*worst.lines, "Content-Length: 0", f"a: {worst.header}"]
    query = worst.query
    if is_presigned:
        stated = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": credential,
            "X-Amz-Date": date,
            "X-Amz-Expires": "60",
            "X-Amz-SignedHeaders": worst.names,
            "X-Amz-Signature": "0" * 64,
        }
        query = f"{urlencode(stated)}&{query}"
    else:
        lines += [
            f"X-Amz-Date: {date}",
            "X-Amz-Content-SHA256: UNSIGNED-PAYLOAD",
            f"Authorization: AWS4-HMAC-SHA256 Credential={credential},"
            f" SignedHeaders={worst.names}, Signature={'0' * 64}",
        ]
    return raw.head(f"{PATHS[prefix]}{worst.rest}?{query}", *lines)


@pytest.mark.parametrize("name", WORST)
def test_no_signature_keeps_the_loop(live: LiveServer, pair: str, name: str) -> None:
    worst = WORST[name]

    def send(prefix: str, *, is_presigned: bool) -> None:
        with raw.connect(live.url) as connection:
            connection.sendall(head(pair, prefix, worst, is_presigned=is_presigned))
            answer = raw.answer(connection)
        if worst.why:
            assert worst.why in SHAPES[prefix](answer), answer.text
            assert answer.status_code in (400, 403)
        elif prefix == "/sts" and worst.rest:
            assert answer.status_code == 404
        else:  # the latter once ten signatures of this address were wrong
            assert re.search("does not match the request|limit wrong_tokens", answer.text)
            assert answer.status_code in (403, 429)

    for prefix in PATHS:
        assert_loop_stays_free(live, partial(send, prefix, is_presigned=False))
    assert_loop_stays_free(live, partial(send, "/s3", is_presigned=True))


def _task(field: str, value: bytes) -> bytes:
    fields = {name: json.dumps(given).encode() for name, given in braket.body().items()}
    fields[field] = value
    pairs = (b'"%b":%b' % (name.encode(), text) for name, text in fields.items())
    return b"{" + b",".join(pairs) + b"}"


TEXT = b'"' + b"x" * (15 * MB) + b'"'
LISTS = b"[" + b"[]," * (5 * MB) + b"[]]"
BODIES = {
    "a text": ("POST", "/braket/quantum-task", TEXT),
    "lists": ("POST", "/braket/quantum-task", LISTS),
    "an action": ("POST", "/braket/quantum-task", _task("action", TEXT)),
    "lists in an action": ("POST", "/braket/quantum-task", _task("action", b'"%b"' % LISTS)),
    "tags": ("POST", "/braket/quantum-task", _task("tags", LISTS)),
    "small lists": ("POST", "/braket/quantum-task", _task("tags", b"[" + b"[]," * 18_000 + b"[]]")),
    "an object": ("PUT", "/s3/some-bucket/key", TEXT),
    "a form": ("POST", "/sts/", b"Action=" + b"%41" * (5 * MB)),
    "a small form": ("POST", "/sts/", b"a=%20&" * 10_000),
}


@pytest.mark.parametrize("name", BODIES)
def test_no_signed_body_keeps_the_loop(live: LiveServer, pair: str, name: str) -> None:
    method, path, content = BODIES[name]
    prefix = "/" + path.split("/")[1]

    def send() -> None:
        with httpx.Client(base_url=live.url, timeout=60) as client:
            auth = braket.Signature(pair, braket.SERVICES[prefix])
            answer = client.request(method, path, content=content, auth=auth)
            assert answer.status_code in (400, 413, 501), answer.text
            SHAPES[prefix](answer)

    assert_loop_stays_free(live, send)
