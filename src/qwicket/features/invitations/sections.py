"""The page of administrators with invitations."""

from __future__ import annotations

from typing import Final

from qwicket.pages.admin_sections import INVITE
from qwicket.pages.admin_types import Action, Section

SECTIONS: Final = {
    "invitations": Section(
        "Invitations",
        "list_invitations",
        "invitations",
        (
            ("id", "Invitation"),
            ("project", "Project"),
            ("uses", "Accounts"),
            ("used", "Used"),
            ("created_at", "Created"),
            ("expires_at", "Ends"),
        ),
        row_actions=(Action("delete_invitation", "Delete", (("invitation", "id"),)),),
        page_actions=(INVITE,),
    ),
}
