"""Operations on shares of jobs.

Whether an account may read a job through a share is not checked here, but by the SQL statement that
reads jobs for accounts (`job_visible`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.features.shares.model import JobShare
from qwicket.model.errors import LimitExceeded
from qwicket.model.limits import INT64_MAX
from qwicket.store import rows
from qwicket.store.operations import Operations, read, scan, write
from qwicket.store.rows import existing

if TYPE_CHECKING:
    from qwicket.model.jobs import Job
    from qwicket.store import Store
    from qwicket.store.database import Row, Tx

_UNKNOWN: Final = "There is no such share."


class ShareStore(Operations):
    """Operations on shares of jobs."""

    @write
    def add(
        tx: Tx,
        share: str,
        job: str,
        owner: str,
        now: int,
        *,
        account: str | None = None,
        digest: bytes | None = None,
        expires_at: int | None = None,
        maximum: int = INT64_MAX,
    ) -> JobShare:
        """Store a share, or return the existing one if the job is shared with `account` already.

        Args:
            tx: The transaction.
            share: Id of the share.
            job: Id of the job.
            owner: Account of the job.
            now: Unix milliseconds.
            account: Account that may read the job; None for a link.
            digest: SHA-256 of the secret of a link.
            expires_at: Unix milliseconds at which a link ends; None for an account.
            maximum: Limit on the shares of all jobs of the owner.

        Raises:
            NotFound: The job has been deleted.
            LimitExceeded: The owner has `maximum` shares.
        """
        if account is not None:
            row = tx.one("job_share_of_account", job=job, account=account)
            if row is not None:
                return _share(row)
        added = tx.one(
            "job_share_add",
            id=share,
            job=job,
            owner=owner,
            account=account,
            digest=digest,
            now=now,
            expires_at=expires_at,
            maximum=maximum,
        )
        if added is None:
            existing(tx.one("job_get", id=job), "There is no such job.")
            raise LimitExceeded(
                f"You have {maximum} shares of jobs (limit job_shares): remove some.",
                field="job_shares",
            )
        return _share(tx.one("job_share_get", id=share, owner=owner))

    @read
    def get(tx: Tx, share: str, owner: str) -> JobShare:
        """Return a share of an owner.

        Raises:
            NotFound: There is no such share.
        """
        return _share(tx.one("job_share_get", id=share, owner=owner))

    @scan
    def of_owner(tx: Tx, owner: str, job: str | None = None) -> list[JobShare]:
        """Return the shares of an account's jobs, or of one of them, oldest first."""
        return [_share(row) for row in tx.all("job_share_list", owner=owner, job=job)]

    @read
    def job_of_link(tx: Tx, digest: bytes, now: int) -> Job | None:
        """Return the job of the link whose secret has this SHA-256.

        None if there is no such link, it has ended, or its owner is disabled.
        """
        row = tx.one("job_share_by_digest", digest=digest, now=now)
        return rows.job(row) if row else None

    @write
    def remove(tx: Tx, share: str, owner: str) -> None:
        """Delete a share.

        Raises:
            NotFound: There is no such share.
        """
        if not tx.count("job_share_remove", id=share, owner=owner):
            existing(None, _UNKNOWN)


def _share(row: Row | None) -> JobShare:
    found = existing(row, _UNKNOWN)
    return JobShare(**dict(zip(JobShare.__struct_fields__, found, strict=True)))


async def delete_expired(store: Store, now: int) -> None:
    """Delete links whose time is over."""
    await store.maintenance.run_if_due("job_share_due", "job_share_expire", now=now)
