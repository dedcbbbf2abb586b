"""Accounts and their projects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwicket.model.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qwicket.model.accounts import Account, Actor, FirstSteps, Project
    from qwicket.store import Store


class Accounts:
    """Reads an actor's account, its projects and first steps.

    Args:
        store: Stores accounts.
    """

    def __init__(self, store: Store) -> None:
        self._store = store.accounts

    async def first_steps(self, actor: Actor) -> FirstSteps:
        """Return which first steps the actor has done."""
        return await self._store.first_steps(actor.account)

    async def hide_first_steps(self, actor: Actor) -> None:
        """Hide the first steps from the actor."""
        await self._store.hide_first_steps(actor.account)

    async def of(self, actor: Actor) -> Account:
        """Return the account of an actor.

        Raises:
            NotFound: The account was deleted.
        """
        found = await self._store.by_id(actor.account)
        if found is None:
            raise NotFound("There is no such account.")
        return found

    async def names(self, accounts: Iterable[str]) -> dict[str, str]:
        """Return the names of a few accounts by id, without those that were deleted."""
        found = [await self._store.by_id(each) for each in {*accounts}]
        return {each.id: each.name for each in found if each}

    async def projects(self, actor: Actor) -> list[Project]:
        """Return the projects of an actor's account, including the token's project."""
        return await self._store.projects_of(actor.account)

    async def member_counts(self, actor: Actor) -> dict[str, int]:
        """Return how many members the projects of an actor's account have, by their ids."""
        return await self._store.member_counts(actor.account)

    async def own_bytes(self, actor: Actor) -> dict[str, int]:
        """Return what an actor's account stores for each of its projects, by their ids."""
        return await self._store.own_bytes(actor.account)

    async def members(self, actor: Actor, project: str) -> tuple[Project, list[str]]:
        """Return one of an actor's projects by name, with the names of its members.

        Raises:
            NotFound: The actor's account is in no such project.
        """
        found = [each for each in await self.projects(actor) if each.name == project]
        if not found:
            raise NotFound("You have no such project.")
        return found[0], await self._store.members(project)
