"""A device of Amazon Braket, or of a cloud that speaks its API.

Requests go to two addresses, which stand in the device's file: Braket's, and that of the bucket
with the results; with a role also to that of STS. Whatever else a response names is not followed.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from math import inf
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from qwicket.circuits.qubit import unpack
from qwicket.clients.http import bounds
from qwicket.drivers.remote.calibrations import calibration
from qwicket.drivers.remote.clouds import (
    MARKER_PREFIX,
    CloudError,
    InvalidResult,
    ListedDevice,
    NoProof,
    Refused,
    RemoteDeviceStatus,
    RemoteProgram,
    RemoteStatus,
)
from qwicket.drivers.remote.failures import SERVICE_ERRORS, read_one_by_one
from qwicket.drivers.remote.renewals import Renewed
from qwicket.vendors.braket.ahs import MAX_ATOMS
from qwicket.vendors.braket.credentials import Credentials, credentials_of
from qwicket.vendors.braket.dialect import analog
from qwicket.vendors.braket.reader import BraketSource
from qwicket.vendors.braket.remote_errors import BraketError, submission_error
from qwicket.vendors.braket.remote_server import BraketService, SignedHost
from qwicket.vendors.braket.roles import Role
from qwicket.vendors.braket.windows import next_opening

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qwicket.circuits.outcomes import Outcome
    from qwicket.devices.remotes import Remote
    from qwicket.drivers.remote.clouds import RequireLease, Statuses
    from qwicket.model.devices import Family
    from qwicket.model.failures import Failure

_FORMAT: Final = "braket.openqasm3"
_PROGRAM: Final = "braket.ir.openqasm.program"
_ANALOG: Final = "ahs"
_PROGRAM_SET: Final = "braket.ir.openqasm.program_set"
_MARKER: Final = "qwicket_job"
"""Key of the tag with the marker. The marker is also the task's client token."""
_PREFIX: Final = "qwicket"
"""Folder of the results in the bucket."""
_SKEW_S: Final = 3600.0
"""Seconds by which the clocks may differ: signatures bear a quarter of it."""
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REGION: Final = re.compile(r"[a-z0-9-]{1,32}")
_TASK: Final = re.compile(r"arn:aws[a-z-]*:braket:[a-z0-9-]+:[0-9]+:quantum-task/([0-9A-Za-z-]+)")
_STATES: Final = {
    "CREATED": "waiting",
    "QUEUED": "waiting",
    "RUNNING": "running",
    "CANCELLING": "running",
    "COMPLETED": "completed",
    "FAILED": "failed",
    "CANCELLED": "cancelled",
}
_GATES: Final = (
    *("x", "y", "z", "h", "s", "si", "t", "ti", "v", "vi", "rx", "ry", "rz"),
    *("cnot", "cy", "cz", "swap", "xx", "yy"),
)
"""Gates to which programs may be compiled, where the device has them."""
_UNITS: Final = {
    "shot": ("per_shot", 1),
    "task": ("per_job", 1),
    "minute": ("per_second", 60),
    "hour": ("per_second", 3600),
}
"""Field of a device's cost for each unit of a price, and its number of units."""
_TASK_USD: Final = 0.3
"""Price of a task on a machine with a price per shot (https://aws.amazon.com/braket/pricing/)."""


