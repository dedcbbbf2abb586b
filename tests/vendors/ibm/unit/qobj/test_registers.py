"""Measurements into registers, tests of them, and what depends on these."""

from __future__ import annotations

import random
from collections import defaultdict

import numpy as np
import pytest

from qwicket.circuits.qubit import Branch, Gate, Measure
from qwicket.model.errors import InvalidProgram
from qwicket.model.limits import Limits
from support import qubit_math
from vendors.ibm.unit.qobj.documents import (
    Json,
    bfunc,
    circuit,
    excess,
    experiment,
    fault,
    measure,
    outcomes,
    source,
)

H: Json = {"name": "h", "qubits": [0]}
STALE = "register {} is read after the memory slots that it was made from have changed"


def x(qubit: int, conditional: int) -> Json:
    return {"name": "x", "qubits": [qubit], "conditional": conditional}


def test_a_test_becomes_a_branch_on_memory_slots() -> None:
    made = circuit(measure(0, 2, 0), measure(1, 1, 4), bfunc(9, "0x11", "0x10"), x(2, 9))
    assert made.ops == (
        Measure(0, 2),
        Measure(1, 1),
        Branch((2, 1), "==", "2", 1),
        Gate("x", (2,)),
    )


def test_a_condition_may_read_a_measured_bit_itself() -> None:
    assert outcomes(H, measure(0, 0, 7), x(1, 7), measure(1, 1)) == pytest.approx({0: 0.5, 3: 0.5})


def test_a_test_may_be_for_what_is_not() -> None:
    ops = (H, measure(0, 0, 0), bfunc(5, "0x1", "0x1", "!="), x(1, 5), measure(1, 1))
    assert outcomes(*ops) == pytest.approx({0b10: 0.5, 0b01: 0.5})


def test_bits_that_were_never_written_are_zero() -> None:
    ops = (H, measure(0, 0, 0), bfunc(5, "0xF", "0x1"), x(1, 5), measure(1, 1))
    assert outcomes(*ops) == pytest.approx({0b00: 0.5, 0b11: 0.5})
    assert outcomes(bfunc(5, "0x3", "0x0"), x(1, 5), measure(1, 1)) == {0b10: 1}
    assert outcomes(x(1, 5), measure(1, 1)) == {0: 1}


@pytest.mark.parametrize(("relation", "expected"), [("==", 0b01), ("!=", 0b11)])
def test_a_value_beyond_its_mask_is_never_met(relation: str, expected: int) -> None:
    ops = ({"name": "x", "qubits": [0]}, measure(0, 0, 0), bfunc(5, "0x1", "0x3", relation))
    assert outcomes(*ops, x(1, 5), measure(1, 1)) == {expected: 1}


def test_a_test_of_one_bit_is_a_bit_that_can_be_tested() -> None:
    ops = (H, measure(0, 0, 0), bfunc(5, "0x1", "0x1"), bfunc(6, "0x20", "0x20"), x(1, 6))
    assert outcomes(*ops, measure(1, 1)) == pytest.approx({0: 0.5, 3: 0.5})


def test_whatever_an_instruction_becomes_is_under_its_condition() -> None:
    state = {"name": "initialize", "qubits": [1, 2], "params": [0, 0.6, 0, 0.8], "conditional": 0}
    found = outcomes(H, measure(0, 0, 0), state, measure(1, 1), measure(2, 2))
    assert found == pytest.approx({0b000: 0.5, 0b011: 0.18, 0b111: 0.32})


def test_a_measurement_may_have_a_condition() -> None:
    flip = {"name": "x", "qubits": [1]}
    found = outcomes(
        H, measure(0, 0, 0), flip, measure(1, 1, 1, conditional=0), x(2, 1), measure(2, 2)
    )
    assert found == pytest.approx({0b000: 0.5, 0b111: 0.5})


def test_what_has_nothing_to_do_needs_no_branch() -> None:
    made = circuit(measure(0, 0, 0), {"name": "barrier", "qubits": [0, 1], "conditional": 0})
    assert made.ops == (Measure(0, 0),)


def test_a_register_is_read_again_after_it_was_measured_again() -> None:
    made = circuit(measure(0, 0, 0), x(1, 0), measure(0, 0, 0), x(1, 0))
    assert [type(op) for op in made.ops] == [Measure, Branch, Gate] * 2


@pytest.mark.parametrize(
    ("instructions", "register"),
    [
        ((measure(0, 0, 5), measure(1, 0), x(2, 5)), 5),
        ((measure(0, 1), measure(1, 0, 0), measure(2, 1, 7, conditional=0), x(2, 7)), 7),
        ((measure(0, 0, 0), bfunc(5, "0x1", "0x1"), measure(0, 0, 0), x(2, 5)), 5),
        ((measure(0, 0, 0), measure(1, 1, 1), measure(2, 2, 1, conditional=0), x(2, 1)), 1),
        ((measure(0, 0, 0), bfunc(5, "0x1", "0x1"), measure(1, 1, 5, conditional=0), x(2, 5)), 5),
    ],
)
def test_a_register_whose_value_memory_has_lost_is_refused(
    instructions: tuple[Json, ...], register: int
) -> None:
    assert fault(*instructions) == (STALE.format(register), "conditional")


TESTED = (
    measure(0, 0, 0),
    measure(1, 1, 1),
    bfunc(5, "0x3", "0x0"),
    bfunc(6, "0x3", "0x1"),
)


