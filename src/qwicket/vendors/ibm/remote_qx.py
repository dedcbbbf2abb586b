"""A device of the IBM Quantum Experience API of 2020. Jobs carry the marker as their name.

A program above 1 MiB takes three steps: create a draft, upload the program, submit the draft. A
draft never runs without the last step, and runs once however often it is submitted. So a draft does
not count as a job that the cloud has, and a repeated submission uses it again. A draft that is not
submitted in time expires, and is ignored. Two drafts of one job would run twice, so the lease is
checked before each step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from qwicket.circuits.outcomes import MEMORY
from qwicket.clients.http.retries import RetryPolicy
from qwicket.drivers.remote import results
from qwicket.drivers.remote.calibrations import calibration
from qwicket.drivers.remote.calls import LeaseCheck
from qwicket.drivers.remote.clouds import (
    CloudError,
    InvalidResult,
    ListedDevice,
    NoProof,
    NotAccepted,
    OutcomeUnknown,
    Refused,
    RemoteDeviceStatus,
    RemoteProgram,
    RemoteStatus,
)
from qwicket.drivers.remote.failures import (
    SERVICE_ERRORS,
    before_submission,
    id_with_marker,
    read_one_by_one,
    submission_error,
)
from qwicket.model.failures import Failure
from qwicket.vendors.ibm.client.client import IBMQXClient
from qwicket.vendors.ibm.client.errors import (
    IBMQXAPIError,
    IBMQXError,
    IBMQXJobError,
    IBMQXJobLimitError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qwicket.circuits.outcomes import Outcome
    from qwicket.clients.http import Request, Response
    from qwicket.devices.remotes import Remote
    from qwicket.drivers.remote.clouds import RequireLease, Statuses
    from qwicket.vendors.ibm.client.responses import Device

T = TypeVar("T")

_ONCE: Final = RetryPolicy(max_attempts=1)
_SIGN_IN: Final = "/users/login"
"""Beginning of the paths of sign-ins."""
_WAITING: Final = ("CREATING", "CREATED", "TRANSPILING", "VALIDATING", "VALIDATED", "QUEUED")
_MAX_LISTED: Final = 10
"""Jobs of one name that are read. There is one, and perhaps drafts of former attempts."""
_UPLOADED: Final = "q-object-external-storage"
"""Kind of drafts, and of the jobs that they become."""
_DRAFT: Final = "CREATING"
"""Status of a draft. IBM showed new jobs of other kinds as `CREATING`, too, for a moment."""
_EXPIRED: Final = "ERROR_CREATING_JOB"
"""Status of a draft that was not submitted in time; a refused program has another one."""


class _Client(IBMQXClient):
    """Client that checks the lease before each POST of a submission, also after a sign-in."""

    def __init__(self, key: str, url: str, lease_check: LeaseCheck) -> None:
        super().__init__(key, url=url)
        self._lease_check = lease_check

    def _exchange(
        self,
        request: Request,
        read: Callable[[Response], T],
        retry_policy: RetryPolicy | None = None,
    ) -> T:
        if request.method == "POST" and not request.path.startswith(_SIGN_IN):
            self._lease_check()
        return super()._exchange(request, read, retry_policy)


class IBMQXCloud:
    """One device of one account.

    Args:
        remote: Where the device is.
        key: API token of the account.
    """

    formats = ("qobj",)
    language: str | None = "qobj"
    is_simulated = False

    def __init__(self, remote: Remote, key: str, _formats: tuple[str, ...] = ()) -> None:
        self._device = remote.device
        self._lease_check = LeaseCheck()
        self._client = _Client(key, remote.url, self._lease_check)
        self._client.retry_policy = _ONCE
        self._client.timeout_s = remote.timeout_s

    def submit(self, program: RemoteProgram, marker: str, require_lease: RequireLease) -> str:
        qobj = msgspec.json.decode(program.source)
        options = program.options
        config = {
            **(qobj.get("config") or {}),
            "shots": options.shots,
            "memory": MEMORY in options.outputs,
        }
        qobj = {**qobj, "config": config}
        try:
            with self._lease_check.during(require_lease):
                if self._client.is_large(qobj):
                    return self._upload(qobj, marker, require_lease)
                return self._client.run_qobj(qobj, self._device, name=marker).id
        except IBMQXJobError as error:
            raise Refused(error.message) from None
        except IBMQXJobLimitError as error:  # temporary: other jobs will end
            raise NotAccepted(str(error)) from None
        except IBMQXError as error:
            raise submission_error(error) from None

    def _upload(self, qobj: Mapping[str, Any], marker: str, require_lease: RequireLease) -> str:
        try:
            drafts, jobs = self._listed(marker)
            id, draft = id_with_marker(marker, jobs), id_with_marker(marker, drafts)
        except NoProof as error:
            raise OutcomeUnknown(str(error)) from None
        except IBMQXError as error:  # only a list was requested, so nothing is in doubt
            raise before_submission(error) from None
        if id is not None:
            return id
        # Each request may take long, and this process may be paused before the next one. Another
        # server may then adopt the job: with a draft of each server, the job would run twice.
        if draft is None:
            draft = self._client.create_job(self._device, name=marker).id
        try:
            require_lease()
            self._client.upload_program(draft, qobj)
            self._client.run_uploaded(draft)
        except IBMQXAPIError as error:
            meaning = submission_error(error)
            if isinstance(meaning, Refused) and self._was_started(draft):
                return draft
            raise
        return draft

    def _was_started(self, draft: str) -> bool:
        """Return whether a draft was submitted before, so that its program is refused now.

        Raises:
            OutcomeUnknown: The draft could not be read.
        """
        try:
            job = self._client.job(draft)
        except IBMQXError as error:
            raise OutcomeUnknown(str(error)) from None
        if job.id != draft:
            raise OutcomeUnknown(f"the response is about another job than {draft}")
        return job.status not in (_DRAFT, _EXPIRED)

    def find(self, marker: str, since_ms: int) -> str | None:
        del since_ms  # the API finds jobs by name
        with SERVICE_ERRORS.reading(on_404=CloudError):
            _, jobs = self._listed(marker)
        return id_with_marker(marker, jobs)

    def _listed(self, marker: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return name and id of the drafts and of the other jobs that are listed for a marker.

        Expired drafts are left out. Drafts of other names count as jobs: they show that the cloud
        ignores the filter.
        """
        drafts: list[tuple[str, str]] = []
        jobs: list[tuple[str, str]] = []
        for job in self._client.jobs(name=marker, limit=_MAX_LISTED):
            status = job.status if (job.name, job.kind) == (marker, _UPLOADED) else ""
            if status != _EXPIRED:
                (drafts if status == _DRAFT else jobs).append((job.name, job.id))
        return drafts, jobs

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
            counts = {results.key_of(int(key, 16)): int(n) for key, n in data["counts"].items()}
            memory = (
                [results.key_of(int(key, 16)) for key in data["memory"]]
                if data.get("memory")
                else None
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise InvalidResult("it has no counts") from None
        return results.of_bits(
            frame, program.options, engine=self._device, counts=counts, memory=memory
        )

    def cancel(self, id: str) -> None:
        with SERVICE_ERRORS.cancelling():
            self._client.cancel(id)

    def device_status(self) -> RemoteDeviceStatus:
        with SERVICE_ERRORS.reading(on_404=lambda _: Refused(f"there is no device {self._device}")):
            queue = self._client.queue_status(self._device)
            self._client.me()  # checks the token, which the state of the queue does not need
        reason = "" if queue.is_on else str(queue.get("status") or "it takes no jobs there")
        found = calibration(SERVICE_ERRORS, lambda: self._client.properties(self._device))
        return RemoteDeviceStatus(bool(queue.is_on), reason, queue.length, found)

    def list_devices(self) -> list[ListedDevice]:
        with SERVICE_ERRORS.reading(on_404=CloudError):
            self._client.me()  # checks the token, which old servers do not need to list devices
            devices = self._client.backends()
        return [listed_device(each, "qobj") for each in devices]

    def close(self) -> None:
        self._client.close()


def listed_device(device: Device, own_format: str) -> ListedDevice:
    """Return a device of one of IBM's APIs as `ListedDevice`."""
    width = max(1, device.n_qubits)
    spec = {
        "description": str(device.get("description") or f"IBM's {device.name}"),
        "qubits": width,
        "formats": ("openqasm3", "openqasm2", own_format),
        "gates": device.basis_gates,
        "max_shots": device.max_shots or 8192,
        "outputs": ("counts", "memory") if device.get("memory") else ("counts",),
    }
    status = "online" if device.get("online_date") else ""
    return ListedDevice(device.name, status, "qubit", width, spec)
