"""Builds a circuit from the calls of QIR's base profile, which `text` and `bitcode` read.

Functions and their operands: QIR specification, "Base Profile"; the further gates are those of the
instruction sets of PyQIR and CUDA-Q.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import pi
from typing import Final, NamedTuple

from qwicket.circuits.qubit import Gate, Measure, Op, QubitCircuit, Register, Reset
from qwicket.model.errors import InvalidProgram
from qwicket.model.limits import Limits
from qwicket.model.suggestions import did_you_mean
from qwicket.programs.json_text import check_limit, quoted

REGISTER: Final = "c"
"""Name of the only register; QIR names none."""
MAX_ANGLE: Final = 1e100
"""Largest absolute value of an angle in radians, as in the OpenQASM readers."""
_SHOWN_CHARS: Final = 61

Value = int | float | str
"""Operand: a constant pointer as its number, a double as a float, anything else as its text."""


class _Rule(NamedTuple):
    """A flat gate, and the operands of its call: angles, then controls, then targets."""

    flat: str
    n_angles: int = 0
    n_targets: int = 1
    n_controls: int = 0
    to_params: Callable[..., tuple[float, ...]] | None = None


def _phased_rx(theta: float, phi: float) -> tuple[float, ...]:
    # CUDA-Q: a rotation by theta about cos(phi) X + sin(phi) Y.
    return (theta, phi - pi / 2, pi / 2 - phi)


_RULES: Final[Mapping[str, _Rule]] = {
    **{f"{name}__body": _Rule(name) for name in ("x", "y", "z", "h", "s", "t", "sdg", "tdg", "sx")},
    "i__body": _Rule("id"),
    "s__adj": _Rule("sdg"),
    "t__adj": _Rule("tdg"),
    **{f"{name}__body": _Rule(name, 1) for name in ("rx", "ry", "rz")},
    "r1__body": _Rule("p", 1),
    "u3__body": _Rule("u", 3),
    "phased_rx__body": _Rule("u", 2, to_params=_phased_rx),
    "cnot__body": _Rule("x", n_controls=1),
    **{f"c{name}__body": _Rule(name, n_controls=1) for name in ("x", "y", "z")},
    "ccx__body": _Rule("x", n_controls=2),
    "swap__body": _Rule("swap", n_targets=2),
    **{f"{name}__body": _Rule(name, 1, n_targets=2) for name in ("rxx", "ryy", "rzz")},
}
"""Gates by the end of their name, after `__quantum__qis__`."""

_QIS: Final = "__quantum__qis__"
_RT: Final = "__quantum__rt__"
_MEASUREMENTS: Final = frozenset({"mz__body", "m__body", "mresetz__body"})
_IGNORED: Final = frozenset(
    {
        f"{_RT}initialize",
        f"{_RT}array_record_output",
        f"{_RT}tuple_record_output",
        f"{_QIS}barrier__body",
    }
)
_OF_OTHER_PROFILES: Final = {
    "qubit_allocate": "qubits that are allocated while the program runs",
    "qubit_release": "qubits that are allocated while the program runs",
    "array_create": "arrays",
    "read_result": "results that are read while the program runs",
    "result_equal": "results that are read while the program runs",
    "result_get": "results that are read while the program runs",
    "__ctl": "controls in an array",
}
"""Parts of functions' names, and what such functions are for."""


_REQUIRED_QUBITS: Final = ("required_num_qubits", "num_required_qubits", "requiredQubits")
_REQUIRED_RESULTS: Final = ("required_num_results", "num_required_results", "requiredResults")
"""Attributes of the entry point, in the spellings of all versions."""


class _Pending(NamedTuple):
    """A measurement whose classical bits are known only at the end of the program."""

    qubit: int
    result: Value


