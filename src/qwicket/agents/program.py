"""What a lab's function gets and gives: a program, and an outcome for each of its circuits.

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
    """Raised by a lab's function that stopped because it was asked to."""


@dataclass(frozen=True)
class Counts:
    """How often each outcome came.

    Attributes:
        counts: Shots by bit text, the highest classical bit first, as OpenQASM's clients write it.
    """

    counts: Mapping[str, int]


@dataclass(frozen=True)
class Memory:
    """What each shot gave, in the order of the shots.

    Attributes:
        shots: A bit text for each, the highest classical bit first.
    """

    shots: Sequence[str]


@dataclass(frozen=True)
class Samples:
    """What each shot gave where outcomes are no bits: cold atoms, photons.

    Attributes:
        shots: For each a number per reading, in the order of the program's measurements: integers
            for atoms and photons, reals or complex numbers for quadratures.
    """

    shots: Sequence[Sequence[Number]]


@dataclass(frozen=True)
class Failed:
    """Why a circuit gave nothing. Users read it: no path, no traceback.

    Attributes:
        message: A sentence.
        code: A stable word for programs, of a-z, 0-9 and "_".
    """

    message: str
    code: str = "device_failed"


Outcome = Counts | Memory | Samples | Failed


def _say_nothing(_done: float, _text: str) -> None:
    pass


@dataclass(frozen=True)
class Program:
    """A job as a lab's function sees it.

    Attributes:
        job: Its id.
        device: The device that it is for.
        family: `qubit`, `atoms` or `photonic`.
        format: The language of `source`.
        source: The program as it was submitted.
        inputs: Values of the inputs that it declares; angles in radians.
        shots: Shots of each circuit; a cold-atom experiment says its own.
        seed: For those who simulate.
        outputs: What was asked for: `counts`, `memory`, `probabilities`, `samples`.
        circuits: The program as it was read and checked, see docs/agents.md.
        packed: The same as the server's engines take it.
        attempts: How often the lab's program died of this job before.
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
    _tell: Callable[[float, str], None] = field(default=_say_nothing, repr=False)
    _stop: threading.Event = field(default_factory=threading.Event, repr=False)

    def progress(self, done: float, text: str = "") -> None:
        """Tell the user how far it is.

        Args:
            done: From 0 to 1.
            text: A few words, at most 200 characters.
        """
        self._tell(min(1.0, max(0.0, float(done))), text[:200])

    @property
    def stop_asked(self) -> bool:
        """Whether the user cancelled the job, or the agent is to end: raise `Stopped` then."""
        return self._stop.is_set()

    def wait(self, timeout_s: float) -> bool:
        """Wait, as for a machine; return at once, and True, when a stop is asked for."""
        return self._stop.wait(timeout_s)
