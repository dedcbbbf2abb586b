"""The frame of experiments whose gates only a lab knows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qwicket import programs
from qwicket.circuits import atoms
from qwicket.circuits.summary import Checked
from qwicket.model.errors import InvalidProgram, InvalidRequest, LimitExceeded
from qwicket.model.limits import Limits

LIMITS = Limits.from_names(shots=100, samples=300, clbits=20, operations=50, circuits=3)


def experiment(*instructions: Any, **changes: Any) -> dict[str, Any]:
    return {"instructions": list(instructions), "num_wires": 3, "shots": 10, **changes}


def read(*experiments: dict[str, Any]) -> Checked:
    job = {f"experiment_{k}": each for k, each in enumerate(experiments)}
    return programs.read("qlued.lab", json.dumps(job).encode(), LIMITS)


def test_gates_are_passed_on_unread_and_measurements_become_columns() -> None:
    checked = read(
        experiment(
            ["kick", [0, 2], [0.5, -7.0]],
            ["barrier", [0, 1, 2], []],
            ["measure", [2], []],
            ["measure", [0], []],
            seed=4,
        )
    )
    (circuit,) = atoms.unpack(checked.circuits)
    assert circuit.gates == (atoms.AtomGate("kick", (0, 2), (0.5, -7.0)),)
    assert (circuit.measured, circuit.shots, circuit.seed) == ((2, 0), 10, 4)
    summary = checked.summary
    assert (summary.family, summary.n_circuits, summary.n_qubits) == ("atoms", 1, 3)
    assert (summary.n_ops_1q, summary.n_ops_2q, summary.n_samples) == (0, 1, 20)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (experiment(["kick", [3], []]), "wire 3 is outside 0..2"),
        (experiment(["kick", [-1], []]), "wire -1 is outside 0..2"),
        (experiment(["kick", [0.5], []]), "0.5 is not a whole number"),
        (experiment(["k" * 65, [0], []]), "at most 64 characters"),
        (experiment(["kick", [0]]), "must have 3 entries"),
        (experiment(num_wires=0), "num_wires must be 1 to 20"),
        (experiment(num_wires=21), "num_wires must be 1 to 20"),
        (experiment(num_wires=1.5), "1.5 is not a whole number"),
    ],
)
def test_what_has_no_such_frame_is_refused_by_name(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidProgram, match=said):
        read(wrong)


@pytest.mark.parametrize(
    ("experiments", "limit"),
    [
        ([experiment(shots=0)], "shots"),
        ([experiment(shots=101)], "shots"),
        ([experiment(*[["measure", [0], []]] * 4, shots=100)], "samples"),
        ([experiment(*[["kick", [0], []]] * 51)], "operations"),
        ([experiment()] * 4, "circuits"),
    ],
)
def test_what_is_too_much_is_refused_by_the_limit(
    experiments: list[dict[str, Any]], limit: str
) -> None:
    with pytest.raises(LimitExceeded, match=limit):
        read(*experiments)


def test_it_has_no_inputs() -> None:
    with pytest.raises(InvalidRequest, match="has no inputs"):
        programs.read("qlued.lab", b"{}", LIMITS, {"x": 1.0})
