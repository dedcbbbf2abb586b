"""The page on which a lead of a project controls its members, jobs, budgets and invitations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from qwicket.model.accounts import project_name
from qwicket.pages.admin import cards, submit
from qwicket.pages.admin_choices import member_choices
from qwicket.pages.admin_view import View
from qwicket.pages.forms import SESSION, Form, check_form, list_page

if TYPE_CHECKING:
    from starlette.responses import Response

    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor
    from qwicket.pages.handlers import Handlers

_DAYS: Final = 30
"""Days whose use the page shows."""
_PAGE_ROWS: Final = 40


async def read_lead(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read a project that the person leads: use per person, members, budgets and invitations."""
    return await _page(View(pages, actor, request))


async def change_lead(pages: Handlers, actor: Actor, request: Request[Form]) -> Response:
    """Send what a form of the page asks for; each route checks who leads the project."""
    check_form(request, SESSION)
    return await submit(View(pages, actor, request), _page)


async def _page(view: View) -> Response:
    admin = view.gateway.admin
    project = await admin.led_project(view.actor, project_name(view.request.path_params["name"]))
    assert project is not None  # as the path names one
    members = await admin.members(project.name)
    today = datetime.fromtimestamp(view.gateway.now_ms() / 1000, UTC).date()
    first = today - timedelta(days=_DAYS - 1)
    used: list[Any] = await admin.usage.usage(first, None, ("account",), project)
    used.sort(key=lambda each: -each.use.seconds)
    return view.render(
        "lead",
        f"Lead {project.name}",
        project=project,
        members=list_page(view.request, members, _PAGE_ROWS),
        n_members=len(members),
        member_names=member_choices([each.name for each in members]),
        used=list_page(view.request, used, _PAGE_ROWS, "used_from"),
        n_days=_DAYS,
        is_member=view.actor.account_name in {each.name for each in members},
        below=list_page(
            view.request, await admin.projects_below(project), _PAGE_ROWS, "below_from"
        ),
        **await cards(view, "lead", project.name),
    )
