"""A device of another Qwicket server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

import msgspec

from qwicket.circuits.calibrations import Calibration
from qwicket.circuits.outcomes import (
    COUNTS,
    EVS,
    STDS,
    Outcome,
    float64_array,
)
from qwicket.clients.http import RetryPolicy
from qwicket.clients.native.errors import (
    ApiError,
    ClientError,
    ServerBusy,
    Unreachable,
)
from qwicket.clients.native.transport import Transport
from qwicket.drivers.remote import results
from qwicket.drivers.remote.clouds import (
    CloudError,
    InvalidResult,
    ListedDevice,
    NotAccepted,
    OutcomeUnknown,
    Refused,
    RemoteDeviceStatus,
    RemoteProgram,
    RemoteStatus,
    TryLater,
)
from qwicket.drivers.remote.failures import (
    FORWARDED,
    UNSURE,
    ErrorTranslator,
    id_with_marker,
    key_refusal,
    marker_in,
    read_one_by_one,
)
from qwicket.model.errors import KeyReused
from qwicket.model.failures import Failure
from qwicket.schema.base import ResponseBody
from qwicket.schema.devices import DeviceBody
from qwicket.schema.jobs import JobBody, JobList
from qwicket.schema.results import OutcomeBody, ResultBody

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qwicket.circuits.frames import Frame
    from qwicket.circuits.outcomes import Array
    from qwicket.devices.remotes import Remote
    from qwicket.drivers.remote.clouds import RequireLease, Statuses

_ONCE: Final = RetryPolicy(max_attempts=1)
_PAGE: Final = 200
_FEW: Final = 3
"""Up to this number of jobs, one request for each is less work than a list."""
_STATES: Final = {
    "draft": "waiting",
    "queued": "waiting",
    "running": "running",
    "cancelling": "running",
    "uncertain": "running",
    "completed": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
}


class _Devices(ResponseBody, frozen=True, kw_only=True):
    devices: tuple[DeviceBody, ...]


class QwicketCloud:
    """One device of one account.

    A job's marker is its tag, by which it is found again, its name and its idempotency key there.

    Args:
        remote: Where the device is.
        key: Token of the account.
        formats: Formats that the device takes there.
    """

    is_simulated = True
    language: str | None = "openqasm3"

    def __init__(self, remote: Remote, key: str, formats: tuple[str, ...]) -> None:
        self._device = remote.device
        self.formats = formats
        self._transport = Transport(remote.url, key, remote.timeout_s, _ONCE, _ONCE)

    def submit(self, program: RemoteProgram, marker: str, require_lease: RequireLease) -> str:
        options = program.options
        body: dict[str, Any] = {
            "device": self._device,
            "format": program.format,
            "program": program.source.decode(),
            "shots": options.shots,
            "seed": options.seed,
            "outputs": options.outputs,
            "tags": (marker, FORWARDED),
            "name": marker,
        }
        if program.inputs:
            body["inputs"] = program.inputs
        try:
            return self._transport.post("/v1/jobs", body, JobBody, key=marker).id
        except ClientError as error:
            raise _submission_error(error) from None

    def find(self, marker: str, since_ms: int) -> str | None:
        del since_ms  # the API finds jobs by tag
        query = urlencode({"tag": marker, "limit": 1})
        with _ERRORS.reading(on_404=CloudError):
            found = self._transport.get(f"/v1/jobs?{query}", JobList).jobs
        return id_with_marker(marker, [(marker_in(job.tags), job.id) for job in found])

    def statuses(self, ids: Sequence[str]) -> Statuses:
        listed: dict[str, JobBody] = {}
        if len(ids) > _FEW:
            query = urlencode({"tag": FORWARDED, "limit": _PAGE})
            with _ERRORS.reading(on_404=CloudError):
                jobs = self._transport.get(f"/v1/jobs?{query}", JobList).jobs
            listed = {job.id: job for job in jobs}
        return read_one_by_one(
            ids, lambda id: _status(listed[id]) if id in listed else self._read_status(id)
        )

    def _read_status(self, id: str) -> RemoteStatus:
        with _ERRORS.reading():
            job = self._transport.get(_job_path(id), JobBody)
        if job.id != id:
            raise CloudError(f"the response is about another job than {id}")
        return _status(job)

    def outcomes(self, id: str, program: RemoteProgram) -> tuple[list[Outcome | Failure], float]:
        with _ERRORS.reading():
            body = self._transport.get(f"{_job_path(id)}/result", ResultBody)
        if body.id != id:
            raise InvalidResult("it belongs to another job")
        if len(body.parts) != len(program.frames):
            raise InvalidResult(f"it has {len(body.parts)} results, not {len(program.frames)}")
        found = [
            _outcome(part, frame, program)
            for part, frame in zip(body.parts, program.frames, strict=True)
        ]
        return found, sum(part.seconds or 0.0 for part in body.parts)

    def cancel(self, id: str) -> None:
        with _ERRORS.cancelling():
            self._transport.post(f"{_job_path(id)}/cancel", None, JobBody)

    def device_status(self) -> RemoteDeviceStatus:
        name = quote(self._device, safe="")
        with _ERRORS.reading(on_404=Refused):
            device = self._transport.get(f"/v1/devices/{name}", DeviceBody)
            calibration = self._calibration(name) if device.calibration is not None else None
        is_online = device.status in ("on", "draining")
        reason = "" if is_online else device.reason or f"it is {device.status} there"
        queue = device.queue
        waiting = queue.length if isinstance(queue, msgspec.Struct) else None
        return RemoteDeviceStatus(is_online, reason, waiting, calibration)

    def _calibration(self, name: str) -> Calibration | None:
        body = self._transport.get(f"/v1/devices/{name}/calibration", dict[str, Any])
        fields = {key: value for key, value in body.items() if key not in ("id", "device")}
        try:
            return msgspec.convert(fields, Calibration, str_keys=True)  # qubits are keys
        except msgspec.ValidationError:  # of a newer version
            return None

    def list_devices(self) -> list[ListedDevice]:
        with _ERRORS.reading(on_404=CloudError):
            found = self._transport.get("/v1/devices", _Devices).devices
        # Photonic devices and those of atoms have specifications that this API does not show.
        return [_listed_device(each) for each in found if each.family == "qubit"]

    def close(self) -> None:
        self._transport.close()


def _listed_device(device: DeviceBody) -> ListedDevice:
    spec = {
        "description": device.description,
        "qubits": device.qubits,
        "formats": device.formats,
        "gates": device.gates,
        "native_gates": device.native_gates,
        "max_shots": device.max_shots,
        "outputs": device.outputs,
    }
    return ListedDevice(device.name, device.status, "qubit", device.qubits, spec)


def _job_path(id: str) -> str:
    return f"/v1/jobs/{quote(id, safe='')}"


def _status(job: JobBody) -> RemoteStatus:
    state: Any = _STATES.get(job.state)
    if state is None:
        raise CloudError(f"the job has the unknown state {job.state[:40]!r}")
    return RemoteStatus(state, job.error.message if job.error else "", marker_in(job.tags))


def _outcome(part: OutcomeBody, frame: Frame, program: RemoteProgram) -> Outcome | Failure:
    if part.error is not None:
        return Failure(part.error.code, part.error.message)
    common: dict[str, Any] = {
        "engine": part.engine,
        "engine_version": part.engine_version,
        "seed": part.seed or 0,
        "seconds": part.seconds or 0.0,
        "notes": part.notes,
    }
    if part.evs is not None:
        arrays = {EVS: _floats(part.evs), STDS: _floats(part.stds or [])}
        return Outcome(registers=(), arrays=arrays, **common)
    if part.samples is not None:
        return results.of_samples(_sample_rows(part.samples), frame, program.options, **common)
    if part.counts is None and part.probabilities is None and part.memory is None:
        raise InvalidResult("it has no outcome of a kind that can be forwarded")
    outputs = program.options.outputs
    if part.counts is not None and COUNTS not in outputs and part.probabilities is not None:
        part = msgspec.structs.replace(part, counts=None)
    return results.of_bits(
        frame,
        program.options,
        counts=_with_keys(part.counts),
        probabilities=_with_keys(part.probabilities),
        memory=None if part.memory is None else [_key(bits) for bits in part.memory],
        **common,
    )


def _sample_rows(rows: Any) -> Any:
    """Return samples as NumPy reads them: a pair of numbers is a complex one."""
    is_complex = any(isinstance(each, tuple) for row in rows[:1] for each in row)
    return [[complex(*each) for each in row] for row in rows] if is_complex else rows


def _floats(values: Sequence[float]) -> Array:
    from array import array

    return float64_array(array("d", values).tobytes())


def _with_keys(table: Mapping[str, Any] | None) -> dict[bytes, Any] | None:
    return None if table is None else {_key(bits): value for bits, value in table.items()}


def _key(bits: str) -> bytes:
    if set(bits) <= {"0", "1"}:
        return results.key_of(int(bits, 2) if bits else 0)
    raise InvalidResult(f"{bits[:40]!r} is not a key of bits")


def _submission_error(error: ClientError) -> Exception:
    """Return what the error of a client means for a submission."""
    if isinstance(error, ApiError):
        if error.code == "budget_spent":  # until the next period
            return NotAccepted(error.detail)
        if refusal := key_refusal(error.status, error.detail):
            return refusal
        # The code "error" marks a response without a code, which a proxy sent: the server behind
        # it may have the job.
        is_device_off = error.status == 503 and error.field == "device"
        if is_device_off or (error.status in (429, 503) and error.code != "error"):
            kind = TryLater if error.status == 429 else NotAccepted
            return kind(error.detail, getattr(error, "retry_after_s", 0.0))
        # `KeyReused`: an earlier submission under this marker, with another body, made a job there.
        is_unsure = error.status in UNSURE or error.code == KeyReused.code
        if 400 <= error.status < 500 and not is_unsure and not isinstance(error, ServerBusy):
            return Refused(error.detail)
        return OutcomeUnknown(str(error))
    was_not_sent = isinstance(error, Unreachable) and error.is_not_started
    return NotAccepted(str(error)) if was_not_sent else OutcomeUnknown(str(error))


def _status_of(error: Exception) -> int | None:
    return error.status if isinstance(error, ApiError) else None


_ERRORS: Final = ErrorTranslator(
    ClientError, _status_of, lambda error: float(getattr(error, "retry_after_s", 0.0))
)
