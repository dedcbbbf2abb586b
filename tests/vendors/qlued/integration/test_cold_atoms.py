"""The four machines of cold atoms in the native dialect, against a live server."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

HALF_TURN = 3.141592653589793


def submit(http: httpx.Client, machine: str, instructions: list[Any], **how: Any) -> httpx.Response:
    experiment = {"instructions": instructions, "num_wires": 1, "shots": 4, **how}
    body = {
        "program": json.dumps({"experiment_0": experiment, "experiment_1": experiment}),
        "format": f"qlued.{machine}",
        "device": machine,
        "shots": 1,
        "outputs": ["samples"],
    }
    return http.post("/v1/jobs", json=body)


@pytest.mark.parametrize(
    ("machine", "wires", "instructions", "row"),
    [
        ("singlequdit", 1, [["load", [0], [500]], ["rlx", [0], [HALF_TURN]]], [500]),
        ("multiqudit", 2, [["load", [1], [3]], ["rlx", [1], [HALF_TURN]]], [3, 0]),
        ("rydberg", 2, [["rlx", [1], [HALF_TURN]]], [1, 0]),
        ("fermions", 8, [["load", [1], []]], [1, 0]),
    ],
)
def test_machine_runs_each_experiment_with_shots_of_its_own(
    http: httpx.Client, machine: str, wires: int, instructions: list[Any], row: list[int]
) -> None:
    measures = [["measure", [wire], []] for wire in ((1, 0) if wires > 1 else (0,))]
    how = {"num_wires": wires, "wire_order": "interleaved"}
    made = submit(http, machine, [*instructions, *measures], **how)
    assert made.status_code == 201, made.text
    found = http.get(f"/v1/jobs/{made.json()['id']}/result", params={"wait": 60}).json()
    assert [part["samples"] for part in found["parts"]] == [[row] * 4] * 2


def test_refused_program_names_the_instruction(http: httpx.Client) -> None:
    refused = submit(http, "rydberg", [["rly", [0], [1]]])
    assert refused.status_code == 400
    assert refused.json()["detail"].startswith("experiment_0.instructions[0]: 'rly' is not known")


def test_bits_are_not_to_be_had(http: httpx.Client) -> None:
    body = {"program": "{}", "format": "qlued.rydberg", "device": "rydberg", "shots": 1}
    refused = http.post("/v1/jobs", json=body)
    assert (refused.status_code, refused.json()["field"]) == (400, "outputs")
