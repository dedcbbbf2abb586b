"""A device of qBraid's API, version 1. Jobs carry the marker as a tag."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec
from requests import RequestException, Response

from qwicket import programs
from qwicket.drivers.remote import results
from qwicket.drivers.remote.calibrations import calibration
from qwicket.drivers.remote.clouds import (
    CloudError,
    InvalidResult,
    ListedDevice,
    OutcomeUnknown,
    Refused,
    RemoteDeviceStatus,
    RemoteProgram,
    RemoteStatus,
)
from qwicket.drivers.remote.failures import (
    ErrorTranslator,
    id_with_marker,
    read_one_by_one,
    submission_error_of_status,
)
from qwicket.drivers.remote.pass_through import Key
from qwicket.programs import batch
from qwicket.vendors.qbraid.client.errors import RequestsApiError
from qwicket.vendors.qbraid.client.session import QbraidSession

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qwicket.circuits.outcomes import Outcome
    from qwicket.devices.remotes import Remote
    from qwicket.drivers.remote.clouds import RequireLease, Statuses
    from qwicket.model.failures import Failure

FORMATS: Final = {"openqasm3": "qasm3", "openqasm2": "qasm2"}
"""Formats that it takes as they are, each with its name there."""
_TAG: Final = "qwicket_job"
_STATES: Final = {
    "INITIALIZING": "waiting",
    "QUEUED": "waiting",
    "VALIDATING": "waiting",
    "HOLD": "waiting",
    "UNKNOWN": "waiting",
    "RUNNING": "running",
    "CANCELLING": "running",
    "COMPLETED": "completed",
    "FAILED": "failed",
    "CANCELLED": "cancelled",
}


class QbraidCloud:
    """One device of one account.

    Args:
        remote: Where the device is; its name there is a QRN.
        key: API key of the account.
    """

    formats = (*FORMATS, "batch")
    language: str | None = "openqasm3"
    is_simulated = False

    def __init__(self, remote: Remote, key: str, _formats: tuple[str, ...] = ()) -> None:
        self._device = remote.device
        self._timeout_s = remote.timeout_s
        self._session = QbraidSession(
            api_key=key, base_url=remote.url, retries_total=0, retries_connect=0
        )
        # The session also sends credentials from its settings file and the environment, which are
        # those of another account.
        for name in ("email", "refresh-token", "id-token"):
            self._session.headers.pop(name, None)

    def submit(self, program: RemoteProgram, marker: str, require_lease: RequireLease) -> str:
        if program.format == "batch":
            members = batch.members(program.source, programs.guess_format)
            for each in members:
                if each.format not in FORMATS:
                    raise Refused(f"a batch with a program in {each.format} cannot be sent there")
            sent: Any = [{"format": FORMATS[each.format], "data": each.source} for each in members]
        else:
            sent = {"format": FORMATS[program.format], "data": program.source.decode()}
        if program.inputs:
            raise Refused("the values of inputs cannot be sent there")
        body = {
            "name": marker,
            "shots": program.options.shots,
            "deviceQrn": self._device,
            "tags": {_TAG: marker},
            "runtimeOptions": {},
            "program": sent,
        }
        headers = {"Idempotency-Key": marker}
        try:
            job = self._data("POST", "/jobs", json=body, headers=headers)
        except RequestsApiError as error:
            raise submission_error_of_status(_status_of(error), str(error)) from None
        if not isinstance(job, dict) or not isinstance(job.get("jobQrn"), str):
            raise OutcomeUnknown("the response has no jobQrn")
        return str(job["jobQrn"])

    def find(self, marker: str, since_ms: int) -> str | None:
        del since_ms  # the API finds jobs by tag
        query = {"tags": json.dumps({_TAG: marker}), "limit": 10}
        with _ERRORS.reading(on_404=CloudError):
            found = self._data("GET", "/jobs", params=query)
        if not isinstance(found, list):
            raise CloudError("the response is not a list of jobs")
        return id_with_marker(marker, [(_marker(job), str(job["jobQrn"])) for job in found])

    def statuses(self, ids: Sequence[str]) -> Statuses:
        return read_one_by_one(ids, self._state)

    def _state(self, id: str) -> RemoteStatus:
        with _ERRORS.reading():
            job = self._data("GET", _job_path(id))
        if job.get("jobQrn") != id:
            raise CloudError(f"the response is about another job than {id}")
        state: Any = _STATES.get(str(job.get("status")))
        if state is None:
            raise CloudError(f"the job has the unknown state {str(job.get('status'))[:40]!r}")
        return RemoteStatus(state, str(job.get("statusMsg") or ""), _marker(job))

    def outcomes(self, id: str, program: RemoteProgram) -> tuple[list[Outcome | Failure], float]:
        with _ERRORS.reading():
            found = self._data("GET", f"{_job_path(id)}/result")
        parts = found.get("results") if "results" in found else [found]
        if not isinstance(parts, list) or len(parts) != len(program.frames):
            raise InvalidResult(f"it has not {len(program.frames)} results")
        seconds = 0.0
        outcomes: list[Outcome | Failure] = []
        for part, frame in zip(parts, program.frames, strict=True):
            took_ms = (part.get("timeStamps") or {}).get("executionDuration")
            took_s = took_ms / 1000 if isinstance(took_ms, int | float) and took_ms >= 0 else 0.0
            seconds = max(seconds, took_s)
            outcomes.append(
                results.of_bits(
                    frame,
                    program.options,
                    engine=self._device,
                    seconds=took_s,
                    counts=_counts(part),
                )
            )
        return outcomes, seconds

    def cancel(self, id: str) -> None:
        with _ERRORS.cancelling():
            self._data("POST", f"{_job_path(id)}/cancel")

    def device_status(self) -> RemoteDeviceStatus:
        path = f"/devices/{quote(self._device, safe=':')}"
        with _ERRORS.reading(on_404=Refused):
            device = self._data("GET", path)
        status, waiting = str(device.get("status")), device.get("queueDepth")
        is_online = status == "ONLINE"
        reason = "" if is_online else str(device.get("statusMsg") or f"it is {status} there")
        found = calibration(_ERRORS, lambda: self._data("GET", f"{path}/calibrations"))
        return RemoteDeviceStatus(
            is_online, reason, waiting if isinstance(waiting, int) else None, found
        )

    def list_devices(self) -> list[ListedDevice]:
        with _ERRORS.reading(on_404=CloudError):
            devices = self._data("GET", "/devices")
        if not isinstance(devices, list):
            raise CloudError("the response is not a list of devices")
        return [listed for each in devices if (listed := _listed_device(each)) is not None]

    def close(self) -> None:
        self._session.close()

    def _data(self, method: str, path: str, **options: Any) -> Any:
        """Return `data` of a response.

        Raises:
            RequestsApiError: The request failed.
            CloudError: The response does not fit this API.
        """
        response: Response = self._session.request(
            method, path, timeout=(self._timeout_s, self._timeout_s), **options
        )
        try:
            return msgspec.json.decode(response.content)["data"]
        except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, TypeError):
            raise CloudError("the response does not fit qBraid's API") from None


def _job_path(id: str) -> str:
    """Return the path of a job. Its id has colons, which the API takes as they are."""
    return f"/jobs/{quote(id, safe=':')}"


def _counts(part: Mapping[str, Any]) -> dict[bytes, int]:
    counts: Any = (part.get("resultData") or {}).get("measurementCounts")
    try:
        return {results.key_of(int(key, 2)): int(n) for key, n in counts.items()}
    except (TypeError, ValueError, AttributeError):
        raise InvalidResult("it has no counts of bits") from None


def _marker(job: Mapping[str, Any]) -> str | None:
    tags = job.get("tags")
    found = tags.get(_TAG) if isinstance(tags, dict) else None
    return str(found) if found else None


def _listed_device(device: dict[str, Any]) -> ListedDevice | None:
    """Return a device as `ListedDevice`; None if it takes none of our formats, or has no qubits."""
    taken = device.get("runInputTypes") or ()
    formats = [name for name, theirs in FORMATS.items() if theirs in taken]
    width, name = device.get("numberQubits"), str(device.get("qrn"))
    if not formats or not isinstance(width, int) or width < 1:
        return None
    shots = device.get("maxShots")
    spec = {
        "description": str(device.get("description") or device.get("name") or name),
        "qubits": width,
        "formats": [*formats, *(["batch"] if device.get("batchJobSupport") else [])],
        "max_shots": shots if isinstance(shots, int) and shots > 0 else 1000,
    }
    return ListedDevice(name, str(device.get("status")), "qubit", width, spec)


def _status_of(error: Exception) -> int | None:
    cause = error.__cause__
    if not isinstance(cause, RequestException) or cause.response is None:
        return None
    return int(cause.response.status_code)


_ERRORS: Final = ErrorTranslator(RequestsApiError, _status_of)


def pass_through_key(_remote: Remote, key: str) -> Key:
    """Return what requests that are passed on are signed with."""
    return Key(key, "", "X-API-Key")
