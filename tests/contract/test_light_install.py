"""An installation without extras: with clients, agent and commands for a remote server."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from contract.environments import install_project, light
from qwicket.clients.native import connect
from support import leftovers
from support.agents import BELL_QASM, Lab
from support.ibm import qobj
from support.server import LiveServer

pytestmark = pytest.mark.extended

COMPLETE = {"_QWICKET_COMPLETE": "bash_complete"}
PORTABLE = {"clients", "agents", "extras", "registrations", "schema", "vendors"}
"""Parts of the package that a program on a user's or a lab's machine may import."""
CLIENTS = (
    *("native", "native.aio", "http", "ibm_qx", "ibm_qx.stream", "ionq", "qbraid", "qlued"),
    *("xanadu", "xanadu.results"),
)


class Light(NamedTuple):
    """An environment with the dependencies, and the folder into which the wheel was installed."""

    python: Path
    site: Path

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        return {
            **leftovers.marks(),
            "PATH": os.pathsep.join([str(self.python.parent), os.environ["PATH"]]),
            "HOME": str(self.site.parent),
            "PYTHONPATH": str(self.site),
            **env,
        }

    def run(
        self,
        *arguments: str,
        cwd: Path | None = None,
        stdin: str = "",
        env: Mapping[str, str] = MappingProxyType({}),
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.python), *arguments],
            input=stdin,
            env=self.environment(env),
            cwd=cwd or self.site.parent,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def cli(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return self.run(str(self.site / "bin" / "qwicket"), *arguments, **options)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Light:
    python = light()
    site = tmp_path_factory.mktemp("light") / "site"
    install_project(python, site)
    return Light(python, site)


@pytest.fixture(scope="module")
def token(server: LiveServer) -> str:
    return server.token("light")


@pytest.fixture
def env(server: LiveServer, token: str) -> dict[str, str]:
    return {"QWICKET_URL": server.url, "QWICKET_TOKEN": token}


@pytest.fixture(scope="module")
def lab(server: LiveServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(server, tmp_path_factory.mktemp("lab"), device="lightlab") as opened:
        yield opened


# --- what is installed ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [*(f"clients.{each}" for each in CLIENTS), "agents", "agents.function_process"]
)
def test_a_client_or_an_agent_imports_nothing_of_the_server(installed: Light, name: str) -> None:
    listing = "import json, sys; print(json.dumps(sorted(sys.modules)))"
    done = installed.run("-c", f"import qwicket.{name}; {listing}")
    assert (done.returncode, done.stderr) == (0, "")
    names: list[str] = json.loads(done.stdout)
    ours = {each.split(".")[1] for each in names if each.startswith("qwicket.")}
    assert ours <= PORTABLE
    assert [
        each for each in names if each.startswith("qwicket.vendors.") and ".dialect" in each
    ] == []


def test_connect_imports_nothing_of_the_server(installed: Light) -> None:
    code = "import sys, qwicket; qwicket.connect('http://127.0.0.1:1', 'secret'); qwicket.aconnect"
    listing = "print(*{each.split('.')[1] for each in sys.modules if each.startswith('qwicket.')})"
    done = installed.run("-c", f"{code}; {listing}")
    assert (done.returncode, done.stderr) == (0, "")
    assert set(done.stdout.split()) <= PORTABLE


# --- what works ----------------------------------------------------------------------------------

NATIVE = """
import asyncio, os, sys
import qwicket

program, url, token = sys.stdin.read(), os.environ["QWICKET_URL"], os.environ["QWICKET_TOKEN"]
with qwicket.connect(url, token) as client:
    result = client.submit(program, "simulator", shots=100).result(timeout=60)
    assert set(result.counts) == {"00", "11"} and sum(result.counts.values()) == 100

async def main():
    async with qwicket.aconnect(url, token) as client:
        job = await client.submit(program, "simulator", shots=100)
        result = await job.result(timeout=60)
        assert sum(result.counts.values()) == 100

asyncio.run(main())
"""
IONQ = """
import os
from qwicket.clients.ionq import Circuit, IonQClient

url = os.environ["QWICKET_URL"] + "/ionq/v0.4"
with IonQClient(os.environ["QWICKET_TOKEN"], url) as client:
    job = client.submit_job(Circuit(2).h(0).cnot(0, 1))["id"]
    assert client.wait(job, timeout=60)["status"] == "completed"
    found = client.get_results(job)
assert abs(found["0"] - 0.5) < 1e-9 and abs(found["3"] - 0.5) < 1e-9, found
"""
XANADU = """
import os, sys
from urllib.parse import urlsplit
from qwicket.clients.xanadu import Connection, Job

