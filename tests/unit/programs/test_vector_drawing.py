"""Drawings of circuits as SVG: well-formed, with the marks of the drawing as text."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwicket.circuits import atoms, photonic, qubit
from qwicket.circuits.qubit import Branch, Gate, Measure, QubitCircuit, Register
from qwicket.programs.vector_drawing import draw, draw_packed


def texts(svg: str) -> list[str]:
    """Return the texts of a drawing but for the names of its wires."""
    found = ElementTree.fromstring(svg).iter("text")
    return [each.text or "" for each in found if each.get("class") != "name"]


def test_each_mark_is_drawn() -> None:
    ops = (
        Gate("h", (0,)),
        Gate("x", (2,), (), (0,)),
        Branch((0,), "==", "1", 1),
        Gate("swap", (0, 1)),
        Measure(2, 0),
    )
    svg, left_out = draw(QubitCircuit(3, ops, (Register("c", 1),)), 100)
    assert left_out == ""
    assert texts(svg) == ["H", "if c[0]==1", "end", "M→c[0]"]
    circles = [each.get("class") for each in ElementTree.fromstring(svg).iter("circle")]
    assert circles == ["dot", "box"]  # control and target


@given(st.text(max_size=40).filter(lambda text: text.isprintable()))
def test_a_name_is_text(name: str) -> None:
    circuit = QubitCircuit(1, (Measure(0, 0),), (Register(name, 1),))
    ElementTree.fromstring(draw(circuit, 10)[0])


@pytest.mark.parametrize(("n_gates", "most"), [(10, 10), (11, 10)])
def test_marks_over_the_limit_are_left_out(n_gates: int, most: int) -> None:
    svg, left_out = draw(QubitCircuit(1, (Gate("h", (0,)),) * n_gates, ()), most)
    assert len(texts(svg)) == most
    assert left_out == ("Left out: all after the first 10 marks." if n_gates > most else "")


def test_a_circuit_without_operations_is_drawn() -> None:
    svg, left_out = draw(QubitCircuit(2, (), ()), 10)
    assert (texts(svg), left_out) == ([], "")


def test_circuits_of_all_families_are_drawn() -> None:
    formula = photonic.Formula(("q0",))
    modes = photonic.PhotonicCircuit(
        2,
        (
            photonic.Gate("BSgate", (0, 1), (0.5, 0.25)),
            photonic.Gate("Xgate", (1,), (formula,)),
            photonic.Measure("fock", (0, 1)),
        ),
    )
    spins = atoms.AtomCircuit("spins", (1, 2), (atoms.AtomGate("rlz", (1,), (0.5,)),), (0, 1), 5)
    flat = QubitCircuit(1, (Gate("h", (0,)),), ())
    found = {
        "photonic": photonic.pack((modes,)),
        "atoms": atoms.pack((spins,)),
        "qubit": qubit.pack((flat, flat)),
    }
    drawn = {family: texts(draw_packed(family, blob, 0, 50)[0]) for family, blob in found.items()}
    assert drawn == {
        "photonic": ["BS:0(0.5,0.25)", "BS:1", "X(…)", "measure fock", "measure fock"],
        "atoms": ["rlz(0.5)", "measure", "measure"],
        "qubit": ["H"],
    }
