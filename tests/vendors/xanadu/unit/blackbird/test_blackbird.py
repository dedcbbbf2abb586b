"""The reader of Blackbird: what it understands, what it refuses, and how quickly."""

from __future__ import annotations

import random
from math import pi
from pathlib import Path
from time import process_time

import pytest

from qwicket.circuits.photonic import Formula, Gate, Measure, Op, PhotonicCircuit
from qwicket.model.errors import InvalidProgram, LimitExceeded, QwicketError
from qwicket.model.limits import Limits
from qwicket.vendors.xanadu import blackbird
from qwicket.vendors.xanadu.limits import BlackbirdLimits
from support.bombs import BOMBS
from support.for_each import for_each

HEAD = "name t\nversion 1.0\ntarget simulon_gaussian (shots=3)\n\n"
COMPILED = (
    HEAD
    + """Squeezed(0.3, 0.0) | 0
Sgate("0.149443120184957", "-1.71968627440439") | 1
BSgate(1.4627965427978467, 0) | [0, 1]
MeasureHomodyne(0.3) | 0
Dgate(0.5*q0, 0.2) | 1
MeasureFock(dark_counts=[0.1]) | 1
"""
)
TIMED = """name tdm
version 1.0
target small (shots=5)
type tdm (temporal_modes=3, copies=1)

float array p0[1, 3] =
    0.1, 0.2, 0.3
float array p1[1, 3] =
    0.0, pi/2, pi

Sgate(0.5, 0.0) | 1
BSgate(p0, 2*p1) | [0, 1]
MeasureFock() | 0
"""


SQUEEZED = Limits.from_names(squeezing=0.9)


def own(**values: int) -> Limits:
    return Limits(own=(BlackbirdLimits(**values),))


def program(text: str, limits: Limits | None = None) -> blackbird.Program:
    return blackbird.read_program(text.encode(), limits or Limits())


def ops(text: str) -> tuple[Op, ...]:
    return program(text + "\nMeasureFock() | 99").circuit.ops[:-1]


NO_BREAK = "expected a value, found the invisible character U+00A0 (no-break space)"


def value(expression: str, declaration: str = "") -> object:
    (gate,) = ops(f"{declaration}\nRgate({expression}) | 0")
    assert isinstance(gate, Gate)
    return gate.params[0]


def refusal(text: str) -> str:
    with pytest.raises(InvalidProgram) as caught:
        program(text)
    return caught.value.detail


def test_a_compiled_program_is_read_with_its_header() -> None:
    read = program(COMPILED)
    assert (read.name, read.target, read.shots) == ("t", "simulon_gaussian", 3)
    assert read.circuit == PhotonicCircuit(
        2,
        (
            Gate("Squeezed", (0,), (0.3, 0.0)),
            Gate("Sgate", (1,), (0.149443120184957, -1.71968627440439)),
            Gate("BSgate", (0, 1), (1.4627965427978467, 0.0)),
            Measure("homodyne", (0,), 0.3),
            Gate("Dgate", (1,), (Formula(((0.5, 0.0), "q0", "*")), 0.2)),
            Measure("fock", (1,), dark_counts=(0.1,)),
        ),
    )
    assert blackbird.read(COMPILED.encode(), Limits()) == (read.circuit,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-2**2", 4.0),  # a sign binds tighter than a power
        ("2**-1", 0.5),
        ("2**3**2", 512.0),
        ("-(2**2)", -4.0),
        ("1 - 2 - 3", -4.0),
        ("2*3+4/8", 6.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("1e-3", 1e-3),
        ("sqrt(4)*cos(pi)", -2.0),
        ("arctan(1)", pi / 4),
        ("(1+2j)*(1-2j)", 5.0),
        ('"pi/2"', pi / 2),
        ('"-1e-05"', -1e-5),
    ],
)
def test_expressions_are_worked_out(text: str, expected: float) -> None:
    assert value(text) == pytest.approx(expected, rel=1e-15)


def test_variables_and_array_elements_are_known_afterwards() -> None:
    assert value("2*x", "float x = 0.25") == 0.5
    assert value("A[3] + A[0]", "float array A[2, 2] =\n    1, 2\n    3, 4") == 5.0
    assert value("A[1]", "complex array A =\n  1, 2+0j") == 2.0


