"""QIR's base profile as LLVM's bitcode.

`tests/data/qir` has the same programs in both forms, written by two versions of PyQIR.
"""

from __future__ import annotations

import base64
import random
import time
from pathlib import Path

import pytest

from qwicket.circuits.qubit import Gate, Measure, Reset
from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.programs import qir

DATA = Path(__file__).parents[3] / "data" / "qir"
NAMES = ("typed", "opaque")
LIMITS = Limits()
_HEAD = b"BC\xc0\xde"


def code(name: str) -> bytes:
    return (DATA / f"{name}.bc").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_bitcode_is_read_as_its_text(name: str) -> None:
    text = (DATA / f"{name}.ll").read_bytes()
    assert qir.read(code(name), LIMITS) == qir.read(text, LIMITS)


def test_programs_of_both_versions_are_the_same() -> None:
    first, second = (qir.read(code(name), LIMITS) for name in NAMES)
    assert first == second
    ops = first[0].ops
    assert ops[:2] == (Gate("h", (0,)), Gate("x", (0,)))
    assert ops[9] == Gate("rx", (2,), (-1 / 3,))
    assert ops[-5:-2] == (Gate("z", (1,), (), (2,)), Reset(2), Measure(0, 1))
    assert ops[-2:] == (Measure(1, 2), Measure(2, 0))


@pytest.mark.parametrize("name", NAMES)
def test_bitcode_in_base64_or_a_wrapper_is_read(name: str) -> None:
    plain = qir.read(code(name), LIMITS)
    assert qir.read(base64.b64encode(code(name)), LIMITS) == plain
    words = (0x0B17C0DE, 0, 20, len(code(name)), 7)
    wrapped = b"".join(word.to_bytes(4, "little") for word in words) + code(name)
    assert qir.read(wrapped, LIMITS) == plain


@pytest.mark.parametrize(("limit", "value"), [("clifford_qubits", 2), ("operations", 5)])
def test_limits_hold(limit: str, value: int) -> None:
    with pytest.raises(LimitExceeded, match=limit):
        qir.read(code("opaque"), Limits.from_names(**{limit: value}))


def test_an_error_says_which_instruction() -> None:
    text = code("opaque").replace(b"__quantum__qis__cz__body", b"__quantum__qis__qq__body")
    with pytest.raises(InvalidProgram) as caught:
        qir.read(text, LIMITS)
    reason = "instruction 19: '__quantum__qis__qq__body' is not known"
    assert caught.value.detail.startswith(reason)


def outcome(source: bytes) -> str:
    """Return "read", or the code of the error. Other errors are raised."""
    try:
        qir.read(source, LIMITS)
    except (InvalidProgram, LimitExceeded) as error:
        return error.code
    return "read"


@pytest.mark.parametrize("name", NAMES)
def test_every_truncation_is_refused_or_read(name: str) -> None:
    whole = code(name)
    outcomes = [outcome(whole[:size]) for size in range(4, len(whole))]
    assert set(outcomes) <= {"read", "invalid_program", "limit_exceeded"}
    assert outcomes.count("read") < len(outcomes) / 2  # what follows the names is not needed


@pytest.mark.parametrize("seed", range(4))
def test_damage_anywhere_never_raises_another_error(seed: int) -> None:
    rng, whole = random.Random(seed), code(NAMES[seed % 2])
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(rng.choice([1, 1, 2, 20])):
            damaged[rng.randrange(4, len(damaged))] ^= 1 << rng.randrange(8)
        began = time.thread_time()
        outcome(bytes(damaged))
        assert time.thread_time() - began < 3.0


class Bits:
    """Writes a bitstream."""

    def __init__(self) -> None:
        self._value = self._n_bits = 0

    def fixed(self, value: int, width: int) -> Bits:
        self._value |= value << self._n_bits
        self._n_bits += width
        return self

    def vbr(self, value: int, width: int) -> Bits:
        more = 1 << width - 1
        while value >= more:
            self.fixed(value & more - 1 | more, width)
            value >>= width - 1
        return self.fixed(value, width)

    def align(self) -> Bits:
        self._n_bits += -self._n_bits % 32
        return self

    def bytes(self, *, aligned: bool = True) -> bytes:
        if aligned:
            self.align()
        return self._value.to_bytes(self._n_bits // 8, "little")


def block(number: int, content: bytes, width: int = 3) -> bytes:
    head = Bits().fixed(1, 2).vbr(number, 8).vbr(width, 4).align()
    return head.fixed(len(content) // 4, 32).bytes() + content


def of_nothing(n_operands: int, n_records: int, length: int) -> bytes:
    """Return a block with an array of numbers without bits, or records of literals."""
    bits = Bits().fixed(2, 3).vbr(n_operands, 5)
    if length:
        bits.fixed(1, 1).vbr(1, 8).fixed(0, 1).fixed(3, 3).fixed(0, 1).fixed(1, 3).vbr(0, 5)
    else:
        for _ in range(n_operands):
            bits.fixed(1, 1).vbr(1, 8)
    for _ in range(n_records):
        bits.fixed(4, 3)
        if length:
            bits.vbr(length, 6)
    return bits.fixed(0, 3).bytes()


HOSTILE = {
    "an array of nothing": block(8, of_nothing(3, 1, 1 << 31)),
    "many arrays of nothing": block(8, of_nothing(3, 500, 1 << 16)),
    "many literals": block(8, of_nothing(2_000, 4_000, 0)),
    "a block beyond the end": Bits().fixed(1, 2).vbr(8, 8).vbr(3, 4).align().fixed(99, 32).bytes(),
    "blocks in blocks": b"".join([block(8, b"")] * 50_000),
    "a width of 0": block(8, b"\0" * 4, 0),
    "zeros": b"\0" * (1 << 20),
    "ones": b"\xff" * (1 << 20),
    "nothing": b"",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_few_bytes_cannot_ask_for_much(case: str) -> None:
    began = time.thread_time()
    assert outcome(_HEAD + HOSTILE[case]) in ("invalid_program", "limit_exceeded")
    assert time.thread_time() - began < 3.0


def test_a_megabyte_of_numbers_is_refused_in_time() -> None:
    numbers = Bits()
    for _ in range(8):  # of whole bytes together
        numbers.fixed(3, 3).vbr(1, 6).vbr(1_000, 6)
        for _ in range(1_000):
            numbers.fixed(1, 6)
    content = numbers.bytes(aligned=False) * 172
    content += b"\0" * (4 + -len(content) % 4)
    began = time.thread_time()
    with pytest.raises(InvalidProgram, match="the module defines 0 functions"):
        qir.read(_HEAD + block(8, block(17, content) + b"\0" * 4, 2), LIMITS)
    assert time.thread_time() - began < 5.0


def test_blocks_that_copy_many_abbreviations_are_refused_in_time() -> None:
    known = Bits().fixed(3, 3).vbr(1, 6).vbr(1, 6).vbr(17, 6)  # for blocks of types
    for _ in range(20_000):
        known.fixed(2, 3).vbr(1, 5).fixed(1, 1).vbr(1, 8)
    types = block(17, Bits().fixed(0, 3).bytes())
    module = block(0, known.fixed(0, 3).bytes()) + types * 20_000
    began = time.thread_time()
    with pytest.raises(LimitExceeded, match="more than 2,000,000 numbers"):
        qir.read(_HEAD + block(8, module, 2), LIMITS)
    assert time.thread_time() - began < 3.0
