"""Drawings of circuits, character by character, and what holds for every drawing."""

from __future__ import annotations

import re
from math import inf, nan, pi
from textwrap import dedent
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwicket.circuits.qubit import Branch, Gate, Jump, Measure, Op, QubitCircuit, Register, Reset
from qwicket.programs.drawing import draw

C: Final = (Register("c", 3),)


def h(qubit: int) -> Gate:
    return Gate("h", (qubit,))


def cx(control: int, target: int) -> Gate:
    return Gate("x", (target,), (), (control,))


def drawn(n_qubits: int, *ops: Op, width: int = 80, is_ascii: bool = False) -> str:
    """A drawing without the blanks that fill its lines up."""
    lines = draw(QubitCircuit(n_qubits, ops, C), width, is_ascii=is_ascii)
    return "\n".join(line.rstrip() for line in lines)


def picture(text: str) -> str:
    return dedent(text).strip("\n")


def test_a_bell_pair() -> None:
    assert drawn(2, h(0), cx(0, 1), Measure(0, 0), Measure(1, 1)) == picture("""
        q0 ──H──●──M→c[0]──
                │
        q1 ─────⊕──M→c[1]──
        """)


def test_a_ghz_state_measures_each_qubit_as_early_as_it_can() -> None:
    ops = (h(0), cx(0, 1), cx(1, 2), Measure(0, 0), Measure(1, 1), Measure(2, 2))
    assert drawn(3, *ops) == picture("""
        q0 ──H──●──M→c[0]──────────
                │
        q1 ─────⊕─────●────M→c[1]──
                      │
        q2 ───────────⊕────M→c[2]──
        """)


def test_a_toffoli_gate_and_swaps_join_their_wires_and_cross_the_others() -> None:
    ops = (
        Gate("x", (1,), (), (0, 2)),
        Gate("swap", (0, 2)),
        Gate("swap", (2, 0), (), (1,)),
        Gate("x", (0,), (), (2,)),
    )
    assert drawn(3, *ops) == picture("""
        q0 ──●──✕──✕──⊕──
             │  │  │  │
        q1 ──⊕──┼──●──┼──
             │  │  │  │
        q2 ──●──✕──✕──●──
        """)


TELEPORTATION: Final = (
    *(h(1), cx(1, 2), cx(0, 1), h(0), Measure(1, 1), Measure(0, 0)),
    *(Branch((1,), "!=", "0", 1), Gate("x", (2,))),
    *(Branch((0,), "==", "1", 1), Gate("z", (2,))),
)


def test_teleportation_has_its_conditions_above() -> None:
    assert drawn(3, *TELEPORTATION) == picture("""
                                      if c[1]==1     end  if c[0]==1     end
                                           ║          ║        ║          ║
        q0 ────────●─────H────M→c[0]───────╫──────────╫────────╫──────────╫───
                   │                       ║          ║        ║          ║
        q1 ──H──●──⊕──M→c[1]───────────────╫──────────╫────────╫──────────╫───
                │                          ║          ║        ║          ║
        q2 ─────⊕──────────────────────────╫──────X───╫────────╫──────Z───╫───
        """)


def test_the_same_without_letters_that_a_terminal_may_lack() -> None:
    assert drawn(3, *TELEPORTATION, is_ascii=True) == picture("""
                                        if c[1]==1     end  if c[0]==1     end
                                             :          :        :          :
        q0 --------@-----H-----M->c[0]-------:----------:--------:----------:---
                   |                         :          :        :          :
        q1 --H--@--X--M->c[1]----------------:----------:--------:----------:---
                |                            :          :        :          :
        q2 -----X----------------------------:------X---:--------:------Z---:---
        """)