class CircuitBuilder:
    """Makes a circuit from the calls of an entry point, one after another.

    Its errors do not say where in the program they are; the readers add that.

    Args:
        limits: Bounds on qubits, classical bits and operations.
        attributes: Attributes of the entry point.

    Raises:
        InvalidProgram: An attribute is malformed.
        LimitExceeded: An attribute is above a limit.
    """

    def __init__(self, limits: Limits, attributes: Mapping[str, str]) -> None:
        self._limits = limits.programs
        self._ops: list[Op | _Pending] = []
        self._n_qubits = _number(attributes, _REQUIRED_QUBITS)
        self._n_results = _number(attributes, _REQUIRED_RESULTS)
        self._width = self._n_qubits or 0
        self._results: dict[Value, None] = {}
        self._recorded: list[Value] = []
        check_limit("clifford_qubits", self._width, self._limits.clifford_qubits)
        check_limit("clbits", self._n_results or 0, self._limits.clbits)

    def add(self, name: str, values: Sequence[Value], returned: str = "") -> None:
        """Add a call.

        Args:
            name: Name of the function.
            values: Its operands.
            returned: Name of the variable that gets the call's result; empty for none.

        Raises:
            InvalidProgram: The function is not known, or an operand is wrong.
            LimitExceeded: A limit is exceeded.
        """
        short = name.removeprefix(_QIS)
        rule = _RULES.get(short)
        if name in _IGNORED:
            return
        if short == name:
            self._record(name, values)
        elif rule is not None:
            self._add_gate(name, rule, values)
        elif short in _MEASUREMENTS:
            self._measure(name, values, returned)
        elif short == "reset__body":
            _expect(name, values, 1)
            self._ops.append(Reset(self._qubit(values[0])))
        else:
            raise _unknown(name)
        self._check_operations(len(self._ops))

    def circuit(self) -> QubitCircuit:
        """Return the circuit. Without measurements, every qubit is measured at the end.

        Raises:
            InvalidProgram: A result is not recorded although a gate uses its qubit afterwards.
            LimitExceeded: A limit is exceeded.
        """
        self._width = max(self._width, 1)
        order = self._recorded or self._all_results()
        if not self._results:
            order = list(range(self._width))
            self._ops += [_Pending(qubit, qubit) for qubit in range(self._width)]
        clbits: dict[Value, list[int]] = {}
        for clbit, result in enumerate(order):
            clbits.setdefault(result, []).append(clbit)
        # Counted before they are made: a result that is recorded n times is measured n times.
        n_copies = [len(clbits.get(op.result, ())) for op in self._ops if isinstance(op, _Pending)]
        self._check_operations(len(self._ops) - len(n_copies) + sum(n_copies))
        registers = (Register(REGISTER, len(order)),)
        return QubitCircuit(self._width, tuple(self._measured(clbits)), registers)

    def _all_results(self) -> list[Value]:
        """Return the results of a program that records none, in the order of their numbers."""
        numbers = [result for result in self._results if isinstance(result, int)]
        if len(numbers) < len(self._results):
            return list(self._results)  # variables, which have no numbers: as they were measured
        return list(range(max([self._n_results or 0, *(number + 1 for number in numbers)])))

    def _measured(self, clbits: Mapping[Value, Sequence[int]]) -> Iterator[Op]:
        """Yield the operations, with measurements of recorded results only.

        A measurement without a record changes no outcome unless its qubit is used again.
        """
        dropped: dict[int, Value] = {}
        for op in self._ops:
            if isinstance(op, _Pending):
                if op.result not in clbits:
                    dropped[op.qubit] = op.result
                yield from [Measure(op.qubit, clbit) for clbit in clbits.get(op.result, ())]
                continue
            if isinstance(op, Reset):
                dropped.pop(op.qubit, None)
            elif isinstance(op, Gate) and dropped:
                for qubit in (*op.controls, *op.targets):
                    if qubit in dropped:
                        raise InvalidProgram(
                            f"qubit {qubit} is used again after it was measured, but its result"
                            f" {dropped[qubit]} is not recorded"
                        )
            yield op

    def _add_gate(self, name: str, rule: _Rule, values: Sequence[Value]) -> None:
        n_qubits = rule.n_controls + rule.n_targets
        _expect(name, values, rule.n_angles + n_qubits)
        angles = tuple([_angle(value) for value in values[: rule.n_angles]])
        qubits = tuple([self._qubit(value) for value in values[rule.n_angles :]])
        if len(set(qubits)) < n_qubits:
            raise InvalidProgram(f"{name} acts on the same qubit twice")
        params = angles if rule.to_params is None else rule.to_params(*angles)
        controls, targets = qubits[: rule.n_controls], qubits[rule.n_controls :]
        self._ops.append(Gate(rule.flat, targets, params, controls))

    def _measure(self, name: str, values: Sequence[Value], returned: str) -> None:
        n_values = 1 if returned else 2
        _expect(name, values, n_values)
        qubit = self._qubit(values[0])
        result = returned or self._result(values[1])
        self._results[result] = None
        check_limit("clbits", len(self._results), self._limits.clbits)
        self._ops.append(_Pending(qubit, result))
        if name.endswith("mresetz__body"):
            self._ops.append(Reset(qubit))

    def _record(self, name: str, values: Sequence[Value]) -> None:
        if name != f"{_RT}result_record_output":
            raise _unknown(name)
        if len(values) not in (1, 2):
            raise InvalidProgram(f"{name} takes 2 operands, not {len(values)}")
        is_variable = isinstance(values[0], str) and values[0] in self._results
        self._recorded.append(values[0] if is_variable else self._result(values[0]))
        check_limit("clbits", len(self._recorded), self._limits.clbits)

    def _qubit(self, value: Value) -> int:
        if not isinstance(value, int):
            raise InvalidProgram(f"a qubit must be a constant pointer, not {shown(value)}")
        if self._n_qubits is not None and value >= self._n_qubits:
            text = f"qubit {value} is outside the {self._n_qubits} that the entry point requires"
            raise InvalidProgram(text)
        if value >= self._width:
            check_limit("clifford_qubits", value + 1, self._limits.clifford_qubits)
            self._width = value + 1
        return value

    def _result(self, value: Value) -> int:
        if not isinstance(value, int):
            raise InvalidProgram(f"a result must be a constant pointer, not {shown(value)}")
        if self._n_results is not None and value >= self._n_results:
            text = f"result {value} is outside the {self._n_results} that the entry point requires"
            raise InvalidProgram(text)
        check_limit("clbits", value + 1, self._limits.clbits)
        return value

    def _check_operations(self, n_ops: int) -> None:
        check_limit("operations", n_ops, self._limits.operations, " or more")


