"""What the server imports before it listens: without a clock, and in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

NEVER = {"cirq", "matplotlib", "psycopg", "qiskit", "qulacs", "scipy", "sphinx", "stim"}
"""Modules of workers, of other databases and of people's own programs."""
LATER = {
    "argon2",
    "numpy",
    "prometheus_client",
    "websockets",
    *(
        f"qwicket.dialects.{name}.routes"
        for name in ("ionq", "ibm", "native.admin", "qbraid.v0", "qbraid.v1", "qlued", "xanadu")
    ),
}
"""Modules that the first request which needs them imports."""


def loaded(code: str) -> set[str]:
    """Return the modules that a process has imported after some code."""
    command = [sys.executable, "-c", f"{code}; print(*sys.modules)"]
    # Without the variables by which a measurement of coverage gets into every process.
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_no_heavy_module_is_imported_before_the_server_listens() -> None:
    found = loaded("import sys; import qwicket.cli.serve, qwicket.server.run")
    assert "qwicket.server.app" in found
    assert not found & NEVER
    assert not found & LATER


def test_no_handler_imports_numpy_in_the_event_loop() -> None:
    """It takes 30 to 50 ms; the event loop is kept for 20 ms at most."""
    found = loaded("import sys, qwicket.server.app; from qwicket.dialects.native import estimates")
    assert "numpy" not in found


def test_the_first_event_to_a_webhook_imports_nothing_in_the_event_loop() -> None:
    """Its libraries take 13 to 24 ms, so a thread imports all of them."""
    send = "asyncio.run(w.WebhookClient().send(keys, 'id', b''))"
    found = loaded(
        "import asyncio, sys; from qwicket.features.webhooks import requests as w;"
        " from qwicket.features.webhooks.model import WebhookKeys;"
        " keys = WebhookKeys(url='https://localhost:1/', secret=bytes(32), former_secret=None);"
        " w._httpcore(); before = {*sys.modules};"
        f" assert {send}.error;"
        " late = {each for each in {*sys.modules} - before if 'anyio' in each or 'http' in each};"
        " assert not late, late"
    )
    assert "anyio" in found
