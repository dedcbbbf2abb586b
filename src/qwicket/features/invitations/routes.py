"""Routes of `/v1` and `/v1/admin` for invitations."""

from __future__ import annotations

from functools import partial
from typing import Final

from qwicket.dialects.native.admin.access import LEAD
from qwicket.dialects.routing import Late, Open, Route, json_body
from qwicket.schema import accounts
from qwicket.schema import invitations as schema

INVITED: Final = Open("The code of an invitation is the credential.")

_late = partial(Late, "qwicket.features.invitations.handlers")

ROUTES: Final = (
    Route(
        "POST",
        "/accounts",
        _late("accept_invitation"),
        INVITED,
        json_body(accounts.AcceptInvitationBody),
        responses=(accounts.AcceptedInvitationBody,),
        status=201,
    ),
)
ADMIN_ROUTES: Final = (
    Route(
        "GET",
        "/invitations",
        _late("list_invitations"),
        LEAD,
        parameters=("project",),
        responses=(schema.InvitationList,),
        is_of_all_devices=True,
    ),
    Route(
        "POST",
        "/invitations",
        _late("create_invitation"),
        LEAD,
        json_body(schema.NewInvitationBody),
        responses=(schema.CreatedInvitationBody,),
        status=201,
        is_of_all_devices=True,
    ),
    Route(
        "DELETE",
        "/invitations/{invitation}",
        _late("delete_invitation"),
        LEAD,
        parameters=("project",),
        status=204,
        is_of_all_devices=True,
    ),
)
