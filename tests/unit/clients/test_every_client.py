"""What holds for every client alike: waits that end, submissions that never double, redirects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from requests import RequestException

from qwicket import aconnect, connect
from qwicket.clients import ibm_qx, ionq, native, qbraid, qlued, xanadu
from qwicket.clients.http import SYSTEM_CLOCK, Clock, RetryPolicy, ends_by
from qwicket.clients.native.aio import AsyncJob
from support.bad_server import (
    BadServer,
    Step,
    answer,
    cut,
    drip,
    endless,
    reset,
    silent,
    stall,
)
from support.for_each import for_each
from support.given_clock import GivenClock
from support.pairwise import pairs
from support.ports import held_port
from support.secrets import assert_silent
from support.waiting import until

pytestmark = pytest.mark.needs_vendors


TOKEN = "this-token-must-never-be-seen-anywhere"
JOB = {
    "id": "7",
    "status": "queued",
    "state": "queued",
    "version": 1,
    "device": "d",
    "created_at": "2026-01-01T00:00:00Z",
}
LONG = {**JOB, "padding": "x" * 2000}
TIMEOUT_S = 1.2
RESPONSE_S = 600.0
"""Time for one response: longer than a test may take, so only the deadline of a wait ends it."""

Wait = Callable[[str, float, Clock], Any]


def _ibm(url: str, timeout: float, clock: Clock) -> Any:
    with ibm_qx.IBMQXClient(TOKEN, url=f"{url}/api") as client:
        client.clock, client.timeout_s = clock, RESPONSE_S
        return client.wait("7", timeout)


def _ibm_signed_in(url: str, timeout: float, clock: Clock) -> Any:
    with ibm_qx.IBMQXClient(TOKEN, url=f"{url}/api") as client:
        client.clock, client.timeout_s = clock, RESPONSE_S
        client._access_token = "access"
        return client.wait("7", timeout)


def _ionq(url: str, timeout: float, clock: Clock) -> Any:
    with ionq.IonQClient(TOKEN, f"{url}/v0.4") as client:
        client.clock, client.timeout_s = clock, RESPONSE_S
        return client.wait("7", timeout)


def _native(url: str, timeout: float, clock: Clock) -> Any:
    with connect(url, TOKEN, timeout=RESPONSE_S) as client:
        client._transport.api.clock = clock
        return native.Job(client._transport, dict(JOB)).wait(timeout)


def _native_in_a_loop(url: str, timeout: float, clock: Clock) -> Any:
    async def main() -> Any:
        async with aconnect(url, TOKEN, timeout=RESPONSE_S) as client:
            client._transport.api.clock = clock
            return await AsyncJob(client._transport, dict(JOB)).wait(timeout)

    return asyncio.run(main())


def _qbraid(url: str, timeout: float, clock: Clock) -> Any:
    with qbraid.QbraidSession("a@b.c", api_key=TOKEN, base_url=url) as session:
        session.clock = clock
        return session.wait("7", timeout)


def _qlued(url: str, timeout: float, clock: Clock) -> Any:
    with qlued.QluedClient(url, TOKEN) as client:
        client.clock, client.timeout_s = clock, RESPONSE_S
        return client.wait("rydberg", "7", timeout)


def _xanadu(url: str, timeout: float, clock: Clock) -> Any:
    at = urlsplit(url)
    place = at.hostname or "", at.port or 0
    made = xanadu.Connection(TOKEN, "access", *place, tls=False, timeout_s=RESPONSE_S, clock=clock)
    return xanadu.Job("7", made).wait(timeout=timeout)


def _waited(wait: Wait, url: str) -> Any:
    return wait(url, TIMEOUT_S, SYSTEM_CLOCK)


WAITS: dict[str, Wait] = {
    "ibm_qx": _ibm,
    "ibm_qx, signed in": _ibm_signed_in,
    "ionq": _ionq,
    "native": _native,
    "native, in an event loop": _native_in_a_loop,
    "qbraid": _qbraid,
    "qlued": _qlued,
    "xanadu": _xanadu,
}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
HANGS: dict[str, Step] = {
    "says nothing": silent(),
    "sends a byte now and then": drip(0.2, LONG),
    "stops within its head": stall(20, JOB),
    "stops within its answer": stall(len(HEAD) + 100, LONG),
    "never ends its head": endless(HEAD, b"X-Again: " + b"x" * 1000 + b"\r\n"),
    "never ends its answer": endless(HEAD + b"\r\n[", b"1," * 4000),
    "goes on to say that it goes on": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 50),
}
AWAY: dict[str, Step] = {
    "is busy for an hour": answer(503, b"", {"Retry-After": "3600"}),
    "resets every connection": reset(),
}


@pytest.mark.parametrize(
    ("client", "hang"),
    # Bytes that keep coming pass the deadline of each read, so each client must watch the whole.
    pairs(WAITS, HANGS, always={"sends a byte now and then", "never ends its head"}),
)
def test_a_wait_ends_by_its_deadline_whatever_the_server_does(hang: str, client: str) -> None:
    """A client that overlooked its deadline would wait for longer than a test may take."""
    with BadServer(HANGS[hang]) as server, pytest.raises(TimeoutError):
        WAITS[client](server.url, TIMEOUT_S, SYSTEM_CLOCK)


@pytest.mark.parametrize("name", sorted(WAITS.keys() - {"xanadu"}))
@pytest.mark.parametrize("away", AWAY.values(), ids=AWAY.keys())
def test_a_wait_ends_at_its_deadline_though_the_server_is_away(away: Step, name: str) -> None:
    clock = GivenClock()
    with BadServer(away) as server, pytest.raises(TimeoutError):
        WAITS[name](server.url, TIMEOUT_S, clock)
    assert clock.passed_s == pytest.approx(TIMEOUT_S)


@pytest.mark.parametrize("away", AWAY.values(), ids=AWAY.keys())
def test_xanadus_client_repeats_nothing_like_the_original(away: Step) -> None:
    clock = GivenClock()
    with BadServer(away) as server:
        with pytest.raises(RequestException):
            _xanadu(server.url, TIMEOUT_S, clock)
        assert len(server.requests) == 1
    assert clock.pauses_s == []


@pytest.mark.parametrize("wait", [_native, _native_in_a_loop])
def test_a_wait_whose_requests_must_end_a_little_before_it_ends_as_a_wait(wait: Wait) -> None:
    """On a busy machine milliseconds may pass between the reads of the clock for the two."""
    clock = GivenClock()
    with (
        BadServer(AWAY["is busy for an hour"]) as server,
        ends_by(clock.monotonic() + TIMEOUT_S - 0.5, clock),
        pytest.raises(TimeoutError),
    ):
        wait(server.url, TIMEOUT_S, clock)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("client", WAITS)
def test_a_server_that_was_not_started_here_is_reported_at_once_with_a_remedy(
    client: str, host: str
) -> None:
    url = f"http://{host}:{held_port()}"
    arguments = {"qbraid": "the argument base_url", "xanadu": "the arguments host and port"}
    setting = arguments.get(client, "the argument url")
    clock = GivenClock()
    with pytest.raises(Exception, match="cannot be reached: no server listens there") as caught:
        WAITS[client](url, 30.0, clock)
    assert clock.pauses_s == []
    assert url in str(caught.value)
    advice = f"Start it with `qwicket serve`, or put its address into {setting}."
    assert advice in str(caught.value)
    assert_silent(caught.value, [TOKEN])


@pytest.mark.parametrize("variable", ["IONQ_API_URL", "QE_URL", "QLUED_URL", "QWICKET_URL"])
def test_the_setting_to_change_is_the_one_that_the_address_came_from(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = f"qw_{TOKEN}"
    asks: dict[str, Callable[[], Any]] = {
        "IONQ_API_URL": lambda: ionq.IonQClient(token).retrieve_job("7"),
        "QE_URL": lambda: ibm_qx.IBMQXClient(token).job("7"),
        "QLUED_URL": lambda: qlued.QluedClient(token=token).status("rydberg", "7"),
    }
    for name in (*asks, "QWICKET_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, f"http://127.0.0.1:{held_port()}")
    for own, ask in asks.items():
        if variable in (own, "QWICKET_URL"):
            with pytest.raises(Exception, match=f"put its address into {variable}\\.") as caught:
                ask()
            assert_silent(caught.value, [TOKEN])


ADDRESS_VARIABLES = ("QWICKET_URL", "QBRAID_API_URL", "XANADU_CLOUD_HOST", "XANADU_CLOUD_PORT")


@pytest.fixture
def settings_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (*ADDRESS_VARIABLES, "XANADU_CLOUD_TLS", "QWICKET_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("QWICKET_CLIENT_CONFIG", "QBRAID_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


def test_connect_names_the_source_of_the_address(
    settings_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, file = f"http://127.0.0.1:{held_port()}", settings_folder / "QWICKET_CLIENT_CONFIG"
    file.write_text(f'[profiles.lab]\nurl = "{url}"\ntoken = "{TOKEN}"\n')
    file.chmod(0o600)
    calls: dict[str, Callable[[], Any]] = {
        "the argument url": lambda: connect(url, TOKEN).devices(),
        f"the profile in {file}": lambda: connect(profile="lab").devices(),
        "QWICKET_URL": lambda: connect(token=TOKEN).devices(),
    }
    monkeypatch.setenv("QWICKET_URL", url)
    for source, call in calls.items():
        with pytest.raises(native.Unreachable) as caught:
            call()
        assert str(caught.value).endswith(f"put its address into {source}.")


def test_the_qbraid_client_names_the_source_of_the_address(
    settings_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"http://127.0.0.1:{held_port()}"

    def assert_names(source: str, base_url: str | None = None) -> None:
        session = qbraid.QbraidSession("a@b.c", api_key=f"qw_{TOKEN}", base_url=base_url)
        with pytest.raises(qbraid.RequestsApiError) as caught:
            session.devices()
        assert str(caught.value).endswith(f"put its address into {source}.")

    monkeypatch.setenv("QWICKET_URL", url)
    assert_names("QWICKET_URL")
    monkeypatch.setenv("QBRAID_API_URL", url)
    assert_names("QBRAID_API_URL")
    file = settings_folder / "QBRAID_CONFIG_FILE"
    file.write_text(f"[default]\nurl = {url}\n")
    assert_names(f"url in {file}")
    assert_names("the argument base_url", url)


def test_the_xanadu_client_names_the_source_of_the_address(
    settings_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = held_port()
    names = "XANADU_CLOUD_HOST and XANADU_CLOUD_PORT"

    def assert_names(source: str, settings: xanadu.Settings, **arguments: Any) -> None:
        with pytest.raises(RequestException) as caught:
            xanadu.Connection.load(settings, **arguments).ping()
        assert str(caught.value).endswith(f"put its address into {source}.")

    token = f"qw_{TOKEN}"
    monkeypatch.setenv("QWICKET_URL", f"http://127.0.0.1:{port}")
    assert_names("QWICKET_URL", xanadu.Settings(token))
    file = settings_folder / "xanadu-cloud" / ".env"
    xanadu.Settings(token, HOST="127.0.0.1", PORT=port, TLS=False).save()
    assert_names(f"{names} in {file}", xanadu.Settings())
    for name, value in (("HOST", "127.0.0.1"), ("PORT", str(port)), ("TLS", "false")):
        monkeypatch.setenv(f"XANADU_CLOUD_{name}", value)
    assert_names(names, xanadu.Settings())
    given = xanadu.Settings(HOST="127.0.0.1", PORT=port, TLS=False)
    assert_names("the arguments host and port", given)
    assert_names("the arguments host and port", xanadu.Settings(), host="127.0.0.1")


def test_saving_a_qwicket_token_never_sends_it_to_the_public_qbraid_service(
    settings_folder: Path,
) -> None:
    session = qbraid.QbraidSession("a@b.c", api_key=f"qw_{TOKEN}")
    with pytest.raises(qbraid.AuthError, match=r"This is a token of a Qwicket server"):
        session.save_config()
    assert not (settings_folder / "QBRAID_CONFIG_FILE").exists()


@pytest.mark.parametrize("name", sorted(WAITS.keys() - {"xanadu"}))
def test_a_server_that_answered_before_is_given_time_to_restart(name: str) -> None:
    """Xanadu's client repeats nothing, like the original."""
    with ThreadPoolExecutor(1) as pool:
        with BadServer(answer(200, {**JOB, "jobsArray": [JOB]})) as server:
            waiting = pool.submit(WAITS[name], server.url, TIMEOUT_S, SYSTEM_CLOCK)
            until(lambda: bool(server.requests), "a request")
        with pytest.raises(TimeoutError):
            waiting.result()


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS.keys())
def test_a_wait_of_no_time_asks_once(wait: Wait) -> None:
    with BadServer(silent()) as server:
        with pytest.raises(TimeoutError):
            wait(server.url, 0, SYSTEM_CLOCK)
        assert len(server.requests) == 1


