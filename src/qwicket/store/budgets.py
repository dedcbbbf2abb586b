"""Operations on budgets. Operations on jobs call `reserve` and `settle` in their transactions.

All writers are serialised, so that a value read here is still true when it is written back. This
module is imported late, because few servers have budgets or devices with a cost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from qwicket.model.budgets import (
    Bill,
    Budget,
    NamedBudget,
    ProjectUse,
    ReservedAmount,
    Use,
    period_start,
    use,
)
from qwicket.model.errors import LimitExceeded, NotFound
from qwicket.store.operations import Operations, read, scan, write
from qwicket.store.rows import existing

if TYPE_CHECKING:
    from qwicket.model.budgets import BudgetPeriod, BudgetUnit
    from qwicket.model.jobs import Job, NewJob
    from qwicket.store.database import Row, Tx

_MAX_BUDGETS: Final = 64
"""Limit on the budgets of one project, because each submission reads them all."""
_FIELDS: Final = len(Budget.__struct_fields__)
_bill = msgspec.json.Decoder(Bill)


class Budgets(Operations):
    @write
    def put(
        tx: Tx,
        budget: str,
        project: str,
        device: str,
        unit: BudgetUnit,
        period: BudgetPeriod,
        maximum: int,
        now: int,
    ) -> NamedBudget:
        """Set a budget. An existing one keeps its id, its period's beginning and its use.

        Args:
            tx: The transaction.
            budget: Id of a new budget.
            project: Name of the project.
            device: Name of the only device; empty for all.
            unit: What is counted.
            period: When the use starts again from zero.
            maximum: What may be used in a period, as it is stored.
            now: Unix milliseconds.

        Raises:
            NotFound: There is no such project.
            LimitExceeded: The project has too many budgets.
        """
        unknown = f"There is no project {project}."
        owner = existing(tx.one("project_by_name", name=project), unknown)
        row = tx.one(
            "budget_put",
            id=budget,
            project=owner[0],
            device=device,
            unit=unit,
            period=period,
            maximum=maximum,
            begun_at=period_start(period, now),
            now=now,
        )
        assert row is not None
        count = tx.one("budget_count", project=owner[0])
        if count is not None and int(count[0]) > _MAX_BUDGETS:
            raise LimitExceeded(f"project: {project} has {_MAX_BUDGETS} budgets, the most allowed.")
        return NamedBudget(Budget(*row), project)

    @write
    def remove(tx: Tx, budget: str) -> None:
        """Remove a budget.

        Raises:
            NotFound: There is no such budget.
        """
        if not tx.count("budget_delete", id=budget):
            raise NotFound("There is no such budget.")

    @scan
    def all(tx: Tx) -> list[NamedBudget]:
        """Return all budgets, by project."""
        return [_named(row) for row in tx.all("budget_list")]

    @read
    def of_account(tx: Tx, account: str) -> list[NamedBudget]:
        """Return the budgets of the projects of an account, by project."""
        return [_named(row) for row in tx.all("budget_list_of_account", account=account)]

    @scan
    def use_of(tx: Tx, since: int, until: int) -> list[ProjectUse]:
        """Return what the jobs that ended from `since` to `until` used, by project and device.

        Both times are beginnings of days, because the use of jobs is stored by day; `until` is not
        included.
        """
        found = tx.all("use_list", since=since, until=until)
        return [
            ProjectUse(project, device, Use(*map(int, rest))) for project, device, *rest in found
        ]

    @scan
    def use_by_day(tx: Tx, project: str, since: int, until: int) -> dict[int, Use]:
        """Return what a project's jobs have used, by the beginning of the day on which they ended.

        `since` and `until` are as for `use_of`.
        """
        found = tx.all("use_by_day", project=project, since=since, until=until)
        return {int(day): Use(*map(int, rest)) for day, *rest in found}


def reserve(tx: Tx, new: NewJob, job: str, project: str) -> None:
    """Reserve what a job needs in all budgets of its project that apply.

    Raises:
        BudgetSpent: A budget has no room for the job.
    """
    needed = _needed(new)
    found = map(_named, tx.all("budget_list_of_job", project=project, device=new.device))
    taken = [each.budget.take(needed, each.project, new.now) for each in found]
    for each in taken:
        tx.run("budget_reserve", id=each.id, used=each.used, begun_at=each.begun_at)
    reserved = tuple(
        ReservedAmount(each.id, each.unit, each.begun_at, getattr(needed, each.unit))
        for each in taken
    )
    cost = needed.cost if new.cost is not None else None
    tx.run("job_set_bill", job=job, bill=_encode(Bill(new.cost, reserved)), cost=cost)


def settle(tx: Tx, job: Job, bill_text: str, jobs: int, shots: int, seconds: float) -> None:
    """Replace what a job has reserved by what it has used; `jobs` is 0 if it did not run."""
    bill = _bill.decode(bill_text)
    used = use(jobs, shots, seconds, bill.cost)
    for each in bill.reserved:
        amount = getattr(used, each.unit) - each.amount
        if amount:
            tx.run("budget_settle", id=each.budget, begun_at=each.begun_at, amount=amount)
    cost = used.cost if bill.cost is not None else None
    tx.run("job_set_bill", job=job.id, bill=None, cost=cost)


def bill_without_reservation(new: NewJob) -> tuple[str, int]:
    """Return the bill and the estimated cost of a job that has reserved nothing."""
    return _encode(Bill(new.cost)), _needed(new).cost


def _needed(new: NewJob) -> Use:
    return use(1, new.shots * new.n_circuits, new.est_seconds, new.cost)


def _encode(bill: Bill) -> str:
    return msgspec.json.encode(bill).decode()


def _named(row: Row) -> NamedBudget:
    return NamedBudget(Budget(*row[:_FIELDS]), row[_FIELDS])
