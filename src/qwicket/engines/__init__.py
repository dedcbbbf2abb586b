"""Engines: from packed circuits to encoded outcomes. Independent of jobs, database and network.

`run`, `run_jobs`, `warm_up` and `prepare` are for worker processes, because engines hold the
interpreter lock. The other functions are for the server and import no simulator; only `combine`,
which the server calls in a thread, imports NumPy.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from time import perf_counter
from typing import Any, Final, Protocol, cast

import msgspec

from qwicket.circuits.options import LabOptions, RunOptions
from qwicket.circuits.outcomes import Completion, Outcome, PartResult, encode
from qwicket.circuits.qubit import QubitCircuit
from qwicket.circuits.summary import Summary
from qwicket.engines.estimates import Estimate
from qwicket.engines.failures import CannotRun
from qwicket.model.failures import Failure
from qwicket.registrations import vendors

__all__ = [
    "Estimate",
    "combine",
    "estimate",
    "has_family",
    "list_installed",
    "prepare",
    "run",
    "run_jobs",
    "unsupported_reason",
    "warm_up",
]

_FAMILY_PACKAGES: Final[Mapping[str, str]] = {
    "qubit": "qwicket.engines.qubit",
    "atoms": "qwicket.engines.atoms",
}
"""Package of the engines of each family that several vendors' clients use."""

_log = logging.getLogger(__name__)
_options: Final = msgspec.msgpack.Decoder(RunOptions)


class _EngineFamily(Protocol):
    """Interface of a family's package. This module never looks into a circuit."""

    def unpack(self, blob: bytes, /) -> Sequence[Any]: ...

    def run(self, circuit: Any, options: RunOptions, part: int, /) -> Outcome: ...

    def estimate(self, summary: Summary, options: RunOptions, /) -> Estimate: ...

    def list_installed(self) -> tuple[str, ...]: ...

    def unsupported_reason(self, summary: Summary, options: RunOptions, /) -> str | None: ...

    def warm_up(self) -> None: ...


def run_jobs(
    jobs: Sequence[tuple[str, bytes, bytes]],
) -> list[tuple[tuple[PartResult, ...], float]]:
    """Run jobs one after the other, in a worker process.

    Args:
        jobs: Family, circuits and options of each, as `run` takes them.

    Returns:
        For each job, what `run` returns, and the seconds that it took.
    """
    return [_timed(*job) for job in jobs]


def _timed(family: str, circuits: bytes, options: bytes) -> tuple[tuple[PartResult, ...], float]:
    began = perf_counter()
    return run(family, circuits, options), perf_counter() - began


def run(family: str, circuits: bytes, options: bytes) -> tuple[PartResult, ...]:
    """Run every circuit of a job, in a worker process.

    Args:
        family: Family of the engines.
        circuits: Circuits as `pack` made them.
        options: `RunOptions` as msgpack.

    Returns:
        One outcome or failure per circuit, in order. A failed circuit does not affect the others.

    Raises:
        KeyError: No such family.
        msgspec.DecodeError: The bytes are not circuits or options.
    """
    engines = _family(family)
    chosen = _options.decode(options)
    parts = enumerate(engines.unpack(circuits))
    return tuple([_run_part(engines, circuit, chosen, part) for part, circuit in parts])


def estimate(summary: Summary, options: RunOptions) -> Estimate:
    """Return the estimate of a job, from its summary and its options."""
    return _family(summary.family).estimate(summary, options)


def combine(options: LabOptions, parts: Completion) -> Completion:
    """Return the results of a lab's estimations from those of the circuits that it ran.

    Args:
        options: Options of the job.
        parts: Checked results of all its circuits.
    """
    from qwicket.engines.qubit import mitigated_estimates  # late: it imports NumPy

    return mitigated_estimates.of_parts(options.combinations, parts, options.seed)


def has_family(family: str) -> bool:
    """Return whether there are engines of a family; a vendor that was deleted had its own."""
    return family in _packages()


def list_installed(family: str) -> tuple[str, ...]:
    """Return the names of a family's engines that a job may ask for on this machine."""
    return _family(family).list_installed()


def unsupported_reason(summary: Summary, options: RunOptions) -> str | None:
    """Return why the engine named in the options cannot run a job, as a clause, or None."""
    return _family(summary.family).unsupported_reason(summary, options)


def _empty_outcome(circuit: Any, options: RunOptions) -> Outcome:
    """Return the outcome of a dry run, which names the registers of a circuit of qubits."""
    has_bits = isinstance(circuit, QubitCircuit) and circuit.readouts is None
    registers = circuit.registers if has_bits else ()
    return Outcome(
        registers=registers,
        arrays={},
        engine="none",
        engine_version="1",
        seed=options.seed,
        seconds=0.0,
    )


def warm_up() -> None:
    """Import the light engines and run tiny circuits, so that the first jobs start quickly."""
    for family in _packages():
        _family(family).warm_up()


def prepare() -> None:
    """Import the engines of qubits without a simulator, which takes 9 MB less than `warm_up`.

    For test beds: the first job that needs a simulator imports it.
    """
    import_module("qwicket.engines.qubit.engine")


@cache
def _packages() -> Mapping[str, str]:
    """Return the package of each family's engines, those of vendors included."""
    return {**_FAMILY_PACKAGES, **{name: at for it in vendors() for name, at in it.engines}}


@cache
def _family(family: str) -> _EngineFamily:
    return cast(_EngineFamily, import_module(_packages()[family]))


def _run_part(engines: _EngineFamily, circuit: Any, options: RunOptions, part: int) -> PartResult:
    if options.dry_run:
        return encode(_empty_outcome(circuit, options))
    try:
        return encode(engines.run(circuit, options, part))
    except CannotRun as reason:
        return Failure(reason.code, reason.message)
    except MemoryError:
        return Failure("out_of_memory", "The circuit needs more memory than its worker may use.")
    except Exception:
        number = secrets.token_hex(8)
        _log.exception("engine failed, id %s", number)
        return Failure("internal_error", f"The engine failed; see the server's log, id {number}.")
