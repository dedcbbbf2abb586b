"""The cost of circuits in a warm worker, and of the same circuits on peers, in the same run.

Times are CPU times on one thread, from unpacked circuits to outcomes, with 1,000 shots each. Prints
one JSON object per line; `make bench` runs this with the peers' interpreter, and shows a table.

The bar: we may take at most 1.1 times as long as each peer.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import Final, Literal

os.environ.setdefault("OMP_NUM_THREADS", "1")  # as in a worker; read when Qulacs is imported

import msgspec

from benchmarks import peers
from benchmarks.circuits import ansatz, ghz, layers, rounds, turning
from benchmarks.figures import best_ms
from qwicket import devices
from qwicket.circuits import twins
from qwicket.circuits.noise import GateNoise, NoiseModel
from qwicket.circuits.options import RunOptions
from qwicket.circuits.qubit import QubitCircuit
from qwicket.engines import qubit

SHOTS: Final = 1_000
PAULIS: Final = NoiseModel(
    name="benchmark",
    source="ours",
    one_qubit=GateNoise(depolarizing=0.0005),
    two_qubit=GateNoise(depolarizing=0.005),
)
MANY_PAULIS: Final = NoiseModel(
    name="benchmark",
    source="ours",
    one_qubit=GateNoise(depolarizing=0.005),
    two_qubit=GateNoise(depolarizing=0.05),
)
DAMPING: Final = NoiseModel(
    name="benchmark",
    source="ours",
    one_qubit=GateNoise(amplitude_damping=0.0005),
    two_qubit=GateNoise(amplitude_damping=0.005),
)
_MAX_RATIO: Final = 1.1
_STATE: Final = "statevector"
_DENSITY: Final = "density_matrix"
COLUMNS: Final = (
    "Aer and qsim run as their users run them, given circuits of Qiskit and of Cirq that are made "
    "beforehand. qsim's module is what both qsim and our own engine of that name call: here it is "
    "given gates that nobody checks, and one seed for all circuits. Nobody calls it so; it is a "
    "floor, and no bar."
)
"""Explanation of the table's columns."""


class Case(msgspec.Struct, frozen=True):
    """What is measured.

    Attributes:
        name: Name in the table.
        circuits: The circuits of one job.
        aer: Aer's method; empty if Aer is not measured.
        noise: The noise.
        min_aer_ratio: Minimum of Aer's time over ours; by default 1 / 1.1.
        max_ms: Bar for our own time.
    """

    name: str
    circuits: tuple[QubitCircuit, ...]
    aer: str = ""
    noise: NoiseModel | None = None
    min_aer_ratio: float | None = None
    max_ms: float | None = None

    @property
    def is_for_qsim(self) -> bool:
        return self.aer == _STATE and self.noise is None


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """The best of several runs, in CPU milliseconds; None if it was not measured.

    `module_ms` is the time of qsim's compiled module, a floor and no bar.
    """

    name: str
    engine: str
    ours_ms: float
    aer_ms: float | None
    qsim_ms: float | None
    module_ms: float | None
    is_within: bool | None


