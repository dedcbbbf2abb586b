"""Slow answers, and the way through a proxy."""

from __future__ import annotations

import json
import ssl
import time
from contextlib import closing
from typing import Any

import pytest
import requests
import urllib3

from qwicket.clients.http import HTTPClient, InvalidResponse, NoResponse, Request, bounds
from qwicket.clients.http.client import CONNECT_S
from qwicket.clients.http.deadline_connections import connected
from qwicket.clients.http.requests_adapter import DeadlineAdapter
from support import certificates
from support.bad_server import BadServer, Connection, answer, drip, drop, keep_alive, raw, response
from support.certificates import Certificate

GOOD = {"text": "x" * 2_000}
HEAD_BYTES = len(response(200, GOOD)) - len('{"text": ""}') - 2_000
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def get(url: str, limit_s: float) -> Any:
    line = HTTPClient(url, ValueError)
    try:
        return json.loads(line.exchange(Request("GET", "/x", limit_s=limit_s)).content)
    finally:
        line.close()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("at_once", [0, 1, HEAD_BYTES, HEAD_BYTES + 100])
def test_an_answer_that_drips_is_left_after_the_timeout(at_once: int) -> None:
    with BadServer(drip(0.1, GOOD, at_once=at_once)) as server:
        began = time.monotonic()
        # The whole answer would come after minutes, and each byte long before the timeout.
        with pytest.raises(NoResponse, match="no response came in time"):
            get(server.url, 0.3)
        assert time.monotonic() - began >= 0.3


def test_a_response_in_chunks_is_read() -> None:
    with BadServer(drip(0.001, {"text": "x" * 50})) as server:
        assert get(server.url, 20.0) == {"text": "x" * 50}


def test_a_large_answer_may_take_longer_than_the_timeout() -> None:
    large = {"text": "x" * 100_000}  # which may take six seconds
    with BadServer(drip(0.08, large, at_once=HEAD_BYTES, n_bytes=16_000)) as server:
        began = time.monotonic()
        assert get(server.url, 0.2) == large
        assert time.monotonic() - began > 0.4


def test_the_next_request_on_a_kept_connection_has_all_its_time() -> None:
    # Three pauses of 0.2 s in each response: longer than the limit in all, far shorter in each.
    slow = drip(0.2, GOOD, at_once=len(response(200, GOOD)) - 3)
    with BadServer(keep_alive(*[slow] * 4)) as server:
        line = HTTPClient(server.url, ValueError)
        for _ in range(4):
            line.exchange(Request("GET", "/x", limit_s=2.0))
        assert server.connections == 1
        line.close()


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with BadServer(answer(200, GOOD)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("://", "://ada:pass%40word@"))
        assert get("http://lab.invalid", 5.0) == GOOD
        (request,) = proxy.requests
    assert request.path == "http://lab.invalid/x"
    expected = urllib3.make_headers(proxy_basic_auth="ada:pass@word")["proxy-authorization"]
    assert request.headers["proxy-authorization"] == expected


def test_a_proxy_may_be_named_without_a_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    with BadServer(answer(200, GOOD)) as proxy:
        monkeypatch.setenv("all_proxy", proxy.url.removeprefix("http://"))
        assert get("http://lab.invalid", 5.0) == GOOD


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_reached_without_a_proxy(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")
    with BadServer(answer(200, GOOD)) as server:
        url = server.url.replace("127.0.0.1", host)
        assert get(url, 5.0) == GOOD


def test_hosts_that_no_proxy_names_are_reached_without_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")
    monkeypatch.setenv("no_proxy", ".invalid")
    with pytest.raises(NoResponse, match="the host name cannot be resolved"):
        get("http://lab.invalid", 5.0)


def test_a_proxy_that_is_away_is_named_as_the_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with pytest.raises(NoResponse, match="the proxy cannot connect"):
        get("http://lab.invalid", 5.0)


def test_a_proxy_of_an_unknown_kind_is_refused_and_not_quoted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "socks5://ada:password@proxy.invalid")
    with pytest.raises(ValueError, match="cannot be used") as caught:
        HTTPClient("http://lab.invalid", ValueError)
    assert "password" not in str(caught.value)
    assert caught.value.__context__ is None


# --- TLS ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificates.certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.chain, certificate.key)
    return context


def test_an_untrusted_certificate_is_refused_at_once(tls: ssl.SSLContext) -> None:
    with BadServer(answer(200, GOOD), tls=tls) as server:
        with pytest.raises(
            InvalidResponse, match=r"^TLS with https://.* failed: its certificate is not trusted "
        ):
            get(server.url, 5.0)
        assert (server.connections, server.requests) == (1, [])


