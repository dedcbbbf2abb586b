"""The client and misbehaving servers: what it repeats, where it sends secrets, its errors."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import pickle
import ssl
import threading
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qwicket.clients import ibm_qx
from qwicket.clients.http import RetryPolicy
from qwicket.vendors.ibm.client import (
    RETRIABLE,
    IBMQXAPIError,
    IBMQXClient,
    IBMQXClientError,
    IBMQXError,
    IBMQXJobError,
    IBMQXJobLimitError,
    IBMQXRetriableError,
    IBMQXTimeoutError,
    Job,
)
from qwicket.vendors.ibm.client.stream import DONE as DONE_CODE
from qwicket.vendors.ibm.client.stream import StreamBroken, statuses
from support.bad_server import (
    BadServer,
    Connection,
    Step,
    answer,
    cut,
    drip,
    drop,
    raw,
    reset,
    silent,
)
from support.certificates import certificate
from support.for_each import for_each
from support.given_clock import GivenClock
from support.waiting import until

KEY = "the-key-of-ada"
PASS = "the-pass-of-ada"
SIGNED = answer(200, {"id": PASS, "ttl": 10})
JOB = {"id": "7", "status": "QUEUED", "kind": "q-object"}
DONE = {**JOB, "status": "COMPLETED", "qObjectResult": {"success": True, "results": []}}
QUICK = RetryPolicy(max_attempts=3, total_s=5.0, first_pause_s=0.01, max_pause_s=0.02)
ERROR = {"error": {"status": 400, "message": "no", "code": 3100, "name": "INVALID_REQUEST"}}


def client(server: BadServer, **options: Any) -> IBMQXClient:
    made = IBMQXClient(KEY, url=f"{server.url}/ibm/api", **options)
    made.retry_policy, made.timeout_s = QUICK, 5.0
    return made


def test_every_method_and_error_is_in_the_documentation() -> None:
    page = (Path(__file__).parents[5] / "docs" / "clients" / "ibm_qx.md").read_text()
    methods = [name for name in vars(IBMQXClient) if not name.startswith("_")]
    for name in {*methods, *ibm_qx.__all__}:
        assert name in page, name


def test_the_first_request_signs_in_and_the_next_does_not() -> None:
    with BadServer(SIGNED, answer(200, JOB)) as server:
        made = client(server)
        for _ in range(2):
            assert made.job("7").status == "QUEUED"
        login, *others = server.requests
        assert login.path == "/ibm/api/users/loginWithToken"
        assert login.json == {"apiToken": KEY}
        assert [each.headers["x-access-token"] for each in others] == [PASS, PASS]
        assert all(KEY not in str(each.headers) + each.path for each in others)


def test_a_pass_that_is_refused_is_renewed_once() -> None:
    refused = answer(401, {"error": {"message": "expired", "code": 3001, "name": "X"}})
    with BadServer(SIGNED, refused, SIGNED, answer(200, JOB)) as server:
        assert client(server).job("7").id == "7"
    with BadServer(SIGNED, refused, SIGNED, refused) as server:
        with pytest.raises(IBMQXAPIError) as caught:
            client(server).job("7")
        assert (caught.value.status_code, len(server.requests)) == (401, 4)


@pytest.mark.parametrize("trouble", [drop(), reset(), cut(60, JOB), raw(b"nonsense"), answer(503)])
def test_a_read_is_repeated(trouble: Step) -> None:
    with BadServer(SIGNED, trouble, trouble, answer(200, JOB)) as server:
        made = client(server)
        made.retry_policy = replace(
            QUICK, max_attempts=6
        )  # an idle connection that was closed costs one
        assert made.job("7") == JOB
        assert server.connections == 4


@pytest.mark.parametrize("status", sorted(RETRIABLE - {429}))
def test_a_submission_is_not_repeated_when_it_may_have_been_done(status: int) -> None:
    for trouble in (drop(), answer(status)):
        with BadServer(SIGNED, trouble, answer(200, JOB)) as server:
            with pytest.raises(IBMQXRetriableError) as caught:
                client(server).run_qobj({}, "d")
            assert not caught.value.was_surely_not_done
            assert server.connections == 2


def test_a_submission_is_repeated_when_it_was_surely_not_done() -> None:
    with BadServer(SIGNED, answer(429), answer(200, JOB)) as server:
        assert client(server).run_qobj({}, "d").id == "7"
        assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("qobj", "options", "sent"),
    [
        ({"config": {"shots": 200}}, {}, {"name": "", "shots": 200}),
        ({"config": {"shots": 200}}, {"name": "bell"}, {"name": "bell", "shots": 200}),
        ({"config": {}}, {}, {"name": ""}),
        ({"config": {"shots": "many"}}, {}, {"name": ""}),
        ({"config": None}, {"tags": ["a"]}, {"name": "", "tags": ["a"]}),
        ({}, {}, {"name": ""}),
    ],
)
@pytest.mark.parametrize("is_large", [False, True])
def test_a_submission_has_a_name_and_the_shots_of_its_program(
    is_large: bool, qobj: dict[str, Any], options: dict[str, Any], sent: dict[str, Any]
) -> None:
    program = {**qobj, "padding": " " * (2 << 20)} if is_large else qobj
    draft = {"id": "7", "status": "CREATING"}
    with BadServer(answer(200, b"")) as store:
        script = (SIGNED, answer(200, draft), answer(200, {"url": store.url}), answer(200, {}))
        with BadServer(*script) as server:
            client(server).run_qobj(program, "d", **options)
            body = server.requests[1].json
    rest = {"allowObjectStorage": True} if is_large else {"qObject": program}
    assert body == {**sent, **rest, "backend": {"name": "d"}, "access_token": PASS}


@for_each("config", [{"shots": 200, "memory": True}, {}, None])
def test_shots_of_a_call_replace_those_of_the_program(config: dict[str, Any] | None) -> None:
    with BadServer(SIGNED, answer(200, JOB)) as server:
        client(server).run_qobj({"config": config}, "d", shots=5)
        body = server.requests[1].json
    assert body["shots"] == 5
    assert body["qObject"]["config"] == {**(config or {}), "shots": 5}


def test_the_time_to_try_is_bounded() -> None:
    with BadServer(SIGNED, answer(503)) as server:
        made = client(server)
        made.clock = clock = GivenClock()
        made.retry_policy = RetryPolicy(max_attempts=1000, total_s=50.0)
        with pytest.raises(IBMQXRetriableError):
            made.job("7")
    assert clock.passed_s == pytest.approx(50.0)


def test_errors_have_kind_and_code() -> None:
    limit = {"error": {"message": "full", "code": 3458, "name": "JOB_LIMIT_REACHED"}}
    with BadServer(SIGNED, answer(400, limit)) as server:
        with pytest.raises(IBMQXJobLimitError) as full:
            client(server).run_qobj({}, "d")
        assert (full.value.code, full.value.message) == (3458, "full")
    with BadServer(SIGNED, answer(400, ERROR)) as server:
        with pytest.raises(IBMQXAPIError) as wrong:
            client(server).job("7")
        assert str(wrong.value) == "no (INVALID_REQUEST, HTTP 400, code 3100)"
        assert str(pickle.loads(pickle.dumps(wrong.value))) == str(wrong.value)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"[" * 100_000, b'"text"'])
def test_an_invalid_response_is_reported(body: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    with BadServer(SIGNED, raw(head % len(body) + body)) as server:
        made = client(server)
        with pytest.raises(IBMQXAPIError):
            made.job_status("7")


def test_a_job_may_come_as_a_list_of_one() -> None:
    with BadServer(SIGNED, answer(200, [JOB])) as server:
        assert client(server).job("7") == JOB


def test_no_secret_is_in_any_text() -> None:
    leaky = answer(400, {"error": {"message": f"bad {KEY} {PASS}", "name": KEY, "code": 1}})
    for script in ((leaky,), (SIGNED, leaky), (SIGNED, drop())):
        with BadServer(*script) as server:
            made = client(server)
            made.retry_policy = RetryPolicy(max_attempts=1)
            with pytest.raises(IBMQXAPIError) as caught:
                made.job("7")
            text = "".join(traceback.format_exception(caught.value)) + repr(made)
            text += repr(caught.value.headers)
            assert KEY not in text
            assert PASS not in text or script == (leaky,)  # which it had not learnt yet


STORED = {**JOB, "status": "COMPLETED", "kind": "q-object-external-storage"}


def test_no_signed_url_is_in_an_error() -> None:
    signature = "the-signature-of-this-url"
    leaky = {"error": {"message": f"/bucket?X-Signature={signature}&part=1 has expired"}}
    with BadServer(answer(403, leaky)) as store:
        address = answer(200, {"url": f"{store.url}/bucket?X-Signature={signature}&part=1"})
        script = (SIGNED, answer(200, STORED), address)
        with BadServer(*script) as server, pytest.raises(IBMQXAPIError) as caught:
            client(server).result("7")
    text = "".join(traceback.format_exception(caught.value)) + repr(caught.value.headers)
    assert "has expired" in text
    assert signature not in text


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A context for servers, whose certificate the clients of the test trust."""
    made = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.authority))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.chain, made.key)
    return context


