"""A lab's side of a device, whose "machine" is one of the simulators that come with Qwicket.

qwicket agent --device lab5 --run machine:run
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from qwicket import engines
from qwicket.agents import Counts, Failed, Memory, Outcome, Program, Stopped
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import decode
from qwicket.model.failures import Failure


def run(program: Program) -> list[Outcome]:
    """Run every circuit, report progress, and stop between two circuits on request."""
    outcomes: list[Outcome] = []
    for number, outcome in enumerate(measure(program)):
        if program.stop_requested:
            raise Stopped
        outcomes.append(outcome)
        program.progress((number + 1) / len(program.circuits), f"circuit {number + 1} is done")
    return outcomes


def measure(program: Program) -> Iterator[Outcome]:
    """Yield what each circuit gives: here a lab would talk to its machine."""
    options = RunOptions(shots=program.shots, seed=program.seed, outputs=("counts", "memory"))
    packed = msgspec.msgpack.encode(options)
    for part in engines.run(program.family, program.packed, packed):
        if isinstance(part, Failure):
            yield Failed(part.message, part.code)
            continue
        found = decode(part)
        if "memory" in program.outputs:
            yield Memory([bits(key, found.n_bits) for key in found.memory()])
        else:
            yield Counts(texts(found.counts(), found.n_bits))


def texts(counts: Mapping[int, int], n_bits: int) -> dict[str, int]:
    return {bits(key, n_bits): n for key, n in counts.items()}


def bits(key: int, n_bits: int) -> str:
    """Return a key as a text, the highest classical bit first."""
    return format(key, f"0{n_bits}b") if n_bits else ""
