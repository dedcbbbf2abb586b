"""Operations on budgets. Operations on jobs call `reserve` and `settle` in their transactions.

All writers are serialised, so that a value read here is still true when it is written back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qwicket.model.budgets import (
    EACH,
    Budget,
    NamedBudget,
    ReservedAmount,
    from_stored_amount,
    period_start,
)
from qwicket.model.errors import Forbidden, LimitExceeded, NotFound
from qwicket.model.ids import new_id
from qwicket.store.accounts import Accounts
from qwicket.store.operations import Operations, read, scan, write
from qwicket.store.rows import existing, from_texts
from qwicket.store.use import bill_of, needed_by, set_bill

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from qwicket.model.budgets import BudgetPeriod, BudgetUnit, Use
    from qwicket.model.jobs import NewJob
    from qwicket.model.people import WantedBudget
    from qwicket.store import Store
    from qwicket.store.database import Row, Tx

_MAX_BUDGETS: Final = 64
"""Limit on the budgets of a project that concern one account, because its submissions read all."""
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
        member: str = "",
        *,
        is_within: bool = False,
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
            member: Name of the only account that it counts, or `EACH` member; empty for the whole
                project.
            is_within: Whether a budget of a member must not be above the project's own of this
                device, unit and period, if it has one.

        Raises:
            NotFound: There is no such project or member.
            LimitExceeded: The project has too many budgets, or a smaller one of its own.
        """
        row = _put(
            tx,
            *(budget, project, device, unit, period, maximum, now, member),
            is_within=is_within,
        )
        if member:
            found = tx.one("member_budget_get", id=row[0], jobs=None)
            assert found is not None
            row = found
        return NamedBudget(Budget(*row[:_FIELDS]), project)

    @write
    def remove(
        tx: Tx, budget: str, project: str | None = None, *, is_of_member: bool = False
    ) -> None:
        """Remove a budget, of any project or of one, given by id; or only one of its members.

        Raises:
            NotFound: There is no such budget.
            Forbidden: It is not one of members, as is asked for.
        """
        given = {"id": budget, "project": project}
        if tx.count("member_budget_delete", **given):
            return
        if not tx.count("budget_delete", **given):
            raise NotFound("There is no such budget.")
        if is_of_member:  # the transaction is undone
            raise Forbidden(
                "member: only administrators remove budgets of a whole project. A lead removes"
                " those of members.",
                field="member",
            )

    @scan
    def all(tx: Tx) -> list[NamedBudget]:
        """Return all budgets, those of members last, by project."""
        return _all_named(tx.all("budget_list"), tx.all("member_budget_get", id="", jobs=None))

    @read
    def of_projects(tx: Tx, projects: Sequence[str]) -> list[NamedBudget]:
        """Return the budgets of projects, given by ids."""
        asked = from_texts(tuple(projects))
        return _all_named(
            tx.all("budget_list_of_projects", jobs=asked),
            tx.all("member_budget_get", id="", jobs=asked),
        )

    @read
    def of_account(tx: Tx, account: str) -> list[NamedBudget]:
        """Return the budgets of the projects of an account, by project."""
        return _all_named(
            tx.all("budget_list_of_account", account=account),
            tx.all("member_budget_list_of_account", account=account),
        )


def reserve(tx: Tx, new: NewJob, job: str, project: str) -> None:
    """Reserve what a job needs in all budgets of its project and its account that apply.

    Raises:
        BudgetSpent: A budget has no room for the job.
    """
    needed = needed_by(new)
    given = {"project": project, "device": new.device}
    found = _all_named(
        tx.all("budget_list_of_job", **given),
        tx.all("member_budget_list_of_job", **given, account=new.account),
    )
    taken = [each.budget.take(needed, each.project, new.now) for each in found]
    reserved = []
    for each in taken:
        amount: int = getattr(needed, each.unit)
        changed: dict[str, Any] = {"id": each.id, "used": each.used, "begun_at": each.begun_at}
        account = new.account if each.member else ""
        if account:
            tx.run("member_budget_reserve", **changed, account=account)
        else:
            tx.run("budget_reserve", **changed)
        reserved.append(ReservedAmount(each.id, each.unit, each.begun_at, amount, account))
    set_bill(tx, job, bill_of(new, reserved), needed)


