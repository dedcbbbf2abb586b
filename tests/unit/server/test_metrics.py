from __future__ import annotations

from typing import Any

import msgspec
import pytest

from qwicket.model.jobs import Job
from qwicket.model.states import JobState
from qwicket.server import exposition
from qwicket.server.metrics import Metrics
from qwicket.store import JobChange

JOB = msgspec.convert(
    dict.fromkeys(Job.__struct_fields__)
    | {"id": "j", "account": "a", "project": "p", "device": "simulator", "dialect": "native"}
    | {"name": "", "tags": (), "state": "completed", "est_seconds": 1.0}
    | dict.fromkeys(("seq", "version", "shots", "n_circuits", "n_qubits", "n_ops_1q"), 1)
    | dict.fromkeys(("n_ops_2q", "est_bytes", "priority", "attempts", "change", "created_at"), 1)
    | {"queued_at": 1_000, "started_at": 3_500, "ended_at": 3_750},
    Job,
)
ENDED = 'qwicket_jobs_ended_total{device="simulator",state="%s"} 1.0'


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def text(metrics: Metrics) -> str:
    return exposition.text([], metrics).decode()


def changed(row: Job | None, **fields: Any) -> JobChange:
    return JobChange("j", 1, row.state if row else JobState.COMPLETED, "simulator", row, **fields)


def test_an_ended_job_is_timed_by_its_own_times(metrics: Metrics) -> None:
    metrics.job_ended(changed(JOB))
    seen = text(metrics)
    assert ENDED % "completed" in seen
    assert 'qwicket_job_queue_seconds_sum{device="simulator"} 2.5' in seen  # 3500 - 1000 ms
    assert 'qwicket_job_run_seconds_sum{device="simulator"} 0.25' in seen  # 3750 - 3500 ms


def test_a_job_that_never_ran_is_counted_and_not_timed(metrics: Metrics) -> None:
    never = msgspec.structs.replace(JOB, state=JobState.CANCELLED, started_at=None)
    metrics.job_ended(changed(never))
    assert ENDED % "cancelled" in text(metrics)
    assert "qwicket_job_run_seconds_sum" not in text(metrics)


def test_neither_a_new_name_nor_what_another_server_ended_is_counted(metrics: Metrics) -> None:
    metrics.job_ended(changed(JOB, keeps_state=True))
    metrics.job_ended(changed(None))
    assert "jobs_ended_total{" not in text(metrics)


def test_a_clock_that_was_set_back_makes_no_time_negative(metrics: Metrics) -> None:
    metrics.job_ended(changed(msgspec.structs.replace(JOB, ended_at=500)))
    assert 'qwicket_job_run_seconds_sum{device="simulator"} 0.0' in text(metrics)


@pytest.mark.parametrize(
    ("prefix", "status", "labels"),
    [
        ("/v1", 204, 'dialect="/v1",status="2xx"'),
        ("/v1", 503, 'dialect="/v1",status="5xx"'),
        ("", 404, 'dialect="/",status="4xx"'),
        ("/v1", 0, 'dialect="/v1",status="none"'),
    ],
)
def test_requests_are_counted_by_dialect_and_class(
    metrics: Metrics, prefix: str, status: int, labels: str
) -> None:
    for _ in range(2):
        metrics.answered(prefix, status, 0.25)
    seen = text(metrics)
    assert f"qwicket_request_seconds_count{{{labels}}} 2.0" in seen
    assert f"qwicket_request_seconds_sum{{{labels}}} 0.5" in seen


def test_a_commit_counts_its_operations_time_and_failures(metrics: Metrics) -> None:
    metrics.committed(3, 0, 0.5)
    metrics.committed(5, 2, 0.25)
    seen = text(metrics)
    assert "qwicket_commit_operations_sum 8.0" in seen
    assert "qwicket_commit_seconds_sum 0.75" in seen
    assert "qwicket_store_errors_total 2.0" in seen
