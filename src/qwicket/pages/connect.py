"""The pages that connect a client, ours or a vendor's: install it, set a token, run a program."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from qwicket import snippets
from qwicket.dialects.routing import ANY_TOKEN, Route
from qwicket.model.errors import NotFound
from qwicket.pages.forms import frame
from qwicket.pages.rendering import OWN_SCRIPT
from qwicket.registrations import vendors
from qwicket.snippets import environments

if TYPE_CHECKING:
    from starlette.responses import Response

    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor
    from qwicket.pages.handlers import Handlers
    from qwicket.registrations import Snippet

_FAMILIES: Final = {"qubit": "Qubits", "photonic": "Photons", "atoms": "Atoms"}
_NO_CLIENT: Final = "Without a client"
_HOSTS: Final = "Assistants"
_INSTALL: Final = re.compile(r"^# (?:(.*); )?(pip install .*)$", re.MULTILINE)
"""The comment of a program that says how its client is installed, and what that needs."""
_COMMENT: Final = re.compile(r"^# (.*)$", re.MULTILINE)
_MAX_DEVICES: Final = 12
"""Devices that the page of a client links."""


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
    """Read how to connect one of the clients, with the address of this server."""
    name = request.path_params.get("name", "python")
    offered = {name: each for name, each in snippets.SNIPPETS.items() if pages.offers(each.dialect)}
    if name not in offered:
        raise NotFound("There is no snippet for such a client.")
    url, snippet = request.server_url, offered[name]
    groups: dict[str, dict[str, str]] = {
        each: {} for each in (*_FAMILIES.values(), _HOSTS, _NO_CLIENT)
    }
    for each, other in offered.items():
        groups[_group(each, other)][each] = other.client
    program = snippets.text(name, url, install=await pages.how_to_install(url))
    comments = _COMMENT.findall(program)
    devices = await pages.gateway.devices.offered(snippet.dialect)
    seen = [each.name for each in devices if actor.sees(each.name)]
    return pages.renderer.page(
        "connect",
        scripts=OWN_SCRIPT,
        title="Connect",
        name=name,
        snippet=snippet,
        groups={title: clients for title, clients in groups.items() if clients},
        install=_INSTALL.search(program),
        needs=next((each for each in comments if f"# {each}" != snippets.FILE_NAME), ""),
        variables=snippets.variables("…", "…" if snippet.needs_pair else ""),
        program=program,
        environment=environments.lines(name, url) if name in environments.CLIENTS else (),
        devices=seen[:_MAX_DEVICES],
        n_more=len(seen[_MAX_DEVICES:]),
        **frame(actor, request),
    )


@cache
def _group(name: str, snippet: Snippet) -> str:
    """Return the heading of a client: the first family that its dialect shows, or what it is."""
    if snippet.runs_in == "host":
        return _HOSTS
    if name.startswith("curl"):
        return _NO_CLIENT
    dialects = [each for vendor in vendors() for each in vendor.dialects]
    shows = [each.shows for each in dialects if each.name == snippet.dialect]
    return _FAMILIES[next(iter(shows[0]), "qubit") if shows else "qubit"]
