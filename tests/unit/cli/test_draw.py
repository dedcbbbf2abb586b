"""`qwicket job draw`: a drawing, numbers that were counted by hand, and refusals of one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner, Result

from qwicket import engines, programs
from qwicket.circuits.options import RunOptions
from qwicket.circuits.qubit import Branch, Gate, Jump, Measure, Op, Reset
from qwicket.cli import main
from qwicket.cli.draw import depth
from qwicket.model.limits import Limits

BELL: Final = """OPENQASM 2.0;
include "qelib1.inc";
qreg q[2]; creg c[2];
h q[0]; cx q[0], q[1];
measure q -> c;
"""
BELL_DRAWING: Final = """\
q0 ──H──●──M→c[0]──
        │
q1 ─────⊕──M→c[1]──
"""
TELEPORTATION: Final = """OPENQASM 3.0;
include "stdgates.inc";
qubit[4] q; bit[2] c; bit out;
rx(3*pi/8) q[0];
h q[1]; cx q[1], q[2];
cx q[0], q[1]; h q[0];
c[0] = measure q[0]; c[1] = measure q[1];
if (c[1]) x q[2];
if (c[0]) z q[2];
gphase(1); reset q[0]; ccx q[0], q[1], q[2];
out = measure q[2];
"""
IONQ: Final = {
    "qubits": 1,
    "circuits": [
        {"circuit": [{"gate": "h", "target": 0}]},
        {"circuit": [{"gate": "t", "target": 0}]},
    ],
}
QOBJ: Final = {
    "qobj_id": "a",
    "type": "QASM",
    "schema_version": "1.3.0",
    "header": {},
    "config": {},
    "experiments": [{"instructions": [{"name": "h", "qubits": [0]}]}],
}


def show(source: str | bytes, *arguments: str, columns: int = 80) -> Result:
    result = CliRunner().invoke(
        main, ["job", "draw", "-", *arguments], input=source, env={"COLUMNS": str(columns)}
    )
    assert isinstance(result.exception, SystemExit | None), result.exception
    return result


def shown(source: str | bytes, *arguments: str) -> str:
    result = show(source, *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def facts(text: str) -> dict[str, str]:
    """Text after each name below the last drawing."""
    lines = text.rpartition("\n\n")[2].splitlines()
    return {line[:17].strip(): line[17:] for line in lines}


def test_a_drawing_comes_first_then_what_was_counted() -> None:
    text = shown(BELL)
    assert text.startswith(BELL_DRAWING + "\nqubits           2 (2 active)\n")
    counted = facts(text)
    assert counted.pop("estimate").endswith(" for 1,000 shots")
    assert counted == {
        "qubits": "2 (2 active)",
        "classical bits": "2",
        "operations": "4",
        "gates": "2: 1 cx, 1 h",
        "measures": "2",
        "depth": "3",
        "two-qubit gates": "1",
        "Clifford": "yes",
        "format": "openqasm2",
    }


def test_a_program_with_everything_is_counted_by_kind_and_name() -> None:
    counted = facts(shown(TELEPORTATION))
    assert counted.pop("estimate")
    assert counted == {
        "qubits": "4 (3 active)",
        "classical bits": "3",
        "operations": "15",
        "gates": "9: 2 cx, 2 h, 1 ccx, 1 gphase, 1 rx, 1 x, 1 z",
        "measures": "3",
        "resets": "1",
        "branches": "2",
        # h, cx, cx, h, measure → c[0], z that waits for it, ccx, measure
        "depth": "8",
        "two-qubit gates": "2, 1 wider",
        "Clifford": "no",
        "format": "openqasm3",
    }


ANSATZ: Final = """OPENQASM 3.0;
include "stdgates.inc";
input float[64] theta; input int n;
qubit q;
for int i in [1:n] { rx(theta) q; }
"""


def test_inputs_get_the_given_values() -> None:
    text = shown(ANSATZ, "--input", "theta=0.25", "--input", "n=3")
    assert text.count("rx(0.25)") == 3


def test_an_input_without_a_value_and_a_value_without_an_input_are_refused() -> None:
    missing = show(ANSATZ, "--input", "n=3")
    unknown = show(BELL, "--input", "n=3")
    assert (missing.exit_code, unknown.exit_code) == (1, 1)
    assert "the input 'theta' has no value" in missing.stderr
    assert "the program has no input 'n'" in unknown.stderr


def test_no_line_is_wider_than_the_terminal() -> None:
    result = show(TELEPORTATION, columns=50)
    assert max(map(len, result.stdout.partition("\nqubits")[0].splitlines())) <= 50


def test_many_names_of_gates_go_on_below() -> None:
    names = ("x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "rx(1)", "ry(1)", "rz(1)", "p(1)")
    body = "".join(f"{name} q; {name.join(('ctrl @ ', ''))} q, r;\n" for name in names)
    text = shown(f'OPENQASM 3;\ninclude "stdgates.inc";\nqubit q; qubit r;\n{body}')
    assert "  gates          26: 1 ch, 1 cp, " in text
    assert max(map(len, text.rpartition("\n\n")[2].splitlines())) <= 80


@pytest.mark.needs_vendors
def test_each_circuit_of_a_program_is_shown() -> None:
    text = shown(json.dumps(IONQ))
    assert text.startswith("Circuit 1 of 2\n\nq0 ──H──M→c[0]──\n\nqubits ")
    assert "\n\nCircuit 2 of 2\n\nq0 ──T──M→c[0]──\n\nqubits " in text
    assert text.count("Clifford         yes\n") == 1
    assert text.count("Clifford         no\n") == 1
    assert list(facts(text)) == ["format", "estimate"]


def test_the_estimate_is_that_of_the_engines() -> None:
    wide = 'OPENQASM 3;\ninclude "stdgates.inc";\nqubit[28] q;\nt q;\ncx q[0:26], q[1:27];\n'
    summary = programs.read("openqasm3", wide.encode(), Limits()).summary
    needs = engines.estimate(summary, RunOptions(shots=1000, seed=0, outputs=("counts",)))
    said = f"{needs.bytes / 1e9:.1f} GB, {needs.seconds:.1f} s for 1,000 shots"
    assert facts(shown(wide))["estimate"] == said


@pytest.mark.parametrize(
    ("n_qubits", "said"),
    [(1, " MB, "), (33, " min for"), (60, " PB, ")],
)
def test_an_estimate_has_the_unit_that_suits_it(n_qubits: int, said: str) -> None:
    source = f'OPENQASM 3;\ninclude "stdgates.inc";\nqubit[{n_qubits}] q;\nt q;\n'
    if n_qubits > 1:
        source += f"cx q[0:{n_qubits - 2}], q[1:{n_qubits - 1}];\n"
    assert said in facts(shown(source))["estimate"]


@pytest.mark.needs_vendors
@pytest.mark.parametrize(
    ("name", "source", "told"),
    [
        ("bell.qasm", BELL, "openqasm2"),
        ("TELEPORTATION.QASM", TELEPORTATION, "openqasm3"),
        ("both.json", json.dumps(IONQ), "ionq.circuit.v1"),
        ("both.txt", json.dumps(IONQ), "ionq.circuit.v1"),
        ("old.json", json.dumps(QOBJ), "qobj"),
        ("old.txt", json.dumps(QOBJ), "qobj"),
        ("bell", BELL, "openqasm2"),
        ("bell", "\ufeff" + BELL, "openqasm2"),
        ("both", "\ufeff" + json.dumps(IONQ), "ionq.circuit.v1"),
    ],
)
def test_the_format_is_recognised_by_the_extension_or_the_text(
    tmp_path: Path, name: str, source: str, told: str
) -> None:
    (tmp_path / name).write_text(source, "utf-8")
    result = CliRunner().invoke(main, ["job", "draw", str(tmp_path / name)])
    assert result.exit_code == 0, result.output
    assert facts(result.stdout)["format"] == told


def test_the_option_wins_over_the_extension(tmp_path: Path) -> None:
    (tmp_path / "bell.json").write_text(BELL)
    command = ["job", "draw", str(tmp_path / "bell.json")]
    assert CliRunner().invoke(main, command).exit_code == 1
    assert CliRunner().invoke(main, [*command, "--format", "openqasm2"]).exit_code == 0


@pytest.mark.needs_vendors
@pytest.mark.parametrize(
    ("source", "arguments", "said"),
    [
        ("", (), "line 1, column 1: the program declares no qubits"),
        (BELL.replace("h q[0];", "h r[0];"), (), "line 4, column 3: "),
        ('{"qubits": 1, "circuit": [{"gate": "what"}]}', (), "gate 0 (what): is not a gate"),
        (b"\xff\xfe\x00", (), "the text is not UTF-8 at byte 0"),
        ("// " + "x" * (4 << 20), (), "the limit 'program_text_bytes' is 4,194,304"),
        ("{" + " " * (10 << 20), (), "program_json_bytes: "),
        (BELL, ("--format", "punched cards"), "format 'punched cards' is not known; known: "),
    ],
)
def test_a_refusal_is_one_line_and_status_1(
    source: str | bytes, arguments: tuple[str, ...], said: str
) -> None:
    result = show(source, *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_refusal_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "bad.qasm").write_text("qubit q;\nh q")
    result = CliRunner().invoke(main, ["job", "draw", str(tmp_path / "bad.qasm")])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {tmp_path}/bad.qasm: line 2, column ")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437"])
def test_a_terminal_without_the_letters_gets_ascii(encoding: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "qwicket", "job", "draw", "-"],
        input=BELL.encode(),
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        check=True,
    )
    assert done.stdout.startswith(b"q0 --H--@--M->c[0]--\n        |\nq1 -----X--M->c[1]--\n\n")
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("ops", "length"),
    [
        ((), 0),
        ((Gate("gphase", (), (1.0,)),), 0),
        ((Gate("h", (0,)), Gate("h", (1,))), 1),
        ((Gate("h", (0,)), Gate("gphase", (), (1.0,), (0,)), Reset(0)), 3),
        ((Gate("rxx", (0, 1), (1.0,)), Gate("rxx", (2, 3), (1.0,)), Gate("swap", (1, 2))), 2),
        # One bit is written twice: the second waits for the first.
        ((Measure(0, 0), Measure(1, 0)), 2),
        ((Measure(0, 0), Measure(1, 1)), 1),
        # x waits for the bit, z does not.
        ((Measure(0, 0), Branch((0,), "==", "1", 1), Gate("x", (1,)), Gate("z", (2,))), 2),
        # What waits for c[1] inside waits for c[0] as well; so does what a jump may skip.
        (
            (
                *(Gate("h", (0,)), Measure(0, 0), Measure(1, 1)),
                *(Branch((0,), "==", "1", 2), Branch((1,), "==", "1", 1), Gate("x", (2,))),
            ),
            3,
        ),
        ((Measure(0, 0), Branch((0,), "==", "1", 1), Jump(1), Gate("z", (1,))), 2),
        ((Branch((0,), "==", "0", 0), Jump(0)), 0),
    ],
)
def test_depth_is_the_longest_path_through_qubits_and_bits(
    ops: tuple[Op, ...], length: int
) -> None:
    assert depth(ops) == length


@pytest.mark.needs_vendors
def test_cold_atoms_are_read_but_not_drawn(tmp_path: Path) -> None:
    path = tmp_path / "atoms.json"
    experiment = {"instructions": [["rlx", [0], [1.0]]], "num_wires": 1, "shots": 1}
    path.write_text(json.dumps({"experiment_0": experiment}))
    found = CliRunner().invoke(main, ["job", "draw", "--format", "qlued.rydberg", str(path)])
    assert found.exit_code == 0
    assert [line.split()[0] for line in found.output.splitlines()] == ["format", "estimate"]