def test_a_signed_url_without_tls_is_refused_where_the_api_has_it(tls: ssl.SSLContext) -> None:
    with BadServer(answer(200, {"success": True, "results": []})) as store:
        address = answer(200, {"url": f"{store.url}/bucket?signature=1"})
        script = (SIGNED, answer(200, STORED), address)
        with (
            BadServer(*script, tls=tls) as server,
            pytest.raises(IBMQXAPIError, match="without TLS"),
        ):
            client(server).result("7")
        assert store.requests == []


def test_no_token_goes_where_programs_are_stored() -> None:
    """Nor along a redirect."""
    with BadServer(answer(200, {"success": True, "results": []})) as store:
        address = answer(200, {"url": f"{store.url}/bucket?signature=1"})
        with BadServer(SIGNED, answer(200, STORED), address, answer(200, {})) as server:
            assert client(server).result("7").success
        (fetched,) = store.requests
        assert fetched.path == "/bucket?signature=1"
        assert PASS not in str(fetched.headers)
        assert KEY not in str(fetched.headers)
    moved = raw(b"HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n")
    with BadServer(moved) as server, pytest.raises(IBMQXAPIError, match="not followed"):
        client(server).me()


def test_a_refused_sign_in_leaves_the_credentials_that_work() -> None:
    refused = answer(401, {"error": {"message": "no", "code": 3001, "name": "X"}})
    with BadServer(refused, SIGNED, answer(200, JOB)) as server:
        made = client(server)
        with pytest.raises(IBMQXAPIError):
            made.login("a@b.example", "wrong")
        assert made.job("7").id == "7"
        assert server.requests[1].json == {"apiToken": KEY}


