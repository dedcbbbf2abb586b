"""IonQ's JSON: every spelling, every refusal, and no error of ours on anything.

The spellings and conversions are those of IonQ's API reference and of its clients.
"""

from __future__ import annotations

import json
from math import pi
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwicket.circuits.qubit import Gate, Measure, QubitCircuit, Register
from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.vendors.ionq.circuit_json import read
from qwicket.vendors.ionq.limits import IonQLimits
from support.for_each import for_each

LIMITS = Limits()
TURN = 2 * pi

Json = dict[str, Any]


def program(*gates: object, qubits: object = 3, **more: object) -> bytes:
    return json.dumps({"qubits": qubits, "circuit": gates, **more}).encode()


def batch(*members: object, qubits: object = 3, **more: object) -> bytes:
    return json.dumps({"qubits": qubits, "circuits": members, **more}).encode()


def gates_of(circuit: QubitCircuit) -> list[Gate]:
    return [op for op in circuit.ops if isinstance(op, Gate)]


def flat(*gates: Json, gateset: str = "qis", qubits: int = 3) -> list[Gate]:
    (circuit,) = read(program(*gates, gateset=gateset, qubits=qubits), LIMITS)
    return gates_of(circuit)


# --- gates ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ionq", "name"),
    [
        ("x", "x"),
        ("not", "x"),
        ("y", "y"),
        ("z", "z"),
        ("h", "h"),
        ("s", "s"),
        ("si", "sdg"),
        ("t", "t"),
        ("ti", "tdg"),
        ("v", "sx"),
        ("vi", "sxdg"),
    ],
)
def test_plain_gates(ionq: str, name: str) -> None:
    assert flat({"gate": ionq, "target": 1}) == [Gate(name, (1,))]
    assert flat({"gate": ionq, "targets": [1]}) == [Gate(name, (1,))]
    controlled = {"gate": ionq, "target": 1, "controls": [0, 2]}
    assert flat(controlled) == [Gate(name, (1,), (), (0, 2))]


@pytest.mark.parametrize(("ionq", "name"), [("rx", "rx"), ("ry", "ry"), ("rz", "rz"), ("z", "p")])
def test_rotations_are_in_radians(ionq: str, name: str) -> None:
    made = flat({"gate": ionq, "target": 1, "rotation": 0.5})
    assert made == [Gate(name, (1,), (0.5,))]
    controlled = {"gate": ionq, "targets": [1], "control": 0, "rotation": -7}
    assert flat(controlled) == [Gate(name, (1,), (-7.0,), (0,))]


@pytest.mark.parametrize(("ionq", "name"), [("xx", "rxx"), ("yy", "ryy"), ("zz", "rzz")])
def test_two_qubit_rotations_are_in_radians(ionq: str, name: str) -> None:
    made = flat({"gate": ionq, "targets": [2, 0], "rotation": 0.5})
    assert made == [Gate(name, (2, 0), (0.5,))]


@for_each(
    "spelling",
    [
        {"gate": "cnot", "control": 0, "target": 1},
        {"gate": "cnot", "controls": [0], "target": 1},
        {"gate": "cnot", "controls": [0], "targets": [1]},
        {"gate": "x", "control": 0, "target": 1},
        {"gate": "x", "controls": [0], "targets": [1]},
        {"gate": "not", "control": 0, "targets": [1]},
        {"gate": "x", "control": 0, "target": 1, "controls": None, "targets": []},
    ],
)
def test_every_spelling_of_a_cnot(spelling: Json) -> None:
    assert flat(spelling) == [Gate("x", (1,), (), (0,))]


def test_cnot_with_two_controls_is_a_toffoli() -> None:
    toffoli = {"gate": "cnot", "controls": [0, 1], "target": 2}
    assert flat(toffoli) == [Gate("x", (2,), (), (0, 1))]


def test_swap_may_have_controls() -> None:
    assert flat({"gate": "swap", "targets": [0, 2]}) == [Gate("swap", (0, 2))]
    controlled = {"gate": "swap", "targets": [0, 2], "control": 1}
    assert flat(controlled) == [Gate("swap", (0, 2), (), (1,))]


def test_gate_on_one_target_acts_on_each_of_several() -> None:
    made = flat({"gate": "ry", "targets": [2, 0], "rotation": 1})
    assert made == [Gate("ry", (2,), (1.0,)), Gate("ry", (0,), (1.0,))]


