"""Draws circuits of all families as SVG; the colours are in the style sheet of the page."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

from qwicket.circuits import atoms, photonic, qubit
from qwicket.circuits.qubit import QubitCircuit
from qwicket.programs.drawing import columns_of

if TYPE_CHECKING:
    from qwicket.programs.drawing import DrawingColumns

# Sizes in pixels.
_ROW: Final = 36
_CHAR: Final = 8
_PADDING: Final = 7
_GAP: Final = 10
_BOX: Final = 26
_NO_BOX: Final = ("●", "⊕", "✕", "⋮")
_CROSSINGS: Final = ("┼", "╫")
"""Marks that need no shape, because the lines of wire and bar cross there."""


def draw_packed(family: str, circuits: bytes, number: int, max_marks: int) -> tuple[str, str]:
    """Draw one circuit of a job.

    Args:
        family: Family of its device.
        circuits: The job's circuits, packed.
        number: Index of the circuit.
        max_marks: Limit on marks; the column that exceeds it and all later ones are left out.

    Returns:
        The drawing as SVG, and a sentence on what was left out; empty if nothing was.
    """
    circuit: Any
    if family == "photonic":
        circuit = _photons_as_qubits(photonic.unpack(circuits)[number])
    elif family == "atoms":
        circuit = _atoms_as_qubits(atoms.unpack(circuits)[number])
    else:
        circuit = qubit.unpack(circuits)[number]
    return draw(circuit, max_marks)


def draw(circuit: QubitCircuit, max_marks: int) -> tuple[str, str]:
    """Draw a circuit; return its SVG and what was left out."""
    drawing = columns_of(circuit)
    columns, n_marks = [], 0
    for marks, bars in drawing.columns:
        n_more = sum(mark not in _CROSSINGS for mark in marks.values())
        if n_marks + n_more > max_marks:
            break
        n_marks += n_more
        columns.append((marks, bars))
    left_out = drawing.left_out
    if len(columns) < len(drawing.columns):
        left_out = left_out or f"Left out: all after the first {n_marks:,} marks."
    return _svg(drawing._replace(columns=tuple(columns))), left_out


def _svg(drawing: DrawingColumns) -> str:
    has_labels = any(0 in marks for marks, _ in drawing.columns)  # row 0 has no wire
    top = 0 if has_labels else 1
    rows = range(top, len(drawing.names))
    begin = _CHAR * max(map(len, drawing.names)) + _PADDING
    shapes, bars, x = [], [], begin + _GAP
    for marks, joined in drawing.columns:
        width = max(
            (_width(mark) for mark in marks.values() if mark not in _CROSSINGS), default=_BOX
        )
        middle = x + width / 2
        bars += [f"M{middle:g} {_y(row, top)}v{_ROW}" for row in joined if row >= top]
        shapes += [
            _mark(mark, middle, _y(row, top))
            for row, mark in marks.items()
            if mark not in _CROSSINGS
        ]
        x += width + _GAP
    names = [
        f'<text class="name" x="0" y="{_y(row, top) + 4}">{escape(drawing.names[row])}</text>'
        for row in rows
    ]
    wires = "".join(f"M{begin} {_y(row, top)}H{x:g}" for row in range(1, drawing.n_wires + 1))
    height = _ROW * len(rows)
    return (
        f'<svg class="circuit" width="{x:g}" height="{height}" viewBox="0 0 {x:g} {height}"'
        f' role="img" aria-label="Drawing of the circuit">'
        f'<path class="wire" d="{wires}"/><path class="bar" d="{"".join(bars)}"/>'
        f"{''.join(names)}{''.join(shapes)}</svg>"
    )


def _y(row: int, top: int) -> int:
    return _ROW * (row - top) + _ROW // 2


def _width(mark: str) -> int:
    return _BOX if mark in _NO_BOX else max(_BOX, _CHAR * len(mark) + 2 * _PADDING)


def _mark(mark: str, x: float, y: int) -> str:
    if mark == "●":
        return f'<circle class="dot" cx="{x:g}" cy="{y}" r="5"/>'
    if mark == "⊕":
        cross = f'<path class="bar" d="M{x - 10:g} {y}h20M{x:g} {y - 10}v20"/>'
        return f'<circle class="box" cx="{x:g}" cy="{y}" r="10"/>{cross}'
    if mark == "✕":
        return f'<path class="bar" d="M{x - 6:g} {y - 6}l12 12m0-12l-12 12"/>'
    text = f'<text x="{x:g}" y="{y + 4}">{escape(mark)}</text>'
    if mark == "⋮":
        return text
    width = _width(mark)
    return (
        f'<rect class="box" x="{x - width / 2:g}" y="{y - _BOX // 2}" width="{width}"'
        f' height="{_BOX}"/>{text}'
    )


# Operations of the other families are drawn as gates on qubits with their names.


def _photons_as_qubits(circuit: photonic.PhotonicCircuit) -> QubitCircuit:
    ops: list[qubit.Op] = []
    for op in circuit.ops:
        if isinstance(op, photonic.Measure):
            ops += [qubit.Gate(f"measure {op.kind}", (mode,)) for mode in op.modes]
            continue
        numbers = tuple(param for param in op.params if isinstance(param, float | int))
        name = op.name.removesuffix("gate") + ("(…)" if len(numbers) < len(op.params) else "")
        ops.append(qubit.Gate(name, op.modes, numbers))
    return QubitCircuit(circuit.n_modes, tuple(ops), ())


def _atoms_as_qubits(circuit: atoms.AtomCircuit) -> QubitCircuit:
    ops: list[qubit.Op] = [qubit.Gate(gate.name, gate.wires, gate.params) for gate in circuit.gates]
    ops += [qubit.Gate("measure", (wire,)) for wire in circuit.measured]
    return QubitCircuit(len(circuit.shape), tuple(ops), ())
