"""Writer of flat circuits as OpenQASM 3, for people and for other tools.

Gates that `stdgates.inc` lacks are defined in the text, so that every reader of the language knows
them. Our reader returns the same operations, except for defined gates, global phases, and
conditions on several bits that are not a register.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from itertools import takewhile
from typing import Final

from qwicket.circuits.qubit import (
    DELAY,
    Branch,
    Gate,
    Jump,
    Measure,
    Op,
    QubitCircuit,
    Register,
    Reset,
)
from qwicket.programs.openqasm.gates import BUILT_IN_3, STDGATES
from qwicket.programs.openqasm.keywords import RESERVED_3


class NotWritable(Exception):
    """The language cannot express this circuit; the text names the reason."""


_STANDARD: Final = frozenset(
    ("id", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "rx", "ry", "rz", "p", "swap")
)
_CONTROLLED: Final = frozenset(("x", "y", "z", "h", "rx", "ry", "rz", "p"))
_DEFINED: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "sxdg": ((), "gate sxdg a { inv @ sx a; }"),
    "u": ((), "gate u(a0, a1, a2) a { gphase(-a0/2); U(a0, a1, a2) a; }"),
    "rzz": ((), "gate rzz(a0) a, b { cx a, b; rz(a0) b; cx a, b; }"),
    "zz": (("rzz",), "gate zz(a0) a, b { rzz(a0) a, b; }"),
    "rxx": (("rzz",), "gate rxx(a0) a, b { h a; h b; rzz(a0) a, b; h a; h b; }"),
    "ryy": (
        ("rzz",),
        "gate ryy(a0) a, b { rx(pi/2) a; rx(pi/2) b; rzz(a0) a, b; rx(-pi/2) a; rx(-pi/2) b; }",
    ),
    "gpi": ((), "gate gpi(a0) a { rz(-a0) a; x a; rz(a0) a; }"),
    "gpi2": ((), "gate gpi2(a0) a { rz(-a0) a; rx(pi/2) a; rz(a0) a; }"),
    "ms": (
        ("rzz", "rxx"),
        "gate ms(a0, a1, a2) a, b { rz(-a0) a; rz(-a1) b; rxx(a2) a, b; rz(a0) a; rz(a1) b; }",
    ),
}
"""Gates of the flat form that `stdgates.inc` lacks: the definitions that each uses, and its own
definition.

`gphase` undoes the phase e^{iθ/2} that `U` has in OpenQASM 3 and `u` of the flat form has not.
"""

_OTHER_WORDS: Final = (
    *("pi", "tau", "euler", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "exp", "log"),
    *("sqrt", "ceiling", "floor", "mod", "popcount", "rotl", "rotr", "real", "imag", "sizeof"),
)
"""Constants and functions of the language: no register is called like one."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def write(circuit: QubitCircuit, *, is_physical: bool = False) -> str:
    """Return a circuit as a program in OpenQASM 3.

    Args:
        circuit: The circuit.
        is_physical: Whether qubits are those of a machine, `$0` and so on; else they are declared.

    Raises:
        NotWritable: The circuit has a gate that is given by a matrix or by Pauli strings, or
            conditions that `if` and `else` cannot express.
    """
    return "".join(f"{line}\n" for line in _Writer(circuit, is_physical=is_physical).lines())


