"""Braket's pragmas: result types, noise, unitary gates and verbatim boxes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Final, NoReturn, cast

from msgspec.structs import replace

from qwicket.circuits.qubit import Factor, Gate, Parameter, Readout, ReadoutKind
from qwicket.programs.json_text import quoted
from qwicket.vendors.braket.reader.channels import CHANNELS, Matrix, deviation, flat

if TYPE_CHECKING:
    from qwicket.model.errors import InvalidProgram
    from qwicket.programs.openqasm.interpreter import Interpreter

# Repetitions are possessive, so that a text of n characters costs O(n).
_TOKEN: Final = re.compile(
    r"""\s*+( [A-Za-z_]\w*+(?:\[[0-9]{1,5}(?::[0-9]{1,5}){0,2}\])? | \$[0-9]{1,5}
          | (?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?(?:im)?
          | "[^"]*+" | \S )""",
    re.VERBOSE,
)
_NUMBER: Final = re.compile(r"((?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(im)?")
_NAME: Final = re.compile(r"([A-Za-z_]\w*)(?:\[([0-9:]+)\])?|\$[0-9]+")
_MAX_MATRIX_QUBITS: Final = 6
_MAX_KRAUS_QUBITS: Final = 2
_TOLERANCE: Final = 1e-5
"""Allowed deviation of entries of matrices, because clients write rounded decimals."""
_OBSERVABLES: Final = frozenset("ixyzh")
_OF_OBSERVABLES: Final = frozenset({"expectation", "variance", "sample"})
_NOT_FROM_SHOTS: Final = frozenset(
    {"state_vector", "density_matrix", "amplitude", "adjoint_gradient"}
)


