"""Programs that measure nothing, or are in another format: each dialect says so at submission."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from qiskit import QuantumCircuit

from support import ibm, pubs
from support.programs import BELL
from support.runtime import Client, body
from support.server import LiveServer, run_cli
from support.xanadu import Caller

BELL_2 = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; h q[0]; cx q[0], q[1];'
BELL_3 = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1];'
NOTHING = "measures nothing; add a measurement"
BLACKBIRD = "name pair\nversion 1.0\nS2gate(1.0) | [0, 1]\nMeasureFock() | [0, 1]\n"


def submit(http: httpx.Client, program: Any, device: str = "simulator", **fields: Any) -> str:
    sent = http.post("/v1/jobs", json={"device": device, "program": program, "shots": 1, **fields})
    if sent.status_code == 201:
        return "taken"
    assert sent.status_code == 400, sent.text
    return str(sent.json()["detail"])


# Nothing is measured


@pytest.mark.parametrize("text", [BELL_2, BELL_3, BELL_3 + " measure q;", "qubit q; U(1, 2, 3) q;"])
def test_openqasm_that_measures_nothing_is_refused(http: httpx.Client, text: str) -> None:
    assert submit(http, text).startswith(f"the program {NOTHING}")


def test_a_qobj_that_measures_nothing_says_so_in_its_result(
    http: httpx.Client, server: LiveServer
) -> None:
    program = ibm.qobj(ibm.experiment(ibm.H, ibm.CX), ibm.BELL)
    caller = ibm.Client(http, server.token())
    job = caller.done(program)
    shown = caller.get(f"/jobs/{job['id']}")["qObjectResult"]["results"]
    assert [each.get("notes") for each in shown] == [["nothing_measured"], None]
    assert shown[0]["data"]["counts"] == {"0x0": 100}
    assert set(shown[1]["data"]["counts"]) <= {"0x0", "0x3"}


@pytest.mark.parametrize(
    "text",
    [
        BELL_2 + " creg c[1]; measure q[1] -> c[0];",
        BELL_3 + " c[0] = measure q[0];",
        BELL_3 + " c[0] = measure q[0]; if (c[0]) { c[1] = measure q[1]; }",
    ],
)
def test_openqasm_that_measures_a_single_qubit_is_taken(http: httpx.Client, text: str) -> None:
    assert submit(http, text) == "taken"


def test_formats_that_measure_by_themselves_stay_as_they_are(http: httpx.Client) -> None:
    assert submit(http, BELL) == "taken"


def test_qpy_that_measures_nothing_is_refused(http: httpx.Client, server: LiveServer) -> None:
    silent = QuantumCircuit(2, 2)
    silent.h(0)
    silent.cx(0, 1)
    loud = pubs.bell()
    params = pubs.params([pubs.circuit(loud), None, 10], [pubs.circuit(silent), None, 10])
    sent = Client(http, server.token()).call("POST", "/jobs", json=body(params=params))
    assert sent.status_code == 400, sent.text
    assert f"circuit 1 {NOTHING}" in sent.json()["error"]["message"]


def test_an_estimator_needs_no_measurement(http: httpx.Client, server: LiveServer) -> None:
    entry = [pubs.circuit(pubs.ghz(2)), {"ZZ": 1.0}, pubs.array(), 0.1]
    fields = body(program_id="estimator", params=pubs.params(entry))
    assert Client(http, server.token()).submit(**fields)


def test_ionqs_dialect_says_it_in_its_own_shape(http: httpx.Client, server: LiveServer) -> None:
    order = {"type": "ionq.qasm3.v1", "backend": "simulator", "shots": 1, "input": {"data": BELL_3}}
    sent = http.post(
        "/v0.4/jobs", json=order, headers={"Authorization": f"apiKey {server.token()}"}
    )
    assert sent.status_code == 400, sent.text
    assert NOTHING in sent.json()["message"]


# Another format


@pytest.mark.parametrize(
    ("device", "format_name", "program", "said"),
    [
        ("X8_01", "blackbird", BELL_3, "X8_01 takes blackbird; this is OpenQASM 3"),
        ("X8_01", "blackbird", BELL_2, "X8_01 takes blackbird; this is OpenQASM 2"),
        ("X8_01", None, BELL_3, "format: X8_01 takes blackbird; this is OpenQASM 3."),
        ("X8_01", "openqasm3", BLACKBIRD, "takes blackbird, not 'openqasm3'; this is Blackbird."),
        (
            "rydberg",
            "qlued.rydberg",
            BELL_3,
            "rydberg takes qlued.rydberg, ahs; this is OpenQASM 3",
        ),
        ("simulator", None, BLACKBIRD, "; this is Blackbird"),
        ("simulator", "openqasm3", json.dumps(BELL), "the format is ionq.circuit.v1"),
        ("simulator", "openqasm2", "hello world\n", "this is not an OpenQASM program: line "),
        ("simulator", None, "hello world\n", "this is not an OpenQASM program: line "),
        ("simulator", "warp", BELL_3, ", not 'warp'; this is OpenQASM 3."),
    ],
)
def test_a_program_in_another_format_is_reported(
    http: httpx.Client, device: str, format_name: str | None, program: str, said: str
) -> None:
    fields = {"format": format_name} if format_name else {}
    outputs = {} if device == "simulator" else {"outputs": ["samples"]}
    assert said in submit(http, program, device, **fields, **outputs)


def test_what_is_wrong_with_a_program_of_the_right_format_is_said_as_before(
    http: httpx.Client,
) -> None:
    assert submit(http, "OPENQASM 3.0; qubit q; warp q;").startswith("line 1, column 24: gate")


def test_xanadus_dialect_says_it_in_its_own_shape(http: httpx.Client, server: LiveServer) -> None:
    caller = Caller(http, server.token())
    sent = caller.post(BELL_3, target="X8_01")
    assert sent.status_code == 400, sent.text
    assert "X8_01 takes blackbird; this is OpenQASM 3" in str(sent.json()["meta"])


def test_the_command_line_says_it(server: LiveServer, tmp_path: Any) -> None:
    file = tmp_path / "bell.qasm"
    file.write_text(BELL_3)
    env = {"QWICKET_URL": server.url, "QWICKET_TOKEN": server.token()}
    done = run_cli("submit", str(file), "--device", "X8_01", env=env)
    assert done.returncode == 1
    assert "X8_01 takes blackbird; this is OpenQASM 3" in done.stderr
    done = run_cli("submit", str(file), "--device", "simulator", env=env)
    assert done.returncode == 1
    assert NOTHING in done.stderr
