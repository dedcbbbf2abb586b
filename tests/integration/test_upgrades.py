"""What users of 1.0.0 have still works: their settings, and clients, commands and agents.

Their databases are in `test_old_databases.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.programs import BELL
from support.server import LiveServer, running_server

pytestmark = pytest.mark.extended

DATA = Path(__file__).parent.parent / "data"
SEEDS_CLIENTS = """
import os, sys
from qwicket.clients.ibm_qx import IBMQXClient
from qwicket.clients.ionq import Circuit, IonQClient, Job
from qwicket.clients.qbraid import QbraidSession
from qwicket.clients.qlued import QluedClient, SingleQudit, shots
from qwicket.clients import xanadu

url, token = os.environ["QWICKET_URL"], os.environ["QWICKET_TOKEN"]
with IonQClient(token, url + "/ionq/v0.4") as client:
    job = client.submit_job(Job(circuit=Circuit(2).h(0).cnot(0, 1), shots=100))
    client.wait(job["id"], timeout=60)
    assert client.get_results(job["id"]) == {"0": 0.5, "3": 0.5}
bell = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; h q[0]; cx q[0], q[1]; '
bell += "bit[2] c; c = measure q;"
with QbraidSession(api_key=token, base_url=url + "/qbraid/api") as session:
    job = session.submit("qbraid_statevector", bell, shots=100)
    assert sum(session.result(job)["measurementCounts"].values()) == 100
with QluedClient(url + "/qlued/api/v2", token) as client:
    job_id = client.post("singlequdit", SingleQudit(shots=50).load(10).measure())
    (levels,) = shots(client.wait("singlequdit", job_id, timeout=60))
    assert len(levels) == 50
host, port = url.removeprefix("http://").split(":")
connection = xanadu.Connection(token, host=host, port=int(port), tls=False)
circuit = "target simulon_gaussian (shots=10)\\nS2gate(1.0) | [0, 1]\\nMeasureFock() | [0, 1]\\n"
job = xanadu.Job.submit(connection, "pair", "simulon_gaussian", circuit)
job.wait(timeout=60)
assert job.result["output"][0].shape == (10, 2)
gates = [{"name": "x", "qubits": [0]}, {"name": "measure", "qubits": [0], "memory": [0]}]
config = {"n_qubits": 1, "memory_slots": 1}
qobj = {"qobj_id": "x", "type": "QASM", "schema_version": "1.3.0", "header": {}}
qobj |= {"config": {"shots": 10}}
qobj |= {"experiments": [{"config": config, "header": {}, "instructions": gates}]}
with IBMQXClient(token, url=url + "/ibm/api") as client:
    job = client.run_qobj(qobj, "qwicket_simulator")
    client.wait(job.id, timeout=60)
    assert client.result(job.id).counts() == {"0x1": 10}
"""
NATIVE_CLIENT = """
import json, os
import qwicket

with qwicket.connect() as client:
    job = client.device("simulator").run(json.loads(os.environ["BELL"]), shots=100, seed=7)
    assert sum(job.result(timeout=60).counts.values()) == 100
    assert client.job(job.id).state == "completed"
    assert job.id in [each.id for each in client.jobs()]
"""
BENCH = """
name = "bench"
family = "qubit"
[spec]
description = "Two qubits on a bench"
qubits = 2
formats = ["openqasm3", "ionq.circuit.v1"]
outputs = ["counts"]
"""
MACHINE = """
from qwicket.agents import Counts

def run(program):
    return [Counts({"00": program.shots}) for _ in program.circuits]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with running_server(tmp_path_factory.mktemp("newer")) as running:
        yield running


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with the package of 1.0.0, as far as its clients need it."""
    folder = tmp_path_factory.mktemp("clients")
    with tarfile.open(DATA / "clients-1.0.0.tar.xz") as archive:
        # Python 3.11.2 has no filters, 3.14 asks for one: as the library's manual says.
        archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, _path: member)
        archive.extractall(folder)
    return folder / "src"


def run(clients: Path, server: LiveServer, *arguments: str, token: str = "") -> str:
    """Run Python with the package of 1.0.0; return what it printed."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment(clients, server, token),
        cwd=clients,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def environment(clients: Path, server: LiveServer, token: str = "") -> dict[str, str]:
    return os.environ | {
        "PYTHONPATH": str(clients),
        "QWICKET_URL": server.url,
        "QWICKET_TOKEN": token or server.token(),
        "BELL": json.dumps(BELL),
    }


def test_the_archive_has_the_version_in_its_name(clients: Path, server: LiveServer) -> None:
    show = "import qwicket; print(qwicket.__version__, qwicket.__file__)"
    found = run(clients, server, "-c", show)
    assert found.split() == ["1.0.0", str(clients / "qwicket" / "__init__.py")]


@pytest.mark.parametrize("script", [NATIVE_CLIENT, SEEDS_CLIENTS], ids=["native", "five systems"])
def test_clients(clients: Path, server: LiveServer, script: str) -> None:
    run(clients, server, "-W", "error", "-c", script)


def test_commands(clients: Path, server: LiveServer, tmp_path: Path) -> None:
    program = tmp_path / "bell.json"
    program.write_text(json.dumps(BELL))
    qwicket = ("-m", "qwicket")
    submit = ("submit", str(program), "--device", "simulator", "--shots", "100", "--wait")
    done = json.loads(run(clients, server, *qwicket, *submit, "--json"))
    assert done["state"] == "completed"
    assert done["id"] in run(clients, server, *qwicket, "jobs", "--json")
    assert "simulator" in run(clients, server, *qwicket, "devices", "--json")


def test_an_agent(clients: Path, server: LiveServer, tmp_path: Path) -> None:
    (tmp_path / "bench.toml").write_text(BENCH)
    (tmp_path / "machine.py").write_text(MACHINE)
    server.admin("user", "add", "bench")
    scope = ("--scope", "devices:serve", "--device", "bench")
    token = server.admin("token", "create", "--user", "bench", *scope)
    agent = ("-m", "qwicket", "agent")
    run(clients, server, *agent, "push-config", str(tmp_path / "bench.toml"), token=token)
    process = subprocess.Popen(
        [sys.executable, *agent, "--device", "bench", "--run", "machine:run"],
        env=environment(clients, server, token),
        cwd=tmp_path,
    )
    try:
        run(clients, server, "-c", NATIVE_CLIENT.replace('"simulator"', '"bench"'))
    finally:
        process.terminate()
        assert process.wait(30) == 0


def test_settings(tmp_path: Path) -> None:
    settings = str(DATA / "settings-1.0.0.toml")
    with running_server(tmp_path / "configured", QWICKET_CONFIG=settings) as server:
        with server.client(server.token()) as http:
            job = http.post("/v1/jobs", json={"device": "simulator", "program": BELL}).json()
            ended = http.get(f"/v1/jobs/{job['id']}", params={"wait": 30}).json()
        assert ended["state"] == "completed"
        assert "deprecated" not in server.log.read_text()