def _submit_ibm(url: str) -> Any:
    with ibm_qx.IBMQXClient(TOKEN, url=f"{url}/api") as client:
        client._access_token, client.retry_policy = "access", QUICK
        return client.run_qobj({}, "d")


def _submit_ionq(url: str) -> Any:
    with ionq.IonQClient(TOKEN, f"{url}/v0.4") as client:
        client.retry_policy = QUICK
        return client.submit_job({})


def _submit_ionq_once(url: str) -> Any:
    with ionq.IonQClient(TOKEN, f"{url}/v0.4") as client:
        client.retry_policy = QUICK
        return client.submit_job({}, idempotency_key="once")


def _submit_native(url: str) -> Any:
    with connect(url, TOKEN, deadline=1.0) as client:
        return client.submit("OPENQASM 3.0; qubit q;", "d")


def _submit_qbraid(url: str) -> Any:
    with qbraid.QbraidSession("a@b.c", api_key=TOKEN, base_url=url, backoff_factor=0.01) as made:
        return made.submit("d", "OPENQASM 3.0; qubit q;")


def _submit_qlued(url: str) -> Any:
    with qlued.QluedClient(url, TOKEN) as client:
        client.retry_policy = QUICK
        return client.post("rydberg", {})


def _submit_xanadu(url: str) -> Any:
    at = urlsplit(url)
    made = xanadu.Connection(TOKEN, "access", at.hostname or "", at.port or 0, tls=False)
    return xanadu.Job.submit(made, "bell", "X8_01", "name x")