def test_a_transfer_may_last_longer_than_retries_of_other_requests() -> None:
    result = {"success": True, "results": []}
    with BadServer(drip(0.2, result, n_bytes=2)) as store:
        address = answer(200, {"url": f"{store.url}/bucket?signature=1"})
        with BadServer(SIGNED, answer(200, STORED), address, answer(200, {})) as server:
            made = client(server)
            made.retry_policy = replace(QUICK, total_s=0.5)
            began = time.monotonic()
            assert made.result("7").success
            assert time.monotonic() - began > 2.5  # the end of retries, and their grace


@pytest.mark.parametrize("url", ["file:///etc/passwd", "nowhere", "", None, "http://[", 7])
def test_an_address_that_is_none_is_not_followed(url: Any) -> None:
    job = {**JOB, "status": "COMPLETED", "kind": "q-object-external-storage"}
    script = (SIGNED, answer(200, job), answer(200, {"url": url}))
    with BadServer(*script) as server, pytest.raises(IBMQXAPIError):
        client(server).result("7")


def test_an_upload_that_fails_cancels_its_job() -> None:
    draft = {"id": "7", "status": "CREATING"}
    with BadServer(answer(403, ERROR)) as store:
        script = (SIGNED, answer(200, draft), answer(200, {"url": store.url}), answer(200, {}))
        with BadServer(*script) as server:
            with pytest.raises(IBMQXAPIError) as caught:
                client(server).run_qobj({"padding": " " * (2 << 20)}, "d")
            assert caught.value.status_code == 403
            assert server.requests[-1].path == "/ibm/api/jobs/7/cancel"


