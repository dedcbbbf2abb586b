"""Reader of Qiskit's circuits: from QPY to a flat template, into which parameter values are put.

Of all readers only this one imports Qiskit, and only in parser processes. A gate is recognised by
its class, never by its name, which the file chooses freely. Any other gate is replaced by its
definition.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from qwicket.circuits.qubit import Gate, Measure, Op, Register, Reset
from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.programs.json_text import FieldError, check_limit, quoted
from qwicket.programs.openqasm import conditions
from qwicket.programs.openqasm.arithmetic import UNITS_PER_S
from qwicket.programs.openqasm.bounds import OpenQASMLimits
from qwicket.programs.openqasm.conditions import Condition, Flow, Label
from qwicket.programs.openqasm.logic import TooComplex
from qwicket.vendors.ibm.primitives.expressions import Expressions
from qwicket.vendors.ibm.qobj.gates import add_delay, add_gate
from qwicket.vendors.ibm.qobj.wire import Instruction

if TYPE_CHECKING:
    from qwicket.vendors.ibm.primitives.text_circuits import TextTemplate

VERSIONS: Final = range(13, 18)
EXECUTOR_VERSIONS: Final = range(13, 19)
"""Accepted versions of QPY, in pubs and in programs of the executor. Files of earlier versions can
run code when they are loaded."""

_MAGIC: Final = b"QISKIT"
_TEXT: Final = re.compile(rb"\s*OPENQASM\s+3")
_N_PROGRAMS: Final = slice(10, 18)
_HEAD_BYTES: Final = 18
"""Place of the number of circuits in a file's header, and the header's length in bytes."""
_DEPTH: Final = 64
"""Limit on the nesting of definitions and blocks."""
_STANDARD: Final = "qiskit.circuit.library.standard_gates."
_SPURIOUS_ERROR: Final = "Cannot bind following parameters"
_MAX_READS: Final = 24
"""Attempts to read a file. If five in eight fail, one valid file in 80,000 is refused."""

_LOSSY: Final = re.compile(
    rb"(.{4})(.{4})(?:MCPhaseGate|MCU1Gate|MCXGate|MCXGrayCode|MCXRecursive|MCXVChain)", re.DOTALL
)
"""Controlled gates in a file: number of controls, control state, class. Qiskit 2.3 loses the
control state of these classes when it reads them."""
_UNITS_PER_S: Final = {**UNITS_PER_S, "ps": 1e12}
_TOLERANCE: Final = 1e-8
"""For the zeros of U U†; for its ones `allclose` adds 1e-5."""
UNASSIGNED_REGISTER: Final = "_loose"
"""Name of the register for bits without one. No register of a program may have this name."""


class ParametricGate(NamedTuple):
    """A gate whose angles are numbers or Qiskit's expressions of parameters."""

    name: str
    qubits: tuple[int, ...]
    params: tuple[Any, ...]


class Conditional(NamedTuple):
    """Operations that run if a condition holds, and others that run if it does not."""

    condition: Condition | bool
    then: tuple[Item, ...]
    other: tuple[Item, ...]


class Switch(NamedTuple):
    """Conditions, each with operations; those of the first that holds run."""

    cases: tuple[tuple[Condition | bool, tuple[Item, ...]], ...]


class Delay(NamedTuple):
    """A delay; `duration` is a number or Qiskit's expression of parameters."""

    qubit: int
    duration: Any
    units_per_s: float


Item = Op | ParametricGate | Delay | Conditional | Switch


class Template(NamedTuple):
    """A circuit with parameters.

    Attributes:
        n_qubits: Number of qubits; after transpiling, all of the device's, most of them idle.
        items: Operations in time order.
        registers: Classical registers; bits without one come last.
        parameters: Parameters in the order of the values.
    """

    n_qubits: int
    items: tuple[Item, ...]
    registers: tuple[Register, ...]
    parameters: tuple[Any, ...]

    def bound(self, values: Sequence[float]) -> tuple[Op, ...]:
        """Return the operations with values in place of the parameters.

        Raises:
            FieldError: An angle is not a finite real number, or is too large.
        """
        ops: list[Op] = []
        _Binder(ops, dict(zip(self.parameters, values, strict=True))).add(self.items)
        return tuple(ops)


