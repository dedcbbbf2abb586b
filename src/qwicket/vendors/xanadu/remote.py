"""A device of a server with Xanadu Cloud's API. Jobs carry the marker as their name."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from requests.exceptions import HTTPError, RequestException

from qwicket.clients.http import bounds
from qwicket.drivers.remote import results
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
    ErrorTranslator,
    key_refusal,
    read_one_by_one,
    submission_error_of_status,
)
from qwicket.vendors.xanadu.client.connection import SIGN_IN_PATH, Connection
from qwicket.vendors.xanadu.client.device import Device
from qwicket.vendors.xanadu.client.job import Job

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from requests import Response

    from qwicket.circuits.outcomes import Outcome
    from qwicket.devices.remotes import Remote
    from qwicket.drivers.remote.clouds import RequireLease, Statuses
    from qwicket.model.failures import Failure

_LIST_SIZES: Final = (1000, 100, 10)
"""Sizes of the list in which a job is looked for; the next one if the server refuses a size."""
_SKEW_S: Final = 3600.0
"""Seconds by which the clocks may differ."""
_SHORTEST_PAGE: Final = 5
"""A list with fewer jobs than this is complete: no server has such short pages."""
_MAX_IDS: Final = 50
"""Ids in one URL, whose length servers limit to some kilobytes."""
_STATES: Final = {
    "open": "waiting",
    "queued": "waiting",
    "running": "running",
    "cancel_pending": "running",
    "complete": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
}


class _Connection(Connection):
    """Connection that checks the lease before each request of a submission, also after a sign-in.

    Attributes:
        lease_check: Checks the lease.
    """

    lease_check: LeaseCheck

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], kwargs: Mapping[str, Any]
    ) -> Response:
        if urlsplit(url).path != SIGN_IN_PATH:
            self.lease_check()
        return super()._send(method, url, headers, kwargs)


def connection_arguments(remote: Remote, key: str) -> dict[str, Any]:
    """Return the arguments of a `Connection`.

    Raises:
        ValueError: The address has no host.
    """
    parts = urlsplit(remote.url)
    is_secure = parts.scheme == "https"
    if not parts.hostname:
        raise ValueError("remote: url has no host")
    return {
        "refresh_token": key,
        "host": parts.hostname,
        "port": parts.port or (443 if is_secure else 80),
        "tls": is_secure,
        "timeout_s": remote.timeout_s,
    }


class AccessToken:
    """Access token for requests that are passed on; the key of the account is exchanged for it."""

    header_name = "Authorization"

    def __init__(self, remote: Remote, key: str) -> None:
        self._connection = Connection(**connection_arguments(remote, key))
        self._lock = threading.Lock()

    @property
    def secret(self) -> str:
        return self._connection.access_token or ""

    def header(self) -> str:
        """Return the value of the header Authorization.

        Raises:
            KeyRefused: The server does not accept the key.
            NotAccepted: The sign-in failed.
        """
        if not self.secret:
            self.renew("")
        return f"Bearer {self.secret}"

    def renew(self, refused: str) -> bool:
        """Replace the token that was refused in a header; return True: the request may be repeated.

        Raises:
            KeyRefused: As for `header`.
            NotAccepted: As for `header`.
        """
        with self._lock:  # of many requests with an expired token, only one signs in
            if self.secret and refused != f"Bearer {self.secret}":
                return True
            try:
                with bounds.within(bounds.SMALL):
                    self._connection.update_access_token()
            except RequestException as error:
                if refusal := key_refusal(_status_of(error), str(error)):
                    raise refusal from None
                raise NotAccepted(str(error)) from None
        return True


class XanaduCloud:
    """One device of one account.

    Args:
        remote: Where the device is; of the address only host, port and scheme count.
        key: API key of the account, which fetches access tokens.

    Raises:
        ValueError: The address has no host, or the key would go to the wrong cloud.
    """

    formats = ("blackbird",)
    language = None
    is_simulated = False

    def __init__(self, remote: Remote, key: str, _formats: tuple[str, ...] = ()) -> None:
        self._device = remote.device
        self._connection = _Connection(**connection_arguments(remote, key))
        self._connection.lease_check = LeaseCheck()

    def submit(self, program: RemoteProgram, marker: str, require_lease: RequireLease) -> str:
        source = program.source.decode()
        try:
            with self._connection.lease_check.during(require_lease):
                return Job.submit(self._connection, marker, self._device, source).id
        except HTTPError as error:
            raise submission_error_of_status(_status_of(error), str(error)) from None
        except RequestException as error:
            raise OutcomeUnknown(str(error)) from None

    def find(self, marker: str, since_ms: int) -> str | None:
        with _ERRORS.reading(on_404=CloudError):
            found = self._newest()
            for job in found:
                if job.name == marker:
                    return job.id
            times = [_seconds(job.created_at) for job in found]
        # A server may return fewer jobs than the limit of the request, without saying so.
        if len(times) < _SHORTEST_PAGE:
            return None
        is_newest_first = times == sorted(times, reverse=True)
        if is_newest_first and times[-1] <= since_ms / 1000 - _SKEW_S:
            return None
        raise NoProof(f"its list of {len(times)} jobs does not reach back far enough")

    def _newest(self) -> Sequence[Job]:
        """Return the newest jobs, as many as the server lists at once."""
        for size in _LIST_SIZES[:-1]:
            try:
                return Job.list(self._connection, limit=size)
            except HTTPError as error:
                if _status_of(error) != HTTPStatus.BAD_REQUEST:
                    raise
        return Job.list(self._connection, limit=_LIST_SIZES[-1])

    def statuses(self, ids: Sequence[str]) -> Statuses:
        listed: dict[str, Job] = {}
        for first in range(0, len(ids), _MAX_IDS):
            with _ERRORS.reading(on_404=CloudError):
                found = Job.list(self._connection, ids=ids[first : first + _MAX_IDS])
            listed |= {job.id: job for job in found}

        def read(id: str) -> RemoteStatus:
            job = listed.get(id) or Job(id, self._connection)  # the list may lack jobs
            with _ERRORS.reading():
                return _state(job)

        return read_one_by_one(ids, read)

    def outcomes(self, id: str, program: RemoteProgram) -> tuple[list[Outcome | Failure], float]:
        job = Job(id, self._connection)
        with _ERRORS.reading():
            output = job.get_result()["output"]
            ran_for = job.running_time
        if len(output) != len(program.frames):
            raise InvalidResult(f"it has {len(output)} arrays, not {len(program.frames)}")
        seconds = ran_for.total_seconds() if ran_for is not None else 0.0
        return [
            results.of_samples(
                numbers, frame, program.options, engine=self._device, seconds=seconds
            )
            for numbers, frame in zip(output, program.frames, strict=True)
        ], seconds

    def cancel(self, id: str) -> None:
        with _ERRORS.cancelling():
            Job(id, self._connection).cancel()

    def device_status(self) -> RemoteDeviceStatus:
        with _ERRORS.reading(on_404=lambda _: Refused(f"there is no device {self._device}")):
            is_online = Device(self._device, self._connection).up
        return RemoteDeviceStatus(is_online, "" if is_online else "it is offline there")

    def list_devices(self) -> list[ListedDevice]:
        with _ERRORS.reading(on_404=CloudError):
            return [_listed_device(each) for each in Device.list(self._connection)]

    def close(self) -> None:
        """Do nothing: each request has a connection of its own."""


def _seconds(at: datetime | None) -> float:
    if at is None:
        raise CloudError("a job has no time")
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _state(job: Job) -> RemoteStatus:
    state: Any = _STATES.get(job.status)
    if state is None:
        raise CloudError(f"the job has the unknown state {job.status[:40]!r}")
    detail = job.metadata.get("error-detail") or job.metadata.get("error-code") or ""
    return RemoteStatus(state, str(detail), job.name)


def _listed_device(device: Device) -> ListedDevice:
    described = device.specification
    modes = described.get("modes")
    width = _width(modes)
    ranges = described.get("gate_parameters")
    certificate = device.certificate
    photonic = {
        "since": datetime.now(UTC).replace(microsecond=0),
        "modes": modes,
        "compilers": list(described.get("compiler") or ()),
        "layout": str(described.get("layout") or ""),
        "gate_parameters": ranges if isinstance(ranges, dict) else {},
        "certificate": {
            key: value for key, value in certificate.items() if isinstance(value, str | float)
        },
    }
    spec = {
        "description": f"Xanadu's {device.target}",
        "qubits": width,
        "formats": ("blackbird",),
        "max_shots": 1_000_000,
        "outputs": ("samples",),
        "photonic": photonic,
    }
    return ListedDevice(device.target, device.status, "photonic", width, spec)


def _width(modes: object) -> int:
    """Return the maximum number of modes; of time-domain devices, all bins and loops together."""
    if isinstance(modes, dict):
        if isinstance(modes.get("temporal_max"), int):
            return int(modes["temporal_max"]) + int(modes.get("concurrent") or 1) - 1
        return max(map(_width, modes.values()), default=1)
    return modes if isinstance(modes, int) and modes > 0 else 1


def _status_of(error: Exception) -> int | None:
    if not isinstance(error, RequestException) or error.response is None:
        return None
    status = error.response.status_code
    is_sign_in = urlsplit(error.response.url).path == SIGN_IN_PATH
    # The sign-in refuses an expired API key with status 400.
    return 401 if is_sign_in and 400 <= status < 500 and status != 429 else status


_ERRORS: Final = ErrorTranslator(RequestException, _status_of)
