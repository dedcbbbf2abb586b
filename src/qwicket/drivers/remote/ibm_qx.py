"""A device of the IBM Quantum Experience API of 2020. Jobs carry the marker as their name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from qwicket.circuits.outcomes import MEMORY
from qwicket.clients.http.retries import RetryPolicy
from qwicket.clients.ibm_qx.client import IBMQXClient
from qwicket.clients.ibm_qx.errors import IBMQXError, IBMQXJobError, IBMQXJobLimitError
from qwicket.drivers.remote import results
from qwicket.drivers.remote.clouds import (
    CloudError,
    InvalidResult,
    Mirror,
    NothingSent,
    Offer,
    Refused,
    RemoteProgram,
    RemoteStatus,
)
from qwicket.drivers.remote.failures import (
    SERVICE_ERRORS,
    id_with_marker,
    read_one_by_one,
    submission_error,
)
from qwicket.model.failures import Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.circuits.outcomes import Outcome
    from qwicket.devices.remotes import Remote
    from qwicket.drivers.remote.clouds import Statuses
    from qwicket.programs.rewriting import Language

_ONCE: Final = RetryPolicy(max_attempts=1)
_WAITING: Final = ("CREATING", "CREATED", "TRANSPILING", "VALIDATING", "VALIDATED", "QUEUED")
_MAX_LISTED: Final = 10


class IBMQXCloud:
    """One device of one account.

    Args:
        remote: Where the device is.
        key: API token of the account.
    """

    formats = ("qobj",)
    language: Language | None = "qobj"
    is_simulated = False

    def __init__(self, remote: Remote, key: str) -> None:
        self._device = remote.device
        self._client = IBMQXClient(key, url=remote.url)
        self._client.retry_policy = _ONCE
        self._client.timeout_s = remote.timeout_s

    def submit(self, program: RemoteProgram, marker: str) -> str:
        qobj = msgspec.json.decode(program.source)
        options = program.options
        config = {
            **(qobj.get("config") or {}),
            "shots": options.shots,
            "memory": MEMORY in options.outputs,
        }
        try:
            return self._client.run_qobj({**qobj, "config": config}, self._device, name=marker).id
        except IBMQXJobError as error:
            raise Refused(error.message) from None
        except IBMQXJobLimitError as error:  # temporary: other jobs will end
            raise NothingSent(str(error)) from None
        except IBMQXError as error:
            raise submission_error(error) from None

    def find(self, marker: str, since_ms: int) -> str | None:
        del since_ms  # the API finds jobs by name
        with SERVICE_ERRORS.reading(CloudError):
            found = self._client.jobs(name=marker, limit=_MAX_LISTED)
        return id_with_marker(marker, [(job.name, job.id) for job in found])

    def statuses(self, ids: Sequence[str]) -> Statuses:
        return read_one_by_one(ids, self._status)

    def _status(self, id: str) -> RemoteStatus:
        with SERVICE_ERRORS.reading():
            job = self._client.job(id)
        if job.id != id:
            raise CloudError(f"the response is about another job than {id}")
        marker = job.name or None
        if job.status == "COMPLETED":
            return RemoteStatus("completed", marker=marker)
        if job.status == "CANCELLED":
            return RemoteStatus("cancelled", marker=marker)
        if job.is_final:
            return RemoteStatus("failed", job.error_message or job.status, marker)
        return RemoteStatus("waiting" if job.status in _WAITING else "running", marker=marker)

    def outcomes(self, id: str, program: RemoteProgram) -> tuple[list[Outcome | Failure], float]:
        with SERVICE_ERRORS.reading():
            try:
                found = self._client.result(id)
            except IBMQXJobError as error:
                raise InvalidResult(error.message) from None
        if found.get("job_id") not in (None, id):
            raise InvalidResult("it belongs to another job")
        parts = found.get("results")
        if not isinstance(parts, list) or len(parts) != len(program.frames):
            raise InvalidResult(f"it has not {len(program.frames)} results")
        outcomes = [
            self._outcome(part, frame, program)
            for part, frame in zip(parts, program.frames, strict=True)
        ]
        took = found.get("time_taken")
        return outcomes, float(took) if isinstance(took, int | float) and took >= 0 else 0.0

    def _outcome(self, part: Any, frame: Any, program: RemoteProgram) -> Outcome | Failure:
        if part.get("success") is False:
            return Failure("remote_failed", str(part.get("status") or "the circuit failed there"))
        try:
            data = part["data"]
            counts = {int(key, 16): int(n) for key, n in data["counts"].items()}
            memory = [int(key, 16) for key in data["memory"]] if data.get("memory") else None
        except (KeyError, TypeError, ValueError, AttributeError):
            raise InvalidResult("it has no counts") from None
        return results.of_bits(
            frame, program.options, engine=self._device, counts=counts, memory=memory
        )

    def cancel(self, id: str) -> None:
        with SERVICE_ERRORS.cancelling():
            self._client.cancel(id)

    def mirror(self) -> Mirror:
        with SERVICE_ERRORS.reading(lambda _: Refused(f"there is no device {self._device}")):
            queue = self._client.queue_status(self._device)
            self._client.me()  # checks the token, which the state of the queue does not need
        reason = "" if queue.is_on else str(queue.get("status") or "it takes no jobs there")
        return Mirror(bool(queue.is_on), reason, queue.length)

    def offers(self) -> list[Offer]:
        with SERVICE_ERRORS.reading(CloudError):
            self._client.me()  # checks the token, which old servers do not need to list devices
            devices = self._client.backends()
        found = []
        for each in devices:
            width = max(1, each.n_qubits)
            spec = {
                "description": str(each.get("description") or f"IBM's {each.name}"),
                "qubits": width,
                "formats": ("openqasm3", "openqasm2", "qobj"),
                "gates": each.basis_gates,
                "max_shots": each.max_shots or 8192,
                "outputs": ("counts", "memory") if each.get("memory") else ("counts",),
            }
            status = "online" if each.get("online_date") else ""
            found.append(Offer(each.name, status, "qubit", width, spec))
        return found

    def close(self) -> None:
        self._client.close()