def test_a_layer_with_parameters() -> None:
    ops = (
        Gate("rx", (0,), (pi / 2,)),
        Gate("u", (1,), (-3 * pi / 4, 0.123456, 2 * pi)),
        Gate("sdg", (2,)),
        Gate("rzz", (0, 2), (pi,)),
        Gate("ms", (2, 1), (0.0, 1e-7, -pi / 4)),
        Reset(0),
    )
    assert drawn(3, *ops) == picture("""
        q0 ────────rx(π/2)───────rzz(π)──────────|0⟩─────────
                                    │
        q1 ──U(-3π/4,0.1235,2π)─────┼───────────ms:1─────────
                                    │             │
        q2 ──────────S†──────────rzz(π)──ms:0(0,1e-07,-π/4)──
        """)


def test_what_is_wider_than_the_terminal_goes_on_below() -> None:
    rounds = [
        op for k in range(8) for op in (Gate("rz", (k % 3,), (k * pi / 7,)), cx(k % 3, (k + 1) % 3))
    ]
    assert drawn(3, *rounds, width=40) == picture("""
        q0 ──rz(0)──●────────────────────────⊕─┄
                    │                        │
        q1 ─────────⊕──rz(π/7)──●────────────┼─┄
                                │            │
        q2 ─────────────────────⊕──rz(2π/7)──●─┄

        q0 ┄─rz(3π/7)──●──────────────┄
                       │
        q1 ┄───────────⊕──rz(4π/7)──●─┄
                                    │
        q2 ┄────────────────────────⊕─┄

        q0 ┄───────────⊕──rz(6π/7)──●────────┄
                       │            │
        q1 ┄───────────┼────────────⊕──rz(π)─┄
                       │
        q2 ┄─rz(5π/7)──●─────────────────────┄

        q0 ┄────

        q1 ┄─●──
             │
        q2 ┄─⊕──
        """)


def test_nested_branches_are_drawn_as_if_else_and_end() -> None:
    ops = (Branch((0, 1, 2), ">=", "2", 3), h(0), Branch((0, 2), "==", "3", 0), Jump(1), h(1))
    assert drawn(2, *ops) == picture("""
             if c>=2     if {c[0],c[2]}==3  end  else     end
                ║                ║           ║     ║       ║
        q0 ─────╫─────H──────────╫───────────╫─────╫───────╫───
                ║                ║           ║     ║       ║
        q1 ─────╫────────────────╫───────────╫─────╫───H───╫───
        """)


def test_jumps_that_do_not_nest_are_drawn_by_number() -> None:
    either = (Branch((0,), "==", "1", 1), Branch((1,), "==", "0", 2), h(0), Jump(1), h(1))
    assert drawn(2, *either) == picture("""
             →1 unless c[0]==1  →2 unless c[1]==0  1:     →3  2:     3:
                     ║                  ║           ║      ║   ║      ║
        q0 ──────────╫──────────────────╫───────────╫──H───╫───╫──────╫──
                     ║                  ║           ║      ║   ║      ║
        q1 ──────────╫──────────────────╫───────────╫──────╫───╫──H───╫──
        """)


def test_a_phase_is_drawn_above_the_qubits_and_joined_to_its_controls() -> None:
    ops = (Gate("gphase", (), (pi / 3,)), h(0), Gate("gphase", (), (1.0,), (1,)))
    assert drawn(2, *ops) == picture("""
             gphase(π/3)  gphase(1)
                              │
        q0 ───────H───────────┼──────
                              │
        q1 ───────────────────●──────
        """)


def test_a_matrix_has_no_numbers_in_its_picture() -> None:
    swap = (1.0, 0.0, *[0.0] * 10, 1.0, *[0.0] * 5, 1.0, *[0.0] * 11, 1.0, 0.0)
    assert drawn(2, Gate("unitary", (1, 0), swap)) == picture("""
        q0 ──unitary:1──
                 │
        q1 ──unitary:0──""")


def test_a_long_label_is_shortened_in_its_middle() -> None:
    terms = Gate("pauliexp", (0, 1), (0.5, pi, 0.1, 0.2), (), ("XZ", "YY", "XX", "ZZ"))
    assert drawn(2, terms) == picture("""
        q0 ──pauliexp:0(0.5·XZ,π·YY,0.1·XX…)──
                            │
        q1 ────────────pauliexp:1─────────────
        """)
    assert drawn(2, terms, width=30) == picture("""
        q0 ──pauliexp:0(0.5…0.1·XX…)──
                        │
        q1 ────────pauliexp:1─────────
        """)


