"""The page of an invitation, with which people create their account or join a project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qwicket.dialects.routing import ANY_TOKEN, Route
from qwicket.features.invitations.routes import INVITED
from qwicket.features.invitations.service import Invitations
from qwicket.model.errors import Conflict, InvalidRequest, Unauthenticated
from qwicket.pages.forms import (
    FORM,
    FORM_BODY,
    FORM_S,
    NEXT,
    SESSION,
    Form,
    check_form,
    csrf,
    form_cookie,
)

if TYPE_CHECKING:
    from starlette.responses import Response

    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor
    from qwicket.model.errors import QwicketError
    from qwicket.pages.handlers import Handlers

_EMPTY_FORM: Final = Form([])


def routes(_handlers: Handlers) -> tuple[Route, ...]:
    """Return the routes of invitations."""
    return (
        Route("GET", "/invitation", read_invitation, INVITED, parameters=("code",)),
        Route("POST", "/invitation", accept_invitation, INVITED, FORM_BODY),
        Route("POST", "/invitation/join", join_project, ANY_TOKEN, FORM_BODY),
    )


async def read_invitation(pages: Handlers, request: Request[None]) -> Response:
    """Read the page of an invitation."""
    return await _page(pages, request, request.query_params.get("code", ""), _EMPTY_FORM)


async def accept_invitation(pages: Handlers, request: Request[Form]) -> Response:
    """Create an account, and sign in."""
    check_form(request, FORM)
    form = request.payload
    invitations, code = pages.gateway.feature(Invitations), form.get("code", "")
    try:
        created = await invitations.accept(
            code,
            name=form.get("name", ""),
            address=request.client_address,
            email=form.get("email") or None,
            password=form.get("password"),
            has_token=False,
        )
    except (InvalidRequest, Conflict) as error:
        return await _page(pages, request, code, form, error)
    return await pages.start_session(request, await invitations.actor(created.account), "")


async def join_project(pages: Handlers, actor: Actor, request: Request[Form]) -> Response:
    """Join the project of an invitation with the account that is signed in."""
    check_form(request, SESSION)
    code = request.payload.get("code", "")
    await pages.gateway.feature(Invitations).join(actor, code, request.client_address)
    response = pages.redirect("")
    pages.cookies.delete(request, response, NEXT)
    return response


async def _page(
    pages: Handlers, request: Request[Any], code: str, form: Form, error: QwicketError | None = None
) -> Response:
    found = await pages.gateway.feature(Invitations).find(code, request.client_address)
    try:
        joins = (await pages.sign_in(request)).account_name if found.project else ""
    except Unauthenticated:
        joins = ""
    cookie = request.cookies[SESSION] if joins else form_cookie(request)
    response = pages.renderer.page(
        "invitation",
        200 if error is None else error.status,
        title="Invitation",
        wrong="" if error is None else error.detail,
        project=found.project,
        code=code,
        joins=joins,
        name=form.get("name", ""),
        email=form.get("email", ""),
        passwords=pages.gateway.sign_in.are_passwords_on,
        emails=not pages.gateway.sign_in.links_emails,
        csrf=csrf(cookie),
    )
    if not joins:
        pages.cookies.set(request, response, FORM, cookie, FORM_S)
    # In a cookie, because the address of the page of sign-in would show the code in logs.
    pages.cookies.set(request, response, NEXT, f"/invitation?code={code}", FORM_S)
    return response