class _Writer:
    def __init__(self, circuit: QubitCircuit, *, is_physical: bool) -> None:
        self._circuit = circuit
        self._is_physical = is_physical
        self._names = _register_names(circuit.registers)
        # One of these names is free: a circuit has at most 10,000 registers.
        self._qubits = next(
            name for name in ("q", *(f"q{k}" for k in range(10_001))) if name not in self._names
        )
        self._bits = [
            f"{name}[{k}]"
            for name, register in zip(self._names, circuit.registers, strict=True)
            for k in range(register.size)
        ]
        self._whole = {}
        start = 0
        for name, register in zip(self._names, circuit.registers, strict=True):
            self._whole[tuple(range(start, start + register.size))] = name
            start += register.size

    def lines(self) -> Iterator[str]:
        yield "OPENQASM 3.0;"
        yield 'include "stdgates.inc";'
        yield from self._definitions()
        if self._circuit.n_qubits and not self._is_physical:
            yield f"qubit[{self._circuit.n_qubits}] {self._qubits};"
        for name, register in zip(self._names, self._circuit.registers, strict=True):
            if register.size:
                yield f"bit[{register.size}] {name};"
        yield from self._block(0, len(self._circuit.ops), "")

    def _definitions(self) -> Iterator[str]:
        used = {op.name for op in self._circuit.ops if isinstance(op, Gate)}
        needed = used | {each for name in used & _DEFINED.keys() for each in _DEFINED[name][0]}
        # The table lists each definition after those that it uses.
        yield from (text for name, (_, text) in _DEFINED.items() if name in needed)

    def _block(self, start: int, end: int, margin: str) -> Iterator[str]:
        """Write the operations from `start` up to `end`; no jump may lead out of them."""
        ops = self._circuit.ops
        place = start
        while place < end:
            op = ops[place]
            if isinstance(op, Branch):
                place = yield from self._if(place, end, margin)
                continue
            yield margin + self._statement(op)
            place += 1

    def _if(self, place: int, end: int, margin: str) -> Generator[str, None, int]:
        """Write an `if`; return the index of the operation after it."""
        ops = self._circuit.ops
        first = ops[place]
        assert isinstance(first, Branch)
        after = place + 1 + first.skip
        # Branches in a row that skip to the same place run their body if all of them hold.
        tests = list(takewhile(lambda k: self._leads_to(k, after), range(place, after)))
        body = place + len(tests)
        # A jump at the end of the body skips what runs otherwise: `else`.
        last = ops[after - 1] if after > body else None
        close = after + last.skip if isinstance(last, Jump) else after
        if close > end:
            raise NotWritable("its conditions are not nested as if and else")
        yield f"{margin}if ({' && '.join(self._condition(k) for k in tests)}) {{"
        yield from self._block(body, after - isinstance(last, Jump), margin + "  ")
        if close > after:
            yield margin + "} else {"
            yield from self._block(after, close, margin + "  ")
        yield margin + "}"
        return close

    def _leads_to(self, place: int, target: int) -> bool:
        op = self._circuit.ops[place]
        return isinstance(op, Branch) and place + 1 + op.skip == target

    def _condition(self, place: int) -> str:
        op = self._circuit.ops[place]
        assert isinstance(op, Branch)
        value = int(op.value)
        # The language compares a register as a number, but no list of bits.
        if op.clbits in self._whole:
            return f"{self._whole[op.clbits]} {op.relation} {value}"
        if len(op.clbits) == 1:
            return f"{self._bits[op.clbits[0]]} {op.relation} {value}"
        if op.relation not in ("==", "!=") or value >> len(op.clbits):
            raise NotWritable("it compares bits that are not a register")
        each = " && ".join(
            f"{self._bits[bit]} == {value >> k & 1}" for k, bit in enumerate(op.clbits)
        )
        return f"({each})" if op.relation == "==" else f"!({each})"

    def _statement(self, op: Op) -> str:
        match op:
            case Gate():
                return self._gate(op)
            case Measure():
                return f"{self._bits[op.clbit]} = measure {self._qubit(op.qubit)};"
            case Reset():
                return f"reset {self._qubit(op.qubit)};"
            case _:
                raise NotWritable("its conditions are not nested as if and else")

    def _qubit(self, index: int) -> str:
        return f"${index}" if self._is_physical else f"{self._qubits}[{index}]"

    def _gate(self, gate: Gate) -> str:
        if gate.name == DELAY:
            return f"delay[{gate.params[0]!r}s] {self._qubit(gate.targets[0])};"
        if gate.name not in _STANDARD and gate.name not in _DEFINED and gate.name != "gphase":
            raise NotWritable(f"it has a {gate.name}")
        angles = f"({', '.join(map(repr, gate.params))})" if gate.params else ""
        qubits = ", ".join(map(self._qubit, gate.controls + gate.targets))
        words = _modified(gate.name, len(gate.controls)) + angles
        return f"{words} {qubits};" if qubits else f"{words};"


def _modified(name: str, n_controls: int) -> str:
    """Return a gate's name with its controls: one name where the library has one."""
    if n_controls == 1 and name in _CONTROLLED | {"swap"}:
        return f"c{name}"
    if n_controls == 2 and name == "x":
        return "ccx"
    if n_controls:
        return f"ctrl({n_controls}) @ {name}" if n_controls > 1 else f"ctrl @ {name}"
    return name


def _register_names(registers: Sequence[Register]) -> list[str]:
    """Return different names that the language allows; other names become `c0`, `c1` and so on."""
    taken = {*RESERVED_3, *STDGATES, *BUILT_IN_3, *_DEFINED, *_OTHER_WORDS}
    names = []
    for k, register in enumerate(registers):
        fits = _NAME.fullmatch(register.name) and register.name not in taken
        name = register.name if fits else f"c{k}"
        while name in taken:
            name += "_"
        taken.add(name)
        names.append(name)
    return names
