"""Groups of jobs in the database: sessions and batches of dialects, and others.

`model/groups.py` says what a group is, and `operations.py` why methods have `tx` for `self`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from qwicket.model.errors import Conflict, LimitExceeded
from qwicket.model.groups import Group, GroupUse, NewGroup, absent_group
from qwicket.model.limits import INT64_MAX, NO_STORED_LIMIT
from qwicket.model.states import JobState
from qwicket.store import quotas, rows
from qwicket.store.operations import Operations, read, scan, write
from qwicket.store.rows import existing
from qwicket.store.statements import ROW_BYTES

if TYPE_CHECKING:
    from collections.abc import Collection

    from qwicket.model.limits import StoredLimit
    from qwicket.store.database import Tx


class JobGroups(Operations):
    @write
    def open(
        tx: Tx,
        new: NewGroup,
        *,
        maximum: int = INT64_MAX,
        stored_limit: StoredLimit = NO_STORED_LIMIT,
    ) -> Group:
        """Open a group. If the account has `maximum` in this dialect, delete the oldest closed one.

        A group whose time is up counts as closed.

        Raises:
            LimitExceeded: All groups of the account in this dialect are open, or project or account
                would store more than `stored_limit`.
        """
        if tx.one("group_beyond", account=new.account, dialect=new.dialect, maximum=maximum - 1):
            oldest = tx.one(
                "group_oldest_closed", account=new.account, dialect=new.dialect, now=new.now
            )
            if oldest is None:
                raise LimitExceeded(f"You have {maximum} open groups (limit groups): close some.")
            JobGroups.delete(tx, oldest[0])
        size = ROW_BYTES + quotas.text_bytes(new.name) + len(new.body)
        quotas.count_bytes(tx, new, size, stored_limit, "group")
        row = tx.one("group_add", **structs.asdict(new))
        assert row is not None
        return Group(*row)

    @read
    def get(tx: Tx, group: str) -> Group | None:
        row = tx.one("group_get", id=group)
        return Group(*row) if row else None

    @read
    def visible(tx: Tx, group: str, account: str) -> Group | None:
        """Return the group if this account may read it."""
        row = tx.one("group_visible", id=group, account=account)
        return Group(*row) if row else None

    @scan
    def page(
        tx: Tx,
        account: str,
        dialect: str,
        *,
        before: int | None = None,
        limit: int = 50,
        devices: Collection[str] = (),
    ) -> list[Group]:
        """Return an account's groups of one dialect, newest first.

        With `before`, only groups with a smaller `seq`: the next page. With `devices`, only groups
        for one of these devices or for any device.
        """
        found = tx.all(
            "group_list",
            account=account,
            dialect=dialect,
            before=INT64_MAX if before is None else before,
            limit=limit,
            devices=rows.filter_text(devices),
        )
        return [Group(*row) for row in found]

    @write
    def close(tx: Tx, group: str, now: int) -> Group:
        """Close a group, which then accepts no more jobs. Its jobs continue. Closing twice is fine.

        Raises:
            NotFound: There is no such group.
        """
        row = tx.one("group_close", id=group, now=now) or tx.one("group_get", id=group)
        return Group(*existing(row, "There is no such group."))

    @write
    def annotate(
        tx: Tx, group: str, body: bytes, *, stored_limit: StoredLimit = NO_STORED_LIMIT
    ) -> Group:
        """Replace the vendor fields of a group (its `body`).

        Raises:
            NotFound: There is no such group.
            LimitExceeded: They are longer, and project or account would store more than
                `stored_limit`.
        """
        before = Group(*existing(tx.one("group_get", id=group), "There is no such group."))
        growth = len(body) - len(before.body)
        quotas.count_bytes(tx, before, growth, stored_limit, "group")
        row = tx.one("group_annotate", id=group, body=body)
        return Group(*existing(row, "There is no such group."))

    @write
    def delete(tx: Tx, group: str) -> None:
        """Delete a group but not its jobs."""
        if deleted := tx.one("group_delete", id=group):
            project, account, size = deleted
            quotas.add_bytes(tx, quotas.Owner(project, account), -int(size))

    @scan
    def tally(tx: Tx, group: str, devices: Collection[str] = ()) -> dict[JobState, int]:
        """Return the number of a group's jobs (on these devices) in each state that has some.

        States are as owners see them: a job that was queued again after a start, and a completed
        job whose results are withheld, count as running.
        """
        found = tx.all("group_tally", id=group, devices=rows.filter_text(devices))
        return {JobState(state): number for state, number in found}

    @scan
    def use(tx: Tx, group: str, devices: Collection[str] = ()) -> GroupUse:
        """Return the totals of a group's jobs (on these devices)."""
        row = tx.one("group_use", id=group, devices=rows.filter_text(devices))
        assert row is not None
        return GroupUse(row[0], row[1], int(row[2]), *row[3:])


def check_accepts_job(tx: Tx, group: str, account: str, device: str, now: int) -> None:
    """Validate that a group accepts one more job of this account on this device.

    Raises:
        NotFound: The account has no such group.
        Conflict: The group is closed, its time is up, or it was opened for another device.
        LimitExceeded: The group has its maximum number of jobs.
    """
    found = JobGroups.get(tx, group)
    if found is None or found.account != account:
        raise absent_group(group)
    if not found.is_open(now):
        raise Conflict("The group is closed.", field="group")
    if found.device not in (None, device):
        raise Conflict(f"The group is for the device {found.device}.", field="group")
    if found.jobs_limit is not None:
        count = tx.one("group_job_count", id=group, limit=found.jobs_limit)
        if count and count[0] >= found.jobs_limit:
            raise LimitExceeded(
                f"The group is full: it takes at most {found.jobs_limit} jobs.", field="group"
            )