def test_loops_run_over_ranges_and_lists() -> None:
    text = "for int i in 0:4:2\n    Rgate(0.1) | i\nfor float x in [0.5, -0.5]\n\tXgate(x) | 1 + 2"
    assert ops(text) == (
        Gate("Rgate", (0,), (0.1,)),
        Gate("Rgate", (2,), (0.1,)),
        Gate("Xgate", (3,), (0.5,)),
        Gate("Xgate", (3,), (-0.5,)),
    )


def test_arguments_may_be_named_and_left_out() -> None:
    assert ops("BSgate | (1, 0)\nSgate(phi=1, r=0.2)|[0]") == (
        Gate("BSgate", (1, 0), (pi / 4, 0.0)),
        Gate("Sgate", (0,), (0.2, 1.0)),
    )


def test_matrices_are_laid_out_row_by_row() -> None:
    text = "complex array U[2, 2] =\n    0, 1j\n    1, 0\nInterferometer(U) | [0, 1]"
    assert ops(text) == (Gate("Interferometer", (0, 1), (0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0)),)


def test_time_bins_are_unrolled_each_on_the_next_mode() -> None:
    circuit = program(TIMED).circuit
    assert (circuit.n_modes, circuit.n_bins) == (4, 3)
    assert circuit.ops[3:6] == (
        Gate("Sgate", (2,), (0.5, 0.0)),
        Gate("BSgate", (1, 2), (0.2, pi)),
        Measure("fock", (1,)),
    )


def test_line_ends_comments_and_blanks_do_not_matter() -> None:
    loose = COMPILED.replace(", ", ",").replace("\n", "   # a note\r\n").rstrip()
    assert program(loose) == program(COMPILED)


@for_each(
    "line, reason",
    [
        ("Warp(1) | 0", "the operation 'Warp' is not known"),
        ("Sgate() | 0", "Sgate needs the argument r"),
        ("Rgate(1, 2) | 0", "Rgate takes at most 1 arguments"),
        ("BSgate(1, 2) | 0", "BSgate acts on 2 modes, not 1"),
        ("BSgate(1, 2) | [1, 1]", "a mode is named twice"),
        ("Rgate(x) | 0", "'x' is not known"),
        ("Rgate({x}) | 0", "free parameters in braces must be given a value before"),
        ("Rgate(1/0) | 0", "division by zero"),
        ("Rgate(log(-1)) | 0", "log: the result is not a finite number"),
        ("Rgate(1e999) | 0", "the result is not a finite number"),
        ("Rgate(2j) | 0", "Rgate: theta must be one real number"),
        ("Rgate(1 2) | 0", "expected ',', found '2'"),
        ("Rgate(\u00a0) | 0", NO_BREAK),
        ("Rgate(²) | 0", r"expected a value, found '\xb2'"),
        ("Rgate(1) | 0.5", "an integer is needed"),
        ("Rgate(1) | -1", "a mode must not be negative"),
        ("Rgate(1)", "expected '|', found the end of the line"),
        ("Rgate(q0) | 1", "Rgate: only Dgate, Xgate, Zgate may depend on measured values"),
        ("Xgate(q0) | 1", "q0: mode 0 has no homodyne outcome yet"),
        ("LossChannel(1.5) | 0", "LossChannel: T is 1.5, but must be at most 1"),
        ("Thermal(-1) | 0", "Thermal: nbar is -1, but must not be negative"),
        ("MeasureHomodyne(0, select=1) | 0", "MeasureHomodyne: outcomes cannot be selected"),
        ("int pi = 3", "'pi' cannot be a variable"),
        ("int n = 2.5", "the value must have the type int"),
        ("float", "expected '=', found the end of the line"),
        ("for int i in 0:3", "a loop needs indented statements"),
        ('include "/etc/passwd"', "include is not allowed here: no file is ever read"),
        ("Interferometer(1) | 0", "Interferometer: U must be an array"),
        ("Gaussian(1) | 0", "Gaussian: V must be an array"),
    ],
)
def test_an_error_names_its_line(line: str, reason: str) -> None:
    text = f"{HEAD}{line}\nMeasureFock() | 0\n"
    assert refusal(text) == f"line 5: {reason}"


