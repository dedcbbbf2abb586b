"""The cost of one shot of photon counting, beside its bar and the cost on piquasso.

Times are CPU times on one thread, from a circuit to its counts. The bars are one and a half times
the time of the same methods in plain NumPy when they were chosen. Prints one JSON object per line;
`make bench` runs this with the peers' interpreter, and shows a table.
piquasso is not exact: it truncates counts, here at 8.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from typing import Final

os.environ.setdefault("OMP_NUM_THREADS", "1")  # as in a worker; read when NumPy is imported
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import best_ms
from qwicket.circuits.options import RunOptions
from qwicket.circuits.photonic import Gate, Measure, Op, PhotonicCircuit
from qwicket.engines.failures import CannotRun
from qwicket.vendors.xanadu import engine as photonic

HAS_PIQUASSO: Final = find_spec("piquasso") is not None
_SLACK: Final = 1.5
_CUTOFF: Final = 8


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured.

    Attributes:
        name: Name in the table.
        r: Squeezing of each gate.
        n_modes: Modes; None is X8, two halves of four under the same unitary.
        shots: Shots of one run.
        numpy_ms: Time of plain NumPy for one shot, in milliseconds.
        loss: Part of the light that is lost on every mode.
        kind: Measurement: `fock` or `threshold`.
        is_bright: Whether 1 % of the shots or more need more than the limit `amplitudes`. Each shot
            is then a job of its own, and refused ones count until their refusal. Seeds do not tell
            which shots these are: counts also depend on the last bits of LAPACK, so on the CPU.
    """

    name: str
    r: float
    n_modes: int | None = None
    shots: int
    numpy_ms: float
    loss: float = 0.0
    kind: str = "fock"
    is_bright: bool = False


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds of one shot; what was not measured is None."""

    name: str
    ours_ms: float
    bar_ms: float
    piquasso_ms: float | None

    @property
    def is_within(self) -> bool:
        return self.ours_ms <= self.bar_ms


CASES: Final = (
    Case(name="X8, r = 1", r=1.0, shots=1_000, numpy_ms=0.20),
    Case(name="X8, r = 0.4", r=0.4, shots=1_000, numpy_ms=0.25),
    Case(name="8 modes, r = 0.88", r=0.88, n_modes=8, shots=100, numpy_ms=5),
    Case(name="12 modes, r = 0.5", r=0.5, n_modes=12, shots=300, numpy_ms=1.4),
    Case(name="20 modes, r = 0.3", r=0.3, n_modes=20, shots=300, numpy_ms=1.4),
    Case(name="20 modes, r = 0.5", r=0.5, n_modes=20, shots=100, numpy_ms=4.2),
    Case(name="20 modes, r = 0.7", r=0.7, n_modes=20, shots=40, numpy_ms=74, is_bright=True),
    Case(name="20 modes, r = 0.88", r=0.88, n_modes=20, shots=20, numpy_ms=480, is_bright=True),
    Case(name="X8, r = 1, 10 % lost", r=1.0, shots=300, numpy_ms=1.6, loss=0.1),
    Case(name="X8, r = 1, 50 % lost", r=1.0, shots=300, numpy_ms=1.0, loss=0.5),
    Case(name="X8, r = 1.5", r=1.5, shots=1_000, numpy_ms=1.1),
    Case(name="X8, r = 1.5, 50 % lost", r=1.5, shots=100, numpy_ms=4.3, loss=0.5),
    Case(name="X8, r = 1, clicks", r=1.0, shots=1_000, numpy_ms=0.20, kind="threshold"),
)


def measure(seconds: float) -> Iterator[Cost]:
    """Yield what each case costs, as it is known; each figure takes some seconds."""
    photonic.warm_up()
    for case in CASES:
        yield Cost(
            name=case.name,
            ours_ms=best_ms(_ours(case), seconds) / case.shots,
            bar_ms=_SLACK * case.numpy_ms,
            piquasso_ms=_piquasso_ms(case, 3 * seconds) if HAS_PIQUASSO and not case.loss else None,
        )


def _unitary(n: int) -> NDArray[np.complex128]:
    rng = np.random.default_rng(n)
    matrix = rng.standard_normal((n, n)) + 1j * rng.standard_normal((n, n))
    return np.linalg.qr(matrix)[0]


def _gates(case: Case) -> list[Gate]:
    if case.n_modes is not None:
        modes = tuple(range(case.n_modes))
        gates = [Gate("Sgate", (mode,), (case.r, 0.0)) for mode in modes]
        gates.append(_interferometer(_unitary(case.n_modes), modes))
    else:
        modes = tuple(range(8))
        gates = [Gate("S2gate", (mode, mode + 4), (case.r, 0.0)) for mode in modes[:4]]
        gates += [_interferometer(_unitary(4), half) for half in (modes[:4], modes[4:])]
    if case.loss:
        gates += [Gate("LossChannel", (mode,), (1 - case.loss,)) for mode in modes]
    return gates


def _interferometer(matrix: NDArray[np.complex128], modes: tuple[int, ...]) -> Gate:
    return Gate("Interferometer", modes, tuple(matrix.ravel().view(float).tolist()))


def _ours(case: Case) -> Callable[[], object]:
    n = case.n_modes or 8
    ops: list[Op] = [*_gates(case), Measure("fock", tuple(range(n)))]
    if case.kind == "threshold":
        ops[-1] = Measure("threshold", tuple(range(n)))
    circuit = PhotonicCircuit(n, tuple(ops))
    options = RunOptions(shots=case.shots, seed=1, outputs=("samples",))
    if not case.is_bright:
        return lambda: photonic.run(circuit, options, 0)
    one = msgspec.structs.replace(options, shots=1)

    def each() -> None:
        for number in range(case.shots):
            with suppress(CannotRun):
                photonic.run(circuit, one, number)

    return each


def _piquasso_ms(case: Case, seconds: float) -> float:
    import piquasso as pq

    n = case.n_modes or 8
    counts = pq.ThresholdMeasurement if case.kind == "threshold" else pq.ParticleNumberMeasurement
    with pq.Program() as program:
        pq.Q() | pq.Vacuum()
        for gate in _gates(case):
            if gate.name == "Interferometer":
                size = len(gate.modes)
                matrix = np.array(gate.params).view(complex).reshape(size, size)
                pq.Q(*gate.modes) | pq.Interferometer(matrix)
            else:
                squeezing = pq.Squeezing if gate.name == "Sgate" else pq.Squeezing2
                pq.Q(*gate.modes) | squeezing(case.r)
        pq.Q(*range(n)) | counts()
    config = pq.Config(measurement_cutoff=_CUTOFF, seed_sequence=1)
    simulator = pq.GaussianSimulator(d=n, config=config)
    simulator.execute(program, shots=1)  # compiles
    return _mean_shot_ms(lambda: simulator.execute(program, shots=case.shots), case.shots, seconds)


def _mean_shot_ms(run: Callable[[], object], shots: int, seconds: float) -> float:
    """Return the mean CPU time of a shot: peers draw other shots each time, of unequal cost."""
    began, rounds = time.process_time(), 0
    while time.process_time() - began < seconds:
        run()
        rounds += 1
    return 1_000 * (time.process_time() - began) / (rounds * shots)


if __name__ == "__main__":
    for cost in measure(float(sys.argv[1])):
        sys.stdout.buffer.write(msgspec.json.encode(cost) + b"\n")
        sys.stdout.flush()
        sys.stderr.write(f"{cost.name}: {cost.ours_ms:.3g} ms a shot\n")
