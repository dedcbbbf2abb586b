"""Layouts of devices that run one circuit only: checks whether a program is this circuit.

A layout is Blackbird with free parameters in braces, whose values the device may restrict.
Operations on different modes may come in any order; those on one mode come as in the layout.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import isclose
from typing import Final, NamedTuple

from qwicket.circuits.photonic import Formula, Gate, Measure, Op, Parameter, unpack
from qwicket.circuits.summary import Checked
from qwicket.model.devices import PhotonicSpec
from qwicket.model.errors import InvalidProgram
from qwicket.model.limits import Limits
from qwicket.vendors.xanadu.blackbird.reader import Reader
from qwicket.vendors.xanadu.blackbird.tokens import lines
from qwicket.vendors.xanadu.limits import BlackbirdLimits

Allowed = Mapping[str, Sequence[float | tuple[float, float]]]
"""Allowed values and ranges of parameters, by name."""

_FREE: Final = re.compile(r"\{\s*([A-Za-z_][A-Za-z_0-9]*)\s*\}")
# Blanks are not \s, which also matches line ends: many empty lines would take quadratic time.
_BINNED: Final = re.compile(r"^[ \t]*+type[ \t]++tdm\b", re.MULTILINE)
_MAX_FREE: Final = 1_000
_MAX_GATES: Final = 5_000
_TOLERANCE: Final = 1e-6
"""Allowed absolute difference of a number, because clients may round."""


class Layout(NamedTuple):
    """The circuit of a device.

    Attributes:
        ops: Its operations; a number in `names` stands for a free parameter.
        names: Free parameters by the numbers that stand for them.
    """

    ops: tuple[Op, ...]
    names: Mapping[float, str]


@lru_cache(maxsize=32)
def read_layout(text: str) -> Layout | None:
    """Return a layout's circuit; None if the text is empty or a time-domain program.

    A time-domain layout describes one time bin, with which no unrolled program can be compared.

    Raises:
        InvalidProgram: The text is not a layout.
        LimitExceeded: The layout is too large.
    """
    if not text.strip() or _is_binned(text):
        return None
    free = dict.fromkeys(_FREE.findall(text))  # each once, in the order of the text
    if len(free) > _MAX_FREE:
        raise InvalidProgram(f"a layout may have at most {_MAX_FREE} free parameters")
    # The reader knows no free parameters, so each is replaced by a number that no layout would
    # contain, and recognised in the circuit by this number.
    numbers = {name: 0.25 + 1.0000001e-4 * k for k, name in enumerate(free, 1)}
    written = _FREE.sub(lambda found: repr(numbers[found[1]]), text)
    own = BlackbirdLimits(blackbird_operations=_MAX_GATES)
    circuit = Reader(lines(written, own.program_lines), Limits(own=(own,))).program().circuit
    if any(isinstance(value, Formula) for op in circuit.ops for value in _params(op)):
        raise InvalidProgram("a layout's arguments must be numbers or free parameters")
    used = {value for op in circuit.ops for value in _params(op)}
    # In an expression such as `2*{r}` the number is no longer recognised.
    for name, number in numbers.items():
        if number not in used:
            raise InvalidProgram(f"{{{name}}} does not stand alone as a gate's argument")
    return Layout(circuit.ops, {number: name for name, number in numbers.items()})


def check(checked: Checked, device: str, spec: PhotonicSpec) -> None:
    """Check that a program is the circuit of a device's layout.

    Args:
        checked: The program.
        device: Name of the device.
        spec: Its specification, with the layout and the allowed values of its parameters.

    Raises:
        InvalidProgram: The program differs from the layout.
    """
    layout = read_layout(spec.layout)
    if layout is None:
        return
    try:
        # Counted in the summary first, so that a far longer program is not unpacked.
        n_gates = checked.summary.n_ops_1q + checked.summary.n_ops_2q
        if n_gates > len(layout.ops):
            raise InvalidProgram(f"the program has {n_gates} gates, too many")
        (circuit,) = unpack(checked.circuits)
        check_fits(circuit.ops, layout, spec.gate_parameters)
    except InvalidProgram as error:
        raise InvalidProgram(
            f"{device} runs only the circuit of its layout: {error.detail}. Strawberry Fields"
            " compiles programs to it.",
            field="program",
        ) from None


def _params(op: Op) -> tuple[Parameter, ...]:
    return op.params if isinstance(op, Gate) else ()


def _is_binned(text: str) -> bool:
    return _BINNED.search(text) is not None


def check_fits(ops: Sequence[Op], layout: Layout, allowed: Allowed) -> None:
    """Refuse a program that is not a device's circuit.

    Args:
        ops: The program's operations.
        layout: Layout of the device.
        allowed: Allowed values of its parameters; a missing name allows any number.

    Raises:
        InvalidProgram: The program differs from the layout; the detail says where.
    """
    gates = [op for op in ops if isinstance(op, Gate)]
    own = [op for op in layout.ops if isinstance(op, Gate)]
    if len(gates) != len(own):
        raise InvalidProgram(f"the program has {len(gates)} gates, the layout {len(own)}")
    # A queue of the layout's gates for each mode; a gate on two modes is in both.
    waiting: dict[int, deque[Gate]] = {}
    for gate in own:
        for mode in gate.modes:
            waiting.setdefault(mode, deque()).append(gate)
    values: dict[str, float] = {}
    for number, gate in enumerate(gates, 1):
        heads = [waiting[mode][0] for mode in gate.modes if waiting.get(mode)]
        here = f"gate {number} ({gate.name} on {_modes(gate)})"
        if not heads or (heads[0].name, heads[0].modes) != (gate.name, gate.modes):
            expected = f"{heads[0].name} on {_modes(heads[0])}" if heads else "nothing more"
            raise InvalidProgram(f"{here}: the layout has {expected} there")
        # The gate comes next on one of its modes, but on another the layout has a gate before it.
        if any(head is not heads[0] for head in heads):
            raise InvalidProgram(f"{here}: the layout has other gates before it")
        for mode in gate.modes:
            waiting[mode].popleft()
        for mine, theirs in zip(gate.params, heads[0].params, strict=True):
            _bind(here, mine, theirs, layout.names, values)
    for name, value in values.items():
        _check_allowed(name, value, allowed.get(name, ()))
    if _measured(ops) != _measured(layout.ops):
        raise InvalidProgram("the program's measurements differ from the layout's")


def _bind(
    here: str,
    mine: Parameter,
    theirs: Parameter,
    names: Mapping[float, str],
    values: dict[str, float],
) -> None:
    assert not isinstance(theirs, Formula)  # `read_layout` has refused them
    name = names.get(theirs)
    if isinstance(mine, Formula):
        raise InvalidProgram(f"{here}: the layout's parameters must be numbers")
    # A free parameter gets its value where it first occurs; further occurrences must agree.
    expected = theirs if name is None else values.setdefault(name, mine)
    if not isclose(mine, expected, abs_tol=_TOLERANCE):
        word = "this parameter" if name is None else name
        raise InvalidProgram(f"{here}: {word} must be {expected:g}, not {mine:g}")


def _check_allowed(name: str, value: float, allowed: Sequence[float | tuple[float, float]]) -> None:
    ranges = [each if isinstance(each, tuple) else (each, each) for each in allowed]
    if ranges and not any(low - _TOLERANCE <= value <= high + _TOLERANCE for low, high in ranges):
        known = " or ".join(
            f"{low:g}" if low == high else f"{low:g} to {high:g}" for low, high in ranges
        )
        raise InvalidProgram(f"{name} may be {known}, not {value:g}")


def _measured(ops: Sequence[Op]) -> set[tuple[str, int, float, bool]]:
    """Return what is measured: kind, mode, angle, and whether dark counts are simulated.

    A set of modes, because one operation on all modes equals one on each.
    """
    return {
        (op.kind, mode, op.angle, any(op.dark_counts))
        for op in ops
        if isinstance(op, Measure)
        for mode in op.modes
    }


def _modes(gate: Gate) -> str:
    return ", ".join(map(str, gate.modes))
