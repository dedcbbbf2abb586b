"""Operations on records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwicket.model.errors import NotFound
from qwicket.model.limits import INT64_MAX
from qwicket.model.records import Record

if TYPE_CHECKING:
    from qwicket.store.database import Database, Row, Tx


class Records:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def register(
        self,
        account: str,
        door: str,
        key: str,
        body: bytes,
        *,
        record: str,
        now: int,
        most: int = INT64_MAX,
    ) -> Record:
        """Keep a document under the id `record`; one that has this key already stays as it is.

        Of the account's documents of this door the last `most` are kept.
        """

        def register(tx: Tx) -> Record:
            row = tx.one("record_by_key", account=account, door=door, key=key)
            if row is None:
                row = _register(tx, account, door, key, body, record, now)
                tx.run("record_forget", account=account, door=door, most=most)
            return Record(*row)

        return await self._database.write(register)

    async def get(self, account: str, door: str, key: str) -> Record | None:
        row = await self._database.read(
            lambda tx: tx.one("record_by_key", account=account, door=door, key=key)
        )
        return Record(*row) if row else None

    async def update(self, account: str, door: str, key: str, body: bytes, *, now: int) -> Record:
        """Replace a document.

        Raises:
            NotFound: There is none under this key.
        """
        row = await self._database.write(
            lambda tx: tx.one(
                "record_update", account=account, door=door, key=key, body=body, now=now
            )
        )
        if row is None:
            raise NotFound("There is no such record.")
        return Record(*row)

    async def page(
        self, account: str, door: str, *, before: int | None = None, limit: int = 50
    ) -> list[Record]:
        """Return an account's documents of one door, newest first."""
        found = await self._database.scan(
            lambda tx: tx.all(
                "record_list",
                account=account,
                door=door,
                before=INT64_MAX if before is None else before,
                limit=limit,
            )
        )
        return [Record(*row) for row in found]

    async def delete(self, account: str, door: str, key: str) -> bool:
        """Forget a document; say whether there was one."""
        deleted = await self._database.write(
            lambda tx: tx.count("record_delete", account=account, door=door, key=key)
        )
        return deleted > 0


def _register(tx: Tx, account: str, door: str, key: str, body: bytes, record: str, now: int) -> Row:
    tx.run("record_put", id=record, account=account, door=door, key=key, body=body, now=now)
    row = tx.one("record_by_key", account=account, door=door, key=key)
    assert row is not None
    return row
