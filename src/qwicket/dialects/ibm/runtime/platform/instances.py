"""Instances: a project by the cloud resource name (CRN) that clients know it by; and their plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qwicket.dialects.ibm.names import HUB
from qwicket.model.errors import Forbidden

if TYPE_CHECKING:
    from qwicket.model.accounts import Actor, Project

PLAN: Final = "qwicket-open"
SERVICE: Final = "quantum-computing"
_CRN: Final = f"crn:v1:bluemix:public:{SERVICE}:us-east:a/{HUB}:"
"""The region is one that clients know; the account is not the user's own, so that the members of a
project know it by the same name."""
_MAX_QUOTED: Final = 200


def crn(project: str) -> str:
    """Return the CRN of a project by its id."""
    return f"{_CRN}{project}::"


def check(given: str | None, actor: Actor) -> None:
    """Refuse a CRN that is not that of the actor's project.

    Raises:
        Forbidden: It is that of another instance, or of none.
    """
    own = crn(actor.project)
    if given not in (None, "", own):
        raise Forbidden(
            f"The token is for the instance {own}, not {str(given)[:_MAX_QUOTED]!r}; another"
            " project's instance needs a token of that project.",
            field="instance",
        )


def found(project: Project) -> dict[str, Any]:
    """Return an instance as the search for resources shows it."""
    own = crn(project.id)
    return {
        "crn": own,
        "name": project.name,
        "service_name": SERVICE,
        "service_plan_unique_id": PLAN,
        "type": "resource-instance",
        "region": "us-east",
        "tags": [],
        # Clients leave out an instance without it.
        "doc": {"extensions": {"instance": project.name}},
    }


def plan() -> dict[str, Any]:
    """Return the one plan: clients sort instances by the type of its price."""
    return {
        "id": PLAN,
        "name": PLAN,
        "kind": "plan",
        "overview_ui": {"en": {"display_name": "Open"}},
        "metadata": {"pricing": {"type": "free"}},
    }
