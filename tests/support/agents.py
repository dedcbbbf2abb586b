"""Live agents: `qwicket agent` in processes of their own, on a lab's machine for tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import httpx

from support.lab_machine import entries
from support.processes import children_of
from support.server import LiveServer

TESTS = Path(__file__).parent.parent
DEVICE = "lab5"
SPEC = """
name = "{name}"
family = "{family}"

[spec]
description = "A machine on a bench"
qubits = 8
formats = [{formats}]
outputs = [{outputs}]
shot_s = 0.001
"""
QUBITS = {"family": "qubit", "formats": '"openqasm3"', "outputs": '"counts", "memory"'}
ATOMS = {"family": "atoms", "formats": '"qlued.lab"', "outputs": '"samples"'}
BELL_QASM = (
    'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c;'
    " h q[0]; cx q[0], q[1]; c = measure q;"
)


class Lab:
    """A lab with one device at a server: its token, its folder, its agents."""

    def __init__(
        self,
        server: LiveServer,
        folder: Path,
        *,
        device: str = DEVICE,
        kind: dict[str, str] = QUBITS,
        url: str | None = None,
    ) -> None:
        self.server = server
        self.folder = folder
        self.device = device
        self.url = url or server.url
        server.token()
        self.token = serving_token(server, device)
        folder.mkdir(parents=True, exist_ok=True)
        self.config = folder / "device.toml"
        self.config.write_text(SPEC.format(name=device, **kind))
        self._agents: list[LiveAgent] = []

    def __enter__(self) -> Lab:
        self.push()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for agent in self._agents:
            agent.kill()

    def push(self) -> None:
        """Announce the device of the configuration."""
        document = tomllib.loads(self.config.read_text())
        name = document.pop("name")
        with self.http() as client:
            done = client.put(f"/v1/agent/devices/{name}", json=document)
        assert done.status_code == 200, done.text

    def environment(self) -> dict[str, str]:
        log = str(self.folder / "lab.log")
        return {"QWICKET_URL": self.url, "QWICKET_TOKEN": self.token, "LAB_LOG": log}

    def agent(self, run: str = "run", *options: str) -> LiveAgent:
        """Start an agent with one of the functions of `lab_machine`."""
        made = LiveAgent(self, len(self._agents), run, *options)
        self._agents.append(made)
        return made

    def http(self) -> httpx.Client:
        """Return an HTTP client that signs in with the lab's token."""
        return self.server.client(self.token)

    def submit(self, client: httpx.Client, shots: int = 20) -> str:
        return submit(client, shots, self.device)

    def shown(self, client: httpx.Client) -> dict[str, Any]:
        """Return the device as users see it."""
        found: dict[str, Any] = client.get(f"/v1/devices/{self.device}").json()
        return found

    def log(self) -> list[tuple[str, str, int]]:
        return entries(self.folder)

    def begun(self) -> int:
        return sum(word == "begins" for _, word, _ in self.log())


class Bench(Protocol):
    """What an agent needs: a folder, a device, and variables with a server and a token."""

    folder: Path
    device: str

    def environment(self) -> dict[str, str]: ...


class LiveAgent:
    """`qwicket agent` in a process of its own."""

    def __init__(self, lab: Bench, number: int, run: str, *options: str) -> None:
        self.log = lab.folder / f"agent{number}.log"
        command = [sys.executable, "-m", "qwicket", "agent", "--device", lab.device]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--run", f"support.lab_machine:{run}", *options],
                stdout=log,
                stderr=log,
                cwd=TESTS,
                env={**os.environ, **lab.environment()},
            )

    def kill(self) -> None:
        """Kill it, also while it is paused."""
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        """Pause it with all processes that it has started, as a laptop that sleeps."""
        for pid in (*children_of(self.process.pid), self.process.pid):
            os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        if self.process.poll() is None:
            for pid in (*children_of(self.process.pid), self.process.pid):
                os.kill(pid, signal.SIGCONT)

    def stop(self, timeout_s: float = 40) -> int:
        """End it as an operator would; return its exit status."""
        self.process.terminate()
        return self.process.wait(timeout_s)

    def log_text(self) -> str:
        return self.log.read_text()


def serving_token(server: LiveServer, *devices: str, account: str = "") -> str:
    """Return a new token that serves these devices; make its account if there is none."""
    account = account or server.account
    server.token(account)
    made = server.as_admin(
        lambda admin: admin.create_token(account, scopes=["devices:serve"], devices=devices)
    )
    return made.secret


def submit(client: httpx.Client, shots: int = 20, device: str = DEVICE) -> str:
    """Submit a Bell pair whose run takes a millisecond a shot; return the job's id."""
    sent = client.post("/v1/jobs", json={"device": device, "program": BELL_QASM, "shots": shots})
    assert sent.status_code == 201, sent.text
    return str(sent.json()["id"])


def ended(client: httpx.Client, job: str) -> str:
    """Wait for a job's end; return its state."""
    return str(client.get(f"/v1/jobs/{job}?wait=60").json()["state"])