class BraketCloud:
    """One device of one account.

    A task's client token is its marker, and so is one of its tags. After a lost answer the task is
    sought by the tag; the same request, sent again soon, gets the task that the first one made.

    Args:
        remote: Addresses of Braket and of the bucket, and ARN of the device.
        key: Key pair of the account, as `credentials_of` reads it; with a role, it signs requests
            for temporary key pairs alone.
        max_pages: Maximum number of pages that are read of a list.
    """

    formats = (_FORMAT, _ANALOG)
    language: str | None = _FORMAT
    is_simulated = False

    def __init__(
        self, remote: Remote, key: str, _formats: tuple[str, ...] = (), *, max_pages: int = 1000
    ) -> None:
        self._device = remote.device
        self._region = remote.region
        self._is_amazons = (urlsplit(remote.url).hostname or "").endswith(".amazonaws.com")
        self._bucket = remote.bucket.rstrip("/").rpartition("/")[2]
        self._max_pages = max_pages
        if not _REGION.fullmatch(self._region):
            raise ValueError("region must be one of Amazon's, such as us-east-1")
        if not _BUCKET.fullmatch(self._bucket):
            raise ValueError(
                "bucket must be the address of a bucket, as"
                " https://s3.us-east-1.amazonaws.com/amazon-braket-results"
            )
        pair, timeout_s = credentials_of(key), remote.timeout_s
        keys: Renewed[Credentials] = Renewed(lambda: (pair, inf), timeout_s)
        self._role: Role | None = None
        if remote.role_arn:
            sts = SignedHost(remote.sts_url, "sts", remote.region, keys, timeout_s)
            self._role = Role(remote.role_arn, sts)
            keys = Renewed(self._role.assume, timeout_s)
        self._service = BraketService(remote.url, remote.bucket, remote.region, keys, timeout_s)

    def submit(self, program: RemoteProgram, marker: str, require_lease: RequireLease) -> str:
        if program.format not in self.formats:
            raise Refused(
                "only circuits and analog programs are sent to Braket, no programs of"
                f" {program.format}"
            )
        if any(frame.n_readouts is not None and not frame.shots for frame in program.frames):
            raise Refused("exact results are not asked for at Braket: the program needs shots")
        # The same job must have the same bytes each time, or the token would not be honoured.
        action, shots = _action(program)
        body = {
            "deviceArn": self._device,
            "action": msgspec.json.encode(action).decode(),
            "shots": shots,
            "outputS3Bucket": self._bucket,
            "outputS3KeyPrefix": _PREFIX,
            "clientToken": marker,
            "tags": {_MARKER: marker},
        }
        check = None if self._role is None else require_lease  # its key pair may have taken time
        try:
            return str(self._service.create_task(body, check)["quantumTaskArn"])
        except BraketError as error:
            raise submission_error(error) from None

    def find(self, marker: str, since_ms: int) -> str | None:
        since = datetime.fromtimestamp(since_ms / 1000 - _SKEW_S, UTC)
        filters = [
            {"name": "deviceArn", "operator": "EQUAL", "values": [self._device]},
            {
                "name": "createdAt",
                "operator": "GTE",
                "values": [since.strftime("%Y-%m-%dT%H:%M:%SZ")],
            },
        ]
        token: str | None = None
        tokens: set[str] = set()
        for _ in range(self._max_pages):
            with SERVICE_ERRORS.reading(on_404=CloudError):
                page = self._service.search_tasks(filters, token)
            for task in _objects(page, "quantumTasks"):
                if _marker(task) == marker:
                    return str(task["quantumTaskArn"])
            token = _next_token(page, tokens)
            if token is None:
                return None
        raise NoProof(f"its list of tasks has more than {self._max_pages} pages")

    def statuses(self, ids: Sequence[str]) -> Statuses:
        return read_one_by_one(ids, self._status)

    def _status(self, id: str) -> RemoteStatus:
        task = self._task(id)
        state: Any = _STATES.get(str(task.get("status")))
        if state is None:
            raise CloudError(f"the task has the unknown state {str(task.get('status'))[:40]!r}")
        return RemoteStatus(state, str(task.get("failureReason") or ""), _marker(task))

    def _task(self, id: str) -> dict[str, Any]:
        with SERVICE_ERRORS.reading():
            task = self._service.task(id)
        if task.get("quantumTaskArn") != id:
            raise CloudError(f"the response is about another task than {id}")
        return task

    def outcomes(self, id: str, program: RemoteProgram) -> tuple[list[Outcome | Failure], float]:
        from qwicket.vendors.braket import remote_results  # late: it imports NumPy

        match = _TASK.fullmatch(id)
        if match is None:
            raise InvalidResult(f"{id[:100]!r} is not the ARN of a task")
        folder = f"{_PREFIX}/{match[1]}"
        task = self._task(id)
        if (task.get("outputS3Bucket"), task.get("outputS3Directory")) != (self._bucket, folder):
            raise InvalidResult(f"it is not in {folder} of the bucket {self._bucket}")

        def read(path: str) -> Any:
            with SERVICE_ERRORS.reading():
                return self._service.result(f"{folder}/{path}")

        document = read("results.json")
        metadata = document.get("taskMetadata") if isinstance(document, dict) else None
        if not isinstance(metadata, dict) or metadata.get("id") != id:
            raise InvalidResult("it belongs to another task")
        if program.format == _ANALOG:
            (frame,) = program.frames
            return [remote_results.of_analog(document, frame, program.options, self._device)], 0.0
        circuits = unpack(program.circuits)
        found = remote_results.outcomes(
            document, circuits, program.frames, program.options, self._device, read
        )
        return found, remote_results.seconds(document)

    def cancel(self, id: str) -> None:
        with SERVICE_ERRORS.cancelling():
            self._service.cancel_task(id, _marker(self._task(id)) or id[-36:])

    def device_status(self) -> RemoteDeviceStatus:
        with SERVICE_ERRORS.reading(on_404=Refused):
            device = self._service.device(self._device)
        status = str(device.get("deviceStatus"))
        is_online = status == "ONLINE"
        reason = "" if is_online else f"it is {status[:40]} there"
        if is_online and (opening := _next_opening(device)) is not None:
            is_online = False
            reason = f"its next window there opens at {opening:%Y-%m-%d %H:%M} UTC"
        found = calibration(SERVICE_ERRORS, lambda: {**device, "deviceCapabilities": _text(device)})
        return RemoteDeviceStatus(is_online, reason, _n_waiting(device), found)

    def list_devices(self) -> list[ListedDevice]:
        found = []
        for arn in self._arns():
            with SERVICE_ERRORS.reading(on_404=CloudError):
                device = self._service.device(arn)
            listed = _listed(arn, device, is_amazons=self._is_amazons)
            if listed is not None:
                found.append(listed)
        return found

    def _arns(self) -> list[str]:
        """Return the ARNs of the devices that are in this region, or in all."""
        found: list[str] = []
        token: str | None = None
        tokens: set[str] = set()
        for _ in range(self._max_pages):
            with SERVICE_ERRORS.reading(on_404=CloudError):
                page = self._service.search_devices(token)
            for device in _objects(page, "devices"):
                arn = str(device.get("deviceArn"))
                region = (arn.split(":") + [""] * 4)[3]
                if region in ("", self._region) and device.get("deviceStatus") != "RETIRED":
                    found.append(arn)
            if len(found) > bounds.MAX_DEVICES:
                raise CloudError(
                    f"its list has over {bounds.MAX_DEVICES:,} devices, more than are read"
                )
            token = _next_token(page, tokens)
            if token is None:
                break
        return found

    def close(self) -> None:
        self._service.close()
        if self._role is not None:
            self._role.close()


