"""Budgets, as administrators set them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwicket.features.budgets.store import BudgetStore
from qwicket.gateway.refusals import existing_device
from qwicket.model.budgets import budget_state, checked_maximum
from qwicket.model.errors import Forbidden
from qwicket.model.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Project
    from qwicket.model.budgets import (
        BudgetPeriod,
        BudgetState,
        BudgetUnit,
        DefaultBudget,
        NamedBudget,
    )
    from qwicket.store import Store
    from qwicket.store.database import Tx


class Budgets:
    """Administration of budgets.

    Args:
        store: The database.
        now_ms: Clock; returns Unix milliseconds.
    """

    @classmethod
    def from_gateway(cls, gateway: Gateway) -> Budgets:
        """Return the service of a gateway."""
        return cls(gateway.store, gateway.now_ms)

    def __init__(self, store: Store, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._budgets = store.feature(BudgetStore)
        self._now_ms = now_ms

    async def all(self, project: Project | None = None) -> list[BudgetState]:
        """Return the budgets of a project, or all, by project."""
        if project is None:
            return self._states(await self._budgets.all())
        return self._states(await self._budgets.of_projects([project.id]))

    async def put(
        self,
        project: str,
        unit: BudgetUnit,
        period: BudgetPeriod,
        maximum: float,
        *,
        device: str | None = None,
        member: str = "",
        by_lead: bool = False,
    ) -> BudgetState:
        """Set what the jobs of a project may use in a period.

        An existing budget of this unit, period and device is changed, and keeps what was used.

        Args:
            project: Name of the project.
            unit: What is counted.
            period: When the use starts again from zero.
            maximum: What may be used in a period, in the unit.
            device: The only device; None for all.
            member: Name of the only account that it counts, or `each` for each member by itself;
                empty for the whole project.
            by_lead: Whether a lead of the project sets it, not an administrator.

        Raises:
            NotFound: There is no such project, device or member.
            Forbidden: A lead sets a budget of the whole project.
            InvalidRequest: The maximum is negative or not finite, is not 0 but rounds to 0
                millionths, or is not a whole number of jobs or shots.
            LimitExceeded: The maximum is too large, or the project has too many budgets; or that of
                a lead is above the project's own for the same.
        """
        if by_lead and not member:
            raise Forbidden(
                "member: only administrators set budgets of a whole project. A lead gives a member,"
                " or each.",
                field="member",
            )
        stored = checked_maximum(unit, maximum)
        if device is not None:
            await existing_device(self._store, device)
        now = self._now_ms()
        made = await self._budgets.put(
            new_id(now), project, device or "", unit, period, stored, now, member, is_within=by_lead
        )
        return self._states([made])[0]

    def setter(self, budget: DefaultBudget) -> Callable[[Tx, str], object]:
        """Return what sets this budget of a project, given by name, in a transaction.

        Raises:
            InvalidRequest: As for `put`.
            LimitExceeded: As for `put`.
        """
        unit, period, maximum = budget
        stored, now = checked_maximum(unit, maximum), self._now_ms()

        def set_budget(tx: Tx, project: str) -> object:
            return BudgetStore.put(tx, new_id(now), project, "", unit, period, stored, now)

        return set_budget

    async def remove(
        self, budget: str, project: Project | None = None, *, by_lead: bool = False
    ) -> None:
        """Remove a budget by its id.

        Args:
            budget: Its id.
            project: The project that it must be of; None for any.
            by_lead: Whether a lead of the project removes it, who removes budgets of members alone.

        Raises:
            NotFound: There is no such budget.
            Forbidden: A lead removes a budget of the whole project.
        """
        await self._budgets.remove(budget, project.id if project else None, is_of_member=by_lead)

    def _states(self, budgets: list[NamedBudget]) -> list[BudgetState]:
        now = self._now_ms()
        return [budget_state(budget, project, now) for budget, project in budgets]
