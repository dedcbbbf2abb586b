"""Bodies of the API for budgets."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from qwicket.schema.accounts import BudgetBody
from qwicket.schema.base import ResponseBody, ResponsePart

Name = Annotated[str, msgspec.Meta(max_length=254)]


class NewBudgetBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`PUT /v1/admin/budgets`: sets a budget. Setting it again keeps what was used of it.

    Attributes:
        project: Name of the project.
        device: The only device whose jobs count; null for all.
        member: Name of the only account whose jobs count, or `each` for each member by itself; null
            for the whole project.
        unit: What is counted.
        period: When the use starts again from zero: with `total` never, else with each calendar
            `day`, ISO `week` or calendar `month` in UTC.
        maximum: What may be used in a period.
    """

    project: Name
    device: Name | None = None
    member: Name | None = None
    unit: Literal["jobs", "shots", "seconds", "cost"]
    period: Literal["total", "day", "week", "month"] = "total"
    maximum: Annotated[float, msgspec.Meta(ge=0, le=1e15)]


class BudgetList(ResponseBody, frozen=True, kw_only=True):
    """The budgets of all projects, or of one.

    Attributes:
        budgets: By project, device, unit and period.
    """

    budgets: tuple[BudgetBody, ...]


class UseBody(ResponsePart, frozen=True, kw_only=True):
    """What a group of jobs has used.

    Attributes:
        project: Name of the project; null if the numbers are those of all projects.
        account: Name of the account that submitted the jobs; null if the numbers are those of all
            accounts, empty for jobs that ended under version 1.0.0.
        device: Name of the device; null if the numbers are those of all devices.
        day: Day in UTC on which the jobs ended; null if the numbers are those of all days.
        slurm_account: Account of Slurm that the jobs' clients named; null if the numbers are those
            of all, empty for jobs whose clients named none.
        slurm_job: Job of Slurm that they named; null and empty as for the account.
        jobs: Number of jobs that ran.
        shots: Shots of all their circuits.
        seconds: Sum of their run times.
        cost: Sum of their costs in credits.
    """

    project: str | None = None
    account: str | None = None
    device: str | None = None
    day: str | None = None
    slurm_account: str | None = None
    slurm_job: str | None = None
    jobs: int
    shots: int
    seconds: float
    cost: float


class UseList(ResponseBody, frozen=True, kw_only=True):
    """What the jobs that ended in a range of days have used.

    Attributes:
        usage: In the order of what they are grouped by; at most 10,000.
    """

    usage: tuple[UseBody, ...]
