"""What one circuit costs in a warm worker: CPU time from unpacked circuit to outcome.

Circuits are drawn with a fixed seed; 1,000 shots each. `python -m benchmarks.engines` prints them.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from math import tau
from typing import Final, Literal, NamedTuple

import msgspec

os.environ.setdefault("OMP_NUM_THREADS", "1")  # as in a worker; read when Qulacs is imported

from qwicket import devices
from qwicket.engines import qubit
from qwicket.model import twins
from qwicket.model.circuits import Branch, Gate, Measure, Op, QubitCircuit, Register, Reset
from qwicket.model.jobs import RunOptions
from qwicket.model.noise import GateNoise, NoiseModel

SHOTS: Final = 1_000
PAULIS: Final = NoiseModel(
    name="benchmark",
    source="ours",
    one_qubit=GateNoise(depolarizing=0.0005),
    two_qubit=GateNoise(depolarizing=0.005),
)
DAMPING: Final = NoiseModel(
    name="benchmark",
    source="ours",
    one_qubit=GateNoise(amplitude_damping=0.0005),
    two_qubit=GateNoise(amplitude_damping=0.005),
)
_LEAST_ROUNDS: Final = 3
_ROUND_S: Final = 1.0


class Cost(NamedTuple):
    """The best of several runs of one circuit."""

    name: str
    engine: str
    cpu_ms: float


def measure() -> list[Cost]:
    """Measure every circuit and print it as it comes."""
    qubit.warm()
    return [
        _cost("Bell", ghz(2)),
        _cost("10 qubits, 150 gates", turning(10, 150)),
        _cost("20 qubits, 300 gates", turning(20, 300)),
        _cost("GHZ, 200 qubits", ghz(200)),
        _cost("GHZ, 1,000 qubits", ghz(1_000)),
        _cost("Clifford, 200 qubits, 10 layers", layers(200, 10)),
        _cost("Clifford, 1,000 qubits, 10 layers", layers(1_000, 10)),
        _cost("noisy, 8 qubits, 96 gates", turning(8, 96), PAULIS),
        _cost("noisy, 12 qubits, 180 gates", turning(12, 180), PAULIS),
        _cost("noisy Clifford, 12 qubits, 10 layers", layers(12, 10), PAULIS),
        _cost("damped, 8 qubits, 96 gates", turning(8, 96), DAMPING),
        _cost("twin of Aria 1, 12 qubits, 180 gates", turning(12, 180), twin("qpu.aria-1")),
        _cost("twin of Aria 1, GHZ, 25 qubits", ghz(25), twin("qpu.aria-1")),
        _cost("the same, 12 qubits, damped", ghz(12), twin("qpu.aria-1", "zero")),
        _cost("2 qubits, 8 rounds of measure, if, reset", rounds(8)),
    ]


def twin(name: str, relaxes_to: Literal["zero", "mixed"] = "mixed") -> NoiseModel:
    """Return a twin's noise; ions that relaxed to zero would need amplitude damping."""
    (spec,) = (device.spec for device in devices.built_in() if device.name == name)
    calibration = msgspec.structs.replace(devices.calibrations()[name], relaxes_to=relaxes_to)
    return twins.noise(calibration, spec.qubits, spec.native_gates, name)


def ghz(n_qubits: int) -> QubitCircuit:
    chain = [Gate("x", (qubit + 1,), (), (qubit,)) for qubit in range(n_qubits - 1)]
    return _measured(n_qubits, [Gate("h", (0,)), *chain])


def turning(n_qubits: int, n_gates: int) -> QubitCircuit:
    """Two rotations by any angle, then a CX, and so on."""
    draw = random.Random(1)
    ops: list[Op] = []
    for number in range(n_gates):
        one, other = draw.sample(range(n_qubits), 2)
        if number % 3 == 2:
            ops.append(Gate("x", (other,), (), (one,)))
        else:
            ops.append(Gate(draw.choice(("rx", "ry", "rz")), (one,), (tau * draw.random(),)))
    return _measured(n_qubits, ops)


def layers(n_qubits: int, n_layers: int) -> QubitCircuit:
    """A Clifford gate on every qubit, then CX on random pairs, and so on."""
    draw = random.Random(1)
    ops: list[Op] = []
    for _ in range(n_layers):
        ops += [Gate(draw.choice(("h", "s", "sx")), (qubit,)) for qubit in range(n_qubits)]
        order = draw.sample(range(n_qubits), n_qubits)
        pairs = zip(order[::2], order[1::2], strict=True)
        ops += [Gate("x", (other,), (), (one,)) for one, other in pairs]
    return _measured(n_qubits, ops)


def rounds(n_rounds: int) -> QubitCircuit:
    ops: list[Op] = []
    for number in range(n_rounds):
        ops += [Gate("ry", (0,), (0.7,)), Gate("x", (1,), (), (0,)), Measure(1, number)]
        ops += [Branch((number,), "==", "1", 1), Gate("rx", (0,), (0.3,)), Reset(1)]
    return QubitCircuit(2, tuple(ops), (Register("c", n_rounds),))


def _measured(n_qubits: int, ops: list[Op]) -> QubitCircuit:
    measures = (Measure(qubit, qubit) for qubit in range(n_qubits))
    return QubitCircuit(n_qubits, (*ops, *measures), (Register("c", n_qubits),))


def _cost(name: str, circuit: QubitCircuit, noise: NoiseModel | None = None) -> Cost:
    options = RunOptions(shots=SHOTS, seed=1, outputs=("counts",), noise=noise)
    engine = qubit.run(circuit, options, 0).engine
    found = Cost(name, engine, 1_000 * _best_s(lambda: qubit.run(circuit, options, 0)))
    print(f"{found.name:42} {found.engine:7} {found.cpu_ms:10.3f} ms", flush=True)
    return found


def _best_s(run: Callable[[], object]) -> float:
    """Return the least CPU time of one run, over about a second of them."""
    least, spent, n_rounds = float("inf"), 0.0, 0
    while spent < _ROUND_S or n_rounds < _LEAST_ROUNDS:
        began = time.process_time()
        run()
        took = time.process_time() - began
        least, spent, n_rounds = min(least, took), spent + took, n_rounds + 1
    return least


if __name__ == "__main__":
    measure()
