"""Programs against the one circuit of a device: that of `X8_01`, and small ones."""

from __future__ import annotations

import random
import re
from math import pi

import pytest

from qwicket.devices import built_in
from qwicket.model.devices import PhotonicSpec
from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.vendors.xanadu.blackbird import check_fits, read_layout, read_program
from support.for_each import for_each

SMALL = "S2gate({r}, 0.0) | [0, 1]\nRgate({a}) | 0\nRgate({a}) | 1\nMeasureFock() | [0, 1]"


def x8() -> PhotonicSpec:
    (spec,) = (each.spec.photonic for each in built_in() if each.name == "X8_01")
    assert spec is not None
    return spec


def filled(layout: str, **values: float) -> str:
    """Return a program with these values, and pi where none is given."""
    return re.sub(r"\{(\w+)\}", lambda found: repr(values.get(found[1], pi)), layout)


def check(text: str, spec: PhotonicSpec | None = None, layout: str = SMALL) -> None:
    found = read_layout(layout if spec is None else spec.layout)
    assert found is not None
    circuit = read_program(text.encode(), Limits()).circuit
    check_fits(circuit.ops, found, {} if spec is None else spec.gate_parameters)


SQUEEZED = {f"squeezing_amplitude_{k}": 1.0 for k in range(4)}


def test_the_layouts_own_circuit_is_taken_with_all_that_its_parameters_may_be() -> None:
    check(filled(x8().layout, **SQUEEZED), x8())
    check(filled(x8().layout, **{**SQUEEZED, "squeezing_amplitude_2": 0.0}), x8())
    check(filled(x8().layout, **SQUEEZED, phase_3=6.283185307179586, final_phase_1=0.0), x8())


def test_operations_on_different_modes_may_change_places() -> None:
    """By drawing, again and again, any operation that has nothing left before it on its modes."""
    head, *lines = filled(x8().layout, **SQUEEZED).strip().split("\n\n")
    left = [line for block in lines for line in block.splitlines()]
    drawn, rng = [], random.Random(1)
    while left:
        modes = [set(re.findall(r"\d+", line.partition("|")[2])) for line in left]
        free = [k for k in range(len(left)) if not any(modes[k] & each for each in modes[:k])]
        drawn.append(left.pop(rng.choice(free)))
    assert drawn != left
    check("\n".join([head, *drawn]), x8())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("S2gate(1.0, 0.0) | [0, 4]\n", ""), "the program has 23 gates, the layout 24"),
        (("S2gate(1.0, 0.0) | [0, 4]", "S2gate(0.5, 0.0) | [0, 4]"), r"_0 may be 0 or 1, not 0.5"),
        (
            ("S2gate(1.0, 0.0) | [0, 4]", "S2gate(1.0, 0.1) | [0, 4]"),
            "parameter must be 0, not 0.1",
        ),
        (("S2gate(1.0, 0.0) | [0, 4]", "S2gate(1.0, 0.0) | [4, 0]"), r"has S2gate on 0, 4 there"),
        (("S2gate(1.0, 0.0) | [0, 4]", "BSgate(1.0, 0.0) | [0, 4]"), r"gate 1 \(BSgate on 0, 4\)"),
        (("MeasureFock()", "MeasureThreshold()"), "measurements differ"),
        (("MeasureFock()", "MeasureFock(dark_counts=[1,1,1,1,1,1,1,1])"), "measurements differ"),
        (("[0, 1, 2, 3, 4, 5, 6, 7]", "[0, 1, 2, 3, 4, 5, 6]"), "measurements differ"),
        (("Rgate(3.141592653589793) | [0]", "Rgate(-0.1) | [0]"), "0 or 0 to 6.28319, not -0.1"),
    ],
)
def test_what_is_not_the_layout_is_refused_by_what_is_wrong(
    change: tuple[str, str], said: str
) -> None:
    text = filled(x8().layout, **SQUEEZED)
    assert change[0] in text
    with pytest.raises(InvalidProgram, match=said):
        check(text.replace(change[0], change[1], 1), x8())


def test_a_parameter_that_occurs_twice_has_one_value() -> None:
    text = filled(x8().layout, **SQUEEZED)
    first, _, rest = text.partition("MZgate(")
    with pytest.raises(InvalidProgram, match=r"phase_0 must be 1, not 3.14159"):
        check(first + "MZgate(" + rest.replace(repr(pi), "1.0", 1), x8())


def test_a_number_of_the_layout_is_no_parameter() -> None:
    layout = "Sgate({r}) | 0\nBSgate(0.25, 0.0) | [0, 1]\nMeasureFock() | [0, 1]"
    check(filled(layout, r=0.7), layout=layout)
    with pytest.raises(InvalidProgram, match=r"this parameter must be 0\.25, not 0\.7"):
        check(filled(layout, r=0.7).replace("0.25", "0.7"), layout=layout)


def test_gates_of_the_same_modes_keep_their_order() -> None:
    with pytest.raises(InvalidProgram, match=r"gate 1 \(Rgate on 0\): the layout has S2gate"):
        check("Rgate(1)|0\nS2gate(1,0.0)|[0,1]\nRgate(1)|1\nMeasureFock()|[0,1]")
    with pytest.raises(InvalidProgram, match="numbers"):
        check("MeasureX|1\nXgate(q1)|0\nMeasureX|0", layout="Xgate({x})|0\nMeasureX|[0,1]")


@for_each(
    "text",
    [
        "Sgate(-{r}) | 0\nMeasureFock() | 0",
        "Sgate(2*{r}) | 0\nMeasureFock() | 0",
        "Sgate({r} | 0\nMeasureFock() | 0",
        "Sgate({0}) | 0\nMeasureFock() | 0",
        "float a = {r}\nSgate(1) | 0\nMeasureFock() | 0",
        "MeasureX | 0\nXgate(q0) | 1\nMeasureX | 1",
        "\n".join(f"Rgate({{p{k}}}) | 0" for k in range(1_001)) + "\nMeasureFock() | 0",
        "for int i in 0:90000\n  Sgate(0.1) | 0\nMeasureFock() | 0",
    ],
)
def test_a_layout_that_is_none_is_refused(text: str) -> None:
    with pytest.raises((InvalidProgram, LimitExceeded)):
        read_layout(text)


def test_no_layout_and_that_of_a_time_bin_bind_nothing() -> None:
    binned = [each.spec.photonic for each in built_in() if each.name == "tdm_small"]
    assert binned[0] is not None
    assert read_layout(binned[0].layout) is None
    assert read_layout("") is None