QUICK = RetryPolicy(max_attempts=3, total_s=2.0, first_pause_s=0.01, max_pause_s=0.02)
ONCE: dict[str, Callable[[str], Any]] = {
    "ibm_qx": _submit_ibm,
    "ionq": _submit_ionq,
    "qlued": _submit_qlued,
    "xanadu": _submit_xanadu,
}
UNDER_A_KEY: dict[str, Callable[[str], Any]] = {
    "ionq, with a key": _submit_ionq_once,
    "native": _submit_native,
    "qbraid": _submit_qbraid,
}
UNKNOWN: dict[str, Step] = {
    **{str(status): answer(status, {}) for status in (500, 502, 503, 504, 520)},
    "no answer": reset(),
    "half an answer": cut(30, JOB),
}


@for_each("client", ONCE)
@for_each("trouble", UNKNOWN)
def test_a_submission_that_may_be_stored_is_not_repeated(trouble: str, client: str) -> None:
    with BadServer(UNKNOWN[trouble]) as server:
        with pytest.raises(Exception):  # noqa: B017, PT011 - each client has its own errors
            ONCE[client](server.url)
        assert [request.method for request in server.requests] == ["POST"]


@pytest.mark.parametrize("submit", UNDER_A_KEY.values(), ids=UNDER_A_KEY.keys())
@pytest.mark.parametrize(
    "trouble", [answer(n, {}, {"Connection": "close"}) for n in (502, 503, 504)]
)
def test_a_submission_under_a_key_is_repeated_under_the_same_key(
    trouble: Step, submit: Callable[[str], Any]
) -> None:
    taken = answer(200, {**JOB, "qbraidJobId": "7"}, {"Connection": "close"})
    with BadServer(trouble, taken) as server:
        submit(server.url)
        first, second = server.requests
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"] != ""
    assert first.body == second.body