@pytest.mark.parametrize(
    "response",
    [raw(b"no HTTP\r\n\r\n"), raw(b""), answer(200, {}), answer(302, b"", {"Location": "/"})],
    ids=["no HTTP", "nothing", "no websocket", "elsewhere"],
)
def test_a_stream_that_is_not_opened_is_broken_at_once(response: Step) -> None:
    with BadServer(response) as server:
        with pytest.raises(StreamBroken):
            list(statuses(f"{server.url}/jobs/7/status/v/1", PASS, time.monotonic() + 20))
        assert server.connections == 1


def test_states_fall_back_to_asking() -> None:
    """A server without websockets answers the handshake as a request."""
    running = {"id": "7", "status": "RUNNING"}
    script = (
        SIGNED,
        answer(200, running),
        answer(404, {}),
        answer(200, running),
        answer(200, DONE),
    )
    with BadServer(*script) as server:
        told = [status.status for status in client(server).states("7", timeout=30)]
    assert told == ["RUNNING", "COMPLETED"]


def test_a_wait_ends_in_time() -> None:
    with BadServer(SIGNED, answer(200, JOB)) as server:
        made = client(server)
        made.clock = clock = GivenClock()
        with pytest.raises(IBMQXTimeoutError) as late:
            made.wait("7", timeout=50)
        assert clock.passed_s == 50.0
        assert isinstance(late.value, TimeoutError)


_STREAMS = ("silent", "opened and silent", "cut", "byte by byte", "pings", "parts")


def _flooded(begin: bytes, frame: bytes) -> Step:
    """Open a websocket, send one frame again and again, and read nothing."""

    def step(connection: Connection) -> None:
        if _accepted(connection):
            connection.send(begin)
            while not connection.is_over.is_set():
                connection.send(frame * 1_000)

    return step


def _opened(*frames: bytes) -> Step:
    """Open a websocket, send frames after the client's first message, and stay silent."""

    def step(connection: Connection) -> None:
        if not _accepted(connection):
            return
        if frames:
            connection.sock.recv(1 << 12)
            connection.send(b"".join(frames))
        connection.is_over.wait()

    return step


def _accepted(connection: Connection) -> bool:
    """Complete the handshake of a websocket; return whether the client asked for one."""
    request = connection.read()
    if request is None:  # a busy machine may reach the deadline before the stream is open
        return False
    key = request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accepted = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
    head = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accepted}"
    connection.send(f"HTTP/1.1 101 Switching Protocols\r\n{head}\r\n\r\n".encode())
    return True


_PINGS = _flooded(b"", b"\x89\x7d" + b"p" * 125)
_PARTS = _flooded(b"\x02\x01[", b"\x00\x01 ")
"""One message, binary, in parts of one byte."""


@pytest.mark.parametrize("has_tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize(
    "stream",
    [silent(), _opened(), cut(30, {}), drip(0.02, {}), _PINGS, _PARTS],
    ids=_STREAMS,
)
@pytest.mark.parametrize("after", [answer(200, JOB), silent()], ids=["queued", "silent"])
@pytest.mark.timeout(30)  # a stream that overlooked the deadline would be silent for a minute
def test_a_wait_ends_by_its_deadline_whatever_the_stream_does(
    stream: Step, after: Step, has_tls: bool, tls: ssl.SSLContext
) -> None:
    script = (SIGNED, answer(200, JOB), stream, after)
    with BadServer(*script, tls=tls if has_tls else None) as server:
        made = client(server)
        made.timeout_s = 600.0
        with pytest.raises(IBMQXTimeoutError):
            made.wait("7", timeout=1.2)


