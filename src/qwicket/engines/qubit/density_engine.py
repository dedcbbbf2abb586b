"""Draws shots of narrow noisy circuits from exact probabilities."""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np
from numpy.random import default_rng

from qwicket.engines.failures import CannotRun
from qwicket.engines.qubit import sampling
from qwicket.engines.qubit.cost import suits_density
from qwicket.engines.qubit.density import probabilities
from qwicket.engines.qubit.readout_errors import flips, misread
from qwicket.engines.qubit.tally import result_of, split
from qwicket.engines.qubit.tasks import EngineResult, Task


class DensityEngine:
    """Runs circuits that measure at their end, with any noise of a model."""

    name: Final = "density"
    version: Final = f"1 (numpy {np.__version__})"

    def run(self, task: Task) -> EngineResult:
        """Run one circuit.

        Raises:
            CannotRun: The circuit is to run without noise, or has mid-circuit measurements.
        """
        program, noise = task.program, task.noise
        if noise is None or not program.is_straight:
            raise CannotRun(
                "unsupported", "this engine runs noise, on circuits measured at the end"
            )
        rng, reads = default_rng(task.seed), program.reads()
        p = probabilities(program, noise, reads.qubits)
        drawn = sampling.draw(p / p.sum(), task.shots, rng, ordered=False)
        keys = split(sampling.pack_bits(drawn.indices, reads))
        counts = Counter(dict(zip(keys, drawn.counts.tolist(), strict=True)))
        if wrong := flips(program, program.measurements, noise):
            counts = misread(counts, wrong, program.n_bits, rng)
        return result_of(counts, None, program.n_bits, task.outputs, rng)


def suits(task: Task) -> bool:
    """Return whether this engine can run a task, faster than one pattern of errors at a time."""
    program, noise = task.program, task.noise
    if noise is None or not program.is_straight:
        return False
    gates = program.gates()
    widths = [len(gate.targets) + len(gate.controls) for gate in gates]
    n_joint = sum([width > 1 for width in widths])
    events = sum([noise.of_gate(gate).events for gate in gates])
    widest = max(widths, default=0)
    return suits_density(program.n_qubits, len(gates), n_joint, widest, task.shots, events)