def settle(tx: Tx, reserved: Sequence[ReservedAmount], used: Use) -> None:
    """Replace what a job has reserved by what it has used."""
    for each in reserved:
        amount = getattr(used, each.unit) - each.amount
        if not amount:
            continue
        changed = {"id": each.budget, "begun_at": each.begun_at, "amount": amount}
        if each.account:
            tx.run("member_budget_settle", **changed, account=each.account)
        else:
            tx.run("budget_settle", **changed)


def budgets_in(tx: Tx, projects: Sequence[str]) -> list[NamedBudget]:
    """Return the budgets of projects, given by ids, in a transaction."""
    return BudgetStore.of_projects(tx, projects)


def put_budget(tx: Tx, project: str, member: str, wanted: WantedBudget, now: int) -> None:
    """Set a budget on all devices in a transaction; as `BudgetStore.put`."""
    unit, period, maximum, _ = wanted
    _put(tx, new_id(now), project, "", unit, period, maximum, now, member)


def _put(
    tx: Tx,
    budget: str,
    project: str,
    device: str,
    unit: BudgetUnit,
    period: BudgetPeriod,
    maximum: int,
    now: int,
    member: str,
    *,
    is_within: bool = False,
) -> Row:
    """Set a budget as `BudgetStore.put`; return its row, of which a member's has the id alone."""
    owner = existing(tx.one("project_by_name", name=project), f"There is no project {project}.")
    given = {
        "id": budget,
        "project": owner[0],
        "device": device,
        "unit": unit,
        "period": period,
        "maximum": maximum,
        "now": now,
    }
    account = "" if member in ("", EACH) else _member(tx, owner[0], project, member)
    if is_within:
        _check_within(tx, given)
    if member:
        row = tx.one("member_budget_put", **given, account=account)
    else:
        row = tx.one("budget_put", **given, begun_at=period_start(period, now))
    assert row is not None
    count = tx.one("budget_count", project=owner[0], account=account)
    if count is not None and int(count[0]) > _MAX_BUDGETS:
        raise LimitExceeded(f"project: {project} has {_MAX_BUDGETS} budgets, the most allowed.")
    return row


def account_budgets(store: Store, account: str) -> Awaitable[list[NamedBudget]]:
    """Return the budgets of the projects of an account, by project."""
    return store.feature(BudgetStore).of_account(account)


def project_budgets(store: Store, projects: Sequence[str]) -> Awaitable[list[NamedBudget]]:
    """Return the budgets of projects, given by ids."""
    return store.feature(BudgetStore).of_projects(projects)


def _all_named(*rows: Sequence[Row]) -> list[NamedBudget]:
    """Return budgets of projects, then those of members."""
    return [NamedBudget(Budget(*row[:_FIELDS]), row[_FIELDS]) for found in rows for row in found]


def _check_within(tx: Tx, given: dict[str, Any]) -> None:
    """Check that a budget is not above the one that its project has for the same.

    Raises:
        LimitExceeded: It is.
    """
    key = {name: given[name] for name in ("project", "device", "unit", "period")}
    own = tx.one("budget_maximum", **key)
    if own is not None and given["maximum"] > own[0]:
        unit = given["unit"]
        highest = from_stored_amount(unit, own[0])
        raise LimitExceeded(
            f"maximum must be at most {highest:g} {unit}, the project's own budget.",
            field="maximum",
        )


def _member(tx: Tx, project: str, name: str, member: str) -> str:
    """Return the id of an account in a project.

    Raises:
        NotFound: There is no such account, or it is no member of the project, whose name is given.
    """
    account = Accounts.by_name(tx, member)
    if tx.one("member_get", account=account.id, project=project) is None:
        raise NotFound(f"{member} is not a member of {name}.")
    return account.id
