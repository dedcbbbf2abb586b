"""Inputs and results of qubit engines."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Protocol

from numpy.random import SeedSequence

from qwicket.circuits.outcomes import Array
from qwicket.engines.qubit.noise import Noise
from qwicket.engines.qubit.program import Program
from qwicket.model.limits import Limits


class Task(NamedTuple):
    """One circuit to run.

    Attributes:
        program: Program to run.
        noise: Noise of the program; None if it is ideal.
        shots: Number of shots.
        seed: Equal seeds give equal random numbers.
        outputs: Which of `counts`, `memory` and `probabilities` are wanted.
        engine: Name of the engine; empty for a suitable one.
        max_outcomes: Limit on outcomes with exact probabilities; beyond it, shots are counted.
    """

    program: Program
    noise: Noise | None
    shots: int
    seed: SeedSequence
    outputs: Collection[str]
    engine: str = ""
    max_outcomes: int = Limits().jobs.outcomes


class EngineResult(NamedTuple):
    """The arrays of an `Outcome` and its notes."""

    arrays: dict[str, Array]
    notes: tuple[str, ...] = ()


class UnreliableResult(Exception):
    """An engine returned a result that cannot be right; another one should run the task."""


class Engine(Protocol):
    """Runs tasks. Equal tasks give equal results under the same version."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str:
        """Version of this code and of the libraries that determine results."""

    def run(self, task: Task) -> EngineResult:
        """Run one circuit.

        Raises:
            CannotRun: The engine cannot run this circuit.
            MemoryError: The state does not fit into memory.
            UnreliableResult: The result cannot be trusted; another engine may succeed.
        """
