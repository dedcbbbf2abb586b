"""Reader of QIR as LLVM's text: one function of straight calls with constant operands.

Reads only what the base profile can contain, in linear time without recursion. Types and metadata
are skipped. Every instruction is refused except calls, `ret`, and `br` to the next block.
"""

from __future__ import annotations

import re
import struct
from itertools import islice
from typing import Final

from qwicket.circuits.qubit import QubitCircuit
from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.programs.qir.calls import CircuitBuilder, Value, shown

MAX_TOKENS: Final = 650_000
"""Limit on the words, numbers and signs of one text. A megabyte of calls has fewer."""

# Every quantifier is possessive or bounded by what follows, so that a text of n characters costs
# O(n). `(?s:.)` takes any other character, so the match never fails.
_TOKEN: Final = re.compile(
    r"""
    (?: \s++ | ;[^\n]*+ | (?!) )*+             # ../openqasm/tokens.py explains `(?!)`
    (
        [%@](?:"[^"\n]*+"|[\w.$-]++)            # a name; quoted if it has other characters
      | [!\#][\w.$-]++                          # metadata, a group of attributes
      | c?"[^"\n]*+"
      | f?0x[KLMHR]?+[0-9A-Fa-f]++
      | [-+]?[0-9]++(?:\.[0-9]*+(?:[eE][-+]?[0-9]++)?)?(?![\w.$-])
      | [\w.$-]++
      | \.\.\.
      | (?s:.)
      | \Z
    )
    """,
    re.VERBOSE,
)
_HEXADECIMAL: Final = re.compile(r"f?0x([0-9A-Fa-f]{1,16})")
_NUMBER: Final = re.compile(r"[-+]?[0-9]{1,400}(?:\.[0-9]{0,400}(?:[eE][-+]?[0-9]{1,5})?)?")
_INTEGER: Final = re.compile(r"[0-9]{1,9}")
_OPENING: Final = frozenset("([{<")
_CLOSING: Final = frozenset(")]}>")
_SECTIONS: Final = frozenset({"source_filename", "target", "module", "declare"})
"""First words of a module's sections that say nothing about the circuit."""
_FLOATS: Final = frozenset({"double", "float"})
_CALL_WORDS: Final = frozenset({"call", "tail", "notail", "musttail"})
_OPERAND_WORDS: Final = frozenset(
    {"noundef", "nonnull", "readonly", "writeonly", "readnone", "nocapture", "captures", "noalias"}
)
_STRAIGHT: Final = "only straight calls of the base profile are read"
_LOOKAHEAD: Final = 8
"""Empty tokens after the last one, so that the reader can look ahead without a check."""


