"""Reader of programs as Amazon Braket's clients write them: OpenQASM 3 with Braket's pragmas.

A source is JSON with the text, the values of its inputs and the number of shots. The shots decide
which circuit runs: 0 shots ask for exact quantities of the final state.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from qwicket.circuits.analysis import is_noisy
from qwicket.circuits.qubit import (
    Factor,
    Gate,
    Measure,
    Op,
    QubitCircuit,
    Readout,
    Readouts,
    Register,
)
from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.programs.json_text import Int64
from qwicket.programs.openqasm.bounds import OpenQASMLimits
from qwicket.programs.openqasm.interpreter import Extension
from qwicket.programs.openqasm.reader import Reader
from qwicket.vendors.braket.limits import BraketLimits
from qwicket.vendors.braket.reader import slopes
from qwicket.vendors.braket.reader.gates import GATES
from qwicket.vendors.braket.reader.pragmas import Pragmas

__all__ = ["BraketProgram", "BraketSource", "read"]

_INPUT: Final = re.compile(r"\binput\b([^;]*+)")
"""Declaration of an input; the group ends with its name."""


class BraketProgram(msgspec.Struct, frozen=True):
    """A member of a program set: a text that runs once for each place in its lists of inputs."""

    source: str
    inputs: dict[str, list[float]] | None = None

    @property
    def n_executables(self) -> int:
        return len(next(iter(self.inputs.values()))) if self.inputs else 1

    def executables(self) -> Iterator[dict[str, Any]]:
        """Yield the inputs of each run."""
        lists = self.inputs or {}
        for place in range(self.n_executables):
            yield {name: values[place] for name, values in lists.items()}


class BraketSource(msgspec.Struct, frozen=True, omit_defaults=True):
    """A program's text, shots and inputs, as the dialect stores them.

    A program set has `programs` instead of a text; its shots are those of each run.
    """

    source: str
    shots: Int64
    inputs: dict[str, Any] = {}
    programs: tuple[BraketProgram, ...] = ()


_decoder: Final = msgspec.json.Decoder(BraketSource)


def read(source: bytes, limits: Limits) -> tuple[QubitCircuit, ...]:
    """Read a program.

    Args:
        source: `BraketSource` as JSON.
        limits: Bounds on bytes, operations and results.

    Returns:
        A circuit with readouts, on the qubits that it uses; of a program set one for each run.

    Raises:
        InvalidProgram: The text is refused; the detail says where and why.
        LimitExceeded: A limit is exceeded.
    """
    try:
        program = _decoder.decode(source)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise InvalidProgram("the program is not JSON with source, shots and inputs") from None
    if program.programs:
        return _read_set(program, limits)
    return (_read_one(program, limits),)


def _read_set(program: BraketSource, limits: Limits) -> tuple[QubitCircuit, ...]:
    """Read a program set; an error names the program and the place in its inputs."""
    n_executables = sum(each.n_executables for each in program.programs)
    if n_executables > limits.programs.circuits:
        raise LimitExceeded(
            f"The program set has {n_executables:,} executables, {limits.programs.circuits:,} are"
            " allowed (limit circuits)."
        )
    circuits: list[QubitCircuit] = []
    n_ops = 0
    for number, member in enumerate(program.programs):
        # No list has the length -1, so empty lists are refused.
        if {len(each) for each in (member.inputs or {}).values()} - {member.n_executables or -1}:
            field = f"programs[{number}].inputs"
            raise InvalidProgram(f"{field}: needs lists of one length, at least 1", field=field)
        # The text is read again for each run: values of inputs may decide which gates run.
        for place, inputs in enumerate(member.executables()):
            try:
                circuit = _read_one(BraketSource(member.source, program.shots, inputs), limits)
                n_ops += len(circuit.ops)
                # Counted together, because one job holds all of them.
                if n_ops > limits.programs.operations:
                    raise LimitExceeded(
                        f"The program set has more than {limits.programs.operations:,} operations"
                        " (limit operations)."
                    )
                if circuit.readouts is not None and circuit.readouts.values:
                    raise InvalidProgram("a program of a program set has no result types")
            except (InvalidProgram, LimitExceeded) as error:
                field = f"programs[{number}].inputs[{place}]"
                raise type(error)(error.detail, field=field) from None
            circuits.append(circuit)
    return tuple(circuits)


def _read_one(program: BraketSource, limits: Limits) -> QubitCircuit:
    n_bytes = len(program.source.encode())
    if n_bytes > limits.programs.program_text_bytes:
        raise LimitExceeded(
            f"the text has {n_bytes:,} bytes; "
            f"the limit 'program_text_bytes' is {limits.programs.program_text_bytes:,}"
        )
    # The interpreter would refuse values of inputs that the program does not declare.
    declared = {re.split(r"\W+", text.strip())[-1] for text in _INPUT.findall(program.source)}
    inputs = {name: value for name, value in program.inputs.items() if name in declared}

    def read_with(inputs: Mapping[str, Any]) -> tuple[QubitCircuit, Pragmas, int]:
        pragmas = Pragmas(program.shots)
        reader = Reader(program.source, limits, inputs, 3, Extension(GATES, pragmas.run))
        circuit = reader.circuit()
        has_gradient = any(readout.kind == "adjoint_gradient" for readout, _ in pragmas.results)
        if has_gradient and reader.has_rounded_types():
            raise InvalidProgram(
                "adjoint_gradient: a program with 'angle' or a float of fewer than 64 bits has no"
                " derivatives, because its values are rounded; use 'float'"
            )
        return circuit, pragmas, reader.steps

    try:
        circuit, pragmas, steps = read_with(inputs)
        if any(readout.kind == "adjoint_gradient" for readout, _ in pragmas.results):
            pragmas.results = slopes.with_slopes(
                *(pragmas.results, circuit, inputs),
                *(steps, limits.of(OpenQASMLimits).openqasm_steps),
                lambda inputs: read_with(inputs)[0],
            )
    except RecursionError:
        raise InvalidProgram("the program is nested too deeply") from None
    except MemoryError:
        raise LimitExceeded("the program needs too much memory to be read") from None
    return _with_readouts(circuit, pragmas, program.shots, limits.of(BraketLimits))


def _with_readouts(
    circuit: QubitCircuit, pragmas: Pragmas, shots: int, bounds: BraketLimits
) -> QubitCircuit:
    if len(pragmas.results) > bounds.result_types:
        raise LimitExceeded(
            f"The program has {len(pragmas.results)} result types, {bounds.result_types} are"
            " allowed (limit result_types)."
        )
    # Only the qubits that operations and pragmas name are simulated, as on Braket's simulators; a
    # program without any gets qubit 0.
    used = sorted(_used(circuit.ops) | pragmas.used)
    place_of = {qubit: place for place, qubit in enumerate(used or range(1))}
    n = len(place_of)
    values = pragmas.completed(place_of)
    ops = tuple([_moved(op, place_of) for op in circuit.ops])
    written = {op.clbit: op.qubit for op in ops if type(op) is Measure}
    if pragmas.results and written:
        raise InvalidProgram("a program with result types has no 'measure': all qubits are read")
    if not shots:
        if not pragmas.results:
            raise InvalidProgram("shots: a program without result types needs shots above 0")
        # Exact results would need an average over all outcomes of a measurement or reset.
        if not all(type(op) is Gate for op in ops):
            raise InvalidProgram("shots: a program that measures or resets needs shots above 0")
    noisy = is_noisy(ops)
    _check_width(values, n, shots, noisy=noisy, bounds=bounds)
    _check_states(values, n, noisy=noisy)
    measured: tuple[tuple[int, int], ...] = ()
    registers = circuit.registers
    if shots:
        _check_bases(values)
        if written:
            measured = tuple(sorted(written.items()))
        else:
            measured = tuple((place, place) for place in range(n))
            registers = (Register("b", n),)
            # With result types the engine measures, in their bases.
            if not values:
                ops += tuple(Measure(place, place) for place in range(n))
    readouts = Readouts(shots, values, measured, tuple(place_of))
    return QubitCircuit(n, ops, registers, readouts=readouts)


def _used(ops: Sequence[Op]) -> set[int]:
    used: set[int] = set()
    for op in ops:
        if type(op) is Gate:
            used.update(op.targets, op.controls)
        elif hasattr(op, "qubit"):
            used.add(op.qubit)
    return used


def _moved(op: Op, place_of: dict[int, int]) -> Op:
    if type(op) is Gate:
        targets = tuple([place_of[qubit] for qubit in op.targets])
        controls = tuple([place_of[qubit] for qubit in op.controls])
        return Gate(op.name, targets, op.params, controls, op.terms)
    if hasattr(op, "qubit"):
        return msgspec.structs.replace(op, qubit=place_of[op.qubit])
    return op


def _check_width(
    values: Sequence[Readout], n: int, shots: int, *, noisy: bool, bounds: BraketLimits
) -> None:
    """Refuse states that are too wide, and too long results."""
    if noisy and n > bounds.density_qubits:
        raise LimitExceeded(
            f"The program has noise on {n} qubits, {bounds.density_qubits} are allowed (limit"
            " density_qubits)."
        )
    if not shots and n > bounds.exact_qubits:
        raise LimitExceeded(
            f"The program has exact results of {n} qubits, {bounds.exact_qubits} are allowed"
            " (limit exact_qubits)."
        )
    # Results are sent as JSON, where a number takes about 20 bytes.
    numbers = sum(_size(value, n) for value in values)
    if numbers > bounds.result_numbers:
        raise LimitExceeded(
            f"The results have {numbers:,} numbers, {bounds.result_numbers:,} are allowed (limit"
            " result_numbers)."
        )


def _size(value: Readout, n: int) -> int:
    """Return how many real numbers a value has, without samples; a complex number is two."""
    match value.kind:
        case "state_vector":
            return 2 << n
        case "density_matrix":
            return 2 << 2 * len(value.targets)
        case "probability":
            return 1 << len(value.targets)
        case "amplitude":
            return 2 * len(value.keys)
        case "adjoint_gradient":
            return 1 + len(value.parameters)
        case _:
            return len(value.products)


def _check_states(values: Sequence[Readout], n: int, *, noisy: bool) -> None:
    for value in values:
        # Noise leaves a mixture of states, which has no amplitudes.
        if noisy and value.kind in ("state_vector", "amplitude", "adjoint_gradient"):
            raise InvalidProgram(f"the result type '{value.kind}' needs a program without noise")
        wrong = next((key for key in value.keys if len(key) != n), None)
        if wrong is not None:
            raise InvalidProgram(f'the amplitude of "{wrong[:64]}" needs {n} bits, one for a qubit')


def _check_bases(values: Sequence[Readout]) -> None:
    """Refuse result types that read one qubit in two bases: all are read from the same shots."""
    bases: dict[int, tuple[object, ...]] = {}
    for value in values:
        factors = [factor for product in value.products for factor in product]
        if value.kind == "probability":
            factors = [Factor("z", (target,)) for target in value.targets]
        for factor in factors:
            basis = _basis(factor)
            for target in factor.targets if basis else ():
                if bases.setdefault(target, basis) != basis:
                    raise InvalidProgram(
                        f"two result types measure the qubit {target} in different bases; with"
                        " shots all of them are read from the same measurements"
                    )


def _basis(factor: Factor) -> tuple[object, ...]:
    if factor.name == "i":
        return ()
    # A Hermitian matrix on several qubits rotates all of them together: equal only as a whole.
    return (factor.name, factor.matrix, factor.targets if factor.matrix else ())
