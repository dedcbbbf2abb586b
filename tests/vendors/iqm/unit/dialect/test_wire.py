"""Statuses of jobs in IQM's words, and why a job failed."""

from __future__ import annotations

from typing import Any

from qwicket.model.jobs import Job
from qwicket.model.states import JobState
from qwicket.vendors.iqm.dialect import wire
from support.for_each import for_each

T0 = 1_790_000_000_000


def job(state: JobState, **changes: Any) -> Job:
    numbers = dict.fromkeys(
        ("n_circuits", "n_qubits", "n_ops_1q", "n_ops_2q", "est_bytes", "priority", "attempts"), 1
    )
    absent = dict.fromkeys(
        ("group", "queued_at", "started_at", "ended_at", "expires_at", "calibration")
    )
    fields: dict[str, Any] = {
        "id": "0197a0b0-0000-7000-8000-000000000000",
        "seq": 1,
        "account": "a",
        "project": "p",
        "device": "garnet",
        "dialect": "iqm",
        "version": 1,
        "name": "",
        "tags": (),
        "shots": 1,
        "est_seconds": 0.1,
        "change": 1,
        "created_at": T0,
        "error_code": None,
        "error_text": None,
        **numbers,
        **absent,
        **changes,
    }
    return Job(state=state, **fields)


@for_each(
    "state, status",
    [
        (JobState.QUEUED, "waiting"),
        (JobState.RUNNING, "processing"),
        (JobState.CANCELLING, "processing"),
        (JobState.UNCERTAIN, "processing"),
        (JobState.COMPLETED, "completed"),
        (JobState.FAILED, "failed"),
        (JobState.CANCELLED, "cancelled"),
    ],
)
def test_each_state_has_one_of_the_statuses_that_clients_know(state: JobState, status: str) -> None:
    found = wire.job(job(state, ended_at=T0 + 5), wire.VendorFields(), ahead=3)
    assert found["status"] == found["timeline"][-1]["status"] == status
    assert found["queue_position"] == (3 if status == "waiting" else None)
    assert bool(found["artifacts"]) == (status == "completed")
    assert bool(found["errors"]) == (status == "failed")


def test_a_failed_job_says_why() -> None:
    failed = job(JobState.FAILED, error_code="timeout", error_text="It took too long.")
    (found,) = wire.job(failed, wire.VendorFields(), None)["errors"]
    assert (found["message"], found["error_code"]) == ("It took too long.", "timeout")