at = urlsplit(os.environ["QWICKET_URL"])
connection = Connection(os.environ["QWICKET_TOKEN"], host=at.hostname, port=at.port, tls=False)
job = Job.submit(connection, "light", "simulon_gaussian", sys.stdin.read())
job.wait(delay=0.02, timeout=60)
(samples,) = job.result["output"]
assert samples.shape == (20, 2) and (samples[:, 0] == samples[:, 1]).all(), samples
"""
IBM = """
import json, sys
from qwicket.clients.ibm_qx import IBMQXClient

with IBMQXClient() as client:
    job = client.run_qobj(json.load(sys.stdin), "qwicket_simulator")
    assert [each.status for each in client.states(job.id, timeout=60)][-1] == "COMPLETED"
    assert client.wait(job.id, timeout=60).is_final
    counts = client.result(job.id).counts()
assert set(counts) == {"0x0", "0x3"} and sum(counts.values()) == 100, counts
"""
QBRAID = """
import sys
from qwicket.clients.qbraid import QbraidSession

with QbraidSession() as session:
    job = session.submit("qbraid_statevector", sys.stdin.read(), 100)
    assert session.wait(job, timeout=60)["status"] == "COMPLETED"
    counts = session.result(job)["measurementCounts"]
assert set(counts) == {"00", "11"} and sum(counts.values()) == 100, counts
"""
QLUED = """
from math import pi
from qwicket.clients.qlued import QluedClient, SingleQudit, shots

with QluedClient() as client:
    job = client.post("singlequdit", SingleQudit(shots=5).load(10).rlx(pi).measure())
    (found,) = shots(client.wait("singlequdit", job, timeout=60))
assert found.tolist() == [[10]] * 5, found
"""
SQUEEZED = """\
name example
version 1.0
target simulon_gaussian (shots=20)

S2gate(1.0, 0.0) | [0, 1]
MeasureFock() | [0, 1]
"""


@pytest.mark.parametrize(
    ("code", "program"),
    [
        (NATIVE, BELL_QASM),
        (IONQ, ""),
        (XANADU, SQUEEZED),
        (IBM, json.dumps(qobj())),
        (QBRAID, BELL_QASM),
        (QLUED, ""),
    ],
    ids=["native", "ionq", "xanadu", "ibm_qx", "qbraid", "qlued"],
)
def test_a_client_runs_a_job(
    installed: Light, env: dict[str, str], code: str, program: str
) -> None:
    done = installed.run("-c", code, stdin=program, env=env)
    assert (done.returncode, done.stderr) == (0, "")


MACHINE = """
from qwicket.agents import Counts, Program


def run(program: Program) -> list[Counts]:
    return [Counts({"11": program.shots}) for _ in program.circuits]
