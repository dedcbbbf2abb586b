"""The clients: each in a process of its own, in its own environment, through the proxy."""

from __future__ import annotations

import os
import selectors
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

from chaos.world import DEVICE, World
from qwicket.testing.environment import set_variables, variables_of
from qwicket.testing.values import Credentials
from support import leftovers
from support.reported_clients import REPORTED

TESTS: Final = Path(__file__).parents[1]
_OWN: Final = "qwicket"
_READY_S: Final = 120
_IDLE: Final = ("chrt", "--idle", "0")
"""Starts a client that takes no processor from the servers, as if it ran on another machine."""


class Kind(NamedTuple):
    """A client.

    Attributes:
        program: Its program in `chaos.clients`.
        reported: Its name in `support.reported_clients`, which knows its environment.
        dialect: The dialect that it speaks.
        threads: How many users it is at once.
        has_keys: Whether it sends idempotency keys.
    """

    program: str
    reported: str
    dialect: str
    threads: int = 1
    has_keys: bool = False


CLIENTS: Final[dict[str, Kind]] = {
    "native": Kind("native", _OWN, "Qwicket", 24, has_keys=True),
    "lab": Kind("lab", _OWN, "Qwicket, for a lab's machine", 4, has_keys=True),
    "ionq": Kind("ionq", "ionq-core", "IonQ", 4),
    "cirq-ionq": Kind("cirq", "cirq-ionq", "IonQ", 2),
    "ibm": Kind("ibm", "qiskit-ibm-runtime", "IBM Quantum Platform", 1),
    "ibmq": Kind("ibmq", "qiskit-ibmq-provider", "IBM Q Experience", 1),
    "qbraid": Kind("qbraid", "qbraid", "qBraid", 2),
    "braket": Kind("braket", "amazon-braket-sdk", "Amazon Braket", 2),
    "xanadu": Kind("xanadu", "xanadu-cloud-client", "Xanadu", 4),
    "qlued": Kind("qlued", "qiskit-cold-atom", "qlued", 1),
}


class Caller:
    """One client process."""

    def __init__(self, name: str, world: World, history: Path) -> None:
        kind = CLIENTS[name]
        reported = REPORTED[kind.reported]
        folder = world.folder / f"client-{name}"
        folder.mkdir()
        server = world.servers[0]
        token = server.token(name)
        pair = ("", "")
        if kind.dialect == "Amazon Braket":
            made = server.admin("token", "create", "--user", name, "--aws").split()
            pair = (made[0], made[1])
        credentials = Credentials(name, token, *pair)
        url = world.proxy.url
        own = variables_of(_OWN, url, credentials)
        vendors = variables_of(reported.env, url, credentials) if reported.env else {}
        env = {
            **leftovers.marks(),
            **set_variables(own | vendors, None),
            "PATH": os.environ["PATH"],
            "HOME": str(folder),  # no settings of this machine's user reach the client
            "PYTHONPATH": str(TESTS),
            "CHAOS_HISTORY": str(history / f"{name}.jsonl"),
            "CHAOS_NAME": name,
            "CHAOS_THREADS": str(kind.threads),
            "CHAOS_DEVICE": DEVICE,
        }
        self.name = name
        self.log = folder / "client.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*_IDLE, reported.python, TESTS / "chaos" / "clients" / f"use_{kind.program}.py"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=env,
                cwd=folder,
            )

    def await_ready(self) -> None:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            assert selector.select(_READY_S), f"{self.name} does not start: {self.log}"
        assert self._process.stdout.readline() == b"ready\n", self.log.read_text()

    def begin(self) -> None:
        """Let it submit. Before that, clients that have started leave the others the processor."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()

    def stop_submitting(self) -> None:
        """Let it read what it waits for, and some earlier results again, and end."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def await_end(self, timeout_s: float) -> bool:
        """Return whether it ended in time and in good order; else it is killed."""
        try:
            return self._process.wait(timeout_s) == 0
        except subprocess.TimeoutExpired:
            self.close()
            return False

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
