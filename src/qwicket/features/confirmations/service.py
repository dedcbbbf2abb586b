"""Reads and answers the questions of tokens with bounds to their owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwicket.model.accounts import Scope
from qwicket.model.errors import Forbidden, NotFound
from qwicket.model.ids import parse_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor
    from qwicket.model.bounds import Confirmation
    from qwicket.store import Store


class Confirmations:
    """Questions to an actor's account: whether a job may be submitted.

    Only a session or a token without bounds answers them. It could submit the job itself, so an
    answer gives no right that its giver lacks.

    Args:
        store: The database.
        now_ms: Clock; returns Unix milliseconds.
    """

    @classmethod
    def from_gateway(cls, gateway: Gateway) -> Confirmations:
        """Return the service of a gateway."""
        return cls(gateway.store, gateway.now_ms)

    def __init__(self, store: Store, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._now_ms = now_ms

    async def waiting(self, actor: Actor) -> list[Confirmation]:
        """Return the questions that wait for an answer, the oldest first.

        Raises:
            Forbidden: The actor's token has bounds, or may not submit jobs.
        """
        _require_answering(actor)
        found = await self._store.bounds.waiting(actor.account, self._now_ms())
        return [each for each in found if actor.sees(each.device)]

    async def get(self, actor: Actor, id: str) -> Confirmation:
        """Return a question.

        Raises:
            Forbidden: As for `waiting`.
            NotFound: The account has no such question, or the token is not for its device.
        """
        _require_answering(actor)
        if parse_id(id) is None:  # it may contain NUL, on which PostgreSQL raises
            raise NotFound("There is no such confirmation.")
        found = await self._store.bounds.confirmation(actor.account, id)
        if not actor.sees(found.device):
            raise NotFound("There is no such confirmation.")
        return found

    async def answer(self, actor: Actor, id: str, *, is_confirmed: bool) -> Confirmation:
        """Answer a question; the same answer once more changes nothing.

        Raises:
            Forbidden: As for `waiting`.
            NotFound: As for `get`.
            Conflict: It has another answer, or none may be given any more.
        """
        await self.get(actor, id)
        return await self._store.bounds.answer(
            actor.account,
            id,
            is_confirmed=is_confirmed,
            answered_by=actor.token,
            now=self._now_ms(),
        )

    def state(self, confirmation: Confirmation) -> str:
        """Return the present state of a question."""
        return confirmation.state_at(self._now_ms())


def _require_answering(actor: Actor) -> None:
    actor.require(Scope.JOBS_WRITE)
    if actor.bounds is not None:
        raise Forbidden(
            "A token with bounds confirms nothing: the person does, at the page or with a token"
            " without bounds."
        )