class _Binder:
    """Writes the operations of items.

    Args:
        ops: The list that grows.
        values: Value of each parameter.
    """

    def __init__(self, ops: list[Op], values: Mapping[Any, float]) -> None:
        self._ops = ops
        self._values = values
        self._flow = Flow(ops)

    def add(self, items: Sequence[Item]) -> None:
        for item in items:
            if isinstance(item, ParametricGate):
                angles = tuple([self._angle(each) for each in item.params])
                add_gate(self._ops, Instruction(item.name, item.qubits, angles))
            elif isinstance(item, Delay):
                add_delay(self._ops, item.qubit, self._angle(item.duration) / item.units_per_s)
            elif isinstance(item, Conditional):
                self._choose(item)
            elif isinstance(item, Switch):
                self._choose_case(item)
            else:
                self._ops.append(item)

    def _angle(self, angle: Any) -> float:
        if isinstance(angle, float):
            return angle
        # A parameter alone is the usual case, and needs none of Qiskit's slow expressions.
        if angle in self._values:
            return self._values[angle]
        # Qiskit's expressions raise many kinds of errors, none of which would help a user.
        try:
            own = {each: self._values[each] for each in angle.parameters}
            return float(angle.bind(own).numeric())
        except Exception:
            raise FieldError("an angle is not a real number", "values") from None

    def _choose(self, choice: Conditional) -> None:
        if isinstance(choice.condition, bool):
            self.add(choice.then if choice.condition else choice.other)
            return
        other, end = Label(), Label()
        self._flow.jump_if(choice.condition, False, other)
        self.add(choice.then)
        if choice.other:
            self._flow.jump(end)
        self._flow.place(other)
        self.add(choice.other)
        self._flow.place(end)

    def _choose_case(self, switch: Switch) -> None:
        end = Label()
        for condition, items in switch.cases:
            if condition is False:
                continue
            if condition is True:
                self.add(items)
                break
            other = Label()
            self._flow.jump_if(condition, False, other)
            self.add(items)
            self._flow.jump(end)
            self._flow.place(other)
        self._flow.place(end)


def read(data: bytes, limits: Limits, values: Any) -> Template | TextTemplate:
    """Read a file with one circuit, or a text in OpenQASM 3, which needs `values` (`TextTemplate`).

    Raises:
        InvalidProgram: The file is malformed, or its circuit cannot be run.
        LimitExceeded: The circuit has too many qubits, bits or operations.
    """
    if _TEXT.match(data):
        from qwicket.vendors.ibm.primitives.text_circuits import TextTemplate  # late: few are texts

        return TextTemplate(data, limits, values)
    (template,) = read_all(data, 1, limits, VERSIONS)
    return template


def read_all(
    data: bytes, n_circuits: int, limits: Limits, versions: range = EXECUTOR_VERSIONS
) -> list[Template]:
    """Read a file with `n_circuits` circuits.

    Raises:
        InvalidProgram: The file is malformed, or one of its circuits cannot be run.
        LimitExceeded: A circuit has too many qubits or bits, or all together too many operations.
    """
    check_head(data, n_circuits, versions)
    _check_controls(data)
    reader = _Reader(limits)
    return [_template(circuit, reader, limits) for circuit in _loaded(data, n_circuits)]


def _template(circuit: Any, reader: _Reader, limits: Limits) -> Template:
    check_limit("clifford_qubits", circuit.num_qubits, limits.programs.clifford_qubits)
    check_limit("clbits", circuit.num_clbits, limits.programs.clbits)
    if circuit.num_input_vars or circuit.num_captured_vars or circuit.num_declared_vars:
        raise InvalidProgram("the circuit has variables of its own: they cannot be run")
    registers, numbers = _registers(circuit)
    scope = _Scope(tuple(range(circuit.num_qubits)), numbers)
    items = tuple(reader.items(circuit, scope, 0))
    return Template(circuit.num_qubits, items, registers, tuple(circuit.parameters))


