"""Reader of Blackbird's statements, and the circuit that they make."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from qwicket.circuits.photonic import Formula, Gate, Measure, Op, PhotonicCircuit
from qwicket.model.errors import InvalidProgram
from qwicket.model.limits import Limits
from qwicket.vendors.xanadu.blackbird import bounds
from qwicket.vendors.xanadu.blackbird.expressions import (
    FUNCTIONS,
    Array,
    Expressions,
    Number,
    Value,
)
from qwicket.vendors.xanadu.blackbird.operations import (
    SIGNATURES,
    Argument,
    check_strength,
    in_bin,
    operation,
)
from qwicket.vendors.xanadu.blackbird.tokens import HEADERS, Line, quoted
from qwicket.vendors.xanadu.limits import BlackbirdLimits

_TYPES: Final[Mapping[str, type]] = {
    "int": int,
    "float": float,
    "complex": complex,
    "str": str,
    "bool": bool,
}
_VERSION: Final = re.compile(r"1(?:\.[0-9]{1,9})?")
_COLUMN: Final = re.compile(r"p[0-9]{1,9}")
_RESERVED: Final = FUNCTIONS | HEADERS | {*_TYPES, *SIGNATURES, "pi", "for", "in", "array"}


class Program(msgspec.Struct, frozen=True):
    """A program and its header.

    Attributes:
        circuit: Its circuit.
        name: Text after `name`.
        target: Device that the header names, or empty.
        shots: Shots that the header requests; by default 1.
    """

    circuit: PhotonicCircuit
    name: str
    target: str
    shots: int


class Header(NamedTuple):
    """The part of a program's header that dialects need; fields as in `Program`."""

    name: str
    target: str
    shots: int


