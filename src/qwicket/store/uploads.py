"""Operations on uploads: a draft's program as it comes in, piece by piece.

An upload counts when it is whole. One that was cut leaves pieces that nobody reads; the next upload
of its job, or upkeep, removes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwicket.model.errors import Conflict, LimitExceeded

if TYPE_CHECKING:
    from qwicket.store.database import Database, Tx


class Uploads:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(
        self, upload: str, job: str, account: str, *, most_bytes: int, held_limit: int
    ) -> None:
        """Begin an upload; one of the same job that is under way counts no more.

        Args:
            upload: Its id.
            job: A draft.
            account: Whose it is.
            most_bytes: What one upload may have.
            held_limit: What all of the account's uploads may have.

        Raises:
            Conflict: The job is no draft.
            LimitExceeded: The account's other uploads leave no room.
        """
        await self._database.write(
            lambda tx: _begin(tx, upload, job, account, most_bytes, held_limit)
        )

    async def add(self, upload: str, part: int, piece: bytes) -> None:
        """Keep a piece.

        Raises:
            Conflict: Another upload of the job began, or the job is gone.
        """
        await self._database.write(lambda tx: _add(tx, upload, part, piece), durable=False)

    async def finish(self, upload: str, size: int) -> None:
        """Let an upload count, in place of any other of its job; on disk when this returns.

        Raises:
            Conflict: Another upload of the job began, or the job is no draft any more.
        """
        await self._database.write(lambda tx: _finish(tx, upload, size))

    async def drop(self, upload: str) -> None:
        """Forget an upload that was cut."""
        await self._database.write(lambda tx: tx.run("upload_drop", id=upload), durable=False)

    async def read(self, job: str) -> bytes | None:
        """Return what was uploaded for a job, if it is whole."""
        return await self._database.scan(lambda tx: _read(tx, job))


def _begin(tx: Tx, upload: str, job: str, account: str, most_bytes: int, held_limit: int) -> None:
    tx.run("upload_drop_unfinished", job=job)
    row = tx.one("upload_held", account=account, most=most_bytes)
    held = int(row[0]) if row else 0
    if held + most_bytes > held_limit:
        raise LimitExceeded(
            f"Your uploads that no job was made of have {held >> 20} MiB; with this one they may"
            f" have {held_limit >> 20} MiB (limit uploads_bytes)."
        )
    if not tx.count("upload_begin", id=upload, job=job):
        raise Conflict("The job takes no upload any more.")


def _add(tx: Tx, upload: str, part: int, piece: bytes) -> None:
    if not tx.count("upload_add", id=upload, part=part, bytes=piece):
        raise Conflict("Another upload of this job began.")


def _finish(tx: Tx, upload: str, size: int) -> None:
    if not tx.count("upload_finish", id=upload, size=size):
        raise Conflict("Another upload of this job began, or it takes none any more.")
    tx.run("upload_drop_others", id=upload)


def _read(tx: Tx, job: str) -> bytes | None:
    row = tx.one("upload_whole", job=job)
    return (
        b"".join(bytes(piece) for (piece,) in tx.all("upload_pieces", id=row[0])) if row else None
    )
