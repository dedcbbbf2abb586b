"""Every snippet does what it says, in the environment of the client that it is for."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from html import unescape
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from qiskit import QuantumCircuit

from contract.environments import interpreter
from qwicket import registrations
from qwicket.clients.native import Job
from qwicket.registrations import vendors
from qwicket.snippets import SNIPPETS, text
from qwicket.snippets.job_codes import JOB_CODES
from support import ibm, iqm, leftovers, pubs
from support.for_each import for_each
from support.pages import Person
from support.ports import held_port
from support.server import LiveServer, run_cli
from support.snippets import ROOT

pytestmark = pytest.mark.extended

PROGRAMS = [name for name, each in SNIPPETS.items() if each.runs_in != "host"]
"""The lines for hosts are run by contract/native/mcp_2_3."""
NO_PAIR: Mapping[str, str] = MappingProxyType({})
ANSWERS = {  # what of the answer is the same whenever it runs
    "curl": '"state":"completed"',
    "curl-ibm": "{'counts': {'0x",
    "cirq-iqm": "Counter({",
    "curl-iqm": '"measurement_keys":["m"],"counts":{"',
    "curl-ionq": '{"0":0.5,"3":0.5}',
    "curl-qlued": '"results":[',
    "curl-xanadu": "[1.",
    "cirq-ionq": "Counter({",
    "ionq-core": "{'0': 0.5, '3': 0.5}",
    "pennylane-ionq": "np.str_('11')",
    "qbraid-cli": "Job submitted",
    "qiskit-cold-atom": "{'",
    "qwicket-ibm": "{'0x",
    "qwicket-ionq": "{'0': 0.5, '3': 0.5}",
    "qwicket-qlued": "10.0",
    "qwicket-xanadu": "[1.",
    "strawberryfields": "[1.",
    "xcc": "[1.",
}
"""By name; of all others it has the keys of a Bell pair's counts."""


def names(file: str) -> list[str]:
    """Return the names of a file's programs, here and in the folders of vendors and features."""
    packages = ("qwicket.snippets", *[each.package for each in registrations.folders()])
    paths = [resources.files(each) / file for each in packages]
    files = [path for path in paths if path.is_file()]
    programs = "".join(each.read_text("utf-8") for each in files)
    return sorted(re.findall("^==> (.*) <==$", programs, re.MULTILINE))


def test_every_program_is_a_snippet_and_every_snippet_a_program() -> None:
    assert names("snippets.txt") == sorted(SNIPPETS)


def test_a_dialects_page_shows_the_lines_for_curl() -> None:
    pages = {"curl-ibm": "ibm-qx", "curl-runtime": "ibm-runtime"} | {
        f"curl-{name}": name for name in ("braket", "ionq", "iqm", "qbraid", "qlued", "xanadu")
    }
    assert pages.keys() == {name for name in SNIPPETS if name.startswith("curl-")}
    for name, page in pages.items():
        _, _, lines = text(name, "http://127.0.0.1:8000").strip().partition("\n")
        shown = (ROOT / "docs" / f"{page}.md").read_text()
        assert f"```sh\n{lines}\n```" in shown, name


def test_the_guide_for_assistants_shows_the_lines_for_each_host() -> None:
    shown = (ROOT / "docs" / "howto" / "assistants.md").read_text()
    for name in {*SNIPPETS} - {*PROGRAMS}:
        language = "toml" if name == "codex" else "json"
        assert f"| `{name}` |" in shown, name
        assert f"```{language}\n{text(name, 'http://127.0.0.1:8000')}```" in shown, name


def test_a_program_for_curl_with_a_new_key_pair_sets_both_of_its_variables() -> None:
    program = text("curl-braket", "http://127.0.0.1:8000", "secret", "id")
    variables = "export QWICKET_AWS_KEY_ID=id\nexport QWICKET_AWS_SECRET=secret\n"
    assert program.startswith(variables)


