"""Writes experiments as OpenQASM 2 for people to read, where the language can express them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from qwicket.programs.openqasm.gates import QELIB1
from qwicket.vendors.ibm.qobj import wire

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_HEAD: Final = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
_NAME: Final = re.compile(r"[a-z][A-Za-z0-9_]*")
_LEFT_OUT: Final = ("delay",)
_sizes_decoder: Final = msgspec.json.Decoder(tuple[tuple[str, int], ...])


class _NotExpressible(Exception):
    """The language cannot express the experiment."""


def to_openqasm2(source: bytes) -> list[str | None]:
    """Return each experiment of a document that `read` accepted, None if it cannot be expressed.

    A condition can be expressed if it tests one whole register for equality. Delays are left out:
    the language has none.
    """
    qobj = wire.decoder.decode(source)
    found: list[str | None] = []
    for experiment in qobj.experiments:
        try:
            found.append(_HEAD + "".join(f"{line}\n" for line in _lines(qobj, experiment)))
        except _NotExpressible:
            found.append(None)
    return found


def _lines(qobj: wire.Qobj, experiment: wire.Experiment) -> Iterator[str]:
    used = [qubit for each in experiment.instructions for qubit in each.qubits]
    n_qubits = _size("n_qubits", qobj, experiment, used)
    slots = [
        slot
        for each in experiment.instructions
        for slot in (each.memory if isinstance(each.memory, tuple) else ())
    ]
    cregs = _cregs(experiment, _size("memory_slots", qobj, experiment, slots))
    yield f"qreg q[{max(1, n_qubits)}];"
    yield from (f"creg {name}[{size}];" for name, size in cregs)
    bits = [f"{name}[{bit}]" for name, size in cregs for bit in range(size)]
    tests: dict[int, str] = {}
    for instruction in experiment.instructions:
        if instruction.name == "bfunc":
            register = instruction.register
            if not isinstance(register, int):
                raise _NotExpressible
            tests[register] = _test(instruction, cregs)
            continue
        condition = ""
        if instruction.conditional is not None:
            if instruction.conditional not in tests:
                raise _NotExpressible
            condition = tests[instruction.conditional]
        yield from (f"{condition}{line}" for line in _instruction(instruction, bits))


def _size(name: str, qobj: wire.Qobj, experiment: wire.Experiment, used: Sequence[int]) -> int:
    for config in (experiment.config, qobj.config):
        size: int | None = getattr(config, name) if config else None
        if size is not None:
            return size
    return 1 + max(used, default=-1)


def _cregs(experiment: wire.Experiment, n_slots: int) -> list[tuple[str, int]]:
    """Return the header's registers if they make up the memory, else one; none without memory."""
    header = experiment.header
    try:
        sizes = _sizes_decoder.decode(header.creg_sizes if header else b"[]")
    except (msgspec.MsgspecError, RecursionError):
        sizes = ()
    names = {name for name, size in sizes if size > 0 and name != "q" and _NAME.fullmatch(name)}
    if len(names) == len(sizes) > 0 and sum(size for _, size in sizes) == n_slots:
        return list(sizes)
    return [("c", n_slots)] if n_slots else []


def _test(instruction: wire.Instruction, cregs: Sequence[tuple[str, int]]) -> str:
    """Return a test of one whole register as the beginning of a statement, `if(…) `."""
    mask, value = int(instruction.mask or "0", 16), int(instruction.val or "0", 16)
    first = 0
    for name, size in cregs:
        if mask == ((1 << size) - 1) << first and instruction.relation == "==":
            if value & ~mask:
                raise _NotExpressible
            return f"if({name}=={value >> first}) "
        first += size
    raise _NotExpressible


def _instruction(instruction: wire.Instruction, bits: Sequence[str]) -> Iterator[str]:
    name, qubits = instruction.name, [f"q[{qubit}]" for qubit in instruction.qubits]
    if name in _LEFT_OUT:
        return
    if name == "measure":
        memory = instruction.memory if isinstance(instruction.memory, tuple) else ()
        if instruction.register not in (None, memory):
            raise _NotExpressible  # a test would read another bit than the one in memory
        yield from (
            f"measure {qubit} -> {bits[slot]};" for qubit, slot in zip(qubits, memory, strict=False)
        )
    elif name == "reset":
        yield from (f"reset {qubit};" for qubit in qubits)
    elif name == "barrier":
        if qubits:
            yield f"barrier {','.join(qubits)};"
    elif name in ("U", "CX") or name in QELIB1:
        angles = []
        for value in instruction.params:
            if not isinstance(value, float):
                raise _NotExpressible
            angles.append(repr(value))
        shown = f"({','.join(angles)})" if angles else ""
        yield f"{name}{shown} {','.join(qubits)};"
    else:
        raise _NotExpressible
