"""The transport against a server that misbehaves in each way that servers do."""

from __future__ import annotations

import gzip
import json
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from qwicket.clients.http import Response, RetryPolicy
from qwicket.clients.native import (
    ApiError,
    ClientError,
    ServerBusy,
    UnexpectedResponse,
    Unreachable,
)
from qwicket.clients.native.protocol import Pause, Send
from qwicket.clients.native.transport import Transport
from support.bad_server import (
    BadServer,
    Step,
    answer,
    cut,
    drip,
    drop,
    keep_alive,
    raw,
    reset,
    response,
    silent,
)
from support.given_clock import GivenClock
from support.ports import held_port
from support.waiting import until

GOOD = {"fine": True}
QUICK = RetryPolicy(max_attempts=3, total_s=5.0, first_pause_s=0.01, max_pause_s=0.05)
CLOSE = {"Connection": "close"}
"""Else the next request may go to a connection that the server is about to close."""
PATIENT = RetryPolicy(max_attempts=2, first_pause_s=0.01)
OBJECT = dict[str, Any]


def transport(server: BadServer, retry_policy: RetryPolicy = QUICK, **options: Any) -> Transport:
    return Transport(server.url, "secret", options.pop("timeout_s", 5.0), retry_policy, **options)


# --- what is tried again ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble",
    [
        drop(),
        reset(),
        raw(b""),
        raw(b"nonsense\r\n\r\n"),
        raw(b"HTTP/1.1 2"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: oops\r\n\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"),
        raw(b"HTTP/1.1 200 OK\r\n" + b"X-Filler: 1\r\n" * 1_000),
        raw(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000),
        answer(200, b""),
        answer(408),
        answer(429, {"code": "too_many_requests"}, {"Retry-After": "0"}),
        answer(502, b"<html><h1>Bad gateway</h1></html>", {"Content-Type": "text/html"}),
        answer(503, {"code": "unavailable"}, {"Retry-After": "0"}),
        answer(504),
    ],
)
def test_transient_errors_are_retried_silently(trouble: Step) -> None:
    with BadServer(trouble, trouble, answer(200, GOOD)) as server:
        assert transport(server).get("/x", OBJECT) == GOOD
        assert server.connections == 3


WHOLE = response(200, GOOD)
HEAD_BYTES = WHOLE.index(b"\r\n\r\n") + 4
LINE_BYTES = WHOLE.index(b"\r\n")


@pytest.mark.parametrize(
    "after_bytes",
    # Nothing, within and around the first line, a header, the end of the head, and the body.
    [
        *(0, 1, LINE_BYTES, LINE_BYTES + 1, LINE_BYTES + 2, LINE_BYTES + 5),
        *(HEAD_BYTES - 2, HEAD_BYTES - 1, HEAD_BYTES, HEAD_BYTES + 1),
        *(len(WHOLE) - 2, len(WHOLE) - 1),
    ],
)
def test_a_connection_that_drops_at_any_byte_is_tried_again(after_bytes: int) -> None:
    with BadServer(cut(after_bytes, GOOD), answer(200, GOOD)) as server:
        assert transport(server).get("/x", OBJECT) == GOOD
        assert len(server.requests) == 2


def test_a_connection_is_kept() -> None:
    with BadServer(keep_alive(answer(200, GOOD), answer(404), answer(200, GOOD))) as server:
        client = transport(server)
        client.get("/x", OBJECT)
        with pytest.raises(ApiError):
            client.get("/x", OBJECT)
        client.get("/x", OBJECT)
        assert (len(server.requests), server.connections) == (3, 1)
        client.close()


def test_a_kept_connection_that_the_server_closed_is_made_anew() -> None:
    with BadServer(answer(200, GOOD)) as server:
        client = transport(server)
        for _ in range(3):
            assert client.get("/x", OBJECT) == GOOD
        assert len(server.requests) == 3
        client.close()


def test_a_connection_with_half_an_answer_on_it_is_not_kept() -> None:
    slow = keep_alive(drip(0.05, GOOD), answer(200, GOOD))
    with BadServer(slow, answer(200, GOOD)) as server:
        client = transport(server, timeout_s=0.2)
        assert client.get("/x", OBJECT) == GOOD
        assert server.connections == 2


