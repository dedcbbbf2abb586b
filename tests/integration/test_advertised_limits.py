"""What devices say that they take is what admission takes: the most passes, one more is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from qiskit import QuantumCircuit

from support import braket, pubs
from support.ibm import SIMULATOR
from support.ibm import Client as IBMClient
from support.runtime import Client as RuntimeClient
from support.runtime import body as runtime_body
from support.server import LiveServer
from support.xanadu import Caller

SHOTS, QUBITS, MODES, CIRCUITS, DENSITY_QUBITS = 100, 5, 6, 7, 2
LIMITS = {
    "shots": SHOTS,
    "qubits": QUBITS,
    "modes": MODES,
    "circuits": CIRCUITS,
    "density_qubits": DENSITY_QUBITS,
}
TOO_MANY_CIRCUITS = f"circuits: {CIRCUITS + 1} is above the limit of {CIRCUITS}"
ATOMS = "rydberg"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    options = [
        word for name, maximum in LIMITS.items() for word in ("--limit", f"{name}={maximum}")
    ]
    live = LiveServer(tmp_path_factory.mktemp("limits"), *options)
    yield live
    assert live.stop() == 0


@pytest.fixture(scope="module")
def http(live: LiveServer) -> Iterator[httpx.Client]:
    with live.client() as client:
        yield client


def openqasm(n_qubits: int) -> str:
    """Return a program that no Clifford circuit is, on all of its qubits."""
    return (
        f'OPENQASM 3.0; include "stdgates.inc"; qubit[{n_qubits}] q; bit[{n_qubits}] c;'
        " rx(0.3) q; c = measure q;"
    )


def said(answer: httpx.Response) -> str:
    assert 400 <= answer.status_code < 500, answer.text
    return answer.text


def taken(answer: httpx.Response) -> bool:
    assert answer.is_success, answer.text
    return True


# Native


def test_native_devices_say_how_many_shots_and_qubits_they_take(http: httpx.Client) -> None:
    shown = http.get("/v1/devices/simulator").json()
    assert (shown["max_shots"], shown["qubits"]) == (SHOTS, QUBITS)

    def submit(shots: int, n_qubits: int) -> httpx.Response:
        program = openqasm(n_qubits)
        body = {"device": "simulator", "program": program, "shots": shots}
        return http.post("/v1/jobs", json=body)

    assert taken(submit(SHOTS, QUBITS))
    assert f"shots must be 1 to {SHOTS}" in said(submit(SHOTS + 1, 1))
    assert f"{QUBITS} are simulated (limit qubits)" in said(submit(1, QUBITS + 1))
    assert f"simulator takes {QUBITS} (limits qubits" in said(submit(1, 30))


# IonQ


def test_ionqs_backends_say_how_many_qubits_they_take(http: httpx.Client, live: LiveServer) -> None:
    headers = {"Authorization": f"apiKey {live.token()}"}
    backends = http.get("/v0.4/backends", headers=headers).json()
    (simulator,) = [each for each in backends if each["backend"] == "simulator"]
    assert simulator["qubits"] == QUBITS

    def submit(n_qubits: int, shots: int) -> httpx.Response:
        gates: list[dict[str, Any]]
        gates = [{"gate": "rx", "target": k, "rotation": 0.3} for k in range(n_qubits)]
        gates += [{"gate": "cnot", "target": k, "control": 0} for k in range(1, n_qubits)]
        body = {"type": "ionq.circuit.v1", "backend": "simulator", "shots": shots}
        circuit = {"gateset": "qis", "qubits": n_qubits, "circuit": gates}
        return http.post("/v0.4/jobs", json={**body, "input": circuit}, headers=headers)

    assert taken(submit(QUBITS, SHOTS))
    assert f"{QUBITS} are simulated" in said(submit(QUBITS + 1, 1))
    assert f"shots must be 1 to {SHOTS}" in said(submit(1, SHOTS + 1))


# IBM


def qobj(n_qubits: int, n_experiments: int = 1, shots: int = 1) -> dict[str, Any]:
    ops: list[dict[str, Any]] = [
        {"name": "rx", "qubits": [k], "params": [0.3]} for k in range(n_qubits)
    ]
    ops += [{"name": "cx", "qubits": [0, k]} for k in range(1, n_qubits)]
    ops += [{"name": "measure", "qubits": [k], "memory": [k]} for k in range(n_qubits)]
    config = {"n_qubits": n_qubits, "memory_slots": n_qubits, "shots": shots}
    return {
        "qobj_id": "q",
        "type": "QASM",
        "schema_version": "1.3.0",
        "header": {},
        "config": config,
        "experiments": [{"instructions": ops}] * n_experiments,
    }


def ibm_bounds(shown: dict[str, Any]) -> tuple[int, int, int]:
    return shown["max_shots"], shown["n_qubits"], shown["max_experiments"]


def test_ibms_backends_say_how_many_shots_qubits_and_experiments_they_take(
    http: httpx.Client, live: LiveServer
) -> None:
    client = IBMClient(http, live.token())
    (shown,) = [each for each in client.get("/devices") if each["backend_name"] == SIMULATOR]
    assert ibm_bounds(shown) == (SHOTS, QUBITS, CIRCUITS)

    def submit(*numbers: int) -> httpx.Response:
        body = {"qObject": qobj(*numbers), "backend": {"name": SIMULATOR}}
        return client.call("POST", "/jobs", json=body)

    assert taken(submit(QUBITS, CIRCUITS, SHOTS))
    assert f"shots must be 1 to {SHOTS}" in said(submit(1, 1, SHOTS + 1))
    assert f"{QUBITS} are simulated" in said(submit(QUBITS + 1, 1, 1))
    assert TOO_MANY_CIRCUITS in said(submit(1, CIRCUITS + 1, 1))


def test_runtimes_backends_say_how_many_shots_and_qubits_they_take(
    http: httpx.Client, live: LiveServer
) -> None:
    client = RuntimeClient(http, live.token())
    shown = client.get(f"/backends/{SIMULATOR}/configuration")
    assert ibm_bounds(shown) == (SHOTS, QUBITS, CIRCUITS)

    def submit(shots: int, n_qubits: int) -> httpx.Response:
        circuit = QuantumCircuit(n_qubits)
        circuit.rx(0.3, range(n_qubits))
        circuit.measure_all()
        params = pubs.params([pubs.circuit(circuit), None, shots])
        return client.call("POST", "/jobs", json=runtime_body(params=params))

    assert taken(submit(SHOTS, QUBITS))
    assert f"shots: {SHOTS + 1} is above the limit of {SHOTS}" in said(submit(SHOTS + 1, 1))
    assert f"{QUBITS} are simulated" in said(submit(1, QUBITS + 1))


# qBraid


def test_qbraids_devices_say_how_many_shots_and_qubits_they_take(
    http: httpx.Client, live: LiveServer
) -> None:
    headers = {"X-API-Key": live.token()}
    device = "qbraid:qbraid:sim:statevector"
    shown = http.get(f"/qbraid/api/v1/devices/{device}", headers=headers).json()["data"]
    assert (shown["maxShots"], shown["numberQubits"]) == (SHOTS, QUBITS)

    def submit(shots: int, n_qubits: int) -> httpx.Response:
        program = {"format": "qasm3", "data": openqasm(n_qubits)}
        body = {"deviceQrn": device, "shots": shots, "program": program}
        return http.post("/qbraid/api/v1/jobs", json=body, headers=headers)

    assert taken(submit(SHOTS, QUBITS))
    assert f"shots must be 1 to {SHOTS}" in said(submit(SHOTS + 1, 1))
    assert f"{QUBITS} are simulated" in said(submit(1, QUBITS + 1))


# qlued


def test_qlueds_backends_say_how_many_shots_wires_and_experiments_they_take(
    http: httpx.Client, live: LiveServer
) -> None:
    root = f"/qlued/api/v2/{ATOMS}"
    shown = http.get(f"{root}/get_config").json()
    assert (shown["max_shots"], shown["max_experiments"]) == (SHOTS, CIRCUITS)
    wires = shown["n_qubits"]

    def submit(shots: int, n_experiments: int, n_wires: int) -> str:
        one = {
            "instructions": [["rlx", [n_wires - 1], [0.3]], ["measure", [n_wires - 1], []]],
            "num_wires": n_wires,
            "shots": shots,
            "wire_order": "interleaved",
        }
        job = {f"experiment_{k}": one for k in range(n_experiments)}
        body = {"job": json.dumps(job), "token": live.token()}
        sent = http.post(f"{root}/post_job", json=body).json()
        asked = {"job_id": sent["job_id"], "token": live.token()}
        status = http.get(f"{root}/get_job_status", params=asked).json()
        return f"{status['status']} {status['detail']} {status['error_message']}"

    assert "ERROR" not in submit(SHOTS, CIRCUITS, wires)
    assert f"1 to {SHOTS}" in submit(SHOTS + 1, 1, 1)
    assert TOO_MANY_CIRCUITS in submit(1, CIRCUITS + 1, 1)
    assert f"1 to {wires}" in submit(1, 1, wires + 1)


# Xanadu


def test_xanadus_devices_say_how_many_modes_they_take(http: httpx.Client, live: LiveServer) -> None:
    caller = Caller(http, live.token())
    spec = caller.call("GET", "/devices/simulon_gaussian/specifications").json()
    assert spec["modes"]["homodyne_max"] == MODES
    assert spec["modes"]["max"]["homodyne"] == MODES

    def submit(shots: int, n_modes: int) -> httpx.Response:
        modes = ", ".join(map(str, range(n_modes)))
        head = f"target simulon_gaussian (shots={shots})\n"
        return caller.post(f"{head}Sgate(0.1) | 0\nMeasureFock() | [{modes}]")

    assert taken(submit(SHOTS, MODES))
    assert f"shots must be 1 to {SHOTS}" in said(submit(SHOTS + 1, 1))
    assert f"the limit 'modes' is {MODES}" in said(submit(1, MODES + 1))


# Braket


def test_brakets_devices_say_how_many_shots_and_qubits_they_take(
    http: httpx.Client, live: LiveServer
) -> None:
    live.token()
    signed = braket.Signature(live.admin("token", "create", "--user", "ada", "--aws"), "braket")

    def bounds(arn: str) -> tuple[int, int]:
        found = http.get(f"/braket/device/{quote(arn, safe='')}", auth=signed).json()
        shown = json.loads(found["deviceCapabilities"])
        return shown["service"]["shotsRange"][1], shown["paradigm"]["qubitCount"]

    def submit(arn: str, shots: int, n_qubits: int, noise: str = "") -> httpx.Response:
        gates = "".join(f"rx(0.3) q[{k}];" for k in range(n_qubits))
        gates += "".join(f"cnot q[0], q[{k}];" for k in range(1, n_qubits))
        source = f"OPENQASM 3.0; qubit[{n_qubits}] q; {gates} {noise}"
        body = braket.body(deviceArn=arn, action=braket.action(source), shots=shots)
        return http.post("/braket/quantum-task", json=body, auth=signed)

    assert bounds(braket.SV1) == (SHOTS, QUBITS)
    assert taken(submit(braket.SV1, SHOTS, QUBITS))
    assert f"shots must be 1 to {SHOTS}" in said(submit(braket.SV1, SHOTS + 1, 1))
    assert f"{QUBITS} are simulated" in said(submit(braket.SV1, 1, QUBITS + 1))
    dm1, noise = braket.SV1.replace("sv1", "dm1"), "#pragma braket noise bit_flip(0.1) q[0]\n"
    assert bounds(dm1) == (SHOTS, DENSITY_QUBITS)
    assert taken(submit(dm1, 1, DENSITY_QUBITS, f"\n{noise}"))
    refused = said(submit(dm1, 1, DENSITY_QUBITS + 1, f"\n{noise}"))
    assert f"{DENSITY_QUBITS} are allowed (limit density_qubits)" in refused
