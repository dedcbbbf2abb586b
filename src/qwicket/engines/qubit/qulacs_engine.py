"""State vectors with Qulacs, the fast simulator.

Danger: Qulacs writes out of bounds when a gate names a qubit that the state does not have, and ends
the process when it cannot allocate memory. `program.read` checks operands; `check_memory` allocates
first.

On narrow states gates are applied as one Qulacs circuit, which saves two calls for each gate. On
wide ones these calls take no time compared with a gate, so gates are applied one by one: Python
handles signals between them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import qulacs
from numpy.random import Generator
from numpy.typing import NDArray
from qulacs import gate as make
from qulacs._version import __version__ as _qulacs_version

from qwicket.circuits.qubit import Gate
from qwicket.engines.qubit import pauli
from qwicket.engines.qubit.gates import matrix
from qwicket.engines.qubit.numpy_engine import abs_squared
from qwicket.engines.qubit.sampling import Floats, Integers
from qwicket.engines.qubit.states import PreparedGates, check_memory

_PAULI_IDS: Final = {(0, 0): 0, (1, 0): 1, (1, 1): 2, (0, 1): 3}
"""Qulacs' numbers of I, X, Y and Z, by the x and z bits of `pauli.Term`."""

_STATE_BYTES: Final = 16
_SAMPLED_BYTES: Final = 24
"""Bytes of each amplitude: of a state, and of one with its sampler."""

_NARROW_QUBITS: Final = 12
"""Largest state on which a call for each gate takes a noticeable part of the time."""

_KEPT_QUBITS: Final = 12
_KEPT_STATES: Final = 32
"""Widest state that is kept for reuse, and the most of one width."""

Vector = NDArray[np.complex128]


class QulacsSimulator:
    """Uses Qulacs' own gates where they exist, else dense matrices with Qulacs' controls."""

    name: Final = "qulacs"
    version: Final = f"2 (qulacs {_qulacs_version}, numpy {np.__version__})"

    def __init__(self) -> None:
        self._idle: dict[int, list[Any]] = {}

    def prepare(self, n_qubits: int, gates: Sequence[Gate]) -> PreparedGates:
        circuit = qulacs.QuantumCircuit(n_qubits)
        for gate in gates:
            controls = gate.controls
            if not controls and (add := _ADDED.get(gate.name)) is not None:
                add(circuit, *gate.targets, *gate.params)
            elif len(controls) == 1 and (add := _ADDED_CONTROLLED.get(gate.name)) is not None:
                add(circuit, *controls, *gate.targets)
            elif gate.name != "pauliexp":
                circuit.add_gate(_made(gate))
            else:
                # Qulacs has no such gate, so all are prepared one by one.
                return partial(_apply_each, [self._prepare_alone(n_qubits, each) for each in gates])
        prepared: PreparedGates = circuit.update_quantum_state
        return prepared if n_qubits <= _NARROW_QUBITS else partial(_apply_slowly, prepared)

    def _prepare_alone(self, n_qubits: int, gate: Gate) -> PreparedGates:
        if gate.name == "pauliexp":
            return partial(_apply_pauliexp, gate)
        return self.prepare(n_qubits, (gate,))

    def zero_state(self, n_qubits: int) -> QulacsState:
        idle = self._idle.setdefault(n_qubits, [])
        if idle:
            state = idle.pop()
            state.set_zero_state()
        else:
            check_memory(n_qubits, _SAMPLED_BYTES)
            state = qulacs.QuantumState(n_qubits)
        return QulacsState(state, n_qubits, idle)


class QulacsState:
    """A state. Small ones are reused: allocating one takes half as long as running a Bell pair.

    Args:
        state: Qulacs' own object.
        n_qubits: Number of its qubits.
        idle: List to which a small state returns when it is no longer used.
    """

    def __init__(self, state: Any, n_qubits: int, idle: list[Any]) -> None:
        self._state = state
        self._n_qubits = n_qubits
        self._idle = idle

    def __del__(self) -> None:
        if self._n_qubits <= _KEPT_QUBITS and len(self._idle) < _KEPT_STATES:
            self._idle.append(self._state)

    @property
    def n_qubits(self) -> int:
        return self._n_qubits

    def apply(self, prepared: PreparedGates, start: int, stop: int) -> None:
        prepared(self._state, start, stop)

    def copy(self) -> QulacsState:
        if self._idle:
            state = self._idle.pop()
            state.load(self._state)
        else:
            check_memory(self._n_qubits, _STATE_BYTES)
            state = self._state.copy()
        return QulacsState(state, self._n_qubits, self._idle)

    def p_one(self, qubit: int) -> float:
        p_zero: float = self._state.get_zero_probability(qubit)
        return min(1.0, max(0.0, 1 - p_zero))

    def scale(self, qubit: int, factor_0: float, factor_1: float) -> None:
        factors = np.array((factor_0, factor_1), dtype=np.complex128)
        make.DiagonalMatrix([qubit], factors).update_quantum_state(self._state)

    def amplitudes(self) -> Vector:
        """Return a copy of the 2^n amplitudes; bit q of the index is qubit q."""
        vector: Vector = self._state.get_vector()
        return vector

    def probabilities(self) -> Floats:
        return abs_squared(self.amplitudes())

    def sample(self, shots: int, rng: Generator) -> Integers:
        self._state.normalize(self._state.get_squared_norm())
        drawn = self._state.sampling(shots, int(rng.integers(1 << 31)))
        # Rounding can leave the sum of probabilities below the random number: Qulacs returns 2^n.
        return np.minimum(np.array(drawn, dtype=np.int64), (1 << self._n_qubits) - 1)


