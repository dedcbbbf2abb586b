"""A Bell pair with qbraid-cli: it submits a job and does not wait for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support.bed_clients.loop import serve

BELL = """OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
c = measure q;
"""
program = Path("bell.qasm")
program.write_text(BELL)
command = Path(sys.executable).with_name("qbraid")
env = {
    **os.environ,
    "QBRAID_API_URL": os.environ["QWICKET_URL"] + "/qbraid/api/v1",
    "QBRAID_API_KEY": os.environ["QWICKET_TOKEN"],
}


def bell() -> dict[str, int]:
    submit = ["jobs", "submit", program, "-d", "qbraid:qbraid:sim:statevector", "--shots", "100"]
    for words in (submit, ["jobs", "list", "--limit", "1"]):
        done = subprocess.run(
            [sys.executable, command, *words],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        text = done.stdout.decode("utf-8", "replace")
        if done.returncode:
            raise RuntimeError(text)
    return {"listed": 1}


serve(bell)
