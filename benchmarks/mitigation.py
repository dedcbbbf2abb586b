"""Errors of ⟨Z…Z⟩ on twins by resilience level, for 20 circuits: `python -m benchmarks.mitigation`.

The circuits are steps of an Ising chain in time, with random angles. Each is run as on a server,
with the settings of IBM's levels for 4,096 shots, and compared with its exact value. Seeds are
fixed, so the figures are always the same; only times depend on the machine.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from qwicket import devices
from qwicket.circuits import twins
from qwicket.circuits.mitigation.runs import n_runs_of
from qwicket.circuits.noise import NoiseModel
from qwicket.circuits.options import RunOptions
from qwicket.circuits.qubit import Estimation, Gate, Mitigation, Pauli, QubitCircuit
from qwicket.engines import qubit

TWINS: Final = {
    "qwicket_line5": (0, 1, 2, 3, 4),
    "qwicket_heavyhex27": (0, 1, 4, 7, 10),
}
"""Twins, with connected qubits of each."""
_SHOTS: Final = 4096
_READOUT: Final = Mitigation(32, 32, _SHOTS // 32)
LEVELS: Final = {
    0: None,
    1: _READOUT,
    2: Mitigation(32, 32, _SHOTS // 32, (1.0, 3.0, 5.0), "random", ("exponential", "linear")),
}
"""Mitigation of each resilience level."""


class Errors(NamedTuple):
    """Mean absolute errors over circuits.

    Attributes:
        mean: Mean error.
        mean_std: Mean standard error, as the estimates state it.
        runs: Circuits that were run in place of one.
        seconds: Time of all circuits.
    """

    mean: float
    mean_std: float
    runs: int
    seconds: float


def noise_of(name: str) -> NoiseModel:
    """Return the noise of a built-in twin."""
    (spec,) = [device.spec for device in devices.built_in() if device.name == name]
    return twins.noise(devices.calibrations()[name], spec.qubits, spec.native_gates, name)


def circuit(qubits: Sequence[int], n_steps: int, rng: np.random.Generator) -> tuple[Gate, ...]:
    """Return steps of an Ising chain in time, with angles that differ between bonds and fields."""
    ops = []
    for _ in range(n_steps):
        for first, second in pairwise(qubits):
            ops += [
                Gate("x", (second,), (), (first,)),
                Gate("rz", (second,), (rng.uniform(0.1, 0.5),)),
                Gate("x", (second,), (), (first,)),
            ]
        for each in qubits:
            # RX(θ) in the gates of the twins, up to a phase
            ops += [
                *[Gate("rz", (each,), (np.pi / 2,)), Gate("sx", (each,))],
                *[Gate("rz", (each,), (rng.uniform(0.05, 0.3) + np.pi,)), Gate("sx", (each,))],
                Gate("rz", (each,), (5 * np.pi / 2,)),
            ]
    return tuple(ops)


def errors(
    name: str, mitigation: Mitigation | None, n_circuits: int, *, n_steps: int = 2, seed: int = 7
) -> Errors:
    """Return the mean errors of the product of Z on a twin's qubits.

    Args:
        name: One of `TWINS`.
        mitigation: Error mitigation, if any.
        n_circuits: Number of circuits.
        n_steps: Steps in time of each.
        seed: Of the circuits and of the shots.
    """
    noise, qubits = noise_of(name), TWINS[name]
    rng = np.random.default_rng(seed)
    word = Pauli("Z" * len(qubits), tuple(sorted(qubits)))
    shots = mitigation.calibration_shots if mitigation else _SHOTS
    asked = Estimation((word,), ((0,),), (((0, 1.0),),), False, mitigation)
    exactly = Estimation((word,), ((0,),), (((0, 1.0),),), True)
    ideal = RunOptions(shots=1, seed=seed, outputs=("probabilities",))
    noisy = RunOptions(shots=shots, seed=seed, outputs=("counts",), noise=noise)
    started = time.perf_counter()
    found, stds = [], []
    for number in range(n_circuits):
        made = QubitCircuit(max(qubits) + 1, circuit(qubits, n_steps, rng), (), shots)
        (exact,) = qubit.run(_with(made, exactly), ideal, number).evs()
        outcome = qubit.run(_with(made, asked), noisy, number)
        found.append(abs(outcome.evs()[0] - exact))
        stds += outcome.stds()
    seconds = time.perf_counter() - started
    return Errors(float(np.mean(found)), float(np.mean(stds)), n_runs_of(asked), seconds)


def _with(made: QubitCircuit, estimation: Estimation) -> QubitCircuit:
    return QubitCircuit(made.n_qubits, made.ops, (), made.shots, estimation)


def main() -> None:
    print("| twin | level | mean error | mean standard error | circuits run | seconds each |")
    print("|---|---|---|---|---|---|")
    n_circuits = 20
    for name in TWINS:
        for level, mitigation in LEVELS.items():
            found = errors(name, mitigation, n_circuits)
            print(
                f"| `{name}` | {level} | {found.mean:.4f} | {found.mean_std:.4f} | {found.runs} |"
                f" {found.seconds / n_circuits:.2f} |"
            )


if __name__ == "__main__":
    main()
