"""Damages valid programs, and says what must hold whatever the damage."""

from __future__ import annotations

import math
import random
import re
import time
from typing import NamedTuple

from qwicket.circuits.qubit import Branch, Gate, Jump, Measure, QubitCircuit, Reset, pack
from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.programs.openqasm import read_openqasm2, read_openqasm3
from unit.programs.openqasm.corpus import PROGRAMS, Program

LIMITS = Limits.from_names(operations=5_000)

_PIECES = re.compile(r"\w+|\s+|.", re.DOTALL)
_POOL = """
OPENQASM include gate opaque if else for in while switch case default break continue end let const
input output qubit qreg bit creg int uint float angle bool reset measure barrier nop gphase inv pow
ctrl negctrl true false pi tau sin sqrt pow mod popcount def box delay pragma @a.b U CX x h cx rz
u3 cu ccx swap g q c a n q[0] q[1] c[0] c[99] q[-1] q[0:1] q[{0,1}] $0 $1 $99999 "01" "stdgates.inc"
0 1 2 -1 7 64 1000 1000001 9999999999 1e9 1e309 0.5 .5 1. 0x1f 0b101 0xg 1_0 1__0 99999999999999999
( ) [ ] { } ; , : . = == != < <= > >= + - * / % ** ^ & | && || ! ~ << >> ++ -> @ += # $ " ' // /* */
θ µ 😀 \\ ` ? \x00 \ufeff
""".split()  # noqa: SIM905  a list would take a hundred lines


def mutate(rng: random.Random, text: str) -> str:
    """Return a text with one to four edits, of words or of whole statements."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        text = rng.choice((_edit_words, _edit_statements, _edit_number))(rng, text)
    return text


def _edit_number(rng: random.Random, text: str) -> str:
    numbers = list(re.finditer(r"\d+", text))
    if not numbers:
        return text
    chosen = rng.choice(numbers)
    number = rng.choice(("0", "1", "2", "3", "4", "5", "9", "100", "10001", "2.5", "n", "-1"))
    return text[: chosen.start()] + number + text[chosen.end() :]


def _edit_statements(rng: random.Random, text: str) -> str:
    parts = re.split(r"(?<=[;{}])", text)
    donor = re.split(r"(?<=[;{}])", rng.choice(list(PROGRAMS.values())).text)
    place, other = rng.randrange(len(parts)), rng.randrange(len(parts))
    match rng.randrange(5):
        case 0:
            del parts[place]
        case 1:
            parts.insert(place, parts[other])
        case 2:
            parts[place], parts[other] = parts[other], parts[place]
        case 3:
            parts.insert(place, rng.choice(donor))
        case _:
            parts[place] *= rng.choice((2, 3, 30))
    return "".join(parts)


def _edit_words(rng: random.Random, text: str) -> str:
    pieces = _PIECES.findall(text)
    place = rng.randrange(len(pieces) + 1)
    length = min(rng.choice((1, 1, 1, 2, 5, 20)), len(pieces))
    match rng.randrange(6):
        case 0:
            del pieces[place : place + length]
        case 1:
            pieces[place:place] = pieces[place : place + length] * rng.choice((1, 1, 2, 50))
        case 2:
            pieces.insert(place, rng.choice(_POOL))
        case 3:
            pieces[place : place + 1] = [rng.choice(_POOL)]
        case 4:
            other = rng.randrange(len(pieces) + 1)
            moved = pieces[other : other + length]
            pieces[other : other + length] = pieces[place : place + length]
            pieces[place : place + length] = moved
        case _:
            letter = chr(rng.choice((rng.randrange(128), rng.randrange(0xD800))))
            pieces.insert(place, letter)
    return "".join(pieces)


def read_mutant(program: Program, text: str) -> QubitCircuit | None:
    """Read a damaged program; None if it was refused as it should be."""
    read = read_openqasm2 if program.version == 2 else read_openqasm3
    try:
        (circuit,) = read(text.encode(), LIMITS, program.inputs)
    except (InvalidProgram, LimitExceeded) as refusal:
        detail = refusal.detail
    else:
        return circuit
    assert re.match(r"line \d+, column \d+: .", detail), detail
    assert len(detail) < 400
    return None


def check(circuit: QubitCircuit) -> None:
    """Whatever was read is a circuit that an engine can run."""
    assert 1 <= circuit.n_qubits <= 10_000
    assert circuit.n_clbits <= 10_000
    assert len(circuit.ops) <= LIMITS.programs.operations
    qubits, clbits = range(circuit.n_qubits), range(circuit.n_clbits)
    for place, op in enumerate(circuit.ops):
        match op:
            case Gate(name, targets, params, controls):
                used = (*targets, *controls)
                assert len(set(used)) == len(used)
                assert all(qubit in qubits for qubit in used), op
                assert all(math.isfinite(angle) for angle in params), op
                assert len(targets) == {"gphase": 0, "swap": 2}.get(
                    name, 2 if name in ("rxx", "ryy", "rzz") else 1
                )
            case Measure(qubit, clbit):
                assert qubit in qubits
                assert clbit in clbits
            case Reset(qubit):
                assert qubit in qubits
            case Branch(tested, _, value, skip):
                assert all(clbit in clbits for clbit in tested)
                assert int(value) >= 0
                assert 0 <= skip <= len(circuit.ops) - place - 1
            case Jump(skip):
                assert 0 <= skip <= len(circuit.ops) - place - 1
    pack((circuit,))


class Tally(NamedTuple):
    """What came of many damaged programs.

    Attributes:
        n_read: How many were read into sound circuits.
        n_refused: How many were refused as they should be.
        faults: What was wrong with the others; each begins with its seed.
        slowest: CPU seconds, seed and name of those that took longest, the longest first.
    """

    n_read: int
    n_refused: int
    faults: list[str]
    slowest: list[tuple[float, int, str]]


_N_SLOWEST = 5


def fuzz(first: int, count: int) -> Tally:
    """Damage programs, one with each seed from `first` on, and read them."""
    programs = list(PROGRAMS.items())
    n_read = n_refused = 0
    faults: list[str] = []
    slowest: list[tuple[float, int, str]] = []
    for seed in range(first, first + count):
        rng = random.Random(seed)
        name, program = rng.choice(programs)
        text = mutate(rng, program.text)
        start = time.process_time()
        try:
            circuit = read_mutant(program, text)
            seconds = time.process_time() - start
            if circuit is not None:
                check(circuit)
            n_read += circuit is not None
            n_refused += circuit is None
        except Exception as fault:
            seconds = time.process_time() - start
            faults.append(f"{seed}, {name}: {fault!r}\n{text}")
        slowest = sorted([*slowest, (seconds, seed, name)], reverse=True)[:_N_SLOWEST]
    return Tally(n_read, n_refused, faults, slowest)
