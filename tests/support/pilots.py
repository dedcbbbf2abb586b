"""Live pilots: `qwicket worker` in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from qwicket import __version__
from qwicket.circuits import PACKING_VERSION
from qwicket.gateway.admin import Admin
from support.processes import below, workers_of
from support.server import LiveServer
from support.waiting import until

_ROOT = "root"


def compute_token(server: LiveServer) -> str:
    """Return a new token for pilots, of an admin's account that is made if there is none."""

    async def make(admin: Admin) -> str:
        if _ROOT not in {each.name for each in await admin.accounts()}:
            await admin.add_account(_ROOT, email=None, password=None, role="admin")
        return (await admin.create_token(_ROOT, scopes=["compute:serve"])).secret

    return server.as_admin(make)


class LivePilot:
    """`qwicket worker` in a process of its own.

    Args:
        server: The server that it serves.
        folder: Where its log is.
        options: Options of `qwicket worker`.
        url: Another address of the server.
        token: A token that exists; by default it gets a new one.
        env: Environment variables.
    """

    def __init__(
        self,
        server: LiveServer,
        folder: Path,
        *options: str,
        url: str | None = None,
        token: str | None = None,
        **env: str,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.token = token or compute_token(server)
        self.log = folder / f"pilot{len(list(folder.glob('pilot*.log')))}.log"
        command = [sys.executable, "-m", "qwicket", "worker", "--connect", url or server.url]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--slots", "1", *options],
                stdout=log,
                stderr=log,
                env={**os.environ, "QWICKET_TOKEN": self.token, **env},
            )

    @property
    def name(self) -> str:
        """Return its name, which it logs when it starts."""

        def found() -> str | None:
            for line in self.log_text().splitlines(keepends=True):
                if line.startswith("Worker ") and line.endswith("\n"):
                    return line.removeprefix("Worker ").partition(":")[0]
            assert self.process.poll() is None, self.log_text()
            return None

        return until(found, "the pilot has started", timeout_s=60)

    def workers(self) -> list[int]:
        """Return its worker processes."""
        return workers_of(self.process.pid)

    def children(self) -> list[int]:
        return sorted(below(self.process.pid))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self, timeout_s: float = 60) -> int:
        """End it as a batch system would; return its exit status."""
        self.process.terminate()
        return self.process.wait(timeout_s)

    def log_text(self) -> str:
        return self.log.read_text()


@contextmanager
def pilot(server: LiveServer, folder: Path, *options: str, **env: str) -> Iterator[LivePilot]:
    """Yield a pilot that is killed at the end unless it has ended."""
    live = LivePilot(server, folder, *options, **env)
    try:
        yield live
    finally:
        live.kill()


def offer(**changes: Any) -> dict[str, Any]:
    """Return the offer of a pilot with one free slot."""
    return {
        "version": __version__,
        "packing": PACKING_VERSION,
        "slots": 1,
        "tasks": 1,
        "memory_bytes": 1 << 30,
        **changes,
    }


class RawPilot:
    """A pilot that runs nothing: a test decides which requests it sends."""

    def __init__(self, server: LiveServer, name: str, token: str | None = None) -> None:
        self._speak(server.client(token or compute_token(server)), name)

    def _speak(self, http: httpx.Client, name: str, **offered: Any) -> None:
        self.http = http
        self.path = f"/v1/pilots/{name}"
        self.requests = 0
        self._offered = offered

    def __enter__(self) -> RawPilot:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.delete(self.path)
        self.http.close()

    def pull(
        self,
        held: list[dict[str, Any]] | None = None,
        wait: float = 0,
        settled: int | None = None,
        **changes: Any,
    ) -> httpx.Response:
        self.requests += 1
        body = {
            "offer": offer(**{"request": self.requests, **self._offered, **changes}),
            "settled": self.requests - 1 if settled is None else settled,
            "held": held or [],
        }
        return self.http.post(f"{self.path}/pull", params={"wait": wait}, json=body)

    def report(
        self,
        results: list[dict[str, Any]] | None = None,
        releases: list[dict[str, Any]] | None = None,
        **changes: Any,
    ) -> httpx.Response:
        self.requests += 1
        body = {
            "offer": offer(**{"request": self.requests, "tasks": 0, **self._offered, **changes}),
            "results": results or [],
            "releases": releases or [],
        }
        return self.http.post(f"{self.path}/results", json=body)

    def job(self, **changes: Any) -> dict[str, Any]:
        """Pull until a single job comes, and return it."""
        pulled = self.pull(wait=5, **changes)
        assert pulled.status_code == 200, pulled.text
        ((job,),) = pulled.json()["tasks"]
        found: dict[str, Any] = job
        return found


Held = dict[str, Any]
"""A lease: `id`, `fence` and `nonce`."""


class RawAgent(RawPilot):
    """An agent that runs nothing: a test decides which requests it sends.

    Args:
        http: Signs in with a token that serves the device.
        device: The device.
        name: Name of the agent.
    """

    def __init__(self, http: httpx.Client, device: str, name: str = "plainagent") -> None:
        self._speak(http, name, devices=[device])
        self.device = device

    def claim(self, wait: float = 30) -> Held | None:
        """Return the lease of the next job; None if none came."""
        pulled = self.pull(wait=wait)
        assert pulled.status_code == 200, pulled.text
        tasks = pulled.json()["tasks"]
        if not tasks:
            return None
        ((job,),) = tasks
        lease: Held = job["lease"]
        return lease

    def claimed(self) -> Held:
        lease = self.claim()
        assert lease is not None
        return lease

    def renew(self, lease: Held) -> str:
        """Renew a lease; return what the agent must do with its job."""
        pulled = self.pull([lease], tasks=0)
        assert pulled.status_code == 200, pulled.text
        found = {each["id"]: each["directive"] for each in pulled.json()["directives"]}
        return str(found.get(lease["id"], "go on"))

    def end(self, lease: Held, **result: Any) -> httpx.Response:
        """Report `parts` or an `error` under a lease."""
        return self.report([{**lease, **result}])

    def fail(self, lease: Held) -> httpx.Response:
        """Report that the machine failed, which needs no encoded outcome."""
        return self.end(lease, error={"code": "no_atoms", "message": "The trap was empty."})

    def release(self, lease: Held, **more: Any) -> httpx.Response:
        return self.report(releases=[{**lease, "reason": "given back", **more}])

    def leave(self) -> httpx.Response:
        return self.http.delete(self.path)


def states(response: httpx.Response) -> list[str | None]:
    """Return the states of the reported jobs; None for a lease that is not the newest."""
    assert response.status_code == 200, response.text
    return list(response.json()["states"].values())
