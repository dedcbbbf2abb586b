"""The servers, their database, agents, a worker on another machine, a proxy, a disk and a clock."""

from __future__ import annotations

import itertools
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

import httpx
from psycopg import OperationalError

from chaos import audit
from chaos.disk import Disk, disk
from support.agents import Lab, LiveAgent
from support.pilots import LivePilot, compute_token
from support.postgres import PostgresServer, postgres_server
from support.processes import below
from support.server import LiveServer

LEASE_S: Final = 2.0
STUCK_S: Final = LEASE_S + 5
DEVICE: Final = "lab5"
_TESTS: Final = Path(__file__).parents[1]
_CLOCK: Final = Path(__file__).parent / "wrong_clock"
_CHECK_S: Final = 0.2


class Part:
    """A process that is started again whenever it has ended, as a service manager does.

    Attributes:
        kind: `server`, `agent` or `pilot`.
        starts: How often it was started.
    """

    def __init__(self, kind: str, start: Callable[[], subprocess.Popen[bytes]]) -> None:
        self.kind = kind
        self.starts = 0
        self._start = start
        self._process: subprocess.Popen[bytes] | None = None
        self._resume_at_s = 0.0
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """Its process id; None while it does not run."""
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    @property
    def is_paused(self) -> bool:
        return self._resume_at_s > 0

    def kill(self) -> bool:
        """Kill it at once; return whether it ran."""
        pid = self.pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        return pid is not None

    def end(self) -> None:
        """Kill it and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def pause(self, seconds: float) -> bool:
        """Pause it for some time; return whether it ran and was not paused."""
        pid = self.pid
        if pid is None or self.is_paused:
            return False
        self._resume_at_s = time.monotonic() + seconds
        os.kill(pid, signal.SIGSTOP)
        return True

    def look_after(self, *, is_over: bool = False) -> None:
        """Continue it when its pause is over, and start it if it has ended."""
        with self._lock:
            if self.is_paused and (is_over or time.monotonic() > self._resume_at_s):
                self._resume_at_s = 0.0
                if self._process is not None and self._process.poll() is None:
                    self._process.send_signal(signal.SIGCONT)
            if self.pid is None:
                self._resume_at_s = 0.0
                with suppress(AssertionError, OSError):  # without a database or space it ends
                    self._process = self._start()
                    self.starts += 1


class Proxy:
    """The proxy process through which all clients, agents and workers come."""

    def __init__(self, servers: list[LiveServer]) -> None:
        ports = [each.url.rpartition(":")[2] for each in servers]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "chaos.proxy", *ports],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_TESTS,
        )
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def tell(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n".encode())
        self._process.stdin.flush()

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


class World:
    """Everything but the clients."""

    def __init__(self, folder: Path, database: str, stack: ExitStack, disk_bytes: int) -> None:
        self.database = database
        self.folder = folder
        self.disk: Disk = disk(folder, disk_bytes)
        stack.callback(self.disk.close)
        self._clock = folder / "clock"
        self._clock.write_bytes(bytes(8))
        self.postgres: PostgresServer | None = None
        url = None
        if database == "postgres":
            self.postgres = stack.enter_context(postgres_server(self.disk.folder))
            self.postgres.run("create database chaos")
            url = self.postgres.url.replace("/postgres?", "/chaos?")
        self.place = url or str(self.disk.folder / "first" / "data" / "qwicket.db")
        self.servers = [
            self._server(name, url) for name in (("first", "second") if url else ("first",))
        ]
        stack.callback(self._end_servers)
        audit.install(self.place)
        self.proxy = Proxy(self.servers)
        stack.callback(self.proxy.close)
        self.lab = Lab(self.servers[0], folder / "lab", device=DEVICE, url=self.proxy.url)
        stack.enter_context(self.lab)
        self._compute_token = compute_token(self.servers[0])
        self._agents = itertools.count()
        self.parts = [Part("server", self._restart(each)) for each in self.servers]
        self.parts += [Part("agent", self._agent) for _ in range(2)]
        self.parts.append(Part("pilot", self._pilot))
        for part, server in zip(self.parts, self.servers, strict=False):
            part._process = server.process
        self._closing = threading.Event()
        self._upset_at_s = time.monotonic()
        self._keepers = [
            threading.Thread(target=self._keep, args=(each,), daemon=True)
            for each in (*self.parts, None)
        ]
        for each in self._keepers:
            each.start()
        stack.callback(self._stop_keepers)

    def _server(self, name: str, url: str | None) -> LiveServer:
        env = {
            "PYTHONPATH": os.pathsep.join([str(_CLOCK), *filter(None, [os.getenv("PYTHONPATH")])]),
            "CHAOS_CLOCK": str(self._clock),
            "QWICKET_AWS_MASTER_FILE": str(self.folder / "aws-master-keys"),
        }
        options = ["--lease-s", str(LEASE_S), "--limit", "wrong_tokens=1000000"]
        return LiveServer(self.disk.folder / name, *options, database_url=url, **env)

    def _restart(self, server: LiveServer) -> Callable[[], subprocess.Popen[bytes]]:
        def start() -> subprocess.Popen[bytes]:
            self.upset()
            server.start()
            self.upset()
            return server.process

        return start

    def _agent(self) -> subprocess.Popen[bytes]:
        return LiveAgent(self.lab, next(self._agents), "run").process

    def _pilot(self) -> subprocess.Popen[bytes]:
        folder = self.folder / "pilots"
        url, token = self.proxy.url, self._compute_token
        return LivePilot(self.servers[0], folder, url=url, token=token).process

    def upset(self) -> None:
        """Note that servers or database are disturbed now: until then none served without break."""
        self._upset_at_s = time.monotonic()

    @property
    def served_since_s(self) -> float:
        """Since when, in monotonic time, all servers and the database are as they should be."""
        return self._upset_at_s

    def of(self, kind: str) -> list[Part]:
        return [each for each in self.parts if each.kind == kind]

    def move_clock(self, offset_s: float) -> None:
        """Set the servers' wall clocks so far ahead of the true time."""
        with self._clock.open("r+b") as file:
            file.write(struct.pack("q", round(offset_s * 1e9)))

    def writers(self) -> list[int]:
        """Return the processes that write the data."""
        return [each.pid for each in self.of("server") if each.pid is not None]

    def _keep(self, part: Part | None) -> None:
        while not self._closing.wait(_CHECK_S):
            with suppress(Exception):  # in a disturbed world anything fails; it is tried again
                self._keep_once(part)

    def _keep_once(self, part: Part | None) -> None:
        if part is not None:
            part.look_after()
            if part.kind == "server" and (part.pid is None or part.is_paused):
                self.upset()
        elif self.postgres is not None:
            self._keep_database(self.postgres)

    def _keep_database(self, postgres: PostgresServer) -> None:
        if postgres.first_pid is None:
            self.upset()
            with suppress(subprocess.SubprocessError, AssertionError, OSError):  # no space
                postgres.start()
            self.upset()
        else:
            try:
                with audit.books(self.place):
                    pass
            except OperationalError:
                self.upset()

    def calm(self) -> None:
        """Take every disturbance back, and let everything run."""
        self.move_clock(0)
        self.disk.empty(self.writers())
        self.proxy.tell("up")
        for part in self.parts:
            part.look_after(is_over=True)
            for pid in [] if part.pid is None else below(part.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def is_whole(self) -> bool:
        """Return whether every part runs, and every server says that it is ready."""
        return all(part.pid for part in self.parts) and all(map(_is_ready, self.servers))

    def _stop_keepers(self) -> None:
        self._closing.set()
        for each in self._keepers:
            each.join()
        for part in self.parts:
            if part.kind != "server":
                part.end()

    def _end_servers(self) -> None:
        for each in self.servers:
            if each.process.poll() is None:
                each.stop()


def _is_ready(server: LiveServer) -> bool:
    try:
        return httpx.get(f"{server.url}/readyz", timeout=5, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def world(folder: Path, database: str, disk_bytes: int) -> Iterator[World]:
    """Start everything, and end it at last."""
    with ExitStack() as stack:
        yield World(folder, database, stack, disk_bytes)
