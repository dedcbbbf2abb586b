"""Bounds of a token: what its jobs may use in a day, and above what a person is asked first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from qwicket.model.budgets import (
    MICRO,
    amount_text,
    from_stored_amount,
    iso_minute,
    period_end,
    to_stored_amount,
)

if TYPE_CHECKING:
    from qwicket.model.budgets import BudgetUnit, TokenUse, Use

OPEN_MS: Final = 3_600_000
"""Time in which a person may answer a question, in milliseconds."""
ANSWER_MS: Final = 300_000
"""Time for which an answer holds, in milliseconds."""


class Bounds(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Bounds of a token; None sets none. Costs are in millionths of a credit.

    Attributes:
        daily_shots: Shots of all circuits that its jobs may use in a day in UTC.
        daily_cost: What its jobs may cost in a day in UTC.
        ask_above_shots: Shots of one job above which a person must confirm it.
        ask_above_cost: Cost of one job above which a person must confirm it.
    """

    daily_shots: int | None = None
    daily_cost: int | None = None
    ask_above_shots: int | None = None
    ask_above_cost: int | None = None

    @property
    def has_daily(self) -> bool:
        """Whether what its jobs use is counted."""
        return self.daily_shots is not None or self.daily_cost is not None

    @property
    def text(self) -> str:
        """The bounds in words."""
        daily = _amounts(" and ", self.daily_shots, self.daily_cost)
        above = _amounts(" or ", self.ask_above_shots, self.ask_above_cost)
        parts = (daily and f"{daily} a day", above and f"asks first above {above} a job")
        return "; ".join(filter(None, parts))

    def in_credits(self) -> dict[str, Any]:
        """Return the bounds that are set, by name, with costs in credits."""
        found = msgspec.structs.asdict(self)
        found["daily_cost"] = credits_of(self.daily_cost)
        found["ask_above_cost"] = credits_of(self.ask_above_cost)
        return {name: bound for name, bound in found.items() if bound is not None}

    def left(self, used: TokenUse) -> tuple[int | None, int | None]:
        """Return the shots and the cost that are left of a day; None where no bound is set."""
        shots, cost = self.daily_shots, self.daily_cost
        return (
            None if shots is None else max(0, shots - used.shots),
            None if cost is None else max(0, cost - used.cost),
        )

    def reason_to_ask(self, needed: Use) -> str:
        """Return above which bound a job is, so that a person must confirm it; or empty text."""
        asked: tuple[tuple[BudgetUnit, int | None, int], ...] = (
            ("shots", self.ask_above_shots, needed.shots),
            ("cost", self.ask_above_cost, needed.cost),
        )
        for unit, bound, amount in asked:
            if bound is not None and amount > bound:
                return f"above {amount_text(unit, bound)} a job (bound ask_above_{unit})"
        return ""

    def refusal(self, needed: Use, used: TokenUse) -> str:
        """Return why a day has no room for a job, or empty text.

        Args:
            needed: What the job needs.
            used: What jobs of the token have used or reserved on that day.
        """
        counted: tuple[tuple[BudgetUnit, int | None, int, int], ...] = (
            ("shots", self.daily_shots, used.shots, needed.shots),
            ("cost", self.daily_cost, used.cost, needed.cost),
        )
        for unit, bound, taken, amount in counted:
            if bound is not None and taken + amount > bound:
                end = period_end("day", used.day)
                assert end is not None
                return (
                    f"This token may use {amount_text(unit, bound)} a day (bound daily_{unit}):"
                    f" {amount_text(unit, max(0, bound - taken))} left, and this job needs"
                    f" {amount_text(unit, amount)}. The next day begins at {iso_minute(end)}."
                )
        return ""


def bounds_of(
    *,
    daily_shots: int | None = None,
    daily_cost: float | None = None,
    ask_above_shots: int | None = None,
    ask_above_cost: float | None = None,
) -> Bounds:
    """Return bounds of which costs are given in credits; see `Bounds`."""
    return Bounds(
        daily_shots=daily_shots,
        daily_cost=None if daily_cost is None else to_stored_amount("cost", daily_cost),
        ask_above_shots=ask_above_shots,
        ask_above_cost=None if ask_above_cost is None else to_stored_amount("cost", ask_above_cost),
    )


class Confirmation(msgspec.Struct, frozen=True, kw_only=True):
    """A job that a person is asked to confirm, and the answer. Times are Unix milliseconds.

    Attributes:
        id: Its id.
        token: Id of the token that has submitted the job.
        token_name: What its owner calls the token.
        device: Device of the job.
        name: Name of the job, which the assistant has chosen.
        format: Format of its program.
        program: The beginning of its program.
        shots: Shots of all its circuits.
        cost: Its estimated cost in millionths of a credit; None if the device costs nothing.
        asked_at: When it was submitted first.
        answered_at: When a person answered; None before.
        is_confirmed: Whether the answer is yes.
        used_at: When the job was submitted with the confirmation; None before.
    """

    id: str
    token: str
    token_name: str | None
    device: str
    name: str
    format: str
    program: str
    shots: int
    cost: int | None
    asked_at: int
    answered_at: int | None
    is_confirmed: int | None
    used_at: int | None

    def state_at(self, now: int) -> str:
        """Return `waiting`, `confirmed`, `refused`, `used` or `expired`."""
        if self.used_at is not None:
            return "used"
        if self.answered_at is None:
            return "waiting" if now < self.asked_at + OPEN_MS else "expired"
        if now >= self.answered_at + ANSWER_MS:
            return "expired"
        return "confirmed" if self.is_confirmed else "refused"

    @property
    def amount(self) -> str:
        """What the job needs, in words."""
        return _amounts(" for ", self.shots, self.cost)

    @property
    def credits(self) -> float | None:
        """The cost in credits."""
        return credits_of(self.cost)


def credits_of(cost: int | None) -> float | None:
    """Return a cost in credits; None for none."""
    return None if cost is None else from_stored_amount("cost", cost)


def _amounts(link: str, shots: int | None, cost: int | None) -> str:
    amounts: tuple[tuple[BudgetUnit, int | None], ...] = (("shots", shots), ("cost", cost))
    return link.join([amount_text(unit, each) for unit, each in amounts if each is not None])


USUAL: Final = Bounds(
    daily_shots=100_000, daily_cost=10 * MICRO, ask_above_shots=10_000, ask_above_cost=MICRO
)
"""Bounds of a token for an assistant, unless others are given."""
USUAL_LIFE_S: Final = 7 * 86_400
"""Life of such a token in seconds."""
