"""Operations on uploads: a draft's program as it comes in, piece by piece.

An upload counts when it is whole. One that was cut leaves pieces that nobody reads; the next upload
of its job, or upkeep, removes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwicket.model.errors import Conflict, LimitExceeded
from qwicket.store.operations import Operations, scan, write, write_unflushed

if TYPE_CHECKING:
    from qwicket.store.database import Tx


class Uploads(Operations):
    @write
    def begin(
        tx: Tx, upload: str, job: str, account: str, *, most_bytes: int, held_limit: int
    ) -> None:
        """Begin an upload; one of the same job that is under way counts no more.

        Args:
            tx: The transaction.
            upload: Its id.
            job: A draft.
            account: Whose it is.
            most_bytes: What one upload may have.
            held_limit: What all of the account's uploads may have.

        Raises:
            Conflict: The job is no draft.
            LimitExceeded: The account's other uploads leave no room.
        """
        tx.run("upload_drop_unfinished", job=job)
        row = tx.one("upload_held", account=account, most=most_bytes)
        held = int(row[0]) if row else 0
        if held + most_bytes > held_limit:
            raise LimitExceeded(
                f"Your uploads that no job was made of have {held >> 20} MiB; with this one they"
                f" may have {held_limit >> 20} MiB (limit uploads_bytes)."
            )
        if not tx.count("upload_begin", id=upload, job=job):
            raise Conflict("The job takes no upload any more.")

    @write_unflushed
    def add(tx: Tx, upload: str, part: int, piece: bytes) -> None:
        """Keep a piece.

        Raises:
            Conflict: Another upload of the job began, or the job is gone.
        """
        if not tx.count("upload_add", id=upload, part=part, bytes=piece):
            raise Conflict("Another upload of this job began.")

    @write
    def finish(tx: Tx, upload: str, size: int) -> None:
        """Let an upload count, in place of any other of its job; on disk when this returns.

        Raises:
            Conflict: Another upload of the job began, or the job is no draft any more.
        """
        if not tx.count("upload_finish", id=upload, size=size):
            raise Conflict("Another upload of this job began, or it takes none any more.")
        tx.run("upload_drop_others", id=upload)

    @write_unflushed
    def drop(tx: Tx, upload: str) -> None:
        """Forget an upload that was cut."""
        tx.run("upload_drop", id=upload)

    @scan
    def read(tx: Tx, job: str) -> bytes | None:
        """Return what was uploaded for a job, if it is whole."""
        row = tx.one("upload_whole", job=job)
        if row is None:
            return None
        return b"".join(bytes(piece) for (piece,) in tx.all("upload_pieces", id=row[0]))