def _action(program: RemoteProgram) -> tuple[dict[str, Any], int]:
    """Return the action of a task and its shots: of a program set those of all its runs."""
    if program.format == _ANALOG:
        return analog.action(program.source), program.options.shots
    source = msgspec.json.decode(program.source, type=BraketSource)
    shots = source.shots or program.options.shots
    if not source.programs:
        return _headed(_PROGRAM, source=source.source, inputs=source.inputs), shots
    programs = [
        _headed(_PROGRAM, source=each.source, **({"inputs": each.inputs} if each.inputs else {}))
        for each in source.programs
    ]
    n_runs = sum(each.n_executables for each in source.programs)
    return _headed(_PROGRAM_SET, programs=programs), shots * n_runs


def _headed(name: str, **fields: Any) -> dict[str, Any]:
    return {"braketSchemaHeader": {"name": name, "version": "1"}, **fields}


def _objects(page: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = page.get(name)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise CloudError(f"its response has no list {name}")
    return found


def _next_token(page: Mapping[str, Any], earlier: set[str]) -> str | None:
    """Return the token of the next page, and add it to the earlier ones; None after the last."""
    token = page.get("nextToken") or None
    if token is None:
        return None
    if not isinstance(token, str) or token in earlier:
        raise CloudError("its list has a page twice, or names no next one")
    earlier.add(token)
    return token


def _marker(task: Mapping[str, Any]) -> str | None:
    """Return the marker in a task's tags; None if there is none: anybody may remove a tag."""
    tags = task.get("tags")
    found = tags.get(_MARKER) if isinstance(tags, dict) else None
    return found if isinstance(found, str) and found.startswith(MARKER_PREFIX) else None


def _text(device: Mapping[str, Any]) -> str:
    """Return the capabilities of a device, JSON in a text, if they are within the bounds."""
    text = device.get("deviceCapabilities")
    limits = bounds.SMALL
    if not isinstance(text, str):
        raise CloudError("the device has no capabilities")
    content = text.encode("utf-8", "replace")
    if bounds.is_nested_deeper(content, limits.max_depth or 0) or bounds.number_of_lists(
        content
    ) > (limits.max_lists or 0):
        raise CloudError("the device's capabilities are beyond the bounds")
    return text


def _next_opening(device: Mapping[str, Any]) -> datetime | None:
    """Return when a device opens that is between its windows; None if it is open or unknown."""
    try:
        text = _text(device)
    except CloudError:
        return None
    return next_opening(text, datetime.now(UTC))


def _n_waiting(device: Mapping[str, Any]) -> int | None:
    """Return how many tasks wait for a device; of a text such as `>4000` the number."""
    queues = device.get("deviceQueueInfo")
    found = None
    for each in queues if isinstance(queues, list) else ():
        if isinstance(each, dict) and each.get("queue") == "QUANTUM_TASKS_QUEUE":
            size = str(each.get("queueSize")).lstrip(">")
            if size.isascii() and size.isdigit() and len(size) < 10:
                found = (found or 0) + int(size)
    return found


def _cost(service: Mapping[str, Any], *, is_per_task: bool) -> dict[str, float]:
    """Return the cost of a device's jobs, in Amazon's currency.

    Args:
        service: What the device states of its service.
        is_per_task: Whether a task costs the same in addition, which no device states.
    """
    stated = service.get("deviceCost") or {}
    price, unit = float(stated.get("price", 0)), stated.get("unit")
    if not 0 < price < inf or unit not in _UNITS:
        return {}
    field, n_units = _UNITS[unit]
    per_task = {"per_job": _TASK_USD} if is_per_task and field == "per_shot" else {}
    return {**per_task, field: price / n_units}


def _listed(arn: str, device: Mapping[str, Any], *, is_amazons: bool) -> ListedDevice | None:
    """Return a device of circuits or of analog programs; None for another one."""
    try:
        found = msgspec.json.decode(_text(device), type=dict[str, Any])
        actions = found["action"]
        if _PROGRAM in actions:
            width, own = _of_circuits(found)
        elif analog.ACTION in actions:
            width, own = _of_atoms(found)
        else:
            return None
        service = found.get("service") or {}
        cost = _cost(service, is_per_task=is_amazons)
        most = int((service.get("shotsRange") or (1, 1000))[1])
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError, AttributeError, IndexError):
        raise CloudError(f"the capabilities of {arn[:100]} are malformed") from None
    spec = {
        "description": f"{device.get('providerName')} {device.get('deviceName')}",
        "qubits": width,
        **own,
        "max_shots": max(1, most),
        "cost": cost,
    }
    status, short_name = str(device.get("deviceStatus") or ""), arn.rpartition("/")[2]
    family: Family = "qubit" if _PROGRAM in actions else "atoms"
    return ListedDevice(arn, status, family, width, spec, short_name)


def _of_circuits(found: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    """Return the number of qubits, and the fields of a device file that only circuits have."""
    actions, paradigm = found["action"], found["paradigm"]
    graph = (paradigm.get("connectivity") or {}).get("connectivityGraph") or {}
    # Numbers of qubits may have gaps, so that the highest one exceeds their count.
    numbers = [1 + int(each) for qubit in graph for each in (qubit, *graph[qubit])]
    operations = {str(each).lower() for each in actions[_PROGRAM]["supportedOperations"]}
    has_sets = _PROGRAM_SET in actions
    return max(1, int(paradigm["qubitCount"]), *numbers), {
        "formats": (_FORMAT, "openqasm3", "openqasm2", *(["batch"] if has_sets else [])),
        "gates": tuple(gate for gate in _GATES if gate in operations),
        "outputs": ("counts", "memory", "probabilities"),
    }


def _of_atoms(found: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    """Return the number of sites, and the fields that only analog programs have."""
    sites = min(max(1, int(found["paradigm"]["qubitCount"])), MAX_ATOMS)
    return sites, {"formats": (_ANALOG,), "outputs": ("samples",)}
