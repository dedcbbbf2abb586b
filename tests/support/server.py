"""A live `qwicket serve` in a process of its own, on a free port and a folder of its own."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar
from weakref import WeakSet

import httpx
import pytest
from click.testing import CliRunner

from qwicket.cli import main
from qwicket.cli.options import DataLocation, as_admin
from qwicket.gateway.admin import Admin
from qwicket.gateway.ttl_cache import CACHE_TTL_S
from qwicket.model.accounts import DEFAULT_SCOPES, Actor, Scope
from qwicket.model.jobs import JobQuery
from support.ports import held_port
from support.postgres import PostgresServer
from support.processes import below, parsers_of, workers_of
from support.waiting import until

T = TypeVar("T")
ROOT = Actor(
    account="",
    account_name="root",
    role="admin",
    project="",
    token="",
    scopes=frozenset({Scope.ADMIN}),
    devices=frozenset(),
)

ANNOUNCEMENT = "Qwicket listens on "
IDLE = ("--workers", "0")
"""Options of a server that runs no jobs: workers take half of the processor time of its start."""


def cli(*arguments: str, env: dict[str, str] | None = None, stdin: str = "") -> str:
    """Run a command of ours in this process; return what it printed."""
    done = run_here(*arguments, env=env, stdin=stdin)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def run_here(
    *arguments: str, env: dict[str, str] | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command of ours in this process, which takes a tenth of the time of `run_cli`.

    Returns once servers no longer use what they cached before it.
    """
    with ThreadPoolExecutor(1) as thread:  # an async test has a loop already
        done = thread.submit(
            CliRunner().invoke, main, arguments, input=stdin, env=env, catch_exceptions=False
        ).result()
    time.sleep(CACHE_TTL_S)
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


def run_cli(
    *arguments: str, env: dict[str, str] | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command of ours in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "qwicket", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **(env or {})},
        input=stdin,
        check=False,
    )


