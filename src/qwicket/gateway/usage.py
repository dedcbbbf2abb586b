"""What jobs have used, and what is left of the budgets of their projects."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

from msgspec import structs

from qwicket.model.accounts import project_path
from qwicket.model.budgets import DAY_MS, NO_USE, NamedBudget, budget_state, period_start
from qwicket.model.errors import InvalidRequest, LimitExceeded
from qwicket.model.limits import INT64_MAX
from qwicket.registrations import hook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from qwicket.model.accounts import Actor, Project
    from qwicket.model.budgets import (
        BudgetState,
        BudgetUnit,
        GroupUse,
        TokenUse,
        Use,
        UsePart,
    )
    from qwicket.store import Store

_MAX_GROUPS: Final = 10_000
"""Longest answer: what people read, and what the event loop encodes at once."""


class Usage:
    """Reads what jobs have used.

    Args:
        store: The database.
        now_ms: Clock; returns Unix milliseconds.
    """

    def __init__(self, store: Store, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._now_ms = now_ms

    async def account_budgets(self, account: str) -> list[NamedBudget]:
        """Return the budgets in which jobs of the projects of an account count, by project.

        For each project these are its own and those of the projects above it, with the names of
        theirs. None without the feature.
        """
        account_budgets = hook("account_budgets")
        found: list[NamedBudget] = []
        if account_budgets is not None:
            found = await account_budgets(self._store, account)
        own = await self._store.accounts.projects_of(account) if found else []
        by_project: dict[str, list[NamedBudget]] = {}
        for each in found:
            by_project.setdefault(each.project, []).append(each)
        return [
            each
            if each.budget.project == project.id
            else NamedBudget(structs.replace(each.budget, project=project.id), each.project)
            for project in own
            for name in project.path
            for each in by_project.get(name, ())
        ]

    async def budgets(self, actor: Actor) -> list[BudgetState]:
        """Return budgets as `account_budgets` does, for the devices of an actor's token."""
        now = self._now_ms()
        return [
            budget_state(budget, project, now)
            for budget, project in await self.account_budgets(actor.account)
            if not budget.device or actor.sees(budget.device)
        ]

    async def of_token(self, actor: Actor) -> TokenUse:
        """Return what jobs of the actor's token, which has bounds, have used or reserved today."""
        return await self._store.bounds.used(actor.token, period_start("day", self._now_ms()))

    async def each_budget(self, actor: Actor) -> list[BudgetState]:
        """Return the budgets once each, also those in which several projects of the actor count."""
        return list({each.budget.id: each for each in await self.budgets(actor)}.values())

    async def credits_left(self, actor: Actor) -> float:
        """Return the fewest credits left in a cost budget of the token's project for all devices.

        Return 0 without such a budget.
        """
        found = self.with_least_left(await self.budgets(actor), actor.project, "cost")
        return found.left if found is not None else 0.0

    @staticmethod
    def with_least_left(
        states: Iterable[BudgetState], project: str, unit: BudgetUnit
    ) -> BudgetState | None:
        """Return the budget of a project and unit of which the least is left; None without any.

        Args:
            states: Budgets to choose from.
            project: Id of the project; budgets for single devices are left out.
            unit: The unit; budgets in other units are left out.
        """
        applying = [
            each
            for each in states
            if each.budget.project == project
            and each.budget.unit == unit
            and not each.budget.device
        ]
        return min(applying, key=lambda each: each.left, default=None)

    async def usage(
        self,
        first: date | None,
        last: date | None,
        by: Sequence[UsePart],
        project: Project | None = None,
        *,
        adds_up: bool = False,
    ) -> list[GroupUse]:
        """Return what the jobs that ended on some days have used; jobs that never ran do not count.

        Args:
            first: The first day in UTC; None for all up to the last.
            last: The last day; None for all from the first.
            by: What to group by, and in which order.
            project: The only project, with those below it; None for all.
            adds_up: Whether the use of each project includes that of the projects below it.

        Raises:
            InvalidRequest: The last day is before the first, or there is no project to add up to.
            LimitExceeded: There are more than `_MAX_GROUPS` groups.
        """
        if first is not None and last is not None and last < first:
            raise InvalidRequest(f"to ({last}) must not be before from ({first}).", field="to")
        if adds_up and "project" not in by:
            raise InvalidRequest("tree: give it together with project in by.", field="tree")
        since = 0 if first is None else _beginning(first)
        until = INT64_MAX if last is None else _beginning(last) + DAY_MS
        found = await self._store.uses.use_of(
            since, until, by, _MAX_GROUPS + 1, project.id if project else None
        )
        if len(found) > _MAX_GROUPS:
            text = f"by {','.join(by)}: more than {_MAX_GROUPS:,} lines. Ask for fewer days."
            raise LimitExceeded(text, field="by")
        if adds_up:
            found = _added_up(found, project)
        return sorted(found, key=lambda each: [getattr(each, part) for part in by])

    async def daily(
        self, project: Project, n_days: int, device: str = "", account: str = ""
    ) -> list[tuple[int, Use]]:
        """Return what the jobs of one of the actor's projects have used on each of the last days.

        Args:
            project: The project, which the actor has just read.
            n_days: Number of days, today included.
            device: The only device; empty for all.
            account: Id of the only account; empty for all.

        Returns:
            The start of each day in Unix milliseconds, oldest first, with its use.
        """
        today = self._now_ms() // DAY_MS * DAY_MS
        days = range(today - (n_days - 1) * DAY_MS, today + 1, DAY_MS)
        until = today + DAY_MS
        found = await self._store.uses.use_by_day(project.id, days[0], until, device, account)
        return [(day, found.get(day, NO_USE)) for day in days]


def _beginning(day: date) -> int:
    return (day - date(1970, 1, 1)).days * DAY_MS


def _added_up(found: Iterable[GroupUse], top: Project | None) -> list[GroupUse]:
    """Return groups in which the use of a project, up to the top, includes that below it."""
    sums: dict[GroupUse, Use] = {}
    for each in found:
        for name in project_path(each.project or ""):
            if top is None or len(name) >= len(top.name):
                group = each._replace(project=name, use=NO_USE)
                sums[group] = sums.get(group, NO_USE) + each.use
    return [group._replace(use=use) for group, use in sums.items()]