class Pragmas:
    """Carries out the pragmas of one program, and collects its result types.

    Args:
        shots: Shots of the task; 0 for exact results.

    Attributes:
        results: Result types, each with the index of its token; `targets` and `products` for all
            qubits are empty, and `completed` fills them in.
        used: Qubits that pragmas name.
    """

    def __init__(self, shots: int) -> None:
        self._shots = shots
        self.results: list[tuple[Readout, int]] = []
        # Observables on all qubits, by the index in `results`.
        self._everywhere: dict[int, str] = {}
        self.used: set[int] = set()

    def run(self, interpreter: Interpreter, text: str, at: int) -> None:
        """Carry out one pragma; `at` is the index of its token, for errors.

        Raises:
            InvalidProgram: The pragma is malformed, or not known here.
        """
        # Braket's SDK writes `#pragma`; the grammar of OpenQASM 3 makes the `#` optional.
        line = _Line(interpreter, text.lstrip("#").removeprefix("pragma"), at)
        if line.take() != "braket":
            raise line.error("a pragma must begin with 'braket'")
        word = line.take()
        match word:
            case "result":
                self._result(line)
            case "noise":
                self._noise(line)
            case "unitary":
                self._unitary(line)
            case "verbatim":
                pass  # a simulator runs the gates as they are
            case _:
                raise line.error(f"the pragma {quoted(word)} is not supported")
        line.end()

    # --- gates ------------------------------------------------------------------------------------

    def _unitary(self, line: _Line) -> None:
        line.need("(")
        matrix = line.matrix()
        line.need(")")
        targets = self._targets(line, _width(matrix, line, _MAX_MATRIX_QUBITS))
        if deviation([matrix]) > _TOLERANCE:
            raise line.error("the matrix is not unitary")
        line.interpreter.add_gate(Gate("unitary", targets, flat([matrix])), line.at)

    def _noise(self, line: _Line) -> None:
        name = line.take()
        line.need("(")
        if name == "kraus":
            matrices = [line.matrix()]
            while line.next == ",":
                line.take()
                matrices.append(line.matrix())
            width = _width(matrices[0], line, _MAX_KRAUS_QUBITS)
            if len({len(matrix) for matrix in matrices}) > 1:
                raise line.error("the matrices of 'kraus' differ in size")
            # 4^n Kraus matrices express every channel on n qubits, so more would only cost time.
            if len(matrices) > 4**width:
                raise line.error(f"'kraus' has at most {4**width} matrices here")
            if deviation(matrices) > _TOLERANCE:
                raise line.error("the matrices of 'kraus' do not preserve the trace")
        else:
            channel = CHANNELS.get(name)
            if channel is None:
                raise line.error(
                    f"the noise {quoted(name)} is not known; known: {', '.join(CHANNELS)}"
                )
            values = line.numbers()
            if len(values) != channel.n_parameters:
                raise line.error(
                    f"'{name}' has {channel.n_parameters} parameters, not {len(values)}"
                )
            if min(values) < 0 or max(values) > 1 or sum(values) > channel.max_sum:
                is_bounded = channel.max_sum < len(values)
                text = " with a sum of at most 1" if is_bounded else ""
                raise line.error(f"the parameters of '{name}' must be probabilities{text}")
            matrices, width = channel.kraus(*values), channel.n_qubits
        line.need(")")
        targets = self._targets(line, width)
        line.interpreter.add_gate(Gate("kraus", targets, flat(matrices)), line.at)

    def _targets(self, line: _Line, width: int) -> tuple[int, ...]:
        targets = self._qubits(line)
        if len(targets) != width:
            raise line.error(f"{width} qubits are needed, not {len(targets)}")
        return targets

    def _qubits(self, line: _Line) -> tuple[int, ...]:
        found = list(line.qubits())
        while line.next == ",":
            line.take()
            found += line.qubits()
        if len(set(found)) < len(found):
            raise line.error("a qubit is named twice")
        self.used.update(found)
        return tuple(found)

    # --- result types -----------------------------------------------------------------------------

    def _result(self, line: _Line) -> None:
        kind = line.take()
        # Shots give outcomes, from which no state and no amplitude can be read.
        if kind in _NOT_FROM_SHOTS and self._shots:
            raise line.error(f"the result type '{kind}' needs shots=0")
        if kind == "sample" and not self._shots:
            raise line.error("the result type 'sample' needs shots")
        if kind == "state_vector":
            readout = Readout("state_vector")
        elif kind == "amplitude":
            readout = Readout("amplitude", keys=line.strings())
        elif kind in ("density_matrix", "probability"):
            targets: tuple[int, ...] = ()
            if line.next and line.next != "all":
                targets = self._qubits(line)
            elif line.next:
                line.take()
            readout = Readout(cast(ReadoutKind, kind), targets)
        elif kind in _OF_OBSERVABLES:
            readout = self._observable(line, cast(ReadoutKind, kind))
        elif kind == "adjoint_gradient":
            readout = self._gradient(line)
        else:
            raise line.error(f"the result type {quoted(kind)} is not known")
        self.results.append((readout, line.at))

    def _observable(self, line: _Line, kind: ReadoutKind) -> Readout:
        name = line.take()
        if name in _OBSERVABLES and line.next in ("", "all"):
            if line.next:
                line.take()
            # Completed when the number of qubits is known.
            self._everywhere[len(self.results)] = name
            return Readout(kind)
        if name not in _OBSERVABLES:
            first = self._factor(line, name)
        else:
            targets = self._in_brackets(line)
            if len(targets) > 1 and line.next != "@":  # of each qubit of a register
                return Readout(kind, products=tuple((Factor(name, (each,)),) for each in targets))
            first = Factor(name, _only(line, targets))
        return Readout(kind, products=(self._product(line, first),))

    def _gradient(self, line: _Line) -> Readout:
        """Read `expectation(2 * x(q[0]) @ z(q[1]) - y(q[0])) a, b`, or `all` for all inputs."""
        if line.take() != "expectation":
            raise line.error("'adjoint_gradient' is that of an 'expectation(…)'")
        line.need("(")
        products: list[tuple[Factor, ...]] = []
        coefficients: list[float] = []
        while True:
            coefficient, name = line.coefficient()
            coefficients.append(coefficient)
            products.append(self._product(line, self._factor(line, name)))
            if line.next not in ("+", "-"):
                break
        line.need(")")
        names = [line.take()]
        while line.next == ",":
            line.take()
            names.append(line.take())
        if not all(each.isidentifier() for each in names):
            raise line.error("'adjoint_gradient' names inputs of the program, or 'all'")
        if len(set(names)) < len(names):
            raise line.error("'adjoint_gradient' names an input twice")
        # `all` is replaced where the inputs of the program are known.
        parameters = () if names == ["all"] else tuple(map(Parameter, names))
        return Readout(
            "adjoint_gradient",
            products=tuple(products),
            coefficients=tuple(coefficients),
            parameters=parameters,
        )

    def _product(self, line: _Line, first: Factor) -> tuple[Factor, ...]:
        """Read the rest of an observable."""
        factors = [first]
        while line.next == "@":
            line.take()
            factors.append(self._factor(line, line.take()))
        # The factors of a product are measured together, so each needs qubits of its own.
        named = [target for factor in factors for target in factor.targets]
        if len(set(named)) < len(named):
            raise line.error("a qubit is in two factors of an observable")
        return tuple(factors)

    def _factor(self, line: _Line, name: str) -> Factor:
        if name == "hermitian":
            line.need("(")
            matrix = line.matrix()
            line.need(")")
            width = _width(matrix, line, _MAX_MATRIX_QUBITS)
            if not _is_hermitian(matrix):
                raise line.error("the matrix is not Hermitian")
            return Factor(name, self._targets_of_hermitian(line, width), flat([matrix]))
        if name not in _OBSERVABLES:
            raise line.error(f"the observable {quoted(name)} is not known")
        if line.next in ("", "all", ")"):
            raise line.error("each factor of a product must name its qubit")
        return Factor(name, _only(line, self._in_brackets(line)))

    def _in_brackets(self, line: _Line) -> tuple[int, ...]:
        """Read the qubits of `z(q[0])`, `z q[0]` or `z(q)`."""
        has_bracket = line.next == "("
        if has_bracket:
            line.take()
        targets = tuple(line.qubits())
        if has_bracket:
            line.need(")")
        self.used.update(targets)
        return targets

    def _targets_of_hermitian(self, line: _Line, width: int) -> tuple[int, ...]:
        if line.next == "all" or not line.next:
            raise line.error("'hermitian' must name its qubits")
        found = list(line.qubits())
        while len(found) < width and line.next == ",":
            line.take()
            found += line.qubits()
        if len(found) != width or len(set(found)) < width:
            raise line.error(f"the matrix must be on {width} different qubits")
        self.used.update(found)
        return tuple(found)

    def completed(self, place_of: Mapping[int, int]) -> tuple[Readout, ...]:
        """Return the result types on renumbered qubits; those on all qubits name them.

        Args:
            place_of: New number of each qubit in use.
        """
        n = len(place_of)
        return tuple(
            self._complete(number, readout, place_of, n)
            for number, (readout, _) in enumerate(self.results)
        )

    def _complete(
        self, number: int, readout: Readout, place_of: Mapping[int, int], n: int
    ) -> Readout:
        everywhere = self._everywhere.get(number)
        if everywhere is not None:
            products: tuple[tuple[Factor, ...], ...] = tuple(
                (Factor(everywhere, (qubit,)),) for qubit in range(n)
            )
        else:
            products = tuple(
                tuple(
                    Factor(each.name, tuple(place_of[q] for q in each.targets), each.matrix)
                    for each in product
                )
                for product in readout.products
            )
        targets = tuple(place_of[qubit] for qubit in readout.targets)
        if readout.kind in ("density_matrix", "probability"):
            targets = targets or tuple(range(n))
        return replace(readout, targets=targets, products=products)


