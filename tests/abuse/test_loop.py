"""No request makes a callback of the event loop do more than its bounds allow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest

from abuse.dialects import DIALECTS, Dialect
from abuse.every_route import SUBMISSIONS, SUBMIT_PATHS, SignedIn, signed_in
from abuse.fixtures import run_bell
from support import raw
from support.event_loop import MEASURED, assert_loop_stays_free
from support.pairwise import by_row, pairs
from support.server import LiveServer

pytestmark = pytest.mark.extended

MB = 1 << 20
BODIES = {
    "text": b'"' + b"x" * (15 * MB) + b'"',
    "lists": b"[" + b"[]," * (5 * MB) + b"[]]",
    "brackets": b"[" * (8 * MB),
    "keys": b"{" + b'"a":1,' * (2 * MB) + b'"b":1}',
    "program": b'{"device":"simulator","program":"' + b"h q;" * (3 * MB) + b'"}',
    "spaces": b" " * (15 * MB),
    "field of 64 kB": b'{"device":"' + b"d" * 60_000 + b'"}',
    "small lists": b'{"tags":[' + b'"",' * 20_000 + b'""]}',
}
PATHS = {
    "access tokens": "/" + "eyJ" * 21_000,
    "tokens": "/" + "qw_" * 21_000,
    "addresses": "/" + "://x" * 15_000,
    "slashes": "/" * 60_000,
    "escapes": "/" + "%00" * 20_000,
    "query": "/v1/jobs?tag=" + "a%20" * 15_000,
    "parameters": "/v1/jobs?" + "a=b&" * 15_000,
}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that has done everything once: imports of the first request are no finding."""
    live = LiveServer(
        tmp_path_factory.mktemp("loop"),
        *("--access-log", "--limit", "parse_time_s=120"),  # Qiskit is imported beside the jobs
        **MEASURED,
    )
    with live.client() as client:
        for dialect in DIALECTS:
            run_bell(client, dialect, live.token())
            client.post(dialect.jobs, content=b" " * MB, headers=dialect.auth(live.token()))
    yield live
    assert live.stop() == 0
    live.assert_calm()


@pytest.mark.parametrize(("dialect", "bodies"), by_row(pairs(DIALECTS, BODIES)))
def test_no_body_with_a_wrong_token_keeps_the_loop(
    live: LiveServer, dialect: Dialect, bodies: list[str]
) -> None:
    def send() -> None:
        with httpx.Client(timeout=60) as client:
            for body in bodies:
                answer = client.post(
                    live.url + dialect.jobs, content=BODIES[body], headers=dialect.auth("wrong")
                )
                assert 400 <= answer.status_code < 500

    assert_loop_stays_free(live, send)


VALUES = {
    "a text": b'"' + b"x" * (15 * MB) + b'"',
    "lists": b"[" + b"[]," * (5 * MB) + b"[]]",
    "numbers": b"[" + b"1e5," * (3 * MB) + b"1]",
    "keys": b"{" + b",".join(b'"%d":1' % number for number in range(1_000_000)) + b"}",
    "brackets": b"[" * (8 * MB),
    "a text of lists": json.dumps("[" + "[]," * (4 * MB) + "[]]").encode(),
    "small lists": b"[" + b"[]," * 19_000 + b"[]]",
    "small keys": b"{" + b",".join(b'"%d":1' % number for number in range(6_000)) + b"}",
    "small brackets": b"[" * 30_000 + b"]" * 30_000,
    "a small text": b'"' + b"\\u0041" * 10_000 + b'"',
}


@pytest.fixture(scope="module")
def who(live: LiveServer) -> Iterator[SignedIn]:
    """One who has used each dialect once."""
    with live.client() as client:
        who = signed_in(live, client, "ada")
        for prefix in SUBMISSIONS:
            who.submit(client, prefix)
        yield who