@pytest.mark.parametrize(
    ("means", "reason"),
    [
        ("5.0", "r must be an array"),
        ("[1.0, 2.0, 3.0]", "r must have 2 elements for 1 modes, not 3"),
        ("[1.0, 2.0j]", "r must be one real number"),
    ],
)
def test_wrong_means_of_a_gaussian_are_refused_and_not_taken_as_zero(
    means: str, reason: str
) -> None:
    vacuum = "float array V[2, 2] =\n    1, 0\n    0, 1\n"
    assert refusal(f"{vacuum}Gaussian(V, {means}) | 0\nMeasureFock() | 0").endswith(
        f"Gaussian: {reason}"
    )


def test_means_of_a_gaussian_are_zero_unless_given() -> None:
    vacuum = "float array V[2, 2] =\n    1, 0\n    0, 1\n"
    cov = (1.0, 0.0, 0.0, 1.0)
    for text, means in (("V", (0.0, 0.0)), ("V, 0", (0.0, 0.0)), ("V, [3, 4]", (3.0, 4.0))):
        assert ops(f"{vacuum}Gaussian({text}) | 0") == (Gate("Gaussian", (0,), cov + means),)


def test_means_of_a_gaussian_are_limited_as_displacements() -> None:
    vacuum = "float array V =\n    1, 0, 0, 0\n    0, 1, 0, 0\n    0, 0, 1, 0\n    0, 0, 0, 1\n"
    # The amplitude of a mode is half the length of its (x, p); r is (x0, x1, p0, p1).
    program(f"{vacuum}Gaussian(V, [24, 32, 32, 24]) | [0, 1]\nMeasureFock() | [0, 1]")
    wanted = "^line 6: Gaussian: displacement by 20.5 is too much; the limit 'displacement' is 20"
    with pytest.raises(LimitExceeded, match=wanted):
        program(f"{vacuum}Gaussian(V, [0, 9, 0, -40]) | [0, 1]\nMeasureFock() | [0, 1]")


def test_a_mode_is_measured_once_and_for_good() -> None:
    assert refusal("MeasureX | 0\nRgate(1) | 0") == "line 2: mode 0 was measured before"


def test_a_program_without_a_measurement_is_refused() -> None:
    assert refusal("Rgate(1) | 0") == "the program measures nothing"
    assert refusal("") == "the program measures nothing"


def test_shots_are_one_unless_the_header_says_and_never_none() -> None:
    assert program("target x\nMeasureFock() | 0").shots == 1
    assert refusal("target x (shots=0)") == "line 1: shots must be a positive integer"
    assert refusal("target x (shots=-1)") == "line 1: shots must be a positive integer"


def test_no_file_is_looked_for(tmp_path: Path) -> None:
    there = tmp_path / "there.xbb"
    there.write_text("name x")
    texts = {refusal(f'name t\ninclude "{path}"') for path in (there, tmp_path / "missing")}
    assert texts == {"line 2: include is not allowed here: no file is ever read"}


def test_nothing_is_kept_from_one_program_to_the_next() -> None:
    assert "secret" not in refusal("int secret = 42\nRgate(")
    assert refusal("target x (shots=secret)") == "line 1: 'secret' is not known"


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_within_a_second(name: str) -> None:
    began = process_time()
    with pytest.raises((InvalidProgram, LimitExceeded)):
        program(BOMBS[name])
    assert process_time() - began < 1


def test_text_that_is_no_utf_8_is_refused() -> None:
    with pytest.raises(InvalidProgram, match="byte 1"):
        blackbird.read(b"#\xff", Limits())


def test_the_limit_on_text_is_named() -> None:
    with pytest.raises(LimitExceeded, match="program_text_bytes"):
        program(COMPILED, Limits.from_names(program_text_bytes=10))


