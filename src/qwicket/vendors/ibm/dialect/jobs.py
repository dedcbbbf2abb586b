"""Bodies of jobs in IBM's JSON. No value is null, because clients fail on null.

A key of IBM's document whose value is unknown is absent or has an empty text. `endDate` and
`summaryData` are absent until the job has ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from qwicket.dialects.times import format_time
from qwicket.model.ids import part_id
from qwicket.model.states import JobState
from qwicket.vendors.ibm.dialect import statuses
from qwicket.vendors.ibm.dialect.names import GROUP, HUB
from qwicket.vendors.ibm.dialect.wire import number

if TYPE_CHECKING:
    from qwicket.model.jobs import Job
    from qwicket.scheduling import QueuePosition
    from qwicket.store import JobSizes
    from qwicket.vendors.ibm.dialect.wire import VendorFields

_PRIORITY: Final = 1
_RUN_MODE: Final = "fairshare"
_CIRCUIT_STATUSES: Final = {
    JobState.COMPLETED: "DONE",
    JobState.CANCELLED: "CANCELLED",
    JobState.FAILED: "ERROR",
}


class JobRow(NamedTuple):
    """A job with its vendor fields, and the name (not the id) of its project."""

    job: Job
    vendor_fields: VendorFields
    project: str


class Position(NamedTuple):
    """Queue position of a waiting job, and the time at which it was read."""

    in_queue: QueuePosition
    now_ms: int


def status(
    row: JobRow, position: Position | None = None, *, is_for_old: bool = False
) -> dict[str, Any]:
    """Return the short body of a job.

    Args:
        row: The job.
        position: Queue position, if the job waits.
        is_for_old: Whether the client is version 0.4 or older. It reads the queue position of
            running jobs alone, and shows running jobs with a position as queued.
    """
    job = row.job
    body: dict[str, Any] = {
        "kind": row.vendor_fields.kind,
        "backend": {"id": job.device, "name": job.device},
        "status": statuses.RUNNING if is_for_old and position else statuses.status(job),
        "creationDate": format_time(job.created_at),
        "hubInfo": _hub(row.project),
        "id": job.id,
        "userId": job.account,
        "name": job.name,
    }
    if job.ended_at is not None:
        body["endDate"] = format_time(job.ended_at)
    if job.state is JobState.FAILED:
        body["error"] = error(job)
    if position is not None:
        body["infoQueue"] = _queue(job, position)
    return body


def body(
    row: JobRow,
    position: Position | None = None,
    sizes: JobSizes | None = None,
    root: str = "",
    *,
    is_for_old: bool = False,
) -> dict[str, Any]:
    """Return the long body of a job.

    Args:
        row: The job.
        position: Queue position, if the job waits.
        sizes: Sizes of program and results, once the job has ended.
        root: URL of this dialect.
        is_for_old: As for `status`.
    """
    job, vendor_fields = row.job, row.vendor_fields
    long: dict[str, Any] = {
        **status(row, position, is_for_old=is_for_old),
        "shots": job.shots,
        "cost": 0.0,
        "tags": job.tags,
        "timePerStep": _steps(job),
        "runMode": _RUN_MODE,
        "codeId": "",
        "ip": dict.fromkeys(("ip", "city", "country", "continent"), ""),  # not stored, for privacy
        "objectStorageInfo": storage(job, root),
        "liveDataEnabled": vendor_fields.is_live,
    }
    if vendor_fields.client:
        long["clientInfo"] = vendor_fields.client_info()
    if vendor_fields.experiment:
        long["experimentTag"] = vendor_fields.experiment
    if vendor_fields.share:
        long["shareLevel"] = vendor_fields.share
    if sizes is not None:
        long["summaryData"] = _summary(row, sizes)
    return long


def entries(job: Job) -> list[dict[str, Any]]:
    """Return a row for each circuit of a job."""
    status = _CIRCUIT_STATUSES.get(job.state, "WORKING_IN_PROGRESS")
    return [
        {"status": status, "executionId": part_id(job.id, part)} for part in range(job.n_circuits)
    ]


def storage(job: Job, root: str) -> dict[str, str]:
    """Return the URLs at which clients ask for signed URLs of the program."""
    at = f"{root}/jobs/{job.id}"
    return {
        "jobId": job.id,
        "uploadQObjectUrlEndpoint": f"{at}/jobUploadUrl",
        "downloadQObjectUrlEndpoint": f"{at}/jobDownloadUrl",
        "jobQasmConverted": "",
        "validatedUrl": "",
        "validationUploadUrlEndpoint": "",
    }


def error(job: Job) -> dict[str, Any]:
    """Return why a job failed."""
    text = job.error_text or "The job failed."
    return {"message": text, "code": number(job.error_code)}


def _hub(project: str) -> dict[str, Any]:
    names = {"hub": HUB, "group": GROUP, "project": project}
    return {level: {"name": name, "priority": _PRIORITY} for level, name in names.items()}


def _queue(job: Job, position: Position) -> dict[str, Any]:
    return {
        "status": "PENDING_IN_QUEUE",
        "position": position.in_queue.ahead + 1,
        **_expected(job, position),
        "hubPriority": float(_PRIORITY),
        "groupPriority": float(_PRIORITY),
        "projectPriority": float(_PRIORITY),
    }


def _expected(job: Job, position: Position) -> dict[str, str | None]:
    """Return the expected start and end of a waiting job; empty if unknown."""
    if position.in_queue.start_in_s is None:
        return {}
    start_ms = position.now_ms + round(1000 * position.in_queue.start_in_s)
    return {
        "estimatedStartTime": format_time(start_ms),
        "estimatedCompleteTime": format_time(start_ms + round(1000 * job.est_seconds)),
    }


def _steps(job: Job) -> dict[str, str | None]:
    """Return the time at which a job entered each status."""
    steps = {
        statuses.CREATING: job.created_at,
        statuses.QUEUED: job.queued_at,
        statuses.RUNNING: job.started_at,
    }
    if job.ended_at is not None:
        steps[statuses.status(job)] = job.ended_at
    return {word: format_time(at) for word, at in steps.items() if at is not None}


def _summary(row: JobRow, sizes: JobSizes) -> dict[str, Any]:
    job, vendor_fields = row.job, row.vendor_fields
    return {
        "size": {"input": sizes.program, "output": sizes.results},
        "success": job.state is JobState.COMPLETED,
        "summary": {
            "max_qubits_used": job.n_qubits,
            "gates_executed": job.n_ops_1q + job.n_ops_2q,
            "qobj_config": {
                "n_qubits": job.n_qubits
                if vendor_fields.n_qubits is None
                else vendor_fields.n_qubits,
                "max_credits": 0,
                "memory_slots": vendor_fields.memory_slots or 0,
                "memory": vendor_fields.memory,
                "shots": job.shots,
                "type": "QASM",
            },
            "num_circuits": job.n_circuits,
            "partial_validation": False,
        },
        "resultTime": max(0, (job.ended_at or 0) - (job.started_at or job.ended_at or 0)) / 1000,
    }