@pytest.mark.parametrize("trouble", [drop(), answer(503), answer(429), answer(200, b"")])
def test_there_is_a_last_try(trouble: Step) -> None:
    with BadServer(trouble) as server:
        with pytest.raises((Unreachable, ServerBusy)):
            transport(server).get("/x", OBJECT)
        assert server.connections == QUICK.max_attempts


def test_there_is_no_try_after_the_total_time() -> None:
    retry_policy = RetryPolicy(
        max_attempts=1_000, total_s=150.0, first_pause_s=5.0, max_pause_s=5.0
    )
    clock = GivenClock()
    with BadServer(answer(503, b"", CLOSE)) as server, pytest.raises(ServerBusy):
        transport(server, retry_policy, clock=clock).get("/x", OBJECT)
    first_s, *others_s, last_s = clock.pauses_s
    assert 2.5 <= first_s <= 5.0
    assert others_s == [5.0] * len(others_s)
    assert last_s == pytest.approx(150.0 - first_s - sum(others_s))


def test_a_pause_is_half_to_all_of_what_the_policy_says() -> None:
    retry_policy = RetryPolicy(max_attempts=21, first_pause_s=0.05, max_pause_s=0.05)
    client = Transport("http://127.0.0.1:1", "secret", 5.0, retry_policy)
    steps = client.api.get("/x", OBJECT)
    assert isinstance(next(steps), Send)
    for _ in range(20):
        pause = steps.send(Response(503, {}, b""))
        assert isinstance(pause, Pause)
        assert 0.025 <= pause.seconds <= 0.05
        assert isinstance(next(steps), Send)
    with pytest.raises(ServerBusy):
        steps.send(Response(503, {}, b""))
    client.close()


def test_a_silent_server_is_left_after_the_timeout() -> None:
    with BadServer(silent()) as server:
        began = time.monotonic()
        with pytest.raises(Unreachable, match="no response came in time"):
            transport(server, RetryPolicy(max_attempts=1), timeout_s=0.2).get("/x", OBJECT)
        assert time.monotonic() - began >= 0.2


def test_retry_after_is_obeyed() -> None:
    clock = GivenClock()
    headers = {"Retry-After": "7", **CLOSE}
    with BadServer(answer(503, b"", headers), answer(200, GOOD)) as server:
        transport(server, PATIENT, clock=clock).get("/x", OBJECT)
    assert clock.pauses_s == [7.0]


def test_a_huge_retry_after_is_capped_and_reported() -> None:
    clock = GivenClock()
    headers = {"Retry-After": "999999999999", **CLOSE}
    with BadServer(answer(429, {}, headers)) as server:
        with pytest.raises(ServerBusy) as caught:
            transport(server, clock=clock).get("/x", OBJECT)
        assert clock.pauses_s == [QUICK.max_pause_s] * 2
        assert caught.value.retry_after_s >= 86400


def test_a_retry_after_that_is_a_date_is_obeyed() -> None:
    clock = GivenClock()
    headers = {
        "Retry-After": "Sun, 06 Nov 1994 08:49:44 GMT",
        "Date": "Sun, 06 Nov 1994 08:49:37 GMT",
        **CLOSE,
    }
    with BadServer(answer(503, b"", headers), answer(200, GOOD)) as server:
        transport(server, PATIENT, clock=clock).get("/x", OBJECT)
    assert clock.pauses_s == [7.0]


def test_pauses_grow_from_try_to_try() -> None:
    retry_policy = RetryPolicy(max_attempts=4, first_pause_s=1.0)
    clock = GivenClock()
    with BadServer(answer(503, b"", CLOSE)) as server, pytest.raises(ServerBusy):
        transport(server, retry_policy, clock=clock).get("/x", OBJECT)
    for pause_s, longest_s in zip(clock.pauses_s, [1.0, 2.0, 4.0], strict=True):
        assert longest_s / 2 <= pause_s <= longest_s


def test_no_connection_at_all_is_unreachable() -> None:
    url = f"http://127.0.0.1:{held_port()}"
    with pytest.raises(Unreachable, match=r"cannot be reached: no server listens there\. Is the"):
        Transport(url, "secret", 5.0, QUICK).get("/x", OBJECT)