def _frame(first: int, data: bytes) -> bytes:
    return bytes([first, len(data)]) + data


def _status(status: str) -> bytes:
    return json.dumps({"type": "job-status", "data": {"id": "7", "status": status}}).encode()


TEXT, BINARY, CONT, CLOSE, PING, LAST = 1, 2, 0, 8, 9, 0x80


def test_a_stream_comes_in_frames_of_every_kind() -> None:
    running, done = _status("RUNNING"), _status("COMPLETED")
    stream = _opened(
        _frame(TEXT | LAST, _status("QUEUED")),
        _frame(BINARY, running[:9]),
        _frame(PING | LAST, b"still there?"),
        _frame(CONT, running[9:20]),
        _frame(CONT | LAST, running[20:]),
        _frame(TEXT | LAST, b"[]"),
        _frame(TEXT | LAST, b'{"type": "something-else"}'),
        _frame(BINARY | LAST, done),
        _frame(CLOSE | LAST, DONE_CODE.to_bytes(2)),
    )
    with BadServer(stream) as server:
        url = f"{server.url}/jobs/7/status/v/1"
        sent = [body["status"] for body in statuses(url, PASS, time.monotonic() + 10)]
    assert sent == ["QUEUED", "RUNNING", "COMPLETED"]


@pytest.mark.parametrize(
    "frame",
    [
        _frame(CLOSE | LAST, b""),
        _frame(CLOSE | LAST, (1001).to_bytes(2)),
        _frame(TEXT | LAST, b"no JSON"),
        _frame(TEXT | LAST, b"\xff"),
        _frame(CONT | LAST, b"of nothing"),
        bytes([TEXT | LAST, 127]) + (2 << 20).to_bytes(8),
        b"\xff\xff\xff",
    ],
    ids=["no code", "another code", "not JSON", "not UTF-8", "a part", "too large", "no frame"],
)
def test_a_stream_that_goes_wrong_is_broken_at_once(frame: bytes) -> None:
    with BadServer(_opened(_frame(TEXT | LAST, _status("RUNNING")), frame)) as server:
        stream = statuses(f"{server.url}/jobs/7/status/v/1", PASS, time.monotonic() + 10)
        assert next(stream)["status"] == "RUNNING"
        with pytest.raises(StreamBroken):
            next(stream)


def test_statuses_received_at_once_do_not_keep_a_stream_beyond_its_deadline() -> None:
    """It ends 0.4 s before, so that there is time for a last request."""
    clock = GivenClock()
    frame = _frame(TEXT | LAST, _status("RUNNING"))
    with BadServer(_opened(frame, frame, frame)) as server:
        url = f"{server.url}/jobs/7/status/v/1"
        stream = statuses(url, PASS, clock.monotonic() + 50.0, clock)
        assert next(stream)["status"] == "RUNNING"
        clock.advance(49.5)
        assert next(stream)["status"] == "RUNNING"
        clock.advance(0.2)
        with pytest.raises(StreamBroken):
            next(stream)


@pytest.mark.parametrize(
    ("timeout_s", "opening_s", "is_open"),
    [(100.0, 9.9, True), (100.0, 10.0, False), (2.0, 1.5, True), (2.0, 1.6, False)],
)
def test_a_stream_must_be_open_within_ten_seconds_and_before_its_deadline(
    timeout_s: float, opening_s: float, is_open: bool
) -> None:
    clock = GivenClock()
    sent = []

    def slow(connection: Connection) -> None:
        clock.advance(opening_s)
        with contextlib.suppress(OSError):  # the client has gone, perhaps before it asked
            if _accepted(connection):
                sent.append(connection.sock.recv(1 << 12))

    with BadServer(slow) as server:
        url = f"{server.url}/jobs/7/status/v/1"
        with pytest.raises(StreamBroken):
            list(statuses(url, PASS, clock.monotonic() + timeout_s, clock))
    assert any(sent) == is_open, "only an open stream gets the token"


