"""Gates and noise as real matrices on means of Pauli strings, entry by entry."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from qwicket.circuits.noise import GateNoise
from qwicket.circuits.qubit import Gate, QubitCircuit
from qwicket.engines.qubit import program
from qwicket.engines.qubit.channels import channels, error_matrix, transfer_matrices
from qwicket.engines.qubit.noise import NO_ERRORS, GateErrors, Noise, PauliError
from support import qubit_math
from support.for_each import for_each
from support.noise_examples import cx, model


def on_means(n_qubits: int, kraus: list[qubit_math.Matrix]) -> NDArray[np.float64]:
    """Tr(P Σ K Q K†) / 2^n for all strings P and Q, the first qubit most significant."""
    strings = [qubit_math.string("".join(each)) for each in product("IXYZ", repeat=n_qubits)]
    rows = [
        [sum(np.trace(p @ k @ q @ k.conj().T) for k in kraus) for q in strings] for p in strings
    ]
    found: NDArray[np.float64] = np.array(rows).real / 2**n_qubits
    return found


def quiet(*gates: Gate) -> Noise:
    return Noise(model(), program.read(QubitCircuit(3, gates, ())))


@pytest.mark.parametrize("n_controls", [0, 1])
def test_each_gate_is_what_its_definition_says(subtests: pytest.Subtests, n_controls: int) -> None:
    for name, n_targets, params in qubit_math.EXAMPLES:
        with subtests.test(name):
            if not n_targets + n_controls:
                continue
            targets = tuple(range(n_targets))
            gate = Gate(name, targets, params, tuple(range(n_targets, n_targets + n_controls)))
            ((qubits, found),) = channels([gate], quiet(gate))
            size = n_targets + n_controls
            order = [size - 1 - qubit for qubit in qubits]
            whole = qubit_math.embedded(qubit_math.gate_unitary(gate), gate, size)
            tensor = whole.reshape((2,) * 2 * size)
            axes = [*order, *[size + axis for axis in order]]
            expected = on_means(size, [tensor.transpose(axes).reshape(2**size, -1)])
            assert abs(found - expected).max() < 1e-14


def test_global_phases_are_left_out() -> None:
    gates = (Gate("gphase", (), (0.3,)), Gate("h", (0,)), Gate("gphase", (), (0.4,)))
    assert [qubits for qubits, _ in channels(gates, quiet(*gates))] == [(0,)]


def test_gates_of_all_widths_come_in_their_order() -> None:
    gates = (Gate("h", (1,)), cx(0, 1), Gate("x", (2,), (), (0, 1)), Gate("t", (0,)), cx(2, 0))
    noise = quiet(*gates)
    for (qubits, found), gate in zip(channels(gates, noise), gates, strict=True):
        ((expected_qubits, expected),) = channels([gate], noise)
        assert qubits == expected_qubits
        assert (found == expected).all()


def test_a_sequence_of_gates_is_a_product_of_matrices() -> None:
    one, other = (qubit_math.unitary("u", angles) for angles in ((0.7, 0.2, 1), (1.1, 2.3, -0.4)))
    both = np.array([one, other, other @ one])
    first, second, product_ = transfer_matrices(both)
    assert abs(second @ first - product_).max() < 1e-15


@for_each("width", [1, 2])
@for_each("p", [0.0, 0.3, 1.0])
def test_depolarizing_is_its_kraus_sum(width: int, p: float) -> None:
    error = PauliError(tuple(range(width)), p, 1, 4**width)
    found = error_matrix(GateErrors((error,), ()), width)
    assert abs(found - on_means(width, qubit_math.depolarizing(p, width))).max() < 1e-15


@pytest.mark.parametrize(("low", "high", "letters"), [(1, 3, "XY"), (3, 4, "Z")])
def test_paulis_on_one_of_two_qubits_are_their_kraus_sum(low: int, high: int, letters: str) -> None:
    found = error_matrix(GateErrors((PauliError((1,), 0.3, low, high),), ()), 2)
    weights = {"I": 0.7, **dict.fromkeys(letters, 0.3 / len(letters))}
    kraus = [w**0.5 * qubit_math.string("I" + letter) for letter, w in weights.items()]
    assert abs(found - on_means(2, kraus)).max() < 1e-15


def test_damping_comes_after_what_strikes() -> None:
    errors = [0.7**0.5 * qubit_math.PAULI["I"], *(0.15**0.5 * qubit_math.PAULI[s] for s in "XY")]
    damps = qubit_math.damping_of_amplitude(GateNoise(amplitude_damping=0.4))
    kraus = [damp @ error for error in errors for damp in damps]
    found = error_matrix(GateErrors((PauliError((0,), 0.3, 1, 3),), ((0, 0.4),)), 1)
    assert abs(found - on_means(1, kraus)).max() < 1e-15


def test_nothing_follows_where_all_is_quiet() -> None:
    assert (error_matrix(NO_ERRORS, 2) == np.eye(16)).all()