def submit(live: LiveServer, who: SignedIn, prefix: str, content: bytes) -> None:
    path = prefix + SUBMIT_PATHS.get(prefix, "/jobs")
    headers = {**who.headers(prefix), "Content-Type": "application/json"}
    with httpx.Client(base_url=live.url, timeout=60) as client:
        answer = client.post(path, content=content, headers=headers, auth=who.auth(prefix))
        assert answer.status_code not in (401, 403), answer.text[:500]
        assert answer.status_code < 500, answer.text[:500]


SMALL = {name for name in (*BODIES, *VALUES) if "small" in name or "64 kB" in name}
"""What is read on the loop, by each dialect in its own way; the others differ only in where."""


@pytest.mark.parametrize(("prefix", "bodies"), by_row(pairs(SUBMISSIONS, BODIES, always=SMALL)))
def test_no_body_keeps_the_loop(
    live: LiveServer, who: SignedIn, prefix: str, bodies: list[str]
) -> None:
    def send() -> None:
        for body in bodies:
            submit(live, who, prefix, BODIES[body])

    assert_loop_stays_free(live, send)


@pytest.mark.parametrize("prefix", SUBMISSIONS)
def test_no_field_keeps_the_loop(live: LiveServer, who: SignedIn, prefix: str) -> None:
    fields = {name: json.dumps(each).encode() for name, each in SUBMISSIONS[prefix].items()}

    def send() -> None:
        for name, value in pairs((*fields, "tags", "unheard"), VALUES, always=SMALL):
            given = ({**fields, name: VALUES[value]}).items()
            texts = (b'"%b":%b' % (key.encode(), text) for key, text in given)
            submit(live, who, prefix, b"{" + b",".join(texts) + b"}")

    assert_loop_stays_free(live, send)


FORMS = {
    "a long field": b"username=a&password=" + b"x" * (15 * MB),
    "fields": b"a=b&" * (3 * MB),
    "escapes": b"json=" + b"%41" * (5 * MB),
    "small fields": b"a=b&" * 15_000,
    "small escapes": b"json=" + b"%41" * 21_000,
    "small signs": b"json=" + b"+" * 65_000,
}
SIGN_INS = (
    "/qlued/api/v2/singlequdit/post_job",
    "/auth/realms/platform/protocol/openid-connect/token",
    *("/ibm/runtime/iam/identity/token", "/ibm/api/users/login", "/ibm/api/users/loginWithToken"),
    *("/v1/sign-in", "/v1/accounts"),
)


SMALL_FORMS = {name for name in FORMS if name.startswith("small")}


@pytest.mark.parametrize(("path", "forms"), by_row(pairs(SIGN_INS, FORMS, always=SMALL_FORMS)))
def test_no_body_with_a_credential_keeps_the_loop(
    live: LiveServer, path: str, forms: list[str]
) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    def send() -> None:
        with httpx.Client(base_url=live.url, timeout=60) as client:
            for form in (FORMS[name] for name in forms):
                for content in (form, b'{"email":"%b","apiToken":"x"}' % form):
                    answer = client.post(path, content=content, headers=headers)
                    assert 400 <= answer.status_code < 500, answer.text[:500]

    assert_loop_stays_free(live, send)


def test_no_path_keeps_the_loop(live: LiveServer) -> None:
    def send() -> None:
        for path in PATHS.values():
            with raw.connect(live.url) as connection:
                connection.sendall(raw.head(f"GET {path}"))
                assert raw.answer(connection).status_code < 500

    assert_loop_stays_free(live, send)


@pytest.mark.parametrize("n", [900, 8_000])
def test_pipelined_requests_are_answered_up_to_their_limit(live: LiveServer, n: int) -> None:
    def send() -> None:
        with raw.connect(live.url) as connection:
            connection.sendall(raw.head("GET /livez") * n)
            if n == 900:
                for _ in range(n):
                    assert raw.answer(connection).status_code == 200
            else:
                with suppress(ConnectionError):  # limit pipelined
                    while connection.recv(100_000):
                        pass

    assert_loop_stays_free(live, send)
