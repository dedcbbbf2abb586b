"""Signed requests are signed anew for the vendor, with keys that the client never sees."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from qwicket import testing
from qwicket.gateway.sigv4 import of_header, sign
from qwicket.testing import AwsKeys, CassetteError
from qwicket.testing.cassettes.aws import Credential, sign_headers

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
KEYS = AwsKeys("AKIAIOSFODNN7EXAMPLE", SECRET, "session+token==")
BODY = b'{"filters": []}'
# What AWS answers to GetCallerIdentity, with the example account of its documentation.
IDENTITY = (
    "<Arn>arn:aws:iam::123456789012:user/ada</Arn><UserId>AIDACKCEVSQ6C2EXAMPLE</UserId>"
    "<Account>123456789012</Account>"
)


class Received(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@pytest.fixture
def vendor() -> Iterator[tuple[str, list[Received]]]:
    """Return the address of a server that notes each request, and the requests."""
    found: list[Received] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            found.append(Received(self.command, self.path, headers, body))
            self.send_response(200)
            self.send_header("Content-Length", str(len(IDENTITY)))
            self.end_headers()
            self.wfile.write(IDENTITY.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", found
    server.shutdown()
    thread.join()
    server.server_close()


def ask(url: str, key_id: str, region: str = "eu-west-2", path: str = "/braket/a%3Ab") -> Any:
    """Send a request that is signed with a key, as AWS's clients sign."""
    host = url.removeprefix("http://")
    headers = {"host": host, "content-type": "application/json", "accept-encoding": "gzip"}
    credential = Credential(key_id, region, "braket", ("accept-encoding", "content-type", "host"))
    client = sign_headers(credential, AwsKeys(key_id, key_id), "POST", path, headers, BODY)
    return httpx.post(f"{url}{path}", content=BODY, headers=client)


def test_the_vendor_gets_a_signature_of_its_region_with_the_users_keys(
    vendor: tuple[str, list[Received]], tmp_path: Path
) -> None:
    url, found = vendor
    tape = tmp_path / "tape.json"
    with testing.record(tape, {"/braket": f"{url}/{{region}}"}, aws=KEYS) as session:
        assert ask(session.url, session.token).text == IDENTITY
        assert ask(session.url, session.token, "us-east-1").is_success
    assert [each.path for each in found] == ["/eu-west-2/a%3Ab", "/us-east-1/a%3Ab"]
    for each in found:
        headers = each.headers
        signature = of_header(headers["authorization"], headers["x-amz-date"])
        assert signature is not None
        assert (signature.key_id, signature.region) == (KEYS.key_id, each.path.split("/")[1])
        assert {"host", "content-type", "x-amz-security-token"} <= {*signature.headers}
        assert headers["x-amz-security-token"] == KEYS.session_token
        digest = hashlib.sha256(each.body).hexdigest()
        values = {name: [value] for name, value in headers.items()}
        right = sign(signature, KEYS.secret, "POST", each.path, "", values, digest)
        assert right == signature.value
        assert session.token not in str(each)
    text = tape.read_text()
    for secret in (KEYS.key_id, KEYS.secret, KEYS.session_token, session.token):
        assert secret not in text
    assert "123456789012" not in text
    assert "AIDACKCEVSQ6C2EXAMPLE" not in text
    assert "user/ada" not in text
    assert "<Account>000000000001</Account>" in text
    document = json.loads(text)
    assert document["targets"] == {"/braket": f"{url}/{{region}}"}
    recorded = [each["request"]["headers"]["authorization"] for each in document["exchanges"]]
    assert recorded[0].endswith("Credential=SCRUBBED-KEY/eu-west-2/braket/aws4_request")


def test_what_is_signed_with_another_key_or_not_at_all_is_not_sent(
    vendor: tuple[str, list[Received]], tmp_path: Path
) -> None:
    url, found = vendor
    with testing.record(tmp_path / "tape.json", {"/braket": url}, aws=KEYS) as session:
        other = ask(session.url, "AKIAOTHER")
        unsigned = httpx.post(f"{session.url}/braket/devices", content=BODY)
        presigned = httpx.post(f"{session.url}/braket/b?X-Amz-Signature=1", content=BODY)
    assert (other.status_code, unsigned.status_code, presigned.status_code) == (502, 502, 502)
    assert "another key than that of this recording" in other.text
    assert "this request is not signed by a header" in unsigned.text
    assert "presigned URLs are not signed by a header" in presigned.text
    assert found == []


def test_one_kind_of_key_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CassetteError, match="give only one of them"):
        testing.record(tmp_path / "a", {"/": "https://x.invalid"}, key="k" * 20, aws=KEYS)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS.key_id)
    with pytest.raises(CassetteError, match=r"^AWS_SECRET_ACCESS_KEY: not set"):
        AwsKeys.from_environment()


def test_the_command_keeps_the_keys_from_the_program(
    vendor: tuple[str, list[Received]], tmp_path: Path
) -> None:
    url, _ = vendor
    program = "import os; print({k: v for k, v in os.environ.items() if k.startswith('AWS')})"
    command = [sys.executable, "-m", "qwicket", "cassette", "record", str(tmp_path / "tape.json")]
    command += ["--aws", "--target", f"/braket={url}", "--client", "braket"]
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    own = dict(zip(names, (KEYS.key_id, KEYS.secret, KEYS.session_token), strict=True))
    env = {**os.environ, **own, "AWS_PROFILE": "work"}
    run = [*command, "--", sys.executable, "-c", program]
    ended = subprocess.run(run, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "'AWS_ACCESS_KEY_ID': 'cassette-" in ended.stdout
    assert "AWS_PROFILE" not in ended.stdout
    assert not any(value in ended.stdout for value in own.values())
