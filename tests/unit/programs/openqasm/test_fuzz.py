"""Damaged programs: refused with a place, or read into a circuit that an engine can run.

`tests/fault/test_openqasm_fuzz.py` does the same 10,000 times, or 100,000 times in its long form.
"""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.programs.openqasm import read_openqasm2, read_openqasm3
from support.for_each import for_each
from unit.programs.openqasm.corpus import PROGRAMS
from unit.programs.openqasm.mutation import LIMITS, check, mutate, read_mutant


@given(st.sampled_from(list(PROGRAMS)), st.integers(0, 2**32))
@settings(max_examples=300, derandomize=True)
def test_damaged_programs_are_refused_or_sound(name: str, seed: int) -> None:
    program = PROGRAMS[name]
    circuit = read_mutant(program, mutate(random.Random(seed), program.text))
    if circuit is not None:
        check(circuit)


@given(st.binary(max_size=200))
@settings(max_examples=200, derandomize=True)
def test_any_bytes_are_refused_or_sound(source: bytes) -> None:
    for read in (read_openqasm2, read_openqasm3):
        try:
            (circuit,) = read(source, LIMITS)
        except (InvalidProgram, LimitExceeded):
            continue
        check(circuit)


@given(st.text(alphabet="qcx[](){};:,=+-*/!&|^<>@\"'$.019ei \n", max_size=60))
@settings(max_examples=300, derandomize=True)
def test_any_signs_are_refused_or_sound(text: str) -> None:
    source = f'include "stdgates.inc"; qubit[2] q; bit[2] c; {text}'.encode()
    try:
        (circuit,) = read_openqasm3(source, LIMITS)
    except (InvalidProgram, LimitExceeded):
        return
    check(circuit)


@for_each("name", PROGRAMS)
def test_a_program_cut_anywhere_is_refused_or_sound(name: str) -> None:
    program = PROGRAMS[name]
    for end in range(0, len(program.text), 3):
        circuit = read_mutant(program, program.text[:end])
        if circuit is not None:
            check(circuit)
