"""Pages and lists of the widest devices of a lab leave the event loop free."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx
import pytest

from support import ibm, runtime
from support.agents import serving_token
from support.event_loop import MEASURED, assert_loop_stays_free
from support.pages import Person
from support.server import LiveServer
from support.xanadu import fetch_access_token

pytestmark = pytest.mark.extended

N_QUBITS = 5_000
"""The limit `clifford_qubits`."""
N_FIGURES = 1_100
"""Qubits with figures of their own: `json_keys` allows nine keys for each."""
N_PAIRS = 10_000
N_GATES = 26
"""The limit `device_gate_qubits` allows so many for each qubit."""
CONNECTED, ALL_TO_ALL, PHOTONIC = "connected", "all-to-all", "photons"
FIGURES = {"t1_s": 8e-5, "t2_s": 6e-5, "one_for_zero": 0.012, "zero_for_one": 0.025}
GATE = {"error": 0.001, "duration_s": 3e-8}


@pytest.fixture(scope="module")
def unharmed() -> None:
    """No shared server is in play."""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with three devices of a lab, each as large as the limits allow."""
    live = LiveServer(tmp_path_factory.mktemp("devices"), **MEASURED)
    names = (CONNECTED, ALL_TO_ALL, PHOTONIC)
    with live.client(serving_token(live, *names)) as lab:
        for name in names:
            sent = lab.put(f"/v1/agent/devices/{name}", json=_announcement(name))
            assert sent.status_code == 200, sent.text
        for name in (CONNECTED, ALL_TO_ALL):
            for number in range(3):
                body = _calibration(name, f"2026-01-0{number + 1}T00:00:00Z")
                sent = lab.put(f"/v1/agent/devices/{name}/calibration", json=body)
                assert sent.status_code == 200, sent.text
    yield live
    assert live.stop() == 0
    live.assert_calm()


def _announcement(name: str) -> dict[str, Any]:
    if name == PHOTONIC:
        ranges = [[k / 10, k / 10 + 0.05] for k in range(4_000)]
        spec: dict[str, Any] = {
            "description": "d" * 255,
            "qubits": 216,
            "formats": ["blackbird"],
            "outputs": ["samples"],
            "photonic": {
                "modes": 216,
                "since": "2026-01-01T00:00:00Z",
                "gate_parameters": {"phase": ranges},
                "certificate": {f"figure {k}": 0.5 for k in range(3_000)},
            },
        }
        return {"family": "photonic", "dialects": ["xanadu"], "spec": spec}
    gates = ["cx", "ecr", *(f"gate {k}{'g' * 30}" for k in range(N_GATES - 2))]
    spec = {
        "description": "d" * 255,
        "qubits": N_QUBITS,
        "formats": ["openqasm3", "openqasm2", "ionq.circuit.v1", "qobj", "qiskit.primitives"],
        "outputs": ["counts", "memory", "probabilities"],
        "gates": gates,
    }
    return {
        "family": "qubit",
        "dialects": ["ionq", "ibm", "runtime", "qbraid"],
        "spec": spec,
    }


