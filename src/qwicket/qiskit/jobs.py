"""Jobs and results in Qiskit's classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qiskit.providers import JobStatus, JobV1
from qiskit.result import Result
from qiskit.result.models import ExperimentResult, ExperimentResultData

from qwicket import __version__
from qwicket.clients.native.operations import WAIT_S
from qwicket.qiskit.bits import outcome_bits, reorder_bits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qiskit import QuantumCircuit

    from qwicket.clients.native import Job, Part
    from qwicket.qiskit.backend import QwicketBackend

STATUS: Final = {
    "draft": JobStatus.INITIALIZING,
    "queued": JobStatus.QUEUED,
    "running": JobStatus.RUNNING,
    "cancelling": JobStatus.RUNNING,
    "uncertain": JobStatus.RUNNING,
    "completed": JobStatus.DONE,
    "failed": JobStatus.ERROR,
    "cancelled": JobStatus.CANCELLED,
}
"""Qiskit's status for each state of a job."""


class QwicketJob(JobV1):  # type: ignore[misc]  # Qiskit is untyped
    """Job on a Qwicket server; `provider.job(id)` returns it in any process.

    Attributes:
        native: The same job in Qwicket's client, with its queue position, events and arrays.
    """

    def __init__(
        self, backend: QwicketBackend, job: Job, circuits: Sequence[QuantumCircuit] = ()
    ) -> None:
        super().__init__(backend, job.id)
        self.native = job
        self._circuits = tuple(circuits)

    def _repr_html_(self) -> str:
        return self.native._repr_html_()

    def submit(self) -> None:
        """Do nothing, because the job has been submitted."""

    def status(self) -> JobStatus:
        """Return the present status.

        Raises:
            ClientError: The request failed.
        """
        return STATUS.get(self.native.status, JobStatus.RUNNING)

    def queue_position(self) -> int | None:
        """Return the present position in the queue, from 1; None if the job does not wait.

        Raises:
            ClientError: The request failed.
        """
        return self.native.position

    def cancel(self) -> bool:
        """Cancel the job; return False if it has already completed.

        Raises:
            ClientError: The request failed.
        """
        return self.native.cancel().state != "completed"

    def wait_for_final_state(
        self, timeout: float | None = WAIT_S, wait: float = 5, callback: Any = None
    ) -> None:
        """Wait until the job has ended, with long polls; `wait` and `callback` have no effect.

        Args:
            timeout: Seconds to wait; None waits without a limit.
            wait: Ignored; the interval of Qiskit's own polls.
            callback: Ignored; Qiskit calls it after each of its polls.

        Raises:
            WaitTimeout: The job has not ended within `timeout` seconds.
            ClientError: The request failed.
        """
        self.native.wait(timeout)

    def result(self, timeout: float | None = WAIT_S, *, progress: bool = False) -> Result:
        """Wait for the job and return its result.

        A circuit that failed has `success` False and its error as `status`.

        Args:
            timeout: Seconds to wait; None waits without a limit.
            progress: Whether to show the position in the queue, then the progress, on standard
                error.

        Raises:
            JobFailed: The job ended without a result.
            WaitTimeout: The result has not arrived within `timeout` seconds.
            ClientError: The request failed.
        """
        found = self.native.result(timeout, progress=progress)
        shots = int(self.native.info.get("shots", 0))
        parts = [self._experiment(number, part, shots) for number, part in enumerate(found)]
        return Result(
            backend_name=self.backend().name,
            backend_version=__version__,
            job_id=self.job_id(),
            success=all(part.success for part in parts),
            results=parts,
            status=self.native.state.upper(),
        )

    def _experiment(self, number: int, part: Part, shots: int) -> ExperimentResult:
        circuit = self._circuits[number] if self._circuits else None
        order = outcome_bits(circuit) if circuit is not None and circuit.clbits else None
        if order is None:
            order = list(range(sum(size for _, size in part.registers)))
        counts: dict[str, int] = {}
        for key, count in part.counts.items():
            counts[hex(reorder_bits(key, order))] = count
        data = ExperimentResultData(
            counts=counts, memory=[hex(reorder_bits(key, order)) for key in part.memory] or None
        )
        registers = (
            [(register.name, register.size) for register in circuit.cregs]
            if circuit is not None and circuit.cregs
            else part.registers
        )
        return ExperimentResult(
            shots=shots,
            success=part.error is None,
            data=data if part.error is None else ExperimentResultData(),
            status="DONE" if part.error is None else part.error,
            seed=part.seed,
            header={
                "name": circuit.name if circuit is not None else self.native.info.get("name", ""),
                "metadata": circuit.metadata if circuit is not None else {},
                "creg_sizes": [list(register) for register in registers],
                "memory_slots": len(order),
            },
        )
