"""What the server imports before it listens: without a clock, and in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

from qwicket.server import late_imports

START = "import sys; import qwicket.cli.serve, qwicket.server.run; "
NEVER = {"cirq", "matplotlib", "psycopg", "qiskit", "qulacs", "scipy", "sphinx", "stim"}
"""Modules of workers, of other databases and of people's own programs."""
MOST_MODULES = 630
"""There are 608, and 761 with those that are imported late; each takes half a millisecond."""


def loaded(code: str) -> set[str]:
    """Return the modules that a process has imported after some code."""
    command = [sys.executable, "-c", f"{code}; print(*sys.modules)"]
    # Without the variables by which a measurement of coverage gets into every process.
    env = {"PATH": os.environ["PATH"]}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_no_heavy_module_is_imported_before_the_server_listens() -> None:
    found = loaded(START[:-2])
    assert "qwicket.server.app" in found
    assert not found & NEVER
    assert not found & set(late_imports.MODULES)
    assert len(found) <= MOST_MODULES


def test_late_modules_are_imported_once_it_does() -> None:
    found = loaded(START + "from qwicket.server import late_imports; late_imports.import_all()")
    assert found >= set(late_imports.MODULES)
    assert not found & NEVER
