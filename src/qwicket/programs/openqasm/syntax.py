"""Syntax tree of a program: expressions and statements as frozen values.

`at` is always the index of the token that an error about the node points at.
"""

from __future__ import annotations

from math import tau
from typing import Literal as OneOf
from typing import final

import msgspec


class Node(msgspec.Struct, frozen=True, gc=False):
    """Node of the syntax tree."""


class BitString(Node, frozen=True):
    """A constant bit string; the last letter of its text is bit 0."""

    value: int
    width: int


class Angle(Node, frozen=True):
    """A constant angle of `width` bits: 2π · value / 2^width."""

    value: int
    width: int

    @property
    def radians(self) -> float:
        """The angle in [0, 2π)."""
        return self.value / (1 << self.width) * tau


Constant = bool | int | float | BitString | Angle


class Literal(Node, frozen=True):
    value: Constant


@final
class Duration(Node, frozen=True):
    """A duration such as `300ns`. Its value is itself."""

    seconds: float


class Name(Node, frozen=True):
    name: str
    at: int


class PhysicalQubit(Node, frozen=True):
    index: int
    at: int


class Unary(Node, frozen=True):
    operator: str
    operand: Expression
    at: int


class Step(Node, frozen=True):
    """One operator of a `Chain` and its right operand."""

    operator: str
    operand: Expression
    at: int


class Chain(Node, frozen=True):
    """Operators of one precedence, from left to right: long sums stay flat."""

    first: Expression
    steps: tuple[Step, ...]


class Call(Node, frozen=True):
    function: str
    arguments: tuple[Expression, ...]
    at: int


class Type(Node, frozen=True):
    """A classical type, with its size in bits if it has one."""

    name: str
    size: Expression | None
    at: int


class Cast(Node, frozen=True):
    type: Type
    operand: Expression
    at: int


@final
class Range(Node, frozen=True):
    """`start:step:stop`, both ends included."""

    start: Expression | None
    step: Expression | None
    stop: Expression | None
    at: int


@final
class IndexSet(Node, frozen=True):
    items: tuple[Expression, ...]
    at: int


class Index(Node, frozen=True):
    base: Expression
    selector: Expression | Range | IndexSet
    at: int


Expression = Literal | Duration | Name | PhysicalQubit | Unary | Chain | Call | Cast | Index


ModifierKind = OneOf["ctrl", "negctrl", "inv", "pow"]


class Modifier(Node, frozen=True):
    kind: ModifierKind
    argument: Expression | None
    at: int


class Include(Node, frozen=True):
    at: int
    """Index of the token with the file's name."""


class QuantumDeclaration(Node, frozen=True):
    name: str
    size: Expression | None
    at: int


class BitDeclaration(Node, frozen=True):
    name: str
    size: Expression | None
    value: Expression | None
    at: int


class Declaration(Node, frozen=True):
    type: Type
    name: str
    value: Expression | None
    is_constant: bool
    at: int


class InputDeclaration(Node, frozen=True):
    type: Type
    name: str
    at: int


class Alias(Node, frozen=True):
    name: str
    parts: tuple[Expression, ...]
    at: int


class Assignment(Node, frozen=True):
    target: Expression
    operator: str
    value: Expression
    at: int


class GateCall(Node, frozen=True):
    name: str
    arguments: tuple[Expression, ...]
    operands: tuple[Expression, ...]
    modifiers: tuple[Modifier, ...]
    at: int


class Measurement(Node, frozen=True):
    source: Expression
    target: Expression | None
    """None drops the result."""
    at: int


class MeasuredDeclaration(Node, frozen=True):
    """`bit c = measure q;`."""

    declaration: BitDeclaration
    source: Expression


class Reset(Node, frozen=True):
    operand: Expression
    at: int


class Barrier(Node, frozen=True):
    operands: tuple[Expression, ...]
    at: int


class Delay(Node, frozen=True):
    duration: Expression
    operands: tuple[Expression, ...]
    at: int


class Box(Node, frozen=True):
    """A box with a duration; one without is a `Block`."""

    duration: Expression
    body: tuple[Statement, ...]
    at: int


class Pragma(Node, frozen=True):
    text: str
    at: int


class Block(Node, frozen=True):
    body: tuple[Statement, ...]


class If(Node, frozen=True):
    """`if`, any number of `else if`, and `else`."""

    branches: tuple[tuple[Expression, tuple[Statement, ...]], ...]
    otherwise: tuple[Statement, ...]
    at: int


class Case(Node, frozen=True):
    values: tuple[tuple[Expression, int], ...]
    """Values, each with its own `at`."""
    body: tuple[Statement, ...]


class Switch(Node, frozen=True):
    subject: Expression
    cases: tuple[Case, ...]
    otherwise: tuple[Statement, ...]
    at: int


class For(Node, frozen=True):
    type: Type
    name: str
    values: Expression | Range | IndexSet
    body: tuple[Statement, ...]
    n_tokens: int
    """Tokens of the body."""
    at: int


ExitKind = OneOf["break", "continue", "end"]


class Exit(Node, frozen=True):
    kind: ExitKind
    at: int


class GateDefinition(Node, frozen=True):
    name: str
    parameters: tuple[str, ...]
    qubits: tuple[str, ...]
    body: tuple[Statement, ...]
    n_tokens: int
    """Tokens from the name on."""
    at: int


class OpaqueDeclaration(Node, frozen=True):
    name: str
    at: int


Statement = (
    Include
    | QuantumDeclaration
    | BitDeclaration
    | Declaration
    | InputDeclaration
    | Alias
    | Assignment
    | GateCall
    | Measurement
    | MeasuredDeclaration
    | Reset
    | Barrier
    | Delay
    | Box
    | Block
    | If
    | Switch
    | For
    | Exit
    | GateDefinition
    | OpaqueDeclaration
    | Pragma
)