@pytest.mark.parametrize("name", [name for name in ONCE if name != "xanadu"])
def test_a_submission_is_repeated_after_429_because_it_was_refused(name: str) -> None:
    taken = answer(200, {**JOB, "job_id": "7"})
    with BadServer(answer(429, {}), taken) as server:
        ONCE[name](server.url)
        assert [request.method for request in server.requests] == ["POST", "POST"]


CALLS: dict[str, Callable[[str], Any]] = {
    **{f"submit: {name}": call for name, call in {**ONCE, **UNDER_A_KEY}.items()},
    **{f"wait: {name}": partial(_waited, wait) for name, wait in WAITS.items()},
}


@for_each(
    "call, status",
    # 307 and 308 repeat a request with its body, the others ask anew without.
    pairs(CALLS, [301, 302, 303, 307, 308], always={308}),
)
def test_credentials_never_follow_a_redirect(status: int, call: str) -> None:
    with BadServer(answer(200, JOB)) as other:
        elsewhere = answer(status, b"", lambda request: {"Location": f"{other.url}{request.path}"})
        with BadServer(elsewhere) as server:
            with pytest.raises(Exception) as caught:  # noqa: PT011 - as above
                CALLS[call](server.url)
            assert_silent(caught.value, (TOKEN,))
        sent = "".join(f"{it.path}{it.headers}{it.body!r}" for it in other.requests)
    assert TOKEN not in sent
    assert "access" not in sent
