"""The routes of administrators' pages.

A section is a list, such as that of accounts (`admin_sections`); its actions are the buttons and
forms of its page. The functions here pass requests to those of the same names in `admin`, which is
imported with the first request.
"""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from qwicket.dialects.routing import Route
from qwicket.model.accounts import Scope
from qwicket.pages.forms import FORM_BODY, Form

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor
    from qwicket.pages.handlers import Handlers

_HANDLERS_MODULE: Final = "qwicket.pages.admin"
# Filters of all sections, and `before`, where a page of rows begins. `from`, `to` and `by` (how to
# group) are filters of usage alone, `created_…` of jobs alone.
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


def routes(handlers: Handlers) -> tuple[Route, ...]:
    """Return the routes of administrators' pages."""
    admin, back = Scope.ADMIN, handlers.to_sign_in
    return (
        Route("GET", "/admin", read_overview, admin, on_error=back),
        Route("GET", "/admin/jobs/{id}", read_any_job, admin, on_error=back),
        Route("GET", "/admin/{section}.csv", read_csv, admin, parameters=_FILTERS, on_error=back),
        Route("GET", "/admin/{section}", read_section, admin, parameters=_FILTERS, on_error=back),
        Route("POST", "/admin/{section}", execute_action, admin, FORM_BODY, parameters=_FILTERS),
    )


async def read_overview(pages: Handlers, actor: Actor, request: Request[None]) -> ASGIApp:
    """Read the live runners and agents, the newest running jobs, settings and limits."""
    return await _call("read_overview", pages, actor, request)


async def read_section(pages: Handlers, actor: Actor, request: Request[None]) -> ASGIApp:
    """Read a page of rows of a section."""
    return await _call("read_section", pages, actor, request)


async def read_csv(pages: Handlers, actor: Actor, request: Request[None]) -> ASGIApp:
    """Read all rows of a section that the filters select, as CSV."""
    return await _call("read_csv", pages, actor, request)


async def read_any_job(pages: Handlers, actor: Actor, request: Request[None]) -> ASGIApp:
    """Read a job of any account."""
    return await _call("read_any_job", pages, actor, request)


async def execute_action(pages: Handlers, actor: Actor, request: Request[Form]) -> ASGIApp:
    """Execute an action of a section."""
    return await _call("execute_action", pages, actor, request)


async def _call(name: str, pages: Handlers, actor: Actor, request: Request[Any]) -> ASGIApp:
    module = await asyncio.to_thread(import_module, _HANDLERS_MODULE)
    response: ASGIApp = await getattr(module, name)(pages, actor, request)
    return response
