"""The clients: each in a process of its own, in its own environment, through the proxy."""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Final, NamedTuple

from chaos.mass import BRAKET, USERS
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
        has_keys: Whether it sends idempotency keys.
    """

    program: str
    reported: str
    dialect: str
    has_keys: bool = False


CLIENTS: Final[dict[str, Kind]] = {
    "native": Kind("native", _OWN, "Qwicket", has_keys=True),
    "lab": Kind("lab", _OWN, "Qwicket, for a lab's machine", has_keys=True),
    "ionq": Kind("ionq", "ionq-core", "IonQ"),
    "cirq-ionq": Kind("cirq", "cirq-ionq", "IonQ"),
    "ibm": Kind("ibm", "qiskit-ibm-runtime", "IBM Quantum Platform"),
    "ibmq": Kind("ibmq", "qiskit-ibmq-provider", "IBM Q Experience"),
    "qbraid": Kind("qbraid", "qbraid", "qBraid"),
    "braket": Kind("braket", "amazon-braket-sdk", "Amazon Braket"),
    "xanadu": Kind("xanadu", "xanadu-cloud-client", "Xanadu"),
    "qlued": Kind("qlued", "qiskit-cold-atom", "qlued"),
}


class Caller:
    """A client process, which submits a job for each byte that it is given."""

    def __init__(self, name: str, folder: Path, command: list[str], env: dict[str, str]) -> None:
        self.name = name
        folder.mkdir()
        self.log = folder / "client.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*_IDLE, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={
                    **leftovers.marks(),
                    "PATH": os.environ["PATH"],
                    "HOME": str(folder),  # no settings of this machine's user reach the client
                    "PYTHONPATH": str(TESTS),
                    **env,
                },
                cwd=folder,
            )

    def await_ready(self) -> None:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            assert selector.select(_READY_S), f"{self.name} does not start: {self.log}"
        assert self._process.stdout.readline() == b"ready\n", self.log.read_text()

    def submit(self) -> bool:
        """Let it submit a job, or the mass begin; return whether it took its last byte."""
        assert self._process.stdin is not None
        unread = fcntl.ioctl(self._process.stdin, termios.FIONREAD, bytes(4))
        if struct.unpack("i", unread) != (0,):
            return False
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        return True

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


def unmodified(name: str, world: World, history: Path) -> Caller:
    """Start a vendor's client."""
    kind = CLIENTS[name]
    reported = REPORTED[kind.reported]
    credentials = _credentials(name, world, is_for_aws=kind.dialect == "Amazon Braket")
    url = world.proxy.url
    own = variables_of(_OWN, url, credentials)
    vendors = variables_of(reported.env, url, credentials) if reported.env else {}
    env = {
        **set_variables(own | vendors, None),
        "CHAOS_HISTORY": str(history / f"{name}.jsonl"),
        "CHAOS_NAME": name,
        "CHAOS_DEVICE": DEVICE,
    }
    program = str(TESTS / "chaos" / "clients" / f"use_{kind.program}.py")
    return Caller(name, world.folder / f"client-{name}", [str(reported.python), program], env)


def mass(world: World, history: Path, users: int) -> Caller:
    """Start `users` times the shares of users of all dialects, in one process of our own."""
    accounts = {name: _credentials(name, world, is_for_aws=name == BRAKET) for name in USERS}
    env = {
        "CHAOS_URL": world.proxy.url,
        "CHAOS_HISTORY": str(history),
        "CHAOS_USERS": str(users),
        "CHAOS_ACCOUNTS": json.dumps(
            {name: (of.token, of.aws_key_id, of.aws_secret) for name, of in accounts.items()}
        ),
    }
    command = [sys.executable, "-m", "chaos.mass"]
    return Caller("mass", world.folder / "client-mass", command, env)


def _credentials(name: str, world: World, *, is_for_aws: bool) -> Credentials:
    server = world.servers[0]
    token = server.token(name)
    pair = ["", ""]
    if is_for_aws:
        pair = server.admin("token", "create", "--user", name, "--aws").split()
    return Credentials(name, token, *pair[:2])
