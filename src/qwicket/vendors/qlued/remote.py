"""A device of a server with qlued's API.

The API has no list of jobs. So if the response to a submission is lost, only a person can find out
whether the job exists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from qwicket.clients.http.retries import RetryPolicy
from qwicket.devices import built_in
from qwicket.drivers.remote import results
from qwicket.drivers.remote.clouds import (
    CloudError,
    InvalidResult,
    ListedDevice,
    NoProof,
    NoSuchJob,
    Refused,
    RemoteDeviceStatus,
    RemoteProgram,
    RemoteStatus,
)
from qwicket.drivers.remote.failures import SERVICE_ERRORS, read_one_by_one, submission_error
from qwicket.drivers.remote.pass_through import Key
from qwicket.vendors.qlued.client.client import QluedClient
from qwicket.vendors.qlued.client.errors import QluedError, QluedJobError
from qwicket.vendors.qlued.client.results import shots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.circuits.outcomes import Outcome
    from qwicket.devices.remotes import Remote
    from qwicket.drivers.remote.clouds import RequireLease, Statuses
    from qwicket.model.failures import Failure

_ONCE: Final = RetryPolicy(max_attempts=1)
_DONE: Final = "DONE"
_ERROR: Final = "ERROR"
_NO_ID: Final = "None"
"""Id in the response of a server that does not know the job."""
_UNKNOWN: Final = "Could not find the status file."
"""Detail in such a response of qlued's own software, which repeats the id in place of `_NO_ID`."""


class QluedCloud:
    """One device of one account on a server with qlued's API.

    Args:
        remote: Address of the server, and name of the device there.
        key: Token of the account.
        formats: Formats of the experiments that the device runs.
    """

    language = None
    is_simulated = False

    def __init__(self, remote: Remote, key: str, formats: tuple[str, ...]) -> None:
        self._device = remote.device
        self.formats = formats
        self._client = QluedClient(remote.url, key)
        self._client.retry_policy = _ONCE
        self._client.timeout_s = remote.timeout_s

    def submit(self, program: RemoteProgram, marker: str, require_lease: RequireLease) -> str:
        del marker  # jobs there have no field for it
        try:
            return self._client.post(self._device, msgspec.json.decode(program.source))
        except QluedError as error:
            raise submission_error(error) from None

    def find(self, marker: str, since_ms: int) -> str | None:
        del since_ms
        raise NoProof(f"it has no list of jobs in which to look for {marker}")

    def statuses(self, ids: Sequence[str]) -> Statuses:
        return read_one_by_one(ids, self._status)

    def _status(self, id: str) -> RemoteStatus:
        with SERVICE_ERRORS.reading():
            found = self._client.status(self._device, id)
        if found.get("job_id") == _NO_ID:
            raise NoSuchJob(id)
        if found.get("job_id") != id:
            raise CloudError(f"the response is about another job than {id}")
        if found.get("status") == _ERROR:
            if found.get("detail") == _UNKNOWN:
                raise NoSuchJob(id)
            return RemoteStatus("failed", str(found.get("error_message") or found.get("detail")))
        return RemoteStatus("completed" if found.get("status") == _DONE else "running")

    def outcomes(self, id: str, program: RemoteProgram) -> tuple[list[Outcome | Failure], float]:
        with SERVICE_ERRORS.reading():
            try:
                document = self._client.result(self._device, id)
                found = shots(document)
            except QluedJobError as error:
                raise InvalidResult(error.message) from None
        if document.get("job_id") != id:
            raise InvalidResult("it belongs to another job")
        if len(found) != len(program.frames):
            raise InvalidResult(f"it has {len(found)} results, not {len(program.frames)}")
        return [
            results.of_samples(numbers, frame, program.options, engine=self._device)
            for numbers, frame in zip(found, program.frames, strict=True)
        ], 0.0

    def cancel(self, id: str) -> None:
        """Do nothing: the API has no such call, and the job runs to its end."""

    def device_status(self) -> RemoteDeviceStatus:
        with SERVICE_ERRORS.reading(on_404=lambda _: Refused(f"there is no device {self._device}")):
            found = self._client.backend_status(self._device)
        is_online = found.get("operational") is True
        waiting = found.get("pending_jobs")
        return RemoteDeviceStatus(
            is_online,
            "" if is_online else str(found.get("status_msg") or "it does not run jobs there"),
            waiting if isinstance(waiting, int) else None,
        )

    def list_devices(self) -> list[ListedDevice]:
        with SERVICE_ERRORS.reading(on_404=CloudError):
            backends = self._client.backends()
        return [listed for each in backends if (listed := _listed_device(each)) is not None]

    def close(self) -> None:
        self._client.close()


def _listed_device(config: dict[str, Any]) -> ListedDevice | None:
    """Return a device as `ListedDevice`; None if its description or one of its gates is unknown.

    Qwicket has one format for each kind of machine. The device gets the format of the first
    built-in device that has all of its gates.
    """
    name = str(config.get("display_name") or config.get("backend_name"))
    try:
        gates = tuple(_gate(each) for each in config["gates"])
        names = tuple(each["name"] for each in gates)
        formats = next(
            device.spec.formats
            for device in built_in()
            if device.family == "atoms" and {*names} <= {*device.spec.gates}
        )
        width = int(config["n_qubits"])
        spec = {
            "description": str(config.get("description") or name),
            "qubits": width,
            "formats": formats,
            "gates": config["supported_instructions"],
            "max_shots": int(config["max_shots"]),
            "outputs": ("samples",),
            "atoms": {
                "version": str(config.get("backend_version") or "0.0"),
                "kind": config["cold_atom_type"],
                "species": int(config.get("num_species") or 1),
                "wire_order": config.get("wire_order") or "interleaved",
                "instructions": [
                    each for each in config["supported_instructions"] if each not in names
                ],
                "max_experiments": int(config["max_experiments"]),
                "is_simulator": config.get("simulator") is True,
                "gates": gates,
            },
        }
    except (KeyError, TypeError, ValueError, StopIteration):
        return None
    return ListedDevice(name, "", "atoms", width, spec)


def _gate(given: dict[str, Any]) -> dict[str, Any]:
    """Return a gate as device files have it; qlued may join its parameters in one text."""
    parameters = [name for text in given["parameters"] for name in str(text).split(", ") if name]
    found = {
        "name": str(given["name"]),
        "description": str(given.get("description") or given["name"]),
        "parameters": parameters,
        "wires": given["coupling_map"],
    }
    definition = str(given.get("qasm_def") or "")
    return {**found, "definition": definition} if definition else found


def pass_through_key(_remote: Remote, key: str) -> Key:
    """Return what requests that are passed on are signed with."""
    return Key(key, "Bearer ")
