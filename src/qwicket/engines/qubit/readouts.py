"""Quantities of a circuit's final state: exact ones, or those computed from shots.

Exact ones come from the state vector, or with channels from the density matrix. With shots each
factor of an observable is turned to the Z basis and every shot measures all qubits, so all
quantities belong to the same shots.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import pi
from typing import Final

import msgspec
import numpy as np
from numpy.random import SeedSequence, default_rng
from numpy.typing import NDArray

from qwicket.circuits.analysis import is_noisy
from qwicket.circuits.outcomes import (
    LABELS,
    MEASUREMENTS,
    MEMORY,
    READOUTS,
    Array,
    float64_array,
    key_width,
    value_name,
)
from qwicket.circuits.qubit import (
    Factor,
    Gate,
    Measure,
    Op,
    Parameter,
    QubitCircuit,
    Readout,
    Readouts,
    Register,
)
from qwicket.engines.failures import CannotRun
from qwicket.engines.qubit import gradients
from qwicket.engines.qubit.gates import dense
from qwicket.engines.qubit.observables import Complexes, Floats, apply_matrix, factor_matrix, times
from qwicket.engines.qubit.tasks import EngineResult

Bits = NDArray[np.uint8]
RunOnce = Callable[[QubitCircuit], EngineResult]
FinalAmplitudes = Callable[[int, Sequence[Gate]], Complexes]

_TURNS: Final[dict[str, tuple[tuple[str, tuple[float, ...]], ...]]] = {
    "i": (),
    "z": (),
    "x": (("h", ()),),
    "y": (("sdg", ()), ("h", ())),
    "h": (("ry", (-pi / 4,)),),
}
"""Gates that turn the eigenvectors of an observable to those of Z, eigenvalue 1 to |0⟩."""


@np.errstate(over="ignore", invalid="ignore")
def run(
    circuit: QubitCircuit, seed: SeedSequence, run_once: RunOnce, final_amplitudes: FinalAmplitudes
) -> EngineResult:
    """Return the values of a circuit's readouts, with shots also the measured bits.

    Args:
        circuit: Circuit with its readouts.
        seed: For shots of circuits with channels.
        run_once: Function that returns the `memory` of a circuit without readouts.
        final_amplitudes: Function that returns the state after gates; bit q of the index is
            qubit q.

    Raises:
        CannotRun: A circuit with channels or exact values branches or resets a qubit; or a value
            is too large for a float.
    """
    readouts = circuit.readouts
    assert readouts is not None
    values: list[Complexes | Floats]
    if readouts.shots:
        return EngineResult(of_bits(readouts, _measured(circuit, readouts, seed, run_once)))
    gates = _gates(circuit)
    n = circuit.n_qubits
    if is_noisy(gates):
        rho = _density(n, gates)
        values = [_of_density(each, rho, n) for each in readouts.values]
    else:
        # Axis q of the tensor is qubit q, so that the first is the most significant.
        psi = final_amplitudes(n, gates).reshape((2,) * n).transpose()
        values = [
            gradients.gradient(each, psi, gates)
            if each.kind == "adjoint_gradient"
            else _of_vector(each, psi)
            for each in readouts.values
        ]
    return EngineResult(_arrays(readouts, values))


@np.errstate(over="ignore", invalid="ignore")
def of_bits(readouts: Readouts, bits: Bits) -> dict[str, Array]:
    """Return the arrays of readouts with shots.

    Args:
        readouts: What was asked for.
        bits: What was measured, shots × `readouts.measured`, after observables were turned to the
            Z basis.

    Raises:
        CannotRun: A value is too large for a float.
    """
    return {
        MEASUREMENTS: Array("|u1", bits.shape, bits.tobytes()),
        LABELS: Array("<i8", (bits.shape[1],), _labels(readouts).tobytes()),
        **_arrays(readouts, [_sampled(each, bits) for each in readouts.values]),
    }


def _arrays(readouts: Readouts, values: Sequence[Complexes | Floats]) -> dict[str, Array]:
    text = msgspec.json.encode([_labelled(each, readouts.labels) for each in readouts.values])
    return {
        READOUTS: Array("|u1", (len(text),), text),
        **{value_name(index): _array(value) for index, value in enumerate(values)},
    }


def _labelled(value: Readout, labels: Sequence[int]) -> Readout:
    """Return a readout with the qubits as the source numbers them."""
    return msgspec.structs.replace(
        value,
        targets=tuple([labels[qubit] for qubit in value.targets]),
        products=tuple(
            tuple(
                Factor(each.name, tuple([labels[q] for q in each.targets]), each.matrix)
                for each in product
            )
            for product in value.products
        ),
        parameters=tuple([Parameter(each.name) for each in value.parameters]),
    )


def _labels(readouts: Readouts) -> NDArray[np.int64]:
    return np.array([readouts.labels[qubit] for _, qubit in readouts.measured], dtype="<i8")


def _array(value: NDArray[np.complex128] | Floats) -> Array:
    if not np.isfinite(value).all():
        raise CannotRun("unsupported", "a value of the result is too large for a float")
    if np.iscomplexobj(value):
        return Array("<c16", value.shape, np.ascontiguousarray(value, "<c16").tobytes())
    flat = float64_array(np.ascontiguousarray(value, "<f8").tobytes())
    return Array(flat.dtype, value.shape, flat.data)


def _gates(circuit: QubitCircuit) -> list[Gate]:
    gates = [op for op in circuit.ops if type(op) is Gate]
    if len(gates) < len([op for op in circuit.ops if type(op) is not Measure]):
        raise CannotRun("unsupported", "exact values and noise need a circuit without branches")
    return gates


# --- shots ----------------------------------------------------------------------------------------


def _measured(
    circuit: QubitCircuit, readouts: Readouts, seed: SeedSequence, run_once: RunOnce
) -> Bits:
    """Return the measured bits, shots × qubits, after observables were turned to the Z basis."""
    turned = QubitCircuit(
        circuit.n_qubits,
        (*circuit.ops, *_turns(readouts.values)),
        circuit.registers,
        readouts.shots,
    )
    if is_noisy(circuit.ops):
        rho = _density(circuit.n_qubits, _gates(turned))
        qubits = [qubit for _, qubit in readouts.measured]
        p = np.clip(_probabilities_of(_diagonal(rho, circuit.n_qubits), qubits), 0, None).ravel()
        drawn = default_rng(seed).choice(len(p), readouts.shots, p=p / p.sum())
        return _bits_of(drawn, len(qubits))
    if readouts.values:
        measured = [Measure(qubit, bit) for bit, qubit in readouts.measured]
        turned = QubitCircuit(
            circuit.n_qubits,
            (*turned.ops, *measured),
            (Register("b", len(measured)),),
            readouts.shots,
        )
    memory = run_once(turned).arrays[MEMORY]
    rows = np.frombuffer(memory.data, np.uint8).reshape(-1, key_width(turned.n_clbits))
    columns = [rows[:, bit >> 3] >> (bit & 7) & 1 for bit, _ in readouts.measured]
    return np.stack(columns, axis=1).astype(np.uint8)


def _bits_of(drawn: NDArray[np.int64], width: int) -> Bits:
    shifts = np.arange(width - 1, -1, -1)
    return (drawn[:, np.newaxis] >> shifts & 1).astype(np.uint8)


def _turns(values: Sequence[Readout]) -> list[Op]:
    """Return the gates that turn all observables to the Z basis, each qubit once."""
    turned: set[int] = set()
    gates: list[Op] = []
    for value in values:
        for factor in (each for product in value.products for each in product):
            if factor.name == "i" or not turned.isdisjoint(factor.targets):
                continue  # a qubit has one basis, which the parser has checked
            turned.update(factor.targets)
            if factor.name == "hermitian":
                _, vectors = np.linalg.eigh(factor_matrix(factor))
                flat = np.ascontiguousarray(vectors.conj().T).view(np.float64).ravel()
                gates.append(Gate("unitary", factor.targets, tuple(flat.tolist())))
            else:
                (target,) = factor.targets
                gates += [Gate(name, (target,), params) for name, params in _TURNS[factor.name]]
    return gates


def _sampled(value: Readout, bits: Bits) -> Floats:
    """Return a value from the measured bits."""
    if value.kind == "probability":
        index = _index(bits, value.targets)
        found: Floats = np.bincount(index, minlength=1 << len(value.targets)) / len(bits)
        return found
    each = []
    for product in value.products:
        numbers = np.ones(len(bits))
        for factor in product:
            numbers = numbers * _eigenvalues(factor)[_index(bits, factor.targets)]
        each.append(numbers)
    if value.kind == "sample":
        return np.stack(each) if len(each) > 1 else each[0]
    reduced = [numbers.mean() if value.kind == "expectation" else numbers.var() for numbers in each]
    return np.array(reduced, dtype=np.float64)


def _index(bits: Bits, targets: Sequence[int]) -> NDArray[np.int64]:
    """Return the bits of targets as numbers, first target highest."""
    index = np.zeros(len(bits), dtype=np.int64)
    for target in targets:
        index = index << 1 | bits[:, target]
    return index


def _eigenvalues(factor: Factor) -> Floats:
    if factor.name == "hermitian":
        return np.asarray(np.linalg.eigvalsh(factor_matrix(factor)), dtype=np.float64)
    return np.array([1.0, 1.0 if factor.name == "i" else -1.0])


# --- exact values ---------------------------------------------------------------------------------


def _of_vector(value: Readout, psi: Complexes) -> Complexes | Floats:
    if value.kind == "state_vector":
        return np.ascontiguousarray(psi).reshape(-1)
    if value.kind == "amplitude":
        return np.array([psi[tuple(map(int, key))] for key in value.keys])
    if value.kind == "probability":
        weights: Floats = psi.real**2 + psi.imag**2
        return _probabilities_of(weights, value.targets).reshape(-1)
    if value.kind == "density_matrix":
        rows = np.moveaxis(psi, value.targets, range(len(value.targets)))
        rows = rows.reshape(1 << len(value.targets), -1)
        reduced: Complexes = rows @ rows.conj().T
        return reduced
    numbers: list[float] = []
    for product in value.products:
        turned = times(product, psi)
        mean = float(np.vdot(psi, turned).real)
        square = float(np.vdot(turned, turned).real)
        numbers.append(mean if value.kind == "expectation" else max(square - mean * mean, 0.0))
    return np.array(numbers, dtype=np.float64)


def _of_density(value: Readout, rho: Complexes, n: int) -> Complexes | Floats:
    size = 1 << n
    if value.kind == "probability":
        return _probabilities_of(_diagonal(rho, n), value.targets).reshape(-1)
    if value.kind == "density_matrix":
        kept = list(value.targets)
        others = [qubit for qubit in range(n) if qubit not in kept]
        axes = kept + others
        moved = rho.transpose(axes + [n + axis for axis in axes])
        k, rest = 1 << len(kept), 1 << len(others)
        reduced: Complexes = np.einsum("arbr->ab", moved.reshape(k, rest, k, rest))
        return reduced
    numbers = []
    for product in value.products:
        turned = times(product, rho)
        mean = np.trace(turned.reshape(size, size)).real
        if value.kind == "expectation":
            numbers.append(mean)
            continue
        turned = times(product, turned)
        numbers.append(max(np.trace(turned.reshape(size, size)).real - mean**2, 0.0))
    return np.array(numbers, dtype=np.float64)


def _probabilities_of(p: Floats, targets: Sequence[int]) -> Floats:
    """Return the marginal distribution of some qubits, in their order."""
    kept = sorted(targets)
    marginal = p.sum(axis=tuple(axis for axis in range(p.ndim) if axis not in kept))
    return np.transpose(marginal, [kept.index(target) for target in targets])


def _diagonal(rho: Complexes, n: int) -> Floats:
    diagonal: Floats = np.diagonal(rho.reshape(1 << n, 1 << n)).real.reshape((2,) * n)
    return diagonal


def _density(n: int, gates: Sequence[Gate]) -> Complexes:
    """Return the density matrix after gates and channels; axes are rows, then columns."""
    rho = np.zeros((2,) * (2 * n), dtype=np.complex128)
    rho[(0,) * (2 * n)] = 1
    for gate in gates:
        if gate.name == "kraus":
            size = 1 << len(gate.targets)
            matrices = np.array(gate.params).view(np.complex128).reshape(-1, size, size)
            qubits = gate.targets
        elif gate.name == "gphase" and not gate.controls:
            continue  # a global phase does not change ρ
        else:
            matrix, qubits = dense(gate)
            matrices = matrix[np.newaxis]
        columns = [n + qubit for qubit in qubits]
        rho = sum(
            (
                apply_matrix(apply_matrix(rho, each, qubits), each.conj(), columns)
                for each in matrices
            ),
            start=np.zeros((), dtype=np.complex128),
        )
    return rho
