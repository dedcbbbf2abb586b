"""Equal seeds give equal bits, however jobs are batched and however many workers run them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing

import msgspec
import pytest

from qwicket.circuits.noise import GateNoise, NoiseModel, ReadoutError
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import Encoded, decode
from qwicket.circuits.qubit import Gate, Measure, Op, pack
from qwicket.compute import Pool
from support import qubit_math
from support.pools import WORKER_PATH

pytestmark = pytest.mark.promise

Job = tuple[str, bytes, bytes]
LIMIT_S = 120.0
GATES = qubit_math.scrambling(4)
SPLIT: list[Op] = [*GATES, Measure(0, 0), Gate("x", (1,), (), (0,)), Gate("h", (2,))]
CIRCUITS = (
    qubit_math.measured(4, GATES),
    qubit_math.measured(4, SPLIT),
    qubit_math.measured(12, qubit_math.scrambling(12)),
    qubit_math.measured(14, [Gate("h", (q,)) for q in range(14)]),
)
PAULIS = GateNoise(depolarizing=0.1, phase_damping=0.1)
DAMPED = GateNoise(depolarizing=0.1, amplitude_damping=0.1)


def jobs() -> Iterator[Job]:
    """Every plan, in jobs of one circuit and of several."""
    for seed, kind in enumerate((None, PAULIS, DAMPED)):
        noise = None
        if kind is not None:
            readout = ReadoutError(one_for_zero=0.1)
            noise = NoiseModel(name="", source="", one_qubit=kind, readout=readout)
        options = RunOptions(shots=40, seed=seed, outputs=("counts", "memory"), noise=noise)
        for circuits in ((CIRCUITS[0],), (CIRCUITS[1],), CIRCUITS):
            yield "qubit", pack(circuits), msgspec.msgpack.encode(options)


_Ran = list[tuple[list[tuple[bytes, bytes]], float]]
"""What an engine gives as it travels: each job's bodies with their digests, and seconds."""


def drawn(parts: list[tuple[bytes, bytes]]) -> list[object]:
    """Return all of a job's outcomes but the time that they took."""
    return [decode(Encoded(body, digest)).arrays for body, digest in parts]


def run(slots: int, batches: list[list[Job]]) -> list[list[object]]:
    """Run batches on so many workers and return what each job drew, in their order."""
    with closing(Pool(slots)) as pool:
        tasks = [
            pool.submit("qwicket.engines:run_jobs", batch, timeout_s=LIMIT_S, returns=_Ran)
            for batch in batches
        ]
        found = [msgspec.convert(task.future.result(LIMIT_S), _Ran) for task in tasks]
    return [drawn(parts) for jobs in found for parts, _ in jobs]


def test_batches_order_and_workers_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", WORKER_PATH)
    given = list(jobs())
    alone = run(1, [[job] for job in given])
    assert len({repr(each) for each in alone}) == len(given), "no two jobs draw the same"
    for slots, size, shuffle in ((1, len(given), 1), (3, 2, 2)):
        order = random.Random(shuffle).sample(range(len(given)), len(given))
        shuffled = [given[k] for k in order]
        batches = [shuffled[start : start + size] for start in range(0, len(order), size)]
        assert run(slots, batches) == [alone[k] for k in order], (slots, size)
