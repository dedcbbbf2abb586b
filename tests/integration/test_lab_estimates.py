"""Expectation values on a lab's device, which runs nothing but circuits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from benchmarks.mitigation import circuit

import qwicket
from qwicket.circuits.qubit import QubitCircuit
from qwicket.programs import openqasm
from support.agents import QUBITS, Lab
from support.for_each import for_each
from support.server import LiveServer

BOTH = {"readout": True, "noise_factors": [1, 3, 5]}
Z = {"ZZZ": 1.0}


@pytest.fixture
def lab(server: LiveServer, tmp_path: Path) -> Iterator[Lab]:
    kind = {**QUBITS, "formats": '"openqasm3", "estimation"'}
    made = Lab(server, tmp_path / "lab", device=server.unused("estimating"), kind=kind)
    text = made.config.read_text()
    made.config.write_text(text + 'gates = ["rz", "sx", "x", "cz"]\n')
    with made:
        yield made


def chain(rng: np.random.Generator) -> str:
    """Return two steps of an Ising chain of three qubits in time, in OpenQASM 3."""
    return openqasm.write(QubitCircuit(3, circuit((0, 1, 2), 2, rng), ()))


def test_mitigation_halves_the_errors_of_a_labs_device(lab: Lab) -> None:
    """Five circuits; half is reached although three standard errors count against it."""
    lab.agent("noisy")
    rng = np.random.default_rng(7)
    programs = [chain(rng) for _ in range(5)]
    shots = 32 * 500
    with qwicket.connect(lab.url, lab.server.token()) as client:
        device, ideal = client.device(lab.device), client.device("simulator")
        exact = [ideal.run(each, 0, observables=Z).result(60).evs[0] for each in programs]
        bare, mitigated = [], []
        for each in programs:
            bare.append(device.run(each, shots, seed=7, observables=Z).result(60))
            mitigated.append(
                device.run(each, shots, seed=7, observables=Z, mitigation=BOTH).result(60)
            )
    errors = [
        np.abs(np.array([each.evs[0] for each in found]) - exact) for found in (bare, mitigated)
    ]
    allowance = 3 * np.linalg.norm([each.stds[0] for each in mitigated]) / len(programs)
    assert errors[1].mean() + allowance < errors[0].mean() / 2
    assert bare[0][0].mitigation is None
    assert bare[0][0].engine == lab.device
    (part,) = mitigated[0]
    assert part.mitigation is not None
    assert (part.mitigation.circuits, part.mitigation.shots) == (4 * 32, 4 * shots)
    assert part.mitigation.noise_factors == [1, 3, 5]


def test_values_of_several_groups_come_back_in_their_order(lab: Lab) -> None:
    """Three groups for a Bell pair's ⟨ZZ⟩, ⟨XX⟩ and ⟨YY⟩, and what these cost."""
    lab.agent("noisy")
    bell = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[3] c; h q[0]; cx q[0], q[1];'
    asked: Any = {
        "observables": [{"YY": 2.0}, {"ZZ": 1.0, "II": 0.5}, {"XX": 1.0}, {"ZI": 1.0}],
        "mitigation": {"readout": True, "randomizations": 8},
        "seed": 7,
    }
    with qwicket.connect(lab.url, lab.server.token()) as client:
        estimate = client.estimate(bell, lab.device, shots=8000, **asked)
        assert (estimate.circuits, estimate.shots) == (1, 4 * 8000)
        assert estimate.run_s == pytest.approx(0.001 * 4 * 8000)  # `shot_s` of the device
        job = client.submit(bell, lab.device, shots=8000, **asked)
        result = job.result(60)
    # A CX leaves 1 - 16p/15 of each Pauli.
    left = 1 - 16 * 0.02 / 15
    deviations = np.abs(np.array(result.evs) - [-2 * left, left + 0.5, left, 0])
    assert (deviations < 5 * np.array(result.stds)).all()


@for_each(
    "function, code, text",
    [
        ("loses_one", "bad_outcome", "there must be 16 outcomes, one for each circuit"),
        ("widens", "bad_outcome", "must be 2 characters 0 or 1"),
        ("fails_once", "no_atoms", "The trap was empty."),
        ("refuses", "no_atoms", "The trap was empty."),
    ],
)
def test_a_run_that_a_lab_does_not_return_fails_the_job(
    server: LiveServer,
    tmp_path_factory: pytest.TempPathFactory,
    function: str,
    code: str,
    text: str,
) -> None:
    kind = {**QUBITS, "formats": '"estimation"'}
    folder = tmp_path_factory.mktemp("lab")
    with Lab(server, folder, device=server.unused("lying"), kind=kind) as lab:
        lab.agent(function)
        mitigation = {"readout": True, "randomizations": 8}
        with lab.server.client() as http:
            sent = submit(http, lab.device, observables=[{"ZZ": 1.0}], mitigation=mitigation)
            assert sent.status_code == 201, sent.text
            ended = http.get(f"/v1/jobs/{sent.json()['id']}?wait=60").json()
    assert (ended["state"], ended["error"]["code"]) == ("failed", code)
    assert text in ended["error"]["message"]


def submit(http: httpx.Client, device: str, **asked: Any) -> httpx.Response:
    text = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; h q[0]; cx q[0], q[1];'
    return http.post("/v1/jobs", json={"device": device, "program": {"program": text, **asked}})


WORDS = [f"{letter}{other}" for letter in "XYZ" for other in "XYZ"]


@for_each(
    "asked, text",
    [
        ({"shots": 0}, "precision: only an ideal simulator gives exact values"),
        ({"observables": [{"II": 1.0}]}, "constants, so there is nothing to run"),
        (
            {
                "observables": [{word: 1.0} for word in WORDS],
                "mitigation": {"readout": True, "randomizations": 999},
            },
            "circuits: 9990 or more is above the limit of 5000",
        ),
        (
            {"observables": [dict.fromkeys(WORDS, 1.0)] * 1000, "shots": 100_000},
            "estimated_values: 901800000 or more is above the limit of 200000000",
        ),
    ],
)
def test_what_a_lab_cannot_run_is_refused_with_its_limit(
    server: LiveServer, tmp_path_factory: pytest.TempPathFactory, asked: dict[str, Any], text: str
) -> None:
    kind = {**QUBITS, "formats": '"estimation"'}
    folder = tmp_path_factory.mktemp("lab")
    lab = Lab(server, folder, device=server.unused("strict"), kind=kind)
    with lab, server.client() as http:
        refused = submit(http, lab.device, **{"observables": [{"ZZ": 1.0}], **asked})
    assert refused.status_code == 400
    assert text in refused.json()["detail"]
