"""The shape of a parsed program: expressions and statements as frozen values.

`at` is always the number of the token that an error about the node points at.
"""

from __future__ import annotations

from typing import Literal as OneOf

import msgspec


class Node(msgspec.Struct, frozen=True, gc=False):
    """A piece of a program."""


class Word(Node):
    """A constant bit string; the last letter of its text is bit 0."""

    value: int
    width: int


Constant = bool | int | float | Word


class Literal(Node):
    value: Constant


class Name(Node):
    name: str
    at: int


class PhysicalQubit(Node):
    index: int
    at: int


class Unary(Node):
    operator: str
    operand: Expression
    at: int


class Step(Node):
    """One operator of a `Chain` and what stands to its right."""

    operator: str
    operand: Expression
    at: int


class Chain(Node):
    """Operators of one precedence, from left to right: long sums stay flat."""

    first: Expression
    steps: tuple[Step, ...]


class Call(Node):
    function: str
    arguments: tuple[Expression, ...]
    at: int


class Type(Node):
    """A classical type, with its size in bits if it has one."""

    name: str
    size: Expression | None
    at: int


class Cast(Node):
    type: Type
    operand: Expression
    at: int


class Range(Node):
    """`start:step:stop`, both ends included."""

    start: Expression | None
    step: Expression | None
    stop: Expression | None
    at: int


class IndexSet(Node):
    items: tuple[Expression, ...]
    at: int



class Index(Node):
    base: Expression
    selector: Expression | Range | IndexSet
    at: int


Expression = Literal | Name | PhysicalQubit | Unary | Chain | Call | Cast | Index


class Modifier(Node):
    kind: OneOf["ctrl", "negctrl", "inv", "pow"]
    argument: Expression | None
    at: int


class Include(Node):
    at: int
    """Of the file's name."""


class QuantumDeclaration(Node):
    name: str
    size: Expression | None
    at: int


class BitDeclaration(Node):
    name: str
    size: Expression | None
    value: Expression | None
    at: int


class Declaration(Node):
    type: Type
    name: str
    value: Expression | None
    is_constant: bool
    at: int


class InputDeclaration(Node):
    type: Type
    name: str
    at: int


class Alias(Node):
    name: str
    parts: tuple[Expression, ...]
    at: int


class Assignment(Node):
    target: Expression
    operator: str
    value: Expression
    at: int


class GateCall(Node):
    name: str
    arguments: tuple[Expression, ...]
    operands: tuple[Expression, ...]
    modifiers: tuple[Modifier, ...]
    at: int


class Measurement(Node):
    source: Expression
    target: Expression
    at: int


class MeasuredDeclaration(Node):
    """`bit c = measure q;`."""

    declaration: BitDeclaration
    source: Expression


class Reset(Node):
    operand: Expression
    at: int


class Barrier(Node):
    operands: tuple[Expression, ...]
    at: int


class Block(Node):
    body: tuple[Statement, ...]


class If(Node):
    """`if`, any number of `else if`, and `else`."""

    branches: tuple[tuple[Expression, tuple[Statement, ...]], ...]
    otherwise: tuple[Statement, ...]


class Case(Node):
    values: tuple[tuple[Expression, int], ...]
    """Each with its own place."""
    body: tuple[Statement, ...]


class Switch(Node):
    subject: Expression
    cases: tuple[Case, ...]
    otherwise: tuple[Statement, ...]
    at: int


class For(Node):
    type: Type
    name: str
    values: Expression | Range | IndexSet
    body: tuple[Statement, ...]
    n_tokens: int
    at: int


class Leave(Node):
    kind: OneOf["break", "continue", "end"]
    at: int


class GateDefinition(Node):
    name: str
    parameters: tuple[str, ...]
    qubits: tuple[str, ...]
    body: tuple[Statement, ...]
    n_tokens: int
    at: int


class OpaqueDeclaration(Node):
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
    | Block
    | If
    | Switch
    | For
    | Leave
    | GateDefinition
    | OpaqueDeclaration
)
