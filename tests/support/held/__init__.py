"""Held jobs: they run in a worker until the test releases them, however fast the machine is.

Servers estimate such a job as what it says, a circuit that takes long, but its worker only waits
(`held_circuits.py`). Tests in the vendors' environments use this module too, so it imports the
standard library only, and Python 3.7 reads it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from support.held.held_circuits import DIE, MARK, NUMBERS, RUNNING, STEP, USES

FOLDER_NAME = "HELD_JOBS"
"""The environment variable with the folder in which tests and workers meet."""

_outliving: set[Path] = set()


class HeldJob:
    """A job that runs until it is released, dies or is cancelled.

    Args:
        qubits: Width of its circuit.
        gates: Number of its gates. On 24 qubits the server estimates 24 ms for each.
        lasts_s: Time after which it completes by itself, in seconds; None is never.
        uses_bytes: Memory that it uses while it waits, if any; then `lasts_s` must be None.

    Attributes:
        angle: A circuit with a gate rz of this angle is this job. Its worker leaves these gates
            out, so that they must come first, where they act on |0…0⟩.
    """

    def __init__(
        self, qubits: int, gates: int, lasts_s: float | None = None, uses_bytes: int = 0
    ) -> None:
        number = _take_number(_folder())
        self.angle = MARK + number * STEP
        self.file = _folder() / str(number)
        self._qubits = qubits
        self._gates = gates
        if lasts_s is not None:
            _say(self.file, str(lasts_s))
        if uses_bytes:
            _say(self.file, f"{USES}{uses_bytes}")

    @property
    def program(self) -> dict[str, Any]:
        """The job in IonQ's JSON: all bits are 0 but the first, which is random."""
        circuit: list[dict[str, Any]] = []
        for target, control in self._pairs():
            circuit.append({"gate": "rz", "target": target, "rotation": self.angle})
            if control != target:
                circuit[-1]["control"] = control
        circuit.append({"gate": "h", "target": 0})
        return {"gateset": "qis", "qubits": self._qubits, "circuit": circuit}

    @property
    def openqasm(self) -> str:
        """The job in OpenQASM 3."""
        turn = f"rz({self.angle!r})"
        gates = [
            f"{turn} q[{target}];" if control == target else f"c{turn} q[{control}], q[{target}];"
            for target, control in self._pairs()
        ]
        lines = ["OPENQASM 3.0;", 'include "stdgates.inc";', f"qubit[{self._qubits}] q;"]
        return "\n".join([*lines, *gates, f"bit[{self._qubits}] c = measure q;", ""])

    def _pairs(self) -> list[tuple[int, int]]:
        """Return target and control of each gate. They connect all qubits, or some were idle."""
        return [(i % self._qubits, (i + 1) % self._qubits) for i in range(self._gates)]

    def release(self) -> None:
        """Let it complete, also when it begins again."""
        _remove(self.file)

    def die(self) -> None:
        """Let its worker process kill itself, also when it begins again."""
        _say(self.file, DIE)

    def pid(self) -> int | None:
        """Return the worker process in which it last began to wait; None if it has not."""
        try:
            return int(self.file.with_suffix(RUNNING).read_text())
        except FileNotFoundError:
            return None

    def wait_until_running(self) -> int:
        """Wait until it has begun in a worker process, and return this."""
        deadline = time.monotonic() + 60
        pid = self.pid()
        while pid is None:
            assert time.monotonic() < deadline, "the held job does not run"
            time.sleep(0.01)
            pid = self.pid()
        return pid


def held_job(
    qubits: int = 24,
    gates: int = 400,
    *,
    lasts_s: float | None = None,
    uses_bytes: int = 0,
    outlives_test: bool = False,
) -> HeldJob:
    """Return a new held job, which is released at the end of the test at the latest.

    A fixture for several tests sets `outlives_test`, and releases the job itself.
    """
    made = HeldJob(qubits, gates, lasts_s, uses_bytes)
    if outlives_test:
        _outliving.add(made.file)
    return made


def install() -> None:
    """Make a folder for this process's held jobs, and let processes that it starts find it."""
    folder = Path(tempfile.mkdtemp(prefix="held-"))
    for name in ("sitecustomize.py", "held_circuits.py"):
        (folder / name).symlink_to(Path(__file__).with_name(name))
    os.environ[FOLDER_NAME] = str(folder)
    paths = filter(None, [str(folder), os.environ.get("PYTHONPATH")])
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)


def uninstall() -> None:
    """Remove the folder; whatever is still held goes on."""
    shutil.rmtree(_folder(), ignore_errors=True)


def release_all() -> None:
    """Release the held jobs of this process, and of its children, but those that outlive a test."""
    for file in _folder().glob("[0-9]*"):
        if file not in _outliving:
            _remove(file)


def _folder() -> Path:
    return Path(os.environ[FOLDER_NAME])


def _take_number(folder: Path) -> int:
    """Return a number that no other job has, nor had lately, and make its file."""
    while True:
        number = secrets.randbelow(NUMBERS)
        with suppress(FileExistsError):
            (folder / str(number)).touch(exist_ok=False)
            return number


def _remove(file: Path) -> None:
    with suppress(FileNotFoundError):
        file.unlink()


def _say(file: Path, order: str) -> None:
    new = file.with_suffix(".order")
    new.write_text(order)
    new.replace(file)
