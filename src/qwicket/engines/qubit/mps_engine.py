"""Runs wide circuits with little entanglement as matrix product states, with Qiskit Aer.

Qubits stay in the order of their numbers: if Aer moved them, the bounds of `circuits/bonds.py`
would not hold. The import of Aer takes 1 s and 100 MB, so only a worker with such a job does it.
"""

from __future__ import annotations

import os
from collections import Counter
from importlib.metadata import version
from typing import Any, Final

import numpy as np
from numpy.random import SeedSequence, default_rng
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator

from qwicket.circuits.bonds import bonds, neighbourly
from qwicket.circuits.outcomes import COUNTS, MEMORY, PROBABILITIES, SAMPLED_ONLY, key_width
from qwicket.circuits.qubit import Gate
from qwicket.engines.failures import CannotRun
from qwicket.engines.qubit import tally
from qwicket.engines.qubit.cost import mps_bytes
from qwicket.engines.qubit.gates import dense
from qwicket.engines.qubit.names import MAX_BOND_BITS, MPS
from qwicket.engines.qubit.program import Program
from qwicket.engines.qubit.sampling import MeasuredBits
from qwicket.engines.qubit.tasks import EngineResult, Task

_SPARE_BYTES: Final = 64 << 20
"""Memory that must be free beside the state's."""

_NAMED: Final = frozenset(
    {
        *((name, 0) for name in ("x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg")),
        *((name, 0) for name in ("rx", "ry", "rz", "p", "u", "swap", "rxx", "ryy", "rzz")),
        *((name, 1) for name in ("x", "y", "z", "p")),
    }
)
"""Gates, with their number of controls, that Qiskit defines as the flat form does."""


class ProductStateEngine:
    """Draws shots of circuits that measure at their end."""

    name: Final = MPS
    version: Final = (
        f"1 (qiskit-aer {version('qiskit-aer')}, qiskit {version('qiskit')},"
        f" numpy {np.__version__})"
    )

    def run(self, task: Task) -> EngineResult:
        """Run one circuit; exact probabilities are never known.

        Raises:
            CannotRun: Noise, mid-circuit measurements, or bonds that may be too large.
            MemoryError: The state does not fit into memory.
        """
        program = task.program
        if task.noise is not None or not program.is_straight:
            raise CannotRun("unsupported", f"{MPS} runs ideal circuits, measured at the end")
        bits = bonds(program.ops).bits
        if bits > MAX_BOND_BITS:
            text = f"the circuit may need a bond dimension above {1 << MAX_BOND_BITS}"
            raise CannotRun("unsupported", f"{MPS}: {text}")
        # Aer crashes if it cannot allocate memory, so this raises MemoryError first.
        np.empty(_SPARE_BYTES + mps_bytes(program.n_qubits, bits), dtype=np.uint8)
        reads, outputs = program.reads(), set(task.outputs)
        notes: tuple[str, ...] = ()
        if PROBABILITIES in outputs:
            outputs.add(COUNTS)
            notes = (SAMPLED_ONLY,)
        drawn = _drawn(program, reads, task.shots, task.seed) if reads.qubits else {0: task.shots}
        counts = Counter({_key(value, reads): shots for value, shots in drawn.items()})
        made = tally.arrays(counts, None, reads.n_bits, outputs)
        if MEMORY in outputs:
            made[MEMORY] = tally.memory(counts, reads.n_bits, default_rng(task.seed))
        return EngineResult(made, notes)


def _drawn(program: Program, reads: MeasuredBits, shots: int, seed: SeedSequence) -> dict[int, int]:
    """Return shots by index over the qubits that are read: bit i is reads.qubits[i]."""
    simulator = AerSimulator(
        method="matrix_product_state",
        mps_sample_measure_algorithm="mps_probabilities",  # shares work among shots
        max_parallel_threads=int(os.environ.get("OMP_NUM_THREADS") or 0),
    )
    circuit = QuantumCircuit(program.n_qubits, len(reads.qubits))
    for op in program.ops:
        if isinstance(op, Gate):
            for gate in neighbourly(op):
                _add(gate, circuit)
    circuit.measure(reads.qubits, range(len(reads.qubits)))
    seed_simulator = int(seed.generate_state(1)[0])
    result = simulator.run(circuit, shots=shots, seed_simulator=seed_simulator).result()
    if not result.success:
        reason = f"{result.status} {result.results[0].status if result.results else ''}"
        if "memory" in reason.lower() or "bad_alloc" in reason:
            raise MemoryError
        raise RuntimeError(f"Aer: {reason}")
    found = result.results[0].data.counts
    return {int(value, 16): n for value, n in found.items()}


def _add(gate: Gate, circuit: Any) -> None:
    n_controls = len(gate.controls)
    if (gate.name, n_controls) in _NAMED:
        add = getattr(circuit, "c" * n_controls + gate.name)
        add(*gate.params, *gate.controls, *gate.targets)
    elif gate.controls or gate.name not in ("gphase", "id"):
        unitary, qubits = dense(gate)
        circuit.unitary(unitary, qubits[::-1])  # Qiskit's first is the least significant


def _key(value: int, reads: MeasuredBits) -> bytes:
    if not reads.is_plain:
        value = sum((value >> index & 1) << bit for bit, index in reads.bits)
    return value.to_bytes(key_width(reads.n_bits), "little")
