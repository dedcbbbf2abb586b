"""A device of IBM's Runtime API, classic channel. Jobs run its program `sampler`.

The Platform's API is the same with another sign-in, and runs `estimator` as well.

Jobs carry the marker as a tag. The account signs in at IBM's API of 2020, which names the address
of its Runtime API; an address at another host is refused, because requests there carry the access
token.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from qwicket.circuits import qubit
from qwicket.clients.http import HTTPClient, Request, RetryPolicy
from qwicket.clients.http.bounds import MAX_DEVICES
from qwicket.clients.http.sending import object_of, send
from qwicket.clients.http.text import json_bytes, quoted_path, scheme_and_host
from qwicket.drivers.remote import results
from qwicket.drivers.remote.calibrations import calibration
from qwicket.drivers.remote.calls import LeaseCheck
from qwicket.drivers.remote.clouds import (
    CloudError,
    InvalidResult,
    ListedDevice,
    NoSuchJob,
    NotAccepted,
    OutcomeUnknown,
    Refused,
    RemoteDeviceStatus,
    RemoteProgram,
    RemoteStatus,
)
from qwicket.drivers.remote.failures import (
    FORWARDED,
    SERVICE_ERRORS,
    before_submission,
    id_with_marker,
    marker_in,
    read_one_by_one,
    submission_error,
)
from qwicket.programs.openqasm.writer import NotWritable
from qwicket.vendors.ibm.client.client import IBMQXClient
from qwicket.vendors.ibm.client.encoding import HEADERS
from qwicket.vendors.ibm.client.errors import (
    IBMQXClientError,
    IBMQXError,
    IBMQXJobLimitError,
    failure,
)
from qwicket.vendors.ibm.client.responses import Device
from qwicket.vendors.ibm.primitives.writer import as_primitive
from qwicket.vendors.ibm.remote_qx import listed_device

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from qwicket.circuits.frames import Frame
    from qwicket.circuits.outcomes import Outcome
    from qwicket.clients.http import Response
    from qwicket.devices.remotes import Remote
    from qwicket.drivers.remote.clouds import RequireLease, Statuses
    from qwicket.model.failures import Failure
    from qwicket.model.groups import ForwardedGroup
    from qwicket.vendors.ibm.client.responses import Record
    from qwicket.vendors.ibm.platform_client import PlatformClient

_PAGE: Final = 200
_FEW: Final = 3
"""Up to this many jobs, one request each is less work than a list."""
_SECONDS: Final = ("qpu_charge_time_seconds", "quantum_seconds", "seconds")
"""Fields of a job's usage, the one that is charged first."""
_STATES: Final = {
    "queued": "waiting",
    "running": "running",
    "completed": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
    "cancelled - ran too long": "failed",
}


class _Client(IBMQXClient):
    """Client of the API at which an account signs in, and of its Runtime API."""

    retry_policy = RetryPolicy(max_attempts=1)
    _runtime: HTTPClient | None = None

    def __init__(self, remote: Remote, key: str, lease_check: LeaseCheck) -> None:
        super().__init__(key, url=remote.url)
        self.timeout_s = remote.timeout_s
        self._lease_check = lease_check

    def at_runtime(self, method: str, *place: str, body: Any = None, **query: Any) -> Any:
        """Return the object in the response, without the access token; {} if empty."""
        path = quoted_path(place, "id or name", IBMQXClientError)
        path += f"?{urlencode(query)}" if query else ""
        content = json_bytes(body, "The body", IBMQXClientError) if body else None
        runtime = self._runtime = self._runtime or self._connected()

        def exchange(access: str) -> Any:
            if method == "POST":
                self._lease_check()  # again after a sign-in
            request = Request(
                method,
                path,
                {**HEADERS, "X-Access-Token": access},
                content,
                self.timeout_s,
                [access, *self._credentials.values()],
                can_repeat=method == "GET",
            )

            def read(response: Response) -> dict[str, Any]:
                content = response.content.replace(access.encode(), b"...")
                return object_of(replace(response, content=content)) if content else {}

            return send(runtime, request, read, failure, self.retry_policy)

        return self._signed_in(exchange)

    def _connected(self) -> HTTPClient:
        try:
            url = self.me()["urls"]["services"]["runtime"]
            if scheme_and_host(url) == scheme_and_host(self._http.url):
                return HTTPClient(url, IBMQXClientError)
        except IBMQXError as error:
            raise before_submission(error) from None
        except (KeyError, TypeError, AttributeError):
            pass
        raise NotAccepted("the account there has no address of Runtime")

    def _sign_in(self) -> Record:
        try:
            return super()._sign_in()
        except IBMQXError as error:
            raise before_submission(error) from None

    def close(self) -> None:
        super().close()
        if self._runtime is not None:
            self._runtime.close()


