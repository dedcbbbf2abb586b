"""Projects in paths and bodies, and actors that submit for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from qwicket.dialects.ibm.names import GROUP, HUB
from qwicket.model.errors import Forbidden, NotFound

if TYPE_CHECKING:
    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor

Place = tuple[str, str, str]
"""A hub, a group and a project."""


async def find(gateway: Gateway, actor: Actor, place: Place | None) -> str | None:
    """Return the id of the project at a place; None if there is no place.

    Raises:
        NotFound: The project does not exist, or the account is not a member.
    """
    if place is None:
        return None
    for project in await gateway.accounts.projects(actor):
        if place == (HUB, GROUP, project.name):
            return project.id
    raise NotFound("There is no such hub, group and project.")


async def acting(gateway: Gateway, actor: Actor, place: Place | None) -> Actor:
    """Return an actor that submits for the project of a place.

    Raises:
        NotFound: As for `find`.
        Forbidden: The token is bound to another project.
    """
    project = await find(gateway, actor, place)
    if project in (None, actor.project):
        return actor
    if actor.token:
        raise Forbidden("This token is bound to another project: use a token of this project.")
    return structs.replace(actor, project=project)


async def names(gateway: Gateway, actor: Actor) -> dict[str, str]:
    """Return the names of an actor's projects by their ids."""
    return {project.id: project.name for project in await gateway.accounts.projects(actor)}