OF_IBM = """from qiskit_ibm_runtime import QiskitRuntimeService as Service
print(sorted(each.name for each in Service().backends()))
"""
OF_AMAZON = """from braket.aws import AwsDevice
print(sorted(each.name for each in AwsDevice.get_devices()))
"""


@pytest.mark.vendor
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("client", "suite", "program", "devices"),
    [
        ("qiskit-ibm-runtime", "ibm/qiskit_ibm_runtime_0_51", OF_IBM, "'qwicket_line5'"),
        ("braket", "braket/amazon_braket_sdk_1_127", OF_AMAZON, "'SV1'"),
    ],
)
def test_the_variables_alone_point_a_program_here(
    server: LiveServer, tmp_path: Path, client: str, suite: str, program: str, devices: str
) -> None:
    """Also where a proxy is set that answers nothing: it is not asked for this server."""
    python = interpreter(suite)
    printed = run_cli("env", client, "--url", server.url).stdout
    proxy = f"http://127.0.0.1:{held_port()}"
    proxies = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy")
    done = subprocess.run(
        ["sh", "-euc", f'{printed}exec "$0" -c "$1"', str(python), program],
        env={
            **leftovers.marks(),
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "NO_PROXY": "example.org",
            "QWICKET_TOKEN": server.token(),  # which makes the account
            **dict.fromkeys(proxies, proxy),
            **pair_of(server, server.account),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert devices in done.stdout


def test_every_program_of_jobs_is_for_a_format_and_a_dialect() -> None:
    assert names("job_codes.txt") == sorted(JOB_CODES)


def test_every_format_that_a_dialect_takes_has_code_for_one_of_its_clients() -> None:
    for dialect in [each for vendor in vendors() for each in vendor.dialects]:
        for formats in dialect.shows.values():
            for name in formats:
                codes = [
                    code
                    for code in JOB_CODES.values()
                    if code.dialect == dialect.name and name in code.formats
                ]
                assert codes, (dialect.name, name)


QASM2 = """OPENQASM 2.0;
include "qelib1.inc";
qreg q[2];
creg c[2];
h q[0];
cx q[0], q[1];
measure q -> c;
"""
QIR = """define void @main() #0 {
entry:
  call void @__quantum__qis__h__body(ptr null)
  call void @__quantum__qis__cnot__body(ptr null, ptr inttoptr (i64 1 to ptr))
  call void @__quantum__qis__mz__body(ptr null, ptr null)
  call void @__quantum__qis__mz__body(ptr inttoptr (i64 1 to ptr), ptr inttoptr (i64 1 to ptr))
  ret void
}
attributes #0 = { "entry_point" }
"""
QASM3 = 'OPENQASM 3.0;include "stdgates.inc";qubit[2] q;bit[2] c;h q[0];cx q[0],q[1];c=measure q;'
IONQ = {
    "qubits": 2,
    "circuit": [{"gate": "h", "target": 0}, {"gate": "cnot", "control": 0, "target": 1}],
}
SEVERAL = {
    "qubits": 2,
    "circuits": [{"circuit": IONQ["circuit"]}, {"circuit": [{"gate": "x", "target": 1}]}],
}
BRAKET = {
    "source": "OPENQASM 3.0;qubit[2] q;bit[2] b;h q[0];cnot q[0],q[1];b=measure q;",
    "shots": 50,
}
PHOTONS = """name pair
version 1.0
target simulon_gaussian (shots=50)
S2gate(1.0, 0.0) | [0, 1]
MeasureFock() | [0, 1]
"""


BATCH = [{"format": "openqasm3", "source": QASM3}, {"format": "openqasm2", "source": QASM2}]
SPIN = {
    "experiment_0": {
        "instructions": [["rlx", [0], [3.14159]], ["measure", [0], []]],
        "num_wires": 1,
        "shots": 50,
        "wire_order": "sequential",
    }
}
_SERIES = {"values": ["1.5e6", "1.5e6"], "times": ["0", "1e-6"]}
_FLAT = {"values": ["0", "0"], "times": ["0", "1e-6"]}
RYDBERG = {
    "braketSchemaHeader": {"name": "braket.ir.ahs.program", "version": "1"},
    "setup": {},
    "register": {"sites": [["0", "0"], ["5.5e-6", "0"]], "filling": [1, 1]},
    "hamiltonian": {
        "drivingFields": [
            {
                "amplitude": {"time_series": _SERIES, "pattern": "uniform"},
                "phase": {"time_series": _FLAT, "pattern": "uniform"},
                "detuning": {"time_series": _FLAT, "pattern": "uniform"},
            }
        ]
    },
}
_TURNED = pubs.circuit(pubs.turned())
_BELL = QuantumCircuit(2, 2)
_BELL.h(0)
_BELL.cx(0, 1)
_BELL.measure([0, 1], [0, 1])
SAMPLED = json.loads(pubs.source("sampler", [pubs.circuit(_BELL), pubs.array(), 50]))
ESTIMATED = json.loads(
    pubs.source(
        "estimator",
        [_TURNED, [{"Z": 1.0}], pubs.array([0.3]), 0.1],
        default_precision=0.1,
        simulator={"seed_simulator": 3},
    )
)
JOBS: tuple[tuple[str, str, str, Any, str], ...] = (
    ("braket", "statevector", "braket.openqasm3", BRAKET, "GateModelQuantumTaskResult"),
    ("braket-ahs", "rydberg", "ahs", RYDBERG, "'gr': "),
    ("ibm-qobj", "qwicket_simulator", "qobj", ibm.qobj(), "'11': "),
    ("ionq-core", "simulator", "ionq.circuit.v1", IONQ, "{'0': 0.5, '3': 0.5}"),
    ("ionq-core", "simulator", "ionq.circuit.v1", SEVERAL, "{'"),
    ("ionq-core-openqasm3", "simulator", "openqasm3", QASM3, "{'0': 0.5, '3': 0.5}"),
    ("iqm-client", "garnet", "iqm.circuits", iqm.body(), "'11': "),
    ("qbraid", "qpu.aria-1", "openqasm3", QASM3, "'11': "),
    ("qbraid-batch", "statevector", "batch", BATCH, "'11': "),
    ("qbraid-json", "rydberg", "ahs", RYDBERG, "r"),
    ("qbraid-json", "statevector", "ionq.circuit.v1", IONQ, "'11': "),
    ("qbraid-json", "statevector", "ionq.circuit.v1", SEVERAL, "'11': "),
    ("qbraid-json", "statevector", "qir", QIR, "'11': "),
    ("qiskit-ionq", "simulator", "openqasm2", QASM2, "'11': "),
    ("qlued", "singlequdit", "qlued.singlequdit", SPIN, "[1]"),
    ("qlued-requests", "singlequdit", "qlued.singlequdit", SPIN, "'memory': ['1', "),
    ("runtime-openqasm2", "qwicket_simulator", "openqasm2", QASM2, "'11': "),
    ("runtime-openqasm3", "qwicket_simulator", "openqasm3", QASM3, "'11': "),
    ("runtime-primitives", "qwicket_simulator", "qiskit.primitives", ESTIMATED, "evs="),
    ("runtime-primitives", "qwicket_simulator", "qiskit.primitives", SAMPLED, "num_shots=50"),
    ("xcc", "simulon_gaussian", "blackbird", PHOTONS, "output"),
)
"""Code, device, format, program and a part of what the code prints."""
SUITES = sorted({code.suite or "" for code in JOB_CODES.values()})
_END = "\x1e"


def test_every_code_of_jobs_is_run() -> None:
    assert {name for name, *_ in JOBS} == set(JOB_CODES)


def submitted(person: Person, device: str, form: str, program: Any) -> Job:
    outputs = ["samples"] if form in ("blackbird", "ahs") or "qlued" in form else ["counts"]
    return person.submit(program, device, format=form, shots=50, outputs=outputs)


def codes_of(person: Person, job: Job) -> dict[str, str]:
    """Return the code that the page of a job shows in its tabs, by clients."""
    page = person.browser.get(f"/ui/jobs/{job.id}").text
    found = {}
    for tab in re.findall(r'href="\?show=([^"#]*)#program"', page):
        shown = person.browser.get(f"/ui/jobs/{job.id}?show={tab}").text
        client = re.search(r"For (.*?)\. It sets the device", shown)
        code = re.search(r'<pre [^>]*id="text">(.*?)</pre>', shown, re.DOTALL)
        if code and (client or tab == "qwicket"):
            found[client[1] if client else tab] = unescape(code[1])
    return found


@pytest.mark.vendor
@pytest.mark.timeout(600)
@pytest.mark.parametrize("suite", SUITES)
def test_a_job_is_submitted_once_more_with_the_code_of_its_page(
    suite: str, server: LiveServer, tmp_path: Path
) -> None:
    cases = [case for case in JOBS if (JOB_CODES[case[0]].suite or "") == suite]
    with Person(server, "ada") as ada:
        jobs = [submitted(ada, *case[1:4]) for case in cases]
        codes = [
            codes_of(ada, job)[JOB_CODES[case[0]].client]
            for job, case in zip(jobs, cases, strict=True)
        ]
        for job, code in zip(jobs, codes, strict=True):
            if ".txt'" in code:
                save_program(ada, job, tmp_path)
        needs_pair = any(JOB_CODES[case[0]].needs_pair for case in cases)
        pair = pair_of(server, ada.name) if needs_pair else {}
        python = interpreter(suite) if suite else Path(sys.executable)
        program = f"for code in {codes!r}: exec(code, {{}}); print({_END!r})"
        done = run_program([str(python), "-"], program, ada.token, tmp_path, pair=pair)
        assert done.returncode == 0, done.stdout + done.stderr
        for case, printed in zip(cases, done.stdout.split(_END)[:-1], strict=True):
            assert case[-1] in printed, (case[0], printed)
        again = reversed(ada.client.jobs(limit=len(jobs)))
        for job, other in zip(jobs, again, strict=True):
            first = job.refresh().body
            assert (other.body.device, other.body.shots) == (first.device, first.shots)
            assert other.id not in [each.id for each in jobs]


def save_program(person: Person, job: Job, folder: Path) -> None:
    """Save the program of a job under the name that the code of its page reads."""
    text = person.browser.get(f"/ui/jobs/{job.id}/program").text
    (folder / f"{job.id}.txt").write_text(text)


def test_a_job_of_any_format_is_submitted_once_more_with_our_client(
    server: LiveServer, tmp_path: Path
) -> None:
    long = QASM2 + "// " + "x" * 3_000
    cases = [*(case[1:4] for case in JOBS), ("clifford", "openqasm2", long)]
    with Person(server, "ada") as ada:
        jobs = [submitted(ada, *case) for case in cases]
        codes = [codes_of(ada, job)["qwicket"] for job in jobs]
        assert "x" * 100 not in codes[-1]
        save_program(ada, jobs[-1], tmp_path)
        program = f"for code in {codes!r}: exec(code, {{}})"  # one process: Python starts slowly
        done = run_program([sys.executable, "-"], program, ada.token, tmp_path)
        assert done.returncode == 0, done.stderr
        again = reversed(ada.client.jobs(limit=len(jobs)))
        for job, other in zip(jobs, again, strict=True):
            assert other.id not in [each.id for each in jobs]
            assert other.body.device == job.body.device
            assert other.result(timeout=60).parts[0].seed == job.result().parts[0].seed


def test_a_job_without_code_for_a_vendor_says_why(server: LiveServer) -> None:
    inputs = {"t": 0.5}
    turn = 'OPENQASM 3; include "stdgates.inc"; input float t; qubit q; bit c; rx(t) q;'
    turn += "c = measure q;"
    with Person(server, "ada") as ada:
        jobs = {
            "Only our own API shows the device clifford": ada.submit(QASM2, "clifford"),
            "(ionq, iqm) do not send programs in the format qobj": ada.submit(
                ibm.qobj(), "simulator", format="qobj"
            ),
            "send no values for the inputs": ada.submit(turn, "statevector", inputs=inputs),
        }
        for reason, job in jobs.items():
            page = ada.browser.get(f"/ui/jobs/{job.id}").text
            assert "No code for a vendor" in page
            assert reason in page, page
            assert list(codes_of(ada, job)) == ["qwicket"]


@pytest.mark.parametrize("name", ["curl", "python"])
def test_a_program_with_a_new_token_runs_as_it_is(
    name: str, server: LiveServer, tmp_path: Path
) -> None:
    with Person(server, "ada") as ada:
        scopes = ["jobs:read", "jobs:write", "devices:read"]
        page = ada.browser.submit("/ui", "/ui/tokens", project=ada.name, scope=scopes).text
    found = dict(
        re.findall(
            r"<summary>Program for (.*?), with the token</summary>\n<pre.*?>(.*?)</pre>",
            *(page, re.DOTALL),
        )
    )
    assert set(found) == {
        SNIPPETS[each].client for each in PROGRAMS if not SNIPPETS[each].needs_pair
    }
    snippet = SNIPPETS[name]
    command = ["sh", "-eu"] if snippet.runs_in == "sh" else [sys.executable, "-"]
    done = run_program(command, unescape(found[snippet.client]), "", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ANSWERS.get(name, "'11': ") in done.stdout


@pytest.mark.vendor
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_snippet_runs_and_prints_what_the_job_gave(
    name: str, server: LiveServer, tmp_path: Path
) -> None:
    printed = run_cli("snippet", name, "--url", server.url)
    assert (printed.returncode, printed.stderr) == (0, "")
    assert "{" + "URL" not in printed.stdout
    snippet = SNIPPETS[name]
    python = interpreter(snippet.suite) if snippet.suite else Path(sys.executable)
    command = ["sh", "-eu"] if snippet.runs_in == "sh" else [str(python), "-"]
    token = server.token()
    pair = pair_of(server, server.account) if snippet.needs_pair else {}
    done = run_program(*(command, printed.stdout, token, tmp_path), path=python.parent, pair=pair)
    assert done.returncode == 0, done.stdout + done.stderr
    assert server.token() not in done.stdout
    for part in (ANSWERS[name],) if name in ANSWERS else ("'00': ", "'11': "):
        assert part in done.stdout, done.stdout
    if name.startswith("curl"):
        counts = re.findall(r"'\w+': (\d+)", done.stdout)
        assert sum(map(int, counts)) in (0, 1000), done.stdout  # 0: no counts are printed


@pytest.mark.timeout(600)
@for_each("name", [name for name in SNIPPETS if name.startswith("curl-")])
def test_a_program_for_curl_ends_when_its_requests_are_refused(
    name: str, server: LiveServer, tmp_path: Path
) -> None:
    pair = {"QWICKET_AWS_KEY_ID": "none", "QWICKET_AWS_SECRET": "none"}
    # A person's shell goes on after an error: no `-e`.
    done = run_program(["sh"], text(name, server.url), "none", tmp_path, pair=pair)
    assert "The requested URL returned error" in done.stderr


def pair_of(server: LiveServer, account: str) -> dict[str, str]:
    """Return the variables with a key pair of an account."""
    key_id, secret = server.admin("token", "create", "--user", account, "--aws").split()
    return {"QWICKET_AWS_KEY_ID": key_id, "QWICKET_AWS_SECRET": secret}


def run_program(
    command: list[str],
    text: str,
    token: str,
    folder: Path,
    *,
    path: Path | None = None,
    pair: Mapping[str, str] = NO_PAIR,
) -> subprocess.CompletedProcess[str]:
    """Run a program that is read from standard input."""
    return subprocess.run(
        command,
        input=text,
        env={
            **leftovers.marks(),
            "PATH": os.pathsep.join([*([str(path)] if path else []), os.environ["PATH"]]),
            "HOME": str(folder),
            "QWICKET_TOKEN": token,
            **pair,
        },
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
