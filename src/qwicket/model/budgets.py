"""Budgets: what the jobs of a project may use. Times are Unix milliseconds in UTC."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple, get_args

import msgspec

from qwicket.model.devices import DeviceCost
from qwicket.model.errors import BudgetSpent, InvalidRequest, LimitExceeded

BudgetUnit = Literal["jobs", "shots", "seconds", "cost"]
BudgetPeriod = Literal["total", "day", "week", "month"]

UNITS: Final[tuple[BudgetUnit, ...]] = get_args(BudgetUnit)
PERIODS: Final[tuple[BudgetPeriod, ...]] = get_args(BudgetPeriod)
MICRO: Final = 1_000_000
MAX_STORED: Final = 10**15
"""Limit on a budget, and on what one job uses, so that sums of many fit into 64 bits."""

DAY_MS: Final = 86_400_000
_MONDAY: Final = 3
"""1970-01-01 was a Thursday, three days after a Monday."""
_NAMES: Final[dict[str, str]] = {"seconds": "device-seconds", "cost": "credits"}
"""Units that are stored in millionths, with their names in messages."""


class Use(NamedTuple):
    """What one job, or several together, use; in whole numbers, so that sums are exact.

    Attributes:
        jobs: Number of jobs, without those that did not run.
        shots: Shots of all circuits.
        seconds: Device-seconds, in microseconds.
        cost: Cost by the formula of the device, in millionths of a credit.
    """

    jobs: int
    shots: int
    seconds: int
    cost: int

    def __add__(self, other: tuple[object, ...]) -> Use:
        """Return the sum of two uses, not the concatenation of two tuples."""
        if not isinstance(other, Use):
            return NotImplemented
        return Use(*map(sum, zip(self, other, strict=True)))


NO_USE: Final = Use(0, 0, 0, 0)


def use(jobs: int, shots: int, seconds: float, cost: DeviceCost | None) -> Use:
    """Return what jobs use. Amounts are capped at `MAX_STORED`, the largest budget."""
    micros = round(min(seconds * MICRO, MAX_STORED))
    price = cost.of(jobs, shots, micros / MICRO) if cost is not None else 0.0
    return Use(jobs, min(shots, MAX_STORED), micros, round(min(price * MICRO, MAX_STORED)))


EACH: Final = "each"
"""In place of a name: each member of a project."""


class ReservedAmount(msgspec.Struct, frozen=True, array_like=True):
    """Amount that a job has reserved of a budget, in the period that began at `begun_at`.

    `account` is the id of the account whose use it is; empty for the use of the whole project.
    """

    budget: str
    unit: BudgetUnit
    begun_at: int
    amount: int
    account: str = ""


class TokenUse(msgspec.Struct, frozen=True, array_like=True):
    """What jobs of a token have used or reserved on a day, or what one of them has reserved.

    Attributes:
        token: Id of the token.
        day: Beginning of the day in Unix milliseconds.
        shots: Shots of all circuits.
        cost: Cost in millionths of a credit.
    """

    token: str
    day: int
    shots: int
    cost: int


class Bill(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is settled when a job ends.

    Attributes:
        cost: The formula of the device when the job was submitted.
        reserved: What it has reserved.
        of_token: What it has reserved of the day of its token, if that has bounds.
    """

    cost: DeviceCost | None = None
    reserved: tuple[ReservedAmount, ...] = ()
    of_token: TokenUse | None = None


class Budget(msgspec.Struct, frozen=True):
    """A budget of a project.

    Seconds are in microseconds and costs in millionths, see `Use`.

    Attributes:
        project: Id of the project.
        device: The only device; empty for all.
        unit: What is counted.
        period: When the use starts again from zero.
        maximum: What may be used in a period.
        used: What was used or is reserved in the period that began at `begun_at`.
        begun_at: Beginning of the period to which `used` belongs.
        member: Name of the only account; empty for the whole project, `EACH` for each member. What
            `used` counts is then the use of one member.
    """

    id: str
    project: str
    device: str
    unit: BudgetUnit
    period: BudgetPeriod
    maximum: int
    used: int
    begun_at: int
    created_at: int
    member: str = ""

    def used_at(self, now: int) -> int:
        """Return what was used or is reserved in the period that contains `now`."""
        return self.used if self.begins_at(now) == self.begun_at else 0

    def ends_at(self, now: int) -> int | None:
        """Return the end of the present period; None without one."""
        return period_end(self.period, self.begins_at(now))

    def take(self, needed: Use, project: str, now: int) -> Budget:
        """Return the budget after a job has reserved what it needs.

        Args:
            needed: What the job needs.
            project: Name of the project, for the error.
            now: Unix milliseconds.

        Raises:
            BudgetSpent: Less is left than the job needs.
        """
        amount: int = getattr(needed, self.unit)
        used = self.used_at(now)
        if used + amount > self.maximum:
            raise BudgetSpent(self._spent(amount, used, project, now))
        return msgspec.structs.replace(self, used=used + amount, begun_at=self.begins_at(now))

    def begins_at(self, now: int) -> int:
        """Return the beginning of the present period; 0 without one."""
        # A clock that is behind another server's gives an earlier period, whose use would be zero.
        return max(self.begun_at, period_start(self.period, now))

    def title(self, project: str) -> str:
        """Return the name of a budget in texts for people.

        Args:
            project: Name of its project.
        """
        each = "in total" if self.period == "total" else f"a {self.period}"
        where = f" on {self.device}" if self.device else ""
        whose = f"the project {project}"
        if self.member:
            member = "each member" if self.member == EACH else self.member
            whose = f"{member} of {whose}"
        return f"{self._text(self.maximum)} {each} for {whose}{where}"

    def _spent(self, amount: int, used: int, project: str, now: int) -> str:
        end = self.ends_at(now)
        again = f" Its next period begins at {iso_minute(end)}." if end is not None else ""
        used_text = self._text(used)
        return (
            f"The budget of {self.title(project)} is not enough: {used_text}"
            f" {'is' if used_text.startswith('1 ') else 'are'} used or reserved, and this job needs"
            f" {self._text(amount)}.{again}"
        )

    def _text(self, amount: int) -> str:
        return amount_text(self.unit, amount)