def test_pauliexp_multiplies_time_into_the_coefficients() -> None:
    gate = {
        "gate": "pauliexp",
        "targets": [2, 0],
        "terms": ["XY", "ZI"],
        "coefficients": [0.5, -2],
        "time": 3,
    }
    assert flat(gate) == [Gate("pauliexp", (2, 0), (1.5, -6.0), (), ("XY", "ZI"))]


def test_pauliexp_of_one_qubit() -> None:
    gate = {"gate": "pauliexp", "target": 1, "terms": ["Z"], "coefficients": [1], "time": -1.5}
    assert flat(gate) == [Gate("pauliexp", (1,), (-1.5,), (), ("Z",))]


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        ({"gate": "gpi", "target": 0, "phase": 0.25}, Gate("gpi", (0,), (0.25 * TURN,))),
        ({"gate": "gpi2", "targets": [1], "phase": -0.1}, Gate("gpi2", (1,), (-0.1 * TURN,))),
        (
            {"gate": "ms", "targets": [0, 1], "phases": [0, 0.25]},
            Gate("ms", (0, 1), (0.0, 0.25 * TURN, 0.25 * TURN)),
        ),
        (
            {"gate": "ms", "targets": [1, 0], "phases": [0.5, 0.75], "angle": 0.1},
            Gate("ms", (1, 0), (0.5 * TURN, 0.75 * TURN, 0.1 * TURN)),
        ),
        ({"gate": "zz", "targets": [0, 1], "angle": 0.2}, Gate("zz", (0, 1), (0.2 * TURN,))),
        ({"gate": "zz", "targets": [0, 1], "phase": 0.2}, Gate("zz", (0, 1), (0.2 * TURN,))),
        ({"gate": "gpi", "target": 0, "phase": 1e6 + 0.25}, Gate("gpi", (0,), (0.25 * TURN,))),
    ],
)
def test_native_angles_are_in_turns(gate: Json, expected: Gate) -> None:
    (made,) = flat(gate, gateset="native")
    assert (made.name, made.targets, made.controls) == (expected.name, expected.targets, ())
    assert made.params == pytest.approx(expected.params, abs=1e-15)


def test_nop_does_nothing() -> None:
    nops = ({"gate": "nop"}, {"gate": "nop", "targets": [0, 1]}, {"gate": "nop", "target": 2})
    assert flat(*nops, gateset="native") == []


def test_keys_that_no_gate_needs_are_ignored() -> None:
    assert flat({"gate": "h", "target": 0, "rotation": 1.0, "colour": ["blue"]}) == [
        Gate("h", (0,))
    ]


# --- circuits -------------------------------------------------------------------------------------


def test_every_qubit_is_measured_at_the_end() -> None:
    (circuit,) = read(program({"gate": "h", "target": 0}, qubits=2), LIMITS)
    ops = (Gate("h", (0,)), Measure(0, 0), Measure(1, 1))
    assert circuit == QubitCircuit(2, ops, (Register("c", 2),))


def test_empty_circuit_only_measures() -> None:
    (circuit,) = read(program(qubits=2), LIMITS)
    assert circuit.ops == (Measure(0, 0), Measure(1, 1))


def test_gateset_is_qis_unless_said() -> None:
    source = b'{"qubits": 2, "circuit": [{"gate": "zz", "targets": [0, 1], "rotation": 0.5}]}'
    assert gates_of(read(source, LIMITS)[0]) == [Gate("rzz", (0, 1), (0.5,))]
    assert read(source.replace(b"{", b'{"gateset": null, ', 1), LIMITS) == read(source, LIMITS)


def test_worked_example_of_qiskit() -> None:
    """As qiskit-ionq 1.1.1 sends it."""
    source = b"""{"gateset": "qis", "qubits": 2, "circuit": [
        {"gate": "h", "targets": [0]}, {"gate": "x", "targets": [1], "controls": [0]}]}"""
    (circuit,) = read(source, LIMITS)
    assert gates_of(circuit) == [Gate("h", (0,)), Gate("x", (1,), (), (0,))]