class LiveServer:
    """Start, kill, restart. `url` is where it listens now; the folder stays.

    `account` is whose token, client and project tests have where they name none.
    """

    made: ClassVar[WeakSet[LiveServer]] = WeakSet()
    """Every server of this test process; some have ended."""

    def __init__(
        self, folder: Path, *options: str, database_url: str | None = None, **env: str
    ) -> None:
        self.folder = folder
        self.database_url = database_url or env.get("QWICKET_DATABASE_URL")
        self._place = ["--data-dir", str(folder / "data")]
        if database_url is not None:
            self._place += ["--database-url", database_url]
        self._options = options
        self._env = env
        self.account = "ada"
        self._tokens: dict[str, str] = {}
        self._n_unused = 0
        self._port = str(held_port())
        self.log = folder / "server.log"
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "qwicket", "serve", "--port", self._port]
        workers = [] if "--compute" in self._options else ["--workers", "2"]
        command += [*self._place, *workers, "--stop-grace-s", "2", *self._options]
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            mark = log.tell()
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                env={**os.environ, **self._env},
                start_new_session=True,  # without a terminal, where it would print set-up links
            )
        self.made.add(self)
        self.url = self._announced(mark)

    def _announced(self, mark: int) -> str:
        def found() -> str | None:
            text = self.log.read_bytes()[mark:].decode()
            assert self.process.poll() is None, f"the server ended:\n{text}"
            for line in text.splitlines(keepends=True):
                if ANNOUNCEMENT in line and line.endswith("\n"):  # by itself, or within JSON
                    return line.partition(ANNOUNCEMENT)[2].split('"')[0].strip()
            return None

        return until(found, "the server listens", timeout_s=30)

    def children(self) -> list[int]:
        """Wait for all processes below, which start once the server listens; return their ids.

        Two workers and the express process, two parsers and the additional one, and their parents.
        """
        count = 5 if "--express-slots" in self._options else 6

        def found() -> list[int] | None:
            pid = self.process.pid
            is_whole = len(workers_of(pid)) + len(parsers_of(pid)) == count
            return sorted(below(pid)) if is_whole else None

        return until(found, "all processes have started", timeout_s=60)

    def kill(self) -> None:
        """Kill it at once, as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def pause(self) -> None:
        """Pause it, as a laptop that sleeps or a machine that swaps."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """End it as an operator would; return its exit status."""
        self.resume()
        self.process.terminate()
        try:
            return self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def assert_calm(self) -> None:
        """Check that its log has no unhandled error: handled ones take one line, no traceback."""
        text = self.log.read_text()
        for sign in ("Traceback", "never retrieved", "never awaited", "ResourceWarning"):
            assert sign not in text, text[max(0, text.index(sign) - 500) :][:3000]

    def as_admin(self, work: Callable[[Admin], Awaitable[T]]) -> T:
        """Do an administrator's work in this process, which is faster than a command."""
        place = DataLocation(self.folder / "data", self.database_url)
        with ThreadPoolExecutor(1) as thread:  # an async test has a loop already
            return thread.submit(as_admin, place, work).result()

    def cancel_unfinished(self) -> None:
        """Cancel all jobs that wait or run."""
        self.as_admin(lambda admin: admin.change_jobs(ROOT, "cancel", JobQuery(), is_dry_run=False))

    def admin(self, *arguments: str, stdin: str = "") -> str:
        """Run an administrator's command on its folder or database; return what it printed."""
        return cli(*arguments, *self._place, env=self._env, stdin=stdin)

    def unused(self, name: str) -> str:
        """Return a name for an account that no test has used: several modules share a server."""
        self._n_unused += 1
        return f"{name}-{self._n_unused}"

    def token(self, name: str = "") -> str:
        """Return the token of this account, or of `self.account`; make both if there are none."""
        name = name or self.account
        if name not in self._tokens:

            async def make(admin: Admin) -> str:
                await admin.add_account(name, email=None, password=None)
                return (await admin.create_token(name)).secret

            self._tokens[name] = self.as_admin(make)
        return self._tokens[name]

    def key_pair(self, token: str) -> str:
        """Return a new key pair of the account of a token: id and secret."""
        name = next(name for name, known in self._tokens.items() if known == token)
        return self.admin("token", "create", "--user", name, "--aws")

    def managing_token(self, name: str = "") -> str:
        """Return a new token of this account that may create and revoke others."""
        name = name or self.account
        self.token(name)
        scopes = (*DEFAULT_SCOPES, "tokens:write")
        return self.as_admin(lambda admin: admin.create_token(name, scopes=scopes)).secret

    def expire(self, token: str) -> None:
        """Let the token with this id expire now; the database must be the embedded one."""
        with closing(sqlite3.connect(self.folder / "data" / "qwicket.db")) as database, database:
            database.execute("update token set expires_at = 1 where id = ?", (token,))

    def client(self, token: str | None = None, **options: Any) -> httpx.Client:
        """Return an HTTP client that signs in as `self.account`, or with another token."""
        headers = {"Authorization": f"Bearer {token or self.token()}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, verify=False, **options)


def used_s(server: LiveServer) -> float:
    """Return the seconds that all ended jobs count, as budgets do."""
    found = server.as_admin(lambda admin: admin.usage.usage(None, None, ["project"]))
    return sum(each.use.seconds for each in found) / 1e6


@contextmanager
def database_of(kind: str, request: pytest.FixtureRequest) -> Iterator[str | None]:
    """Yield the address of an empty database: "postgres" has one, "sqlite", embedded, has None."""
    if kind == "sqlite":
        yield None
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")
    with postgres.database() as url:
        yield url


@contextmanager
def running_server(
    folder: Path, *options: str, database_url: str | None = None, **env: str
) -> Iterator[LiveServer]:
    """Yield a server; check that it stops with status 0 and has logged no unhandled error."""
    live = LiveServer(folder, *options, database_url=database_url, **env)
    yield live
    assert live.stop() == 0
    live.assert_calm()


@contextmanager
def server_on(
    kind: str, request: pytest.FixtureRequest, folder: Path, *options: str, **env: str
) -> Iterator[LiveServer]:
    """Yield a running server on an empty database, "sqlite" or "postgres"."""
    with (
        database_of(kind, request) as url,
        running_server(folder, *options, database_url=url, **env) as live,
    ):
        yield live


class Serve(Protocol):
    """The fixture `serve`: starts a server in a folder of that name."""

    def __call__(self, name: str, database_url: str | None, *options: str) -> LiveServer: ...
