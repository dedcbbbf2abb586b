"""The treatment of each option of Qiskit's primitives."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from qwicket.model.errors import InvalidProgram
from qwicket.vendors.ibm import primitives
from qwicket.vendors.ibm.primitives.options import OPTIONS, Treatment, review
from support import pubs
from support.for_each import for_each

DOCUMENT = Path(__file__).parents[5] / "docs" / "ibm-runtime.md"
ROW = re.compile(r"^\| `([\w.]+)` \| (applied|ignored|refused) \| (.*) \|$", re.MULTILINE)


def nested(path: str, value: Any) -> dict[str, Any]:
    for name in reversed(path.split(".")):
        value = {name: value}
    assert isinstance(value, dict)
    return value


def test_the_documented_table_is_that_of_the_code() -> None:
    documented = ROW.findall(DOCUMENT.read_text())
    assert documented[: len(OPTIONS)] == [(o.path, o.treatment, o.reason) for o in OPTIONS]


@for_each("option", OPTIONS)
def test_an_option_is_treated_as_its_row_says(option: Any) -> None:
    given = {"options": nested(option.path, "asked")}
    if option.treatment is Treatment.REFUSED:
        with pytest.raises(InvalidProgram, match=f"^options.{option.path}: "):
            review(given)
        return
    ignored = option.treatment is Treatment.IGNORED
    assert review(given) == ({option.path: option.reason} if ignored else {})


@for_each("option, value", [(each, value) for each in OPTIONS for value in each.neutral])
def test_a_value_that_asks_for_what_happens_anyway_is_not_noted(option: Any, value: Any) -> None:
    assert review({"options": nested(option.path, value)}) == {}


def test_false_is_not_the_number_zero() -> None:
    off = {"dynamical_decoupling": {"enable": False}}
    assert review({"options": off}) == {}
    assert "dynamical_decoupling.enable" in review(
        {"options": nested("dynamical_decoupling.enable", 0)}
    )


def test_an_unknown_option_is_noted_and_many_of_them_are_bounded() -> None:
    assert "does not know" in review({"options": {"novel": {"depth": 3}}})["novel.depth"]
    assert len(review({"options": {f"novel{n}": n for n in range(1_000)}})) == 100


def test_the_shots_of_an_estimator_set_its_precision_unless_a_pub_has_one() -> None:
    pub = [pubs.circuit(pubs.turned()), [{"Z": 1.0}], pubs.array([[0.0]])]
    given = pubs.source("estimator", pub, [*pub, 0.5], default_shots=400, default_precision=0.1)
    from qwicket.model.limits import Limits

    shapes = primitives.shapes(given, Limits())
    assert [shape.shots for shape in shapes] == [400, 4]
    assert shapes[0].precision == pytest.approx(0.05)


def test_both_seeds_are_the_seed_of_the_job() -> None:
    assert primitives.settings(pubs.source("estimator", seed_estimator=7)).seed == 7
    given = pubs.source("sampler", simulator={"seed_simulator": 5}, seed_estimator=7)
    assert primitives.settings(given).seed == 5
