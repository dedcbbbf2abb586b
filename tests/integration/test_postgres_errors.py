"""Errors of PostgreSQL say which it is and what to do, in every command that opens a database."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from psycopg import ConnectionInfo, conninfo

from qwicket.model.errors import Unavailable
from qwicket.store import open_postgres
from support.postgres import PostgresServer
from support.server import run_cli

pytestmark = pytest.mark.extended

PASSWORD = "correct-horse-battery"
WRONG = "wrong-horse-battery"


@pytest.fixture(scope="session")
def locked(postgres: PostgresServer) -> PostgresServer:
    """A server whose user `lodger` signs in by password and may do nothing."""
    rules = postgres.data / "pg_hba.conf"
    rules.write_text("local all lodger scram-sha-256\n" + rules.read_text())
    postgres.run(f"create role lodger login password '{PASSWORD}'")
    postgres.run("create database lodging")
    postgres.run("select pg_reload_conf()")
    return postgres


@pytest.fixture
def address(locked: PostgresServer) -> Callable[..., str]:
    def made(**changes: str) -> str:
        return conninfo.make_conninfo(locked.url, **changes)

    return made


@pytest.fixture(params=["serve", "doctor", "user add"])
def said(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Return what a command says of a database that it cannot open."""
    command = {
        "serve": ["serve", "--port", "0"],
        "doctor": ["doctor"],
        "user add": ["user", "add", "ada"],
    }

    def run(url: str) -> str:
        done = run_cli(
            *command[request.param], "--data-dir", str(tmp_path), env={"QWICKET_DATABASE_URL": url}
        )
        text = done.stdout + done.stderr
        assert done.returncode != 0
        assert "Traceback" not in text
        assert PASSWORD not in text
        assert WRONG not in text
        return " ".join(text.split())

    return run


def test_no_server(said: Callable[[str], str], tmp_path: Path) -> None:
    text = said(f"host=127.0.0.1 port=1 user=ada dbname=q password={PASSWORD}")
    assert "No PostgreSQL server responds at 127.0.0.1:1 (Connection refused)." in text
    assert "--database-url" in text


def test_no_database(said: Callable[[str], str], address: Callable[..., str]) -> None:
    text = said(address(dbname="nodb"))
    assert "has no database nodb. Create it: createdb -h " in text
    assert re.search(r"createdb -h \S+ .*\bnodb\b", text)


def test_a_wrong_password(said: Callable[[str], str], address: Callable[..., str]) -> None:
    text = said(address(dbname="lodging", user="lodger", password=WRONG))
    assert "does not accept the password of user lodger." in text


def test_no_password(said: Callable[[str], str], address: Callable[..., str]) -> None:
    url = address(dbname="lodging", user="lodger").replace("password=''", "")
    assert "asks for a password of user lodger." in said(url)


def test_no_such_user(said: Callable[[str], str], address: Callable[..., str]) -> None:
    text = said(address(dbname="lodging", user="nobody"))
    assert "has no user nobody. Create it: createuser" in text


def test_no_rights(said: Callable[[str], str], address: Callable[..., str]) -> None:
    text = said(address(dbname="lodging", user="lodger", password=PASSWORD))
    assert "The user lodger has no right to use the database lodging" in text
    assert "alter database lodging owner to lodger" in text


def test_a_version_that_is_too_old(
    address: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # No old server is installed here, so a new one reports an old version.
    monkeypatch.setattr(ConnectionInfo, "server_version", 130014)
    with pytest.raises(Unavailable, match="is version 13; Qwicket needs 14 or newer"):
        open_postgres(address(dbname="lodging"))