def test_a_wait_survives_an_outage_at_its_end() -> None:
    final = {**JOB, "status": "COMPLETED"}
    outage = [answer(503)] * QUICK.max_attempts
    with BadServer(SIGNED, answer(200, final), drop(), *outage, answer(200, DONE)) as server:
        assert client(server).wait("7", timeout=30) == DONE


def test_a_wait_does_not_wait_longer_for_the_job_at_its_end() -> None:
    final = {**JOB, "status": "COMPLETED"}
    with BadServer(SIGNED, answer(200, final), drop(), silent()) as server:
        made = client(server)
        made.timeout_s = 600.0  # longer than a test may take
        with pytest.raises(IBMQXTimeoutError):
            made.wait("7", timeout=1.2)


def test_a_wait_does_not_wait_longer_for_the_sign_in_of_another_thread() -> None:
    with BadServer(silent()) as server, client(server) as made:
        made.timeout_s, made.retry_policy = 600.0, RetryPolicy(max_attempts=1)
        other = threading.Thread(target=lambda: suppressed(made), daemon=True)
        other.start()
        until(lambda: server.requests, "a sign-in")
        with pytest.raises(IBMQXTimeoutError):
            made.wait("7", timeout=0.7)
        assert other.is_alive(), "the other thread still waits"
        server.is_over.set()
        other.join(20)


def suppressed(made: IBMQXClient) -> None:
    with contextlib.suppress(IBMQXError):
        made.me()


def test_a_result_that_is_not_there_says_how_the_job_ended() -> None:
    failed = {**JOB, "status": "ERROR_RUNNING_JOB", "error": {"message": "lost", "code": 1}}
    with BadServer(SIGNED, answer(200, failed)) as server:
        with pytest.raises(IBMQXJobError, match="lost") as caught:
            client(server).result("7")
        assert caught.value.status == "ERROR_RUNNING_JOB"


def test_filters_are_written_as_the_server_reads_them() -> None:
    with BadServer(SIGNED, answer(200, [])) as server:
        made = client(server, hub="h", group="g", project="p/q")
        assert made.jobs(limit=2, device="d", name={"regexp": "x"}, where={"id": "1"}) == []
        path = server.requests[-1].path
        assert path.startswith("/ibm/api/Network/h/Groups/g/Projects/p%2Fq/jobs?filter=")


def test_what_cannot_be_sent_is_not() -> None:
    with BadServer(SIGNED) as server:
        made = client(server)
        for wrong in ("", ".", "..", None, 7):
            with pytest.raises(IBMQXClientError):
                made.job(wrong)  # type: ignore[arg-type]  # on purpose
        with pytest.raises(IBMQXClientError):
            made.run_qobj({"x": float("nan")}, "d")
        with pytest.raises(IBMQXClientError):
            made.run_qobj({"x": object()}, "d")
        assert server.requests == []


def test_answers_are_mappings_that_survive_strange_fields() -> None:
    job = Job({"id": 7, "status": None, "backend": [], "creationDate": "never", "infoQueue": 3})
    assert (job.id, job.status, job.device, job.created, job.position) == ("", "", "", None, None)
    assert dict(job)["id"] == 7
    assert not job.is_final
    assert Job({"infoQueue": {"position": 4}}).position == 4


def test_a_stream_behind_a_proxy_of_another_kind_is_broken_and_not_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("socks_proxy", "socks5://127.0.0.1:9")
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(StreamBroken):
        list(statuses("http://nowhere.invalid/jobs/j/status/v/1", "token", time.monotonic() + 1))