def cases() -> list[Case]:
    variational = tuple(ansatz(5, seed) for seed in range(100))
    many = "100 circuits of 5 qubits, 28 gates, in one job"
    aria, relaxing = twin("qpu.aria-1"), twin("qpu.aria-1", "zero")
    return [
        Case("Bell", (ghz(2),), _STATE, min_aer_ratio=5, max_ms=0.1),
        Case(many, variational, _STATE, min_aer_ratio=5),
        Case("10 qubits, 150 gates", (turning(10, 150),), _STATE, min_aer_ratio=5),
        Case("16 qubits, 240 gates", (turning(16, 240),), _STATE),
        Case("20 qubits, 300 gates", (turning(20, 300),), _STATE),
        Case("24 qubits, 180 gates", (turning(24, 180),), _STATE),
        Case("Clifford, 200 qubits, 10 layers", (layers(200, 10),), "stabilizer"),
        Case("Clifford, 1,000 qubits, 10 layers", (layers(1_000, 10),)),
        Case("noisy, 5 qubits, 35 gates", (turning(5, 35),), _DENSITY, PAULIS, 5),
        Case("noisy, 8 qubits, 96 gates", (turning(8, 96),), _DENSITY, PAULIS, 5),
        Case("ten times as noisy, 8 qubits, 96 gates", (turning(8, 96),), _DENSITY, MANY_PAULIS, 5),
        Case(
            "ten times as noisy, 10 qubits, 150 gates", (turning(10, 150),), _STATE, MANY_PAULIS, 5
        ),
        Case("noisy, 12 qubits, 180 gates", (turning(12, 180),), _STATE, PAULIS),
        Case("noisy Clifford, 12 qubits, 10 layers", (layers(12, 10),), noise=PAULIS),
        Case("damped, 8 qubits, 96 gates", (turning(8, 96),), noise=DAMPING),
        Case("twin of Aria 1, 12 qubits, 180 gates", (turning(12, 180),), noise=aria),
        Case("twin of Aria 1, GHZ, 25 qubits", (ghz(25),), noise=aria),
        Case("the same, 12 qubits, damped", (ghz(12),), noise=relaxing),
        Case("2 qubits, 8 rounds of measure, if, reset", (rounds(8),)),
    ]


def twin(name: str, relaxes_to: Literal["zero", "mixed"] = "mixed") -> NoiseModel:
    """Return a twin's noise; with `relaxes_to="zero"` it contains amplitude damping."""
    (spec,) = (device.spec for device in devices.built_in() if device.name == name)
    calibration = msgspec.structs.replace(devices.calibrations()[name], relaxes_to=relaxes_to)
    return twins.noise(calibration, spec.qubits, spec.native_gates, name)


def measure(seconds: float) -> Iterator[Cost]:
    """Yield what each case costs, as it is known; each figure takes some seconds."""
    qubit.warm_up()
    for case in cases():
        yield _cost(case, seconds)


def _cost(case: Case, seconds: float) -> Cost:
    options = RunOptions(shots=SHOTS, seed=1, outputs=("counts",), noise=case.noise)
    aer_ms = qsim_ms = module_ms = None
    ours_ms = best_ms(lambda: _run(case.circuits, options), seconds)
    if case.aer and peers.HAS_AER:
        aer_ms = best_ms(peers.aer(case.circuits, SHOTS, case.aer, case.noise), seconds)
    if case.is_for_qsim and peers.HAS_QSIM:
        qsim_ms = best_ms(peers.qsim(case.circuits, SHOTS), seconds)
        module_ms = best_ms(peers.qsim_module(case.circuits, SHOTS), seconds)
    return Cost(
        name=case.name,
        engine=_run(case.circuits[:1], options),
        ours_ms=ours_ms,
        aer_ms=aer_ms,
        qsim_ms=qsim_ms,
        module_ms=module_ms,
        is_within=_is_within(case, ours_ms, aer_ms, qsim_ms),
    )


def _is_within(
    case: Case, ours_ms: float, aer_ms: float | None, qsim_ms: float | None
) -> bool | None:
    bars = [_MAX_RATIO * peer_ms for peer_ms in (aer_ms, qsim_ms) if peer_ms is not None]
    if case.max_ms is not None:
        bars.append(case.max_ms)
    if aer_ms is not None and case.min_aer_ratio is not None:
        bars.append(aer_ms / case.min_aer_ratio)
    return ours_ms <= min(bars) if bars else None


def _run(circuits: Sequence[QubitCircuit], options: RunOptions) -> str:
    """Run the circuits of a job and return the engine of the last."""
    outcomes = [qubit.run(circuit, options, part) for part, circuit in enumerate(circuits)]
    return outcomes[-1].engine


if __name__ == "__main__":
    for cost in measure(float(sys.argv[1])):
        sys.stdout.buffer.write(msgspec.json.encode(cost) + b"\n")
        sys.stdout.flush()
        sys.stderr.write(f"{cost.name}: {cost.ours_ms:.3g} ms on {cost.engine}\n")
