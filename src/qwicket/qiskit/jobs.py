"""A job as a job of Qiskit, and its result as a result of Qiskit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qiskit.providers import JobStatus, JobV1
from qiskit.result import Result
from qiskit.result.models import ExperimentResult, ExperimentResultData

from qwicket import __version__
from qwicket.clients.native.operations import WAIT_S
from qwicket.qiskit.bits import places, reordered

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


class QwicketJob(JobV1):  # type: ignore[misc]  # Qiskit is untyped
    """A job on a Qwicket server; `provider.job(id)` finds it again from any process.

    Attributes:
        native: The same job as the client of Qwicket has it: its place, events, arrays.
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
        """Do nothing: a job is made by submitting it."""

    def status(self) -> JobStatus:
        """Return the status now.

        Raises:
            ClientError: The request failed.
        """
        return STATUS.get(self.native.status, JobStatus.RUNNING)

    def queue_position(self) -> int | None:
        """Return the place in the queue now, from 1; None when the job does not wait."""
        return self.native.position

    def cancel(self) -> bool:
        """Cancel the job; return whether it is not completed.

        Raises:
            ClientError: The request failed.
        """
        return self.native.cancel().state != "completed"

    def wait_for_final_state(
        self, timeout: float | None = WAIT_S, wait: float = 5, callback: Any = None
    ) -> None:
        """Wait until the job has ended; the server says when.

        Raises:
            WaitTimeout: The job has not ended within `timeout` seconds.
        """
        self.native.wait(timeout)

    def result(self, timeout: float | None = WAIT_S, *, progress: bool = False) -> Result:
        """Wait for the job and return what it gave; a circuit that failed says so.

        Args:
            timeout: Seconds to wait at most; None waits for ever.
            progress: Whether to show the place in the queue, then the run, on standard error.

        Raises:
            JobFailed: The job ended without a result.
            WaitTimeout: The job has not ended within `timeout` seconds.
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
        order = places(circuit) if circuit is not None and circuit.clbits else None
        if order is None:
            order = list(range(sum(size for _, size in part.registers)))
        counts: dict[str, int] = {}
        for key, count in part.counts.items():
            counts[hex(reordered(key, order))] = count
        data = ExperimentResultData(
            counts=counts, memory=[hex(reordered(key, order)) for key in part.memory] or None
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