def check_head(data: bytes, n_circuits: int, versions: range) -> None:
    """Check format, version and number of circuits before any library reads the file."""
    if len(data) < _HEAD_BYTES or not data.startswith(_MAGIC):
        raise InvalidProgram("the circuit is not in QPY")
    version = data[len(_MAGIC)]
    if version not in versions:
        first, last = versions[0], versions[-1]
        raise InvalidProgram(f"the circuit is in QPY {version}; {first} to {last} are read")
    # Checked here, because Qiskit would build every circuit that the file declares.
    n_programs = int.from_bytes(data[_N_PROGRAMS], "big")
    if n_programs != n_circuits:
        wanted = "one is" if n_circuits == 1 else f"{n_circuits} are"
        raise InvalidProgram(f"the file has {n_programs} circuits: {wanted} read")


def _check_controls(data: bytes) -> None:
    """Refuse gates that Qiskit would read as other gates."""
    for found in _LOSSY.finditer(data):
        n_controls, state = (int.from_bytes(part, "big") for part in found.groups())
        if n_controls > 32 or state != (1 << n_controls) - 1:
            raise InvalidProgram(
                "QPY loses the state of a gate with many controls, some of which must be zero:"
                " transpile the circuit"
            )


def _loaded(data: bytes, n_circuits: int) -> list[Any]:
    try:
        from qiskit import QuantumCircuit, qpy
        from qiskit.qpy.common import QPY_VERSION
    except ImportError:
        raise InvalidProgram(
            "this server reads no QPY: its administrator can install qwicket[qiskit]"
        ) from None
    if data[len(_MAGIC)] > QPY_VERSION:
        raise InvalidProgram(
            f"the circuit is in QPY {data[len(_MAGIC)]}; the Qiskit of this server reads"
            f" {QPY_VERSION} at most"
        )
    try:
        with warnings.catch_warnings():
            # Qiskit warns of files from a newer Qiskit, in a log that the client cannot see.
            warnings.simplefilter("ignore")
            found = _read_with_retries(lambda: qpy.load(BytesIO(data)))
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException:  # a panic of Qiskit's Rust code is a BaseException
        raise InvalidProgram("the circuit is not valid QPY") from None
    if len(found) != n_circuits or not all(isinstance(each, QuantumCircuit) for each in found):
        raise InvalidProgram("the file holds no circuit")
    return found


def _read_with_retries(read: Callable[[], list[Any]]) -> list[Any]:
    """Return the circuits of a file, and retry if Qiskit fails by chance.

    Qiskit 2.4 to 2.6 refuses about half of the attempts to read a valid file whose angles are
    expressions as Qiskit 2.0 wrote them. An invalid file costs only time of the parser process.
    """
    for _ in range(_MAX_READS - 1):
        try:
            return read()
        except Exception as error:
            if _SPURIOUS_ERROR not in str(error):
                raise
    return read()


def _registers(circuit: Any) -> tuple[tuple[Register, ...], dict[Any, int]]:
    """Return the classical registers, and the number of each bit."""
    numbers: dict[Any, int] = {}
    registers = []
    for register in circuit.cregs:
        if register.name == UNASSIGNED_REGISTER:
            raise InvalidProgram(f"a register must not be called {UNASSIGNED_REGISTER}")
        # A result lists each bit once, in its register.
        if any(bit in numbers for bit in register):
            raise InvalidProgram(f"register {quoted(register.name)} shares bits with another")
        for bit in register:
            numbers[bit] = len(numbers)
        registers.append(Register(register.name, len(register)))
    loose = [bit for bit in circuit.clbits if bit not in numbers]
    if loose:
        for bit in loose:
            numbers[bit] = len(numbers)
        registers.append(Register(UNASSIGNED_REGISTER, len(loose)))
    return tuple(registers), numbers


def _operation(instruction: Any, where: str) -> Any:
    try:
        return instruction.operation
    except Exception:  # Qiskit makes it only now, with errors of any kind
        raise InvalidProgram(
            f"{where}: Qiskit cannot read it. QPY loses the unit of a delay that is not in dt:"
            " assign its parameters and transpile the circuit for this device"
        ) from None


