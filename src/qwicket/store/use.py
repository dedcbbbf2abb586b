"""What jobs use and cost, by day. Imported late, because few jobs have a bill."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from qwicket.model.budgets import (
    USE_PARTS,
    Bill,
    GroupUse,
    TokenUse,
    Use,
    period_start,
    use,
)
from qwicket.registrations import hook
from qwicket.store.operations import Operations, scan
from qwicket.store.rows import from_texts

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from qwicket.model.budgets import ReservedAmount, UsePart
    from qwicket.model.jobs import Job, NewJob
    from qwicket.store.database import Tx

_bill = msgspec.json.Decoder(Bill)


class Uses(Operations):
    """Operations on what ended jobs have used."""

    @scan
    def use_of(
        tx: Tx,
        since: int,
        until: int,
        by: Collection[UsePart] = ("project", "device"),
        limit: int = 1000,
        project: str | None = None,
    ) -> list[GroupUse]:
        """Return what the jobs that ended from `since` to `until` used, in any order.

        Both times are beginnings of days, because the use of jobs is stored by day; `until` is not
        included. At most `limit` groups are returned. `project` is the id of the only project.
        """
        parts = {f"by_{part}": int(part in by) for part in USE_PARTS}
        found = tx.all("use_list", since=since, until=until, limit=limit, project=project, **parts)
        return [
            GroupUse(project, account, device, day, Use(*map(int, used)), slurm_account, slurm_job)
            for project, account, device, day, slurm_account, slurm_job, *used in found
        ]

    @scan
    def jobs_of(tx: Tx, projects: Sequence[str], since: int) -> dict[str, int]:
        """Return how many jobs of projects, given by ids, have run since a day, by id."""
        asked = from_texts(tuple(projects))
        return {id_: int(n) for id_, n in tx.all("use_of_projects", jobs=asked, since=since)}

    @scan
    def use_by_day(
        tx: Tx, project: str, since: int, until: int, device: str = "", account: str = ""
    ) -> dict[int, Use]:
        """Return what the jobs of a project and of those below it have used, by day of their end.

        `since` and `until` are as for `use_of`. `device` and `account` are the only ones that
        count; empty for all.
        """
        given = {"since": since, "until": until, "device": device, "account": account}
        found = tx.all("use_by_day", project=project, **given)
        return {int(day): Use(*map(int, rest)) for day, *rest in found}


def settle(tx: Tx, job: Job, bill_text: str, jobs: int, shots: int, seconds: float) -> None:
    """Replace what a job has reserved by what it has used; `jobs` is 0 if it did not run."""
    bill = _bill.decode(bill_text)
    used = use(jobs, shots, seconds, bill.cost)
    settle_reserved = hook("settle")
    if settle_reserved is not None:
        settle_reserved(tx, bill.reserved, used)
    if bill.of_token is not None:
        _settle_day(tx, bill.of_token, used)
    cost = used.cost if bill.cost is not None else None
    tx.run("job_set_bill", job=job.id, bill=None, cost=cost)


def _settle_day(tx: Tx, reserved: TokenUse, used: Use) -> None:
    """Replace what a job has reserved of the day of its token by what it has used."""
    more = {"shots": used.shots - reserved.shots, "cost": used.cost - reserved.cost}
    if any(more.values()):
        tx.run("token_day_settle", token=reserved.token, day=reserved.day, **more)


def set_bill(tx: Tx, job: str, bill: Bill, needed: Use) -> None:
    """Store what is settled when a job ends, and its estimated cost."""
    cost = needed.cost if bill.cost is not None else None
    tx.run("job_set_bill", job=job, bill=_encode(bill), cost=cost)


def bill_of(new: NewJob, reserved: Sequence[ReservedAmount] = ()) -> Bill:
    """Return the bill of a job that has reserved amounts of budgets."""
    return Bill(new.cost, tuple(reserved), reserved_of_token(new))


def bill_without_budgets(new: NewJob) -> tuple[str, int | None]:
    """Return the bill and the estimated cost of a job that no budget counts."""
    return _encode(bill_of(new)), needed_by(new).cost if new.cost is not None else None


def reserved_of_token(new: NewJob) -> TokenUse | None:
    """Return what a job reserves of the day of its token; None if that counts nothing."""
    if new.bounds is None or not new.bounds.has_daily:
        return None
    needed = needed_by(new)
    return TokenUse(new.token, period_start("day", new.now), needed.shots, needed.cost)


def needed_by(new: NewJob) -> Use:
    """Return what a job is estimated to use."""
    return use(1, new.shots * new.n_circuits, new.est_seconds, new.cost)


def _encode(bill: Bill) -> str:
    return msgspec.json.encode(bill).decode()
