"""Unmodified clients of three dialects, each in a process of its own, at a test bed."""

from __future__ import annotations

import os
import selectors
import subprocess
from pathlib import Path

import msgspec

from contract.environments import interpreter
from qwicket.testing import Cloud
from support import leftovers

CLIENTS = {  # name of the client for `cloud.env`, its environment, and the dialect it speaks
    "ionq": ("cirq-ionq", "ionq/cirq_ionq_1_7", "ionq"),
    "ibm": ("qiskit-ibm-runtime", "ibm/qiskit_ibm_runtime_0_51", "ibm-platform"),
    "qbraid": ("qbraid", "qbraid/qbraid_0_13", "qbraid"),
}
TESTS = Path(__file__).parents[1]
PATIENCE_S = 60


class Answer(msgspec.Struct):
    counts: dict[str, int] | None
    error: str


class BedClient:
    """An unmodified client in a process of its own, which runs one job for each call."""

    def __init__(self, name: str, cloud: Cloud, folder: Path) -> None:
        client, suite, self.dialect = CLIENTS[name]
        self._log = (folder / f"{name}.log").open("wb")
        env = {**leftovers.marks(), **cloud.env(client), "HOME": str(folder)}
        self._process = subprocess.Popen(
            [interpreter(suite), TESTS / "support" / "bed_clients" / f"bell_{name}.py"],
            env={**env, "PATH": os.environ["PATH"], "PYTHONPATH": str(TESTS)},
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        self._is_ready = False

    def run(self, patience_s: float = PATIENCE_S) -> Answer | None:
        """Run a job; return what the client returned or raised, None if it did not in time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if not self._is_ready:
            assert self._process.stdout.readline() == b"ready\n"
            self._is_ready = True
        self._process.stdin.write(b"run\n")
        self._process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(patience_s):
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
        self._process.wait(30)
        self._process.stdout.close()
        self._log.close()