class _Scope(NamedTuple):
    """Numbers of an inner circuit's qubits and bits in the outermost circuit."""

    qubits: tuple[int, ...]
    clbits: Mapping[Any, int]


class _Reader:
    """Flattens circuits, and counts their operations with all definitions unrolled."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._n_ops = 0
        self._expressions = Expressions(limits.of(OpenQASMLimits).openqasm_steps)

    def items(self, circuit: Any, scope: _Scope, depth: int) -> Iterator[Item]:
        # Before descending, so that deep definitions cannot exhaust the stack.
        if depth > _DEPTH:
            raise InvalidProgram(f"gates are defined by one another more than {_DEPTH} deep")
        qubit_of = {bit: scope.qubits[k] for k, bit in enumerate(circuit.qubits)}
        # Counted while it is unrolled: a few nested definitions can stand for billions of gates.
        for index, instruction in enumerate(circuit.data):
            self._n_ops += 1
            check_limit("operations", self._n_ops, self._limits.programs.operations, " or more")
            qubits = tuple([qubit_of[bit] for bit in instruction.qubits])
            clbits = tuple([scope.clbits[bit] for bit in instruction.clbits])
            where = f"instruction {index} ({quoted(instruction.name)})"
            operation = _operation(instruction, where)
            try:
                yield from self._item(operation, qubits, clbits, scope, depth)
            except FieldError as fault:
                raise InvalidProgram(f"{where}: {fault}") from None
            except TooComplex as why:
                raise LimitExceeded(f"{where}: {why}") from None

    def _item(
        self,
        operation: Any,
        qubits: tuple[int, ...],
        clbits: tuple[int, ...],
        scope: _Scope,
        depth: int,
    ) -> Iterator[Item]:
        from qiskit import circuit as known
        from qiskit.circuit import library

        match operation:
            case known.Measure():
                yield Measure(qubits[0], clbits[0])
            case known.Reset():
                yield Reset(qubits[0])
            # Circuits have no barriers, and a phase of the whole state has no effect.
            case known.Barrier() | library.GlobalPhaseGate():
                return
            case known.Delay():
                yield from _delay(operation, qubits[0])
            case known.IfElseOp():
                condition = self._expressions.condition(operation.condition, scope.clbits)
                self._n_ops += conditions.cost_of_bits(condition)
                then, other = [
                    tuple(self._block(block, qubits, clbits, depth)) if block else ()
                    for block in operation.blocks + (None,) * (2 - len(operation.blocks))
                ]
                yield Conditional(condition, then, other)
            case known.SwitchCaseOp():
                yield from self._switch(operation, qubits, scope, clbits, depth)
            case known.ForLoopOp():
                yield from self._loop(operation, qubits, clbits, depth)
            case known.BoxOp():
                yield from self._block(operation.body, qubits, clbits, depth)
            # The base class of those above, so it comes after them; a `while` loop might never end.
            case known.ControlFlowOp():
                raise FieldError("this kind of control flow cannot be run", "name")
            case library.UnitaryGate():
                yield _unitary(operation, qubits, self._limits)
            case _:
                yield from self._gate(operation, qubits, clbits, depth)

    def _gate(
        self, operation: Any, qubits: tuple[int, ...], clbits: tuple[int, ...], depth: int
    ) -> Iterator[Item]:
        if _is_standard(operation):
            params = tuple([_parameter(each) for each in operation.params])
            yield from _resolved(ParametricGate(operation.name, qubits, params))
            return
        try:
            definition = operation.definition
        except Exception:  # Qiskit's library computes it, with errors of any kind
            definition = None
        if definition is None:
            raise FieldError("is not a known instruction, and has no definition", "name")
        yield from self._block(definition, qubits, clbits, depth)

    def _block(
        self, block: Any, qubits: tuple[int, ...], clbits: tuple[int, ...], depth: int
    ) -> Iterator[Item]:
        if len(block.qubits) != len(qubits) or len(block.clbits) != len(clbits):
            raise FieldError("its definition is on other qubits or bits", "qubits")
        inner = _Scope(qubits, dict(zip(block.clbits, clbits, strict=True)))
        yield from self.items(block, inner, depth + 1)

    def _loop(
        self, operation: Any, qubits: tuple[int, ...], clbits: tuple[int, ...], depth: int
    ) -> Iterator[Item]:
        values, variable, body = operation.params
        for value in values:
            self._n_ops += (
                1  # An iteration counts even if its body is empty, because it takes time.
            )
            check_limit("operations", self._n_ops, self._limits.programs.operations, " or more")
            block = body
            # Not strict below, because a body need not use the variable of its loop.
            if variable is not None:
                block = body.assign_parameters({variable: value}, strict=False)
            yield from self._block(block, qubits, clbits, depth)

    def _switch(
        self,
        operation: Any,
        qubits: tuple[int, ...],
        scope: _Scope,
        clbits: tuple[int, ...],
        depth: int,
    ) -> Iterator[Item]:
        """Yield a switch; each label counts as an operation."""
        cases = []
        for labels, block in operation.cases_specifier():
            self._n_ops += len(labels)
            check_limit("operations", self._n_ops, self._limits.programs.operations, " or more")
            condition = self._expressions.case(operation.target, labels, scope.clbits)
            self._n_ops += conditions.cost_of_bits(condition)
            cases.append((condition, tuple(self._block(block, qubits, clbits, depth))))
        yield Switch(tuple(cases))


def _is_standard(operation: Any) -> bool:
    """Return whether a gate has a known class, and acts where all its controls are 1."""
    # The type of a singleton gate such as `XGate()` names no module; its base class does.
    kind = getattr(operation, "base_class", type(operation))
    if not kind.__module__.startswith(_STANDARD):
        return False
    n_controls = getattr(operation, "num_ctrl_qubits", 0)
    return getattr(operation, "ctrl_state", 0) == (1 << n_controls) - 1 or not n_controls


def _delay(operation: Any, qubit: int) -> Iterator[Delay]:
    from qiskit.circuit.classical.expr import Value

    duration, unit = operation.duration, operation.unit
    if unit == "expr":
        if not isinstance(duration, Value):
            return  # a compiler may choose 0 for stretches, and there is none here
        duration, unit = duration.value.value(), duration.value.unit()
    if unit not in _UNITS_PER_S:
        raise FieldError(f"has the unit {quoted(str(unit))}", "params")
    yield Delay(qubit, _parameter(duration), _UNITS_PER_S[unit])


def _parameter(value: Any) -> Any:
    """Return an angle as a number unless it depends on parameters."""
    if isinstance(value, float | int):
        return float(value)
    # An expression whose parameters were all assigned is still no number in Python.
    if not getattr(value, "parameters", None):
        try:
            return float(value)
        except (TypeError, ValueError):
            raise FieldError("has a parameter that is not a real number", "params") from None
    return value


def _resolved(gate: ParametricGate) -> Iterator[Item]:
    """Yield a gate without parameters as flat operations, any other gate as it is."""
    # Resolved once here, so that it is not repeated for each set of values.
    if all(isinstance(each, float) for each in gate.params):
        ops: list[Op] = []
        add_gate(ops, Instruction(gate.name, gate.qubits, gate.params))
        yield from ops
    else:
        yield gate


def _unitary(operation: Any, qubits: tuple[int, ...], limits: Limits) -> Gate:
    import numpy as np

    check_limit("matrix_qubits", len(qubits), limits.programs.matrix_qubits)
    matrix = np.asarray(operation.params[0], dtype=np.complex128)
    size = 1 << len(qubits)
    if matrix.shape != (size, size) or not np.isfinite(matrix).all():
        raise FieldError("must be a matrix of its qubits", "params")
    if not np.allclose(matrix @ matrix.conj().T, np.eye(size), atol=_TOLERANCE):
        raise FieldError("is not unitary", "params")
    flat = tuple(np.stack([matrix.real, matrix.imag], axis=-1).reshape(-1).tolist())
    # For Qiskit the first qubit of a matrix is the least significant bit, here the most.
    return Gate("unitary", qubits[::-1], flat)