"""


def test_an_agent_serves_a_job(installed: Light, lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "machine.py").write_text(MACHINE)
    announced = installed.cli("agent", "push-config", str(lab.config), env=lab.environment())
    assert (announced.returncode, announced.stdout) == (0, "lightlab\n"), announced.stderr
    command = [str(installed.site / "bin" / "qwicket"), "agent"]
    command += ["--device", lab.device, "--run", "machine:run"]
    agent = subprocess.Popen(
        [str(installed.python), *command],
        env=installed.environment(env=lab.environment()),
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
    )
    try:
        with connect(lab.server.url, lab.server.token()) as client:
            job = client.submit(BELL_QASM, lab.device, shots=7)
            assert job.result(timeout=60).counts == {"11": 7}
        agent.terminate()
        assert agent.wait(40) == 0
    finally:
        agent.kill()
        agent.wait()


def test_commands_for_a_remote_server_work(
    installed: Light, env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "bell.qasm").write_text(BELL_QASM)
    submit = ("submit", "bell.qasm", "--device", "simulator", "--shots", "50", "--name", "light")
    done = installed.cli(*submit, "--wait", "--json", cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    (job,) = set(re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", done.stdout))
    for arguments, expected in (
        (("devices",), "simulator"),
        (("devices", "simulator"), "simulator"),
        (("jobs", "--name", "light"), job),
        (("job", "show", job), "completed"),
        (("result", job), "11"),
        (("watch", job), "completed"),
        (("account",), "light"),
        (("job", "delete", job), ""),
        (("job", "draw", "bell.qasm"), "two-qubit gates  1"),
        (("snippet", "qiskit-ionq"), "qiskit"),
        (("--completion", "bash"), "qwicket"),
    ):
        found = installed.cli(*arguments, cwd=tmp_path, env=env)
        page = f"Page: {env['QWICKET_URL']}/ui/jobs/{job}\n" if arguments[0] == "watch" else ""
        assert (found.returncode, found.stderr) == (0, page), arguments
        assert expected in found.stdout, arguments


# --- what does not -------------------------------------------------------------------------------

PLACE = ("--data-dir", "data")


@pytest.mark.parametrize(
    "command",
    [
        "serve",
        "serve --limit unfinished_jobs=5",
        "demo",
        "doctor bench",
        "user add ada",
        "user list",
        "token create --user ada",
        "token rotate-keys",
        "project list",
        "project member list qec",
        "device provider list",
        "device list",
        "device off simulator --reason lunch",
        "backup ada",
        "restore ada --replace",
        "job resolve ada --not-sent",
        "job abandon ada",
    ],
)
def test_a_command_of_a_server_names_the_extra(
    installed: Light, command: str, tmp_path: Path
) -> None:
    done = installed.cli(*command.split(), cwd=tmp_path)
    name = re.match(r"(?:[\w-]+ )*?[\w-]+(?= ada| simulator| qec| --|$)", command)
    assert name
    assert done.stderr == (
        f'Error: qwicket {name[0]} needs the extra "server": install Qwicket again from the same'
        " place, with [server] after its name\n"
    )
    assert (done.returncode, done.stdout, list(tmp_path.iterdir())) == (2, "", [])


def test_a_trial_of_an_agent_names_the_extra(installed: Light, tmp_path: Path) -> None:
    (tmp_path / "bell.qasm").write_text(BELL_QASM)
    done = installed.cli("agent", "--try", "bell.qasm", "--run", "machine:run", cwd=tmp_path)
    assert done.stderr == (
        'Error: qwicket agent --try needs the extra "server": install Qwicket again from the same'
        " place, with [server] after its name\n"
    )
    assert done.returncode == 2


def test_the_provider_for_qiskit_names_its_extra(installed: Light) -> None:
    done = installed.run("-c", "import qwicket.qiskit")
    last = done.stderr.splitlines()[-1]
    assert last.endswith(
        'NotInstalled: qwicket.qiskit needs the extra "qiskit": install Qwicket again from the same'
        " place, with [qiskit] after its name"
    )


def test_help_version_and_the_tab_key_need_no_extra(installed: Light) -> None:
    top = installed.cli("--help")
    assert "serve" in top.stdout
    for arguments in (
        ("--version",),
        ("serve", "--help"),
        ("user", "add", "--help"),
        ("job", "draw", "-h"),
    ):
        done = installed.cli(*arguments)
        assert (done.returncode, done.stderr) == (0, ""), arguments
    typed = COMPLETE | {"COMP_WORDS": "qwicket dev", "COMP_CWORD": "1"}
    offered = installed.cli(env=typed)
    assert {"plain,device", "plain,devices"} <= set(offered.stdout.split())
    typed = COMPLETE | {"COMP_WORDS": "qwicket device on sim", "COMP_CWORD": "3"}
    offered = installed.cli(env=typed)
    assert (offered.returncode, offered.stdout.strip(), offered.stderr) == (0, "", "")


def test_the_doctor_says_what_is_not_installed(
    installed: Light, env: dict[str, str], tmp_path: Path
) -> None:
    done = installed.cli("doctor", *PLACE, "--json", cwd=tmp_path, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    findings = json.loads(done.stdout)["findings"]
    assert [each["about"] for each in findings] == ["installed", "installed", "server", "token"]
    assert findings[0]["found"].endswith("extras: none")
    assert findings[1]["found"].startswith('the extra "server" is not installed')
    assert "with [server] after its name" in findings[1]["remedy"]


def test_the_doctor_calls_it_wrong_where_a_server_keeps_its_data(
    installed: Light, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "qwicket.db").touch()
    done = installed.cli("doctor", *PLACE, cwd=tmp_path)
    assert done.returncode == 1
    assert '✗ installed the extra "server" is not installed' in done.stdout


def test_every_extra_of_the_package_is_known_to_its_code(installed: Light) -> None:
    extras = "metadata('qwicket').get_all('Provides-Extra')"
    code = f"from importlib.metadata import metadata; print(*{extras})"
    declared = set(installed.run("-c", code).stdout.split()) - {"all"}
    known = installed.run("-c", "from qwicket.extras import EXTRAS; print(*EXTRAS)").stdout.split()
    assert declared == set(known)