def test_bits_bear_the_names_of_their_registers() -> None:
    registers = (Register("a", 1), Register("late", 2), Register("量子", 1))
    ops = (Measure(0, 0), Measure(0, 2), Measure(0, 3))
    assert draw(QubitCircuit(1, ops, registers)) == ["q0 ──M→a[0]──M→late[1]──M→??[0]──"]


def test_two_measurements_into_one_bit_keep_their_order() -> None:
    assert drawn(2, Measure(1, 0), Measure(0, 0)) == picture("""
        q0 ──────────M→c[0]──

        q1 ──M→c[0]──────────
        """)


@pytest.mark.parametrize(
    ("angle", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (pi, "π"),
        (-pi, "-π"),
        (pi / 2 + 1e-10, "π/2"),
        (pi / 2 + 1e-8, "1.571"),
        (-3 * pi / 4, "-3π/4"),
        (5 * pi / 64, "5π/64"),
        (pi / 65, "0.04833"),
        (99 * pi, "99π"),
        (100 * pi, "314.2"),
        (1.5e300, "1.5e+300"),
        (-5e-324, "-4.941e-324"),
        (nan, "nan"),
        (-inf, "-inf"),
    ],
)
def test_an_angle_is_a_fraction_of_pi_or_has_four_digits(angle: float, text: str) -> None:
    assert drawn(1, Gate("rz", (0,), (angle,))) == f"q0 ──rz({text})──"


def test_of_many_columns_the_first_200_are_drawn() -> None:
    lines = drawn(2, *[h(0)] * 250, h(1), Measure(0, 0)).splitlines()
    assert "".join(lines).count("H") == 201
    assert lines[-2:] == ["", "Left out: 0 of 2 qubits, 51 of 252 operations."]


def test_of_many_qubits_those_in_use_are_drawn() -> None:
    assert drawn(5000, h(17), cx(17, 4000)) == picture("""
        q17   ──H──●──
                   │
        q4000 ─────⊕──

        ⋮

        Left out: 4,998 of 5,000 qubits, 0 of 2 operations.
        """)


def test_a_gate_on_a_qubit_left_out_is_drawn_on_the_others() -> None:
    lines = drawn(100, *map(h, range(45)), cx(38, 70), cx(70, 71)).splitlines()
    assert "\n".join(lines[-7:]) == picture("""
        q38 ──H──●──
                 │
        q39 ──H──┼──
                 │
        ⋮        ⋮

        Left out: 60 of 100 qubits, 6 of 47 operations.
        """)


def test_an_empty_circuit_is_its_wires() -> None:
    assert drawn(2) == "q0 ──\n\nq1 ──"


N_QUBITS: Final = 5
SYMBOLS: Final = {"h": "H", "x": "X", "rz": "rz", "swap": "✕", "rxx": "rxx", "gphase": ""}
qubits = st.integers(0, N_QUBITS - 1)
clbits = st.integers(0, 2)


@st.composite
def gates(draw_from: st.DrawFn) -> Gate:
    name = draw_from(st.sampled_from(sorted(SYMBOLS)))
    n_targets = {"swap": 2, "rxx": 2, "gphase": 0}.get(name, 1)
    operands = draw_from(st.lists(qubits, unique=True, min_size=n_targets))
    params = (draw_from(st.floats()),) if name in ("rz", "rxx", "gphase") else ()
    return Gate(name, tuple(operands[:n_targets]), params, tuple(operands[n_targets:]))


