"""Documents that a client registers, on behalf of an actor: records of jobs at other servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwicket.model.accounts import Scope
from qwicket.model.errors import NotFound
from qwicket.model.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwicket.model.accounts import Actor
    from qwicket.model.client_documents import ClientDocument
    from qwicket.model.limits import Limits
    from qwicket.store import Store


class ClientDocuments:
    """Documents that a client registers under a key of its own."""

    def __init__(self, store: Store, limits: Limits, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._limits = limits
        self._now_ms = now_ms

    async def register(self, actor: Actor, dialect: str, key: str, body: bytes) -> ClientDocument:
        """Store a document, unless its key exists already; return the stored one.

        Above the limit `client_documents`, the oldest are deleted.
        """
        actor.require(Scope.JOBS_WRITE)
        now, maximum = self._now_ms(), self._limits.quotas.client_documents
        return await self._store.client_documents.register(
            actor.account, dialect, key, body, document=new_id(now), now=now, maximum=maximum
        )

    async def get(self, actor: Actor, dialect: str, key: str) -> ClientDocument:
        """Return a document of the actor.

        Raises:
            NotFound: The account has no document with this key.
        """
        actor.require(Scope.JOBS_READ)
        found = await self._store.client_documents.get(actor.account, dialect, key)
        if found is None:
            raise NotFound("There is no such document.")
        return found

    async def update(self, actor: Actor, dialect: str, key: str, body: bytes) -> ClientDocument:
        """Replace a document.

        Raises:
            NotFound: The account has no document with this key.
        """
        actor.require(Scope.JOBS_WRITE)
        return await self._store.client_documents.update(
            actor.account, dialect, key, body, now=self._now_ms()
        )

    async def page(
        self, actor: Actor, dialect: str, *, before: int | None = None, limit: int = 50
    ) -> list[ClientDocument]:
        """Return the actor's documents of a dialect with a `seq` below `before`, newest first."""
        actor.require(Scope.JOBS_READ)
        return await self._store.client_documents.page(
            actor.account, dialect, before=before, limit=limit
        )

    async def delete(self, actor: Actor, dialect: str, key: str) -> None:
        """Delete a document.

        Raises:
            NotFound: The account has no document with this key.
        """
        actor.require(Scope.JOBS_WRITE)
        if not await self._store.client_documents.delete(actor.account, dialect, key):
            raise NotFound("There is no such document.")
