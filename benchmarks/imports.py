"""CPU time of importing each client, and of commands, in fresh processes.

The times are those of `time.process_time` and `-X importtime`; the floor is the time of the HTTP
library alone, in the same run; for commands that of click.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Final

from benchmarks.figures import Figure, p50

BAR_S: Final = 0.150
_RUNS: Final = 9
_WHAT: Final = {
    "import urllib3": None,
    "import qwicket; qwicket.connect": "import urllib3",
    "import qwicket; qwicket.aconnect": "import urllib3",
    **{
        f"import qwicket.clients.{name}": "import urllib3"
        for name in ("ionq", "qlued", "ibm_qx", "qbraid")
    },
}
_COMMANDS: Final = {
    "--version": 0.075,
    "env qiskit-ionq": 0.075,
    "--help": 0.200,
    "user list --data-dir .": 0.250,
}
"""Commands, each with its bar in seconds of processor time."""
_RUN: Final = "from qwicket.cli import main; main({}, standalone_mode=False)"
_TIMED: Final = "import time; began = time.process_time(); {}; print(time.process_time() - began)"


def measure() -> Iterator[Figure]:
    """Yield a figure for each client and each command."""
    yield from _clients()
    yield from _commands()


def _clients() -> Iterator[Figure]:
    found: dict[str, list[float]] = {}
    for code, floor in _WHAT.items():
        found[code] = [_cpu_s(code) for _ in range(_RUNS)]
        if floor is not None:
            measured = p50(found[code])
            yield Figure(
                f"`{code}`",
                "",
                f"{1000 * measured:.0f} ms, most of it {_slowest_module(code)}",
                f"{1000 * p50(found[floor]):.0f} ms",
                f"{1000 * BAR_S:.0f} ms",
                measured <= BAR_S,
            )


def _commands() -> Iterator[Figure]:
    floor_s = p50([_cpu_s("import click") for _ in range(_RUNS)])
    for command, bar_s in _COMMANDS.items():
        with tempfile.TemporaryDirectory() as folder:
            code = _RUN.format(command.replace("--data-dir .", f"--data-dir {folder}").split())
            measured = p50([_cpu_s(code) for _ in range(_RUNS)])
        yield Figure(
            f"`qwicket {command}`",
            "",
            f"{1000 * measured:.0f} ms",
            f"{1000 * floor_s:.0f} ms",
            f"{1000 * bar_s:.0f} ms",
            measured <= bar_s,
        )


def _cpu_s(code: str) -> float:
    return float(_fresh(_TIMED.format(code)).stdout.split()[-1])


def _slowest_module(code: str) -> str:
    """Return the module that takes longest by itself, of those that `code` imports."""
    rows = [
        line.removeprefix("import time:").split("|")
        for line in _fresh(code, "-X", "importtime").stderr.splitlines()[1:]
    ]
    own_us, name = max((int(own), name.strip()) for own, _, name in rows)
    return f"{name} {own_us / 1000:.0f} ms"


def _fresh(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        check=True,
    )
