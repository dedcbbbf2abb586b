"""Qiskit's sampler primitive. All circuits of a run with the same shots are one job."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qiskit.primitives import BasePrimitiveJob, BaseSamplerV2, PrimitiveResult, SamplerPubResult
from qiskit.primitives.containers import BitArray, DataBin
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit.providers import JobStatus

from qwicket.clients.native import ClientError, JobFailed
from qwicket.clients.native.operations import WAIT_S
from qwicket.qiskit.bits import outcome_bits
from qwicket.qiskit.jobs import STATUS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from qiskit import QuantumCircuit

    from qwicket.clients.native import Job, Part
    from qwicket.qiskit.backend import QwicketBackend

_SHOTS: Final = 1024
_ORDER: Final = (
    JobStatus.ERROR,
    JobStatus.CANCELLED,
    JobStatus.INITIALIZING,
    JobStatus.QUEUED,
    JobStatus.RUNNING,
    JobStatus.DONE,
)
"""A `SamplerJob` has the first of these statuses that one of its jobs has."""


@dataclass
class SamplerOptions:
    """Default options of a run.

    Attributes:
        default_shots: Shots of pubs without their own.
        seed_simulator: Seed of each job, 0 ≤ seed < 2^63; None lets the server draw one.
        noise: One of the device's noise models; None for no noise.
        engine: One of the device's engines; "" lets the server choose.
    """

    default_shots: int = _SHOTS
    seed_simulator: int | None = None
    noise: str | None = None
    engine: str = ""


class SamplerV2(BaseSamplerV2):  # type: ignore[misc]  # Qiskit is untyped
    """Sampler on one backend.

    Args:
        mode: The backend.
        options: `SamplerOptions`, or a dictionary of its fields.

    Attributes:
        backend: The backend.
        options: The options.
    """

    def __init__(
        self, mode: QwicketBackend, options: SamplerOptions | Mapping[str, Any] | None = None
    ) -> None:
        self.backend = mode
        given = options if options is not None else {}
        self.options = given if isinstance(given, SamplerOptions) else SamplerOptions(**given)

    def run(self, pubs: Iterable[Any], *, shots: int | None = None) -> SamplerJob:
        """Submit pubs. On return, all jobs are on the server's disk.

        Args:
            pubs: Circuits, or tuples of a circuit, parameter values, and shots.
            shots: Shots of pubs without their own; by default `options.default_shots`.

        Raises:
            ValueError: There are no pubs.
            ClientError: The circuits cannot be sent, or the request failed.
        """
        options = self.options
        default = options.default_shots if shots is None else shots
        coerced = [SamplerPub.coerce(pub, default) for pub in pubs]
        if not coerced:
            raise ValueError("There are no pubs to run.")
        for number, pub in enumerate(coerced):
            if not pub.circuit.cregs:
                warnings.warn(
                    f"Pub {number} has no classical register, so its result has no data. Did you"
                    " forget to measure?",
                    stacklevel=2,
                )
        return SamplerJob(coerced, [self._submit(coerced, each) for each in _shots(coerced)])

    def _submit(self, pubs: Sequence[SamplerPub], shots: int) -> Job:
        circuits = [circuit for pub in pubs if pub.shots == shots for circuit in _bound(pub)]
        return self.backend.device.run(
            circuits[0] if len(circuits) == 1 else circuits,
            shots=shots,
            seed=self.options.seed_simulator,
            noise=self.options.noise,
            engine=self.options.engine,
            outputs=("memory",),
            name="sampler",
        )


class SamplerJob(BasePrimitiveJob[PrimitiveResult, JobStatus]):  # type: ignore[misc]  # untyped
    """Jobs of one run, one for each number of shots; none if no pub has a set of values.

    Attributes:
        native: The jobs in Qwicket's client.
    """

    def __init__(self, pubs: Sequence[SamplerPub], jobs: Sequence[Job]) -> None:
        super().__init__(",".join(job.id for job in jobs))
        self.native = tuple(jobs)
        self._pubs = tuple(pubs)

    def status(self) -> JobStatus:
        """Return the status: ERROR or CANCELLED if a job has it, else the earliest one.

        Raises:
            ClientError: A request failed.
        """
        if not self.native:
            return JobStatus.DONE
        found = {STATUS.get(job.status, JobStatus.RUNNING) for job in self.native}
        return next(status for status in _ORDER if status in found)

    def done(self) -> bool:
        return bool(self.status() == JobStatus.DONE)

    def running(self) -> bool:
        return bool(self.status() == JobStatus.RUNNING)

    def cancelled(self) -> bool:
        return bool(self.status() == JobStatus.CANCELLED)

    def in_final_state(self) -> bool:
        return self.status() in (JobStatus.DONE, JobStatus.ERROR, JobStatus.CANCELLED)

    def cancel(self) -> bool:
        """Cancel the jobs; return False if all have already completed.

        Raises:
            ClientError: A request failed.
        """
        states = {job.cancel().state for job in self.native}
        return not states <= {"completed"}

    def result(
        self, timeout: float | None = WAIT_S, *, progress: bool = False
    ) -> PrimitiveResult[SamplerPubResult]:
        """Wait for all jobs and return the result of each pub.

        Args:
            timeout: Seconds to wait for each job; None waits without a limit.
            progress: Whether to show the position in the queue, then the progress, on standard
                error.

        Returns:
            For each pub a bit array per classical register, of the shape of its parameters.

        Raises:
            JobFailed: A job or a circuit ended without an outcome.
            WaitTimeout: A job's result has not arrived within `timeout` seconds.
            ClientError: The request failed.
        """
        parts: dict[int, Iterator[Part]] = {}
        for shots, job in zip(_shots(self._pubs), self.native, strict=True):
            parts[shots] = iter(job.result(timeout, progress=progress))
        results = [_pub_result(pub, parts.get(pub.shots, iter(()))) for pub in self._pubs]
        return PrimitiveResult(results, metadata={"version": 2})


def _shots(pubs: Sequence[SamplerPub]) -> list[int]:
    """Return each number of shots, in the order of the pubs that have sets of values."""
    return list(dict.fromkeys(pub.shots for pub in pubs if pub.size))


def _bound(pub: SamplerPub) -> list[QuantumCircuit]:
    """Return a pub's circuits, one for each set of parameter values, in C order."""
    return list(np.ravel(pub.parameter_values.bind_all(pub.circuit)))


