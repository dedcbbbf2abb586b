"""Periodic operations, and duties: named tasks that one runner at a time has.

Each periodic operation reads first, and writes only if something is due: write transactions of an
idle server would delay the other servers on its database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.model.failures import Failure
from qwicket.model.jobs import KEY_LIFE_MS
from qwicket.model.states import JobState
from qwicket.store import fair_share
from qwicket.store.changes import record
from qwicket.store.jobs import Jobs
from qwicket.store.operations import Operations, read, scan, write, write_unflushed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.store.database import Tx

_JOBS_AT_ONCE: Final = 200
"""Jobs per operation, so that others write in between."""


class DatabaseSize(NamedTuple):
    """Size of the database.

    Attributes:
        version: Kind and version of the database.
        size_bytes: Its size.
        free_bytes: What of it is free for new rows; 0 if the database does not say.
    """

    version: str
    size_bytes: int
    free_bytes: int


class Maintenance(Operations):
    @scan
    def size(tx: Tx) -> DatabaseSize:
        """Return the kind and the size of the database."""
        version, size, free = tx.one("database_size") or ("", 0, 0)
        return DatabaseSize(version, int(size), int(free))

    async def take_duty(self, name: str, runner: str) -> bool:
        """Take a duty unless another runner has it; return whether this runner has it now.

        A duty is free if the runner that had it has been removed.
        """
        holder = await self._duty_holder(name) or await self._take_duty(name, runner)
        return holder == runner

    @read
    def _duty_holder(tx: Tx, name: str) -> str | None:
        row = tx.one("duty_holder", name=name)
        return row[0] if row else None

    @write
    def _take_duty(tx: Tx, name: str, runner: str) -> str | None:
        tx.run("duty_take", name=name, runner=runner)
        return Maintenance._duty_holder(tx, name)

    @read
    def duty_fence(tx: Tx, name: str) -> int:
        """Return a number that rises when another runner takes a duty; 0 if none ever did.

        The number of a scaler's duty also rises when a worker of its group connects.
        """
        row = tx.one("duty_fence", name=name)
        return int(row[0]) if row else 0

    async def expire_drafts(self, now: int) -> int:
        """Fail drafts whose program did not arrive; return how many, at most `_JOBS_AT_ONCE`."""
        is_due = await self._is_due("draft_expired", now=now, limit=1)
        return await self._expire_drafts(now) if is_due else 0

    @write
    def _expire_drafts(tx: Tx, now: int) -> int:
        expired = tx.all("draft_expired", now=now, limit=_JOBS_AT_ONCE)
        for (job,) in expired:
            failure = Failure("draft_expired", "The program was not sent in time.")
            Jobs.refuse(tx, job, failure, now)
        return len(expired)

    async def delete_expired_keys(self, now: int) -> int:
        """Delete some expired idempotency keys; return how many."""
        return await self.run_if_due(
            "idempotency_due", "idempotency_purge", before=now - KEY_LIFE_MS
        )

    async def revoke_expired_tokens(self, now: int) -> int:
        """Revoke expired tokens, so that no clock set back makes them valid; return how many."""
        return await self.run_if_due("token_due", "token_expire", now=now)

    async def delete_of_bounds(self, before: int) -> int:
        """Delete what tokens with bounds have used and asked before a time; return how many."""
        n_days = await self.run_if_due("token_day_due", "token_day_purge", before=before)
        return n_days + await self.run_if_due(
            "confirmation_due", "confirmation_purge", before=before
        )

    async def delete_ended(self, before: int) -> int:
        """Delete jobs that ended before a time; return their number, at most `_JOBS_AT_ONCE`."""
        is_due = await self._is_due("job_old", before=before, limit=1)
        return await self._delete_ended(before) if is_due else 0

    @write
    def _delete_ended(tx: Tx, before: int) -> int:
        old = tx.all("job_old", before=before, limit=_JOBS_AT_ONCE)
        for (job,) in old:
            Jobs.delete(tx, job)
        return len(old)

    async def release_results(self, now: int) -> int:
        """Show results that were withheld until now; return how many, at most `_JOBS_AT_ONCE`."""
        is_due = await self._is_due("job_withheld_due", now=now, limit=1)
        return await self._release_results(now) if is_due else 0

    @write
    def _release_results(tx: Tx, now: int) -> int:
        due = tx.all("job_withheld_due", now=now, limit=_JOBS_AT_ONCE)
        for job, state in due:
            (row,) = tx.all("job_release_results", job=job, now_us=1000 * now)
            # Only the end of a completed job has been published as running until now.
            record(tx, row, now, keeps_state=state != JobState.COMPLETED)
        return len(due)

    @scan
    def retentions(tx: Tx) -> list[tuple[str, int]]:
        """Return the ids of projects whose ended jobs are deleted, and after how many days."""
        return [(project, days) for project, days in tx.all("project_retentions")]

    async def delete_ended_of(self, project: str, after: int, before: int) -> int:
        """Delete a project's jobs that ended from `after` until before `before` (Unix ms).

        Return their number, at most `_JOBS_AT_ONCE`.
        """
        given = {"after": after, "before": before, "limit": 1}
        is_due = await self._is_due("job_old_of_project", project=project, **given)
        return await self._delete_ended_of(project, after, before) if is_due else 0

    @write
    def _delete_ended_of(tx: Tx, project: str, after: int, before: int) -> int:
        given = {"after": after, "before": before, "limit": _JOBS_AT_ONCE}
        old = tx.all("job_old_of_project", project=project, **given)
        for (job,) in old:
            Jobs.delete(tx, job)
        return len(old)

    async def purge_accounts(self, before: int) -> int:
        """Do the next part of the final deletion of an account that was deleted before a time.

        Its jobs are deleted if that was requested. Then it loses its name, address, password,
        identities and webhooks, and its tokens are revoked. Return 0 when nothing is left to do.
        """
        is_due = await self._is_due("account_to_purge", before=before)
        return await self._purge_account(before) if is_due else 0

    @write
    def _purge_account(tx: Tx, before: int) -> int:
        row = tx.one("account_to_purge", before=before)
        if row is None:
            return 0
        account, name, deletion = row
        jobs = tx.all("job_of_account_ended", account=account, limit=_JOBS_AT_ONCE)
        if deletion == "remove" and jobs:
            for (job,) in jobs:
                Jobs.delete(tx, job)
            return len(jobs)
        nameless = f"deleted-{account}"
        tx.run("project_rename", name=nameless, before=name)
        tx.run("token_revoke_account", account=account, now=before)
        tx.run("identity_delete_of_account", account=account)
        tx.run("webhook_delete_of_account", account=account)
        tx.webhooks_were_removed = True
        tx.run("account_purge", id=account, name=nameless)
        return 1

    @write_unflushed
    def add_refusals(tx: Tx, refused: Sequence[tuple[int, str, int]]) -> None:
        """Add refused sign-ins: beginning of the minute in Unix ms, address and number of each."""
        for minute, address, number in refused:
            tx.run("refusal_add", minute=minute, address=address, number=number)

    async def delete_refusals(self, before: int) -> int:
        """Delete the counts of refused sign-ins of the minutes before a time."""
        return await self.run_if_due("refusal_due", "refusal_expire", before=before)

    @scan
    def refusals(tx: Tx, before: int, number: int) -> list[tuple[int, str, int]]:
        """Return minute, address and number of refused sign-ins, newest first.

        There may be more than `number` rows, because the last minute is returned as a whole.
        """
        return [
            (minute, address, count)
            for minute, address, count in tx.all("refusal_page", before=before, number=number)
        ]

    async def delete_orphaned_results(self) -> int:
        """Delete chunks of results that were never finished; return the number of results."""
        return await self._delete_orphaned_results() if await self._is_due("blob_orphans") else 0

    @write
    def _delete_orphaned_results(tx: Tx) -> int:
        orphans = tx.all("blob_orphans")
        for (sha256,) in orphans:
            tx.run("blob_drop", sha256=sha256)
        return len(orphans)

    async def delete_orphaned_uploads(self) -> int:
        """Delete uploads whose jobs are no longer drafts; return their number."""
        return await self.run_if_due("upload_due", "upload_purge")

    async def repair_fair_share(self, now: int) -> int:
        """Correct which projects and members count as waiting; rescale usage if necessary.

        Return the number of corrections.
        """
        return 0 if await self._is_fair_share_right(now) else await self._repair_fair_share(now)

    @scan
    def _is_fair_share_right(tx: Tx, now: int) -> bool:
        wrong = tx.one("share_wrong") or tx.one("member_share_wrong")
        return wrong is None and not fair_share.is_rebase_due(tx, now)

    @write
    def _repair_fair_share(tx: Tx, now: int) -> int:
        fair_share.rebase(tx, now)
        return tx.count("share_repair") + tx.count("member_share_repair")

    async def repair_stored_bytes(self) -> int:
        """Correct the sums of stored bytes; return the number of projects with a wrong one.

        This reads the lengths of all stored bytes, and writes only if a sum is wrong, because the
        write blocks all others. Servers of version 1.0 count for projects alone.
        """
        if await self._is_due("member_wrong_bytes") or await self._is_due("project_wrong_bytes"):
            return await self._repair_stored_bytes()
        return 0

    @write
    def _repair_stored_bytes(tx: Tx) -> int:
        wrong = {*tx.all("member_wrong_bytes"), *tx.all("project_wrong_bytes")}
        tx.run("member_forget_bytes")
        tx.run("member_count_bytes")
        tx.run("project_repair_bytes")
        return len(wrong)

    async def repair_waiting_jobs(self) -> int:
        """Correct the numbers of waiting jobs; return in how many projects one was wrong."""
        return await self._repair_waiting_jobs() if await self._is_due("waiting_wrong") else 0

    @write
    def _repair_waiting_jobs(tx: Tx) -> int:
        wrong = tx.all("waiting_wrong")
        tx.run("waiting_forget")
        tx.run("waiting_count")
        return len(wrong)

    async def run_if_due(self, due: str, name: str, **params: int) -> int:
        """Write with the statement `name` if `due` finds a row; return the number of rows."""
        return await self._run(name, **params) if await self._is_due(due, **params) else 0

    @scan
    def _is_due(tx: Tx, /, due: str, **params: int | str) -> bool:
        return tx.one(due, **params) is not None

    @write
    def _run(tx: Tx, /, name: str, **params: int) -> int:
        return tx.count(name, **params)
