"""Circuits in the flat form that every format ends in and every engine starts from.

A reader makes them, `pack` turns them into an opaque blob, and only the engine's worker unpacks
it: nothing is parsed twice.

Gates of the flat form (angles in radians; a global phase is kept, because controls make it real):

| gate | matrix, R_P(θ) = exp(-iθP/2) |
|---|---|
| `id x y z h` | identity, Pauli, Hadamard |
| `s sdg t tdg` | diag(1, e^{±iπ/2}), diag(1, e^{±iπ/4}) |
| `sx sxdg` | ½[[1+i, 1-i], [1-i, 1+i]] and its adjoint |
| `rx ry rz` (θ) | R_X, R_Y, R_Z |
| `p` (λ) | diag(1, e^{iλ}) |
| `u` (θ, φ, λ) | [[cos θ/2, -e^{iλ} sin θ/2], [e^{iφ} sin θ/2, e^{i(φ+λ)} cos θ/2]] |
| `gphase` (γ) | e^{iγ}, no target |
| `swap` | exchanges its two targets |
| `rxx ryy rzz` (θ) | exp(-iθ/2 P⊗P) |
| `zz` (θ) | as `rzz`, done by the machine itself |
| `gpi` (φ) | [[0, e^{-iφ}], [e^{iφ}, 0]] |
| `gpi2` (φ) | 1/√2 [[1, -i e^{-iφ}], [-i e^{iφ}, 1]] |
| `ms` (φ0, φ1, θ) | exp(-iθ/2 gpi(φ0)⊗gpi(φ1)), φk belongs to targets[k] |
| `pauliexp` (t·c per term) | exp(-i Σ params[k] · terms[k]), rightmost letter on targets[0] |
| `unitary` (re, im, re, …) | any unitary matrix, row by row, targets[0] its most significant bit |
"""

from __future__ import annotations

from typing import Literal, final

import msgspec


@final
class Gate(msgspec.Struct, frozen=True, array_like=True, tag="g", gc=False):
    """A gate on `targets`, acting only where all `controls` are |1⟩.

    A control that must be |0⟩ is written with an `x` before and after.
    """

    name: str
    targets: tuple[int, ...]
    params: tuple[float, ...] = ()
    controls: tuple[int, ...] = ()
    terms: tuple[str, ...] = ()


@final
class Measure(msgspec.Struct, frozen=True, array_like=True, tag="m", gc=False):
    """Read `qubit` in the computational basis into classical bit `clbit`."""

    qubit: int
    clbit: int


@final
class Reset(msgspec.Struct, frozen=True, array_like=True, tag="r", gc=False):
    """Put `qubit` into |0⟩."""

    qubit: int


Relation = Literal["==", "!=", "<", "<=", ">", ">="]


@final
class Branch(msgspec.Struct, frozen=True, array_like=True, tag="b", gc=False):
    """Go on if the unsigned number in `clbits` (first bit lowest) stands in `relation` to `value`.

    Otherwise skip the next `skip` operations. `value` is decimal text, since it has no width limit.
    """

    clbits: tuple[int, ...]
    relation: Relation
    value: str
    skip: int


@final
class Jump(msgspec.Struct, frozen=True, array_like=True, tag="j", gc=False):
    """Skip the next `skip` operations. Jumps only go forward, so every circuit ends."""

    skip: int


Op = Gate | Measure | Reset | Branch | Jump