@st.composite
def circuits(draw_from: st.DrawFn) -> QubitCircuit:
    op = st.one_of(
        gates(),
        gates(),
        st.builds(Measure, qubits, clbits),
        st.builds(Reset, qubits),
        st.builds(
            Branch,
            st.lists(clbits, unique=True, min_size=1).map(tuple),
            st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
            st.integers(0, 7).map(str),
            st.integers(0, 9),
        ),
        st.builds(Jump, st.integers(0, 9)),
    )
    ops = draw_from(st.lists(op, max_size=40))
    for place, each in enumerate(ops):
        if isinstance(each, Branch | Jump):
            skip = min(each.skip, len(ops) - place - 1)
            ops[place] = (
                Jump(skip)
                if isinstance(each, Jump)
                else Branch(each.clbits, each.relation, each.value, skip)
            )
    return QubitCircuit(N_QUBITS, tuple(ops), C)


def expected_marks(circuit: QubitCircuit, qubit: int) -> list[str]:
    """Symbols on a wire, from left to right, without parameters."""
    marks = []
    for op in circuit.ops:
        if isinstance(op, Gate) and qubit in op.controls:
            marks.append("●")
        elif isinstance(op, Gate) and qubit in op.targets:
            marks.append("⊕" if op.name == "x" and op.controls else SYMBOLS[op.name])
        elif isinstance(op, Measure) and qubit == op.qubit:
            marks.append(f"M→c[{op.clbit}]")
        elif isinstance(op, Reset) and qubit == op.qubit:
            marks.append("|0⟩")
    return marks


def blocks(lines: list[str]) -> list[list[str]]:
    """The blocks of a drawing of which nothing was left out."""
    return [block.split("\n") for block in "\n".join(lines).split("\n\n")]


@given(circuits(), st.integers(0, 200))
@settings(max_examples=200)
def test_every_block_has_every_wire_and_lines_of_one_length(
    circuit: QubitCircuit, width: int
) -> None:
    for block in blocks(draw(circuit, width)):
        (length,) = {len(line) for line in block}
        assert length <= max(width, 40)
        named = [line.split()[0] for line in block if line.startswith("q")]
        assert named == [f"q{qubit}" for qubit in range(N_QUBITS)]


@given(circuits(), st.integers(40, 200))
@settings(max_examples=200)
def test_every_wire_shows_its_operations_in_order(circuit: QubitCircuit, width: int) -> None:
    lines = draw(circuit, width)
    for qubit in range(N_QUBITS):
        wire = "".join(line[3:] for line in lines if line.startswith(f"q{qubit} "))
        marks = [mark.split("(")[0] for mark in re.split("[─┼╫┄]+", wire) if mark]
        assert marks == expected_marks(circuit, qubit)


@given(circuits())
@settings(max_examples=200)
def test_what_belongs_to_no_qubit_is_drawn_above(circuit: QubitCircuit) -> None:
    lines = draw(circuit, 10_000)
    above = lines[0] if not lines[0].startswith("q") else ""
    n_phases = sum(isinstance(op, Gate) and op.name == "gphase" for op in circuit.ops)
    n_branches = sum(isinstance(op, Branch) for op in circuit.ops)
    assert above.count("gphase(") == n_phases
    assert above.count("if ") + above.count("unless ") == n_branches


@given(circuits(), st.integers(40, 200))
@settings(max_examples=200)
def test_every_bar_joins_a_mark_above_to_one_below(circuit: QubitCircuit, width: int) -> None:
    for block in blocks(draw(circuit, width)):
        for above, between, below in zip(block, block[1:], block[2:], strict=False):
            bars = [place for place, letter in enumerate(between) if letter in "│║"]
            if not between.strip(" │║"):
                assert all(above[place] not in " ─" and below[place] not in " ─" for place in bars)


@given(circuits(), st.integers(0, 200))
@settings(max_examples=100)
def test_the_plain_drawing_is_ascii_and_has_lines_of_one_length(
    circuit: QubitCircuit, width: int
) -> None:
    lines = draw(circuit, width, is_ascii=True)
    assert "".join(lines).isascii()
    for block in blocks(lines):
        assert len({len(line) for line in block}) == 1
