"""Runs one circuit of cold atoms: exact probabilities first, then one draw of all shots."""

from __future__ import annotations

from math import prod
from time import perf_counter
from typing import Final

import numpy as np
from msgspec import structs
from numpy.random import SeedSequence, default_rng
from numpy.typing import NDArray

from qwicket.circuits.atoms import AtomCircuit
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import SAMPLES, Outcome, sample_array
from qwicket.engines.atoms import fermions, spins

_SEEDS: Final = 1 << 64
"""Seeds of circuits are reduced modulo this: they may be negative, but NumPy takes no such seed."""
_VERSION: Final = f"1 (numpy {np.__version__})"


def run(circuit: AtomCircuit, options: RunOptions, part: int) -> Outcome:
    """Run one circuit; arguments as for `engines.atoms.run`."""
    started = perf_counter()
    seed = SeedSequence(options.seed, spawn_key=(part,))
    if circuit.seed is not None:
        seed = SeedSequence(circuit.seed % _SEEDS)
    circuit = structs.replace(circuit, shots=circuit.shots or options.shots)
    shots = samples(circuit, seed)
    return Outcome(
        registers=(),
        arrays={SAMPLES: sample_array(shots.tobytes(), *shots.shape)},
        engine=circuit.kind,
        engine_version=_VERSION,
        seed=options.seed if circuit.seed is None else circuit.seed,
        seconds=perf_counter() - started,
    )


def probabilities(circuit: AtomCircuit) -> NDArray[np.float64]:
    """Return the exact probability of each joint level, shaped as `circuit.shape`.

    Raises:
        CannotRun: The circuit loads an atom onto an occupied site.
    """
    state = fermions.evolve(circuit) if circuit.kind == "fermions" else spins.evolve(circuit)
    p: NDArray[np.float64] = state.real**2 + state.imag**2
    p /= p.sum()
    return p


def samples(circuit: AtomCircuit, seed: SeedSequence) -> NDArray[np.int16]:
    """Draw all shots; each row has the levels of the measured wires in one shot."""
    p = probabilities(circuit)
    cumulative = np.cumsum(p)
    # Random numbers are at most 1 - 2^-53, so their products with the total are below the total.
    drawn = default_rng(seed).random(circuit.shots) * cumulative[-1]
    found = np.searchsorted(cumulative, drawn, side="right")
    shots = np.empty((circuit.shots, len(circuit.measured)), dtype="<i2")
    for column, wire in enumerate(circuit.measured):
        shots[:, column] = found // prod(p.shape[wire + 1 :]) % p.shape[wire]
    return shots
