"""Estimates of jobs before they are submitted: run time, start, cost and budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from qwicket.model.accounts import Scope
from qwicket.model.bounds import credits_of
from qwicket.model.budgets import from_stored_amount, use
from qwicket.model.errors import BudgetSpent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qwicket.gateway.admission import Admission
    from qwicket.gateway.choices import Choices
    from qwicket.gateway.job_groups import JobGroups
    from qwicket.gateway.queue import Queue
    from qwicket.gateway.usage import Usage
    from qwicket.model.accounts import Actor
    from qwicket.model.budgets import NamedBudget, Use
    from qwicket.model.jobs import NewJob, Submission
    from qwicket.scheduling import Forecast


class BudgetNeed(NamedTuple):
    """What a job would need of a budget.

    Attributes:
        named_budget: The budget, with the name of its project.
        left: What is left of it now, in its unit.
        needed: What the job would reserve, in its unit.
        refusal: Why the budget would refuse the job; empty if it would not.
    """

    named_budget: NamedBudget
    left: float
    needed: float
    refusal: str


class BoundsNeed(NamedTuple):
    """What the bounds of a token leave for a job.

    Attributes:
        shots_left: Shots that its jobs may still use today; None without this bound.
        cost_left: Credits that they may still cost today; None without this bound.
        refusal: Why the day has no room for the job; empty if it has.
        asks_first: Whether a person must confirm the job first.
    """

    shots_left: int | None
    cost_left: float | None
    refusal: str
    asks_first: bool


class JobEstimate(NamedTuple):
    """What a job would take.

    Attributes:
        job: The job as it would be stored.
        cost: Its cost in credits; None if its device has none.
        forecast: The forecast of the device's queue.
        budgets: Budgets that would count the job.
        bounds: What the bounds of the token leave; None if it has none.
    """

    job: NewJob
    cost: float | None
    forecast: Forecast
    budgets: list[BudgetNeed]
    bounds: BoundsNeed | None

    @property
    def refusals(self) -> list[str]:
        """Why budgets or the bounds of the token would refuse the job."""
        found = [each.refusal for each in self.budgets]
        if self.bounds is not None:
            found.append(self.bounds.refusal)
        return [each for each in found if each]


class Estimates:
    """Estimates jobs, with the checks of a submission except quotas and limits of groups.

    Args:
        usage: Reads budgets.
        admission: Checks the submission and estimates its run time.
        job_groups: Finds the group that the job would join.
        queue: Forecasts the start.
        now_ms: Clock; returns Unix milliseconds.
        choices: Returns the service that chooses devices.
    """

    def __init__(
        self,
        usage: Usage,
        admission: Admission,
        job_groups: JobGroups,
        queue: Queue,
        now_ms: Callable[[], int],
        choices: Callable[[], Choices],
    ) -> None:
        self._usage = usage
        self._admission = admission
        self._job_groups = job_groups
        self._queue = queue
        self._now_ms = now_ms
        self._choices = choices

    async def of(self, actor: Actor, submission: Submission) -> JobEstimate:
        """Return what a submission would take now.

        Raises:
            QwicketError: The submission is invalid, as in `Jobs.submit`. A budget that would refuse
                the job is not an error.
        """
        actor.require(Scope.JOBS_WRITE)
        submission = await self._admission.complete(submission)
        if submission.group is not None:
            await self._job_groups.of_submission(actor, submission.group)
        if submission.candidates:
            submission = await self._choices().choose(actor, submission)
        job = await self._admission.admit(actor, submission)
        return await self.of_admitted(actor, job, await self.budgets_of(actor))

    async def budgets_of(self, actor: Actor) -> list[NamedBudget]:
        """Return the budgets in which jobs of the actor's project count."""
        found = await self._usage.account_budgets(actor.account)
        return [each for each in found if each.budget.project == actor.project]

    async def of_admitted(
        self, actor: Actor, job: NewJob, budgets: Iterable[NamedBudget]
    ) -> JobEstimate:
        """Return what a job that was admitted would take now.

        Args:
            actor: The submitter.
            job: The job.
            budgets: As `budgets_of` returns them.
        """
        needed = use(1, job.shots * job.n_circuits, job.est_seconds, job.cost)
        needs = [
            self._need(each, needed) for each in budgets if each.budget.device in ("", job.device)
        ]
        return JobEstimate(
            job,
            from_stored_amount("cost", needed.cost) if job.cost is not None else None,
            await self._queue.forecast(job.device),
            needs,
            await self._bounds_need(actor, job, needed),
        )

    async def _bounds_need(self, actor: Actor, job: NewJob, needed: Use) -> BoundsNeed | None:
        if job.bounds is None:
            return None
        used = await self._usage.of_token(actor)
        shots, cost = job.bounds.left(used)
        return BoundsNeed(
            shots,
            credits_of(cost),
            job.bounds.refusal(needed, used),
            bool(job.question),
        )

    def _need(self, named_budget: NamedBudget, needed: Use) -> BudgetNeed:
        budget, now = named_budget.budget, self._now_ms()
        amount: int = getattr(needed, budget.unit)
        refusal = ""
        try:
            budget.take(needed, named_budget.project, now)
        except BudgetSpent as spent:
            refusal = spent.detail
        left = max(0, budget.maximum - budget.used_at(now))
        return BudgetNeed(
            named_budget,
            from_stored_amount(budget.unit, left),
            from_stored_amount(budget.unit, amount),
            refusal,
        )
