"""The project that a request names as hub, group and project; actors that submit for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from qwicket.model.errors import Forbidden, NotFound
from qwicket.vendors.ibm.dialect.names import GROUP, HUB

if TYPE_CHECKING:
    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor
    from qwicket.vendors.ibm.dialect.paths import Instance


async def find(gateway: Gateway, actor: Actor, instance: Instance | None) -> str | None:
    """Return the id of the project of an instance; None without an instance.

    Raises:
        NotFound: The hub or group is not Qwicket's only one, the project does not exist, or the
            account is not a member.
    """
    if instance is None:
        return None
    for project in await gateway.accounts.projects(actor):
        if instance == (HUB, GROUP, project.address):
            return project.id
    raise NotFound("There is no such hub, group and project.")


async def for_project(gateway: Gateway, actor: Actor, instance: Instance | None) -> Actor:
    """Return the actor with an instance's project in place of its own; unchanged without one.

    Raises:
        NotFound: As for `find`.
        Forbidden: The token is bound to another project.
    """
    project = await find(gateway, actor, instance)
    if project in (None, actor.project):
        return actor
    if actor.token:  # without a token, after a password, any project of the account may be used
        raise Forbidden("This token is of another project: use a token of the requested project.")
    return structs.replace(actor, project=project)


async def names(gateway: Gateway, actor: Actor) -> dict[str, str]:
    """Return the names of an actor's projects by their ids."""
    return {project.id: project.address for project in await gateway.accounts.projects(actor)}
