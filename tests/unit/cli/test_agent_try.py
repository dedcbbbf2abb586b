"""`qwicket agent --try`: a lab's function and a program, and no server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BELL = (
    'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c;'
    " h q[0]; cx q[0], q[1]; c = measure q;\n"
)
MACHINE = """
from qwicket.agents import AtomCircuit, Counts, Failed, Gate, Memory, QubitCircuit, Samples

def zeros(program):
    return [Counts({"0" * each.bits: each.shots}) for each in program.circuits]

def memory(program):
    program.progress(0.5, "half of it")
    return [Memory(["01"] * each.shots) for each in program.circuits]

def lists(program):
    return [Failed(" ".join(op.label for op in each.operations if isinstance(op, Gate)), "listed")
            for each in program.circuits]

def atoms(program):
    return [Samples([[k] * len(each.measured) for k in range(each.shots)])
            for each in program.circuits]

def raises(program):
    raise RuntimeError("the laser is off")

def misfits(program):
    return [Counts({"0": 1})]

def miscounts(program):
    return [Counts({"00": 1})]

def dies(program):
    import os
    os._exit(3)

missing = None
"""
DEVICE = """
name = "fridge7"
family = "qubit"

[spec]
description = "A fridge"
qubits = 3
formats = ["openqasm3"]
gates = ["rz", "sx", "x", "cz"]
max_shots = 5_000
outputs = ["counts", "memory"]
"""
ATOMS = """
name = "trap"
family = "atoms"

[spec]
description = "A trap"
qubits = 2
formats = ["qlued.lab"]
outputs = ["samples"]
"""
EXPERIMENT = """{"experiment_0": {"instructions": [["kick", [0], [0.5]], ["measure", [1], []]],
 "num_wires": 2, "shots": 3}}"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Path:
    for name, text in [
        ("bench.py", MACHINE),
        ("broken.py", "import no_such_library\n"),
        ("bell.qasm", BELL),
        ("fridge7.toml", DEVICE),
        ("trap.toml", ATOMS),
        ("kick.json", EXPERIMENT),
        ("bell.xbb", "name bell\n"),
        ("wide.qasm", BELL.replace("t[2]", "t[4]")),
        ("reset.qasm", BELL.replace("h q[0];", "reset q[0];")),
    ]:
        (tmp_path / name).write_text(text)
    return tmp_path


def attempt(folder: Path, file: str, run: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a lab does, in its folder and without any address or token."""
    return subprocess.run(
        [sys.executable, "-m", "qwicket", "agent", "--try", file, "--run", run, *options],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_a_function_runs_a_program_without_a_server(folder: Path) -> None:
    done = attempt(folder, "bell.qasm", "bench:zeros", "--shots", "500")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"bell.qasm  completed\n  00      500  {'█' * 40}\n"


def test_what_a_device_announces_holds(folder: Path) -> None:
    fridge = ("--device", "fridge7.toml")
    done = attempt(folder, "bell.qasm", "bench:lists", *fridge)
    assert (done.returncode, done.stdout) == (
        3,
        "bell.qasm  failed\n  listed: rz sx rz rz sx rz cz rz sx rz\n",
    )
    done = attempt(folder, "bell.qasm", "bench:memory", *fridge, "--shots", "3")
    assert (done.returncode, done.stderr) == (0, " 50%  half of it\n")
    assert done.stdout == f"bell.qasm  completed\n  01        3  {'█' * 40}\n"


@pytest.mark.parametrize("device", [(), ("--device", "fridge7.toml")])
def test_values_of_an_estimation_follow_from_its_circuits(
    folder: Path, device: tuple[str, ...]
) -> None:
    """A function that always reads zeros finds ⟨ZZ⟩ = 1."""
    text = (folder / "fridge7.toml").read_text().replace('["openqasm3"]', '["estimation"]')
    (folder / "fridge7.toml").write_text(text)
    program = {"program": BELL, "observables": [{"ZZ": 1.0, "II": 0.5}], "shots": 100}
    (folder / "pair.json").write_text(json.dumps(program))
    done = attempt(folder, "pair.json", "bench:zeros", *device)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("pair.json  completed\n")
    assert "1.5" in done.stdout


def test_shots_of_atoms_are_printed_as_numbers(folder: Path) -> None:
    done = attempt(folder, "kick.json", "bench:atoms", "--device", "trap.toml")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "kick.json  completed\n  0\n  1\n  2\n"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("bell.qasm", "nomod:run"), 1, "nomod:run cannot be loaded: there is no module nomod"),
        (("bell.qasm", "bench:zeross"), 1, "bench has no function zeross; did you mean zeros?"),
        (("bell.qasm", "bench:missing"), 1, "bench has no function missing"),
        (("bell.qasm", "bench"), 1, "'bench' is not of the form module:function"),
        (("bell.qasm", "bench:dies"), 1, "The function's process died: exit status 3."),
        (
            ("bell.qasm", "bench:miscounts"),
            1,
            "A server would refuse the outcome: parts[0].outcome: the counts are of 1 shots,"
            " not 1000.",
        ),
        (("none.qasm", "bench:zeros"), 1, "none.qasm: No such file or directory."),
        (("bench.py", "bench:zeros"), 1, "bench.py: line "),
        (("bell.qasm", "bench:zeros", "--device", "none.toml"), 1, "none.toml: No such file"),
        (("bell.qasm", "bench:zeros", "--device", "fridge7.toml", "--shots", "5001"), 1, "5000"),
        (
            ("wide.qasm", "bench:zeros", "--device", "fridge7.toml"),
            1,
            "wide.qasm: the program has 4 qubits, but fridge7 takes at most 3.",
        ),
        (
            ("bell.xbb", "bench:zeros", "--device", "fridge7.toml"),
            1,
            "the format is blackbird, but fridge7 takes openqasm3.",
        ),
        (
            ("reset.qasm", "bench:zeros", "--device", "fridge7.toml"),
            1,
            "fridge7 takes rz, sx, x, cz; 'reset' cannot be compiled to them",
        ),
    ],
)
def test_errors_are_reported_in_one_line(
    folder: Path, arguments: tuple[str, ...], status: int, said: str
) -> None:
    done = attempt(folder, *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert not done.stderr.rstrip().endswith(("..", "?."))


@pytest.mark.parametrize(
    ("run", "code", "logged"),
    [
        ("bench:raises", "device_failed", "RuntimeError: the laser is off"),
        ("bench:misfits", "bad_outcome", "'0' must be 2 characters 0 or 1"),
    ],
)
def test_a_function_that_fails_does_so_as_through_a_server(
    folder: Path, run: str, code: str, logged: str
) -> None:
    done = attempt(folder, "bell.qasm", run)
    assert (done.returncode, done.stdout.split()[:3]) == (3, ["bell.qasm", "failed", f"{code}:"])
    assert logged in done.stderr


def test_an_error_within_the_labs_module_shows_where_it_is(folder: Path) -> None:
    done = attempt(folder, "bell.qasm", "broken:run")
    assert done.returncode == 1
    assert 'broken.py", line 1' in done.stderr
    assert "No module named 'no_such_library'" in done.stderr.splitlines()[-1]