def test_worked_example_of_cirq() -> None:
    """Two native circuits as one job."""
    source = b"""{"gateset": "native", "qubits": 2, "circuits": [
        {"circuit": [{"gate": "gpi2", "target": 0, "phase": 0.25}]},
        {"circuit": [{"gate": "ms", "targets": [0, 1], "phases": [0, 0.25], "angle": 0.25},
                     {"gate": "zz", "targets": [0, 1], "phase": 0.1}]}]}"""
    first, second = read(source, LIMITS)
    assert gates_of(first) == [Gate("gpi2", (0,), (pi / 2,))]
    assert [gate.name for gate in gates_of(second)] == ["ms", "zz"]


def test_members_are_padded_to_the_width_of_the_job() -> None:
    narrow = {"circuit": [{"gate": "x", "target": 0}], "qubits": 1, "name": "n", "registers": {}}
    wide = {"circuit": [{"gate": "x", "target": 3}]}
    circuits = read(batch(narrow, wide, qubits=4), LIMITS)
    assert [circuit.n_qubits for circuit in circuits] == [4, 4]
    assert [circuit.n_clbits for circuit in circuits] == [4, 4]


def test_a_member_may_be_as_wide_as_the_job() -> None:
    (circuit,) = read(batch({"circuit": [], "qubits": 4}, qubits=4), LIMITS)
    assert circuit.n_qubits == 4


def test_width_is_that_of_the_widest_member_when_the_job_has_none() -> None:
    circuits = read(
        batch({"circuit": [], "qubits": 2}, {"circuit": [], "qubits": 5}, qubits=None), LIMITS
    )
    assert [circuit.n_qubits for circuit in circuits] == [5, 5]


@pytest.mark.parametrize("of_job", [None, "qis"])
def test_the_gateset_of_a_member_wins_over_that_of_the_job(of_job: str | None) -> None:
    native = {"gateset": "native", "circuit": [{"gate": "gpi", "target": 0, "phase": 0.5}]}
    qis = {"circuit": [{"gate": "h", "target": 0}]}
    first, second = read(batch(native, qis, gateset=of_job), LIMITS)
    assert gates_of(first) == [Gate("gpi", (0,), (pi,))]
    assert gates_of(second) == [Gate("h", (0,))]


def test_unknown_keys_of_the_input_are_ignored() -> None:
    (circuit,) = read(program(format="ionq.circuit.v0", lang="json", extra={"a": [1]}), LIMITS)
    assert circuit.n_qubits == 3


# --- refusals -------------------------------------------------------------------------------------

H = {"gate": "h", "target": 0}
PAULIEXP = {"gate": "pauliexp", "targets": [0, 1], "terms": ["XX"], "coefficients": [1], "time": 1}


