"""Operations on budgets. Operations on jobs call `reserve` and `settle` in their transactions.

All writers are serialised, so that a value read here is still true when it is written back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.model.budgets import (
    Bill,
    Budget,
    NamedBudget,
    ReservedAmount,
    period_start,
)
from qwicket.model.errors import LimitExceeded, NotFound
from qwicket.store.operations import Operations, read, scan, write
from qwicket.store.rows import existing, from_texts
from qwicket.store.use import needed_by, set_bill

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from qwicket.model.budgets import BudgetPeriod, BudgetUnit, Use
    from qwicket.model.jobs import NewJob
    from qwicket.store import Store
    from qwicket.store.database import Row, Tx

_MAX_BUDGETS: Final = 64
"""Limit on the budgets of one project, because each submission reads them all."""
_FIELDS: Final = len(Budget.__struct_fields__)


class BudgetStore(Operations):
    """Operations on budgets."""

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
    def of_projects(tx: Tx, projects: Sequence[str]) -> list[NamedBudget]:
        """Return the budgets of projects, given by ids."""
        asked = from_texts(tuple(projects))
        return [_named(row) for row in tx.all("budget_list_of_projects", jobs=asked)]

    @read
    def of_account(tx: Tx, account: str) -> list[NamedBudget]:
        """Return the budgets of the projects of an account, by project."""
        return [_named(row) for row in tx.all("budget_list_of_account", account=account)]


def reserve(tx: Tx, new: NewJob, job: str, project: str) -> None:
    """Reserve what a job needs in all budgets of its project that apply.

    Raises:
        BudgetSpent: A budget has no room for the job.
    """
    needed = needed_by(new)
    found = map(_named, tx.all("budget_list_of_job", project=project, device=new.device))
    taken = [each.budget.take(needed, each.project, new.now) for each in found]
    for each in taken:
        tx.run("budget_reserve", id=each.id, used=each.used, begun_at=each.begun_at)
    reserved = tuple(
        ReservedAmount(each.id, each.unit, each.begun_at, getattr(needed, each.unit))
        for each in taken
    )
    set_bill(tx, job, Bill(new.cost, reserved), needed)


def settle(tx: Tx, reserved: Sequence[ReservedAmount], used: Use) -> None:
    """Replace what a job has reserved by what it has used."""
    for each in reserved:
        amount = getattr(used, each.unit) - each.amount
        if amount:
            tx.run("budget_settle", id=each.budget, begun_at=each.begun_at, amount=amount)


def account_budgets(store: Store, account: str) -> Awaitable[list[NamedBudget]]:
    """Return the budgets of the projects of an account, by project."""
    return store.feature(BudgetStore).of_account(account)


def project_budgets(store: Store, projects: Sequence[str]) -> Awaitable[list[NamedBudget]]:
    """Return the budgets of projects, given by ids."""
    return store.feature(BudgetStore).of_projects(projects)


def _named(row: Row) -> NamedBudget:
    return NamedBudget(Budget(*row[:_FIELDS]), row[_FIELDS])