def _made(gate: Gate) -> Any:
    """Return a gate that is none of Qulacs' named gates."""
    if gate.name == "gphase" and gate.controls:
        return _phase(gate)
    if gate.name in ("gphase", "id"):
        return make.Identity(0)
    return _dense(gate)


def _dense(gate: Gate) -> Any:
    """Return the exact matrix with its controls. Qulacs' first target is the least significant."""
    return _controlled(list(reversed(gate.targets)), matrix(gate.name, gate.params), gate.controls)


def _controlled(targets: list[int], dense: Any, controls: Sequence[int]) -> Any:
    made = make.DenseMatrix(targets, dense)
    for control in controls:
        made.add_control_qubit(control, 1)
    return made


def _phase(gate: Gate) -> Any:
    """Return a global phase with controls, which is a phase on one of them."""
    first, *others = gate.controls
    return _controlled([first], matrix("p", gate.params), others)


def _add_rotation(pauli_id: int) -> Callable[..., None]:
    def add(circuit: Any, first: int, second: int, theta: float) -> None:
        circuit.add_multi_Pauli_rotation_gate([first, second], [pauli_id, pauli_id], -theta)

    return add


_CIRCUIT: Final = qulacs.QuantumCircuit
# Arguments are a circuit, targets, parameters. Qulacs' RX and Pauli rotations turn the other way
# round than the textbook's; RotX does not. Without a control `p` and `rz` differ by a global phase
# only, and RotZ is twice as fast as U1.
_ADDED: Final[Mapping[str, Callable[..., None]]] = {
    "x": _CIRCUIT.add_X_gate,
    "y": _CIRCUIT.add_Y_gate,
    "z": _CIRCUIT.add_Z_gate,
    "h": _CIRCUIT.add_H_gate,
    "s": _CIRCUIT.add_S_gate,
    "sdg": _CIRCUIT.add_Sdag_gate,
    "t": _CIRCUIT.add_T_gate,
    "tdg": _CIRCUIT.add_Tdag_gate,
    "sx": _CIRCUIT.add_sqrtX_gate,
    "sxdg": _CIRCUIT.add_sqrtXdag_gate,
    "rx": _CIRCUIT.add_RotX_gate,
    "ry": _CIRCUIT.add_RotY_gate,
    "rz": _CIRCUIT.add_RotZ_gate,
    "p": _CIRCUIT.add_RotZ_gate,
    "u": _CIRCUIT.add_U3_gate,
    "swap": _CIRCUIT.add_SWAP_gate,
    "rxx": _add_rotation(1),
    "ryy": _add_rotation(2),
    "rzz": _add_rotation(3),
    "zz": _add_rotation(3),
}
_ADDED_CONTROLLED: Final[Mapping[str, Callable[..., None]]] = {
    "x": _CIRCUIT.add_CNOT_gate,
    "z": _CIRCUIT.add_CZ_gate,
}
"""Gates with one control, which precedes the target; none has a parameter."""


def _apply_slowly(prepared: PreparedGates, state: Any, start: int, stop: int) -> None:
    for index in range(start, stop):
        prepared(state, index, index + 1)


def _apply_each(alone: Sequence[PreparedGates], state: Any, start: int, stop: int) -> None:
    for prepared in alone[start:stop]:
        prepared(state, 0, 1)


def _apply_pauliexp(gate: Gate, state: Any, _start: int, _stop: int) -> None:
    terms = pauli.sum_of(gate)
    if gate.controls or not pauli.all_commute(terms):
        vector = state.get_vector()
        pauli.apply(vector.reshape((2,) * state.get_qubit_count()), gate)
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
