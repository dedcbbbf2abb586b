"""Documents, programs and results of jobs in the JSON of v0 and v1."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from qwicket.circuits.outcomes import MEMORY, SAMPLES, Outcome
from qwicket.dialects.streaming import raw, raw_list, raw_object
from qwicket.dialects.times import format_time
from qwicket.model.failures import Failure
from qwicket.model.states import JobState
from qwicket.programs import batch, guess_format
from qwicket.vendors.qbraid.dialect import ids, statuses
from qwicket.vendors.qbraid.dialect.ids import object_id, object_id_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qwicket.gateway import JobResults, Program
    from qwicket.model.jobs import Job
    from qwicket.vendors.qbraid.dialect.handlers import JobRow
    from qwicket.vendors.qbraid.dialect.wire import VendorFields

PROVIDER_ID: Final = object_id_of("provider qbraid")


_WITH_VERSION: Final = re.compile(r"\s*OPENQASM\s+[23](\.\d+)?;")


def v1_document(row: JobRow) -> dict[str, Any]:
    """Return a job for v1."""
    job, vendor_fields = row.job, row.vendor_fields
    is_final = job.state.is_final
    return {
        "jobQrn": ids.v1_job_id(job, vendor_fields.device),
        "jobVrn": job.id,
        "name": job.name or None,
        "deviceQrn": vendor_fields.device,
        "vendor": "qbraid",
        "provider": "qbraid",
        "status": statuses.status(job),
        "statusMsg": job.error_text,
        "experimentType": "analog" if _is_analog(vendor_fields) else "gate_model",
        "shots": job.shots,
        "numCircuits": job.n_circuits,
        "queuePosition": _position(row),
        "tags": vendor_fields.tags,
        "runtimeOptions": vendor_fields.options,
        "metadata": {},
        "groupJobQrn": ids.group_qrn(job.group) if job.group else None,
        "estimatedCost": _cost(job),
        "cost": _cost(job) if is_final else None,
        "timeStamps": time_stamps(job),
        "organizationUserId": object_id(job.account),
        "deviceId": object_id_of(job.device),
        "providerId": PROVIDER_ID,
        "gcsDestination": {"bucket": "local", "directory": f"jobs/{job.id}"},
    }


def v0_document(row: JobRow, owner: str, email: str) -> dict[str, Any]:
    """Return a job for v0. It has no `metadata`: with that field clients lose the counts."""
    job, vendor_fields = row.job, row.vendor_fields
    is_final = job.state.is_final
    return {
        "_id": object_id(job.id),
        "qbraidJobId": ids.v0_job_id(job, owner),
        "vendorJobId": job.id,
        "qbraidDeviceId": ids.v0_device_id(job.device),
        "vendor": "qbraid",
        "provider": "qbraid",
        "status": statuses.status(job),
        "qbraidStatus": statuses.status(job),
        "statusText": job.error_text,
        "experimentType": "ahs" if _is_analog(vendor_fields) else "gate_model",
        "shots": job.shots,
        "queuePosition": _position(row),
        "queueDepth": None,
        "circuitNumQubits": job.n_qubits
        if vendor_fields.n_qubits is None
        else vendor_fields.n_qubits,
        "circuitDepth": vendor_fields.depth,
        "tags": vendor_fields.tags,
        "preflight": False,
        "cost": _cost(job) if is_final else None,
        "escrow": 0 if is_final else _cost(job),
        "email": email,
        "createdAt": format_time(job.created_at),
        "timeStamps": time_stamps(job),
    }


def _cost(job: Job) -> float:
    """Return the cost of a job in credits: an estimate until it ends, 0 if its device has none."""
    return job.credits or 0


def openqasm_field(submitted: Program) -> dict[str, str]:
    """Return the field with a job's OpenQASM; {} for text that clients could not parse."""
    text = submitted.source.decode()
    return {"openQasm": text} if _WITH_VERSION.match(text) else {}


def time_stamps(job: Job) -> dict[str, Any]:
    ran_ms = None
    if job.ended_at is not None:
        ran_ms = max(0, job.ended_at - job.started_at) if job.started_at is not None else 0
    return {
        "createdAt": format_time(job.created_at),
        "endedAt": format_time(job.ended_at),
        "executionDuration": ran_ms,
    }


