"""Well-known algorithms give what theory says."""

from __future__ import annotations

import pytest

from qwicket.model.limits import Limits
from qwicket.programs.openqasm import guess_version, read_openqasm2, read_openqasm3
from support.for_each import for_each
from unit.programs.openqasm.corpus import PROGRAMS
from unit.programs.openqasm.execution import distribution


@for_each("name", PROGRAMS)
def test_algorithm_has_its_outcomes(name: str) -> None:
    program = PROGRAMS[name]
    read = read_openqasm2 if program.version == 2 else read_openqasm3
    (circuit,) = read(program.source, Limits(), program.inputs)
    found = {
        "".join(map(str, reversed(bits))): probability
        for bits, probability in distribution(circuit).items()
        if probability > 1e-9
    }
    assert found == pytest.approx(program.outcomes)


@for_each("name", PROGRAMS)
def test_the_version_of_a_program_is_guessed(name: str) -> None:
    program = PROGRAMS[name]
    assert guess_version(program.source) == program.version
    without_line = "\n".join(
        line for line in program.text.splitlines() if not line.startswith("OPENQASM")
    )
    assert guess_version(without_line.encode()) == program.version
