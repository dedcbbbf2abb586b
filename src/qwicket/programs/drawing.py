"""Drawings of circuits as text: a line per qubit, time to the right, gates as early as they fit.

The caller passes the width and the character set of the terminal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from math import isfinite, pi
from typing import Final, NamedTuple
from unicodedata import east_asian_width

from qwicket.circuits.qubit import Branch, Gate, Jump, Measure, Op, QubitCircuit, Register, Reset

_MAX_QUBITS: Final = 40
_MAX_COLUMNS: Final = 200
_WIDE: Final = 10_000
"""Width in characters of a page for SVG, which has no lines to fit into."""

_LABEL_CHARS: Final = 32
_MAX_PARAMETERS: Final = 3
_NO_QUBIT: Final = -1
"""Target of a gate on no qubit, in the first row."""
_SYMBOLS: Final = {"id": "I", "sdg": "S†", "tdg": "T†", "sx": "√X", "sxdg": "√X†", "swap": "✕"}
_ALIKE: Final = frozenset(("swap", "rxx", "ryy", "rzz", "zz"))
"""Gates that are symmetric in their targets."""

_ASCII_WORDS: Final = {"π": "pi", "√": "sqrt", "†": "dg", "→": "->", "⟩": ">", "·": "*"}
_ASCII_LINES: Final = str.maketrans("─│┼║╫┄●⊕✕⋮…", "-|+::.@Xx:~")

Names = Mapping[tuple[int, ...], str]


@dataclass
class _Column:
    """Marks and bars of one column by row, centred on an axis with `left` and `right` beside it."""

    marks: dict[int, str] = field(default_factory=dict)
    bars: dict[int, str] = field(default_factory=dict)
    left: int = 1
    right: int = 2

    def put(self, row: int, mark: str) -> None:
        self.marks[row] = mark
        self.left = max(self.left, 1 + len(mark) // 2)
        self.right = max(self.right, 1 + len(mark) - len(mark) // 2)

    def cell(self, text: str, fill: str) -> str:
        half = len(text) // 2
        return fill * (self.left - half) + text + fill * (self.right - len(text) + half)


class _Page:
    """Columns that fill up from the left.

    Row 0 has control-flow labels and gates on no qubit. The wires follow, then one row for all
    qubits that are left out.
    """

    def __init__(
        self, circuit: QubitCircuit, width: int, is_ascii: bool, max_columns: int = _MAX_COLUMNS
    ) -> None:
        self._max_columns = max_columns
        self.wires = _wires(circuit)
        self.bits = _bit_names(circuit.registers)
        names = ["", *(f"q{wire}" for wire in self.wires), "⋮"]
        del names[circuit.n_qubits + 1 :]  # no `⋮` if every qubit has a wire
        self.names = names
        self._names = [name.ljust(max(map(len, names)) + 1) for name in names]
        self._rows = {wire: row for row, wire in enumerate(self.wires, 1)} | {_NO_QUBIT: 0}
        self._others = len(self.wires) + 1
        self._words = str.maketrans(_ASCII_WORDS if is_ascii else {})
        self._width = max(12, width - len(self._names[0]) - 2)
        self.columns: list[_Column] = []
        # First free column of each row, and of each classical bit under a negative key, so that
        # measurements into one bit keep their order.
        self._free: dict[int, int] = defaultdict(int)
        # Wires with columns left. Once there is none, nothing more is placed.
        self._open = set(range(1, self._others)) or {0}

    def add(self, op: Op | str) -> bool:
        """Place an operation, or a control-flow label across all rows; return whether it is drawn.

        Operations after a label stay to the right of it.
        """
        if not self._open:
            return False
        if isinstance(op, str):
            return self._put({0: op}, range(len(self._names)), "║╫")
        marks = {self._rows.get(qubit, self._others): mark for qubit, mark in _marks(op, self.bits)}
        if marks.keys() == {self._others}:
            return False
        if self._others in marks:
            marks[self._others] = "⋮"
        clbits = [~op.clbit] if isinstance(op, Measure) else []
        return self._put(marks, range(min(marks), max(marks) + 1), "│┼", *clbits)

    def _put(self, marks: Mapping[int, str], rows: range, bars: str, *clbits: int) -> bool:
        """Draw marks in the first column that is free; return whether there is one.

        `bars` has the character that joins rows, and the one that crosses a row without a mark.
        """
        index = max(self._free[key] for key in (*rows, *clbits))
        self._free.update(dict.fromkeys((*rows, *clbits), index + 1))
        if index >= self._max_columns:
            self._open.difference_update(rows)
            return False
        self.columns += [_Column() for _ in range(index + 1 - len(self.columns))]
        for row in rows:
            self.columns[index].put(row, self._short(marks.get(row, bars[1])))
        self.columns[index].bars.update(dict.fromkeys(rows[:-1], bars[0]))
        return True

    def _short(self, text: str) -> str:
        text, maximum = text.translate(self._words), min(_LABEL_CHARS, self._width - 2)
        return text if len(text) <= maximum else text[: maximum - 9] + "…" + text[-8:]

    def lines(self) -> Iterator[str]:
        """Yield the lines of blocks of columns, with an empty line between two blocks."""
        start = used = 0
        for end, column in enumerate(self.columns):
            if used + column.left + column.right > self._width and end > start:
                yield from self._block(self.columns[start:end], "┄" if start else "─", "┄")
                yield ""
                start, used = end, 0
            used += column.left + column.right
        yield from self._block(self.columns[start:], "┄" if start else "─", "─")

    def _block(self, columns: Sequence[_Column], begin: str, end: str) -> Iterator[str]:
        first = 0 if any(0 in column.marks for column in columns) else 1
        for row, name in list(enumerate(self._names))[first:]:
            fill, ends = ("─", begin + end) if 0 < row < self._others else (" ", "  ")
            cells = "".join(column.cell(column.marks.get(row, fill), fill) for column in columns)
            yield name + ends[0] + cells + ends[1]
            if row < len(self._names) - 1:
                bars = "".join(column.cell(column.bars.get(row, " "), " ") for column in columns)
                yield " " * (len(name) + 1) + bars + " "


def draw(circuit: QubitCircuit, width: int = 80, *, is_ascii: bool = False) -> list[str]:
    """Draw a circuit.

    At most 200 columns are drawn, and of more than 40 qubits the first 40 that something acts on. A
    last sentence says what was left out.

    Args:
        circuit: Circuit to draw.
        width: Longest line in characters, from about 20 on and without the sentence; a wider
            circuit continues in further blocks.
        is_ascii: Whether to use ASCII only, except in names of registers: no line-drawing
            characters or Greek letters.

    Returns:
        Lines. Those of one block are equally long; an empty line separates two blocks.
    """
    page = _Page(circuit, width, is_ascii)
    left_out = _fill(page, circuit)
    lines = [line.translate(_ASCII_LINES if is_ascii else {}) for line in page.lines()]
    return [*lines, "", left_out] if left_out else lines


class DrawingColumns(NamedTuple):
    """The columns of a drawing, from which an SVG is made.

    Attributes:
        names: Names of the rows. The first row has control-flow labels and gates on no qubit; one
            after the wires stands for qubits left out, if any.
        n_wires: Number of wires, from row 1.
        columns: Marks, and bars to the row below, of each column by row.
        left_out: Sentence on what was left out; empty if nothing was.
    """

    names: tuple[str, ...]
    n_wires: int
    columns: tuple[tuple[Mapping[int, str], Mapping[int, str]], ...]
    left_out: str


def columns_of(circuit: QubitCircuit, max_columns: int = _MAX_COLUMNS) -> DrawingColumns:
    """Return at most `max_columns` columns of a circuit's drawing, with the wires of `draw`.

    A bar is `│` of an operation or `║` of a control-flow label; marks `┼` and `╫` are crossings.
    """
    page = _Page(circuit, _WIDE, is_ascii=False, max_columns=max_columns)
    left_out = _fill(page, circuit)
    columns = tuple((column.marks, column.bars) for column in page.columns)
    return DrawingColumns(tuple(page.names), len(page.wires), columns, left_out)


def _fill(page: _Page, circuit: QubitCircuit) -> str:
    """Place all operations; return a sentence on what was left out, or nothing."""
    labels = _flow_labels(circuit.ops, page.bits)
    n_drawn = 0
    for place, op in enumerate((*circuit.ops, None)):
        is_drawn = [page.add(label) for label in labels.get(place, ())]
        if op is not None:
            # The last label before a branch or jump is its own.
            n_drawn += is_drawn[-1] if isinstance(op, Branch | Jump) else page.add(op)
    n_hidden, n_ops = circuit.n_qubits - len(page.wires), len(circuit.ops)
    if not n_hidden and n_drawn == n_ops:
        return ""
    qubits = f"{n_hidden:,} of {circuit.n_qubits:,} qubits"
    return f"Left out: {qubits}, {n_ops - n_drawn:,} of {n_ops:,} operations."


def _wires(circuit: QubitCircuit) -> Sequence[int]:
    if circuit.n_qubits <= _MAX_QUBITS:
        return range(circuit.n_qubits)
    gates = (op for op in circuit.ops if isinstance(op, Gate))
    used = {qubit for gate in gates for qubit in (*gate.controls, *gate.targets)}
    used |= {op.qubit for op in circuit.ops if isinstance(op, Measure | Reset)}
    return sorted(used)[:_MAX_QUBITS] or range(_MAX_QUBITS)


def _marks(op: Op, bits: Names) -> Iterator[tuple[int, str]]:
    """Yield each qubit of an operation with its mark."""
    if isinstance(op, Measure):
        yield op.qubit, f"M→{bits[op.clbit,]}"
    elif isinstance(op, Reset):
        yield op.qubit, "|0⟩"
    elif isinstance(op, Gate):
        yield from ((control, "●") for control in op.controls)
        label = _SYMBOLS.get(op.name, op.name.upper() if len(op.name) == 1 else op.name)
        label = "⊕" if op.name == "x" and op.controls else label
        has_roles = len(op.targets) > 1 and op.name not in _ALIKE
        for k, target in enumerate(op.targets or (_NO_QUBIT,)):
            role = f":{k}" if has_roles else ""
            yield target, label + role + ("" if has_roles and k else _parameters(op))


def _parameters(gate: Gate) -> str:
    if gate.name == "unitary":
        return ""
    if gate.name == "delay":
        return f"({gate.params[0]:.4g} s)"
    texts = [_angle(parameter) for parameter in gate.params[:_MAX_PARAMETERS]]
    if gate.terms:
        texts = [f"{text}·{term}" for text, term in zip(texts, gate.terms, strict=False)]
    rest = "…" if len(gate.params) > _MAX_PARAMETERS else ""
    return f"({','.join(texts)}{rest})" if texts else ""


@lru_cache(4096)
def _angle(value: float) -> str:
    """Return a short text: a fraction of π where the value is one, else four digits."""
    turn = Fraction(value / pi).limit_denominator(64) if isfinite(value) else Fraction(0)
    top, bottom = turn.as_integer_ratio()
    if not 0 < abs(top) < 100 or abs(top * pi / bottom - value) > 1e-9:
        return f"{value or 0.0:.4g}"
    return {1: "π", -1: "-π"}.get(top, f"{top}π") + (f"/{bottom}" if bottom > 1 else "")


def _bit_names(registers: Sequence[Register]) -> Names:
    """Return the names of all bits and registers, with `?` for letters two cells wide."""
    names, start = {}, 0
    for register in registers:
        bits = range(start, start + register.size)
        name = "".join("?" if east_asian_width(each) in "WF" else each for each in register.name)
        names[tuple(bits)] = name
        names.update({(bit,): f"{name}[{k}]" for k, bit in enumerate(bits)})
        start += register.size
    return names


def _flow_labels(ops: Sequence[Op], bits: Names) -> Mapping[int, Sequence[str]]:
    """Return the control-flow labels before each operation and after the last."""
    tests = {k: _test(op, bits) for k, op in enumerate(ops) if isinstance(op, Branch)}
    ends = {k: k + 1 + op.skip for k, op in enumerate(ops) if isinstance(op, Branch | Jump)}
    return _nested_labels(ends, tests) or _numbered_labels(ends, tests)


def _test(branch: Branch, bits: Names) -> str:
    relation, value = branch.relation, branch.value
    if len(branch.clbits) == 1 and relation == "!=" and value in ("0", "1"):
        relation, value = "==", "10"[int(value)]
    together = ",".join(bits[bit,] for bit in branch.clbits)
    return f"{bits.get(branch.clbits, f'{{{together}}}')}{relation}{value}"


def _nested_labels(ends: Mapping[int, int], tests: Mapping[int, str]) -> dict[int, list[str]]:
    """Return the labels `if`, `else` and `end`; nothing if the jumps are not nested like these."""
    labels: dict[int, list[str]] = defaultdict(list)
    open_ends: list[int] = []
    for place in sorted({*ends, *ends.values()}):
        while open_ends and open_ends[-1] == place:
            labels[open_ends.pop()].append("end")
        if place not in ends:
            continue
        # A jump is an `else` only where it ends the block of an `if`.
        strays = place not in tests and (not open_ends or open_ends.pop() != place + 1)
        if strays or (open_ends and open_ends[-1] < ends[place]):
            return {}
        open_ends.append(ends[place])
        labels[place].append(f"if {tests[place]}" if place in tests else "else")
    return labels


def _numbered_labels(ends: Mapping[int, int], tests: Mapping[int, str]) -> dict[int, list[str]]:
    """Return labels of jumps to numbered places."""
    numbers = {end: number for number, end in enumerate(sorted(set(ends.values())), 1)}
    labels = defaultdict(list, {end: [f"{number}:"] for end, number in numbers.items()})
    for place, end in ends.items():
        unless = f" unless {tests[place]}" if place in tests else ""
        labels[place].append(f"→{numbers[end]}{unless}")
    return labels
