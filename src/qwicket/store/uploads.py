"""Operations on uploads: a draft's program, stored chunk by chunk as it arrives.

Only a complete upload is read. An interrupted one may leave chunks, which the next upload of its
job deletes, or maintenance when the job is no longer a draft. The next upload of an account also
deletes the uploads of its jobs that are no longer drafts.
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
        tx: Tx, upload: str, job: str, account: str, *, max_bytes: int, held_limit: int
    ) -> None:
        """Begin an upload, which replaces an unfinished one of the same job.

        Args:
            tx: The transaction.
            upload: Id of the new upload.
            job: Id of the draft.
            account: Id of the owner.
            max_bytes: Limit on one upload, and what an unfinished one counts as.
            held_limit: Limit on the bytes of all uploads of the account.

        Raises:
            Conflict: The job is not a draft.
            LimitExceeded: The account's uploads would exceed `held_limit`.
        """
        tx.run("upload_drop_ended", account=account)  # of cancelled drafts, before maintenance
        tx.run("upload_drop_unfinished", job=job)
        row = tx.one("upload_held", account=account, maximum=max_bytes)
        held = int(row[0]) if row else 0
        if held + max_bytes > held_limit:
            raise LimitExceeded(
                f"Your uploads take {held >> 20} MiB, and this one may take {max_bytes >> 20} MiB;"
                f" together they may take {held_limit >> 20} MiB (limit uploads_bytes)."
            )
        if not tx.count("upload_begin", id=upload, job=job):
            raise Conflict("The job no longer accepts uploads.")

    @write_unflushed
    def add(tx: Tx, upload: str, part: int, chunk: bytes) -> None:
        """Store a chunk.

        Raises:
            Conflict: The upload was deleted, because another one of the job has begun or the job
                has ended.
        """
        if not tx.count("upload_add", id=upload, part=part, bytes=chunk):
            raise Conflict("Another upload of this job has begun.")

    @write
    def finish(tx: Tx, upload: str, size: int) -> None:
        """Complete an upload, which replaces any other of its job; on disk when this returns.

        Raises:
            Conflict: Another upload of the job has begun, or the job is no longer a draft.
        """
        if not tx.count("upload_finish", id=upload, size=size):
            raise Conflict("Another upload of this job has begun, or it no longer accepts uploads.")
        tx.run("upload_drop_others", id=upload)

    @write_unflushed
    def drop(tx: Tx, upload: str) -> None:
        """Delete an interrupted upload."""
        tx.run("upload_drop", id=upload)

    @scan
    def read(tx: Tx, job: str) -> bytes | None:
        """Return the upload of a job, or None unless it is complete."""
        row = tx.one("upload_whole", job=job)
        if row is None:
            return None
        return b"".join(bytes(chunk) for (chunk,) in tx.all("upload_pieces", id=row[0]))
