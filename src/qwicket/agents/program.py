"""Argument and results of a lab's function: a program, and one outcome per circuit.

def run(program: Program) -> Sequence[Outcome]:
    return [Counts(machine.run(circuit, program.shots)) for circuit in program.circuits]
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from qwicket.agents.circuits import Circuit

Number = int | float | complex


class Stopped(Exception):
    """Raised by a lab's function to stop on request."""


@dataclass(frozen=True)
class Counts:
    """Number of shots with each result.

    Attributes:
        counts: Shots by bit string, with one character for each classical bit of the circuit, the
            highest bit first.
    """

    counts: Mapping[str, int]


@dataclass(frozen=True)
class Memory:
    """Result of each shot, in shot order.

    Attributes:
        shots: One bit string per shot, in the form of the keys of `Counts`.
    """

    shots: Sequence[str]


@dataclass(frozen=True)
class Samples:
    """Result of each shot of cold atoms or photons.

    Attributes:
        shots: Per shot one number per measured wire or mode, in program order: integers for atoms
            and photons; for quadratures with ħ = 2 real numbers x (homodyne) or complex ones
            (x + ip)/2 (heterodyne).
    """

    shots: Sequence[Sequence[Number]]


@dataclass(frozen=True)
class Failed:
    """Outcome of a failed circuit. Users see it, so it must not contain paths or tracebacks.

    Attributes:
        message: Sentence for the user.
        code: A stable code of a-z, 0-9 and "_".
    """

    message: str
    code: str = "device_failed"


Outcome = Counts | Memory | Samples | Failed


def _ignore_progress(_done: float, _text: str) -> None:
    pass


@dataclass(frozen=True)
class Program:
    """Job, as a lab's function receives it.

    Attributes:
        job: Id of the job.
        device: Name of the device.
        family: `qubit`, `atoms` or `photonic`.
        format: The language of `source`.
        source: The program as submitted.
        shots: Shots of the job; each circuit also has its `shots`, which may differ.
        seed: Random seed, for simulators.
        outputs: Requested outputs: `counts`, `memory`, `probabilities`, `samples`.
        inputs: Values of the program's declared inputs; angles in radians.
        circuits: The parsed and validated program, see docs/agents.md.
        packed: The parsed circuits as the server sends them, in msgpack.
        attempts: How often the process of the lab's function died while it ran this job.
    """

    job: str
    device: str
    family: str
    format: str
    source: str
    shots: int
    seed: int
    outputs: tuple[str, ...]
    inputs: Mapping[str, float] = field(default_factory=dict)
    circuits: Sequence[Circuit] = ()
    packed: bytes = b""
    attempts: int = 0
    _report: Callable[[float, str], None] = field(default=_ignore_progress, repr=False)
    _stop: threading.Event = field(default_factory=threading.Event, repr=False)

    def progress(self, done: float, text: str = "") -> None:
        """Report progress to the user.

        Args:
            done: Fraction from 0 to 1.
            text: A short text, cut after 200 characters.
        """
        self._report(min(1.0, max(0.0, float(done))), text[:200])

    @property
    def stop_requested(self) -> bool:
        """Whether the function must raise `Stopped`: job cancelled, lease lost, or agent ending."""
        return self._stop.is_set()

    def wait(self, timeout_s: float) -> bool:
        """Sleep for `timeout_s` seconds; return False, or True at once when a stop is requested."""
        return self._stop.wait(timeout_s)
