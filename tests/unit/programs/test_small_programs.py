"""Small programs in every language, with answers by hand or of a simulator that shares no code.

Each file of `tests/data/programs` is one case, and a failure names its program. What stands before
the first program is common to all: `head` and `tail` surround a text, unless it is `whole`. A
program has one answer: `p`, the probability of each outcome (the last letter is bit 0); `circuit`,
the same circuit for `support.branching`; `values`, exact results in their order; `means` of the
columns that were drawn; or `refused`, words of the error.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from math import cos, sin
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qwicket import programs
from qwicket.circuits import atoms, photonic
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import value_name
from qwicket.circuits.qubit import QubitCircuit, unpack
from qwicket.engines import qubit as engines
from qwicket.engines.atoms.engine import probabilities
from qwicket.model.errors import InvalidRequest, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.vendors.xanadu.engine import run as run_photons
from support import branching
from support.for_each import for_each

pytestmark = pytest.mark.needs_vendors


FOLDER = Path(__file__).parents[2] / "data" / "programs"
FILES = sorted(path.stem for path in FOLDER.glob("*.toml"))
SHOTS = 2_000
LIMITS = Limits()


def _reversed(gates: str) -> list[str]:
    """Return the inverse of gates, each of which is its own or has one angle."""
    return [f"inv @ {gate};" for gate in reversed(gates.split(";")) if gate]


def listed(file: str) -> list[dict[str, Any]]:
    table = tomllib.loads((FOLDER / f"{file}.toml").read_text())
    shared = {key: value for key, value in table.items() if key != "program"}
    return [{**shared, **each} for each in table["program"]]


def text_of(program: Mapping[str, Any]) -> bytes:
    text = program["text"]
    if not program.get("whole"):
        text = f"{program.get('head', '')}{text}\n{program.get('tail', '')}"
    if program["format"] == "braket.openqasm3":
        inputs = program.get("inputs", {})
        text = json.dumps({"source": text, "shots": program.get("shots", 0), "inputs": inputs})
    return str(text).encode()


def check(program: Mapping[str, Any]) -> None:
    """Assert that a program has its answer."""
    text, inputs = text_of(program), program.get("inputs", {})
    given = inputs if program["format"] != "braket.openqasm3" else {}
    if "refused" in program:
        with pytest.raises((InvalidRequest, LimitExceeded)) as refusal:
            programs.read(program["format"], text, LIMITS, given)
        assert program["refused"] in refusal.value.detail
        return
    checked = programs.read(program["format"], text, LIMITS, given)
    if program["format"] == "ahs":
        (experiment,) = atoms.unpack(checked.circuits)
        assert_equal(named(probabilities(experiment)), expected_of(program, 0, 0))
    elif program["format"] == "blackbird":
        (optical,) = photonic.unpack(checked.circuits)
        check_photons(optical, program)
    elif "values" in program:
        check_values(unpack(checked.circuits)[0], program)
    else:
        circuits = unpack(checked.circuits)
        (circuit,) = circuits
        expected = expected_of(program, program.get("qubits", circuit.n_qubits), circuit.n_clbits)
        assert_equal(exact(circuit), expected)


GHZ = "h q[0]; for int k in [0:18] cx q[k], q[k + 1];"
SECRET = 0b101100111010
_FOURIER = "".join(
    f"h q[{k}];" + "".join(f"cp(pi/{1 << m - k}) q[{m}], q[{k}];" for m in range(k + 1, 8))
    for k in range(8)
)
_DOUBLES = "".join(f"gate g{k} a {{ g{k - 1} a; g{k - 1} a; }}" for k in range(1, 13))
LARGE = {
    "a chain of 20 qubits": (20, GHZ, {0: 0.5, (1 << 20) - 1: 0.5}),
    "40,000 gates": (10, "x q[3];" * 39_999 + "h q[0];", {8: 0.5, 9: 0.5}),
    "10,000 small angles": (1, "rx(0.0001) q[0];" * 10_000, {0: cos(0.5) ** 2, 1: sin(0.5) ** 2}),
    "4,096 gates of 12 definitions": (
        1,
        f"gate g0 a {{ rx(pi/4096) a; }} {_DOUBLES} g12 q[0];",
        {1: 1.0},
    ),
    "a hidden string (Bernstein and Vazirani)": (
        13,
        "x q[12]; h q;"
        + "".join(f"cx q[{k}], q[12];" for k in range(12) if SECRET >> k & 1)
        + "h q[0:11]; h q[12]; x q[12];",
        {SECRET: 1.0},
    ),
    "a Fourier transform and its inverse": (
        8,
        f"x q[1]; x q[6]; {_FOURIER}" + "".join(_reversed(_FOURIER)),
        {66: 1.0},
    ),
    "300 measurements of one qubit": (
        2,
        "x q[0];" + "c[0] = measure q[0]; if (c[0]) x q[1];" * 300,
        {1: 1.0},
    ),
}
"""Programs in OpenQASM 3 that a program writes: number of qubits, gates, and probabilities."""


@for_each("name", LARGE)
def test_large_programs_have_their_answers(name: str) -> None:
    n_qubits, body, expected = LARGE[name]
    head = f'OPENQASM 3.0; include "stdgates.inc"; qubit[{n_qubits}] q; bit[{n_qubits}] c;'
    checked = programs.read("openqasm3", f"{head}{body}c = measure q;".encode(), LIMITS)
    assert_equal(exact(unpack(checked.circuits)[0]), expected)


def expected_of(program: Mapping[str, Any], n_qubits: int, n_bits: int) -> dict[int, float]:
    if "circuit" in program:
        return branching.distribution(program["circuit"], n_qubits, n_bits)
    pairs = [entry.split(":") for entry in program["p"].split(";")]
    return {int(key, 2): branching.number(value.strip()) for key, value in pairs}


def assert_equal(found: Mapping[int, float], expected: Mapping[int, float]) -> None:
    seen = {key: p for key, p in found.items() if p > 1e-9}
    wanted = {key: p for key, p in expected.items() if p > 1e-9}
    assert seen == pytest.approx(wanted, abs=1e-7)


def exact(circuit: QubitCircuit) -> dict[int, float]:
    options = RunOptions(shots=1, seed=1, outputs=("probabilities",))
    return engines.run(circuit, options, 0).probabilities()


def named(p: Any) -> dict[int, float]:
    """Return probabilities of atoms, of which the last is bit 0."""
    return dict(enumerate(np.ravel(p).tolist()))


def check_values(circuit: QubitCircuit, program: Mapping[str, Any]) -> None:
    found = engines.run(circuit, RunOptions(shots=1, seed=1, outputs=("memory",)), 0).arrays
    for index, wanted in enumerate(program["values"]):
        array = found[value_name(index)]
        numbers = np.frombuffer(array.data, array.dtype).ravel()
        expected = [branching.number(each) for each in wanted.split(";")]
        assert np.allclose(numbers, expected, atol=1e-9), (index, numbers, expected)


def check_photons(circuit: photonic.PhotonicCircuit, program: Mapping[str, Any]) -> None:
    """Assert the mean of each column within five standard errors."""
    drawn = run_photons(circuit, RunOptions(shots=SHOTS, seed=1, outputs=()), 0).samples()
    columns = np.array(drawn, dtype=float).T
    expected = [branching.number(each) for each in program["means"].split(";")]
    for column, mean in zip(columns, expected, strict=True):
        assert abs(column.mean() - mean) <= 5 * column.std() / SHOTS**0.5 + 1e-12, (
            column.mean(),
            mean,
        )


@pytest.mark.parametrize("file", FILES)
def test_small_programs_have_their_answers(file: str, subtests: pytest.Subtests) -> None:
    for program in listed(file):
        with subtests.test(program["name"]):
            check(program)


def test_there_are_two_hundred_programs_with_names_of_their_own() -> None:
    found = [(file, program["name"]) for file in FILES for program in listed(file)]
    assert len(set(found)) == len(found) >= 200
