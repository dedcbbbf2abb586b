"""Guessed tokens are slowed by address; a correct token from the same address still works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from abuse.dialects import DIALECTS, NATIVE, Dialect, qlued_json
from qwicket.gateway.signin import new_secret
from support.postgres import PostgresServer
from support.server import LiveServer
from support.waiting import PROMPT_S, until

SIZE = 5


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that believes the proxy on this machine, and allows five wrong tokens."""
    live = LiveServer(
        tmp_path_factory.mktemp("guessing"),
        *("--trusted-proxy", "127.0.0.1/8", "--limit", f"wrong_tokens={SIZE}"),
    )
    yield live
    assert live.stop() == 0


@pytest.fixture(scope="module")
def proxy(live: LiveServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=live.url) as proxy:
        yield proxy


def ask(
    client: httpx.Client, token: str, address: str | None, dialect: Dialect = NATIVE
) -> httpx.Response:
    headers = dialect.auth(token)
    if address is not None:
        headers["X-Forwarded-For"] = address
    return client.post(dialect.jobs, content=b"", headers=headers)


def guess_until_slowed(proxy: httpx.Client, address: str | None, dialect: Dialect = NATIVE) -> None:
    for _ in range(SIZE):
        dialect.refused(ask(proxy, new_secret(), address, dialect), 401)
    dialect.refused(ask(proxy, new_secret(), address, dialect), 429)


@pytest.mark.parametrize("dialect", DIALECTS, ids=repr)
def test_guesses_are_slowed_in_the_shape_of_the_dialect(
    proxy: httpx.Client, dialect: Dialect
) -> None:
    address = f"192.0.2.{DIALECTS.index(dialect)}"
    guess_until_slowed(proxy, address, dialect)
    answer = ask(proxy, new_secret(), address, dialect)
    assert "wrong_tokens" in dialect.refused(answer, 429)
    assert 1 <= int(answer.headers["retry-after"]) <= 60


def test_a_right_token_is_let_in_beside_those_who_guess(
    live: LiveServer, proxy: httpx.Client
) -> None:
    guess_until_slowed(proxy, "192.0.2.10")
    for _ in range(3 * SIZE):
        assert ask(proxy, live.token(), "192.0.2.10").status_code == 400, "signed in"


def test_what_is_no_guess_does_not_count(live: LiveServer, proxy: httpx.Client) -> None:
    token = live.token()
    live.admin("user", "add", "mallory")
    revoked = live.admin("token", "create", "--user", "mallory")
    listed = live.admin("token", "list", "--user", "mallory").splitlines()[-1]
    live.admin("token", "revoke", listed.split()[0])
    for wrong in ("x", token[:-1], token + "x", token.upper(), token[3:], revoked):
        for _ in range(2 * SIZE):
            NATIVE.refused(ask(proxy, wrong, "192.0.2.12"), 401)
    NATIVE.refused(ask(proxy, new_secret(), "192.0.2.12"), 401)


def test_each_address_counts_by_itself(proxy: httpx.Client) -> None:
    guess_until_slowed(proxy, "192.0.2.13")
    assert ask(proxy, new_secret(), "192.0.2.14").status_code == 401


def test_the_addresses_of_one_customer_count_together(proxy: httpx.Client) -> None:
    for host in range(SIZE):
        ask(proxy, new_secret(), f"2001:db8:0:1::{host}")
    until(
        lambda: ask(proxy, new_secret(), "2001:db8:0:1:ffff::1").status_code == 429,
        "guesses from one /64 are slowed",
        timeout_s=PROMPT_S,
    )
    assert ask(proxy, new_secret(), "2001:db8:0:2::1").status_code == 401


def test_guesses_in_a_query_are_slowed_in_the_shape_of_qlued(proxy: httpx.Client) -> None:
    def ask_for_a_job() -> httpx.Response:
        query = {"job_id": "x", "token": new_secret()}
        headers = {"X-Forwarded-For": "192.0.2.77"}
        return proxy.get("/qlued/api/v2/rydberg/get_job_status", params=query, headers=headers)

    until(lambda: ask_for_a_job().status_code == 429, "guesses are slowed", timeout_s=PROMPT_S)
    answer = ask_for_a_job()
    assert "wrong_tokens" in qlued_json(answer)
    assert 1 <= int(answer.headers["retry-after"]) <= 60


def test_what_a_client_forwards_itself_does_not_count(proxy: httpx.Client) -> None:
    for number in range(SIZE):
        ask(proxy, new_secret(), f"198.51.100.{number}, 192.0.2.15")
    until(
        lambda: ask(proxy, new_secret(), "203.0.113.9, 192.0.2.15, 127.0.0.9").status_code == 429,
        "the address that the proxy saw is slowed",
        timeout_s=PROMPT_S,
    )


def test_whom_no_proxy_vouches_for_counts_by_the_socket(tmp_path: Path) -> None:
    live = LiveServer(tmp_path, "--limit", f"wrong_tokens={SIZE}")
    with httpx.Client(base_url=live.url) as client:
        until(
            lambda: any(
                ask(client, new_secret(), f"198.51.100.{n}").status_code == 429 for n in range(99)
            ),
            "guesses are slowed, whatever address they claim",
            timeout_s=PROMPT_S,
        )
        assert ask(client, live.token(), None).status_code == 400
    assert live.stop() == 0


@pytest.mark.parametrize("odd", ["", ",", "unknown", "x" * 50_000, "1," * 20_000, "[::1"])
def test_an_odd_forwarded_address_harms_nobody(
    live: LiveServer, proxy: httpx.Client, odd: str
) -> None:
    NATIVE.refused(ask(proxy, live.token(), odd), 400)  # signed in, and no body
    assert ask(proxy, new_secret(), odd).status_code in (401, 429)


def test_the_scheme_that_the_proxy_speaks_is_the_one_that_answers_name(
    live: LiveServer, proxy: httpx.Client
) -> None:
    headers = {**NATIVE.auth(live.token()), "X-Forwarded-Proto": "https"}
    made = proxy.post("/v1/jobs", content=NATIVE.text(), headers=headers)
    assert made.headers["location"].startswith(live.url.replace("http://", "https://") + "/v1/")


def test_each_server_of_a_database_counts_for_itself(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    counting = ("--limit", f"wrong_tokens={SIZE}")
    with postgres.database() as url, ExitStack() as stack:
        asked = []
        for name in ("first", "second"):
            live = LiveServer(tmp_path / name, *counting, database_url=url)
            stack.callback(live.stop)
            asked.append(stack.enter_context(httpx.Client(base_url=live.url)))
        guess_until_slowed(asked[0], None)
        guess_until_slowed(asked[1], None)