class DefaultBudget(NamedTuple):
    """What the jobs of each of many new projects may use, in the unit."""

    unit: BudgetUnit
    period: BudgetPeriod
    maximum: float


class NamedBudget(NamedTuple):
    """A budget with the name of its project."""

    budget: Budget
    project: str


UsePart = Literal["project", "account", "device", "day", "slurm_account", "slurm_job"]
USE_PARTS: Final[tuple[UsePart, ...]] = get_args(UsePart)
"""By what the use of jobs can be grouped."""


class GroupUse(NamedTuple):
    """What a group of jobs has used. What they are not grouped by is None.

    Attributes:
        project: Name of the project.
        account: Name of the account; empty for jobs that ended before accounts were counted.
        device: Name of the device.
        day: Beginning of the day of their end in Unix milliseconds.
        use: What the jobs have used.
        slurm_account: Account of Slurm that the jobs' clients named; empty if they named none.
        slurm_job: Job of Slurm that they named; empty if they named none.
    """

    project: str | None
    account: str | None
    device: str | None
    day: int | None
    use: Use
    slurm_account: str | None = None
    slurm_job: str | None = None


def iso_day(at: int) -> str:
    """Return the day in UTC of a time in Unix milliseconds, such as "2026-11-01"."""
    return datetime.fromtimestamp(at / 1000, UTC).date().isoformat()


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


def from_stored_amount(unit: BudgetUnit, amount: int) -> float:
    """Return a stored amount in its unit: seconds, credits, shots or jobs."""
    return amount / MICRO if unit in _NAMES else amount


def amount_text(unit: BudgetUnit, amount: int) -> str:
    """Return a stored amount with its unit, for people."""
    text = f"{from_stored_amount(unit, amount):,.6f}".rstrip("0").rstrip(".")
    name = _NAMES.get(unit, unit)
    return f"{text} {name.removesuffix('s') if text == '1' else name}"


def budget_state(budget: Budget, project: str, now: int) -> BudgetState:
    """Return a budget and its use at a time in Unix milliseconds."""
    used = budget.used_at(now)
    amounts = (budget.maximum, used, max(0, budget.maximum - used))
    maximum, used_in_unit, left = [from_stored_amount(budget.unit, amount) for amount in amounts]
    begins_at, ends_at = budget.begins_at(now) or None, budget.ends_at(now)
    return BudgetState(budget, project, maximum, used_in_unit, left, begins_at, ends_at)


def checked_maximum(unit: BudgetUnit, maximum: float) -> int:
    """Return the maximum of a budget as it is stored.

    Raises:
        InvalidRequest: It is negative or not finite, is not 0 but rounds to 0 millionths, or is not
            a whole number of jobs or shots.
        LimitExceeded: It is too large.
    """
    if not math.isfinite(maximum) or maximum < 0:
        raise InvalidRequest(f"maximum must be 0 or more, not {maximum}.", field="maximum")
    highest = from_stored_amount(unit, MAX_STORED)
    if maximum > highest:
        raise LimitExceeded(
            f"maximum must be at most {highest:g} {unit}, not {maximum:g}.", field="maximum"
        )
    if unit not in _NAMES and maximum != int(maximum):
        raise InvalidRequest(
            f"maximum must be a whole number of {unit}, not {maximum:g}.", field="maximum"
        )
    stored = to_stored_amount(unit, maximum)
    if maximum and not stored:
        raise InvalidRequest(
            f"maximum must be 0 or at least 0.000001 {unit}, not {maximum:g}.", field="maximum"
        )
    return stored


def to_stored_amount(unit: BudgetUnit, amount: float) -> int:
    """Return an amount as it is stored, a whole number; see `Use`."""
    return round(amount * MICRO) if unit in _NAMES else round(amount)


def period_start(period: BudgetPeriod, now: int) -> int:
    """Return the beginning of the calendar day, ISO week or month in UTC; 0 for the total."""
    match period:
        case "total":
            return 0
        case "day":
            return now - now % DAY_MS
        case "week":
            day = now // DAY_MS
            return (day - (day + _MONDAY) % 7) * DAY_MS
        case "month":
            at = datetime.fromtimestamp(now // 1000, UTC)
            return _ms(datetime(at.year, at.month, 1, tzinfo=UTC))


def period_end(period: BudgetPeriod, begun_at: int) -> int | None:
    """Return the end of the period that begins at a time; None for the total."""
    match period:
        case "total":
            return None
        case "day":
            return begun_at + DAY_MS
        case "week":
            return begun_at + 7 * DAY_MS
        case "month":
            return period_start("month", begun_at + 31 * DAY_MS)


def _ms(at: datetime) -> int:
    return round(1000 * at.timestamp())


def iso_minute(at: int) -> str:
    """Return a time in Unix milliseconds in UTC, to the minute."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%MZ")
