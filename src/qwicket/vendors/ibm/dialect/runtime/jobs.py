"""Bodies of jobs and sessions. Dates are in ISO 8601, durations in seconds."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from qwicket.dialects.times import format_time
from qwicket.model.states import JobState
from qwicket.vendors.ibm.dialect import statuses
from qwicket.vendors.ibm.dialect.names import GROUP, HUB
from qwicket.vendors.ibm.dialect.runtime.wire import session_fields_decoder
from qwicket.vendors.ibm.dialect.wire import RAN_TOO_LONG, number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.model.groups import Group, GroupUse
    from qwicket.model.jobs import Job
    from qwicket.scheduling import QueuePosition
    from qwicket.store import JobEvent
    from qwicket.vendors.ibm.dialect.runtime.wire import VendorFields

_STATUSES: Final = {
    statuses.QUEUED: "Queued",
    statuses.CREATING: "Queued",
    statuses.RUNNING: "Running",
    statuses.COMPLETED: "Completed",
    statuses.CANCELLED: "Cancelled",
}


def status(job: Job) -> str:
    """Return the status of a job, in Runtime's spelling. IBM cancels what runs too long."""
    if job.state is JobState.FAILED and number(job.error_code) == RAN_TOO_LONG:
        return "Cancelled"
    return _STATUSES.get(statuses.status(job), "Failed")


def body(job: Job, vendor_fields: VendorFields) -> dict[str, Any]:
    """Return a job; keys without a value are absent."""
    state: dict[str, Any] = {"status": status(job)}
    if has_reason(job):
        state |= {"reason": reason(job), "reason_code": number(job.error_code)}
    body: dict[str, Any] = {
        "id": job.id,
        "backend": vendor_fields.mock or job.device,
        "program": {"id": vendor_fields.program},
        "state": state,
        "status": state["status"],
        "created": format_time(job.created_at),
        "tags": job.tags,
        "private": False,
        "estimated_running_time_seconds": job.est_seconds,
    }
    if job.ended_at is not None:
        body["ended"] = format_time(job.ended_at)
    if job.group is not None:
        body["session_id"] = job.group
    if vendor_fields.cost is not None:
        body["cost"] = vendor_fields.cost
    return body


def instance(job: Job, names: Mapping[str, str]) -> dict[str, str]:
    """Return hub, group and project of a job, from the names of projects by their ids."""
    return {"hub": HUB, "group": GROUP, "project": names.get(job.project, job.project)}


def has_reason(job: Job) -> bool:
    """Return whether a job failed, or was cancelled for a reason."""
    return job.state is JobState.FAILED or job.error_code is not None


def reason(job: Job) -> str:
    """Return why a job failed or was cancelled."""
    return job.error_text or "The job failed."


def metrics(
    job: Job, position: QueuePosition | None, vendor_fields: VendorFields
) -> dict[str, Any]:
    """Return the times and the usage of a job, and its queue position if it has one."""
    seconds = 0.0 if vendor_fields.mock else run_s(job)
    body: dict[str, Any] = {
        "timestamps": {
            "created": format_time(job.created_at),
            "running": format_time(job.started_at),
            "finished": format_time(job.ended_at),
        },
        "usage": {
            "status": "completed" if job.state.is_final else "pending",
            "qpu_charge_time_seconds": seconds,
            "quantum_seconds": seconds,
            "seconds": seconds,
        },
        "bss": {"seconds": seconds},
        "executions": job.n_circuits,
        "num_circuits": job.n_circuits,
        "num_qubits": [job.n_qubits],
    }
    if position is not None:
        body["position_in_queue"] = position.ahead + 1
    return body


def run_s(job: Job) -> float:
    """Return for how many seconds a job ran; 0 until it has ended."""
    if job.started_at is None or job.ended_at is None:
        return 0.0
    return (job.ended_at - job.started_at) / 1000


def logs(job: Job, events: list[JobEvent]) -> str:
    """Return what happened to a job as text, one line for each event."""
    steps = [
        (job.created_at, "submitted"),
        (job.started_at, f"running on {job.device}"),
        *((event.at, f"{event.before} to {event.after}: {event.reason}") for event in events),
        (job.ended_at, status(job).lower() + (f": {reason(job)}" if job.error_code else "")),
    ]
    known = sorted(((at, text) for at, text in steps if at is not None), key=itemgetter(0))
    return "".join(f"{format_time(at)} {text}\n" for at, text in known)


def session(group: Group, use: GroupUse, now_ms: int) -> dict[str, Any]:
    """Return a session.

    It is `open` until its first job runs, then `active` while it takes jobs or has unfinished ones.
    Otherwise it is `closed`, also if it was closed before a job ran.
    """
    is_open = group.is_open(now_ms)
    is_active = use.started_at is not None and (is_open or use.unfinished > 0)
    closed_at = group.closed_at if group.state == "closed" else group.expires_at
    max_s = None if group.expires_at is None else (group.expires_at - group.created_at) // 1000
    return {
        "id": group.id,
        "backend_name": group.device,
        "mode": session_fields_decoder.decode(group.body).mode,
        "state": "active" if is_active else "open" if is_open else "closed",
        "accepting_jobs": is_open,
        "max_ttl": max_s,
        "active_ttl": max_s,
        "interactive_ttl": None,
        "started_at": format_time(use.started_at),
        "activated_at": format_time(use.started_at),
        "closed_at": None if is_open else format_time(closed_at),
        "last_job_started": format_time(use.last_started_at),
        "last_job_completed": format_time(use.last_ended_at),
        "elapsed_time": use.run_ms / 1000,
        "timestamps": [
            {"status": status, "timestamp": format_time(at)}
            for status, at in (
                ("open", group.created_at),
                ("active", use.started_at),
                ("closed", None if is_open else closed_at),
            )
            if at is not None
        ],
    }
