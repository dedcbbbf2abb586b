"""Registry of jobs at other vendors: `init_job` and `get_job_data`."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from qwicket.clients.qbraid.errors import ApiError
from qwicket.clients.qbraid.jobs_session import decode_response
from qwicket.clients.qbraid.session import QbraidSession

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Device(Protocol):
    """Device with the attributes that `init_job` reads."""

    @property
    def id(self) -> str: ...
    @property
    def vendor_device_id(self) -> str: ...


class Circuit(Protocol):
    """Circuit with the attributes that `init_job` reads."""

    @property
    def num_qubits(self) -> int: ...
    @property
    def depth(self) -> int: ...


def init_job(vendor_job_id: str, device: Device, circuits: Sequence[Circuit], shots: int) -> str:
    """Register a job that was submitted to another vendor.

    Repeated calls for the same job and device return the first registration.

    Args:
        vendor_job_id: The vendor's id of the job.
        device: Device with `id` and `vendor_device_id`.
        circuits: Circuits with `num_qubits` and `depth`.
        shots: Shots of the job.

    Returns:
        Id of the job in the registry.

    Raises:
        ApiError: The request failed, or the response has no id.
    """
    with QbraidSession() as session:
        fields: dict[str, Any] = {
            "qbraidJobId": "",
            "vendorJobId": vendor_job_id,
            "qbraidDeviceId": device.id,
            "vendorDeviceId": device.vendor_device_id,
            "shots": shots,
            "createdAt": datetime.now(UTC).replace(tzinfo=None).isoformat(" ", "microseconds"),
            "status": "UNKNOWN",
            "qbraidStatus": "INITIALIZING",
            "email": os.environ.get("JUPYTERHUB_USER") or session.user_email,
        }
        if len(circuits) == 1:
            fields["circuitNumQubits"] = circuits[0].num_qubits
            fields["circuitDepth"] = circuits[0].depth
        else:
            fields["circuitBatchNumQubits"] = [circuit.num_qubits for circuit in circuits]
            fields["circuitBatchDepth"] = [circuit.depth for circuit in circuits]
        job = decode_response(session.post("/init-job", data=fields))
    if not isinstance(job, str) or not job:
        raise ApiError("The server registered the job, but returned no id.")
    return job


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
