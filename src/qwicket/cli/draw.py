"""`qwicket job draw`: what a program does and what it will need, without a server."""

from __future__ import annotations

import codecs
import shutil
import sys
import textwrap
from collections import Counter, defaultdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import click

from qwicket.circuits.analysis import summarise
from qwicket.circuits.qubit import Branch, Gate, Jump, Measure, Op, QubitCircuit, Reset, unpack
from qwicket.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

"""Formats in JSON that are detected from the text."""

_KINDS: Final = (
    ("Measure", "measures"),
    ("Reset", "resets"),
    ("Branch", "branches"),
    ("Jump", "jumps"),
)
_SHOTS: Final = 1000
_INDENT: Final = 17
_LINE_CHARS: Final = 80
_BYTE_UNITS: Final = ((1e3, "kB"), (1e6, "MB"), (1e9, "GB"), (1e12, "TB"), (1e15, "PB"))
_TIME_UNITS: Final = ((1e-3, "ms"), (1.0, "s"), (60.0, "min"), (3600.0, "h"), (86400.0, "days"))


@click.command(short_help="Draw a program and sum it up.")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--format",
    "format_name",
    metavar="F",
    help="Format of the program; by default detected from the text, or the extension .json.",
)
@options.inputs
def draw(file: IO[bytes], format_name: str | None, inputs: tuple[tuple[str, float], ...]) -> None:
    """Draw the program in FILE ("-" is standard input), count its operations, estimate its needs.

    No server is needed: the program is parsed here, with a server's default limits. The exit status
    is 1 when it is refused.
    """
    from qwicket import engines, programs
    from qwicket.circuits.options import RunOptions
    from qwicket.model.errors import QwicketError
    from qwicket.model.limits import Limits

    limits = Limits()
    name = str(getattr(file, "name", "<stdin>"))
    try:
        source = file.read(limits.programs.program_json_bytes + 1).removeprefix(codecs.BOM_UTF8)
        known = format_name or _format_of(Path(name).suffix.lower(), programs.guess_format(source))
        checked = programs.read(known, source, limits, dict(inputs))
    except OSError as error:
        raise click.ClickException(f"{name}: {error.strerror}.") from None
    except QwicketError as error:
        raise click.ClickException(f"{name}: {error.detail}") from None
    # Only circuits of qubits are drawn.
    circuits = unpack(checked.circuits) if checked.summary.family == "qubit" else ()
    for number, circuit in enumerate(circuits, 1):
        title = [f"Circuit {number} of {len(circuits)}", ""] if len(circuits) > 1 else []
        _print(*title, *_drawing(circuit), "", *_facts(circuit), *title[1:])
    shots = checked.summary.shots or _SHOTS  # a program may state its own
    needs = engines.estimate(checked.summary, RunOptions(shots=shots, seed=0, outputs=("counts",)))
    estimate = f"{_scaled(needs.bytes, _BYTE_UNITS)}, {_scaled(needs.seconds, _TIME_UNITS)}"
    _print(_fact("format", known), _fact("estimate", f"{estimate} for {shots:,} shots"))


def _format_of(extension: str, guessed: str) -> str:
    """Return the guessed format; for a `.json` file whose text is no JSON object, one in JSON."""
    from qwicket import programs

    if extension == ".json" and not programs.FORMATS[guessed].json_keys:
        return programs.guess_format(b"{}")
    return guessed


def _print(*lines: str) -> None:
    click.echo("\n".join(line.rstrip() for line in lines))


def _drawing(circuit: QubitCircuit) -> list[str]:
    from qwicket.programs.drawing import draw as drawn

    width = shutil.get_terminal_size().columns
    lines = drawn(circuit, width)
    try:
        "".join(lines).encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return drawn(circuit, width, is_ascii=True)
    return lines


def _facts(circuit: QubitCircuit) -> Iterator[str]:
    summary = summarise((circuit,))
    widths = Counter(len(_operands(op)) for op in circuit.ops if isinstance(op, Gate))
    n_wider = sum(n for width, n in widths.items() if width > 2)
    yield _fact("qubits", f"{circuit.n_qubits:,} ({summary.n_active:,} active)")
    yield _fact("classical bits", f"{circuit.n_clbits:,}")
    yield _fact("operations", f"{len(circuit.ops):,}")
    yield from _kinds(circuit.ops)
    yield _fact("depth", f"{depth(circuit.ops):,}")
    yield _fact("two-qubit gates", f"{widths[2]:,}" + (f", {n_wider:,} wider" if n_wider else ""))
    yield _fact("Clifford", "yes" if summary.is_clifford else "no")


def _kinds(ops: Sequence[Op]) -> Iterator[str]:
    names = Counter(_name(op) for op in ops if isinstance(op, Gate))
    if names:
        ranked = sorted(names.items(), key=lambda item: (-item[1], item[0]))
        listed = ", ".join(f"{n:,} {name}" for name, n in ranked)
        yield _fact("  gates", f"{names.total():,}: {listed}")
    kinds = Counter(type(op).__name__ for op in ops)
    yield from (_fact(f"  {label}", f"{kinds[kind]:,}") for kind, label in _KINDS if kinds[kind])


def _name(gate: Gate) -> str:
    n_controls = len(gate.controls)
    return ("c" * n_controls if n_controls < 3 else f"c{n_controls}") + gate.name


def _fact(name: str, value: str) -> str:
    line = name.ljust(_INDENT) + value
    return textwrap.fill(line, _LINE_CHARS, subsequent_indent=" " * _INDENT)


def _scaled(value: float, units: tuple[tuple[float, str], ...]) -> str:
    """Return a quantity in the largest unit that it fills."""
    size, unit = max((each for each in units if each[0] <= value), default=units[0])
    return f"{value / size:,.1f} {unit}"


def depth(ops: Sequence[Op]) -> int:
    """Return the length of the longest path through shared qubits and classical bits.

    Operations that a branch may skip count, and wait for the bits that it tests. Branches, jumps
    and global phases take no time themselves.
    """
    levels: dict[int, int] = defaultdict(int)
    # Stack of (end, level): operations before `end` start at `level` or later. The top has the
    # highest level, so an entry is not needed any more once a new one ends after it.
    waits = [(len(ops) + 1, 0)]
    for place, op in enumerate(ops):
        while waits[-1][0] <= place:
            waits.pop()
        operands = _operands(op)
        level = max([waits[-1][1], *(levels[operand] for operand in operands)])
        if isinstance(op, Branch | Jump):
            end = min(place + 1 + op.skip, len(ops))
            while waits[-1][0] <= end:
                waits.pop()
            waits.append((end, level))
        else:
            levels.update(dict.fromkeys(operands, level + 1))
    return max(levels.values(), default=0)


def _operands(op: Op) -> tuple[int, ...]:
    """Return an operation's operands: qubits as their numbers q ≥ 0, classical bits as ~b < 0."""
    match op:
        case Gate():
            return op.controls + op.targets
        case Measure():
            return (op.qubit, ~op.clbit)
        case Reset():
            return (op.qubit,)
        case Branch():
            return tuple(~clbit for clbit in op.clbits)
    return ()
