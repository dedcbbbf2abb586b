"""Handlers of `/v1` and `/v1/admin` for invitations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import structs
from starlette.responses import Response

from qwicket.dialects.native.wire import iso_time
from qwicket.dialects.responses import json
from qwicket.features.invitations.service import InvitationAdmin, Invitations
from qwicket.model.accounts import Scope
from qwicket.schema import accounts
from qwicket.schema import invitations as schema

if TYPE_CHECKING:
    from qwicket.dialects.native.admin.access import Access
    from qwicket.dialects.native.handlers import Handlers
    from qwicket.dialects.requests import Request
    from qwicket.features.invitations.store import Invitation
    from qwicket.model.accounts import Actor

_PAGE: Final = "/ui/invitation"


async def accept_invitation(
    native: Handlers, request: Request[accounts.AcceptInvitationBody]
) -> Response:
    """Create an account, and its first token, with the code of an invitation."""
    body = request.payload
    made = await native.gateway.feature(Invitations).accept(
        body.invitation,
        body.name,
        request.client_address,
        email=body.email,
        password=body.password,
        has_token=True,
    )
    assert made.secret is not None  # as a token was requested
    accepted = accounts.AcceptedInvitationBody(
        name=made.account.name, project=made.project, secret=made.secret
    )
    return json(accepted, 201)


async def list_invitations(access: Access, actor: Actor, request: Request[None]) -> Response:
    """List the invitations that have not expired, of all projects or of one.

    A lead gives the project.
    """
    project = await _project(access, actor, request)
    found = await _invitations(access).all(project)
    return json(schema.InvitationList(invitations=tuple(map(_body, found))))


async def create_invitation(
    access: Access, actor: Actor, request: Request[schema.NewInvitationBody]
) -> Response:
    """Create an invitation, with which people create their accounts or join a project.

    A lead invites to a shared project.
    """
    body = request.payload
    await access.admin.led_project(actor, body.project)
    made = await _invitations(access).add(
        project=body.project,
        uses=body.uses,
        life_s=body.life_s,
        role=body.role,
        made_by=actor.account_name,
        by_lead=Scope.ADMIN not in actor.scopes,
    )
    created = schema.CreatedInvitationBody(
        **structs.asdict(_body(made.invitation)),
        code=made.code,
        url=f"{request.server_url}{_PAGE}?code={made.code}",
    )
    return json(created, 201)


async def delete_invitation(access: Access, actor: Actor, request: Request[None]) -> Response:
    """Delete an invitation; the accounts that were created with it stay.

    A lead gives the project.
    """
    project = await _project(access, actor, request)
    await _invitations(access).remove(request.path_params["invitation"], project)
    return Response(status_code=204)


async def _project(access: Access, actor: Actor, request: Request[None]) -> str | None:
    """Return the id of the project that the query names; None for all."""
    found = await access.admin.led_project(actor, request.query_params.get("project"))
    return found.id if found else None


def _invitations(access: Access) -> InvitationAdmin:
    return InvitationAdmin(access.admin.store, access.admin.now_ms)


def _body(invitation: Invitation) -> schema.InvitationBody:
    return schema.InvitationBody(
        id=invitation.id,
        project=invitation.project,
        role=invitation.role,
        uses=invitation.maximum,
        used=invitation.used,
        created_at=iso_time(invitation.created_at),
        expires_at=iso_time(invitation.expires_at),
    )
