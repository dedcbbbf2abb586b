"""The page that explains how to use this server, which needs no session."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

from qwicket.dialects.routing import Open, Route
from qwicket.model.errors import QwicketError
from qwicket.model.states import JobState
from qwicket.pages.forms import SESSION, frame
from qwicket.pages.rendering import OWN_SCRIPT

if TYPE_CHECKING:
    from starlette.responses import Response

    from qwicket.dialects.requests import Request
    from qwicket.pages.handlers import Handlers

_MEANINGS: Final = {
    JobState.DRAFT: "Its program is still being uploaded.",
    JobState.QUEUED: "It waits for its device, or is held.",
    JobState.RUNNING: "It runs. If its runner stops, it waits again.",
    JobState.CANCELLING: "It was asked to stop.",
    JobState.UNCERTAIN: "It was sent to another cloud, which did not confirm it.",
    JobState.COMPLETED: "Its result is there.",
    JobState.FAILED: "It has no result; its error says why.",
    JobState.CANCELLED: "It was stopped before it had a result.",
}


def routes(_handlers: Handlers) -> tuple[Route, ...]:
    """Return the route of the page."""
    return (Route("GET", "/help", read_help, Open("It describes the server to its users.")),)


async def read_help(pages: Handlers, request: Request[None]) -> Response:
    """Read how to get a token, install the client, submit a job, and what its states mean."""
    from qwicket import snippets  # late: few requests need them

    url = request.server_url
    install = await pages.how_to_install(url)
    person: dict[str, Any] = {}
    if SESSION in request.cookies:
        with contextlib.suppress(QwicketError):
            person = frame(await pages.sign_in(request), request)
    return pages.renderer.page(
        "help",
        scripts=OWN_SCRIPT,
        title="Using this server",
        url=url,
        install=install if install != snippets.HOW_TO_INSTALL else "",
        program=snippets.text("python", url, install=install),
        meanings=_MEANINGS,
        **person,
    )