class IBMRuntimeCloud:
    """One device of one account.

    Args:
        remote: Where the device is; its address is that of the API at which the account signs in.
        key: API token of the account.
    """

    formats = ()
    language: str | None = None  # `submit` rewrites programs, with registers of its own
    is_simulated = False
    client_class: type[_Client | PlatformClient] = _Client
    no_values: Any = None
    """What stands in a pub for the values of no parameters."""
    is_physical = False
    """Whether programs name the machine's own qubits."""

    def __init__(self, remote: Remote, key: str, _formats: tuple[str, ...] = ()) -> None:
        self._device = remote.device
        self._lease_check = LeaseCheck()
        self._client = self.client_class(remote, key, self._lease_check)

    def submit(self, program: RemoteProgram, marker: str, require_lease: RequireLease) -> str:
        try:
            name, params = self._written(program)
        except NotWritable as error:
            raise Refused(f"it cannot be written in OpenQASM 3: {error}") from None
        except RecursionError:
            raise Refused("it is nested too deeply for OpenQASM 3") from None
        body = {
            "program_id": name,
            "backend": self._device,
            "params": params,
            "tags": (marker, FORWARDED),
        }
        try:
            with self._lease_check.during(require_lease):
                if program.group is not None:
                    body["session_id"] = self._session(program.group)
                id = self._client.at_runtime("POST", "jobs", body=body).get("id")
        except IBMQXJobLimitError as error:  # temporary: other jobs will end
            raise NotAccepted(str(error)) from None
        except IBMQXError as error:
            raise submission_error(error) from None
        if not isinstance(id, str):
            raise OutcomeUnknown("the response has no id")
        return id

    def _written(self, program: RemoteProgram) -> tuple[str, dict[str, Any]]:
        """Return the program there that runs a job, and its parameters.

        Raises:
            NotWritable: A circuit cannot be written.
        """
        return as_primitive(
            qubit.unpack(program.circuits),
            program.options.shots,
            no_values=self.no_values,
            is_physical=self.is_physical,
        )

    def _session(self, group: ForwardedGroup) -> str:
        """Return the id of the session that a group of jobs is there."""
        raise NotImplementedError

    def find(self, marker: str, since_ms: int) -> str | None:
        del since_ms  # the API finds jobs by tag
        return self._id_with(marker)

    def _id_with(self, marker: str, **query: str) -> str | None:
        """Return the id of the job with a marker, if the list has it."""
        jobs = self._listed(tags=marker, limit=10, **query)
        return id_with_marker(marker, [(_marker(job), str(job["id"])) for job in jobs])

    def statuses(self, ids: Sequence[str]) -> Statuses:
        jobs = self._listed(tags=FORWARDED, limit=_PAGE) if len(ids) > _FEW else []
        listed = {str(job["id"]): job for job in jobs}
        return read_one_by_one(ids, lambda id: self._status(listed.get(id) or self._job(id)))

    def _listed(self, **query: Any) -> Sequence[Mapping[str, Any]]:
        with SERVICE_ERRORS.reading(on_404=CloudError):
            found = self._client.at_runtime("GET", "jobs", **query, exclude_params="true")
        jobs = found.get("jobs")
        if not isinstance(jobs, list):
            raise CloudError("the response has no list of jobs")
        return jobs

    def _job(self, id: str) -> Mapping[str, Any]:
        with SERVICE_ERRORS.reading():
            job: dict[str, Any] = self._client.at_runtime("GET", "jobs", id, exclude_params="true")
        if job.get("id") != id:
            raise CloudError(f"the response is about another job than {id}")
        return job

    @staticmethod
    def _status(job: Mapping[str, Any]) -> RemoteStatus:
        shown = job.get("state") or {"status": job.get("status")}
        state: Any = _STATES.get(str(shown.get("status")).lower())
        if state is None:
            raise CloudError(f"the job has the unknown state {str(shown.get('status'))[:40]!r}")
        return RemoteStatus(state, str(shown.get("reason") or ""), _marker(job))

    def outcomes(self, id: str, program: RemoteProgram) -> tuple[list[Outcome | Failure], float]:
        with SERVICE_ERRORS.reading():
            found = self._client.at_runtime("GET", "jobs", id, "results")
        try:
            parts = found["__value__"]["pub_results"]
            fields = [part["__value__"]["data"]["__value__"]["fields"] for part in parts]
        except (KeyError, TypeError):
            raise InvalidResult("it is no result of a primitive") from None
        if len(fields) != len(program.frames):
            raise InvalidResult(f"it has {len(fields)} results, not {len(program.frames)}")
        if program.frames[0].n_observables is not None:
            from qwicket.vendors.ibm import remote_estimates  # late, because it imports NumPy

            circuits = qubit.unpack(program.circuits)
            return [
                remote_estimates.outcome(each, circuit, self._device)
                for each, circuit in zip(fields, circuits, strict=True)
            ], self._seconds(id)
        shots = program.options.shots
        numbers = [
            _keys(each, frame, frame.shots or shots)
            for each, frame in zip(fields, program.frames, strict=True)
        ]
        return self._of_keys(numbers, program), self._seconds(id)

    def _of_keys(
        self, numbers: Iterable[list[int]], program: RemoteProgram
    ) -> list[Outcome | Failure]:
        """Return the outcome of each circuit, from the key of each of its shots."""
        outcomes: list[Outcome | Failure] = []
        for own, frame in zip(numbers, program.frames, strict=True):
            keys = [results.key_of(number) for number in own]
            outcomes.append(
                results.of_bits(
                    frame, program.options, engine=self._device, counts=Counter(keys), memory=keys
                )
            )
        return outcomes

    def _seconds(self, id: str) -> float:
        """Return the run time of a job; 0 if it is unknown."""
        try:
            with SERVICE_ERRORS.reading():
                found = self._client.at_runtime("GET", "jobs", id, "metrics")
            usage = found["usage"]
            return next(float(usage[key]) for key in _SECONDS if key in usage)
        except (CloudError, NoSuchJob, KeyError, TypeError, ValueError, StopIteration):
            return 0.0

    def cancel(self, id: str) -> None:
        with SERVICE_ERRORS.cancelling():
            self._client.at_runtime("POST", "jobs", id, "cancel")

    def device_status(self) -> RemoteDeviceStatus:
        place = ("backends", self._device)
        with SERVICE_ERRORS.reading(on_404=Refused):
            shown = self._client.at_runtime("GET", *place, "status")
        is_online = shown.get("state") is True
        reason = str(shown.get("message") or shown.get("status") or "it is off")
        length = shown.get("length_queue")
        found = calibration(
            SERVICE_ERRORS, lambda: self._client.at_runtime("GET", *place, "properties")
        )
        n_waiting = length if isinstance(length, int) else None
        return RemoteDeviceStatus(is_online, "" if is_online else reason, n_waiting, found)

    def list_devices(self) -> list[ListedDevice]:
        read = self._client.at_runtime
        with SERVICE_ERRORS.reading(on_404=CloudError):
            listed = read("GET", "backends").get("devices")
            if not isinstance(listed, list):
                raise CloudError("the response has no list of devices")
            if len(listed) > MAX_DEVICES:
                raise CloudError(
                    f"its list has {len(listed):,} devices; at most {MAX_DEVICES:,} are read"
                )
            names = [each.get("name") if isinstance(each, dict) else each for each in listed]
            found = [Device(read("GET", "backends", str(name), "configuration")) for name in names]
        return [self._listed_device(each) for each in found if each.n_qubits]

    def _listed_device(self, device: Device) -> ListedDevice:
        return listed_device(device, "qiskit.primitives")

    def close(self) -> None:
        self._client.close()


def _marker(job: Mapping[str, Any]) -> str | None:
    return marker_in(job.get("tags") or ())


def _keys(fields: Mapping[str, Any], frame: Frame, shots: int) -> list[int]:
    """Return the key of each shot, from arrays of registers.

    Raises:
        InvalidResult: An array is missing, malformed or of another size.
    """
    keys, start = [0] * shots, 0
    for k, register in enumerate(frame.registers):
        if not register.size:
            continue
        try:
            own = results.numbers_of_rows(fields[f"c{k}"]["__value__"], register.size, shots)
        except Exception:  # NumPy reads a header as Python literals, with any of their errors
            text = f"it has not {shots} shots of the {register.size} bits of {register.name}"
            raise InvalidResult(text) from None
        keys = [key | number << start for key, number in zip(keys, own, strict=True)]
        start += register.size
    return keys