class Reader:
    """Reader of one program.

    Args:
        lines: Lines of the program, or of its header alone.
        limits: Limits on the program.
    """

    def __init__(self, lines: Iterable[Line], limits: Limits) -> None:
        self._lines = list(lines)
        self._limits, self._own = limits, limits.of(BlackbirdLimits)
        self._at = 0
        self._names: dict[str, Value] = {}
        self._header: dict[str, str] = {}
        self._shots = 1
        self._is_tdm = False
        self._bins = 0
        self._n_elements = self._n_repeated = self._n_steps = self._n_numbers = 0
        self._ops: list[tuple[Line, Op]] = []

    def program(self) -> Program:
        """Read the whole program."""
        header = self.header()
        # Each bin repeats the statements with its own elements of p0, p1, …, so arrays come first.
        body = self._declarations() if self._is_tdm else self._lines[self._at :]
        if self._is_tdm:
            self._read_bins(body)
        else:
            self._read_statements()
        return Program(self._circuit(), *header)

    def header(self) -> Header:
        """Read the header only."""
        self._read_header()
        found = self._header
        return Header(found.get("name", ""), found.get("target", ""), self._shots)

    def _read_header(self) -> None:
        for line in self._lines:
            word = line.tokens[0]
            if word not in HEADERS:
                return
            # A program must not read files of the server.
            if word == "include":
                raise line.error("include is not allowed here: no file is ever read")
            if word in self._header:
                raise line.error(f"{word} is given twice")
            self._at += 1
            self._header[word] = self._read_header_line(line, word)

    def _read_header_line(self, line: Line, word: str) -> str:
        if word == "name":
            return "".join(line.tokens[1:])
        if word == "version":
            if not _VERSION.fullmatch(line.tokens[1]) or line.tokens[2]:
                stated = quoted(" ".join(line.tokens[1:]).strip())
                raise line.error(f"only version 1.x is known, found {stated}")
            return line.tokens[1]
        # Dialects read headers on the event loop, where a long line would delay every request.
        if len(line.tokens) > bounds.MAX_HEADER_TOKENS:
            raise line.limit_error(f"{word} is followed by too much", bounds.MAX_HEADER_TOKENS)
        reader = Expressions(line, self._names, 1)
        value = self._header_value(reader)
        options = self._options(reader)
        reader.end()
        if word == "target":
            self._shots = self._bounded(line, options, "shots", 1, bounds.MAX_SHOTS)
        elif value != "tdm":
            raise line.error(f"type {quoted(value)} is not known; known: tdm")
        else:
            self._is_tdm = True
            self._bins = self._bounded(
                line, options, "temporal_modes", 0, self._limits.photonic.time_bins, "time_bins"
            )
            # Copies repeat the program within one shot, and shots do the same.
            if self._bounded(line, options, "copies", 1, 1) != 1:
                raise line.error("copies must be 1: ask for more shots")
        return value

    def _header_value(self, reader: Expressions) -> str:
        """Read the value before the options, such as `X8_01`, or `X8-01` in several tokens."""
        found = []
        while reader.here not in ("", "("):
            found.append(reader.here)
            reader.at += 1
        if not found:
            raise reader.line.error("a word is missing")
        return "".join(found)

    def _options(self, reader: Expressions) -> dict[str, Value]:
        found: dict[str, Value] = {}
        if reader.take("("):
            while not reader.take(")"):
                key = reader.here
                reader.at += 1
                if not key.isidentifier():
                    raise reader.line.error(f"expected an option, found {quoted(key)}")
                reader.expect("=")
                found[key] = self._list(reader) if reader.here == "[" else reader.value()
                if reader.here != ")":
                    reader.expect(",")
        return found

    def _bounded(
        self,
        line: Line,
        options: dict[str, Value],
        key: str,
        default: int,
        maximum: int,
        limit: str = "",
    ) -> int:
        """Return an option: an integer from 1 to `maximum`, or from 0 if `default` is 0."""
        found = options.get(key, default)
        # For Python a bool is an integer, but `shots=True` is a mistake.
        if isinstance(found, bool) or not isinstance(found, int) or found < min(1, default):
            raise line.error(f"{key} must be a positive integer")
        if found > maximum:
            raise line.limit_error(f"{key} is {found:,}", maximum, limit)
        return found

    def _read_statements(self) -> None:
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            if line.tokens[0] in _TYPES:
                self._declare(line)
            elif line.tokens[0] == "for":
                self._loop(line, self._indented())
            else:
                self._operate(line)

    def _indented(self) -> list[Line]:
        start = self._at
        while self._at < len(self._lines) and self._lines[self._at].is_indented:
            self._at += 1
        return self._lines[start : self._at]

    def _declare(self, line: Line) -> None:
        kind, name = line.tokens[:2]
        if name == "array":
            self._declare_array(line)
            return
        reader = Expressions(line, self._names, 2)
        reader.expect("=")
        value = reader.value()
        reader.end()
        self._bind(line, name, _converted(line, kind, value))

    def _declare_array(self, line: Line) -> None:
        kind, name = line.tokens[0], line.tokens[2]
        reader = Expressions(line, self._names, 2 if not name else 3)
        shape: list[int] = []
        if reader.take("["):
            shape = [reader.integer()]
            while reader.take(","):
                shape.append(reader.integer())
            reader.expect("]")
        reader.expect("=")
        reader.end()
        indented = self._indented()
        # Counted by commas before the rows are parsed, because parsing costs more than splitting.
        self._count_elements(line, sum(row.tokens.count(",") + 1 for row in indented))
        rows = [self._row(kind, row) for row in indented]
        if not rows or any(len(row) != len(rows[0]) for row in rows):
            raise line.error(f"array {quoted(name)} needs indented rows of one length")
        n_rows, n_columns = len(rows), len(rows[0])
        if shape and shape not in ([n_rows, n_columns], [n_columns] if n_rows == 1 else []):
            raise line.error(f"array {quoted(name)} has {n_rows} rows of {n_columns}")
        self._bind(line, name, Array(tuple([each for row in rows for each in row]), n_rows))

    def _row(self, kind: str, line: Line) -> list[Number]:
        found: list[Number] = []
        reader = Expressions(line, self._names)
        while True:
            value = reader.number()
            converted = _converted(line, kind, value)
            if isinstance(converted, str | Array | Formula):
                raise line.error("an array may contain only numbers")
            found.append(converted)
            if not reader.take(","):
                break
        reader.end()
        return found

    def _count_elements(self, line: Line, n: int) -> None:
        self._n_elements += n
        maximum = self._own.array_elements
        if self._n_elements > maximum:
            raise line.limit_error("there are too many array elements", maximum, "array_elements")

    def _bind(self, line: Line, name: str, value: Value) -> None:
        if not (name.isidentifier() and name.isascii()) or name in _RESERVED:
            raise line.error(f"{quoted(name)} cannot be a variable")
        self._names[name] = value

    def _loop(self, line: Line, body: list[Line]) -> None:
        tokens = line.tokens
        if len(tokens) < 5 or tokens[1] not in _TYPES or tokens[3] != "in":
            raise line.error("a loop reads: for int i in 0:3")
        if not body:
            raise line.error("a loop needs indented statements")
        reader = Expressions(line, self._names, 4)
        values: Sequence[Number]
        values = self._list(reader).elements if reader.here == "[" else self._range(reader)
        reader.end()
        # Counted before the loop is unrolled, so that a short text cannot take long.
        self._count_iterations(line, len(values), body)
        for value in values:
            self._bind(line, tokens[2], _converted(line, tokens[1], value))
            for each in body:
                self._operate(each)

    def _range(self, reader: Expressions) -> range:
        start = reader.integer()
        reader.expect(":")
        stop = reader.integer()
        step = reader.integer() if reader.take(":") else 1
        if step == 0:
            raise reader.line.error("a step must not be 0")
        return range(start, stop, step)

    def _count_iterations(self, line: Line, n_iterations: int, body: list[Line]) -> None:
        self._n_repeated += n_iterations * len(body)
        self._n_steps += n_iterations * sum(len(word) + 1 for each in body for word in each.tokens)
        maximum = self._own.blackbird_operations
        if self._n_repeated > maximum:
            text = f"{n_iterations:,} repetitions are too many"
            raise line.limit_error(text, maximum, "blackbird_operations")
        # This alone does not bound the time: a repeated line may have `MAX_LINE_CHARS` characters.
        if self._n_steps > bounds.MAX_STEPS:
            raise line.limit_error("repeated statements are too long", bounds.MAX_STEPS)

    def _list(self, reader: Expressions) -> Array:
        reader.expect("[")
        found: list[Number] = []
        while not reader.take("]"):
            value = reader.number()
            if isinstance(value, Formula):
                raise reader.line.error("a list may contain only numbers")
            found.append(value)
            if reader.here != "]":
                reader.expect(",")
        return Array(tuple(found), 1)

    def _declarations(self) -> list[Line]:
        """Read the declarations of a time-domain program; return its other statements."""
        body: list[Line] = []
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            if line.tokens[0] in _TYPES:
                self._declare(line)
            elif line.tokens[0] == "for":
                raise line.error("time-domain programs cannot have loops")
            else:
                body.append(line)
        return body

    def _read_bins(self, body: list[Line]) -> None:
        """Unroll the time bins: in bin t, mode i becomes t + i, and `p0` element t of its array."""
        columns = {
            name: value
            for name, value in self._names.items()
            if _COLUMN.fullmatch(name) and isinstance(value, Array)
        }
        # `temporal_modes` may be absent, which is 0 here; then the columns alone give the bins.
        lengths = {len(array.elements) for array in columns.values()} | {self._bins} - {0}
        where = body[0] if body else self._lines[-1] if self._lines else Line(1, False, [""])
        if len(lengths) != 1:
            raise where.error("the arrays p0, p1, … need as many columns as there are time bins")
        (self._bins,) = lengths
        maximum = self._limits.photonic.time_bins
        if self._bins > maximum:
            raise where.limit_error(f"{self._bins:,} time bins are too many", maximum, "time_bins")
        # Counted before the time bins are unrolled, so that a short text cannot take long.
        self._count_iterations(where, self._bins, body)
        for time in range(self._bins):
            self._names |= {name: array.elements[time] for name, array in columns.items()}
            for line in body:
                self._operate(line, time)

    def _operate(self, line: Line, time: int = 0) -> None:
        name = line.tokens[0]
        signature = SIGNATURES.get(name)
        if signature is None:
            raise line.error(f"the operation {quoted(name)} is not known")
        reader = Expressions(line, self._names, 1)
        found = self._arguments(reader, name)
        arguments = {key: in_bin(value, time) for key, value in found.items()} if time else found
        reader.expect("|")
        modes = self._modes(reader)
        reader.end()
        if signature.n_modes and len(modes) != signature.n_modes:
            raise line.error(f"{name} acts on {signature.n_modes} modes, not {len(modes)}")
        shifted = tuple([mode + time for mode in modes])
        maximum = self._limits.photonic.modes
        if max(shifted) >= maximum:
            raise line.limit_error(f"mode {max(shifted)} is too high", maximum, "modes")
        made = operation(line, name, shifted, arguments)
        # Strength costs memory: the photon numbers that engines list grow with squeezing.
        if isinstance(made, Gate):
            check_strength(line, made, self._limits)
        # In a time-domain machine only the pulse that leaves the loop reaches the detector.
        if self._is_tdm and isinstance(made, Measure) and modes != (0,):
            raise line.error("time-domain programs may measure only mode 0")
        self._ops.append((line, made))
        self._n_numbers += _n_numbers(made)
        # Operations alone do not bound memory: an interferometer on n modes has 2 n² numbers.
        if self._n_numbers > bounds.MAX_NUMBERS:
            raise line.limit_error("the operations hold too many numbers", bounds.MAX_NUMBERS)
        maximum = self._own.blackbird_operations
        if len(self._ops) > maximum:
            raise line.limit_error("there are too many operations", maximum, "blackbird_operations")

    def _arguments(self, reader: Expressions, name: str) -> dict[str, Argument]:
        line, defaults = reader.line, SIGNATURES[name].defaults
        given: dict[str, Argument] = {}
        if reader.take("("):
            while not reader.take(")"):
                key = self._key(reader, name, given)
                given[key] = self._argument(reader)
                if reader.here != ")":
                    reader.expect(",")
        found: dict[str, Argument] = {}
        for key, default in defaults.items():
            value = given.get(key, default)
            if value is None:
                raise line.error(f"{name} needs the argument {key}")
            found[key] = value
        return found

    def _key(self, reader: Expressions, name: str, given: dict[str, Argument]) -> str:
        defaults = SIGNATURES[name].defaults
        if reader.tokens[reader.at + 1 : reader.at + 2] == ["="]:
            key = reader.here
            reader.at += 2
        elif len(given) < len(defaults):
            key = tuple(defaults)[len(given)]
        else:
            raise reader.line.error(f"{name} takes at most {len(defaults)} arguments")
        # Strawberry Fields simulates post-selection with `select`, which a device cannot do.
        if key == "select":
            raise reader.line.error(f"{name}: outcomes cannot be selected")
        if key not in defaults or key in given:
            raise reader.line.error(f"{name}: argument {quoted(key)} is unknown or given twice")
        return key

    def _argument(self, reader: Expressions) -> Argument:
        if reader.here == "[":
            return self._list(reader)
        found = self._names.get(reader.here)
        if isinstance(found, Array) and reader.tokens[reader.at + 1] != "[":
            reader.at += 1
            return found
        return reader.number()

    def _modes(self, reader: Expressions) -> tuple[int, ...]:
        closing = {"[": "]", "(": ")"}.get(reader.here, "")
        reader.at += bool(closing)
        modes = [reader.integer()]
        while reader.take(","):
            modes.append(reader.integer())
        if closing:
            reader.expect(closing)
        if min(modes) < 0:
            raise reader.line.error("a mode must not be negative")
        if len(set(modes)) != len(modes):
            raise reader.line.error("a mode is named twice")
        return tuple(modes)

    def _circuit(self) -> PhotonicCircuit:
        measured: dict[int, str] = {}
        n_modes = 0
        for line, op in self._ops:
            for mode in op.modes:
                n_modes = max(n_modes, mode + 1)
                # A measured mode is absorbed by its detector, so nothing can act on it.
                if mode in measured:
                    raise line.error(f"mode {mode} was measured before")
            if isinstance(op, Measure):
                measured |= dict.fromkeys(op.modes, op.kind)
            else:
                _check_formulas(line, op, measured)
        if not measured:
            raise InvalidProgram("the program measures nothing")
        # Mode 0 of bin t is mode t of the circuit, so every bin measures one mode of its own.
        if self._is_tdm and len(measured) != self._bins:
            raise InvalidProgram("a time-domain program measures mode 0 in every time bin")
        return PhotonicCircuit(n_modes, tuple([op for _, op in self._ops]), self._bins)


def _n_numbers(op: Op) -> int:
    if isinstance(op, Measure):
        return len(op.modes)
    return sum(len(each.code) if isinstance(each, Formula) else 1 for each in op.params)


def _check_formulas(line: Line, gate: Gate, measured: dict[int, str]) -> None:
    for param in gate.params:
        for item in param.code if isinstance(param, Formula) else ():
            mode = item[1:] if isinstance(item, str) else ""
            if mode.isdigit() and measured.get(int(mode)) != "homodyne":
                raise line.error(f"q{mode}: mode {mode} has no homodyne outcome yet")


def _converted(line: Line, kind: str, value: Value) -> Value:
    """Return a value converted to the type of a declaration."""
    if isinstance(value, Formula) and kind in ("float", "complex"):
        return value
    match kind, value:
        case ("str", str()) | ("bool", bool()):
            return value
        case ("int", int()) if not isinstance(value, bool):
            return value
        case ("float", int() | float()):
            return float(value)
        case ("complex", int() | float() | complex()):
            return complex(value)
    raise line.error(f"the value must have the type {kind}")
