from __future__ import annotations

import json
from collections.abc import Callable
from math import pi
from typing import Any

import numpy as np
import pytest

from qwicket import programs
from qwicket.model.limits import Limits
from qwicket.vendors.qlued.client import (
    Circuit,
    Fermions,
    MultiQudit,
    QluedClientError,
    Rydberg,
    SingleQudit,
)
from support.for_each import for_each

BUILT: dict[str, Circuit] = {
    "singlequdit": SingleQudit().load(10).rlx(1).rlz(2).rlz2(3).sq_full(1, 2, 3).measure(),
    "multiqudit": MultiQudit(3)
    .load(0, 5)
    .rlx(0, 1)
    .rlz(1, 1)
    .rlz2(2, 1)
    .rlxly([2, 0], 0.5)
    .rlzlz([0, 1, 2], 0.5)
    .multiqudit_full(1, 2, 3, 4, 5)
    .measure(2, 0),
    "rydberg": Rydberg(4).rlx(0, 1).rlz(3, 1).rydberg_block(1).rydberg_full(1, 2, 3).measure(),
    "fermions": Fermions()
    .load(0, 3)
    .fhop(0, 0.8)
    .fhop(0, 1, 2, 3)
    .fint(1.5)
    .fphase(1, 0.9)
    .fphase(2, 1, 2)
    .measure(0, 2),
}


@pytest.mark.parametrize("device", BUILT)
def test_every_instruction_is_one_that_the_device_reads(device: str) -> None:
    source = json.dumps({"experiment_0": BUILT[device].experiment()}).encode()
    assert programs.read(f"qlued.{device}", source, Limits()).summary.n_circuits == 1


def test_an_experiment_is_what_its_instructions_say() -> None:
    built = SingleQudit(shots=500, seed=7).load(10).rlx(pi / 2).measure()
    assert built.experiment() == {
        "instructions": [["load", [0], [10.0]], ["rlx", [0], [pi / 2]], ["measure", [0], []]],
        "num_wires": 1,
        "shots": 500,
        "wire_order": "sequential",
        "seed": 7,
    }
    assert "seed" not in Rydberg(1).experiment()
    assert repr(built) == "<SingleQudit of 1 wires, 3 instructions, 500 shots>"


def test_gates_on_sites_name_both_spins_of_each() -> None:
    built = Fermions().fhop(1, 0.3).fhop(0, 0.1, 0.2).fphase(3, 0.5).fint(2.0)
    assert built.experiment()["instructions"] == [
        ["fhop", [2, 3, 4, 5], [0.3]],
        ["fhop", [0, 1, 2, 3, 4, 5], [0.1, 0.2]],
        ["fphase", [6, 7], [0.5]],
        ["fint", [0, 1, 2, 3, 4, 5, 6, 7], [2.0]],
    ]
    assert built.experiment()["wire_order"] == "interleaved"


def test_all_wires_are_read_when_none_is_named() -> None:
    assert [wires for _, wires, _ in Rydberg(3).measure().instructions] == [[0], [1], [2]]
    assert [wires for _, wires, _ in Rydberg(3).measure(2, 0).instructions] == [[2], [0]]


def test_integers_of_numpy_are_wires_and_sites() -> None:
    wires: Any = np.arange(3)
    spins = MultiQudit(wires[2]).rlx(wires[1], 0.5).rlxly(wires[:2], 0.5)
    fermions = Fermions().fhop(wires[1], 0.5)
    assert json.loads(json.dumps([spins.experiment(), fermions.instructions])) == [
        {
            "instructions": [["rlx", [1], [0.5]], ["rlxly", [0, 1], [0.5]]],
            "num_wires": 2,
            "shots": 1000,
            "wire_order": "sequential",
        },
        [["fhop", [2, 3, 4, 5], [0.5]]],
    ]


@for_each(
    "build",
    [
        lambda: Rydberg(0),
        lambda: Rydberg(True),
        lambda: Rydberg(2).rlx(2, 1.0),
        lambda: Rydberg(2).rlx(-1, 1.0),
        lambda: Rydberg(2).rlx(True, 1.0),
        lambda: Rydberg(2).instruction("rlx", 0, 1.0),  # type: ignore[arg-type]  # on purpose
        lambda: Rydberg(2).rlx(0, float("nan")),
        lambda: Rydberg(2).rydberg_full(1, float("inf"), 1),
        lambda: Rydberg(2).rlx(0, "half"),  # type: ignore[arg-type]  # on purpose
        lambda: Rydberg(2).rlx(0, 1j),  # type: ignore[arg-type]  # on purpose
        lambda: Fermions().fhop(3, 0.1),
        lambda: Fermions().fhop(0.5, 0.1),  # type: ignore[arg-type]  # on purpose
        lambda: Fermions().load(8),
        lambda: SingleQudit().instruction("rlx", ["0"], 1),  # type: ignore[list-item]  # on purpose
    ],
)
def test_what_makes_no_sense_is_refused_where_it_is_written(build: Callable[[], object]) -> None:
    with pytest.raises(QluedClientError):
        build()