def test_a_certificate_that_the_operator_trusts_is_taken(
    tls: ssl.SSLContext, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
    with BadServer(answer(200, GOOD), drip(0.1, GOOD), tls=tls) as server:
        assert get(server.url, 5.0) == GOOD
        began = time.monotonic()
        with pytest.raises(NoResponse, match="no response came in time"):
            get(server.url, 0.5)
        assert time.monotonic() - began >= 0.5


def test_a_server_without_tls_is_a_bad_answer() -> None:
    def plain_text(connection: Connection) -> None:
        connection.send(response(400, "This is a plain HTTP server."))
        connection.is_over.wait(1.0)

    with BadServer(plain_text) as server:
        url = server.url.replace("http://", "https://")
        with pytest.raises(InvalidResponse, match=rf"^TLS with {url} failed"):
            get(url, 5.0)
        assert server.connections == 1


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_request_that_a_proxy_took_without_an_answer_may_have_been_sent(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    request = Request("POST", "/jobs", body=b"{}", limit_s=5.0, can_repeat=False)
    with BadServer(drop()) as proxy:
        monkeypatch.setenv(f"{scheme}_proxy", proxy.url)
        client = HTTPClient(f"{scheme}://nowhere.invalid", ValueError)
        with pytest.raises(NoResponse) as caught:
            client.exchange(request)
    assert caught.value.was_sent


@pytest.mark.parametrize(("scheme", "place"), [("http", ":80"), ("https", ":443"), ("https", ":9")])
def test_a_connection_for_another_protocol_goes_through_a_proxys_tunnel(
    scheme: str,
    place: str,
    tls: ssl.SSLContext,
    certificate: Certificate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def tunnel(connection: Connection) -> None:
        connection.read()
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
        if scheme == "https":
            connection.sock = tls.wrap_socket(connection.sock, server_side=True)
        connection.send(connection.sock.recv(100))
        connection.sock.close()

    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
    with BadServer(tunnel) as proxy:
        monkeypatch.setenv(f"{scheme}_proxy", proxy.url.replace("://", "://ada:pass%40word@"))
        url = f"{scheme}://lab.invalid" + (place if place == ":9" else "")
        with closing(connected(url, 5.0)) as connection:
            connection.sock.sendall(b"words of another protocol")
            assert connection.sock.recv(100) == b"words of another protocol"
        (request,) = proxy.requests
    assert (request.method, request.path) == ("CONNECT", f"lab.invalid{place}")
    expected = urllib3.make_headers(proxy_basic_auth="ada:pass@word")["proxy-authorization"]
    assert request.headers["proxy-authorization"] == expected


@pytest.mark.parametrize("reply", [b"no HTTP\r\n\r\n", b"", b"HTTP/1.1 403 No\r\n\r\n"])
def test_a_proxy_that_opens_no_tunnel_is_an_error_of_the_connection(
    reply: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with BadServer(raw(reply)) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        with pytest.raises(OSError):  # noqa: PT011 - the text is Python's
            connected("https://lab.invalid", 5.0)


def test_no_password_of_a_proxy_with_tls_is_sent_without_it(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    with BadServer(drop(), tls=tls) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("://", "://ada:pass%40word@"))
        with pytest.raises(OSError, match="no tunnel without TLS"):
            connected("http://lab.invalid", 5.0)
        assert proxy.connections == 0


@pytest.mark.parametrize("is_open", [False, True])
def test_a_body_may_take_longer_to_send_than_a_connection_to_make(is_open: bool) -> None:
    size = 32 << 20

    def slow(connection: Connection) -> None:
        time.sleep(CONNECT_S + 1)
        if connection.read() is not None:
            connection.send(response(200, GOOD))

    step = keep_alive(answer(200, GOOD), slow) if is_open else slow
    with BadServer(step) as server:
        client = HTTPClient(server.url, ValueError)
        if is_open:
            client.exchange(Request("GET", "/x", limit_s=5.0))
        request = Request("PUT", "/x", body=b"x" * size, limit_s=60.0)
        assert client.exchange(request).status == 200
        assert server.connections == 1


@pytest.mark.parametrize("is_open", [False, True])
def test_requests_may_take_longer_to_send_than_a_connection_to_make(is_open: bool) -> None:
    def slow(connection: Connection) -> None:
        time.sleep(1.5)
        if connection.read() is not None:
            connection.send(response(200, GOOD))

    step = keep_alive(answer(200, GOOD), slow) if is_open else slow
    with BadServer(step) as server, requests.Session() as session:
        session.mount("http://", DeadlineAdapter())
        if is_open:
            session.get(server.url, timeout=5)
        body = b"x" * (32 << 20)
        assert session.put(server.url, data=body, timeout=(0.5, 20)).status_code == 200
        assert server.connections == 1


def test_within_bounds_a_server_does_not_choose_how_its_text_is_decoded() -> None:
    # As punycode, 4 MB would take half an hour of a processor.
    for name in ("utf-7", "punycode", "utf-16", "unknown"):
        step = answer(200, {"a": "+AFsAXQ-"}, {"Content-Type": f"text/plain; charset={name}"})
        with BadServer(step) as server, requests.Session() as session:
            session.mount("http://", DeadlineAdapter())
            with bounds.within(bounds.SMALL):
                found = session.get(server.url, timeout=20)
            assert found.json() == {"a": "+AFsAXQ-"}, name
            assert found.text == '{"a": "+AFsAXQ-"}', name
