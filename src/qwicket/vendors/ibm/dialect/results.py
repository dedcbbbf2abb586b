"""Results as Qiskit reads them. Outcomes are hexadecimal: bit i is slot i of the memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qwicket.circuits.outcomes import MEMORY, Outcome
from qwicket.dialects.streaming import raw_list, raw_object
from qwicket.dialects.times import format_time
from qwicket.model.states import JobState
from qwicket.vendors.ibm import qobj
from qwicket.vendors.ibm.dialect.catalogue import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    import msgspec

    from qwicket.gateway import JobResults
    from qwicket.model.failures import Failure


def result(job_results: JobResults, source: bytes) -> dict[str, Any]:
    """Return the result of a job that has ended.

    Args:
        job_results: Results of its circuits.
        source: The Qobj, whose headers are returned unchanged.
    """
    job, settings = job_results.job, qobj.settings(source)
    is_done = job.state is JobState.COMPLETED
    return {
        "backend_name": job.device,
        "backend_version": VERSION,
        "qobj_id": settings.qobj_id,
        "job_id": job.id,
        "success": is_done,
        "status": "COMPLETED" if is_done else f"ERROR: {job.error_text or 'the job failed'}",
        "date": format_time(job.ended_at),
        "header": settings.header,
        "results": raw_list(_results(job_results, settings)),
    }


def _results(job_results: JobResults, settings: qobj.Settings) -> Iterator[dict[str, Any]]:
    for part, experiment in zip(job_results.parts, settings.experiments, strict=True):
        yield _one(part, experiment, job_results.job.shots)


def _one(
    part: Outcome | Failure, experiment: qobj.ExperimentSettings, shots: int
) -> dict[str, Any]:
    body: dict[str, Any] = {"shots": shots, "meas_level": 2, "header": experiment.header}
    if not isinstance(part, Outcome):
        text = part.message or part.code
        return {**body, "success": False, "status": f"ERROR: {text}", "data": {}}
    return {
        **body,
        "success": True,
        "status": "DONE",
        "seed_simulator": part.seed,
        "time_taken": part.seconds,
        "data": _data(part, wants_memory=experiment.memory),
        **({"notes": part.notes} if part.notes else {}),
    }


def _data(outcome: Outcome, *, wants_memory: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"counts": counts(outcome)}
    if wants_memory and MEMORY in outcome.arrays:
        body["memory"] = raw_list(map(hex, outcome.each_shot()))
    return body


def counts(outcome: Outcome) -> msgspec.Raw:
    """Return the number of shots by outcome."""
    return raw_object((hex(key), n) for key, n in outcome.each_count())
