"""Qubit circuits in flat form, the result of all parsers and the input of all engines.

A parser creates them, and `pack` encodes them as an opaque blob. Engines, drivers and drawings
decode the blob, so that no program is parsed twice.

Gates of the flat form (angles in radians; a global phase is kept, because with controls it has an
effect):

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
| `zz` (θ) | as `rzz`, a native gate of trapped ions |
| `gpi` (φ) | [[0, e^{-iφ}], [e^{iφ}, 0]] |
| `gpi2` (φ) | 1/√2 [[1, -i e^{-iφ}], [-i e^{iφ}, 1]] |
| `ms` (φ0, φ1, θ) | exp(-iθ/2 gpi(φ0)⊗gpi(φ1)), φk belongs to targets[k] |
| `pauliexp` (t·c per term) | exp(-i Σ params[k] · terms[k]), rightmost letter on targets[0] |
| `unitary` (re, im, re, …) | any unitary matrix, row by row, targets[0] its most significant bit |
| `delay` (s) | identity. Its noise is relaxation for a time in seconds (`NoiseModel.relaxation`) |

A gate named kraus is a channel, and occurs only in circuits with readouts: its parameters are Kraus
matrices, each like that of `unitary`.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Final, Literal, final

import msgspec

SAMPLES_PER_S: Final = 4.5e9
"""Samples per second of a machine's electronics: `dt`, the unit of time in programs, is 2/9 ns."""

MAX_SECONDS: Final = 1e9
"""Longest delay, in seconds."""

Entangler = Literal["ms", "zz"]
"""Native gates on two qubits of trapped ions."""
DELAY: Final = "delay"


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
    """Measure `qubit` in the computational basis into classical bit `clbit`."""

    qubit: int
    clbit: int


@final
class Reset(msgspec.Struct, frozen=True, array_like=True, tag="r", gc=False):
    """Reset `qubit` to |0⟩."""

    qubit: int


Relation = Literal["==", "!=", "<", "<=", ">", ">="]


@final
class Branch(msgspec.Struct, frozen=True, array_like=True, tag="b", gc=False):
    """Compare the unsigned number in `clbits` (first bit lowest) with `value` by `relation`.

    If the comparison fails, skip the next `skip` operations. `value` is decimal text, since it has
    no width limit.
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

    `X Y Z` are Pauli matrices. `0 1`, `+ -` and `r l` are projectors on the eigenstates of `Z`, `X`
    and `Y`, the one with eigenvalue 1 first.
    """

    letters: str
    qubits: tuple[int, ...]


Folding = Literal["random", "front", "back"]
"""Which gates are folded once more, where a noise factor needs only some of them."""


class Mitigation(msgspec.Struct, frozen=True, array_like=True):
    """Error mitigation of expectation values; see `circuits.mitigation`.

    Attributes:
        randomizations: Runs in place of each one; in each, random qubits are flipped before they
            are measured. 0 mitigates no readout errors.
        calibrations: Runs that measure the flipped qubits alone, from which the readout errors are
            learnt.
        calibration_shots: Shots of each of these.
        noise_factors: Factors by which the noise of gates is amplified, at least 1. None of them
            means no extrapolation to zero noise.
        folding: How gates are chosen.
        extrapolators: Names of extrapolators; the first that succeeds gives the values.
        extrapolated_factors: Noise factors at which each extrapolator is evaluated beside 0.
    """

    randomizations: int = 0
    calibrations: int = 0
    calibration_shots: int = 0
    noise_factors: tuple[float, ...] = ()
    folding: Folding = "random"
    extrapolators: tuple[str, ...] = ()
    extrapolated_factors: tuple[float, ...] = ()


class Estimation(msgspec.Struct, frozen=True, array_like=True):
    """Requested expectation values in the final state of a circuit.

    Attributes:
        paulis: Measured Paulis; one on no qubits is the number 1.
        groups: Indices into `paulis`; one run of the circuit measures one group.
        observables: Sums over `paulis`: pairs of an index and a real coefficient.
        is_exact: Whether to compute exactly, without shots; only on ideal devices.
        mitigation: Error mitigation, in which several runs measure one group. Its Paulis have only
            the letters X, Y and Z.
    """

    paulis: tuple[Pauli, ...]
    groups: tuple[tuple[int, ...], ...]
    observables: tuple[tuple[tuple[int, float], ...], ...]
    is_exact: bool = False
    mitigation: Mitigation | None = None