BAD_GATES: list[tuple[object, str, str | None]] = [
    ({"gate": "warp", "target": 0}, "gate 1 (warp): is not a gate of the qis gateset", "gate"),
    ({"gate": "a b", "target": 0}, "gate 1 ('a b'): is not a gate of the qis gateset", "gate"),
    (
        {"gate": "gpi", "target": 0, "phase": 0},
        "gate 1 (gpi): is a gate of the native gateset, not of qis",
        "gate",
    ),
    ({"target": 0}, "gate 1: gate is missing", "gate"),
    ({"gate": 5, "target": 0}, "gate 1: gate must be text, not an integer", "gate"),
    ({"gate": "rx", "target": 0}, "gate 1 (rx): rotation is missing", "rotation"),
    (
        {"gate": "rx", "target": 0, "rotation": None},
        "gate 1 (rx): rotation is missing",
        "rotation",
    ),
    (
        {"gate": "rx", "target": 0, "rotation": "1"},
        "gate 1 (rx): rotation must be a number, not text",
        "rotation",
    ),
    (
        {"gate": "rx", "target": 0, "rotation": True},
        "gate 1 (rx): rotation must be a number, not true or false",
        "rotation",
    ),
    (
        {"gate": "zz", "targets": [0, 1], "angle": 1},
        "gate 1 (zz): rotation is missing",
        "rotation",
    ),
    ({"gate": "h"}, "gate 1 (h): target is missing", "targets"),
    ({"gate": "h", "targets": []}, "gate 1 (h): target is missing", "targets"),
    ({"gate": "h", "target": "0"}, "gate 1 (h): target must be an integer, not text", "target"),
    (
        {"gate": "h", "target": 0.5},
        "gate 1 (h): target must be an integer, not a number",
        "target",
    ),
    (
        {"gate": "h", "target": True},
        "gate 1 (h): target must be an integer, not true or false",
        "target",
    ),
    (
        {"gate": "h", "targets": [0, "a"]},
        "gate 1 (h): targets[1] must be an integer, not text",
        "targets[1]",
    ),
    (
        {"gate": "h", "targets": 0},
        "gate 1 (h): targets must be a list, not an integer",
        "targets",
    ),
    ({"gate": "h", "target": 3}, "gate 1 (h): qubit 3 is outside 0..2", "targets"),
    ({"gate": "h", "target": -1}, "gate 1 (h): qubit -1 is outside 0..2", "targets"),
    (
        {"gate": "h", "target": 2**63 - 1},
        "gate 1 (h): qubit 9223372036854775807 is outside 0..2",
        "targets",
    ),
    ({"gate": "h", "target": 2**63}, "gate 1 (h): target is out of range", "target"),
    ({"gate": "h", "target": 10**4000}, "gate 1 (h): target is out of range", "target"),
    (
        {"gate": "x", "target": 0, "control": 3},
        "gate 1 (x): qubit 3 is outside 0..2",
        "controls",
    ),
    (
        {"gate": "h", "target": 0, "targets": [1]},
        "gate 1 (h): target and targets are both given",
        "targets",
    ),
    (
        {"gate": "x", "target": 0, "control": 1, "controls": [2]},
        "gate 1 (x): control and controls are both given",
        "controls",
    ),
    ({"gate": "cnot", "target": 0}, "gate 1 (cnot): control is missing", "controls"),
    ({"gate": "cnot", "targets": [0, 1]}, "gate 1 (cnot): control is missing", "controls"),
    (
        {"gate": "x", "targets": [0, 1], "control": 2},
        "gate 1 (x): takes 1 target when it has controls, not 2",
        "targets",
    ),
    ({"gate": "swap", "target": 0}, "gate 1 (swap): takes 2 targets, not 1", "targets"),
    (
        {"gate": "swap", "targets": [0, 1, 2]},
        "gate 1 (swap): takes 2 targets, not 3",
        "targets",
    ),
    ({"gate": "swap", "targets": [1, 1]}, "gate 1 (swap): qubit 1 is given twice", "targets"),
    ({"gate": "h", "targets": [2, 0, 2]}, "gate 1 (h): qubit 2 is given twice", "targets"),
    (
        {"gate": "x", "target": 1, "control": 1},
        "gate 1 (x): qubit 1 is given twice",
        "targets",
    ),
    ("h", "gate 1: circuit[1] must be an object, not text", None),
    (PAULIEXP | {"terms": None}, "gate 1 (pauliexp): terms is missing", "terms"),
    (
        PAULIEXP | {"coefficients": None},
        "gate 1 (pauliexp): coefficients is missing",
        "coefficients",
    ),
    (PAULIEXP | {"time": None}, "gate 1 (pauliexp): time is missing", "time"),
    (
        PAULIEXP | {"terms": ["XX", "ZZ"]},
        "gate 1 (pauliexp): 2 terms but 1 coefficients",
        "coefficients",
    ),
    (
        PAULIEXP | {"terms": ["XXX"]},
        "gate 1 (pauliexp): term 'XXX' has 3 letters for 2 targets",
        "terms",
    ),
    (
        PAULIEXP | {"terms": ["Xx"]},
        "gate 1 (pauliexp): term 'Xx' has letters other than I, X, Y and Z",
        "terms",
    ),
    (
        PAULIEXP | {"coefficients": [1e200], "time": 1e200},
        "gate 1 (pauliexp): time times a coefficient is out of range",
        "coefficients",
    ),
    (
        PAULIEXP | {"coefficients": ["1"]},
        "gate 1 (pauliexp): coefficients[0] must be a number, not text",
        "coefficients[0]",
    ),
    (
        PAULIEXP | {"terms": [7]},
        "gate 1 (pauliexp): terms[0] must be text, not an integer",
        "terms[0]",
    ),
    (PAULIEXP | {"targets": []}, "gate 1 (pauliexp): target is missing", "targets"),
]


