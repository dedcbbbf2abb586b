"""Instances: projects under the cloud resource names (CRNs) that clients use, and their plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qwicket.model.errors import Forbidden
from qwicket.vendors.ibm.dialect.names import HUB

if TYPE_CHECKING:
    from qwicket.model.accounts import Actor, Project

PLAN: Final = "qwicket-open"
SERVICE: Final = "quantum-computing"
_CRN: Final = f"crn:v1:bluemix:public:{SERVICE}:us-east:a/{HUB}:"
"""The region is one that clients know. The account is the same for all users, so that all members
of a project have the same CRN for it."""
_MAX_QUOTED: Final = 200


def crn(project: str) -> str:
    """Return the CRN of a project by its id."""
    return f"{_CRN}{project}::"


def check_crn(given: str | None, actor: Actor) -> None:
    """Check that a CRN, if one is given, is that of the actor's project.

    Raises:
        Forbidden: It is not.
    """
    own = crn(actor.project)
    if given not in (None, "", own):
        raise Forbidden(
            f"The token is for the instance {own}, not {str(given)[:_MAX_QUOTED]!r}; another"
            " project's instance needs a token of that project.",
            field="instance",
        )


def search_item(project: Project) -> dict[str, Any]:
    """Return a project as the search for resources shows instances."""
    own = crn(project.id)
    return {
        "crn": own,
        "name": project.name,
        "service_name": SERVICE,
        "service_plan_unique_id": PLAN,
        "type": "resource-instance",
        "region": "us-east",
        "tags": [],
        # Clients ignore an instance whose extensions are empty.
        "doc": {"extensions": {"instance": project.name}},
    }


def plan() -> dict[str, Any]:
    """Return the only plan. Clients sort instances by the type of its pricing."""
    return {
        "id": PLAN,
        "name": PLAN,
        "kind": "plan",
        "overview_ui": {"en": {"display_name": "Open"}},
        "metadata": {"pricing": {"type": "free"}},
    }