def _pub_result(pub: SamplerPub, parts: Iterator[Part]) -> SamplerPubResult:
    rows = [_bits(pub, next(parts)) for _ in range(pub.size)]
    bits = np.array(rows, dtype=bool).reshape(*pub.shape, pub.shots, pub.circuit.num_clbits)
    data = {
        register.name: BitArray.from_bool_array(bits[..., _columns(pub, register)], order="little")
        for register in pub.circuit.cregs
    }
    metadata = {"shots": pub.shots, "circuit_metadata": pub.circuit.metadata}
    return SamplerPubResult(DataBin(**data, shape=pub.shape), metadata=metadata)


def _bits(pub: SamplerPub, part: Part) -> NDArray[np.bool_]:
    """Return the bits of every shot (shots × classical bits; column i is classical bit i)."""
    if part.error is not None:
        raise JobFailed(part.error)
    order = outcome_bits(pub.circuit)
    if not order:
        return np.zeros((pub.shots, 0), dtype=bool)
    texts = np.frombuffer("".join(part.memory).encode(), dtype=np.uint8)
    if texts.size != pub.shots * len(order):
        raise ClientError("The outcome from the server has another size than the circuit's bits.")
    lowest_first = texts.reshape(pub.shots, len(order))[:, ::-1] == ord("1")
    return np.asarray(lowest_first[:, order], dtype=bool)


def _columns(pub: SamplerPub, register: Any) -> list[int]:
    return [pub.circuit.find_bit(bit).index for bit in register]
