"""Administrators' pages of people: the list, one person, and the import of a class list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from qwicket.model.accounts import ADMIN_SCOPES, DEFAULT_SCOPES, Scope
from qwicket.model.errors import NotFound
from qwicket.model.limits import INT64_MAX
from qwicket.pages import admin_sentences
from qwicket.pages.account import RIGHTS, browser_name, rights
from qwicket.pages.admin import at_most, cards
from qwicket.pages.admin_choices import device_choices, project_choices
from qwicket.pages.forms import list_page

if TYPE_CHECKING:
    from starlette.responses import Response

    from qwicket.pages.admin_view import View
    from qwicket.store.accounts import Listed

WHICH: Final = {
    "": "Everyone",
    "admins": "Administrators",
    "disabled": "Disabled",
    "deleted": "Deleted, can be restored",
}
"""Choices of the list of people."""
ROLES: Final = {"member": "Member", "admin": "Administrator"}
LIVES: Final = {"30": "in 30 days", "90": "in 90 days", "365": "in a year", "": "never"}
"""Lives of new tokens in days."""
_PAGE_PEOPLE: Final = 40
_PAGE_TOKENS: Final = 10
_SHOWN_PROJECTS: Final = 20
_SHOWN_ACTS: Final = 10
_NEWEST_JOBS: Final = 5


async def read(view: View, name: str) -> Response:
    """Read the list of people, or one person."""
    return await (_read_person(view, name) if name else _read_people(view))


async def _read_people(view: View) -> Response:
    which = view.query("which") if view.query("which") in WHICH else ""
    limit = at_most(view.pages, _PAGE_PEOPLE)
    found = await view.gateway.admin.people(
        after=view.query("after"),
        part=view.query("q"),
        which=cast("Listed", which),
        limit=limit,
    )
    older = view.address(after=found[-1].account.name) if len(found) == limit else ""
    return view.render(
        "admin-people",
        "Administration",
        "people",
        people=found,
        which=which,
        choices=WHICH,
        roles=ROLES,
        adds=view.query("show") == "add" or view.error is not None,
        first=view.address(after=None) if view.query("after") else "",
        older=older,
        passwords=view.gateway.sign_in.are_passwords_on,
        **await cards(view, "people"),
    )


async def read_import(view: View, _name: str) -> Response:
    """Read the form that adds the people of a class list."""
    return view.render(
        "admin-import",
        "Import a class list",
        "people",
        projects=await project_choices(view),
    )


async def _read_person(view: View, name: str) -> Response:
    admin = view.gateway.admin
    try:
        account = await admin.account(name)
    except NotFound:
        account = await admin.deleted_account(name)
    jobs, unfinished = await admin.jobs_of(account.id, _NEWEST_JOBS)
    tokens, sessions = await admin.store.accounts.tokens(account.id), await admin.sessions(account)
    # Those that sign in first, the newest first.
    tokens = sorted(tokens, key=lambda each: (each.revoked_at is not None, -each.created_at))
    used = [each.used_at for each in tokens] + [each.used_at for each in sessions]
    projects = await admin.projects_of(account)
    acts, more_acts = await admin.find_acts(INT64_MAX, about=account.name, limit=_SHOWN_ACTS)
    return view.render(
        "admin-person",
        account.name,
        "people",
        account=account,
        is_own=account.id == view.actor.account,
        passwords=view.gateway.sign_in.are_passwords_on,
        seen_at=max(filter(None, used), default=None),
        jobs=jobs,
        n_unfinished=sum(unfinished.values()),
        tokens=list_page(view.request, tokens, _PAGE_TOKENS),
        n_tokens=sum(each.revoked_at is None for each in tokens),
        project_names={each.id: each.name for each in projects},
        rights=rights,
        scopes=_offered(account.role),
        default_scopes=DEFAULT_SCOPES,
        lives=LIVES,
        devices=await device_choices(view),
        roles=ROLES,
        projects=projects[:_SHOWN_PROJECTS],
        n_projects=len(projects),
        choices=await project_choices(view, {each.name for each in projects}),
        sessions=[(each, browser_name(each.agent)) for each in sessions],
        acts=[admin_sentences.sentence(each, view.pages.base, view.zone) for each in acts],
        has_more_acts=more_acts is not None,
        **await cards(view, "person", account.name),
    )


def _offered(role: str) -> dict[str, str]:
    """Return the rights that a token of such an account may have, in words."""
    left_out = ADMIN_SCOPES if role != "admin" else frozenset[Scope]()
    return {scope: text for scope, text in RIGHTS.items() if scope not in left_out}
