"""The routes of administrators' pages. Their handlers are imported with the first request."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from qwicket.dialects.routing import Route
from qwicket.model.accounts import Scope
from qwicket.pages.forms import FORM_BODY, Form

if TYPE_CHECKING:
    from starlette.responses import Response

    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor
    from qwicket.pages.handlers import Handlers

_PAGES: Final = "qwicket.pages.admin"
_FILTERS: Final = (
    "account",
    "project",
    "device",
    "state",
    "tag",
    "name",
    "from",
    "to",
    "by",
    "before",
    "dialect",
    "created_from",
    "created_to",
)


def routes(made: Handlers) -> tuple[Route, ...]:
    """Return the routes of administrators' pages."""
    admin, back = Scope.ADMIN, made.to_sign_in
    return (
        Route("GET", "/admin", read_overview, admin, on_error=back),
        Route("GET", "/admin/jobs/{id}", read_any_job, admin, on_error=back),
        Route("GET", "/admin/{section}", read_section, admin, query=_FILTERS, on_error=back),
        Route("POST", "/admin/{section}", execute_action, admin, FORM_BODY, query=_FILTERS),
    )


async def read_overview(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read the live runners and agents, the running jobs, and the settings and limits in force."""
    return await _call("read_overview", pages, actor, request)


async def read_section(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read the rows of a section."""
    return await _call("read_section", pages, actor, request)


async def read_any_job(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read a job of any account."""
    return await _call("read_any_job", pages, actor, request)


async def execute_action(pages: Handlers, actor: Actor, request: Request[Form]) -> Response:
    """Execute an action of a section."""
    return await _call("execute_action", pages, actor, request)


async def _call(name: str, pages: Handlers, actor: Actor, request: Request[Any]) -> Response:
    module = await asyncio.to_thread(import_module, _PAGES)
    response: Response = await getattr(module, name)(pages, actor, request)
    return response
