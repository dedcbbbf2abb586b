"""Sign-in of the platform channel by access tokens, with a hint if a request has a token instead.

A client whose user set the URL of this server but not `IAM_URL` first sends its token to IBM's own
sign-in. IBM refuses it, and the client then sends the token itself to this server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qwicket.gateway.signin import PREFIX
from qwicket.model.errors import Unauthenticated
from qwicket.vendors.ibm.dialect.names import PLATFORM_PREFIX, RUNTIME

if TYPE_CHECKING:
    from qwicket.dialects.requests import Request
    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor

REFRESH: Final = f"{RUNTIME}-refresh"
"""Audience of refresh tokens, which are accepted only in exchange for an access token."""
_LEEWAY_S: Final = 330.0
"""Time for which an expired access token is accepted: a client's clock may be five minutes slow."""


async def actor(gateway: Gateway, request: Request[Any]) -> Actor:
    """Return the holder of the access token of a request.

    Raises:
        Unauthenticated: It is missing or invalid; or it is a token, which must be exchanged first.
        TooManyRequests: It is wrong, and so were many others from this address.
    """
    held = request.token("bearer")
    secret = request.token("apikey") or (held if held and held.startswith(PREFIX) else None)
    if secret is None:
        return await gateway.access_tokens.actor(
            held, RUNTIME, request.client_address, leeway_s=_LEEWAY_S
        )
    await gateway.auth.by_token(secret, request.client_address)  # a wrong token has other errors
    raise Unauthenticated(
        "The request has a token in place of an access token. If the client's IAM_URL is not"
        f" {request.server_url}{PLATFORM_PREFIX}/iam, the token may have been sent to IBM: set"
        " IAM_URL, revoke the token and create another. Otherwise the sign-in failed temporarily:"
        " try again."
    )