class Register(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A named run of classical bits; the first register holds the least significant bits."""

    name: str
    size: int


class Pauli(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A product of one letter on each of some qubits.

    `X Y Z` are Pauli matrices; `0 1 + - r l` project on an eigenstate of `Z`, `X` or `Y`, on the
    one with eigenvalue 1 first.
    """

    letters: str
    qubits: tuple[int, ...]


class Estimation(msgspec.Struct, frozen=True, array_like=True):
    """What is asked of a circuit in place of shots: expectation values in its final state.

    Attributes:
        paulis: What is measured; one on no qubits is the number 1.
        groups: Which of them are measured together, each in one run of the circuit.
        observables: Sums over `paulis`: pairs of a place there and a real coefficient.
        is_exact: Whether no shots are drawn: only an ideal device can tell.
    """

    paulis: tuple[Pauli, ...]
    groups: tuple[tuple[int, ...], ...]
    observables: tuple[tuple[tuple[int, float], ...], ...]
    is_exact: bool = False


class QubitCircuit(msgspec.Struct, frozen=True, array_like=True):
    """Operations in time order on |0…0⟩. Classical bits start as 0 and are those of `registers`.

    `shots` is 0 where there are as many as the job says; of an estimation it is those of each run.
    """

    n_qubits: int
    ops: tuple[Op, ...]
    registers: tuple[Register, ...]
    shots: int = 0
    estimation: Estimation | None = None

    @property
    def n_clbits(self) -> int:
        return sum(register.size for register in self.registers)


class Summary(msgspec.Struct, frozen=True):
    """What admission, lists and estimates need to know of a program without reading it.

    Attributes:
        family: Which engines can run it.
        n_circuits: Number of circuits (parts).
        n_qubits: Widest circuit.
        n_ops_1q: Operations on one qubit, over all circuits.
        n_ops_2q: Gates on two or more qubits (controls count), over all circuits.
        n_operands: Most qubits of one gate, controls included; 0 means unknown.
        n_active: Most qubits that the gates of one circuit touch, at least 1; 0 means unknown.
        n_clbits: Most classical bits of one circuit.
        n_splits: Most measurements and resets of one circuit that something follows.
        n_branches: Branches and jumps, over all circuits.
        n_extra_ops: What `pauliexp` and `unitary` cost beyond one gate each, in gates, over all
            circuits.
        native_gates: Which gates of trapped ions' machines it uses: `gpi gpi2 ms zz`.
        is_clifford: Whether every circuit is one that a stabilizer simulator runs.
        n_parts: Number of parts, where it is not that of circuits: an estimation may run several.
        n_terms: Terms of all expectation values.
        shots: Most shots of one circuit, where the program says so itself; else 0.
        is_exact: Whether a part asks for exact expectation values.
        n_bond_bits: log2 of the bond that a matrix product state of one circuit needs at most.
        n_bond_steps: What such states cost, in gates on neighbours, over all circuits.
        n_samples: Numbers that are read from cold atoms, over all circuits.
        work_ns: About how long gates on cold atoms take on one core, over all circuits.
        work_bytes: Memory for the eigenvectors of one circuit's gates on cold atoms.
        unmeasured: Number of the first circuit that measures nothing, from 1; 0 if all measure.
    """

    family: str
    n_circuits: int
    n_qubits: int
    n_ops_1q: int
    n_ops_2q: int
    n_active: int = 0
    n_clbits: int = 0
    n_splits: int = 0
    n_branches: int = 0
    n_extra_ops: int = 0
    native_gates: tuple[str, ...] = ()
    is_clifford: bool = False
    n_bond_bits: int = 0
    n_bond_steps: int = 0
    n_samples: int = 0
    work_ns: int = 0
    work_bytes: int = 0
    n_parts: int = 0
    n_terms: int = 0
    shots: int = 0
    is_exact: bool = False
    n_operands: int = 0
    unmeasured: int = 0


class Checked(msgspec.Struct, frozen=True):
    """A program that was read and found good: its summary and its packed circuits."""

    summary: Summary
    circuits: bytes


_decoder = msgspec.msgpack.Decoder(tuple[QubitCircuit, ...])
_encoder = msgspec.msgpack.Encoder()


def pack(circuits: tuple[QubitCircuit, ...]) -> bytes:
    """Encode circuits as one opaque blob."""
    return _encoder.encode(circuits)


def unpack(blob: bytes) -> tuple[QubitCircuit, ...]:
    """Return the circuits of a blob made by `pack`."""
    return _decoder.decode(blob)