class TextReader:
    """Reads one text.

    Args:
        text: LLVM's text.
        limits: Bounds on what the program may ask for.
    """

    def __init__(self, text: str, limits: Limits) -> None:
        self._text = text
        self._limits = limits
        self._tokens: list[str] = _TOKEN.findall(text)
        if len(self._tokens) > MAX_TOKENS:
            raise LimitExceeded(f"the text has more than {MAX_TOKENS:,} words, numbers and signs")
        self._tokens += [""] * _LOOKAHEAD
        self._at = 0
        self._attributes: dict[str, str] = {}
        self._attribute_groups: dict[str, dict[str, str]] = {}
        self._groups_of_entry: list[str] = []
        self._next_block: str | None = None

    def circuit(self) -> QubitCircuit:
        """Return the circuit of the entry point.

        Raises:
            InvalidProgram: The text is refused; the detail says where and why.
            LimitExceeded: A limit is exceeded.
        """
        try:
            body = self._module()
            for group in self._groups_of_entry:
                self._attributes |= self._attribute_groups.get(group, {})
            self._at = body
            builder = CircuitBuilder(self._limits, self._attributes)
            self._body(builder)
            return builder.circuit()
        except InvalidProgram as error:
            raise InvalidProgram(f"{self._place()}: {error.detail}") from None
        except LimitExceeded as error:
            detail = f"{self._place()}: {error.detail}"
            raise LimitExceeded(detail, field=error.field) from None

    # --- the module -------------------------------------------------------------------------------

    def _module(self) -> int:
        """Read all except the body of the entry point; return the index of its first token."""
        tokens, body = self._tokens, 0
        while (word := tokens[self._at]) != "":
            if word == "define":
                if body:
                    raise InvalidProgram("a second function: programs of one function are read")
                body = self._header()
            elif word == "attributes":
                self._group()
            elif self._begins_section():
                self._at += 1
                while tokens[self._at] != "" and not self._begins_section():
                    self._at += 1
            else:
                raise InvalidProgram(f"expected a section of LLVM's text, found {shown(word)}")
        if not body:
            raise InvalidProgram("the program defines no function")
        return body

    def _begins_section(self) -> bool:
        token = self._tokens[self._at]
        is_named = token[:1] in ("@", "%", "!") and self._tokens[self._at + 1] == "="
        return is_named or token in _SECTIONS or token in ("define", "attributes")

    def _header(self) -> int:
        """Read a definition but skip its body; return the index of the body's first token."""
        tokens, start = self._tokens, self._at
        while tokens[self._at][:1] != "@":
            self._expect_more("the name of a function")
        self._at += 1
        self._skip_brackets()
        while tokens[self._at] != "{":
            if tokens[self._at][:1] == "#":
                self._groups_of_entry.append(tokens[self._at])
            self._attribute(self._attributes)
            self._expect_more("'{'")
        body = self._at + 1
        self._at = start
        while tokens[self._at] != "{":
            self._at += 1
        while tokens[self._at] != "}":  # bodies of the base profile have no braces of their own
            self._expect_more("'}'")
        self._at += 1
        return body

    def _group(self) -> None:
        """Read `attributes #0 = { … }`."""
        name = self._tokens[self._at + 1]
        found: dict[str, str] = {}
        while self._tokens[self._at] != "}":
            self._attribute(found)
            self._expect_more("'}'")
        self._at += 1
        self._attribute_groups[name] = found

    def _attribute(self, found: dict[str, str]) -> None:
        """Add an attribute such as `"required_num_qubits"="2"`, if one begins here."""
        tokens = self._tokens
        if tokens[self._at][:1] == '"':
            has_value = tokens[self._at + 1] == "=" and tokens[self._at + 2][:1] == '"'
            found[tokens[self._at][1:-1]] = tokens[self._at + 2][1:-1] if has_value else ""
            self._at += 2 * has_value

    # --- the body ---------------------------------------------------------------------------------

    def _body(self, builder: CircuitBuilder) -> None:
        tokens, is_first, has_ended = self._tokens, True, False
        while (word := tokens[self._at]) != "}":
            if tokens[self._at + 1] == ":":
                name = word.strip('"')
                if not is_first and name != self._next_block:
                    raise InvalidProgram(f"block {shown(name)} is not the next one: {_STRAIGHT}")
                self._next_block = None
                self._at += 2
            elif has_ended or self._next_block is not None:
                raise InvalidProgram(f"expected '}}' or a block, found {shown(word)}")
            elif word == "ret":
                self._return()
                has_ended = True
            elif word == "br":
                self._branch()
            else:
                self._call(builder)
            is_first = False
            while tokens[self._at] == "," and tokens[self._at + 1][:1] == "!":
                self._at += 3  # metadata such as `, !dbg !7`
        if not has_ended:
            raise InvalidProgram("expected 'ret', found '}'")

    def _return(self) -> None:
        is_void = self._tokens[self._at + 1] == "void"
        self._at += 2 if is_void else 3

    def _branch(self) -> None:
        if self._tokens[self._at + 1] != "label":
            raise InvalidProgram(f"'br' with a condition: {_STRAIGHT}")
        self._next_block = self._tokens[self._at + 2][1:].strip('"')
        self._at += 3

    def _call(self, builder: CircuitBuilder) -> None:
        tokens, start = self._tokens, self._at
        returned = ""
        if tokens[start][:1] == "%" and tokens[start + 1] == "=":
            returned = tokens[start]
            self._at += 2
        word = tokens[self._at]
        if word not in _CALL_WORDS:
            if word == "":
                raise InvalidProgram("expected '}', found the end of the program")
            raise InvalidProgram(f"instruction {shown(word)} is not read: {_STRAIGHT}")
        while tokens[self._at][:1] != "@":
            if tokens[self._at] in ("}", "=", "asm"):
                raise InvalidProgram("expected a call of a function by its name")
            self._expect_more("the name of a function")
        name = tokens[self._at][1:].strip('"')
        self._at += 1
        values = self._operands()
        while tokens[self._at][:1] == "#":
            self._at += 1
        # Errors of the builder point to the beginning of the call.
        end, self._at = self._at, start
        builder.add(name, values, returned)
        self._at = end

    def _operands(self) -> list[Value]:
        tokens = self._tokens
        values: list[Value] = []
        self._take("(")
        if tokens[self._at] == ")":
            self._at += 1
            return []
        while True:
            values.append(self._operand())
            if tokens[self._at] == ")":
                self._at += 1
                return values
            self._take(",")

    def _operand(self) -> Value:
        """Read a type, attributes and a constant."""
        tokens = self._tokens
        type_ = tokens[self._at]
        if type_ in _OPENING:
            self._skip_brackets()
        else:
            self._at += 1
        while tokens[self._at] == "*":
            self._at += 1
        while tokens[self._at] in _OPERAND_WORDS:
            self._at += 1
            if tokens[self._at] == "(":
                self._skip_brackets()
        value = tokens[self._at]
        if value in ("", ",", ")", "}"):
            raise InvalidProgram(f"expected an operand, found {shown(value)}")
        if type_ in _FLOATS:
            self._at += 1
            return _double(value)
        if value == "inttoptr":
            return self._pointer()
        self._at += 1
        if value == "null":
            return 0
        if value in ("getelementptr", "bitcast"):
            while tokens[self._at] not in ("(", ""):
                self._at += 1
            self._skip_brackets()
        return value

    def _pointer(self) -> int:
        """Read `inttoptr (i64 1 to %Qubit*)`."""
        tokens, at = self._tokens, self._at
        if tokens[at + 1] != "(" or tokens[at + 4] != "to":
            raise InvalidProgram("expected 'inttoptr (i64 … to …)' with a number")
        if not _INTEGER.fullmatch(tokens[at + 3]):
            text = f"a pointer must be a whole number below 10⁹, not {shown(tokens[at + 3])}"
            raise InvalidProgram(text)
        self._at += 6
        while tokens[self._at] == "*":
            self._at += 1
        self._take(")")
        return int(tokens[at + 3])

    # --- tokens -----------------------------------------------------------------------------------

    def _take(self, wanted: str) -> None:
        if self._tokens[self._at] != wanted:
            raise InvalidProgram(f"expected {wanted!r}, found {shown(self._tokens[self._at])}")
        self._at += 1

    def _expect_more(self, wanted: str) -> None:
        """Go to the next token; refuse the end of the text."""
        if self._tokens[self._at] == "":
            raise InvalidProgram(f"expected {wanted}, found the end of the program")
        self._at += 1

    def _skip_brackets(self) -> None:
        """Skip from an opening bracket past its closing one, whose kind is not compared."""
        depth = 0
        while True:
            token = self._tokens[self._at]
            depth += (token in _OPENING) - (token in _CLOSING)
            if depth == 0 and token not in _CLOSING:
                raise InvalidProgram(f"expected '(', found {shown(token)}")
            self._expect_more("a closing bracket")
            if depth <= 0:
                return

    def _place(self) -> str:
        """Return the position of the current token, as in "line 4, column 7"."""
        match = next(islice(_TOKEN.finditer(self._text), self._at, None), None)
        start = match.start(1) if match is not None else len(self._text)
        line_start = self._text.rfind("\n", 0, start)
        line = self._text.count("\n", 0, start) + 1
        return f"line {line}, column {start - line_start}"


def _double(text: str) -> float:
    """Return a constant of type `double` or `float`; LLVM writes both with the bits of a double."""
    found = _HEXADECIMAL.fullmatch(text)
    if found is not None:
        return float(struct.unpack(">d", bytes.fromhex(found[1].zfill(16)))[0])
    if not _NUMBER.fullmatch(text):
        raise InvalidProgram(f"an angle must be a constant double, not {shown(text)}")
    return float(text)
