"""Reader of Qobj documents: each experiment becomes one circuit.

Reads sizes, memory and the order of instructions. `gates`, `matrices` and `registers` define the
meaning of instructions; `settings` reads shots, seed and headers.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import msgspec

from qwicket.circuits.qubit import SAMPLES_PER_S, Measure, Op, QubitCircuit, Register, Reset
from qwicket.model.errors import InvalidProgram
from qwicket.model.limits import Limits
from qwicket.programs import json_text
from qwicket.programs.json_text import FieldError, check_limit, quoted
from qwicket.vendors.ibm.qobj import wire
from qwicket.vendors.ibm.qobj.gates import add_delay, add_gate
from qwicket.vendors.ibm.qobj.matrices import initialize, unitary
from qwicket.vendors.ibm.qobj.registers import Registers, RegisterTest
from qwicket.vendors.ibm.qobj.wire import Config, Experiment, Header, Instruction, Qobj

REGISTER: Final = "c"
"""Name of the only register if the header names no fitting ones."""

_BITS: Final = 2
"""Measurement level at which outcomes are bits; lower levels are analog signals."""


def read(source: bytes, limits: Limits) -> tuple[QubitCircuit, ...]:
    """Read a Qobj of type QASM.

    Args:
        source: JSON text.
        limits: Bounds on bytes, circuits, qubits, classical bits and operations. The bits that
            conditions read and the entries of matrices also count as operations.

    Returns:
        One circuit per experiment. Classical bit i is memory slot i; the registers are those that
        the header names, if they make up the memory.

    Raises:
        InvalidProgram: The text is not a Qobj, or an instruction is invalid.
        LimitExceeded: A limit is exceeded; the detail names it and both numbers.
    """
    check_limit("upload_bytes", len(source), limits.bodies.upload_bytes)
    qobj = json_text.decode(wire.decoder, source, wire.place_of_path)
    if qobj.type != "QASM":
        known = "pulse programs" if qobj.type == "PULSE" else quoted(qobj.type)
        raise InvalidProgram(f"type must be QASM, {known} cannot be run", field="type")
    if not qobj.experiments:
        raise InvalidProgram("experiments is empty", field="experiments")
    _check_config("config", qobj.config)
    check_limit("circuits", len(qobj.experiments), limits.programs.circuits)
    # A first count of instructions, so that a document that is far too long is refused at once.
    n_ops = sum(len(experiment.instructions) for experiment in qobj.experiments)
    check_limit("operations", n_ops, limits.programs.operations)
    circuits = []
    n_ops = 0
    for number, experiment in enumerate(qobj.experiments):
        reader = _Reader(qobj, experiment, number, n_ops, limits)
        circuits.append(reader.read())
        n_ops = reader.n_ops
    return tuple(circuits)


class _Reader:
    """Reader of one experiment.

    Args:
        qobj: The whole document.
        experiment: The experiment.
        number: Index of the experiment in the document.
        n_ops: Operations of the experiments before it.
        limits: Limits on the document.

    Attributes:
        n_ops: Operations of this experiment and the ones before it.
    """

    def __init__(
        self, qobj: Qobj, experiment: Experiment, number: int, n_ops: int, limits: Limits
    ) -> None:
        self._experiment = experiment
        self._number = number
        self._limits = limits
        self._ops: list[Op] = []
        self._registers = Registers(limits.programs.clbits)
        self.n_ops = n_ops
        # In this order, because an experiment's own configuration overrides the document's.
        self._configs = (
            (f"experiments[{number}].config", experiment.config or Config()),
            ("config", qobj.config),
        )
        _check_config(*self._configs[0])
        self._width = self._size("n_qubits", 1)
        check_limit("clifford_qubits", self._width, limits.programs.clifford_qubits)
        self._n_slots = self._size("memory_slots", 0)
        check_limit("clbits", self._n_slots, limits.programs.clbits)

    def read(self) -> QubitCircuit:
        for place, instruction in enumerate(self._experiment.instructions):
            try:
                self._add(instruction, place)
            except FieldError as fault:
                at = wire.place(self._number, place, instruction.name)
                field = f"experiments[{self._number}].instructions[{place}].{fault.field}"
                raise InvalidProgram(f"{at}{fault}", field=field) from None
            check_limit("operations", self.n_ops, self._limits.programs.operations, " or more")
        registers = _registers(self._experiment.header, self._n_slots, self._limits)
        return QubitCircuit(self._width, tuple(self._ops), registers)

    def _size(self, name: str, minimum: int) -> int:
        """Return a size from the configuration, or else the size that the instructions need."""
        for at, config in self._configs:
            size: int | None = getattr(config, name)
            if size is not None:
                if size < minimum:
                    text = f"{at}.{name} must be at least {minimum}, not {size}"
                    raise InvalidProgram(text, field=f"{at}.{name}")
                return size
        used = [-1]
        for instruction in self._experiment.instructions:
            found = instruction.qubits if name == "n_qubits" else instruction.memory
            used += found if isinstance(found, tuple) else ()
        return max(minimum, 1 + max(used))

    # --- instructions -----------------------------------------------------------------------------

    def _add(self, instruction: Instruction, place: int) -> None:
        """Append one instruction, under its condition if it has one."""
        self._check_qubits(instruction.qubits)
        if instruction.name == "bfunc":
            self._bfunc(instruction, place)
            return
        ops, bit = self._ops, instruction.conditional
        if bit is None:
            n_before = len(ops)
            self._run(instruction, place, True)
            self.n_ops += len(ops) - n_before
            return
        if bit < 0:
            raise FieldError(f"conditional {bit} is below 0", "conditional")
        condition = self._registers.condition(bit)
        # Collected separately: the branch that precedes the operations states how many it skips.
        self._ops = []
        self._run(instruction, place, condition)
        guarded, self._ops = self._ops, ops
        if isinstance(condition, RegisterTest) and guarded:
            ops.append(condition.branch(len(guarded)))
            self.n_ops += 1 + len(condition.slots)
        # A condition that is certainly false drops the operations only now, so they were checked.
        # They count nevertheless, because reading them took as long.
        if condition:
            ops += guarded
        self.n_ops += len(guarded)

    def _run(self, instruction: Instruction, place: int, condition: RegisterTest | bool) -> None:
        match instruction.name:
            case "measure":
                self._measure(instruction, place, condition)
            case "barrier":
                pass
            case "delay":
                self._delay(instruction)
            case "reset":
                self._ops += map(Reset, instruction.qubits)
            case "unitary":
                self._ops.append(unitary(instruction, self._limits))
                # A matrix counts by its entries, because engines multiply with all of them.
                self.n_ops += 1 << 2 * len(instruction.qubits)
            case "initialize":
                self._ops += initialize(instruction, self.n_ops, self._limits)
            case "snapshot":
                raise FieldError(
                    "requests the state vector, but results contain only outcomes", "name"
                )
            case _:
                add_gate(self._ops, instruction)

    def _delay(self, instruction: Instruction) -> None:
        match instruction.params:
            case (float(samples),):
                for qubit in instruction.qubits:
                    add_delay(self._ops, qubit, samples / SAMPLES_PER_S)
            case _:
                raise FieldError("takes one number, the delay in dt", "params")

    def _measure(
        self, instruction: Instruction, place: int, condition: RegisterTest | bool
    ) -> None:
        slots = _numbers(instruction, "memory")
        bits: tuple[int, ...] = ()
        for slot in slots:
            if not 0 <= slot < self._n_slots:
                raise FieldError(f"memory slot {slot} is outside 0..{self._n_slots - 1}", "memory")
        if instruction.register is not None:
            bits = _numbers(instruction, "register")
            if min(bits, default=0) < 0:
                raise FieldError(f"register {min(bits)} is below 0", "register")
        self._ops += map(Measure, instruction.qubits, slots)
        # A measurement that certainly does not happen changes no register.
        if condition is not False:
            self._registers.measure(slots, bits, place, is_certain=condition is True)

    def _bfunc(self, instruction: Instruction, place: int) -> None:
        mask, relation, val = instruction.mask, instruction.relation, instruction.val
        for name, text in (("mask", mask), ("relation", relation), ("val", val)):
            if text is None:
                raise FieldError(f"{name} is missing", name)
        if not isinstance(instruction.register, int) or instruction.register < 0:
            raise FieldError("register must be one number that is not below 0", "register")
        for name in ("conditional", "memory"):
            if getattr(instruction, name) not in (None, ()):
                raise FieldError(f"cannot have {name}", name)
        bit, registers = instruction.register, self._registers
        self.n_ops += registers.bfunc(bit, mask or "", relation or "", val or "", place)

    def _check_qubits(self, qubits: tuple[int, ...]) -> None:
        for qubit in qubits:
            if not 0 <= qubit < self._width:
                raise FieldError(f"qubit {qubit} is outside 0..{self._width - 1}", "qubits")
        if len(qubits) > 1 and len(set(qubits)) < len(qubits):
            raise FieldError(f"qubit {_twice(qubits)} is given twice", "qubits")


def _numbers(instruction: Instruction, name: str) -> tuple[int, ...]:
    """Return the slots or register bits of a measurement: a different one for each qubit."""
    numbers = getattr(instruction, name)
    if not isinstance(numbers, tuple):
        raise FieldError(f"{name} is missing or not a list", name)
    n_qubits = len(instruction.qubits)
    if len(numbers) != n_qubits:
        raise FieldError(f"{name} has {len(numbers)} places for {n_qubits} qubits", name)
    if len(set(numbers)) < n_qubits:
        raise FieldError(f"{name} {_twice(numbers)} is given twice", name)
    return numbers


def _twice(numbers: tuple[int, ...]) -> int:
    return min(number for number, n in Counter(numbers).items() if n > 1)


def _check_config(at: str, config: Config) -> None:
    """Refuse settings that change results and that the reader does not support."""
    if config.meas_level not in (None, _BITS):
        text = f"{at}.meas_level must be {_BITS}, not {config.meas_level}: outcomes are bits"
        raise InvalidProgram(text, field=f"{at}.meas_level")
    if bytes(config.noise_model) not in (b"null", b"{}"):
        text = f"{at}.noise_model is not taken: noise is a matter of the device"
        raise InvalidProgram(text, field=f"{at}.noise_model")


def _registers(header: Header | None, n_slots: int, limits: Limits) -> tuple[Register, ...]:
    """Return the registers of a header if they make up the memory, else one; none without memory.

    Only the client that wrote a header knows its meaning, so nothing in it is refused.
    """
    try:
        sizes = _sizes_decoder.decode(header.creg_sizes if header else b"null") or ()
    except (msgspec.MsgspecError, RecursionError):
        sizes = ()
    maximum = limits.requests.name_chars
    names = {name for name, size in sizes if 0 < len(name) <= maximum and size > 0}
    if len(names) == len(sizes) > 0 and sum(size for _, size in sizes) == n_slots:
        return tuple([Register(*each) for each in sizes])
    return (Register(REGISTER, n_slots),) if n_slots else ()


_sizes_decoder: Final = msgspec.json.Decoder(tuple[tuple[str, int], ...] | None)