@pytest.mark.parametrize(
    ("instruction", "text", "field"),
    [
        (bfunc(6, "0x21", "0x1"), "mask reads register 5, which is itself a test", "mask"),
        (bfunc(6, "0x41", "0x1"), "mask reads register 6, which is itself a test", "mask"),
        (bfunc(6, "0x1", "0x1", "<"), "relation must be == or !=", "relation"),
        (bfunc(6, "0xG", "0x1"), "mask must be a hexadecimal number such as 0x3", "mask"),
        (bfunc(6, "-0x1", "0x1"), "mask must be a hexadecimal number such as 0x3", "mask"),
        (bfunc(6, "0x1_0", "0x1"), "mask must be a hexadecimal number such as 0x3", "mask"),
        (bfunc(6, "0x1", ""), "val must be a hexadecimal number such as 0x3", "val"),
        (bfunc(-1, "0x1", "0x1"), "register must be one number that is not below 0", "register"),
        ({"name": "bfunc", "mask": "0x1", "relation": "=="}, "val is missing", "val"),
        ({"name": "bfunc", "relation": "==", "val": "0x1"}, "mask is missing", "mask"),
        ({"name": "bfunc", "mask": "0x1", "val": "0x1"}, "relation is missing", "relation"),
        (bfunc(6, "0x1", "0x1") | {"register": [6]}, "register must be one number", "register"),
        (bfunc(6, "0x1", "0x1", conditional=0), "cannot have conditional", "conditional"),
        (bfunc(6, "0x1", "0x1", memory=[0]), "cannot have memory", "memory"),
        (x(0, -1), "conditional -1 is below 0", "conditional"),
    ],
)
def test_bad_test_is_refused(instruction: Json, text: str, field: str) -> None:
    found, at = fault(*TESTED, instruction)
    assert found.startswith(text)
    assert at == field


def test_bits_of_a_mask_are_limited() -> None:
    text = excess(source(experiment(bfunc(6, "0x" + "F" * 10_000, "0x0"))), Limits())
    assert text == "clbits: 40000 is above the limit of 10000"


def test_bits_that_are_tested_count_as_operations() -> None:
    measured = [measure(k, k, k) for k in range(3)]
    program = source(experiment(*measured, *[bfunc(9, "0x7", "0x7")] * 10))
    assert excess(program, Limits.from_names(operations=32)).startswith("operations: 33 or more")


# --- against the rules themselves -----------------------------------------------------------------


def expected(instructions: list[Json]) -> dict[int, float]:
    """Memory's distribution by the Qobj specification, with a stored register."""
    start = np.eye(1, 8)[0]
    paths: list[tuple[int, int, np.ndarray]] = [(0, 0, start)]
    for each in instructions:
        paths = [after for path in paths for after in followers(each, *path)]
    found: defaultdict[int, float] = defaultdict(float)
    for memory, _, state in paths:
        found[memory] += float(np.vdot(state, state).real)
    return {memory: p for memory, p in found.items() if p > 1e-12}


def followers(
    each: Json, memory: int, register: int, state: np.ndarray
) -> list[tuple[int, int, np.ndarray]]:
    if "conditional" in each and not register >> each["conditional"] & 1:
        return [(memory, register, state)]
    if each["name"] == "bfunc":
        equal = register & int(each["mask"], 16) == int(each["val"], 16)
        bit, value = each["register"], equal == (each["relation"] == "==")
        return [(memory, register & ~(1 << bit) | value << bit, state)]
    (qubit,) = each["qubits"]
    if each["name"] != "measure":
        gate = Gate(each["name"], (qubit,))
        matrix = qubit_math.embedded(qubit_math.gate_unitary(gate), gate, 3)
        return [(memory, register, matrix @ state)]
    (slot,) = each["memory"]
    after = []
    for value in (0, 1):
        part = np.where(np.arange(8) >> qubit & 1 == value, state, 0)
        kept = register
        for bit in each.get("register", ()):
            kept = register & ~(1 << bit) | value << bit
        if np.vdot(part, part).real > 1e-12:
            after.append((memory & ~(1 << slot) | value << slot, kept, part))
    return after


def drawn(rng: random.Random) -> Json:
    kind = rng.randrange(6)
    if kind < 2:
        made: Json = {"name": rng.choice("hx"), "qubits": [rng.randrange(3)]}
    elif kind < 4:
        slot = rng.randrange(3)
        made = measure(rng.randrange(3), slot, rng.choice((slot, slot, slot, 3, None)))
    else:
        mask = rng.randrange(1, 16)
        val = mask & rng.randrange(16) if rng.random() < 0.9 else rng.randrange(16)
        return bfunc(rng.randrange(3, 6), hex(mask), hex(val), rng.choice(("==", "!=")))
    if rng.random() < 0.5:
        made["conditional"] = rng.randrange(6)
    return made


def test_whatever_is_read_does_what_a_register_of_bits_would_do() -> None:
    rng = random.Random(3)
    n_read = 0
    for _ in range(1_500):
        instructions = [drawn(rng) for _ in range(rng.randint(3, 9))]
        try:
            found = outcomes(*instructions)
        except InvalidProgram:
            continue
        assert found == pytest.approx(expected(instructions), abs=1e-12), instructions
        n_read += any("conditional" in each for each in instructions)
    assert n_read > 300
