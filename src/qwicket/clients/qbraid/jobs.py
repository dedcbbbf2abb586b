"""The registry of jobs that ran elsewhere: the module's two functions."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from qwicket.clients.qbraid.errors import ApiError
from qwicket.clients.qbraid.runs import decoded
from qwicket.clients.qbraid.session import QbraidSession

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Device(Protocol):
    """A device as `init_job` reads it."""

    @property
    def id(self) -> str: ...
    @property
    def vendor_device_id(self) -> str: ...


class Circuit(Protocol):
    """A circuit as `init_job` reads it."""

    @property
    def num_qubits(self) -> int: ...
    @property
    def depth(self) -> int: ...


def init_job(vendor_job_id: str, device: Device, circuits: Sequence[Circuit], shots: int) -> str:
    """Register a job that was submitted to another vendor.

    The same job of the same device is registered once, however often this is called.

    Args:
        vendor_job_id: What the vendor calls the job.
        device: With `id` and `vendor_device_id`.
        circuits: Each with `num_qubits` and `depth`.
        shots: Shots of the job.

    Returns:
        The job's id in the registry.

    Raises:
        ApiError: The server refused, or its answer is no id.
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
        job = decoded(session.post("/init-job", data=fields))
    if not isinstance(job, str) or not job:
        raise ApiError("The server registered the job and gave no id.")
    return job


def get_job_data(qbraid_job_id: str, update: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the document of a registered job, and change its status first.

    Args:
        qbraid_job_id: What `init_job` returned.
        update: `status` and `qbraidStatus`; nothing is changed unless both are there.

    Raises:
        ApiError: There is no such job, or the server refused.
    """
    fields = {"qbraidJobId": qbraid_job_id}
    if update is not None and "status" in update and "qbraidStatus" in update:
        fields["status"] = str(update["status"])
        fields["qbraidStatus"] = str(update["qbraidStatus"])
    with QbraidSession() as session:
        found = decoded(session.put("/update-job", data=fields))
    if not isinstance(found, list) or not found or not isinstance(found[0], dict):
        raise ApiError(f"There is no job {qbraid_job_id}.")
    return {name: value for name, value in found[0].items() if name not in ("_id", "user")}
