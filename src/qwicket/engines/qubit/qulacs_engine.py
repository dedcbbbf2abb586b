"""State vectors with Qulacs, the fast path.

Danger: Qulacs writes out of bounds when a gate names a qubit that the state has not, and ends the
process when it cannot allocate. The plan checks operands; `_reserve` asks for memory first.

Gates are applied one by one: as fast as a whole Qulacs circuit here, and signals work in between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import qulacs
from numpy.random import Generator
from numpy.typing import NDArray
from qulacs import gate as make
from qulacs._version import __version__ as _qulacs_version

from qwicket.engines.qubit import pauli
from qwicket.engines.qubit.cost import SAMPLER_QUBITS
from qwicket.engines.qubit.gates import matrix
from qwicket.engines.qubit.numpy_engine import squared
from qwicket.engines.qubit.sampling import Floats, Integers
from qwicket.model.circuits import Gate

_PAULI_IDS: Final = {(0, 0): 0, (1, 0): 1, (1, 1): 2, (0, 1): 3}
"""Qulacs' numbers for I, X, Y and Z, by the bits of `pauli.Term`."""

_KEPT_QUBITS: Final = 12

Vector = NDArray[np.complex128]


class QulacsSimulator:
    """Native Qulacs gates where there are such, else dense matrices with Qulacs' controls."""

    name: Final = "qulacs"
    version: Final = f"1 (qulacs {_qulacs_version}, numpy {np.__version__})"

    def __init__(self) -> None:
        self._idle: dict[int, Any] = {}

    def evolve(self, n_qubits: int, circuit: Sequence[Gate]) -> QulacsState:
        state = self._zero(n_qubits)
        for gate in circuit:
            native = _NATIVE.get((gate.name, len(gate.controls)))
            if native is not None:
                native(*gate.controls, *gate.targets, *gate.params).update_quantum_state(state)
            elif gate.name == "pauliexp":
                _apply_pauliexp(state, n_qubits, gate)
            elif gate.name == "gphase":
                _apply_phase(state, gate)
            elif gate.name != "id":
                _dense(gate).update_quantum_state(state)
        return QulacsState(state, n_qubits, self._idle)

    def _zero(self, n_qubits: int) -> Any:
        state = self._idle.pop(n_qubits, None)
        if state is None:
            _reserve(n_qubits)
            return qulacs.QuantumState(n_qubits)
        state.set_zero_state()
        return state


class QulacsState:
    """A final state. A small one goes back to be used again: making it costs half a Bell pair.

    Args:
        state: Qulacs' own object.
        n_qubits: Its width.
        idle: Where it goes.
    """

    def __init__(self, state: Any, n_qubits: int, idle: dict[int, Any]) -> None:
        self._state = state
        self._n_qubits = n_qubits
        self._idle = idle

    def __del__(self) -> None:
        if self._n_qubits <= _KEPT_QUBITS:
            self._idle[self._n_qubits] = self._state

    @property
    def n_qubits(self) -> int:
        return self._n_qubits

    def amplitudes(self) -> Vector:
        """Return a copy of the 2^n amplitudes; bit q of the index is qubit q."""
        vector: Vector = self._state.get_vector()
        return vector

    def probabilities(self) -> Floats:
        return squared(self.amplitudes())

    def sample(self, shots: int, rng: Generator) -> Integers:
        self._state.normalize(self._state.get_squared_norm())
        drawn = self._state.sampling(shots, int(rng.integers(1 << 31)))
        # rounding can leave the total below the number drawn: Qulacs then returns 2^n
        return np.minimum(np.array(drawn, dtype=np.int64), (1 << self._n_qubits) - 1)


def _reserve(n_qubits: int) -> None:
    """Raise MemoryError where Qulacs would end the process: state and sampler take 24·2^n bytes."""
    if n_qubits > SAMPLER_QUBITS:
        np.empty(24 << n_qubits, dtype=np.uint8)


def _rotate_two(pauli_id: int) -> Callable[[int, int, float], Any]:
    def rotate(first: int, second: int, theta: float) -> Any:
        return make.PauliRotation([first, second], [pauli_id, pauli_id], -theta)

    return rotate


# By name and number of controls; arguments are controls, targets, parameters. Qulacs' RX and
# PauliRotation turn the other way round than the textbook's; RotX does not. Without a control
# `p` and `rz` differ by a global phase only, and RotZ is twice as fast as U1.
_NATIVE: Final[Mapping[tuple[str, int], Callable[..., Any]]] = {
    ("x", 0): make.X,
    ("y", 0): make.Y,
    ("z", 0): make.Z,
    ("h", 0): make.H,
    ("s", 0): make.S,
    ("sdg", 0): make.Sdag,
    ("t", 0): make.T,
    ("tdg", 0): make.Tdag,
    ("sx", 0): make.sqrtX,
    ("sxdg", 0): make.sqrtXdag,
    ("rx", 0): make.RotX,
    ("ry", 0): make.RotY,
    ("rz", 0): make.RotZ,
    ("p", 0): make.RotZ,
    ("u", 0): make.U3,
    ("swap", 0): make.SWAP,
    ("rxx", 0): _rotate_two(1),
    ("ryy", 0): _rotate_two(2),
    ("rzz", 0): _rotate_two(3),
    ("x", 1): make.CNOT,
    ("z", 1): make.CZ,
}


def _dense(gate: Gate) -> Any:
    """Return the exact matrix with its controls. Qulacs' first target is the least significant."""
    return _controlled(list(reversed(gate.targets)), matrix(gate.name, gate.params), gate.controls)


def _controlled(targets: list[int], dense: Any, controls: Sequence[int]) -> Any:
    made = make.DenseMatrix(targets, dense)
    for control in controls:
        made.add_control_qubit(control, 1)
    return made


def _apply_phase(state: Any, gate: Gate) -> None:
    """Apply a global phase: with controls it is a phase on one of them, without it is nothing."""
    if gate.controls:
        first, *others = gate.controls
        _controlled([first], matrix("p", gate.params), others).update_quantum_state(state)


def _apply_pauliexp(state: Any, n_qubits: int, gate: Gate) -> None:
    terms = pauli.sum_of(gate)
    if gate.controls or not pauli.all_commute(terms):
        vector = state.get_vector()
        pauli.apply(vector.reshape((2,) * n_qubits), gate)
        state.load(vector)
        return
    for term in terms:
        letters = [
            _PAULI_IDS[term.x >> bit & 1, term.z >> bit & 1] for bit in range(len(gate.targets))
        ]
        busy = [
            (target, letter) for target, letter in zip(gate.targets, letters, strict=True) if letter
        ]
        if busy:
            targets, ids = map(list, zip(*busy, strict=True))
            make.PauliRotation(targets, ids, -2 * term.coefficient).update_quantum_state(state)