class Factor(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A factor of a product observable.

    Attributes:
        name: `i x y z h`, or `hermitian` for a matrix.
        targets: Qubits, the most significant first.
        matrix: Of `hermitian`: re, im, re, … row by row.
    """

    name: str
    targets: tuple[int, ...]
    matrix: tuple[float, ...] = ()


ReadoutKind = Literal[
    "state_vector",
    "density_matrix",
    "amplitude",
    "probability",
    "expectation",
    "variance",
    "sample",
    "adjoint_gradient",
]


class Parameter(msgspec.Struct, frozen=True, array_like=True):
    """A parameter of a gradient.

    Attributes:
        name: Name of the input.
        slopes: Derivatives of angles with respect to the input, where not 0: number of the gate
            (global phases without controls are not counted), number of its angle, derivative.
    """

    name: str
    slopes: tuple[tuple[int, int, float], ...] = ()


class Readout(msgspec.Struct, frozen=True, array_like=True):
    """A quantity of the final state.

    Attributes:
        kind: Kind of quantity.
        targets: Qubits of a density matrix or probabilities, the most significant first.
        products: Observables, one value each: products of factors on different qubits.
        keys: Basis states of amplitudes: bits, that of qubit 0 first.
        coefficients: Of a gradient: one for each product. The observable is their sum.
        parameters: Of a gradient: the value is the expectation, then the derivatives.
    """

    kind: ReadoutKind
    targets: tuple[int, ...] = ()
    products: tuple[tuple[Factor, ...], ...] = ()
    keys: tuple[str, ...] = ()
    coefficients: tuple[float, ...] = ()
    parameters: tuple[Parameter, ...] = ()


class Readouts(msgspec.Struct, frozen=True, array_like=True):
    """Quantities of a circuit's final state, which are its result instead of classical bits.

    Attributes:
        shots: Number of shots; 0 computes all quantities exactly.
        values: Quantities. With shots they are computed from the measured bits.
        measured: With shots: pairs of a classical bit and the qubit that it is read from.
        labels: Number of each qubit in the source.
    """

    shots: int
    values: tuple[Readout, ...]
    measured: tuple[tuple[int, int], ...] = ()
    labels: tuple[int, ...] = ()


class QubitCircuit(msgspec.Struct, frozen=True, array_like=True):
    """Operations in time order on |0…0⟩. Classical bits start as 0 and are those of `registers`.

    `shots` is 0 for the job's number; in an estimation it is the number of each run.
    """

    n_qubits: int
    ops: tuple[Op, ...]
    registers: tuple[Register, ...]
    shots: int = 0
    estimation: Estimation | None = None
    readouts: Readouts | None = None

    @property
    def n_clbits(self) -> int:
        n_clbits = 0
        for register in self.registers:
            n_clbits += register.size
        return n_clbits

    def without_delays(self) -> QubitCircuit:
        """Return the circuit for a device on which qubits do not change while they wait."""
        is_kept = [type(op) is not Gate or op.name != DELAY for op in self.ops]
        # How many operations are kept before each place, which a jump may lead to.
        places = list(accumulate(is_kept, initial=0))
        ops: list[Op] = []
        for index, op in enumerate(self.ops):
            if type(op) is Branch or type(op) is Jump:
                skip = places[index + 1 + op.skip] - places[index + 1]
                ops.append(msgspec.structs.replace(op, skip=skip))
            elif is_kept[index]:
                ops.append(op)
        return msgspec.structs.replace(self, ops=tuple(ops))


_decoder = msgspec.msgpack.Decoder(tuple[QubitCircuit, ...])
pack: Final[Callable[[tuple[QubitCircuit, ...]], bytes]] = msgspec.msgpack.Encoder().encode
"""Encodes circuits as one opaque blob."""


def unpack(blob: bytes) -> tuple[QubitCircuit, ...]:
    """Return the circuits of a blob made by `pack`."""
    return _decoder.decode(blob)
