"""Request heads that HTTP forbids are refused; responses have headers that protect secrets."""

from __future__ import annotations

import httpx

from abuse.dialects import DIALECTS, Dialect
from support import ibm, raw
from support.for_each import for_each
from support.server import LiveServer

UPGRADE = "Connection: Upgrade\r\nUpgrade: h2c\r\n"
FORBIDDEN = {
    "two hosts": ("GET /livez HTTP/1.1\r\nHost: a\r\nHost: b", 400),
    "the same host twice": ("GET /livez HTTP/1.1\r\nHost: a\r\nhost: a", 400),
    "no host": ("GET /livez HTTP/1.1\r\nX: x", 400),
    "two hosts in 1.0": ("GET /livez HTTP/1.0\r\nHost: a\r\nHost: b", 400),
    "a host with a path": ("GET /livez HTTP/1.1\r\nHost: a/b", 400),
    "a host with a user": ("GET /livez HTTP/1.1\r\nHost: a@b", 400),
    "a host with a space": ("GET /livez HTTP/1.1\r\nHost: a b", 400),
    "2.0": ("GET /livez HTTP/2.0\r\nHost: a", 400),
    "0.9": ("GET /livez HTTP/0.9\r\nHost: a", 400),
    "1.2": ("GET /livez HTTP/1.2\r\nHost: a", 400),
    "gzip": ("POST /v1/jobs HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked", 501),
    "two codings": (
        "POST /v1/jobs HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip"
        "\r\nTransfer-Encoding: chunked",
        501,
    ),
    "chunked in 1.0": ("POST /v1/jobs HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked", 400),
}


@for_each("upgrade", ["", UPGRADE])
@for_each("head, status", FORBIDDEN.values())
def test_a_forbidden_head_is_refused(
    server: LiveServer, head: str, status: int, upgrade: str
) -> None:
    with raw.connect(server.url) as connection:
        connection.sendall(f"{head}\r\n{upgrade}\r\n0\r\n\r\n".encode())
        answer = raw.answer(connection)
        assert (answer.status_code, answer.headers["connection"]) == (status, "close")
        assert raw.is_ended(connection)


@for_each("host", ["a", "a:80", "[::1]:8000", "xn--bcher-kva.example", "", "a_b"])
def test_a_host_of_any_name_is_served(server: LiveServer, host: str) -> None:
    with raw.connect(server.url) as connection:
        connection.sendall(f"GET /livez HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert raw.answer(connection).status_code == 200


def test_a_request_in_1_0_needs_no_host(server: LiveServer) -> None:
    with raw.connect(server.url) as connection:
        connection.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
        assert raw.answer(connection).status_code == 200


@for_each("dialect", DIALECTS)
@for_each("token", ["right", "wrong"])
def test_no_answer_of_a_dialect_is_kept_sniffed_or_referred_to(
    server: LiveServer, dialect: Dialect, token: str
) -> None:
    secret = server.token() if token == "right" else "wrong"
    for path in (dialect.jobs, f"{dialect.prefix}/nothing"):
        check(httpx.get(server.url + path, headers=dialect.auth(secret)))
    check(
        httpx.post(server.url + dialect.jobs, content=dialect.text(), headers=dialect.auth(secret))
    )


def test_an_access_token_is_not_kept(server: LiveServer) -> None:
    body = {"apiToken": server.token()}
    answer = httpx.post(f"{server.url}{ibm.DIALECT}/users/loginWithToken", json=body)
    assert answer.status_code == 200
    check(answer)


def test_pages_keep_their_own_headers(server: LiveServer) -> None:
    page = httpx.get(f"{server.url}/docs")
    assert page.headers.get_list("cache-control") == ["public, no-cache"]
    for name in ("content-security-policy", "x-content-type-options", "referrer-policy"):
        assert len(page.headers.get_list(name)) == 1


def check(answer: httpx.Response) -> None:
    assert answer.headers.get_list("cache-control") == ["no-store"]
    policy = ["default-src 'none'; frame-ancestors 'none'; sandbox"]
    assert answer.headers.get_list("content-security-policy") == policy
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    assert answer.headers.get_list("referrer-policy") == ["no-referrer"]