def test_bad_gate_is_refused_by_its_place_and_name(subtests: pytest.Subtests) -> None:
    for gate, text, field in BAD_GATES:
        with subtests.test(f"{text} {gate}"[:120]):
            at = "circuit[1]" + (f".{field}" if field else "")
            assert refusal(program(H, gate)) == (text, at)
            in_batch = refusal(batch({"circuit": []}, {"circuit": [H, gate]}))
            assert in_batch == (f"circuit 1: {text}", f"circuits[1].{at}")


@pytest.mark.parametrize(
    ("gate", "text", "field"),
    [
        ({"gate": "h", "target": 0}, "(h): is a gate of the qis gateset, not of native", "gate"),
        ({"gate": "warp", "target": 0}, "(warp): is not a gate of the native gateset", "gate"),
        ({"gate": "gpi", "target": 0}, "(gpi): phase is missing", "phase"),
        ({"gate": "gpi2", "target": 0, "phases": [0]}, "(gpi2): phase is missing", "phase"),
        (
            {"gate": "gpi", "target": 0, "phase": 0, "control": 1},
            "(gpi): takes no controls",
            "controls",
        ),
        ({"gate": "ms", "targets": [0, 1]}, "(ms): phases is missing", "phases"),
        (
            {"gate": "ms", "targets": [0, 1], "phases": [0]},
            "(ms): phases must be 2 numbers, not 1",
            "phases",
        ),
        (
            {"gate": "ms", "targets": [0], "phases": [0, 0]},
            "(ms): takes 2 targets, not 1",
            "targets",
        ),
        (
            {"gate": "ms", "targets": [0, 1], "phases": [0, "b"]},
            "(ms): phases[1] must be a number, not text",
            "phases[1]",
        ),
        ({"gate": "zz", "targets": [0, 1], "rotation": 1}, "(zz): angle is missing", "angle"),
        (
            {"gate": "zz", "targets": [0, 1], "angle": 1, "controls": [2]},
            "(zz): takes no controls",
            "controls",
        ),
        ({"gate": "nop", "target": 9}, "(nop): qubit 9 is outside 0..2", "targets"),
    ],
)
def test_bad_native_gate_is_refused(gate: Json, text: str, field: str) -> None:
    found = refusal(program(gate, gateset="native"))
    assert found == (f"gate 0 {text}", f"circuit[0].{field}")


