"""Sign-in of the platform channel: access tokens, and a hint where a token comes in place of one.

A client that is given the address of this server but not `IAM_URL` sends its token to IBM's own
sign-in first. It is refused there, and the client then sends the token itself to this server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qwicket.dialects.ibm.names import PLATFORM_PREFIX, RUNTIME
from qwicket.gateway.signin import PREFIX
from qwicket.model.errors import Unauthenticated

if TYPE_CHECKING:
    from qwicket.dialects.requests import Request
    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor

REFRESH: Final = f"{RUNTIME}-refresh"
"""The audience of refresh tokens, which sign in nowhere else."""
_LEEWAY_S: Final = 330.0
"""A client whose clock is five minutes slow renews an access token that much too late."""


async def actor(gateway: Gateway, request: Request[Any]) -> Actor:
    """Return the holder of the access token of a request.

    Raises:
        Unauthenticated: It is missing or not valid; or it is a token, which has to be exchanged.
        TooManyRequests: It is forged, and so were many others from this address.
    """
    held = request.token("bearer")
    secret = request.token("apikey") or (held if held and held.startswith(PREFIX) else None)
    if secret is None:
        return await gateway.access_tokens.actor(held, RUNTIME, request.address, leeway_s=_LEEWAY_S)
    await gateway.auth.by_token(secret, request.address)  # a wrong one is refused as such
    raise Unauthenticated(
        "A token came without sign-in. If the client's IAM_URL is not"
        f" {request.server_url}{PLATFORM_PREFIX}/iam, the token may have been sent to IBM: set"
        " IAM_URL, revoke the token and create another. Otherwise sign-in failed for a moment: try"
        " again."
    )
