"""Estimates of jobs in the native API's JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwicket import schema
from qwicket.dialects.native import wire
from qwicket.model.budgets import from_stored_amount

if TYPE_CHECKING:
    from qwicket.gateway.estimates import BudgetNeed, JobEstimate


def estimate(estimate: JobEstimate, project: str) -> schema.jobs.EstimateBody:
    """Return an estimate for a job of a project."""
    job, forecast, bounds = estimate.job, estimate.forecast, estimate.bounds
    earliest_s, latest_s = forecast.new_job_interval or (None, None)
    return schema.jobs.EstimateBody(
        device=job.device,
        format=job.format,
        shots=job.shots,
        circuits=job.n_circuits,
        qubits=job.n_qubits,
        run_s=job.est_seconds,
        waiting=forecast.n_waiting,
        starts_in_s=_rounded(forecast.new_job_start_in_s(project)),
        starts_after_s=_rounded(earliest_s),
        starts_before_s=_rounded(latest_s),
        cost=estimate.cost,
        budgets=tuple(map(_need, estimate.budgets)),
        choice=wire.choice(job),
        bounds=bounds and schema.jobs.BoundsNeedBody(**bounds._asdict()),
    )


def _need(need: BudgetNeed) -> schema.jobs.BudgetNeedBody:
    budget = need.named_budget.budget
    return schema.jobs.BudgetNeedBody(
        id=budget.id,
        device=budget.device or None,
        unit=budget.unit,
        period=budget.period,
        maximum=from_stored_amount(budget.unit, budget.maximum),
        left=need.left,
        needed=need.needed,
        refusal=need.refusal,
    )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
