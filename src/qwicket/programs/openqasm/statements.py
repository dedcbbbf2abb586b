"""Recursive-descent parser of statements of OpenQASM 2 and 3: the grammar, not its meaning.

The parser is our own because existing ones are slow, open files that a text names, or crash on
hostile input (decision 6).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, cast

from qwicket.model.errors import InvalidProgram
from qwicket.programs.openqasm.arithmetic import NO_UNIT
from qwicket.programs.openqasm.bounds import MAX_BLOCKS
from qwicket.programs.openqasm.expressions import ExpressionParser
from qwicket.programs.openqasm.keywords import CLASSICAL_TYPES, UNSUPPORTED
from qwicket.programs.openqasm.syntax import (
    Alias,
    Assignment,
    Barrier,
    BitDeclaration,
    Block,
    Box,
    Case,
    Chain,
    Declaration,
    Delay,
    Exit,
    ExitKind,
    Expression,
    For,
    GateCall,
    GateDefinition,
    If,
    Include,
    Index,
    IndexSet,
    InputDeclaration,
    Literal,
    MeasuredDeclaration,
    Measurement,
    Modifier,
    ModifierKind,
    Name,
    OpaqueDeclaration,
    Pragma,
    QuantumDeclaration,
    Range,
    Reset,
    Statement,
    Step,
    Switch,
    Type,
)
from qwicket.programs.openqasm.tokens import Tokens, is_digits, is_name, quoted, split_element

_ASSIGNMENTS: Final = frozenset(
    {"=", "+=", "-=", "*=", "/=", "%=", "**=", "&=", "|=", "^=", "<<=", ">>="}
)
_AFTER_VARIABLE: Final = _ASSIGNMENTS | {"["}
_MODIFIERS: Final = frozenset({"ctrl", "negctrl", "inv", "pow"})
_IN_GATES: Final[Mapping[int, frozenset[str]]] = {
    2: frozenset({"barrier"}),
    3: frozenset({"barrier", "nop", "for", "if", "break", "continue", "gphase", "{", *_MODIFIERS}),
}
"""Words that may start a statement of a gate body, beside the name of a gate."""
_TOP_LEVEL: Final = frozenset(
    {"bit", "creg", "gate", "include", "input", "opaque", "qreg", "qubit"}
)
"""Words that may not start a statement of a block."""


class Parser(ExpressionParser):
    """Reads statements from tokens.

    Args:
        tokens: The program.
        version: 2 or 3.
        takes_pragmas: Whether pragmas are statements; else they are refused.
    """

    def __init__(self, tokens: Tokens, version: int, *, takes_pragmas: bool = False) -> None:
        super().__init__(tokens, version)
        self._takes_pragmas = takes_pragmas
        self._blocks = 0
        self._in_gate = False
        self._in_gates = _IN_GATES[version]
        self._readers: Mapping[str, Callable[[], Statement]] = {
            "barrier": self._barrier,
            "creg": self._old_bits,
            "gate": self._gate_definition,
            "if": self._if,
            "include": self._include,
            "measure": self._measure,
            "qreg": self._old_qubits,
            "reset": self._reset,
        }
        if version == 2:
            self._readers |= {"opaque": self._opaque, "if": self._if_2}
            return
        self._readers |= {
            **dict.fromkeys(CLASSICAL_TYPES, self._declaration),
            **dict.fromkeys((*_MODIFIERS, "gphase"), self._gate_call),
            **dict.fromkeys(("break", "continue", "end"), self._exit),
            "{": self._block,
            "box": self._box,
            "const": self._constant,
            "delay": self._delay,
            "for": self._for,
            "input": self._input,
            "let": self._alias,
            "nop": self._barrier,
            "qubit": self._qubits,
            "switch": self._switch,
        }

    def skip_blanks(self) -> None:
        """Skip empty statements, and annotations in version 3."""
        while (text := self._texts[self.at]) == ";" or (self.version == 3 and text[:1] == "\n"):
            self.at += 1

    def is_at_end(self) -> bool:
        """Return whether no token is left."""
        return not self._texts[self.at]

    def statement(self) -> Statement:
        """Read the statement that starts at the next token."""
        text = word = self._texts[self.at]
        # A name such as `pragmatic` is no pragma.
        if self._takes_pragmas and text.lstrip("#").startswith("pragma") and not is_name(text):
            self._check_place("pragma")
            self.at += 1
            return Pragma(text, self.at - 1)
        reader = self._readers.get(text)
        # The tokenizer returns `int[32]` as one token.
        if reader is None and text[-1:] == "]":
            word, _ = split_element(text)
            if word in CLASSICAL_TYPES or word == "qubit":
                reader = self._readers.get(word)
        if reader is not None:
            self._check_place(word)
            return reader()
        if word in self._reserved or not is_name(word):
            raise self._statement_error(text, word)
        # `x q;` calls a gate, `x = 1;` assigns: the token after the name decides.
        follower = self._texts[self.at + 1]
        if self.version == 2 or (word == text and follower not in _AFTER_VARIABLE):
            return self._gate_call()
        if self._in_gate:
            raise self.tokens.expected_error(self.at, "a gate")
        return self._assignment()

    def _statement_error(self, text: str, word: str) -> InvalidProgram:
        if self.version == 3 and word in UNSUPPORTED:
            return self.unsupported_error(word)
        if word in ("delay", "box") and word != text:  # such as `delay[100]`, which is one token
            return self.tokens.error(self.at, NO_UNIT)
        if text.lstrip("#").startswith("pragma"):
            reason = f"{self.tokens.quote(self.at)} is not supported: no pragma is known here"
            return self.tokens.error(self.at, reason)
        return self.tokens.expected_error(self.at, "a statement")

    def _check_place(self, word: str) -> None:
        if self._in_gate and word not in self._in_gates:
            reason = f"'{word}' is not allowed in a gate body, which holds gates only"
            raise self.tokens.error(self.at, reason)
        # A result has each register once, but a block may run many times or not at all.
        if self._blocks and word in _TOP_LEVEL:
            raise self.tokens.error(self.at, f"'{word}' is allowed at the top level only")

    # --- gates and other operations ---------------------------------------------------------------

    def _gate_call(self) -> Statement:
        modifiers = []
        # OpenQASM 2 has no modifiers: a gate of its programs may be called `inv` or `ctrl`.
        while (name := self._texts[self.at]) in _MODIFIERS and self.version == 3:
            modifiers.append(self._modifier())
        at = self.at
        if not is_name(name) or (name in self._reserved and name != "gphase"):
            raise self.tokens.expected_error(at, "the name of a gate")
        self.at += 1
        arguments = self.arguments() if self.take("(") else ()
        # In version 3 `gphase` acts on no qubit; in `ctrl @ gphase(…)` the operands are controls.
        is_bare = name == "gphase" and self._texts[self.at] == ";"
        operands = () if is_bare else self._operands("a qubit or a register of qubits")
        self.need(";", "after the gate")
        return GateCall(name, arguments, operands, tuple(modifiers), at)

    def _modifier(self) -> Modifier:
        at = self.at
        kind = cast(ModifierKind, self._texts[at])
        self.at += 1
        argument = None
        if kind == "pow" or (kind != "inv" and self._texts[self.at] == "("):
            self.need("(", f"after '{kind}'")
            argument = self.expression()
            self.need(")", f"after the argument of '{kind}'")
        self.need("@", f"after '{kind}'")
        return Modifier(kind, argument, at)

    def _operands(self, expected: str) -> tuple[Expression, ...]:
        operands = [self._operand(expected)]
        while self.take(","):
            # The grammar of version 3 allows a comma after the last operand.
            if self.version == 3 and self._texts[self.at] == ";":
                break
            operands.append(self._operand(expected))
        return tuple(operands)

    def _operand(self, expected: str) -> Expression:
        at, text = self.at, self._texts[self.at]
        name, digits = split_element(text)
        if not is_name(name) or name in self._reserved:
            if text[:1] == "$" and self.version == 3 and not self._in_gate:
                return self._primary()
            raise self.tokens.expected_error(at, expected)
        self.at += 1
        base: Expression = Name(name, at)
        if digits:
            base = Index(base, Literal(int(digits)), at)
        if self._texts[self.at] != "[":
            return base
        if self.version == 3:
            return self._indexed(base)
        return base if digits else Index(base, self._size_2(), at)

    def _name_and_size(self, text: str) -> tuple[str, Expression | None, int]:
        """Read a name with an optional plain number in brackets."""
        at = self.at
        name, digits = split_element(text)
        self.at += 1
        if digits:
            return name, Literal(int(digits)), at
        return name, self._size_2() if self._texts[self.at] == "[" else None, at

    def _size_2(self) -> Expression:
        """Read a plain number in brackets: OpenQASM 2 has no arithmetic there."""
        self.at += 1
        number, at = self._texts[self.at], self.at
        if not is_digits(number):
            raise self.tokens.expected_error(at, "a plain number")
        self.at += 1
        self.need("]", "after the number")
        return Literal(self._integer(number, at))

    def _measure(self) -> Statement:
        at = self.at
        self.at += 1
        source = self._operand("a qubit or a register of qubits")
        # Only version 3 lets a measurement drop its result; version 2 always needs a bit.
        if self.version == 3 and self.take(";"):
            return Measurement(source, None, at)
        self.need("->", "between the qubits and the bits of 'measure'")
        target = self._operand("a bit or a register of bits")
        self.need(";", "after the measurement")
        return Measurement(source, target, at)

    def _reset(self) -> Statement:
        at = self.at
        self.at += 1
        operand = self._operand("a qubit or a register of qubits")
        self.need(";", "after the qubits of 'reset'")
        return Reset(operand, at)

    def _barrier(self) -> Statement:
        at, word = self.at, self._texts[self.at]
        self.at += 1
        # The grammar of version 3 makes the operands optional: `barrier;` is for all qubits.
        is_bare = self.version == 3 and self._texts[self.at] == ";"
        operands = () if is_bare else self._operands("a qubit or a register of qubits")
        self.need(";", f"after '{word}'")
        return Barrier(operands, at)

    def _delay(self) -> Statement:
        at = self.at
        duration = self._duration_in_brackets()
        # As for `barrier`, the operands are optional: `delay[100ns];` is for all qubits.
        is_bare = self._texts[self.at] == ";"
        operands = () if is_bare else self._operands("a qubit or a register of qubits")
        self.need(";", "after 'delay'")
        return Delay(duration, operands, at)

    def _duration_in_brackets(self) -> Expression:
        """Read the duration of `delay` or `box`, after this word."""
        word = self._texts[self.at]
        self.at += 1
        self.need("[", f"and a duration after '{word}'")
        duration = self.expression()
        self.need("]", "after the duration")
        return duration

    # --- declarations -----------------------------------------------------------------------------

    def _include(self) -> Statement:
        self.at += 1
        at = self.at
        if self._texts[at][:1] not in ('"', "'") or len(self._texts[at]) < 2:
            raise self.tokens.expected_error(at, "the name of a file in quotes")
        self.at += 1
        self.need(";", "after the name of the file")
        return Include(at)

    def _old_register(self) -> tuple[str, Expression | None, int]:
        """Read the rest of `qreg q[3];` or `creg c[3];`."""
        self.at += 1
        at, text = self.at, self._texts[self.at]
        if self.version == 2:
            self._check_new_name(split_element(text)[0])
            name, size, at = self._name_and_size(text)
            if size is None:
                raise self.tokens.expected_error(self.at, "the size of the register in brackets")
        else:
            # Version 3 keeps `qreg` and `creg`, with a size that may be absent or an expression.
            name, digits = split_element(text)
            self._check_new_name(name)
            self.at += 1
            size = Literal(int(digits)) if digits else None
            if not digits and self.take("["):
                size = self.expression()
                self.need("]", "after the size of the register")
        self.need(";", "after the declaration")
        return name, size, at

    def _check_new_name(self, name: str) -> None:
        if not is_name(name) or name in self._reserved:
            raise self.tokens.expected_error(self.at, "a name for the register")

    def _old_qubits(self) -> Statement:
        return QuantumDeclaration(*self._old_register())

    def _old_bits(self) -> Statement:
        name, size, at = self._old_register()
        return BitDeclaration(name, size, None, at)

    def _qubits(self) -> Statement:
        type_ = self.type()
        at = self.at
        name = self.name("a name for the qubits")
        self.need(";", "after the declaration")
        return QuantumDeclaration(name, type_.size, at)

    def _declaration(self) -> Statement:
        type_ = self.type()
        at = self.at
        name = self.name("a name for the variable")
        value: Expression | None = None
        if self.take("="):
            if type_.name == "bit" and self.take("measure"):
                source = self._operand("a qubit or a register of qubits")
                self.need(";", "after the measurement")
                return MeasuredDeclaration(BitDeclaration(name, type_.size, None, at), source)
            value = self.expression()
        self.need(";", "after the declaration")
        if type_.name == "bit":
            return BitDeclaration(name, type_.size, value, at)
        return Declaration(type_, name, value, False, at)

    def _constant(self) -> Statement:
        self.at += 1
        type_ = self._classical_type("after 'const'")
        at = self.at
        name = self.name("a name for the constant")
        self.need("=", "and a value after the name of a constant")
        value = self.expression()
        self.need(";", "after the declaration")
        return Declaration(type_, name, value, True, at)

    def _input(self) -> Statement:
        self.at += 1
        type_ = self._classical_type("after 'input'")
        at = self.at
        name = self.name("a name for the input")
        self.need(";", "after the declaration")
        return InputDeclaration(type_, name, at)

    def _classical_type(self, context: str) -> Type:
        word, _ = split_element(self._texts[self.at])
        if word in UNSUPPORTED:
            raise self.unsupported_error(word)
        if word not in CLASSICAL_TYPES:
            raise self.tokens.expected_error(self.at, f"a type such as 'int' {context}")
        return self.type()

    def _alias(self) -> Statement:
        self.at += 1
        at = self.at
        name = self.name("a name for the alias")
        self.need("=", "after the name of an alias")
        parts = [self.expression()]
        while self.take("++"):
            parts.append(self.expression())
        self.need(";", "after the alias")
        return Alias(name, tuple(parts), at)

    def _assignment(self) -> Statement:
        target = self._operand("a variable")
        at, operator = self.at, self._texts[self.at]
        if operator not in _ASSIGNMENTS:
            wanted = "'=' to assign a value, or a statement before this"
            raise self.tokens.expected_error(at, wanted)
        self.at += 1
        if operator == "=" and self.take("measure"):
            source = self._operand("a qubit or a register of qubits")
            self.need(";", "after the measurement")
            return Measurement(source, target, at)
        value = self.expression()
        self.need(";", "after the assignment")
        return Assignment(target, operator, value, at)

    def _opaque(self) -> Statement:
        self.at += 1
        at = self.at
        name = self.name("a name for the opaque gate")
        if self.take("("):
            self._names(")")
        self._names(";")
        return OpaqueDeclaration(name, at)

    def _gate_definition(self) -> Statement:
        self.at += 1
        at = self.at
        name = self.name("a name for the gate")
        parameters = self._names(")") if self.take("(") else ()
        qubits = self._names("{")
        if not qubits:
            raise self.tokens.expected_error(self.at - 1, "the qubits of the gate")
        self.at -= 1  # `_names` has taken the brace, which begins the body
        # Statements that a gate body may not hold are rejected while this is set.
        self._in_gate = True
        body = self._body()
        self._in_gate = False
        return GateDefinition(name, parameters, qubits, body, self.at - at, at)

    def _names(self, end: str) -> tuple[str, ...]:
        """Read distinct names separated by commas, and the token that ends them."""
        names: dict[str, None] = {}
        while not self.take(end):
            at = self.at
            name = self.name("a name")
            if name in names:
                raise self.tokens.error(at, f"{quoted(name)} is there twice")
            names[name] = None
            if not self.take(","):
                self.need(end, "or ',' after a name")
                break
        return tuple(names)

    # --- control flow -----------------------------------------------------------------------------

    def _body(self) -> tuple[Statement, ...]:
        """Read a block in braces, or one statement."""
        self._blocks += 1
        # Checked before the recursion, so that nested blocks cannot exhaust the stack.
        if self._blocks > MAX_BLOCKS:
            raise self.tokens.limit_error(self.at, f"blocks are nested deeper than {MAX_BLOCKS}")
        statements: list[Statement] = []
        if self.take("{"):
            self.skip_blanks()
            while not self.take("}"):
                if self.is_at_end():
                    raise self.tokens.expected_error(self.at, "'}' at the end of the block")
                statements.append(self.statement())
                self.skip_blanks()
        else:  # an empty statement is none: `if (c) ; x q;` would make `x` conditional
            while self.version == 3 and self._texts[self.at][:1] == "\n":  # an annotation
                self.at += 1
            statements.append(self.statement())
        self._blocks -= 1
        return tuple(statements)

    def _block(self) -> Statement:
        return Block(self._body())

    def _box(self) -> Statement:
        """Read a box as a block: a box bounds the timing of gates, which take no time here."""
        at = self.at
        if self._texts[at + 1] != "[":
            self.at += 1
            return Block(self._braced("of a box"))
        duration = self._duration_in_brackets()
        return Box(duration, self._braced("of a box"), at)

    def _condition(self) -> Expression:
        self.at += 1
        self.need("(", "before the condition")
        condition = self.expression()
        self.need(")", "after the condition")
        return condition

    def _if(self) -> Statement:
        at = self.at
        branches = [(self._condition(), self._body())]
        # A loop, so that a long chain of `else if` does not count as nested blocks.
        while self._texts[self.at] == "else" and self._texts[self.at + 1] == "if":
            self.at += 1
            branches.append((self._condition(), self._body()))
        otherwise = self._body() if self.take("else") else ()
        return If(tuple(branches), otherwise, at)

    def _if_2(self) -> Statement:
        """Read `if (c == 3) x q[0];`: a register, an equality, a number and one operation."""
        self.at += 1
        self.need("(", "before the condition")
        register_at, register = self.at, self._texts[self.at]
        if not is_name(register) or register in self._reserved:
            raise self.tokens.expected_error(self.at, "a register of bits")
        self.at += 1
        at = self.at
        self.need("==", "after the register of a condition")
        number, number_at = self._texts[self.at], self.at
        if not is_digits(number):
            raise self.tokens.expected_error(self.at, "a plain number")
        self.at += 1
        self.need(")", "after the condition")
        # OpenQASM 2 allows only a quantum operation after `if`, not a declaration or another `if`.
        word = self._texts[self.at]
        if word in self._readers and word not in ("measure", "reset"):
            wanted = "a gate, 'measure' or 'reset' after the condition"
            raise self.tokens.expected_error(self.at, wanted)
        step = Step("==", Literal(self._integer(number, number_at)), at)
        condition = Chain(Name(register, register_at), (step,))
        return If(((condition, (self.statement(),)),), (), at)

    def _switch(self) -> Statement:
        at = self.at
        subject = self._condition()
        self.need("{", "after the subject of 'switch'")
        cases: list[Case] = []
        while self.take("case"):
            values = [self._placed_expression()]
            while self.take(","):
                # The grammar allows a comma after the last value.
                if self._texts[self.at] == "{":
                    break
                values.append(self._placed_expression())
            cases.append(Case(tuple(values), self._braced("of a case")))
        otherwise = self._braced("of a case") if self.take("default") else ()
        self.need("}", "at the end of 'switch'")
        if not cases:
            raise self.tokens.error(at, "'switch' needs at least one 'case'")
        return Switch(subject, tuple(cases), otherwise, at)

    def _placed_expression(self) -> tuple[Expression, int]:
        at = self.at
        return self.expression(), at

    def _braced(self, whose: str) -> tuple[Statement, ...]:
        if self._texts[self.at] != "{":
            raise self.tokens.expected_error(self.at, f"'{{' before the statements {whose}")
        return self._body()

    def _for(self) -> Statement:
        at = self.at
        self.at += 1
        type_ = self._classical_type("after 'for'")
        name = self.name("a name for the loop variable")
        self.need("in", "after the loop variable")
        values_at = self.at
        values: Expression | Range | IndexSet
        if self.take("["):
            values = self.range_or_expression(values_at)
            self.need("]", "after the range")
        elif self.take("{"):
            values = self.index_set(values_at)
        else:
            values = self.expression()
        start = self.at
        body = self._body()
        return For(type_, name, values, body, self.at - start, at)

    def _exit(self) -> Statement:
        at = self.at
        kind = cast(ExitKind, self._texts[at])
        self.at += 1
        self.need(";", f"after '{kind}'")
        return Exit(kind, at)
