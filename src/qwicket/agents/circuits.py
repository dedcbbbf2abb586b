"""Circuits for a lab's function, as structs with named fields.

Fields keep their names and meanings. Later versions may add fields and kinds of operations, so
these structs are not tuples and cannot be unpacked by position. docs/agents.md describes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec

Relation = Literal["==", "!=", "<", "<=", ">", ">="]


class Gate(msgspec.Struct, frozen=True, array_like=True, tag="g", gc=False):
    """A gate on qubits; it acts only where all controls are |1⟩.

    Attributes:
        name: Without its controls: `x` is the name of a `cx`, whose `label` is `cx`.
        targets: Qubits that it acts on.
        parameters: Angles in radians; of a `unitary` the entries of its matrix.
        controls: Qubits that control it.
        terms: Pauli strings of a `pauliexp`; else empty. Rightmost letters act on `targets[0]`.
    """

    name: str
    targets: tuple[int, ...]
    parameters: tuple[float, ...] = ()
    controls: tuple[int, ...] = ()
    terms: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The name with a `c` for each control: `x`, `cx`, `ccx`."""
        return "c" * len(self.controls) + self.name

    @property
    def qubits(self) -> tuple[int, ...]:
        """Controls, then targets, in the order of OpenQASM."""
        return self.controls + self.targets


class Measure(msgspec.Struct, frozen=True, array_like=True, tag="m", gc=False):
    """A measurement of `qubit` in the computational basis into classical bit `bit`."""

    qubit: int
    bit: int


class Reset(msgspec.Struct, frozen=True, array_like=True, tag="r", gc=False):
    """Return `qubit` to |0⟩."""

    qubit: int


class Branch(msgspec.Struct, frozen=True, array_like=True, tag="b", gc=False):
    """Skip the next `skip` operations unless the condition holds.

    Attributes:
        bits: Classical bits that make an unsigned number, the first bit lowest.
        relation: Relation of the number to `value`.
        value: Value with which the number is compared.
        skip: Number of operations to skip.
    """

    bits: tuple[int, ...]
    relation: Relation
    value: int
    skip: int


class Jump(msgspec.Struct, frozen=True, array_like=True, tag="j", gc=False):
    """Skip the next `skip` operations."""

    skip: int


class Register(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A named run of classical bits; the first register has the lowest bits."""

    name: str
    size: int


QubitOperation = Gate | Measure | Reset | Branch | Jump


class QubitCircuit(msgspec.Struct, frozen=True, array_like=True):
    """A circuit on qubits that all begin in |0⟩.

    Attributes:
        qubits: Number of qubits.
        operations: In time order.
        registers: Registers of classical bits, which begin as 0.
        shots: Number of shots.
    """

    qubits: int
    operations: tuple[QubitOperation, ...]
    registers: tuple[Register, ...]
    shots: int = 0

    @property
    def bits(self) -> int:
        """Number of classical bits, which is the length of each bit string of `Counts`."""
        return sum(register.size for register in self.registers)


class AtomGate(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A gate on cold atoms.

    Attributes:
        name: Name that the device announces.
        wires: Wires on which it acts.
        parameters: Energies times time, in radians.
    """

    name: str
    wires: tuple[int, ...]
    parameters: tuple[float, ...] = ()


class AtomCircuit(msgspec.Struct, frozen=True, array_like=True):
    """An experiment on cold atoms.

    Attributes:
        kind: `spins` or `fermions`.
        atoms: Atoms loaded on each wire of spins; empty for fermions.
        operations: In time order.
        measured: The wire that each number of a shot is read from.
        shots: Number of shots.
        seed: For simulations; None when the program has none.
    """

    kind: str
    atoms: tuple[int, ...]
    operations: tuple[AtomGate, ...]
    measured: tuple[int, ...]
    shots: int = 0
    seed: int | None = None


class Formula(msgspec.Struct, frozen=True, array_like=True, tag="f"):
    """A parameter that depends on measured quadratures.

    Attributes:
        code: In postfix order: numbers (real and imaginary part), operators, functions, and `q3`
            for the homodyne result of mode 3.
    """

    code: tuple[tuple[float, float] | str, ...]


class PhotonicGate(msgspec.Struct, frozen=True, array_like=True, tag="g"):
    """A gate, channel or preparation of modes.

    Attributes:
        name: Name in Blackbird.
        modes: Modes on which it acts.
        parameters: Numbers, or formulas, as in Blackbird: angles in radians, and ħ = 2.
    """

    name: str
    modes: tuple[int, ...]
    parameters: tuple[float | Formula, ...] = ()


class PhotonicMeasure(msgspec.Struct, frozen=True, array_like=True, tag="m"):
    """A measurement of modes.

    Attributes:
        kind: `fock`, `threshold`, `homodyne` or `heterodyne`.
        modes: Numbers of the measured modes.
        angle: Angle of the homodyne quadrature, in radians.
        dark_counts: Mean number of dark counts of each mode; empty means none.
    """

    kind: str
    modes: tuple[int, ...]
    angle: float = 0.0
    dark_counts: tuple[float, ...] = ()


class PhotonicCircuit(msgspec.Struct, frozen=True):
    """A photonic circuit whose modes all begin in vacuum.

    Attributes:
        modes: Number of modes.
        operations: In time order.
        bins: Time bins that the program was unrolled from; 0 for other programs.
        shots: Number of shots.
    """

    modes: int
    operations: tuple[PhotonicGate | PhotonicMeasure, ...]
    bins: int = 0
    shots: int = 0


class _PhotonicWire(msgspec.Struct, frozen=True, array_like=True):
    """A photonic circuit as it travels: without shots, which are always those of the job."""

    modes: int
    operations: tuple[PhotonicGate | PhotonicMeasure, ...]
    bins: int = 0


Circuit = QubitCircuit | AtomCircuit | PhotonicCircuit


class UnknownCircuit(Exception):
    """The server sent circuits that this version cannot decode; the text gives the remedy."""


# Not strict: the value of a branch travels as decimal text, because it has no limit of width.
_DECODERS: Final[dict[str, msgspec.msgpack.Decoder[Any]]] = {
    "qubit": msgspec.msgpack.Decoder(tuple[QubitCircuit, ...], strict=False),
    "atoms": msgspec.msgpack.Decoder(tuple[AtomCircuit, ...]),
    "photonic": msgspec.msgpack.Decoder(tuple[_PhotonicWire, ...]),
}


def unpack(family: str, packed: bytes, shots: int) -> Sequence[Circuit]:
    """Return the circuits of a job.

    Args:
        family: `qubit`, `atoms` or `photonic`.
        packed: Circuits as the server sends them.
        shots: Shots of the job, for circuits without a number of their own.

    Raises:
        UnknownCircuit: This version cannot decode the circuits.
    """
    try:
        circuits: Sequence[QubitCircuit | AtomCircuit | _PhotonicWire] = _DECODERS[family].decode(
            packed
        )
    except (KeyError, msgspec.DecodeError) as error:
        raise UnknownCircuit(
            f"This version of qwicket cannot read the circuits of the server ({error}):"
            " install the version of the server on this machine."
        ) from None
    return [
        PhotonicCircuit(each.modes, each.operations, each.bins, shots)
        if isinstance(each, _PhotonicWire)
        else msgspec.structs.replace(each, shots=each.shots or shots)
        for each in circuits
    ]
