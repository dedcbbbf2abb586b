"""Symmetrised runs: many variants of one circuit that differ only where a device is imperfect.

After Maksymov, Nguyen, Nam and Markov, "Enhancing quantum computer performance via symmetrization",
arXiv:2301.07233, also called debiasing. Two symmetries are used:

- the roles of |0⟩ and |1⟩ are exchanged on some qubits right before they are read, and the record
  is flipped back. The last pulse on an ion can include the exchange, so no gate is added. The only
  effect is that the two readout errors of the qubit change places;
- the circuit is mapped to other qubits, if all pairs are connected.

Both change only the noise: a variant is the same circuit under another noise model, and results of
an ideal device do not change. Variants come in pairs that exchange complementary qubits, so each
qubit is exchanged in exactly half of the variants, and their mean has no readout bias.

Averaging adds the counts of all variants. Sharpening is a plurality vote: each variant votes for
its most frequent outcome; several with equal counts share its vote.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.random import Generator, default_rng

from qwicket.circuits.noise import NoiseModel, ReadoutError
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import (
    COUNTS,
    MEMORY,
    PROBABILITIES,
    SAMPLED_ONLY,
    SHARPENED,
    float64_array,
    key_width,
)
from qwicket.engines.qubit import tally
from qwicket.engines.qubit.noise import Noise
from qwicket.engines.qubit.tasks import Engine, EngineResult, Task

_DRAWN: Final = (COUNTS,)


def run(
    choose: Callable[[Task], Engine],
    task: Task,
    n_qubits: int,
    model: NoiseModel,
    options: RunOptions,
) -> EngineResult:
    """Run a noisy task as variants that share its shots.

    Args:
        choose: Returns the engine for a variant.
        task: The circuit under the noise of the device.
        n_qubits: Qubits of the circuit before idle ones were dropped.
        model: Noise of the device.
        options: Number of variants, and number of equivalent qubits of the device.
    """
    seeds = task.seed.spawn(options.variants + 1)
    rng = default_rng(seeds.pop())
    models = variants(model, n_qubits, options, rng)
    votes = []
    for each, seed, shots in zip(models, seeds, _split(task.shots, options.variants), strict=True):
        if shots:
            noise = Noise(each, task.program)
            variant = task._replace(noise=noise, seed=seed, shots=shots, outputs=_DRAWN)
            votes.append(_counts(choose(variant).run(variant), key_width(task.program.n_bits)))
    return _aggregated(votes, task, rng)


def variants(
    model: NoiseModel, n_qubits: int, options: RunOptions, rng: Generator
) -> Iterator[NoiseModel]:
    """Yield the noise of each variant, with qubits numbered as in the circuit."""
    for number in range(options.variants):
        if number % 2 == 0:
            exchanged = rng.integers(0, 2, n_qubits).astype(bool)
            qubits = max(n_qubits, options.alike)
            device_qubits = rng.permutation(qubits) if options.alike else np.arange(qubits)
        else:
            exchanged = ~exchanged
        yield _exchanged(_moved(model, device_qubits.tolist()), exchanged.tolist())


def _exchanged(model: NoiseModel, exchanged: Sequence[bool]) -> NoiseModel:
    """Return a model in which the readout errors of some qubits have changed places."""
    readout_of = dict(model.readout_of)
    for qubit, is_exchanged in enumerate(exchanged):
        if is_exchanged:
            error = model.readout_of.get(qubit, model.readout)
            readout_of[qubit] = ReadoutError(
                one_for_zero=error.zero_for_one, zero_for_one=error.one_for_zero
            )
    return msgspec.structs.replace(model, readout_of=readout_of)


def _moved(model: NoiseModel, device_qubits: Sequence[int]) -> NoiseModel:
    """Return the noise for a circuit whose qubit q is the device's qubit device_qubits[q]."""
    circuit_qubit_of = {device_qubit: qubit for qubit, device_qubit in enumerate(device_qubits)}
    return msgspec.structs.replace(
        model,
        sites=tuple(
            msgspec.structs.replace(
                site, qubits=tuple(circuit_qubit_of.get(q, q) for q in site.qubits)
            )
            for site in model.sites
        ),
        relaxation_of={circuit_qubit_of.get(q, q): each for q, each in model.relaxation_of.items()},
        readout_of={circuit_qubit_of.get(q, q): each for q, each in model.readout_of.items()},
    )


def _split(shots: int, parts: int) -> list[int]:
    return [shots // parts + (part < shots % parts) for part in range(parts)]


def _counts(result: EngineResult, width: int) -> dict[bytes, int]:
    rows = tally.split(np.frombuffer(result.arrays["keys"].data, np.uint8).reshape(-1, width))
    numbers = np.frombuffer(result.arrays[COUNTS].data, dtype="<i8").tolist()
    return {key: n for key, n in zip(rows, numbers, strict=True) if n}


def _aggregated(votes: Sequence[Mapping[bytes, int]], task: Task, rng: Generator) -> EngineResult:
    counts: Counter[bytes] = Counter()
    for vote in votes:
        counts.update(vote)
    n_bits = task.program.n_bits
    shares = plurality(votes)
    arrays = tally.arrays(counts, None, n_bits, {*task.outputs, COUNTS})
    rows = np.frombuffer(arrays["keys"].data, np.uint8).reshape(-1, key_width(n_bits))
    found = np.array([shares.get(key, 0.0) for key in tally.split(rows)], dtype="<f8")
    arrays[SHARPENED] = float64_array(found.tobytes())
    if MEMORY in task.outputs:
        arrays[MEMORY] = tally.memory(counts, n_bits, rng)
    return EngineResult(arrays, (SAMPLED_ONLY,) if PROBABILITIES in task.outputs else ())


def plurality(votes: Sequence[Mapping[bytes, int]]) -> dict[bytes, float]:
    """Return the share of each outcome when each variant votes for its most frequent ones."""
    shares: dict[bytes, float] = {}
    for vote in votes:
        maximum = max(vote.values())
        first = [key for key, n in vote.items() if n == maximum]
        for key in first:
            shares[key] = shares.get(key, 0.0) + 1 / (len(first) * len(votes))
    return shares
