"""Runs Clifford circuits of up to thousands of qubits with Stim."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import stim
from numpy.random import default_rng

from qwicket.circuits.outcomes import (
    COUNTS,
    MAX_OUTCOME_BYTES,
    MEMORY,
    PROBABILITIES,
    SAMPLED_ONLY,
    key_array,
    key_width,
)
from qwicket.engines.qubit.clifford import Stabilizers
from qwicket.engines.qubit.readout_errors import flip, flips
from qwicket.engines.qubit.sampling import check_size
from qwicket.engines.qubit.support import support
from qwicket.engines.qubit.tally import Rows, arrays, split
from qwicket.engines.qubit.tasks import EngineResult, Task

_CHUNK_BYTES: Final = 1 << 25
_MIN_SHOTS: Final = 1_024
"""Fewest shots of a chunk, except of the last one."""


class StimEngine:
    """Samples one circuit.

    Args:
        plan: The circuit.
        chunk_bytes: Size of the shots that are drawn at once, at one byte per bit and record.
        max_outcome_bytes: Limit on all arrays of an `Outcome` together; see `check_size`.
    """

    name: Final = "stim"
    version: Final[str] = f"1 (stim {stim.__version__}, numpy {np.__version__})"

    def __init__(
        self,
        plan: Stabilizers,
        *,
        chunk_bytes: int = _CHUNK_BYTES,
        max_outcome_bytes: int = MAX_OUTCOME_BYTES,
    ) -> None:
        self._plan = plan
        self._chunk_bytes = chunk_bytes
        self._max_outcome_bytes = max_outcome_bytes

    def run(self, task: Task) -> EngineResult:
        outputs, p = set(task.outputs), None
        notes: tuple[str, ...] = ()
        if PROBABILITIES in outputs:
            p = self._probabilities(task)
            if p is None:
                outputs.add(COUNTS)
                notes = (SAMPLED_ONLY,)
        n_bits = task.program.n_bits
        if MEMORY in outputs:
            check_size(task.shots, n_bits, max_bytes=self._max_outcome_bytes)
        counts: Counter[bytes] = Counter()
        parts = []
        for rows in self._rows(task) if outputs & {COUNTS, MEMORY} else ():
            if COUNTS in outputs:
                counts.update(split(rows))
                check_size(len(counts), n_bits, max_bytes=self._max_outcome_bytes)
            if MEMORY in outputs:
                parts.append(rows.tobytes())
        made = arrays(counts, p, n_bits, outputs)
        if MEMORY in outputs:
            made[MEMORY] = key_array(b"".join(parts), n_bits)
        return EngineResult(made, notes)

    def _rows(self, task: Task) -> Iterator[Rows]:
        """Draw all shots, in order, as packed keys."""
        stim_seed, flip_seed = task.seed.generate_state(2, np.uint64).tolist()
        sampler = stim.Circuit(self._plan.text).compile_sampler(seed=stim_seed)
        rng = default_rng(flip_seed)
        found = (
            [] if task.noise is None else flips(task.program, self._plan.measurements, task.noise)
        )
        n_bits, n_records = task.program.n_bits, self._plan.n_records
        chunk = max(_MIN_SHOTS, self._chunk_bytes // (n_bits + n_records + 1))
        for start in range(0, task.shots, chunk):
            shots = min(chunk, task.shots - start)
            rows = self._gathered(sampler.sample(shots, bit_packed=True), n_bits)
            flip(rows, found, rng)
            yield rows

    def _gathered(self, records: Rows, n_bits: int) -> Rows:
        """Return packed keys, in which each classical bit has the value of its record."""
        record_of = self._plan.record_of
        if n_bits == len(record_of) == self._plan.n_records and self._is_plain():
            return records
        bits = np.zeros((len(records), 8 * key_width(n_bits)), dtype=np.uint8)
        shown = np.array(list(record_of.values()), dtype=np.int64)
        found = records[:, shown >> 3] >> (shown & 7).astype(np.uint8)
        bits[:, list(record_of)] = found & 1
        return np.packbits(bits, axis=1, bitorder="little")

    def _is_plain(self) -> bool:
        return all(bit == record for bit, record in self._plan.record_of.items())

    def _probabilities(self, task: Task) -> Mapping[bytes, float] | None:
        """Return exact probabilities, or None where they are not known or too many."""
        if task.noise is not None or not task.program.is_straight:
            return None
        n_bits = task.program.n_bits
        keys = support(self._plan, n_bits, task.max_outcomes)
        if keys is None:
            return None
        width = key_width(n_bits)
        return {key.to_bytes(width, "little"): 1 / len(keys) for key in keys}
