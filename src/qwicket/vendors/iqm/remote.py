"""A quantum computer behind IQM Server's API.

The API has no list of jobs. So if the response to a submission is lost, only a person can find out
whether the job exists.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from qwicket.circuits.qubit import Measure, QubitCircuit, unpack
from qwicket.clients.http.retries import RetryPolicy
from qwicket.drivers.remote import results
from qwicket.drivers.remote.calibrations import calibration
from qwicket.drivers.remote.clouds import (
    CloudError,
    InvalidResult,
    ListedDevice,
    NoProof,
    Refused,
    RemoteDeviceStatus,
    RemoteProgram,
    RemoteStatus,
)
from qwicket.drivers.remote.failures import SERVICE_ERRORS, read_one_by_one, submission_error
from qwicket.drivers.remote.pass_through import Key
from qwicket.vendors.iqm.names import qubit_number
from qwicket.vendors.iqm.remote_errors import IQMError
from qwicket.vendors.iqm.remote_server import IQMServer
from qwicket.vendors.iqm.writer import key_of_bit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from qwicket.circuits.frames import Frame
    from qwicket.circuits.outcomes import Outcome
    from qwicket.devices.remotes import Remote
    from qwicket.drivers.remote.clouds import RequireLease, Statuses
    from qwicket.model.failures import Failure

_FORMAT: Final = "iqm.circuits"
_ONCE: Final = RetryPolicy(max_attempts=1)
"""The driver repeats requests, not the client."""
_STATES: Final = {
    "waiting": "waiting",
    "processing": "running",
    "completed": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
}
_MAX_SHOTS: Final = 20_000


class IQMCloud:
    """One quantum computer of one account.

    Args:
        remote: Address of the server, and alias of the quantum computer.
        key: Token of the account.
    """

    formats = (_FORMAT,)
    language: str | None = _FORMAT
    is_simulated = False

    def __init__(self, remote: Remote, key: str, _formats: tuple[str, ...] = ()) -> None:
        self._device = remote.device
        self._client = IQMServer(remote.url, key)
        self._client.retry_policy = _ONCE
        self._client.timeout_s = remote.timeout_s

    def submit(self, program: RemoteProgram, marker: str, require_lease: RequireLease) -> str:
        del marker  # jobs there have no field for it
        content = msgspec.json.decode(program.source)
        # Shots, options and calibration set in the source are those of this server's client.
        body = {
            "circuits": content["circuits"],
            "qubit_mapping": content.get("qubit_mapping"),
            "shots": program.options.shots,
            "calibration_set_id": None,
        }
        try:
            job = self._client.submit(self._device, body)
        except IQMError as error:
            raise submission_error(error) from None
        return str(job["id"])

    def find(self, marker: str, since_ms: int) -> str | None:
        del since_ms
        raise NoProof(f"it has no list of jobs in which to look for {marker}")

    def statuses(self, ids: Sequence[str]) -> Statuses:
        return read_one_by_one(ids, self._status)

    def _status(self, id: str) -> RemoteStatus:
        with SERVICE_ERRORS.reading():
            found = self._client.job(id)
        if found.get("id") != id:
            raise CloudError(f"the response is about another job than {id}")
        state: Any = _STATES.get(str(found.get("status")))
        if state is None:
            raise CloudError(f"the job has the unknown state {str(found.get('status'))[:40]!r}")
        return RemoteStatus(state, "; ".join(_messages(found)))

    def outcomes(self, id: str, program: RemoteProgram) -> tuple[list[Outcome | Failure], float]:
        circuits = unpack(program.circuits)
        with SERVICE_ERRORS.reading():
            found = self._client.measurements(id)
        if not isinstance(found, list) or len(found) != len(circuits):
            raise InvalidResult("it has no measurements for each circuit")
        return [
            self._outcome(measurements, circuit, frame, program)
            for measurements, circuit, frame in zip(found, circuits, program.frames, strict=True)
        ], 0.0

    def _outcome(
        self, measurements: Any, circuit: QubitCircuit, frame: Frame, program: RemoteProgram
    ) -> Outcome:
        shots = program.options.shots
        bits = [0] * shots
        try:
            for clbit, key, column in _columns(circuit, is_as_written=program.format == _FORMAT):
                rows = measurements[key]
                if len(rows) != shots:
                    raise InvalidResult(f"{key[:40]!r} has {len(rows)} shots, not {shots}")
                for shot, row in enumerate(rows):
                    bits[shot] |= _bit(row[column]) << clbit
        except (KeyError, IndexError, TypeError):
            raise InvalidResult("it has no bits for each measurement") from None
        memory = [*map(results.key_of, bits)]
        return results.of_bits(
            frame, program.options, engine=self._device, counts=Counter(memory), memory=memory
        )

    def cancel(self, id: str) -> None:
        with SERVICE_ERRORS.cancelling():
            self._client.cancel(id)

    def device_status(self) -> RemoteDeviceStatus:
        names = [str(each.get("alias")) for each in self._computers()]
        if self._device not in names:
            known = ", ".join(names)[:300]
            raise Refused(f"there is no quantum computer {self._device}; there are {known}")
        with SERVICE_ERRORS.reading(on_404=CloudError):
            health = self._client.health(self._device)
        is_online = health.get("healthy") is not False
        reason = "" if is_online else str(health.get("reason") or "it is not healthy there")
        found = calibration(SERVICE_ERRORS, self._characterization)
        return RemoteDeviceStatus(is_online, reason, None, found)

    def _characterization(self) -> dict[str, Any]:
        architecture = self._client.architecture(self._device)
        id = str(architecture["calibration_set_id"])
        return {
            "architecture": architecture,
            "metrics": self._client.metrics(self._device, id),
            "calibration_set": self._client.calibration_set(self._device, id),
        }

    def list_devices(self) -> list[ListedDevice]:
        return [self._listed(str(each.get("alias")), each) for each in self._computers()]

    def _listed(self, name: str, computer: Mapping[str, Any]) -> ListedDevice:
        with SERVICE_ERRORS.reading(on_404=CloudError):
            architecture = self._client.architecture(name)
        numbers = map(qubit_number, map(str, architecture.get("qubits") or ()))
        width = 1 + max((number for number in numbers if number is not None), default=0)
        spec = {
            "description": str(computer.get("display_name") or name),
            "qubits": width,
            "formats": (_FORMAT, "openqasm3", "openqasm2"),
            "gates": ("u", "cz"),
            "max_shots": _MAX_SHOTS,
            "outputs": ("counts", "memory"),
        }
        return ListedDevice(name, "", "qubit", width, spec)

    def _computers(self) -> list[dict[str, Any]]:
        with SERVICE_ERRORS.reading(on_404=CloudError):
            found = self._client.quantum_computers().get("quantum_computers")
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise CloudError("it has no list of quantum computers")
        return found

    def close(self) -> None:
        self._client.close()


def _columns(circuit: QubitCircuit, *, is_as_written: bool) -> Iterator[tuple[int, str, int]]:
    """Yield each measured classical bit with its key, and its place among the key's qubits."""
    if is_as_written:
        clbit = 0
        for register in circuit.registers:
            for column in range(register.size):
                yield clbit, register.name, column
                clbit += 1
        return
    for op in circuit.ops:
        if isinstance(op, Measure):
            yield op.clbit, key_of_bit(op.clbit), 0


def _bit(value: object) -> int:
    if value not in (0, 1) or not isinstance(value, int):
        raise InvalidResult(f"{str(value)[:40]!r} is not a bit")
    return int(value)


def _messages(job: Mapping[str, Any]) -> Iterator[str]:
    for each in job.get("errors") or ():
        if isinstance(each, dict) and each.get("message"):
            yield str(each["message"])


def pass_through_key(_remote: Remote, key: str) -> Key:
    """Return what requests that are passed on are signed with."""
    return Key(key, "Bearer ")