def test_a_name_that_does_not_exist_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="the host name cannot be resolved"):
        Transport("http://nowhere.invalid", "secret", 5.0, RetryPolicy(max_attempts=1)).get(
            "/x", OBJECT
        )


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Let SIGINT do what it does in a program of its own, whatever other tests made of it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_a_request_at_once_and_harms_no_later_one() -> None:
    here = threading.get_ident()
    with BadServer(silent(), answer(200, GOOD)) as server:

        def interrupt_it() -> None:
            until(lambda: server.requests, "a request")
            signal.pthread_kill(here, signal.SIGINT)

        interrupt = threading.Thread(target=interrupt_it)
        client = transport(server, timeout_s=600.0)  # longer than a test may take
        interrupt.start()
        with pytest.raises(KeyboardInterrupt):
            client.get("/x", OBJECT)
        assert client.get("/x", OBJECT) == GOOD
        interrupt.join()


# --- what is not tried again -----------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 422, 500, 507])
def test_a_refusal_is_raised_at_once(status: int) -> None:
    problem = {"code": "refused", "detail": "No.", "remedy": "Ask for less.", "field": "shots"}
    with BadServer(answer(status, problem)) as server:
        with pytest.raises(ApiError) as caught:
            transport(server).get("/x", OBJECT)
        assert len(server.requests) == 1
    error = caught.value
    assert (error.status, error.code, error.detail) == (status, "refused", "No.")
    assert (error.remedy, error.field) == ("Ask for less.", "shots")


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>404</html>", b"[]", b"null", b"\xff", b"{", b'{"detail": 5}', b"[" * 100_000],
)
def test_a_refusal_without_a_problem_document_has_a_sentence_of_ours(body: bytes) -> None:
    with (
        BadServer(answer(404, body)) as server,
        pytest.raises(ApiError, match=r"^The server answered 404\. \(error, HTTP 404\)$"),
    ):
        transport(server).get("/x", OBJECT)


@pytest.mark.parametrize("body", [b"<html>Welcome</html>", [], None, 5, "text", b"{", b"\xff"])
def test_an_answer_that_is_no_object_is_refused_at_once(body: Any) -> None:
    with BadServer(answer(200, body)) as server:
        with pytest.raises(UnexpectedResponse, match="Is the address right"):
            transport(server).get("/x", OBJECT)
        assert len(server.requests) == 1


def test_an_answer_larger_than_the_bound_is_refused() -> None:
    with (
        BadServer(answer(200, b" " * 100_001)) as server,
        pytest.raises(UnexpectedResponse, match="sends 100,001 bytes; at most 100,000 are read"),
    ):
        transport(server, max_bytes=100_000).get("/x", OBJECT)


def test_a_small_answer_that_unpacks_to_a_large_one_is_refused() -> None:
    packed = gzip.compress(b" " * 10_000_000)
    assert len(packed) < 20_000
    with (
        BadServer(answer(200, packed, {"Content-Encoding": "gzip"})) as server,
        pytest.raises(
            UnexpectedResponse, match="sends more than 100,000 bytes; at most 100,000 are read"
        ),
    ):
        transport(server, max_bytes=100_000).get("/x", OBJECT)


def test_a_packed_answer_is_read() -> None:
    packed = gzip.compress(json.dumps(GOOD).encode())
    with BadServer(answer(200, packed, {"Content-Encoding": "gzip"})) as server:
        assert transport(server).get("/x", OBJECT) == GOOD


# --- redirects -------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_named_and_not_followed(status: int) -> None:
    with BadServer(answer(200, GOOD)) as elsewhere:
        target = {"Location": f"{elsewhere.url}/x?code=5"}
        with BadServer(answer(status, b"", target)) as server:
            with pytest.raises(UnexpectedResponse) as caught:
                transport(server).get("/x", OBJECT)
            assert len(server.requests) == 1
            assert str(caught.value) == (
                f"{server.url} redirects to {elsewhere.url}; this is not followed."
            )
        assert elsewhere.connections == 0


@pytest.mark.parametrize("location", ["", "/elsewhere", "http://[", "//", "\t", "x" * 9_000])
def test_a_redirect_to_nowhere_has_a_sentence(location: str) -> None:
    with (
        BadServer(answer(302, b"", {"Location": location})) as server,
        pytest.raises(UnexpectedResponse, match="redirects; this is not followed"),
    ):
        transport(server).get("/x", OBJECT)


# --- what is sent ----------------------------------------------------------------------------


def test_a_read_carries_the_token_and_no_body() -> None:
    with BadServer(answer(200, GOOD)) as server:
        transport(server).get("/x", OBJECT)
        (request,) = server.requests
    assert (request.method, request.path, request.body) == ("GET", "/x", b"")
    assert request.headers["authorization"] == "Bearer secret"
    assert "content-type" not in request.headers


def test_a_write_is_the_same_in_each_try() -> None:
    with BadServer(drop(), reset(), answer(503), answer(200, GOOD)) as server:
        client = transport(server, RetryPolicy(max_attempts=4, first_pause_s=0.01))
        assert client.post("/x", {"shots": 5}, OBJECT, key="same") == GOOD
        assert len(server.requests) == 3
        for request in server.requests:
            assert request.json == {"shots": 5}
            assert request.headers["idempotency-key"] == "same"


def test_the_password_of_a_netrc_file_does_not_replace_the_token(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login eve password wrong\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with BadServer(answer(200, GOOD)) as server:
        transport(server).get("/x", OBJECT)
        assert server.requests[0].headers["authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    "body", [{"angle": float("nan")}, {"angle": float("inf")}, {"gate": object()}, {"gate": b"h"}]
)
def test_a_program_that_is_no_json_is_refused_before_it_is_sent(body: Any) -> None:
    with BadServer(answer(200, GOOD)) as server:
        with pytest.raises(ClientError, match="The program cannot be encoded as JSON: "):
            transport(server).post("/x", body, OBJECT)
        assert server.connections == 0


def test_a_program_that_contains_itself_is_refused() -> None:
    body: dict[str, Any] = {}
    body["again"] = body
    with pytest.raises(ClientError, match="The program cannot be encoded as JSON"):
        Transport("http://127.0.0.1", "secret", 5.0).post("/x", body, OBJECT)


# --- what a transport is made of -------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8000",
        "localhost",
        "ftp://127.0.0.1",
        "http://",
        "http://:8000",
        "http://127.0.0.1:port",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:0",
        "http://[::1",
        "http://127.0.0.1/\r\nX: y",
        "http://a host",
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ClientError, match="server's address is invalid"):
        Transport(url, "secret", 5.0)


@pytest.mark.parametrize(
    "url",
    ["http://ada:secret@host", "http://secret@host", "http://host?t=secret", "http://h#secret"],
)
def test_an_address_with_a_secret_in_it_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(ClientError, match="must not contain a password") as caught:
        Transport(url, "token", 5.0)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/", "https://[::1]:8000", "HTTP://lab/q/"])
def test_an_address_loses_its_last_slash(url: str) -> None:
    assert repr(Transport(url, "secret", 5.0)) == f"<Transport {url.rstrip('/')}>"


@pytest.mark.parametrize("token", ["", " ", "a\nb", "a\r\nX: y", "pässword", "a\0b", "…"])
def test_a_token_that_cannot_be_sent_is_refused_and_not_quoted(token: str) -> None:
    with pytest.raises(ClientError, match=r"^The token must be printable ASCII\.$"):
        Transport("http://127.0.0.1", token, 5.0)


def test_a_token_from_a_file_may_end_with_a_newline() -> None:
    with BadServer(answer(200, GOOD)) as server:
        Transport(server.url, "secret\n", 5.0).get("/x", OBJECT)
        assert server.requests[0].headers["authorization"] == "Bearer secret"


def test_a_device_that_is_off_is_reported_at_once() -> None:
    off = answer(503, {"code": "unavailable", "detail": "It is off.", "field": "device"})
    with BadServer(off, answer(200, GOOD)) as server:
        with pytest.raises(ApiError, match=r"It is off\."):
            transport(server).get("/v1/devices", dict)
        assert len(server.requests) == 1


def test_a_204_is_a_whole_response_and_is_not_asked_for_again() -> None:
    with BadServer(answer(204)) as server:
        transport = Transport(server.url, "token", 10.0)
        transport.run(transport.api.delete("/v1/jobs/x"))
        assert [each.method for each in server.requests] == ["DELETE"]


def test_a_request_that_is_not_repeated_gets_a_connection_of_its_own() -> None:
    """A kept connection may break, and then it is unknown whether the request arrived."""
    with BadServer(keep_alive(answer(200, GOOD), reset()), answer(200, GOOD)) as server:
        transport = Transport(server.url, "qw_x", 5.0)
        transport.get("/v1/account", OBJECT)
        once = transport.api.post_once("/v1/webhooks/a/rotate", None, OBJECT)
        assert transport.run(once) == GOOD
        transport.close()