class _Line:
    """One pragma, token by token."""

    def __init__(self, interpreter: Interpreter, text: str, at: int) -> None:
        self.interpreter = interpreter
        self.at = at
        self._tokens = _TOKEN.findall(text.strip())
        self._place = 0

    @property
    def next(self) -> str:
        """The next token; empty at the end."""
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def take(self) -> str:
        # Beyond the end `next` stays empty, so a short line is refused without an IndexError.
        found = self.next
        self._place += 1
        return found

    def need(self, text: str) -> None:
        if self.take() != text:
            raise self.error(f"expected '{text}' in the pragma")

    def end(self) -> None:
        if self.next:
            raise self.error(f"{quoted(self.next)} does not belong to the pragma")

    def error(self, reason: str) -> InvalidProgram:
        return self.interpreter.error(self.at, reason)

    def qubits(self) -> tuple[int, ...]:
        spelling = self.take()
        match = _NAME.fullmatch(spelling)
        if match is None:
            raise self.error(f"expected a qubit in the pragma, found {quoted(spelling)}")
        name, index = match[1], match[2] or ""
        if ":" in index:
            return self._slice(name, index)
        # Braket's simulator takes `q[0]` also for `qubit q`.
        elements = self.interpreter.elements
        if index == "0" and spelling not in elements and name in elements:
            return (elements[name],)
        return self.interpreter.qubits(spelling, self.at)

    def _slice(self, name: str, index: str) -> tuple[int, ...]:
        """Return the qubits of `q[0:2]`, or of `q[0:2:4]` with a step; both ends are included."""
        first, *steps, last = map(int, index.split(":"))
        step = steps[0] if steps else 1
        register = self.interpreter.qubits(name, self.at)
        if not first <= last < len(register) or not step:
            raise self.error(f"{name}[{index}] is no slice of a register of {len(register)} qubits")
        return register[first : last + 1 : step]

    def strings(self) -> tuple[str, ...]:
        found = []
        while True:
            text = self.take()
            if not re.fullmatch('"[01]{1,64}"', text):
                raise self.error('an amplitude must name a state such as "01"')
            found.append(text[1:-1])
            if self.next != ",":
                return tuple(found)
            self.take()

    def coefficient(self) -> tuple[float, str]:
        """Read the number before a product, or 1, and the product's first name."""
        sign = 1.0
        while self.next in ("+", "-"):
            sign = -sign if self.take() == "-" else sign
        if not _NUMBER.fullmatch(self.next):
            return sign, self.take()
        value = self._term()
        if value.imag:
            raise self.error("a coefficient must be real")
        self.need("*")
        return sign * value.real, self.take()

    def numbers(self) -> list[float]:
        found = []
        while True:
            value = self._complex()
            if value.imag:
                raise self.error("a parameter of noise must be real")
            found.append(value.real)
            if self.next != ",":
                return found
            self.take()

    def matrix(self) -> Matrix:
        rows: list[list[complex]] = []
        self.need("[")
        while True:
            self.need("[")
            row = [self._complex()]
            while self.next == ",":
                self.take()
                row.append(self._complex())
            self.need("]")
            rows.append(row)
            if self.next != ",":
                break
            self.take()
        self.need("]")
        if any(len(row) != len(rows) for row in rows):
            raise self.error("a matrix must be square")
        return rows

    def _complex(self) -> complex:
        value = self._term()
        while self.next in ("+", "-"):
            value += self._term()
        return value

    def _term(self) -> complex:
        sign = 1
        while self.next in ("+", "-"):
            sign = -sign if self.take() == "-" else sign
        text = self.take()
        match = _NUMBER.fullmatch(text)
        if match is None:
            self._refuse_number(text)
        value = float(match[1])
        # `float` returns infinity for a text such as `1e999`, without an error.
        if not isfinite(value):
            self._refuse_number(text)
        is_imaginary = bool(match[2])
        if not is_imaginary and self.next == "im":
            self.take()
            is_imaginary = True
        return complex(0, sign * value) if is_imaginary else complex(sign * value)

    def _refuse_number(self, text: str) -> NoReturn:
        raise self.error(f"expected a number in the pragma, found {quoted(text)}")


def _width(matrix: Matrix, line: _Line, maximum: int) -> int:
    width = len(matrix).bit_length() - 1
    if len(matrix) != 1 << width or not 1 <= width <= maximum:
        raise line.error(f"a matrix must be on 1 to {maximum} qubits, with 2, 4, 8, … rows")
    return width


def _only(line: _Line, targets: tuple[int, ...]) -> tuple[int, ...]:
    if len(targets) > 1:
        raise line.error("a factor of a product must be on one qubit, not on a register")
    return targets


def _is_hermitian(matrix: Matrix) -> bool:
    size = range(len(matrix))
    return all(
        abs(complex(matrix[a][b]) - complex(matrix[b][a]).conjugate()) <= _TOLERANCE
        for a in size
        for b in size
    )
