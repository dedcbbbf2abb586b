"""Bodies of jobs in both versions, and their cost.

For a missing value, clients need some keys to be absent, and others to be null or empty.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

from qwicket.dialects.times import format_time
from qwicket.model.ids import part_id
from qwicket.model.states import JobState
from qwicket.vendors.ionq.dialect.statuses import V03, V04, Version
from qwicket.vendors.ionq.dialect.wire import CIRCUIT, MULTI, QASM3, Member, VendorFields, warnings

if TYPE_CHECKING:
    from qwicket.circuits.qubit import Entangler
    from qwicket.gateway import JobPart
    from qwicket.model.devices import Device
    from qwicket.model.failures import Failure
    from qwicket.model.jobs import Job

PROBABILITIES_V1: Final = "ionq.result.probabilities.json.v1"
PROBABILITIES_V2: Final = "ionq.result.probabilities.json.v2"
HISTOGRAM_V1: Final = "ionq.result.histogram.json.v1"
HISTOGRAM_V2: Final = "ionq.result.histogram.json.v2"
SHOTS_V1: Final = "ionq.result.shots.json.v1"
SHOTS_V2: Final = "ionq.result.shots.json.v2"
AGGREGATE_V1: Final = "ionq.result.probabilities-aggregate.json.v1"
NATIVE_V1: Final = "ionq.native.v1"
ARTIFACTS: Final = (
    PROBABILITIES_V1,
    PROBABILITIES_V2,
    HISTOGRAM_V1,
    HISTOGRAM_V2,
    SHOTS_V1,
    SHOTS_V2,
    AGGREGATE_V1,
    NATIVE_V1,
)

_JSON: Final = "application/json"
_FAILURE_CODES: Final = {
    "out_of_memory": "QuantumCircuitComplexityError",
    "outcome_too_large": "QuantumCircuitComplexityError",
    "run_time_exceeded": "SimulationTimeout",
    "worker_died": "SimulationError",
    "unsupported": "NotEnoughQubits",
    "invalid_circuit": "InvalidInput",
}


def short(version: Version, job: Job) -> dict[str, Any]:
    return {"id": job.id, "status": version.status(job)}


def id_of(part: JobPart) -> str:
    return part.job.id if part.number is None else part_id(part.job.id, part.number)


def artifact_id(job: str, form: str) -> str:
    """Return the id of a result in a format. It is computed, so it need not be stored."""
    return str(uuid.uuid5(uuid.UUID(job), form))


def children(job: Job) -> list[str]:
    return [part_id(job.id, number) for number in range(job.n_circuits)]


def v04_body(part: JobPart, vendor_fields: VendorFields, wait_ms: int | None) -> dict[str, Any]:
    """Return the body of a job, or of one of its circuits, in version 0.4.

    Args:
        part: The job or circuit.
        vendor_fields: Vendor fields of the job.
        wait_ms: Expected milliseconds until the job starts; None if unknown or started.
    """
    job, is_child = part.job, part.number is not None
    is_completed = part.state is JobState.COMPLETED
    stats: dict[str, Any] = {
        "qubits": job.n_qubits,
        "circuits": 1 if is_child else job.n_circuits,
    }
    if not is_child:  # counted per job only
        stats["gate_counts"] = {"1q": job.n_ops_1q, "2q": job.n_ops_2q}
    body: dict[str, Any] = {
        "id": id_of(part),
        "status": V04.status(job, part.state),
        "type": CIRCUIT if is_child else vendor_fields.type,
        "backend": job.device,
        "dry_run": vendor_fields.dry_run,
        "name": _member(part, vendor_fields).name if is_child else job.name,
        "shots": job.shots,
        "settings": vendor_fields.settings,
        "metadata": {} if is_child else vendor_fields.metadata,
        "failure": _failure(part.failure),
        "stats": stats,
        "parent_job_id": job.id if is_child else None,
        "child_job_ids": _shown_children(part, vendor_fields),
        "session_id": job.group,
        "project_id": job.project,
        "submitter_id": job.account,
        "submitted_at": format_time(job.created_at),
        "started_at": format_time(job.started_at),
        "completed_at": format_time(job.ended_at),
        "predicted_wait_time_ms": wait_ms,
        "predicted_execution_duration_ms": round(1000 * job.est_seconds),
        "execution_duration_ms": _duration_ms(job) if is_completed else None,
        "output": _output(part, vendor_fields),
        "results": None,
    }
    if is_completed and not vendor_fields.dry_run:
        body["results"] = _results(id_of(part), CIRCUIT if is_child else vendor_fields.type)
    if not job.calibration:  # the noise of a twin is its calibration's, not a named model
        body["noise"] = vendor_fields.noise
    if messages := warnings(job, vendor_fields):
        body["warning"] = {"messages": messages}
    return body


def v03_body(part: JobPart, vendor_fields: VendorFields) -> dict[str, Any]:
    """Return the body of a job, or of one of its circuits, in version 0.3."""
    job, is_child = part.job, part.number is not None
    is_completed = part.state is JobState.COMPLETED
    body: dict[str, Any] = {
        "id": id_of(part),
        "status": V03.status(job, part.state),
        "type": "circuit",
        "target": job.device,
        "name": _member(part, vendor_fields).name if is_child else job.name,
        "shots": job.shots,
        "qubits": job.n_qubits,
        "circuits": 1 if is_child else job.n_circuits,
        "registers": _member(part, vendor_fields).registers
        if is_child
        else vendor_fields.registers,
        "metadata": {} if is_child else vendor_fields.metadata,
        "settings": vendor_fields.settings,
        "gate_counts": {} if is_child else {"1q": job.n_ops_1q, "2q": job.n_ops_2q},
        "request": job.created_at // 1000,
        "predicted_execution_time": round(1000 * job.est_seconds),
        "session_id": job.group,
        "dry_run": vendor_fields.dry_run,
    }
    if not job.calibration:
        body["noise"] = vendor_fields.noise
    if vendor_fields.is_debiased:
        body["error_mitigation"] = {"debias": True}
    if ids := _shown_children(part, vendor_fields):
        body["children"] = ids
    if is_child:
        body["parent"] = job.id
    if job.started_at is not None:
        body["start"] = job.started_at // 1000
    if job.ended_at is not None:
        body["response"] = job.ended_at // 1000
    if part.failure is not None:
        body["failure"] = _failure(part.failure)
    if is_completed:
        body["execution_time"] = _duration_ms(job)
        if not vendor_fields.dry_run:
            body["results_url"] = f"/v0.3/jobs/{id_of(part)}/results"
    if messages := warnings(job, vendor_fields):
        body["warning"] = {"messages": messages}
    return body


def cost(job: Job, vendor_fields: VendorFields) -> dict[str, Any]:
    """Return the cost of a job: credits if its device has a cost, else 0 `usd`."""
    value: dict[str, Any] = {"value": 0.0, "unit": "usd"}
    if job.credits is not None:
        value = {"value": job.credits, "unit": "credits"}
    body: dict[str, Any] = {"dry_run": vendor_fields.dry_run, "estimated_cost": value}
    return {**body, "cost": value} if job.state.is_final else body


def is_compiled(part: JobPart, vendor_fields: VendorFields) -> bool:
    """Return whether a job has a compiled circuit. Jobs in OpenQASM 3 and QIR have none."""
    is_one = vendor_fields.type == CIRCUIT or part.number is not None
    return is_one and part.state is JobState.COMPLETED


def entangler(device: Device, vendor_fields: VendorFields) -> Entangler:
    """Return the two-qubit gate of a machine, or of the noise model on the simulator."""
    has_zz = "zz" in device.spec.native_gates or vendor_fields.noise.model.startswith("forte")
    return "zz" if has_zz else "ms"


def _output(part: JobPart, vendor_fields: VendorFields) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if is_compiled(part, vendor_fields):
        circuits = {NATIVE_V1: _descriptor(id_of(part), NATIVE_V1)}
        body["compilation"] = {"compiled_circuits": circuits}
    if vendor_fields.is_debiased and part.job.calibration:
        body["error_mitigation"] = {"debiasing": True}
    return body


def _shown_children(part: JobPart, vendor_fields: VendorFields) -> list[str] | None:
    """Return the ids of a job's children once it has ended; None before, or without children.

    There may be thousands of ids, and clients poll the job until it has ended.
    """
    is_whole = vendor_fields.is_multi and part.number is None
    return children(part.job) if is_whole and part.job.state.is_final else None


def _member(part: JobPart, vendor_fields: VendorFields) -> Member:
    return vendor_fields.members[part.number or 0] if vendor_fields.members else Member()


def _failure(failure: Failure | None) -> dict[str, str]:
    """Return why a job failed. IonQ documents `message`, but clients read `error`."""
    if failure is None:
        return {}
    text = failure.message or failure.code
    code = _FAILURE_CODES.get(failure.code, "InternalError")
    return {"code": code, "message": text, "error": text}


def _results(job: str, type_: str) -> dict[str, Any]:
    """Return the descriptors of results.

    Each `url` has no prefix before the version, because qiskit-ionq removes the version from it and
    appends the rest to its base URL, and pennylane-ionq reads it from the root of the host.
    """
    at = f"/v0.4/jobs/{job}/results"
    if type_ == MULTI:
        url = f"{at}/probabilities/aggregated"
        aggregate = _descriptor(job, AGGREGATE_V1)
        return {"probabilities": {"url": url, **aggregate}, AGGREGATE_V1: aggregate}
    probabilities = {**_descriptor(job, PROBABILITIES_V1), "id": "probabilities"}
    body = {
        "probabilities": {"url": f"{at}/probabilities", **probabilities},
        "histogram": {"url": f"{at}/histogram", **_descriptor(job, HISTOGRAM_V1)},
        "shots": {"url": f"{at}/shots", **_descriptor(job, SHOTS_V1)},
        PROBABILITIES_V1: probabilities,
        SHOTS_V2: _descriptor(job, SHOTS_V2),
    }
    if type_ == QASM3:
        for form in (PROBABILITIES_V2, HISTOGRAM_V2):
            body[form] = _descriptor(job, form)
    return body


def _descriptor(job: str, form: str) -> dict[str, str]:
    return {"id": artifact_id(job, form), "format": form, "media_type": _JSON}


def _duration_ms(job: Job) -> int:
    return max(0, (job.ended_at or 0) - (job.started_at or 0))
