"""Unmodified clients, each in a process of its own, at a test bed."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import msgspec

from contract.environments import interpreter
from qwicket.testing import Cloud, Recording, Replay
from support import leftovers

TESTS = Path(__file__).parents[1]
TIMEOUT_S = 60


class Kind(NamedTuple):
    """A client.

    Attributes:
        package: Its name on PyPI.
        suite: Its environment, one of `contract.environments`; "" is ours.
        program: The program in `bed_clients` that runs one job for each line.
        dialect: The dialect that it uses.
        env: Its name for `Cloud.env`; "" if it reads the variables of Qwicket's own client.
    """

    package: str
    suite: str
    program: str
    dialect: str
    env: str = ""

    @property
    def python(self) -> Path:
        """Return the interpreter of its environment, which is made where it is missing."""
        return interpreter(self.suite) if self.suite else Path(sys.executable)


CLIENTS = {
    "ionq": Kind("cirq-ionq", "ionq/cirq_ionq_1_7", "bell_ionq", "ionq", "cirq-ionq"),
    "ibm": Kind(
        *("qiskit-ibm-runtime", "ibm/qiskit_ibm_runtime_0_51", "bell_ibm", "ibm-platform"),
        env="qiskit-ibm-runtime",
    ),
    "qbraid": Kind("qbraid", "qbraid/qbraid_0_13", "bell_qbraid", "qbraid", "qbraid"),
}


def _variables(kind: Kind, cloud: Cloud | Recording | Replay, account: str) -> dict[str, str]:
    """Return the environment variables with the server's address and token."""
    if not isinstance(cloud, Cloud):
        return cloud.env(kind.env)
    own = cloud.env(kind.env, account=account) if kind.env else {}
    return {**cloud.env("qwicket", account=account), **own}


class Answer(msgspec.Struct):
    """What a client returned or raised for one job."""

    counts: dict[str, int] | None
    error: str
    trace: str = ""


class BedClient:
    """An unmodified client in a process of its own, which runs one job for each call."""

    def __init__(
        self,
        client: Kind | str,
        cloud: Cloud | Recording | Replay,
        folder: Path,
        account: str = "tester",
    ) -> None:
        kind = CLIENTS[client] if isinstance(client, str) else client
        self.name = client if isinstance(client, str) else kind.program
        self.dialect = kind.dialect
        self.tried: list[str] = []
        self.log = folder / f"{kind.program}.log"
        self._log = self.log.open("wb")
        env = {
            **leftovers.marks(),
            **_variables(kind, cloud, account),
            "HOME": str(folder),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(TESTS),
        }
        self._process = subprocess.Popen(
            [kind.python, TESTS / "support" / "bed_clients" / f"{kind.program}.py"],
            env=env,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        self._is_ready = False

    def run(self, timeout_s: float = TIMEOUT_S) -> Answer | None:
        """Run a job; return what the client returned or raised, None if it did not in time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if not self._is_ready:
            assert self._process.stdout.readline() == b"ready\n", self.log.read_text()
            self._is_ready = True
        self._process.stdin.write(b"run\n")
        self._process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(timeout_s):
                return None
        return msgspec.json.decode(self._process.stdout.readline(), type=Answer)

    def answer(self) -> Answer:
        """Run a job; return what the client returned or raised."""
        found = self.run()
        assert found is not None, "the client does not end"
        return found

    def kill(self) -> None:
        self._process.kill()
        self.close()

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:  # a thread of the client does not end
            self._process.kill()
            self._process.wait(30)
        self._process.stdout.close()
        self._log.close()
