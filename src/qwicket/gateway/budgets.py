"""Budgets: administrators set them, members read those of their projects."""

from __future__ import annotations

import math
from datetime import date
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.gateway.refusals import existing_device
from qwicket.model.budgets import (
    DAY_MS,
    MAX_STORED,
    NO_USE,
    ProjectUse,
    Use,
    from_stored_amount,
    to_stored_amount,
)
from qwicket.model.errors import InvalidRequest, LimitExceeded
from qwicket.model.ids import new_id
from qwicket.model.limits import INT64_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from qwicket.model.accounts import Actor, Project
    from qwicket.model.budgets import Budget, BudgetPeriod, BudgetUnit, NamedBudget
    from qwicket.store import Store

_WHOLE_UNITS: Final = ("jobs", "shots")


class BudgetState(NamedTuple):
    """A budget and its use at one time.

    Attributes:
        budget: The budget.
        project: Name of its project.
        maximum: What may be used in a period; as `used` and `left`, in the budget's unit.
        used: What is used or reserved in the present period.
        left: What further jobs may use.
        begins_at: Start of the present period in Unix milliseconds; None for a total budget.
        ends_at: End of the present period; None for a total budget.
    """

    budget: Budget
    project: str
    maximum: float
    used: float
    left: float
    begins_at: int | None
    ends_at: int | None


class Budgets:
    """Reads budgets, and sets them for administrators.

    Args:
        store: The database.
        now_ms: Clock; returns Unix milliseconds.
    """

    def __init__(self, store: Store, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._now_ms = now_ms

    async def of(self, actor: Actor) -> list[BudgetState]:
        """Return the budgets of an actor's projects, for the devices of its token."""
        found = await self._store.budgets.of_account(actor.account)
        return self._states(
            [each for each in found if not each.budget.device or actor.sees(each.budget.device)]
        )

    async def credits_left(self, actor: Actor) -> float:
        """Return the fewest credits left in a cost budget of the token's project for all devices.

        Return 0 without such a budget.
        """
        found = self.with_least_left(await self.of(actor), actor.project, "cost")
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

    async def all(self) -> list[BudgetState]:
        """Return all budgets, by project."""
        return self._states(await self._store.budgets.all())

    async def put(
        self,
        project: str,
        unit: BudgetUnit,
        period: BudgetPeriod,
        maximum: float,
        *,
        device: str | None = None,
    ) -> BudgetState:
        """Set what the jobs of a project may use in a period.

        An existing budget of this unit, period and device is changed, and keeps what was used.

        Args:
            project: Name of the project.
            unit: What is counted.
            period: When the use starts again from zero.
            maximum: What may be used in a period, in the unit.
            device: The only device; None for all.

        Raises:
            NotFound: There is no such project or device.
            InvalidRequest: The maximum is negative or not finite, is not 0 but rounds to 0
                millionths, or is not a whole number of jobs or shots.
            LimitExceeded: The maximum is too large, or the project has too many budgets.
        """
        if not math.isfinite(maximum) or maximum < 0:
            raise InvalidRequest(f"maximum must be 0 or more, not {maximum}.", field="maximum")
        highest = from_stored_amount(unit, MAX_STORED)
        if maximum > highest:
            raise LimitExceeded(
                f"maximum must be at most {highest:g} {unit}, not {maximum:g}.", field="maximum"
            )
        if unit in _WHOLE_UNITS and maximum != int(maximum):
            raise InvalidRequest(
                f"maximum must be a whole number of {unit}, not {maximum:g}.", field="maximum"
            )
        if maximum and not to_stored_amount(unit, maximum):
            raise InvalidRequest(
                f"maximum must be 0 or at least 0.000001 {unit}, not {maximum:g}.", field="maximum"
            )
        if device is not None:
            await existing_device(self._store, device)
        now = self._now_ms()
        made = await self._store.budgets.put(
            new_id(now), project, device or "", unit, period, to_stored_amount(unit, maximum), now
        )
        return self._states([made])[0]

    async def remove(self, budget: str) -> None:
        """Remove a budget by its id.

        Raises:
            NotFound: There is no such budget.
        """
        await self._store.budgets.remove(budget)

    async def usage(
        self, first: date | None, last: date | None, by: Collection[str]
    ) -> list[ProjectUse]:
        """Return what the jobs that ended on some days have used; jobs that never ran do not count.

        Args:
            first: The first day in UTC; None for all up to the last.
            last: The last day; None for all from the first.
            by: What to group by: `project`, `device`, or both. A field not named is empty.

        Raises:
            InvalidRequest: The last day is before the first.
        """
        if first is not None and last is not None and last < first:
            raise InvalidRequest(f"to ({last}) must not be before from ({first}).", field="to")
        since = 0 if first is None else _beginning(first)
        until = INT64_MAX if last is None else _beginning(last) + DAY_MS
        sums: dict[tuple[str, str], Use] = {}
        for project_use in await self._store.budgets.use_of(since, until):
            key = (
                project_use.project if "project" in by else "",
                project_use.device if "device" in by else "",
            )
            sums[key] = sums.get(key, NO_USE) + project_use.use
        return [ProjectUse(*key, use) for key, use in sorted(sums.items())]

    async def daily(self, project: Project, n_days: int) -> list[tuple[int, Use]]:
        """Return what the jobs of one of the actor's projects have used on each of the last days.

        Args:
            project: The project, which the actor has just read.
            n_days: Number of days, today included.

        Returns:
            The start of each day in Unix milliseconds, oldest first, with its use.
        """
        today = self._now_ms() // DAY_MS * DAY_MS
        days = range(today - (n_days - 1) * DAY_MS, today + 1, DAY_MS)
        found = await self._store.budgets.use_by_day(project.id, days[0], today + DAY_MS)
        return [(day, found.get(day, NO_USE)) for day in days]

    def _states(self, budgets: list[NamedBudget]) -> list[BudgetState]:
        now = self._now_ms()
        return [_state(budget, project, now) for budget, project in budgets]


def _state(budget: Budget, project: str, now: int) -> BudgetState:
    used = budget.used_at(now)
    amounts = (budget.maximum, used, max(0, budget.maximum - used))
    maximum, used_in_unit, left = [from_stored_amount(budget.unit, amount) for amount in amounts]
    begins_at, ends_at = budget.begins_at(now) or None, budget.ends_at(now)
    return BudgetState(budget, project, maximum, used_in_unit, left, begins_at, ends_at)


def _beginning(day: date) -> int:
    return (day - date(1970, 1, 1)).days * DAY_MS
