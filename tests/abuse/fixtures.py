"""Fixtures of hostile tests: a client, every kind of invalid token, checks of the server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import httpx
import pytest

from abuse.dialects import ADMIN, DIALECTS, NATIVE, Dialect
from qwicket.gateway.tokens import NewToken
from support.server import LiveServer
from support.waiting import until


class Tokens(NamedTuple):
    """Secrets by what is wrong with them; `good` is of the module's account."""

    good: str
    stranger: str
    unscoped: str
    revoked: str
    expired: str
    disabled: str


@pytest.fixture(scope="session")
def client(shared_server: LiveServer) -> Iterator[httpx.Client]:
    """A client that signs in nowhere. One for all tests, because making one costs 20 ms."""
    with httpx.Client(base_url=shared_server.url, timeout=60, verify=False) as client:
        yield client


@pytest.fixture(scope="module")
def tokens(server: LiveServer, client: httpx.Client) -> Tokens:
    """Make accounts and tokens, and spoil some of them while the server runs."""
    stranger, mallory, trent = (server.unused(name) for name in ("bob", "mallory", "trent"))

    def works(token: str) -> bool:
        return client.get("/v1/jobs", headers=NATIVE.auth(token)).status_code == 200

    def make(
        name: str, *scopes: str, devices: tuple[str, ...] = (), life_s: int | None = None
    ) -> NewToken:
        return server.as_admin(
            lambda admin: admin.create_token(name, scopes=scopes, devices=devices, life_s=life_s)
        )

    good, other = server.managing_token(), server.managing_token(stranger)
    server.admin("user", "add", mallory)
    server.admin("user", "add", trent)
    unscoped = make(server.account, "devices:serve", devices=("lab",)).secret
    revoked, disabled = make(mallory), make(trent).secret
    expired = make(mallory, life_s=1000)
    assert all(works(each) for each in (revoked.secret, disabled, expired.secret))
    server.admin("token", "revoke", revoked.token.id)
    until(lambda: not works(revoked.secret), "a revoked token is refused")
    server.admin("user", "disable", trent)
    until(lambda: not works(disabled), "a disabled account is refused")
    server.expire(expired.token.id)
    until(lambda: not works(expired.secret), "an expired token is refused")
    return Tokens(good, other, unscoped, revoked.secret, expired.secret, disabled)


@pytest.fixture(scope="module")
def jobs(client: httpx.Client, tokens: Tokens) -> dict[str, str]:
    """Return the id of a completed job of the module's account for each dialect, by its prefix."""
    jobs = {dialect.prefix: run_bell(client, dialect, tokens.good) for dialect in DIALECTS}
    return {**jobs, ADMIN.prefix: jobs[NATIVE.prefix]}


def run_bell(client: httpx.Client, dialect: Dialect, token: str) -> str:
    """Run a Bell job in a dialect; return its id."""
    sent = client.post(dialect.jobs, content=dialect.text(), headers=dialect.auth(token))
    assert sent.status_code == 201, sent.text
    job = dialect.job(sent)
    read = client.get(f"/v1/jobs/{job}?wait=60", headers=NATIVE.auth(token))
    assert read.json()["state"] == "completed", read.text
    return job


@pytest.fixture(scope="module", autouse=True)
def unharmed(server: LiveServer, client: httpx.Client) -> Iterator[None]:
    """After all that, the shared server is ready, runs a job, and has logged no failure."""
    mark = server.log.stat().st_size
    yield
    assert client.get("/readyz").status_code == 200
    run_bell(client, NATIVE, server.token())
    assert b"Traceback" not in server.log.read_bytes()[mark:]
