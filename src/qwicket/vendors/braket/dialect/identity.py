"""STS: whose key pair signed a request. Braket's clients ask for the number of the account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from starlette.responses import Response

from qwicket.dialects.bodies import small_form
from qwicket.model.errors import NotOffered
from qwicket.vendors.braket.dialect.names import account_number
from qwicket.vendors.braket.dialect.signin import SignatureSignIn

if TYPE_CHECKING:
    from qwicket.dialects.requests import Request
    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor
    from qwicket.model.limits import Limits


class Handlers:
    """Handlers of the STS service, which has one action here."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._sign_in = SignatureSignIn(gateway, "sts")

    @property
    def limits(self) -> Limits:
        return self._gateway.limits

    async def sign_in(self, request: Request[Any]) -> Actor:
        return await self._sign_in(request)

    async def act(self, actor: Actor, request: Request[str]) -> Response:
        """Read the caller's identity: the action `GetCallerIdentity`."""
        account, user = account_number(actor.project), escape(actor.account_name)
        body = (
            '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            "<GetCallerIdentityResult>"
            f"<Arn>arn:aws:iam::{account}:user/{user}</Arn>"
            f"<UserId>{actor.account}</UserId><Account>{account}</Account>"
            "</GetCallerIdentityResult></GetCallerIdentityResponse>"
        )
        return Response(body, media_type="text/xml")


def action(body: bytes, limits: Limits) -> str:
    """Return the action in a form.

    Raises:
        NotOffered: The action is not `GetCallerIdentity`.
        LimitExceeded: The form is too large.
    """
    found = small_form(body, limits).get("Action", "")
    if found != "GetCallerIdentity":
        raise NotOffered("Of STS, this server has only the action GetCallerIdentity.")
    return found