@for_each(
    "source, text, field",
    [
        (b'{"qubits": 1}', "circuit is missing", "circuit"),
        (b'{"qubits": 1, "circuit": null}', "circuit is missing", "circuit"),
        (program(qubits=None), "qubits is missing", "qubits"),
        (program(qubits=0), "qubits must be at least 1, not 0", "qubits"),
        (program(qubits=-5), "qubits must be at least 1, not -5", "qubits"),
        (program(qubits="2"), "qubits must be an integer, not text", "qubits"),
        (program(qubits=1.5), "qubits must be an integer, not a number", "qubits"),
        (program(qubits=2**63), "qubits is out of range", "qubits"),
        (program(qubits=10**40), "qubits is out of range", "qubits"),
        (
            program(gateset="cobol"),
            "gateset 'cobol' is not known; known: qis, native",
            "gateset",
        ),
        (program(gateset=1), "gateset must be text, not an integer", "gateset"),
        (b'{"qubits": 1, "circuit": {}}', "circuit must be a list, not an object", "circuit"),
        (b'{"qubits": 1, "circuits": {}}', "circuits must be a list, not an object", "circuits"),
        (b'{"qubits": 1, "circuits": []}', "circuits is empty", "circuits"),
        (
            b'{"qubits": 1, "circuit": [], "circuits": [{"circuit": []}]}',
            "circuit and circuits are both given",
            "circuits",
        ),
        (batch({"name": "a"}), "circuit 0: circuit is missing", "circuits[0].circuit"),
        (
            batch({"circuit": 1}),
            "circuit 0: circuit must be a list, not an integer",
            "circuits[0].circuit",
        ),
        (batch([]), "circuit 0: circuits[0] must be an object, not a list", "circuits[0]"),
        (
            batch({"circuit": [], "qubits": 4}),
            "circuit 0: qubits is 4, above the 3 of the whole program",
            "circuits[0].qubits",
        ),
        (
            batch({"circuit": [], "qubits": 0}),
            "circuit 0: qubits must be at least 1, not 0",
            "circuits[0].qubits",
        ),
        (
            batch({"circuit": [], "qubits": 2}, {"circuit": []}, qubits=None),
            "qubits is missing",
            "qubits",
        ),
        (
            batch({"circuit": [], "gateset": "x"}),
            "circuit 0: gateset 'x' is not known; known: qis, native",
            "circuits[0].gateset",
        ),
        (
            batch({"circuit": [{"gate": "h", "target": 1}], "qubits": 1}),
            "circuit 0: gate 0 (h): qubit 1 is outside 0..0",
            "circuits[0].circuit[0].targets",
        ),
        (b"[]", "the program must be an object, not a list", None),
        (b"null", "the program must be an object, not null", None),
        (b"7", "the program must be an object, not an integer", None),
    ],
)
def test_bad_input_is_refused_by_its_field(source: bytes, text: str, field: str | None) -> None:
    assert refusal(source) == (text, field)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (b"", "the program is not JSON: "),
        (b'{"qubits": 1', "the program is not JSON: "),
        (b"{'qubits': 1}", "the program is not JSON: "),
        (b'\xef\xbb\xbf{"qubits": 1}', "the program is not JSON: "),
        (program() + b"x", "the program is not JSON: "),
        (b'{"qubits": 1, "name": "\xff"}', "the program is not UTF-8 at byte 23"),
        (b'{"qubits": 1, "circuit": [{"gate": "\xc3("}]}', "the program is not UTF-8 at byte 36"),
        (b'{"qubits": 1, "circuit": [{"gate": "h\0"}]}', "the program has NUL characters"),
        (b'{"qubits": 1, "name": "a\\u0000b", "circuit": []}', "the program has NUL characters"),
        (b'{"extra": ' + b"[" * 100_000, "the program is nested too deeply"),
        (b'{"circuit": ' + b'[{"gate":' * 100_000, "gate 0: gate must be text, not a list"),
    ],
)
def test_text_that_is_no_json_is_refused(source: bytes, text: str) -> None:
    assert refusal(source)[0].startswith(text)


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity"])
def test_numbers_that_json_does_not_have_are_refused(number: bytes) -> None:
    source = b'{"qubits": 1, "circuit": [{"gate": "rx", "target": 0, "rotation": ' + number + b"}]}"
    assert refusal(source)[0].startswith("the program is not JSON: invalid ")


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"1" + b"0" * 400])
def test_numbers_beyond_a_double_are_refused(number: bytes) -> None:
    source = b'{"qubits": 1, "circuit": [{"gate": "rx", "target": 0, "rotation": ' + number + b"}]}"
    assert refusal(source)[0] == "gate 0 (rx): rotation is out of range"


def test_long_names_are_cut_in_refusals() -> None:
    text, _ = refusal(program({"gate": "w" * 10_000, "target": 0}))
    assert len(text) < 100


def refusal(source: bytes) -> tuple[str, str | None]:
    with pytest.raises(InvalidProgram) as caught:
        read(source, LIMITS)
    return caught.value.detail, caught.value.field


# --- limits ---------------------------------------------------------------------------------------


def excess(source: bytes, limits: Limits) -> str:
    with pytest.raises(LimitExceeded) as caught:
        read(source, limits)
    return caught.value.detail


def test_bytes_are_limited() -> None:
    source = program(H)
    text = excess(source, Limits.from_names(program_json_bytes=len(source) - 1))
    assert text == f"program_json_bytes: {len(source)} is above the limit of {len(source) - 1}"
    assert read(source, Limits.from_names(program_json_bytes=len(source)))


def test_circuits_are_limited() -> None:
    source = batch(*[{"circuit": []}] * 4)
    assert excess(source, Limits.from_names(circuits=3)) == "circuits: 4 is above the limit of 3"
    assert len(read(source, Limits.from_names(circuits=4))) == 4


def test_gates_of_all_circuits_are_limited() -> None:
    source = batch({"circuit": [H, H]}, {"circuit": [H]})
    text = "ionq_gates: 3 is above the limit of 2"
    assert excess(source, Limits.from_names(IonQLimits, ionq_gates=2)) == text
    assert len(read(source, Limits.from_names(IonQLimits, ionq_gates=3))) == 2


