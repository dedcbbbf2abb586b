"""The page of an invitation, with which people create their account or join a project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qwicket.model.errors import Conflict, InvalidRequest, Unauthenticated
from qwicket.pages.forms import FORM, SESSION, Form, check_form, csrf, form_cookie
from qwicket.pages.handlers import FORM_S, Handlers

if TYPE_CHECKING:
    from starlette.responses import Response

    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor
    from qwicket.model.errors import QwicketError

_EMPTY_FORM: Final = Form([])


class InvitationHandlers(Handlers):
    """Handlers of the pages, with those of invitations."""

    async def read_invitation(self, request: Request[None]) -> Response:
        """Read the page of an invitation."""
        return await self._invitation_page(
            request, request.query_params.get("code", ""), _EMPTY_FORM
        )

    async def accept_invitation(self, request: Request[Form]) -> Response:
        """Create an account, and sign in."""
        check_form(request, FORM)
        form = request.payload
        invitations, code = self._gateway.invitations, form.get("code", "")
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
            return await self._invitation_page(request, code, form, error)
        return await self.start_session(request, await invitations.actor(created.account))

    async def join_project(self, actor: Actor, request: Request[Form]) -> Response:
        """Join the project of an invitation with the account that is signed in."""
        check_form(request, SESSION)
        code = request.payload.get("code", "")
        await self._gateway.invitations.join(actor, code, request.client_address)
        return self.redirect("")

    async def _invitation_page(
        self, request: Request[Any], code: str, form: Form, error: QwicketError | None = None
    ) -> Response:
        found = await self._gateway.invitations.find(code, request.client_address)
        try:
            joins = (await self.sign_in(request)).account_name if found.project else ""
        except Unauthenticated:
            joins = ""
        cookie = request.cookies[SESSION] if joins else form_cookie(request)
        response = self.renderer.page(
            "invitation",
            200 if error is None else error.status,
            title="Invitation",
            wrong="" if error is None else error.detail,
            project=found.project,
            code=code,
            joins=joins,
            name=form.get("name", ""),
            email=form.get("email", ""),
            passwords=self._gateway.sign_in.are_passwords_on,
            emails=not self._gateway.sign_in.links_emails,
            csrf=csrf(cookie),
        )
        if not joins:
            self.cookies.set(request, response, FORM, cookie, FORM_S)
        return response
