"""The page of administrators with invitations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qwicket.features.invitations.service import InvitationAdmin
from qwicket.pages.admin_choices import project_choices
from qwicket.pages.admin_parts import Act, Card, Part
from qwicket.pages.forms import list_page

if TYPE_CHECKING:
    from starlette.responses import Response

    from qwicket.pages.admin_view import View

_PAGE_ROWS: Final = 40


async def read(view: View, _name: str) -> Response:
    """Read the invitations that have not expired."""
    gateway = view.gateway
    found = await InvitationAdmin(gateway.store, gateway.now_ms).all()
    return view.render(
        "admin-invitations",
        "Invitations",
        "people",
        listed=list_page(view.request, found, _PAGE_ROWS),
        projects=await project_choices(view),
    )


async def _card(view: View, name: str) -> dict[str, Any]:
    """Return the invitations to the project of a lead."""
    gateway = view.gateway
    project = await gateway.admin.project(name)
    found = await InvitationAdmin(gateway.store, gateway.now_ms).all(project.id)
    return {
        "project": name,
        "is_personal": await gateway.store.accounts.is_personal(name),
        "listed": list_page(view.request, found, _PAGE_ROWS, "invitations_from"),
    }


PART: Final = Part(
    cards={"lead": Card("lead-invitations.html", _card)},
    pages={"invitations": "qwicket.features.invitations.admin_pages:read"},
    links={"people": ("Invitations", "/admin/invitations")},
    acts={
        "create_invitation": Act(
            "create_invitation",
            fields={"project": "text", "role": "text", "uses": "number", "life_s": "days"},
        ),
        "delete_invitation": Act(
            "delete_invitation",
            ("invitation",),
            query={"project": "{project}"},
            question="Delete this invitation?",
            warning="Nobody can use it any more. The accounts that were created with it stay.",
            button="Delete the invitation",
            done="The invitation was deleted.",
        ),
    },
    files={"invitations": "list_invitations"},
    sentences={
        "create_invitation": "made an invitation",
        "delete_invitation": "deleted an invitation",
        "accept_invitation": {
            "project,invited_by": "created this account and joined {project}, invited by"
            " {invited_by}",
            "invited_by": "created this account, invited by {invited_by}",
            "": "created this account with an invitation",
        },
        "join_project": {
            "invited_by": "joined {0}, invited by {invited_by}",
            "": "joined {0} with an invitation",
        },
    },
)