def shown(value: object) -> str:
    """Return a part of a program for an error: short, quoted and printable."""
    return quoted(str(value), _SHOWN_CHARS)


def _number(attributes: Mapping[str, str], names: Sequence[str]) -> int | None:
    for name in names:
        text = attributes.get(name)
        if text is None:
            continue
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise InvalidProgram(f"{name} must be a whole number below 10⁹, not {shown(text)}")
        return int(text)
    return None


def _angle(value: Value) -> float:
    if not isinstance(value, float):
        raise InvalidProgram(f"an angle must be a constant double, not {shown(value)}")
    if not -MAX_ANGLE <= value <= MAX_ANGLE:  # also refuses NaN
        raise InvalidProgram(f"an angle must be within ±{MAX_ANGLE:g}, not {value}")
    return value


def _expect(name: str, values: Sequence[Value], number: int) -> None:
    if len(values) != number:
        plural = "" if number == 1 else "s"
        raise InvalidProgram(f"{name} takes {number} operand{plural}, not {len(values)}")


def _unknown(name: str) -> InvalidProgram:
    for part, purpose in _OF_OTHER_PROFILES.items():
        if part in name:
            text = f"{shown(name)} is for {purpose}, which the base profile does not have"
            return InvalidProgram(text)
    if not name.startswith((_QIS, _RT)):
        return InvalidProgram(f"{shown(name)} is a function of the program's own, which is not run")
    known = [f"{_QIS}{short}" for short in _RULES]
    return InvalidProgram(f"{shown(name)} is not known.{did_you_mean(name, known)}".rstrip("."))
