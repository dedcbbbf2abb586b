"""Unmodified clients of a device that another server runs: the same answers as directly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import qwicket
from contract.environments import interpreter
from contract.test_snippets import run_program
from qwicket.snippets.job_codes import JOB_CODES, of_job
from support.programs import BELL
from support.remotes import write_device
from support.server import LiveServer
from support.waiting import until

pytestmark = pytest.mark.extended

QASM2 = 'OPENQASM 2.0;include "qelib1.inc";qreg q[2];creg c[2];x q[0];cx q[0],q[1];measure q->c;'
QASM3 = 'OPENQASM 3.0;include "stdgates.inc";qubit[2] q;bit[2] c;x q[0];x q[1];c=measure q;'


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    behind = LiveServer(tmp_path_factory.mktemp("behind"))
    folder, key = tmp_path_factory.mktemp("devices"), behind.token("gate")
    write_device(folder, behind, key, spec="exact = true")
    own: dict[str, Any] = {"kind": "ibm_runtime", "name": "runtime", "device": "qwicket_simulator"}
    gates = 'gates = ["rz", "sx", "x", "cx"]\noutputs = ["counts", "memory"]'
    file = write_device(folder, behind, key, **own, spec=gates, qubits=5) / "runtime.toml"
    file.write_text(file.read_text().replace('"batch"', '"batch", "qiskit.primitives"'))
    own |= {"kind": "ibm_platform", "name": "qpu.platform"}
    gates = gates.replace('"memory"', '"memory", "probabilities"')
    write_device(folder, behind, key, **own, spec=gates, qubits=5)
    server = LiveServer(tmp_path_factory.mktemp("front"), "--device-dir", str(folder))
    with qwicket.connect(server.url, server.token()) as client:
        until(
            lambda: (
                {client.device(name).status for name in ("far", "runtime", "qpu.platform")}
                == {"on"}
            ),
            "the other server is seen",
        )
    yield server
    assert server.stop() == 0
    assert behind.stop() == 0


@pytest.mark.vendor
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "device", "program", "answer"),
    [
        ("qiskit-ionq", "qpu.platform", QASM2, "{'11': 50}"),
        ("ionq-core", "far", json.dumps(BELL), "{'0': 0.5, '3': 0.5}"),
        ("qbraid", "far", QASM3, "{'11': 50}"),
        ("runtime-openqasm3", "runtime", QASM3, "{'11': 50}"),
    ],
)
def test_a_client_cannot_tell_that_another_server_runs_its_job(
    front: LiveServer, tmp_path: Path, name: str, device: str, program: str, answer: str
) -> None:
    suite = JOB_CODES[name].suite
    assert suite is not None
    code = of_job(
        *(name, front.url),
        device=device,
        program=program,
        format_name=JOB_CODES[name].formats[0],
        file="",
        shots=50,
        vendor_name=f"qbraid:qbraid:qpu:{device}" if name == "qbraid" else "",
    )
    done = run_program([str(interpreter(suite)), "-"], code, front.token(), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert answer in done.stdout, done.stdout
