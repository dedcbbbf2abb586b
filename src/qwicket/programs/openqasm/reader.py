"""Reads an OpenQASM text: plain gates by a fast path, everything else by the full parser."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from qwicket.circuits.qubit import Gate, QubitCircuit
from qwicket.model.limits import Limits
from qwicket.programs.json_text import check_limit
from qwicket.programs.openqasm import arithmetic
from qwicket.programs.openqasm.arithmetic import OperandError
from qwicket.programs.openqasm.bounds import MAX_ANGLE, OpenQASMLimits
from qwicket.programs.openqasm.frames import ControlFlowExit
from qwicket.programs.openqasm.interpreter import Extension, Interpreter
from qwicket.programs.openqasm.statements import Parser
from qwicket.programs.openqasm.syntax import BitString, Literal
from qwicket.programs.openqasm.tokens import Tokens, split_element

_VERSIONS: Final = {2: re.compile(r"2(\.0)?"), 3: re.compile(r"3(\.[0-9]{1,4})?")}
"""Every minor version of 3 is read: a program of a later one may use only what is known here, and
what is not is refused where it stands."""
_DIGITS: Final = frozenset("0123456789.")
_LONGEST_KNOWN: Final = 64
"""Constants of fewer tokens are cached; longer ones are left to the full parser."""
_MAX_KNOWN: Final = 10_000
"""Maximum number of cached constants."""
_STEPS_OF_STATEMENT: Final = 5
_STEPS_OF_TOKEN: Final = 3
"""Cost of a statement that the full parser reads, and of each of its tokens, in steps."""
_ENDS: Final = frozenset({",", ")", "(", ";", ""})


class Reader:
    """Turns a text into a circuit.

    Args:
        text: The program.
        limits: Bounds on what the program may ask for.
        inputs: Values of the program's inputs, by name.
        version: 2 or 3.
        extension: What another language adds.
    """

    def __init__(
        self,
        text: str,
        limits: Limits,
        inputs: Mapping[str, float],
        version: int,
        extension: Extension | None = None,
    ) -> None:
        self._tokens = Tokens(text)
        maximum = limits.of(OpenQASMLimits).openqasm_tokens
        check_limit("openqasm_tokens", self._tokens.number, maximum)
        self._version = version
        self._max_operations = limits.programs.operations
        self._parser = Parser(self._tokens, version, takes_pragmas=extension is not None)
        self._interpreter = Interpreter(self._tokens, version, limits, inputs, extension)
        self._values: dict[tuple[str, ...], float] = {}

    @property
    def steps(self) -> int:
        """Tokens of the program, and the work of loops and gates that was counted so far."""
        return self._interpreter.steps

    def has_rounded_types(self) -> bool:
        """Return whether the program names `angle` or a short float, whose values are rounded."""
        texts = self._tokens.texts
        return any(
            (text.startswith("angle") and split_element(text)[0] == "angle")
            # `float [32]` is several tokens.
            or (text.startswith("float[") and text != "float[64]")
            or (text == "float" and texts[at] == "[")
            for at, text in enumerate(texts, 1)
        )

    def circuit(self) -> QubitCircuit:
        """Read the whole text and return its circuit."""
        parser, interpreter = self._parser, self._interpreter
        self._read_version()
        is_over = False
        while True:
            # After a measurement without a target, gates on its qubits need the check of the
            # interpreter.
            if not is_over and not interpreter.dropped:
                parser.at = self._plain_gates(parser.at)
            parser.skip_blanks()
            if parser.is_at_end():
                return interpreter.circuit(parser.at)
            start = parser.at
            statement = parser.statement()
            # Only tokens of the full parser count: the fast path takes a small fraction of its
            # time.
            n_steps = _STEPS_OF_STATEMENT + _STEPS_OF_TOKEN * (parser.at - start)
            interpreter.count_steps(n_steps, start)
            # After `end` the rest is parsed, but not run.
            if not is_over:
                try:
                    interpreter.run(statement)
                except ControlFlowExit:
                    is_over = True

    def _read_version(self) -> None:
        parser, texts = self._parser, self._tokens.texts
        parser.skip_blanks()
        if not parser.take("OPENQASM"):
            return
        number = texts[parser.at]
        if not _VERSIONS[self._version].fullmatch(number):
            raise self._tokens.expected_error(parser.at, f"version {self._version}.0 of OpenQASM")
        parser.at += 1
        parser.need(";", "after the version")

    def _plain_gates(self, at: int) -> int:
        """Read plain gates on single qubits as far as they go, and return where they end.

        Most of most programs is such gates: `cx q[0], q[1];` costs five tokens, no node and no
        scope. Whatever is unusual, errors included, is left to the parser.
        """
        texts, ops, maximum = self._tokens.texts, self._interpreter.ops, self._max_operations
        find_gate, find_qubit = (
            self._interpreter.single_op_gates.get,
            self._interpreter.elements.get,
        )
        params: tuple[float, ...]
        while len(ops) < maximum and (gate := find_gate(texts[at])) is not None:
            place, params = at + 1, ()
            if texts[place] == "(":
                known = self._plain_parameters(place + 1)
                if known is None:
                    break
                params, place = known
            qubit = find_qubit(texts[place])
            if qubit is None or len(params) != gate.n_parameters:
                break
            if gate.n_qubits == 1:
                op = Gate(gate.flat, (qubit,), params)
            else:
                qubits = [qubit]
                while texts[place + 1] == "," and len(qubits) < gate.n_qubits:
                    place += 2
                    qubits.append(find_qubit(texts[place], -1))
                if len(set(qubits)) != gate.n_qubits or -1 in qubits:
                    break
                n_controls = gate.n_controls
                op = Gate(gate.flat, tuple(qubits[n_controls:]), params, tuple(qubits[:n_controls]))
            if texts[place + 1] != ";":
                break
            ops.append(op)
            if gate.phase is not None:
                self._interpreter.add_phase(gate.phase(*params), at)
            at = place + 2
        return at

    def _plain_parameters(self, at: int) -> tuple[tuple[float, ...], int] | None:
        """Return constant angles from token `at` on, and the index after them, or None."""
        texts, place = self._tokens.texts, at
        values: list[float] = []
        while True:
            start = place
            while texts[place] not in _ENDS:
                place += 1
            value = self._plain_value(start, place)
            if value is None:
                return None
            values.append(value)
            place += 1
            if texts[place - 1] == ")":
                return tuple(values), place
            if texts[place - 1] != ",":
                return None

    def _plain_value(self, start: int, end: int) -> float | None:
        """Return a constant that tokens spell, or None; the same text is computed once."""
        texts, parser = self._tokens.texts, self._parser
        is_negative = texts[start] == "-"
        if end - start == 1 + is_negative and texts[end - 1][:1] in _DIGITS:
            try:
                value = float(texts[end - 1])
            except ValueError:
                return None
            # An angle that is too large is left to the interpreter, which reports its position.
            return (-value if is_negative else value) if value <= MAX_ANGLE else None
        key = tuple(texts[start : min(end, start + _LONGEST_KNOWN)])
        known = self._values.get(key)
        if known is not None or len(key) in (0, _LONGEST_KNOWN):
            return known
        # This moves the parser, but `circuit` sets its position after the plain gates.
        parser.at = start
        node = parser.expression()
        if parser.at != end or not isinstance(node, Literal) or isinstance(node.value, BitString):
            return None
        try:
            known = arithmetic.to_float(node.value)
        except OperandError:
            return None
        if not -MAX_ANGLE <= known <= MAX_ANGLE:
            return None
        if len(self._values) < _MAX_KNOWN:
            self._values[key] = known
        return known
