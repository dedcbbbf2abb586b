"""Registry of jobs at other vendors: `init_job` and `get_job_data`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeGuard

from qwicket.clients.numbers import listed, whole
from qwicket.vendors.qbraid.client.errors import ApiError
from qwicket.vendors.qbraid.client.jobs_session import decode_response
from qwicket.vendors.qbraid.client.session import QbraidSession

if TYPE_CHECKING:
    from collections.abc import Sequence


class HasNames(Protocol):
    """Device object with the names that `init_job` sends."""

    @property
    def id(self) -> str: ...
    @property
    def vendor_device_id(self) -> str: ...


class HasSize(Protocol):
    """Circuit object with the size that `init_job` sends."""

    @property
    def num_qubits(self) -> int: ...
    @property
    def depth(self) -> int | Callable[[], int]: ...


Device = HasNames | Mapping[str, Any] | str
Circuit = HasSize | Mapping[str, Any] | str

_DECLARATION: Final = re.compile(
    r"\b(?:qreg\s+\w+\s*\[\s*(\d+)\s*\]|qubit\s*(?:\[\s*(\d+)\s*\])?\s*\w+)\s*;"
)
"""Qubits in OpenQASM 2 or 3 with a literal size, or one qubit of OpenQASM 3."""


def init_job(vendor_job_id: str, device: Device, circuits: Sequence[Circuit], shots: int) -> str:
    """Register a job that was submitted to another vendor.

    Repeated calls for the same job and device return the first registration.

    Args:
        vendor_job_id: The vendor's id of the job.
        device: Device with the attributes `id` and `vendor_device_id`; a dict with these keys or
            one from `QbraidSession.devices`; or an id alone.
        circuits: Circuits with the attributes `num_qubits` and `depth`, such as those of Qiskit or
            `qwicket.clients.ionq`; dicts with these keys, or programs that `QbraidSession.submit`
            takes, whose depth is not registered.
        shots: Shots of the job.

    Returns:
        Id of the job in the registry.

    Raises:
        ApiError: An argument is invalid, the request failed, or the response has no id.
    """
    if not _is_text(vendor_job_id):
        raise ApiError(f"vendor_job_id must be a text, not {vendor_job_id!r:.100}.")
    n_shots = whole(shots)
    if n_shots is None or n_shots < 1:
        raise ApiError(f"shots must be a positive whole number, not {shots!r:.100}.")
    device_id, vendor_device_id = _names(device)
    fields: dict[str, Any] = {
        "qbraidJobId": "",
        "vendorJobId": vendor_job_id,
        "qbraidDeviceId": device_id,
        "vendorDeviceId": vendor_device_id,
        "shots": n_shots,
        "createdAt": datetime.now(UTC).replace(tzinfo=None).isoformat(" ", "microseconds"),
        "status": "UNKNOWN",
        "qbraidStatus": "INITIALIZING",
        **_sizes(circuits),
    }
    with QbraidSession() as session:
        fields["email"] = os.environ.get("JUPYTERHUB_USER") or session.user_email
        job = decode_response(session.post("/init-job", data=fields))
    if not isinstance(job, str) or not job:
        raise ApiError("The server registered the job, but returned no id.")
    return job


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value != ""


def _names(device: Device) -> tuple[str, str]:
    """Return qBraid's and the vendor's id of a device."""
    if isinstance(device, str):
        found: tuple[object, object] = (device, "")
    elif isinstance(device, Mapping):
        found = (
            device.get("id") or device.get("qbraid_id"),
            device.get("vendor_device_id") or device.get("objArg") or "",
        )
    else:
        found = (getattr(device, "id", None), getattr(device, "vendor_device_id", None))
    device_id, vendor_device_id = found
    if not _is_text(device_id) or not isinstance(vendor_device_id, str):
        raise ApiError(
            "device must have an id and a vendor_device_id that are texts, or be an id;"
            f" it is {device!r:.100}."
        )
    return device_id, vendor_device_id


def _sizes(circuits: Sequence[Circuit]) -> dict[str, Any]:
    """Return the fields with the circuits' qubits and depths; no depths unless all are known."""
    listed_circuits = None if isinstance(circuits, (str, Mapping)) else listed(circuits)
    if not listed_circuits:
        raise ApiError(f"circuits must be a list of circuits, not {circuits!r:.100}.")
    sizes = [_size(circuit, number) for number, circuit in enumerate(listed_circuits)]
    is_one = len(sizes) == 1
    qubits, depths = zip(*sizes, strict=True)
    found: dict[str, Any] = {"circuitNumQubits" if is_one else "circuitBatchNumQubits": qubits}
    if None not in depths:
        found["circuitDepth" if is_one else "circuitBatchDepth"] = depths
    return found


def _size(circuit: Circuit, number: int) -> tuple[int, int | None]:
    """Return the number of qubits of a circuit, and its depth if it is known."""
    qubits: Any
    depth: Any = None
    if isinstance(circuit, str):
        qubits = sum(int(one or other or 1) for one, other in _DECLARATION.findall(circuit)) or None
    elif isinstance(circuit, Mapping):
        qubits, depth = circuit.get("num_qubits", circuit.get("qubits")), circuit.get("depth")
    else:
        qubits, depth = getattr(circuit, "num_qubits", None), getattr(circuit, "depth", ())
        depth = depth() if callable(depth) else depth  # Qiskit has a method
    n_qubits = whole(qubits)
    n_layers = None if depth is None else whole(depth)
    if n_qubits is None or (n_layers is None and depth is not None):
        raise ApiError(
            f"circuits[{number}] must have num_qubits and depth that are whole numbers, or be a"
            f" program with its number of qubits; it is {circuit!r:.100}."
        )
    return n_qubits, n_layers


def get_job_data(qbraid_job_id: str, update: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Update the status of a registered job if requested, and return its document.

    Args:
        qbraid_job_id: Id from `init_job`.
        update: New `status` and `qbraidStatus`; ignored unless it has both.

    Raises:
        ApiError: The job does not exist, or the request failed.
    """
    fields = {"qbraidJobId": qbraid_job_id}
    if update is not None and "status" in update and "qbraidStatus" in update:
        fields["status"] = str(update["status"])
        fields["qbraidStatus"] = str(update["qbraidStatus"])
    with QbraidSession() as session:
        found = decode_response(session.put("/update-job", data=fields))
    if not isinstance(found, list) or not found or not isinstance(found[0], dict):
        raise ApiError(f"There is no job {qbraid_job_id}.")
    return {name: value for name, value in found[0].items() if name not in ("_id", "user")}
