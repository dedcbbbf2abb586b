"""The projects whose jobs a worker takes, by the names that its requests and its scaler's have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwicket.gateway.ttl_cache import TTLCache
from qwicket.model.errors import InvalidRequest, NotFound
from qwicket.model.jobs import ALL_PROJECTS, Projects

if TYPE_CHECKING:
    from qwicket.store import Store


class ProjectsOfWorkers:
    """Finds projects by their names.

    Args:
        store: The database.
    """

    def __init__(self, store: Store) -> None:
        self._accounts = store.accounts
        self._ids: TTLCache[str, str] = TTLCache(self._id)

    async def named(self, taken: tuple[str, ...], left: tuple[str, ...]) -> Projects:
        """Return the projects of these names, or all but some.

        Args:
            taken: Names of the projects whose jobs are taken; empty means all but `left`.
            left: Names of those whose jobs are not.

        Raises:
            InvalidRequest: There is no project of a name, or there are names of both kinds.
        """
        if not taken and not left:
            return ALL_PROJECTS
        if taken and left:
            raise InvalidRequest(
                "Give projects or except_projects, not both.", field="except_projects"
            )
        field = "projects" if taken else "except_projects"
        found = [await self._known(name, field) for name in taken or left]
        return Projects(frozenset(found), are_left=not taken)

    async def _known(self, name: str, field: str) -> str:
        found = await self._ids.get(name)
        if found is None:
            raise InvalidRequest(f"{field}: there is no project {name[:100]!r}.", field=field)
        return found

    async def _id(self, name: str) -> str | None:
        try:
            return (await self._accounts.project(name)).id
        except NotFound:
            return None
