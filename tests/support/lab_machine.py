"""A lab's machine for tests: a shot takes a millisecond and returns zeros; runs are logged."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from qwicket.agents import (
    AtomCircuit,
    Counts,
    Failed,
    Gate,
    Memory,
    Outcome,
    Program,
    QubitCircuit,
    Samples,
    Stopped,
)
from qwicket.agents.circuits import Circuit
from qwicket.circuits.noise import GateNoise, NoiseModel, ReadoutError
from qwicket.circuits.options import RunOptions
from qwicket.circuits.qubit import unpack
from qwicket.engines import qubit


def log(program: Program, word: str) -> None:
    """Append a line to the machine's log: one write, so that several machines can share it."""
    line = f"{program.job} {word} {os.getpid()}\n".encode()
    descriptor = os.open(os.environ["LAB_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, line)
    os.close(descriptor)


def entries(folder: Path) -> list[tuple[str, str, int]]:
    """Return job, word and process of each line of a machine's log."""
    path = folder / "lab.log"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(job, word, int(pid)) for job, word, pid in map(str.split, lines)]


def run(program: Program) -> Sequence[Outcome]:
    log(program, "begins")
    program.progress(0.5, "half of it")
    if program.wait(program.shots / 1000):
        log(program, "stops")
        raise Stopped
    log(program, "ends")
    return [_zeros(program, circuit) for circuit in program.circuits]


def _zeros(program: Program, circuit: Circuit) -> Outcome:
    assert isinstance(circuit, QubitCircuit)
    zeros = "0" * circuit.bits
    if "memory" in program.outputs:
        return Memory([zeros] * program.shots)
    return Counts({zeros: program.shots})


def last_bit_set(program: Program) -> Sequence[Outcome]:
    """Return 1 for the lowest bit and 0 for the others, in as many shots as each circuit has."""
    rows = [
        "1".rjust(each.bits, "0") for each in program.circuits if isinstance(each, QubitCircuit)
    ]
    return [Memory([row] * each.shots) for row, each in zip(rows, program.circuits, strict=True)]


def noisy(program: Program) -> Sequence[Outcome]:
    """Run circuits as on a machine whose gates on two qubits and readout err."""
    noise = NoiseModel(
        name="",
        source="",
        readout=ReadoutError(one_for_zero=0.02, zero_for_one=0.08),
        two_qubit=GateNoise(depolarizing=0.02),
    )
    found = []
    for number, circuit in enumerate(unpack(program.packed)):
        options = RunOptions(
            shots=circuit.shots, seed=program.seed, outputs=("counts",), noise=noise
        )
        counts = qubit.run(circuit, options, number).counts()
        found.append(Counts({f"{key:0{circuit.n_clbits}b}": n for key, n in counts.items()}))
    return found


def noisy_for_runtime(program: Program) -> Sequence[Outcome]:
    """Like `noisy`, for a device that returns each shot."""
    found = [each.counts for each in noisy(program) if isinstance(each, Counts)]
    return [Memory([key for key, n in counts.items() for _ in range(n)]) for counts in found]


def loses_one(program: Program) -> Sequence[Outcome]:
    """Like `noisy`, but without the last circuit."""
    return noisy(program)[:-1]


def widens(program: Program) -> Sequence[Outcome]:
    """Like `noisy`, but with a bit too many in the last circuit."""
    *first, last = noisy(program)
    assert isinstance(last, Counts)
    return [*first, Counts({f"0{key}": n for key, n in last.counts.items()})]


def fails_once(program: Program) -> Sequence[Outcome]:
    """Like `noisy`, but the last circuit fails."""
    return [*noisy(program)[:-1], Failed("The trap was empty.", "no_atoms")]


def ignores_stop(program: Program) -> Sequence[Outcome]:
    """Like `run`, but ignore requests to stop."""
    log(program, "begins")
    time.sleep(program.shots / 1000)
    log(program, "ends")
    return [_zeros(program, circuit) for circuit in program.circuits]


def atoms(program: Program) -> Sequence[Outcome]:
    """Return one atom for each measured wire."""
    circuits = [each for each in program.circuits if isinstance(each, AtomCircuit)]
    return [Samples([[1] * len(each.measured)] * each.shots) for each in circuits]


def dies(program: Program) -> Sequence[Outcome]:
    """Abort the process, as a driver that crashes."""
    log(program, "begins")
    os.abort()


def raises(program: Program) -> Sequence[Outcome]:
    raise RuntimeError("the laser at /dev/ttyUSB0 is off")


def lists(program: Program) -> Sequence[Outcome]:
    """Fail with the names of the first circuit's gates, in their order."""
    circuit = program.circuits[0]
    assert isinstance(circuit, QubitCircuit)
    gates = " ".join(each.label for each in circuit.operations if isinstance(each, Gate))
    return [Failed(gates, "listed") for _ in program.circuits]


def refuses(program: Program) -> Sequence[Outcome]:
    return [Failed("The trap was empty.", "no_atoms") for _ in program.circuits]


def misfits(program: Program) -> Sequence[Outcome]:
    return [Counts({"not bits": program.shots})]


def miscounts(program: Program) -> Sequence[Outcome]:
    return [Counts({"00": program.shots + 1})]