def test_mutated_programs_are_read_or_refused() -> None:
    """Whatever the text, there comes a program or an error of ours, with its line."""
    rng = random.Random(5)
    loop = "float array A[1, 2] =\n    1, 2\nfor int i in 0:2\n    Dgate(A[i], -2**2) | [i]\n"
    sources = (COMPILED, TIMED, HEAD + loop + "MeasureHD | (0, 1)\n")
    pieces = [*"()[]|,:=*+-/\"'{}.j \n#²é\x00", "q0", "p0", "**", "for ", "array", "1e9", "    "]
    n_read = 0
    placed = ("line ", "the program measures nothing", "a time-domain program measures")
    astray = []
    for _ in range(4_000):
        text = rng.choice(sources)
        for _ in range(rng.randint(1, 4)):
            at, width = rng.randrange(len(text)), rng.randint(0, 3)
            text = text[:at] + rng.choice([*pieces, ""]) + text[at + width :]
        try:
            n_read += bool(program(text).circuit.ops)
        except QwicketError as error:
            astray += [] if error.detail.startswith(placed) else [text]
    assert not astray
    assert 100 < n_read < 3_900


@pytest.mark.parametrize(
    ("line", "limits", "text"),
    [
        ("Sgate(2.6) | 0", Limits(), "Sgate: squeezing by 2.6 is too much; the limit 'squeezing'"),
        ("S2gate(-1) | [0, 1]", SQUEEZED, "by 1 .* the limit 'squeezing' is 0.9"),
        ("DisplacedSqueezed(0, 0, 3) | 0", Limits(), "the limit 'squeezing' is 2.5"),
        ("Pgate(100) | 0", Limits(), "by 4.60527 .* the limit 'squeezing'"),
        ("Dgate(21) | 0", Limits(), "the limit 'displacement' is 20"),
        ("Coherent(1e9) | 0", Limits(), "the limit 'displacement' is 20"),
        ("Xgate(-41) | 0", Limits(), "by 20.5 .* the limit 'displacement' is 20"),
        ("Rgate(1) | 3", Limits.from_names(modes=3), "the limit 'modes' is 3"),
        ("for int i in 0:9\n  Rgate(1) | 0", own(blackbird_operations=8), "_operations' is 8"),
        ("float array A =\n  1, 2", own(array_elements=1), "the limit 'array_elements' is 1"),
    ],
)
def test_each_limit_is_named_with_its_line(line: str, limits: Limits, text: str) -> None:
    with pytest.raises(LimitExceeded, match=f"^line 2: .*{text}"):
        program(f"name t\n{line}\nMeasureFock() | 0", limits)


def test_time_bins_and_lines_are_limited() -> None:
    with pytest.raises(LimitExceeded, match="the limit 'time_bins' is 4"):
        program("type tdm (temporal_modes=5)\nMeasureX | 0", Limits.from_names(time_bins=4))
    with pytest.raises(LimitExceeded, match="the limit 'program_lines' is 2"):
        program("name t\n\nMeasureX | 0", own(program_lines=2))


def test_a_header_is_read_without_what_follows_it() -> None:
    text = "# t\nname t\nversion 1.0\ntarget X8_01 (shots=7)\n" + "no ( sense\n" * 1000
    assert blackbird.read_header(text.encode(), Limits()) == ("t", "X8_01", 7)
    assert blackbird.read_header(b"MeasureFock() | 0", Limits()) == ("", "", 1)
    with pytest.raises(InvalidProgram, match="line 2: shots must be a positive integer"):
        blackbird.read_header(b"name t\ntarget x (shots=0)\n", Limits())
    with pytest.raises(InvalidProgram, match="byte 5"):
        blackbird.read_header(b"name \xff", Limits())


def test_a_measured_value_is_that_of_its_time_bin() -> None:
    timed = """name t
version 1.0
type tdm (temporal_modes=3)

Sgate(0.5) | 1
MeasureX | 0
Dgate(sin(0.5*q0), 0.2) | 1
"""
    formulas = [
        op.params[0] for op in program(timed).circuit.ops if op.modes and isinstance(op, Gate)
    ]
    assert [each.code[1] for each in formulas if isinstance(each, Formula)] == ["q0", "q1", "q2"]
