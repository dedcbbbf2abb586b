"""Periodic operations, and duties: which server does them for all servers.

Each reads first, and opens a write transaction only if something is due: transactions of an idle
server would hold up the other servers on its database.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from qwicket.model.outcomes import Failure
from qwicket.store import shares
from qwicket.store.jobs import KEY_LIFE_MS, delete, refuse

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwicket.store.database import Database, Tx

_BATCH: Final = 200
"""Jobs touched by one operation: others write in between."""


class Upkeep:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def take_duty(self, name: str, runner: str) -> bool:
        """Take on periodic work unless a living runner does it; say whether it is ours."""
        holder = await self._database.read(lambda tx: tx.one("duty_holder", name=name))
        if holder is not None:
            return holder == (runner,)
        return await self._database.write(lambda tx: _take_duty(tx, name, runner))

    async def expire_drafts(self, now: int) -> int:
        """Fail drafts whose program never came; return how many, at most some hundred."""
        return await self._if_due(
            "draft_expired", lambda tx: _expire_drafts(tx, now), now=now, limit=1
        )

    async def forget_keys(self, now: int) -> int:
        """Forget idempotency keys that count no more."""
        before = now - KEY_LIFE_MS
        return await self._if_due(
            "idempotency_due",
            lambda tx: tx.count("idempotency_purge", before=before),
            before=before,
        )

    async def end_tokens(self, now: int) -> int:
        """Revoke what has expired, so that no clock set back revives it; return how many."""
        return await self._if_due(
            "token_due", lambda tx: tx.count("token_expire", now=now), now=now
        )

    async def delete_ended(self, before: int) -> int:
        """Delete jobs that ended before a time; return how many, at most some hundred."""
        return await self._if_due(
            "job_old", lambda tx: _delete_ended(tx, before), before=before, limit=1
        )

    async def drop_orphans(self) -> int:
        """Forget pieces of results that were never finished; return of how many results."""
        return await self._if_due("blob_orphans", _drop_orphans)

    async def drop_uploads(self) -> int:
        """Forget uploads whose jobs are no drafts any more; return how many."""
        return await self._if_due("upload_due", partial(_count, name="upload_purge"))

    async def mend_shares(self, now: int) -> int:
        """Set right what fair share believes of waiting work; return how many were wrong."""
        if await self._database.scan(lambda tx: _are_shares_right(tx, now)):
            return 0
        return await self._database.write(lambda tx: _mend_shares(tx, now))

    async def mend_stored_bytes(self) -> int:
        """Set right what is believed of projects' stored bytes; return how many were wrong.

        This looks at the lengths of everything that is stored, and writes only if a sum is wrong:
        meanwhile nobody else writes.
        """
        repair = partial(_count, name="project_repair_bytes")
        return await self._if_due("project_wrong_bytes", repair)

    async def _if_due(self, due: str, operation: Callable[[Tx], int], **params: int) -> int:
        """Write, if the statement `due` finds anything; return how much was done."""
        if await self._database.scan(lambda tx: tx.one(due, **params)) is None:
            return 0
        return await self._database.write(operation)


def _count(tx: Tx, name: str, **params: int) -> int:
    return tx.count(name, **params)


def _take_duty(tx: Tx, name: str, runner: str) -> bool:
    tx.run("duty_take", name=name, runner=runner)
    return tx.one("duty_holder", name=name) == (runner,)


def _expire_drafts(tx: Tx, now: int) -> int:
    expired = tx.all("draft_expired", now=now, limit=_BATCH)
    for (job,) in expired:
        refuse(tx, job, Failure("draft_expired", "The program was not sent in time."), now)
    return len(expired)


def _delete_ended(tx: Tx, before: int) -> int:
    old = tx.all("job_old", before=before, limit=_BATCH)
    for (job,) in old:
        delete(tx, job)
    return len(old)


def _drop_orphans(tx: Tx) -> int:
    orphans = tx.all("blob_orphans")
    for (sha256,) in orphans:
        tx.run("blob_drop", sha256=sha256)
    return len(orphans)


def _are_shares_right(tx: Tx, now: int) -> bool:
    return tx.one("share_wrong") is None and not shares.is_rebase_due(tx, now)


def _mend_shares(tx: Tx, now: int) -> int:
    shares.rebase(tx, now)
    return tx.count("share_repair")
