"""The pages with a program for each client, ours and the vendors', that uses this server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwicket import snippets
from qwicket.dialects.routing import ANY_TOKEN, Route
from qwicket.model.errors import NotFound
from qwicket.pages.forms import frame
from qwicket.pages.rendering import OWN_SCRIPT

if TYPE_CHECKING:
    from starlette.responses import Response

    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor
    from qwicket.pages.handlers import Handlers


def routes(handlers: Handlers) -> tuple[Route, ...]:
    """Return the routes of snippets."""
    return (
        Route("GET", "/connect", read_clients, ANY_TOKEN, on_error=handlers.to_sign_in),
        Route("GET", "/connect/{name}", read_clients, ANY_TOKEN, on_error=handlers.to_sign_in),
    )


async def read_clients(
    pages: Handlers,
    actor: Actor,
    request: Request[None],
) -> Response:
    """Read a program for one of the clients, with the address of this server."""
    url = request.server_url
    name = request.path_params.get("name", "python")
    offered = {name: each for name, each in snippets.SNIPPETS.items() if pages.offers(each.dialect)}
    if name not in offered:
        raise NotFound("There is no snippet for such a client.")
    return pages.renderer.page(
        "connect",
        scripts=OWN_SCRIPT,
        title="Connect a client",
        name=name,
        snippets=offered,
        program=snippets.text(name, url, install=await pages.how_to_install(url)),
        **frame(actor, request),
    )
