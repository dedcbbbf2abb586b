"""Every snippet does what it says, in the environment of the client that it is for."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

from contract.environments import interpreter
from qwicket.snippets import SNIPPETS
from support import leftovers
from support.server import LiveServer, run_cli

ANSWERS = {  # what of the answer is the same whenever it runs
    "curl": '"state":"completed"',
    "cirq-ionq": "Counter({",
    "ionq-core": "{'0': 0.5, '3': 0.5}",
    "pennylane-ionq": "np.str_('11')",
    "qbraid-cli": "Job submitted",
    "qiskit-cold-atom": "{'",
    "strawberryfields": "[1.",
    "xcc": "[1.",
}
"""By name; of all others it has the keys of a Bell pair's counts."""


def test_every_file_is_a_snippet_and_every_snippet_a_file() -> None:
    files = (resources.files("qwicket.snippets") / "texts").iterdir()
    assert sorted(file.name.removesuffix(".txt") for file in files) == sorted(SNIPPETS)


@pytest.mark.vendor
@pytest.mark.timeout(600)
def test_the_variables_alone_point_a_program_of_qiskits_here(
    server: LiveServer, tmp_path: Path
) -> None:
    python = interpreter("ibm/qiskit_ibm_runtime_0_51")
    program = "from qiskit_ibm_runtime import QiskitRuntimeService as Service;"
    program += "print(sorted(each.name for each in Service().backends()))"
    printed = run_cli("env", "qiskit-ibm-runtime", "--url", server.url).stdout
    done = subprocess.run(
        ["sh", "-euc", f'{printed}exec "$0" -c "$1"', str(python), program],
        env={
            **leftovers.marks(),
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "QWICKET_TOKEN": server.token(),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout == "['qwicket_heavyhex27', 'qwicket_line5', 'qwicket_simulator']\n"


@pytest.mark.vendor
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SNIPPETS)
def test_a_snippet_runs_and_prints_what_the_job_gave(
    name: str, server: LiveServer, tmp_path: Path
) -> None:
    printed = run_cli("snippet", name, "--url", server.url)
    assert (printed.returncode, printed.stderr) == (0, "")
    assert "{" + "URL" not in printed.stdout
    snippet = SNIPPETS[name]
    python = interpreter(snippet.suite) if snippet.suite else Path(sys.executable)
    done = subprocess.run(
        ["sh", "-eu"] if snippet.runs_in == "sh" else [str(python), "-"],
        input=printed.stdout,
        env={
            **leftovers.marks(),
            "PATH": os.pathsep.join([str(python.parent), os.environ["PATH"]]),
            "HOME": str(tmp_path),
            "QWICKET_TOKEN": server.token(),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert server.token() not in done.stdout
    for part in (ANSWERS[name],) if name in ANSWERS else ("'00': ", "'11': "):
        assert part in done.stdout, done.stdout
