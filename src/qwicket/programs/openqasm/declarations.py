"""Declarations and assignments of a program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from qwicket.circuits.qubit import Register
from qwicket.model.errors import InvalidProgram
from qwicket.model.limits import Limits
from qwicket.programs.openqasm import syntax
from qwicket.programs.openqasm.bounds import MAX_CLBITS, MAX_QUBITS, OpenQASMLimits
from qwicket.programs.openqasm.gate_table import GateTable
from qwicket.programs.openqasm.gates import StandardGate
from qwicket.programs.openqasm.measured import CONSTANT_TYPES, Bits, Measured, Qubits
from qwicket.programs.openqasm.syntax import (
    BitString,
    Constant,
    Duration,
    Expression,
    Statement,
)
from qwicket.programs.openqasm.tokens import Tokens, quoted
from qwicket.programs.openqasm.values import Evaluator, Variable

_LARGEST_INPUT: Final = 1e300
_ONLY_MEASURED: Final = (
    "only measurements set bits; a 'bool' or 'uint' can hold what is computed from them"
)


class Declarations:
    """Carries out declarations and assignments.

    Args:
        tokens: Tokens of the program, for the positions of errors.
        version: 2 or 3.
        limits: Bounds on what the program may ask for.
        inputs: Values of the program's inputs, by name.
        gates: Gates that are known in addition to the language's.

    Attributes:
        evaluator: Computes expressions with the declared names.
        gate_table: The gates that the program knows.
        elements: Index of each declared or physical qubit by its text: `q`, `q[3]` or `$3`. Aliases
            and parameters of gates are not in it.
        registers: The classical registers so far.
        n_qubits: The number of qubits so far.
    """

    def __init__(
        self,
        tokens: Tokens,
        version: int,
        limits: Limits,
        inputs: Mapping[str, float],
        gates: Mapping[str, StandardGate],
    ) -> None:
        max_steps = limits.of(OpenQASMLimits).openqasm_steps
        self.evaluator = Evaluator(tokens, self._physical_qubit, max_steps)
        self.gate_table = GateTable(
            tokens, version, self.evaluator, limits.programs.operations, gates
        )
        self.elements: dict[str, int] = {}
        self.registers: list[Register] = []
        self.n_qubits = 0
        self._max_name = limits.requests.name_chars
        self._tokens = tokens
        self._inputs = dict(inputs)
        self._n_clbits = 0
        self._is_physical = False

    def declare(self, statement: Statement, branch_depth: int) -> None:
        """Carry out a declaration.

        Args:
            statement: The declaration.
            branch_depth: Number of branches around it whose condition depends on a measurement.
        """
        match statement:
            case syntax.QuantumDeclaration():
                self._declare_qubits(statement)
            case syntax.BitDeclaration():
                self._declare_bits(statement)
            case syntax.Declaration():
                self._declare_variable(statement, branch_depth)
            case syntax.InputDeclaration():
                self._declare_input(statement)
            case syntax.Alias():
                self._declare_alias(statement)
            case syntax.GateDefinition():
                if statement.name in self.evaluator.scopes.stack[0]:
                    raise self._redeclaration_error(statement.name, statement.at)
                self.gate_table.define(statement)
            case syntax.OpaqueDeclaration():
                self.gate_table.declare_opaque(statement.name, statement.at)
            case syntax.Include():
                self.gate_table.include(statement.at)
            case _:
                raise AssertionError(statement)

    def assign(self, statement: syntax.Assignment, branch_depth: int) -> None:
        """Change a variable.

        Args:
            statement: The assignment.
            branch_depth: Number of branches around it whose condition depends on a measurement.
        """
        target, at = statement.target, statement.at
        variable = None  # stays None for a part of a register, such as `b[0]`
        if isinstance(target, syntax.Name):
            variable = self.evaluator.scopes.find(target.name)
        if variable is None or isinstance(variable.value, Bits):
            reason = _ONLY_MEASURED
            if not isinstance(self.evaluator.value(target), Bits):
                reason = "only whole variables can be assigned"
            raise self._tokens.error(at, reason)
        if variable.is_constant or not variable.type_name:
            # Registers, aliases and parameters have no type.
            raise self._tokens.error(at, "this is not a variable that can change")
        name, size = variable.type_name, variable.size
        node = statement.value
        if statement.operator != "=":
            node = syntax.Chain(target, (syntax.Step(statement.operator[:-1], node, at),))
        value = self.evaluator.value_for(name, size, node, at)
        if variable.branch_depth != branch_depth:  # the variable is from outside this branch
            if not isinstance(value, Measured):
                reason = "the value would depend on a measurement; only measured bits can do that"
                raise self._tokens.error(at, reason)
            # Whether the branch ran is unknown after it, so its end invalidates the variable.
            self.evaluator.tentative.append(variable)
        self.evaluator.set_value(variable, value, at)

    def check_complete(self, at: int) -> None:
        """Refuse a program without qubits, and values for inputs that it does not have."""
        if not self.n_qubits:
            raise self._tokens.error(at, "the program declares no qubits")
        # What is left is most likely a misspelled name, so it is not ignored.
        if self._inputs:
            name = quoted(min(self._inputs))
            raise self._tokens.error(at, f"the program has no input {name}")

    def indices(self, spelling: str, at: int) -> tuple[int, ...]:
        """Return the indices of the qubits of a register, of an element `q[3]`, or of `$3`."""
        if spelling[:1] == "$":
            return (self._physical_qubit(int(spelling[1:]), at),)
        if spelling in self.elements:
            return (self.elements[spelling],)
        variable = self.evaluator.scopes.find(spelling)
        if variable is None or not isinstance(variable.value, Qubits):
            raise self._tokens.error(at, f"there are no qubits {quoted(spelling)}")
        return variable.value.indices

    # --- kinds of declarations --------------------------------------------------------------------

    def _add_name(self, name: str, variable: Variable, at: int) -> None:
        if len(name) > self._max_name:
            reason = f"a name has at most {self._max_name} characters (limit 'name_chars')"
            raise self._tokens.limit_error(at, reason)
        names = self.evaluator.scopes.stack[-1]
        # Only gates of the program: a variable may well be called `t`, like a gate of a library.
        if name in names or self.gate_table.is_user_gate(name):
            raise self._redeclaration_error(name, at)
        names[name] = variable

    def _redeclaration_error(self, name: str, at: int) -> InvalidProgram:
        return self._tokens.error(at, f"{quoted(name)} is declared twice")

    def _size(self, size: Expression | None, used: int, limit: int, at: int, noun: str) -> int:
        """Return the size of a new register."""
        n_elements = 1 if size is None else self.evaluator.integer(size, at)
        if n_elements < 1:
            raise self._tokens.error(at, f"a register has at least 1 element, not {n_elements}")
        if used + n_elements > limit:
            raise self._tokens.limit_error(at, f"a program has at most {limit:,} {noun}")
        self.evaluator.count_steps(n_elements, at)
        return n_elements

    def _declare_qubits(self, statement: syntax.QuantumDeclaration) -> None:
        name, at = statement.name, statement.at
        # `$3` is a number itself, so it would collide with the numbers of declared qubits.
        if self._is_physical:
            raise self._tokens.error(at, "declared and physical qubits cannot be mixed")
        first = self.n_qubits
        size = self._size(statement.size, first, MAX_QUBITS, at, "qubits")
        indices = tuple(range(first, first + size))
        is_scalar = statement.size is None
        self._add_name(name, Variable(Qubits(indices, is_scalar)), at)
        self.n_qubits += size
        if is_scalar:
            self.elements[name] = first
        else:
            self.elements.update((f"{name}[{i}]", first + i) for i in range(size))

    def _physical_qubit(self, index: int, at: int) -> int:
        if self.n_qubits and not self._is_physical:
            raise self._tokens.error(at, "declared and physical qubits cannot be mixed")
        if index >= MAX_QUBITS:
            raise self._tokens.limit_error(at, f"a program has at most {MAX_QUBITS:,} qubits")
        self._is_physical = True
        # Physical qubits are not declared, so the highest one used gives the number of qubits.
        self.n_qubits = max(self.n_qubits, index + 1)
        self.elements[f"${index}"] = index
        return index

    def _declare_bits(self, statement: syntax.BitDeclaration) -> None:
        name, at = statement.name, statement.at
        first = self._n_clbits
        size = self._size(statement.size, first, MAX_CLBITS, at, "classical bits")
        if statement.value is not None:
            value = self.evaluator.value(statement.value)
            if isinstance(value, CONSTANT_TYPES):
                value = self.evaluator.convert(syntax.Type("bit", statement.size, at), value)
            # A circuit has no operation that sets a bit, and all bits begin as 0.
            if value not in (False, BitString(0, size)):
                raise self._tokens.error(at, f"{quoted(name)} starts as 0: {_ONLY_MEASURED}")
        bits = Bits(tuple(range(first, first + size)), statement.size is None)
        self._add_name(name, Variable(bits), at)
        self.registers.append(Register(name, size))
        self._n_clbits += size

    def _declare_variable(self, statement: syntax.Declaration, branch_depth: int) -> None:
        type_, initial, at = statement.type, statement.value, statement.at
        size = self.evaluator.size(type_)
        value: Constant | Duration | Measured
        if type_.name == "duration":
            value = Duration(0.0) if initial is None else self.evaluator.duration(initial, at)
        elif initial is None or statement.is_constant:
            # OpenQASM leaves the value undefined where none is given; here it is 0.
            known = 0 if initial is None else self.evaluator.constant(initial, at)
            value = self.evaluator.fit(type_.name, size, known, type_.at)
        else:
            value = self.evaluator.value_for(type_.name, size, initial, type_.at)
        is_constant = statement.is_constant
        variable = Variable(
            None, type_.name, size, is_constant=is_constant, branch_depth=branch_depth
        )
        self.evaluator.set_value(variable, value, at)
        self._add_name(statement.name, variable, at)

    def _declare_input(self, statement: syntax.InputDeclaration) -> None:
        name, type_, at = statement.name, statement.type, statement.at
        if type_.name in ("bit", "duration"):
            raise self._tokens.error(at, f"an input is a number or a bool, not a {type_.name}")
        value: object = self._inputs.pop(name, None)
        if value is None:
            raise self._tokens.error(at, f"the input {quoted(name)} has no value")
        # `not … <` instead of `>=`, because NaN fails every comparison and must be refused.
        if not isinstance(value, int | float) or not abs(value) < _LARGEST_INPUT:
            raise self._tokens.error(
                at, f"the value of the input {quoted(name)} is not a number, or too large"
            )
        if value == int(value) and type_.name in ("int", "uint"):
            value = int(value)  # JSON has one kind of number
        converted = self.evaluator.convert(type_, value)
        # Known before the program is read, so gate bodies see it like a constant.
        variable = Variable(converted, type_.name, is_constant=True)
        self._add_name(name, variable, at)

    def _declare_alias(self, statement: syntax.Alias) -> None:
        at = statement.at
        parts = [self.evaluator.value(part) for part in statement.parts]
        kinds = {type(part) for part in parts}
        if len(kinds) != 1 or not kinds <= {Bits, Qubits}:
            raise self._tokens.error(at, "an alias joins qubits, or bits, and nothing else")
        registers = [part for part in parts if isinstance(part, Bits | Qubits)]
        # Each alias copies its indices, so thousands of aliases of a wide register take long.
        self.evaluator.count_steps(sum(len(part.indices) for part in registers), at)
        indices = tuple(index for part in registers for index in part.indices)
        if len(set(indices)) < len(indices):
            raise self._tokens.error(at, "an alias holds the same element twice")
        is_scalar = len(registers) == 1 and registers[0].is_scalar
        self._add_name(statement.name, Variable(type(registers[0])(indices, is_scalar)), at)
