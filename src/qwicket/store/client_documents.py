"""Operations on documents that clients register (table `record`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwicket.model.client_documents import ClientDocument
from qwicket.model.limits import INT64_MAX
from qwicket.store.operations import Operations, read, scan, write
from qwicket.store.rows import existing

if TYPE_CHECKING:
    from qwicket.store.database import Tx


class ClientDocuments(Operations):
    @write
    def register(
        tx: Tx,
        account: str,
        dialect: str,
        key: str,
        body: bytes,
        *,
        document: str,
        now: int,
        maximum: int = INT64_MAX,
    ) -> ClientDocument:
        """Store a document under the id `document`, unless its key exists already.

        Above `maximum` documents per account and dialect, the oldest are deleted.
        """
        present = ClientDocuments.get(tx, account, dialect, key)
        if present is not None:
            return present
        tx.run(
            "record_put", id=document, account=account, dialect=dialect, key=key, body=body, now=now
        )
        added = ClientDocuments.get(tx, account, dialect, key)
        assert added is not None
        tx.run("record_forget", account=account, dialect=dialect, maximum=maximum)
        return added

    @read
    def get(tx: Tx, account: str, dialect: str, key: str) -> ClientDocument | None:
        row = tx.one("record_by_key", account=account, dialect=dialect, key=key)
        return ClientDocument(*row) if row else None

    @write
    def update(
        tx: Tx, account: str, dialect: str, key: str, body: bytes, *, now: int
    ) -> ClientDocument:
        """Replace a document.

        Raises:
            NotFound: The account has no document with this key.
        """
        row = tx.one("record_update", account=account, dialect=dialect, key=key, body=body, now=now)
        return ClientDocument(*existing(row, "There is no such document."))

    @scan
    def page(
        tx: Tx, account: str, dialect: str, *, before: int | None = None, limit: int = 50
    ) -> list[ClientDocument]:
        """Return an account's documents of one dialect, newest first."""
        before = INT64_MAX if before is None else before
        found = tx.all("record_list", account=account, dialect=dialect, before=before, limit=limit)
        return [ClientDocument(*row) for row in found]

    @write
    def delete(tx: Tx, account: str, dialect: str, key: str) -> bool:
        """Delete a document; return whether it existed."""
        return tx.count("record_delete", account=account, dialect=dialect, key=key) > 0