def _calibration(name: str, valid_from: str) -> dict[str, Any]:
    own = {**FIGURES, "frequency_hz": 5.1e9, "gate": GATE}
    body: dict[str, Any] = {
        "valid_from": valid_from,
        "source": "s" * 1_000,
        "qubit": FIGURES,
        "one_qubit": GATE,
        "two_qubit": GATE,
        "qubits": {str(k): own for k in range(N_FIGURES)},
    }
    if name == CONNECTED:
        steps = range(1, 1 + N_PAIRS // N_QUBITS)
        body["connectivity"] = [
            (k, (k + step) % N_QUBITS) for step in steps for k in range(N_QUBITS)
        ]
    return body


BACKENDS = runtime.DIALECT + "/backends"
OF_DEVICE = {
    "native": "/v1/devices/{}",
    "native, calibration": "/v1/devices/{}/calibration",
    "ionq": "/ionq/v0.4/backends/{}",
    "ionq, characterizations": "/ionq/v0.4/backends/{}/characterizations",
    "ionq, current": "/ionq/v0.4/characterizations/backends/{}/current",
    "ibm, properties": "/ibm/api/devices/{}/properties",
    "ibm, defaults": "/ibm/api/devices/{}/defaults",
    "ibm, queue": "/ibm/api/devices/{}/queue/status",
    "runtime, configuration": BACKENDS + "/{}/configuration",
    "runtime, properties": BACKENDS + "/{}/properties",
    "runtime, status": BACKENDS + "/{}/status",
    "qbraid": "/qbraid/api/v1/devices/{}",
    "qbraid, calibration": "/qbraid/api/v1/devices/{}/calibrations",
    "page": "/ui/devices/{}",
}
LISTS = {
    "native, list": "/v1/devices",
    "ionq, list": "/ionq/v0.4/backends",
    "ibm, list": "/ibm/api/devices",
    "ibm, network": "/ibm/api/network",
    "runtime, list": BACKENDS,
    "qbraid, list": "/qbraid/api/v1/devices",
    "qbraid, former": "/qbraid/api/quantum-devices",
    "xanadu, list": "/devices",
    "xanadu, specification": f"/devices/{PHOTONIC}/specifications",
    "xanadu, certificate": f"/devices/{PHOTONIC}/certificate",
    "pages, list": "/ui/devices",
    "pages, try": "/ui/jobs/new",
}


@pytest.fixture(scope="module")
def person(live: LiveServer) -> Iterator[Person]:
    with Person(live, "grace") as person:
        for _ in range(2):  # The compilation of a template is no finding; it ends before the next.
            person.browser.get("/ui/devices/simulator")
        yield person


DIALECTS = dict.fromkeys(name.split(",")[0] for name in (*OF_DEVICE, *LISTS))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_device_keeps_the_loop(live: LiveServer, person: Person, dialect: str) -> None:
    send = _sender(live, person, dialect)

    def read(path: str) -> None:
        answer = send(path)
        assert answer.status_code == 200, answer.text[:300]

    for name, path in (OF_DEVICE | LISTS).items():
        if name.split(",")[0] == dialect:
            for device in (CONNECTED, ALL_TO_ALL) if name in OF_DEVICE else ("",):
                shown = f"qbraid_{device}" if dialect == "qbraid" else device
                assert_loop_stays_free(live, partial(read, path.format(shown)))


def _sender(live: LiveServer, person: Person, dialect: str) -> Callable[[str], httpx.Response]:
    """Return a function that reads a path as a client of a dialect."""
    http, token = person.browser, person.token
    headers: dict[str, str] = {}
    match dialect:
        case "ionq":
            headers["Authorization"] = f"apiKey {token}"
        case "ibm" | "runtime":
            headers["X-Access-Token"] = ibm.Client(http, token).token
        case "qbraid":
            headers = {"X-API-Key": token, "api-key": token}
        case "xanadu":
            headers["Authorization"] = f"Bearer {fetch_access_token(http, token)}"
        case "native":
            headers["Authorization"] = f"Bearer {token}"
    return lambda path: http.get(path, headers=headers)


def test_a_choice_among_the_widest_devices_leaves_the_loop_free(live: LiveServer) -> None:
    program = "OPENQASM 3.0; include 'stdgates.inc'; qubit[2] q; bit[2] c;"
    program += " cx q[0], q[1]; c = measure q;"
    body = {"device": [CONNECTED, ALL_TO_ALL, "simulator"], "program": program}

    def send() -> None:
        with live.client() as client:
            found = client.post("/v1/estimates", json=body).json()["choice"]["candidates"]
            assert {each["fidelity"] is None for each in found} == {False}, found
            many = client.post("/v1/jobs", json={**body, "device": ["d"] * 15_000})
            assert many.status_code == 404

    assert_loop_stays_free(live, send)