def test_operations_are_limited_and_measurements_count() -> None:
    source = batch({"circuit": [H, H]}, {"circuit": [H]})
    assert (
        excess(source, Limits.from_names(operations=8)) == "operations: 9 is above the limit of 8"
    )
    assert len(read(source, Limits.from_names(operations=9))) == 2


def test_operations_are_limited_after_expansion() -> None:
    each = {"gate": "h", "targets": [0, 1, 2]}
    found = excess(program(each, each, H), Limits.from_names(operations=8))
    assert found == "operations: 9 or more is above the limit of 8"
    found = excess(program(each, each, H), Limits.from_names(operations=9))
    assert found == "operations: 10 or more is above the limit of 9"
    assert read(program(each, each), Limits.from_names(operations=9))


def test_terms_of_a_pauliexp_count_as_operations() -> None:
    many = PAULIEXP | {"terms": ["XX"] * 50, "coefficients": [1] * 50}
    few = Limits.from_names(operations=52)
    assert excess(program(many), few).startswith("operations: 53 or more")
    assert read(program(many), Limits.from_names(operations=53))


def test_width_is_limited_before_anything_is_built() -> None:
    text = f"clifford_qubits: {2**62} is above the limit of {LIMITS.programs.clifford_qubits}"
    assert excess(program(qubits=2**62), LIMITS) == text
    assert read(program(qubits=LIMITS.programs.clifford_qubits), LIMITS)[0].n_qubits == 5_000


# --- anything at all ------------------------------------------------------------------------------

TIGHT = Limits.from_names(program_json_bytes=20_000, circuits=20, operations=2_000)

SEEDS: list[Json] = [
    {"gateset": "qis", "qubits": 3, "circuit": [H, {"gate": "cnot", "control": 0, "target": 1}]},
    {"qubits": 2, "circuit": [PAULIEXP, {"gate": "z", "targets": [0], "rotation": 1.5}]},
    {
        "gateset": "native",
        "qubits": 2,
        "circuits": [
            {"circuit": [{"gate": "ms", "targets": [0, 1], "phases": [0, 0.25], "angle": 0.25}]},
            {"circuit": [{"gate": "gpi", "target": 0, "phase": 0.5}], "qubits": 1, "name": "n"},
        ],
    },
]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 5)
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["x", "gpi", "zz", "IX", "native", "qis", "\ud800", "\0"])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@st.composite
def mutated(draw: st.DrawFn, node: Any) -> Any:
    """A document with a few of its nodes replaced or dropped."""
    if draw(st.integers(0, 9)) == 0:
        return draw(values)
    if isinstance(node, dict):
        kept = {key: draw(mutated(value)) for key, value in node.items()}
        if kept and draw(st.integers(0, 5)) == 0:
            kept.pop(draw(st.sampled_from(sorted(kept))))
        return kept
    if isinstance(node, list):
        return [draw(mutated(value)) for value in node]
    return node


def check(source: bytes) -> None:
    """Read, and let nothing but our own refusals pass."""
    try:
        circuits = read(source, TIGHT)
    except (InvalidProgram, LimitExceeded):
        return
    for circuit in circuits:
        for gate in gates_of(circuit):
            operands = gate.targets + gate.controls
            assert all(0 <= qubit < circuit.n_qubits for qubit in operands)
            assert len(set(operands)) == len(operands)
            assert all(abs(p) < float("inf") for p in gate.params)


@given(st.sampled_from(SEEDS).flatmap(mutated))
@settings(max_examples=400)
def test_mutated_documents_give_circuits_or_refusals(document: Any) -> None:
    check(json.dumps(document).encode("utf-8", "surrogatepass"))


@given(
    st.sampled_from([json.dumps(seed).encode() for seed in SEEDS]),
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 3), st.binary(max_size=4)), max_size=4),
)
@settings(max_examples=400)
def test_mutated_bytes_give_circuits_or_refusals(
    source: bytes, edits: list[tuple[int, int, bytes]]
) -> None:
    for at, cut, new in edits:
        source = source[:at] + new + source[at + cut :]
    check(source)


@given(st.binary(max_size=60))
def test_any_bytes_give_circuits_or_refusals(source: bytes) -> None:
    check(source)
