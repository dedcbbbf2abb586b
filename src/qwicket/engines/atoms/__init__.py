"""Engines of cold atoms: spins of any length, and fermions. Importing this imports no NumPy."""

from __future__ import annotations

from qwicket.circuits.atoms import AtomCircuit, unpack
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import Outcome
from qwicket.circuits.summary import Summary
from qwicket.engines.atoms.cost import estimate

__all__ = ["estimate", "list_installed", "run", "unpack", "unsupported_reason", "warm_up"]


def run(circuit: AtomCircuit, options: RunOptions, part: int) -> Outcome:
    """Run one circuit.

    Args:
        circuit: Circuit to run; its own shots and seed take precedence over those of the options.
        options: Shots and seed of the job.
        part: Index of the circuit in the job. Parts use different random numbers.

    Raises:
        CannotRun: The circuit loads an atom onto an occupied site.
    """
    from qwicket.engines.atoms import engine

    return engine.run(circuit, options, part)


def list_installed() -> tuple[str, ...]:
    """Return no names: each circuit has one engine, so a job cannot choose."""
    return ()


def unsupported_reason(_summary: Summary, _options: RunOptions) -> str | None:
    """Return None: a job has no engine to name."""
    return None


def warm_up() -> None:
    """Do nothing: importing SciPy takes 0.35 s and 24 MiB, and only large circuits need it."""
