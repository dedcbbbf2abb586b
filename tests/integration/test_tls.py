"""The server speaks TLS by itself: with a certificate, to our own client, bounded like all else."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from qwicket.server import tls
from support import raw
from support.certificates import Certificate, certificate
from support.programs import BELL
from support.server import LiveServer, run_cli


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, files: Certificate) -> Iterator[LiveServer]:
    live = LiveServer(
        tmp_path_factory.mktemp("live"),
        *("--tls-cert", str(files.chain), "--tls-key", str(files.key)),
        *("--limit", "head_timeout_s=1", "--limit", "response_timeout_s=1"),
    )
    yield live
    assert live.stop() == 0
    assert b"Traceback" not in live.log.read_bytes()


@pytest.fixture
def trusting(files: Certificate) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(files.authority))


@pytest.fixture
def http(live: LiveServer, trusting: ssl.SSLContext) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {live.token()}"}
    with httpx.Client(base_url=live.url, headers=headers, verify=trusting, timeout=60) as http:
        yield http


def wrapped(live: LiveServer, trusting: ssl.SSLContext) -> ssl.SSLSocket:
    return trusting.wrap_socket(raw.connect(live.url), server_hostname="127.0.0.1")


def test_a_job_runs_over_tls_and_its_address_says_so(live: LiveServer, http: httpx.Client) -> None:
    assert live.url.startswith("https://127.0.0.1:")
    made = http.post("/v1/jobs", json={"program": BELL, "device": "simulator"})
    assert made.status_code == 201
    assert made.headers["location"].startswith(f"{live.url}/v1/jobs/")
    job = http.get(f"{made.headers['location']}?wait=60").json()
    assert job["state"] == "completed"


def test_the_command_line_works_over_tls(
    live: LiveServer, files: Certificate, tmp_path: Path
) -> None:
    program = tmp_path / "bell.qasm"
    program.write_text(
        'OPENQASM 3; include "stdgates.inc"; qubit[2] q; h q[0]; bit c = measure q[0];'
    )
    env = {"QWICKET_URL": live.url, "QWICKET_TOKEN": live.token()}
    command = ["submit", str(program), "--device", "simulator", "--shots", "10", "--wait"]
    trusted = run_cli(*command, env={**env, "SSL_CERT_FILE": str(files.authority)})
    assert trusted.returncode == 0, trusted.stderr
    refused = run_cli(*command, env={**env, "SSL_CERT_FILE": ""})
    assert refused.returncode == 1
    assert "TLS with https://127.0.0.1" in refused.stderr


def test_old_versions_of_tls_are_refused(live: LiveServer, trusting: ssl.SSLContext) -> None:
    trusting.minimum_version = ssl.TLSVersion.TLSv1_2
    with wrapped(live, trusting) as connection:
        assert connection.version() in ("TLSv1.2", "TLSv1.3")
    trusting.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        trusting.minimum_version = trusting.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        wrapped(live, trusting)


def test_a_handshake_that_never_comes_is_given_up(live: LiveServer) -> None:
    with raw.connect(live.url) as connection:
        assert raw.is_ended(connection)


def test_what_is_no_handshake_is_ended(live: LiveServer) -> None:
    with raw.connect(live.url) as connection:
        connection.sendall(raw.head("GET /livez"))
        while not raw.is_ended(connection):  # an alert may come first
            pass


def test_half_a_head_is_given_up_over_tls(live: LiveServer, trusting: ssl.SSLContext) -> None:
    with wrapped(live, trusting) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\n")
        assert raw.answer(connection).status_code == 408
        assert is_ended_or_cut(connection)


def test_a_client_that_takes_nothing_over_tls_is_ended(
    live: LiveServer, trusting: ssl.SSLContext, http: httpx.Client
) -> None:
    body = {"program": BELL, "device": "simulator", "shots": 1_000_000, "outputs": ["memory"]}
    job = http.post("/v1/jobs", json=body).json()["id"]
    assert http.get(f"/v1/jobs/{job}?wait=60").json()["state"] == "completed"
    plain = raw.connect(live.url, receive_bytes=4_096)
    with trusting.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
        auth = f"Authorization: Bearer {live.token()}"
        connection.sendall(raw.head(f"GET /v1/jobs/{job}/result", auth))
        raw.wait_for_reset(connection)


def test_many_half_open_handshakes_exclude_no_other_client(
    live: LiveServer, trusting: ssl.SSLContext
) -> None:
    """Their clients open a connection, begin a handshake, and say nothing more."""
    hello = ssl.MemoryBIO()
    begun = trusting.wrap_bio(ssl.MemoryBIO(), hello, server_hostname="127.0.0.1")
    with contextlib.suppress(ssl.SSLWantReadError):
        begun.do_handshake()
    first = hello.read()
    with contextlib.ExitStack() as stack:
        opened = [
            stack.enter_context(raw.connect(live.url, source="127.0.0.2")) for _ in range(500)
        ]
        for number, each in enumerate(opened):
            each.sendall(first[: number % len(first)] if number % 2 else first)
        assert httpx.get(f"{live.url}/livez", verify=trusting).status_code == 200
        for each in opened:
            while not raw.is_ended(each):
                pass


@pytest.mark.parametrize(
    "sent", [b"\0" * 1_000, b"\x16\x03\x01\xff\xff" + b"x" * 100_000], ids=["zeros", "record"]
)
def test_bytes_that_are_no_handshake_are_ended(live: LiveServer, sent: bytes) -> None:
    with raw.connect(live.url) as plain, contextlib.suppress(ConnectionError):
        plain.sendall(sent)
        while plain.recv(1_000):
            pass


def test_neither_old_versions_nor_renegotiation_are_spoken(
    live: LiveServer, files: Certificate
) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with raw.connect(live.url) as plain, pytest.raises((ssl.SSLError, ConnectionError)):
        old.wrap_socket(plain)
    context = tls.context(files.chain, files.key)
    assert context is not None
    assert context.options & ssl.OP_NO_RENEGOTIATION


def is_ended_or_cut(connection: socket.socket) -> bool:
    try:
        return raw.is_ended(connection)
    except ssl.SSLError:
        return True


# --- what cannot be served ------------------------------------------------------------------------


def refusal(tmp_path: Path, cert: Path, key: Path) -> str:
    """Return the one line in which the server says why it does not start."""
    done = run_cli(
        *("serve", "--port", "0", "--data-dir", str(tmp_path / "data")),
        *("--tls-cert", str(cert), "--tls-key", str(key)),
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: --tls-")
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.extended
def test_files_that_are_no_certificate_are_refused(tmp_path: Path, files: Certificate) -> None:
    (tmp_path / "text").write_text("no certificate")
    absent = tmp_path / "absent"
    for cert, key, option in (
        (absent, files.key, "--tls-cert"),
        (files.chain, absent, "--tls-key"),
        (absent, absent, "--tls-cert"),
    ):
        said = refusal(tmp_path, cert, key)
        assert said == f"Error: {option}: {absent} cannot be read: No such file or directory.\n"
    assert str(tmp_path / "text") in refusal(tmp_path, tmp_path / "text", files.key)
    refusal(tmp_path, files.key, files.key)
    refusal(tmp_path, tmp_path, files.key)


def test_a_key_of_another_certificate_is_refused(tmp_path: Path, files: Certificate) -> None:
    other = certificate(tmp_path)
    said = refusal(tmp_path, files.chain, other.key)
    assert f"the key in {other.key} does not match the certificate in {files.chain}" in said