def program(submitted: Program, vendor_fields: VendorFields) -> Any:
    """Return the program as it was submitted; for a batch a list of programs."""
    sources = [submitted.source.decode()]
    if vendor_fields.is_batch:
        sources = [member.source for member in batch.members(submitted.source, guess_format)]
    programs = [
        {"format": name, "data": raw(text.encode()) if number in vendor_fields.objects else text}
        for number, (name, text) in enumerate(zip(vendor_fields.formats, sources, strict=True))
    ]
    return programs if vendor_fields.is_batch else programs[0]


def compiled_program(circuit: bytes) -> dict[str, str]:
    """Return a circuit in native gates as a program that can be submitted.

    Args:
        circuit: JSON in the format `ionq.native.v1`.
    """
    fields = msgspec.json.decode(circuit, type=dict[str, msgspec.Raw])
    data = msgspec.json.encode({"gateset": "native", **fields}).decode()
    return {"format": "ionq.circuit.v0", "data": data}


def _is_analog(vendor_fields: VendorFields) -> bool:
    return vendor_fields.formats[0] == "analog"


def _position(row: JobRow) -> int | None:
    return None if row.ahead is None else row.ahead + 1


# --- results --------------------------------------------------------------------------------------


def v1_result(job_results: JobResults, vendor_fields: VendorFields) -> dict[str, Any]:
    """Return a result for v1, with one entry per circuit for a batch or for several circuits.

    Each entry has an equal share of the cost, so that the shares add up to the cost of the job.
    """
    job, parts = job_results.job, job_results.parts
    order = -1 if vendor_fields.device in ids.ALIASES else 1
    frame = {"cost": _cost(job), "timeStamps": time_stamps(job)}
    if not vendor_fields.is_batch and job.n_circuits == 1:
        return {"status": statuses.status(job), **frame, "resultData": _data(parts[0], order)}
    share = {**frame, "cost": _cost(job) / len(parts)}
    results = [
        {"status": _status(part), **share, "resultData": _data(part, order)} for part in parts
    ]
    return {"status": statuses.status(job), **frame, "results": results}


def v0_result(job_results: JobResults) -> dict[str, Any]:
    """Return a result for v0, without counts if the job has several circuits: v0 has no batches."""
    part = job_results.parts[0]
    if len(job_results.parts) > 1 or not isinstance(part, Outcome):
        return {"runnerVersion": "", "runnerSeed": None}
    return {**_data(part), "runnerVersion": part.engine_version, "runnerSeed": part.seed}


def _status(part: Outcome | Failure) -> str:
    return statuses.of_state(JobState.COMPLETED if isinstance(part, Outcome) else JobState.FAILED)


def _data(part: Outcome | Failure, order: int = 1) -> dict[str, Any]:
    """Return a result; with the order -1, classical bit 0 is the leftmost character of a key."""
    if isinstance(part, Failure):
        return {"statusMsg": part.message}
    if SAMPLES in part.arrays:
        return {"measurementCounts": _letters(part), "measurements": raw_list(_atoms(part))}
    return {
        "measurementCounts": raw_object(
            sorted((_bits(key, part.n_bits)[::order], n) for key, n in part.each_count())
        ),
        "measurements": raw_list(_rows(part, order)) if MEMORY in part.arrays else None,
    }


def _bits(key: int, n_bits: int) -> str:
    """Return a key as text: classical bit 0 is the rightmost character."""
    return f"{key:0{n_bits}b}" if n_bits else ""


def _rows(part: Outcome, order: int) -> Iterator[list[int]]:
    """Yield the bits of each shot, in the order of the characters of a key."""
    return ([int(bit) for bit in _bits(key, part.n_bits)[::order]] for key in part.each_shot())


def _atoms(part: Outcome) -> Iterator[dict[str, Any]]:
    """Yield shots in Braket's form. An atom in the Rydberg state is lost: 0 in `post_sequence`.

    A site that was empty at the start, -1 in results of machines, is 0 in both.
    """
    for levels in part.each_sample():
        filled, seen = [int(level >= 0) for level in levels], [int(level == 0) for level in levels]
        yield {"success": True, "pre_sequence": filled, "post_sequence": seen}


def _letters(part: Outcome) -> dict[str, int]:
    """Count shots by one letter per atom: `g` for the ground state, `r` for the Rydberg state.

    An empty site, -1, is `e`, the last letter.
    """
    counts: dict[str, int] = {}
    for levels in part.each_sample():
        letters = "".join(["gre"[level] for level in levels])
        counts[letters] = counts.get(letters, 0) + 1
    return dict(sorted(counts.items()))
