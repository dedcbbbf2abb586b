"""Expected shape of each circuit's result, derived from packed circuits.

Used to validate results from other machines. The many operations of circuits on qubits and atoms
are not decoded.
"""

from __future__ import annotations

from typing import Final

import msgspec

from qwicket.circuits import photonic
from qwicket.circuits.qubit import Mitigation, Register


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """Expected shape of one circuit's result.

    Attributes:
        registers: Registers of bits, least significant first; empty for samples and readouts.
        columns: Numbers of one shot, at most, for samples; bits of one shot for readouts.
        dtypes: NumPy dtypes allowed for the numbers of samples; empty for other results.
        shots: Shots, if the circuit specifies them; None or 0 for those of the job. For readouts, 0
            means exact values, without shots.
        is_binned: Whether the numbers of a shot are time bins of one mode: shots × 1 × bins.
        n_observables: Number of expectation values; None for other circuits.
        mitigation: Error mitigation of the expectation values, if any.
        n_readouts: Number of quantities of the final state; None for other circuits.
    """

    registers: tuple[Register, ...] = ()
    columns: int = 0
    dtypes: tuple[str, ...] = ()
    shots: int | None = None
    is_binned: bool = False
    n_observables: int | None = None
    mitigation: Mitigation | None = None
    n_readouts: int | None = None


class _EstimationHead(msgspec.Struct, array_like=True):
    """`Estimation`, whose terms stay packed."""

    paulis: msgspec.Raw
    groups: msgspec.Raw
    observables: list[msgspec.Raw]
    is_exact: bool = False
    mitigation: Mitigation | None = None


class _ReadoutsHead(msgspec.Struct, array_like=True):
    """`Readouts`, whose quantities stay packed."""

    shots: int
    values: list[msgspec.Raw]
    measured: list[msgspec.Raw] = []


class _QubitHead(msgspec.Struct, array_like=True):
    """`QubitCircuit`, whose many operations stay packed."""

    n_qubits: int
    ops: msgspec.Raw
    registers: tuple[Register, ...]
    shots: int = 0
    estimation: _EstimationHead | None = None
    readouts: _ReadoutsHead | None = None


class _AtomHead(msgspec.Struct, array_like=True):
    """`AtomCircuit`, whose gates stay packed."""

    kind: str
    atoms: tuple[int, ...]
    gates: msgspec.Raw
    measured: tuple[int, ...]
    shots: int


_qubits: Final = msgspec.msgpack.Decoder(tuple[_QubitHead, ...])
_atoms: Final = msgspec.msgpack.Decoder(tuple[_AtomHead, ...])


def frames(family: str, circuits: bytes) -> tuple[Frame, ...]:
    """Return the frame of each circuit's result, in order.

    Args:
        family: Family of the device.
        circuits: Packed circuits.
    """
    if family == "qubit":
        return tuple(map(_qubit, _qubits.decode(circuits)))
    if family == "atoms":
        return tuple(
            Frame(columns=len(head.measured), dtypes=("<i2",), shots=head.shots)
            for head in _atoms.decode(circuits)
        )
    return tuple(_photonic(circuit) for circuit in photonic.unpack(circuits))


def _qubit(head: _QubitHead) -> Frame:
    estimation = head.estimation
    if head.readouts is not None:
        return Frame(
            shots=head.readouts.shots,
            columns=len(head.readouts.measured),
            n_readouts=len(head.readouts.values),
        )
    return Frame(
        registers=head.registers,
        shots=head.shots or None,
        n_observables=None if estimation is None else len(estimation.observables),
        mitigation=None if estimation is None else estimation.mitigation,
    )


def _photonic(circuit: photonic.PhotonicCircuit) -> Frame:
    measured = [op for op in circuit.ops if isinstance(op, photonic.Measure)]
    kinds = {op.kind for op in measured}
    dtype = "<c16" if "heterodyne" in kinds else "<f8" if "homodyne" in kinds else "<i8"
    n_columns = sum(len(op.modes) for op in measured)
    return Frame(columns=n_columns, dtypes=(dtype,), is_binned=circuit.n_bins > 0)
