"""The page of one's own account: tokens, sessions, password, and preferences."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from qwicket.dialects.routing import ANY_TOKEN, Route
from qwicket.gateway.sessions import own_scopes, time_zones
from qwicket.model.accounts import DEFAULT_SCOPES, Preferences, Scope
from qwicket.model.bounds import USUAL, bounds_of, credits_of
from qwicket.model.budgets import MAX_STORED, MICRO
from qwicket.model.errors import InvalidRequest
from qwicket.pages.forms import FORM_BODY, SESSION, Form, check_form, frame, list_page
from qwicket.pages.rendering import OWN_SCRIPT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from qwicket.dialects.requests import Request
    from qwicket.gateway.tokens import NewToken
    from qwicket.model.accounts import Actor, Token
    from qwicket.model.bounds import Bounds
    from qwicket.model.errors import QwicketError
    from qwicket.pages.handlers import Handlers
    from qwicket.store.sessions import Session

RIGHTS: Final[Mapping[Scope, str]] = {
    Scope.JOBS_READ: "read jobs",
    Scope.JOBS_WRITE: "submit and cancel jobs",
    Scope.DEVICES_READ: "read devices",
    Scope.DEVICES_SERVE: "serve devices",
    Scope.COMPUTE_SERVE: "run the jobs of others",
    Scope.TOKENS_WRITE: "make tokens",
    Scope.ADMIN: "administer the server",
}
"""What a token with a scope can do, in words."""
_DONE: Final[Mapping[str, str]] = {
    "password": "Your password is changed. Your other sessions have ended; your tokens are valid.",
    "sessions": "Your other sessions have ended.",
    "tokens": "All your tokens are revoked.",
    "preferences": "Your preferences are saved.",
}
"""What the page says after an action, by the parameter `done` of its address."""
_BROWSERS: Final = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
"""Marks in a User-Agent and what they stand for; the first that occurs counts, because browsers
also name those that they resemble."""
_LIVES: Final = (("30", "in 30 days"), ("90", "in 90 days"), ("365", "in a year"), ("", "never"))
_BOUNDS: Final = (
    ("daily_shots", "Shots a day", USUAL.daily_shots),
    ("daily_cost", "Credits a day", credits_of(USUAL.daily_cost)),
    ("ask_above_shots", "Ask me first above shots a job", USUAL.ask_above_shots),
    ("ask_above_cost", "Ask me first above credits a job", credits_of(USUAL.ask_above_cost)),
)
"""Bounds of a new token: their fields, what these say, and what suits an assistant."""
_MAX_BOUND_CHARS: Final = 20
_MAX_DAYS: Final = 36_600
"""Longest life of a token, as in the gateway."""
_DAY_S: Final = 86_400
_PAGE_TOKENS: Final = 25
_MAX_DEVICES: Final = 46
"""Devices that a new token can be restricted to, of those that the page offers."""


class _TokenRow(NamedTuple):
    """A token as the page shows it."""

    token: Token
    project: str
    rights: str


class _SessionRow(NamedTuple):
    """A session as the page shows it."""

    session: Session
    browser: str
    is_this: bool


def routes(handlers: Handlers) -> tuple[Route, ...]:
    """Return the routes of the account's page and its forms."""
    read = Route(
        "GET",
        "/account",
        read_account,
        ANY_TOKEN,
        parameters=("from", "done"),
        on_error=handlers.to_sign_in,
    )
    forms = (
        ("/tokens", make_token),
        ("/tokens/{id}/revoke", revoke_token),
        ("/account/revoke-tokens", revoke_all_tokens),
        ("/account/password", change_password),
        ("/account/sessions/{id}/end", end_session),
        ("/account/end-sessions", end_other_sessions),
        ("/account/preferences", set_preferences),
    )
    return read, *(Route("POST", path, do, ANY_TOKEN, FORM_BODY) for path, do in forms)


async def read_account(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read the account that is signed in, with its tokens and sessions."""
    return await _page(pages, actor, request, done=request.query_params.get("done", ""))


async def make_token(pages: Handlers, actor: Actor, request: Request[Form]) -> Response:
    """Make a token, and show it once."""
    check_form(request, SESSION)
    form = request.payload
    created = await pages.gateway.sessions.create_token(
        actor,
        scopes=form.all("scope"),
        project=form.get("project") or None,
        devices=form.all("device"),
        life_s=_life_s(form.get("days", "")),
        aws=form.get("aws") == "yes",
        name=form.get("name"),
        bounds=_bounds(form),
    )
    return pages.renderer.page(
        "new-token",
        title="New key pair" if created.aws_key_id else "New token",
        new=created,
        variables=_variables(created),
        programs=await _programs(pages, request.server_url, created),
        url=request.server_url,
        scripts=OWN_SCRIPT,
        **frame(actor, request),
    )


async def revoke_token(pages: Handlers, actor: Actor, request: Request[Form]) -> Response:
    """Revoke a token."""
    check_form(request, SESSION)
    await pages.gateway.sessions.revoke_token(actor, request.path_params["id"])
    return pages.redirect("/account")


async def revoke_all_tokens(pages: Handlers, actor: Actor, request: Request[Form]) -> Response:
    """Revoke all tokens of the account."""
    check_form(request, SESSION)
    await pages.gateway.sessions.revoke_all_tokens(actor)
    return pages.redirect("/account?done=tokens")


async def change_password(pages: Handlers, actor: Actor, request: Request[Form]) -> Response:
    """Change the password; the account's other sessions end."""
    check_form(request, SESSION)
    form, address = request.payload, request.client_address
    old, new = form.get("old", ""), form.get("new", "")
    try:
        await pages.gateway.sessions.change_password(
            actor, old, new, address, request.cookies[SESSION]
        )
    except InvalidRequest as error:
        return await _page(pages, actor, request, error)
    return pages.redirect("/account?done=password")


async def end_session(pages: Handlers, actor: Actor, request: Request[Form]) -> Response:
    """End another session of the account."""
    check_form(request, SESSION)
    await pages.gateway.sessions.end_one(actor, request.path_params["id"])
    return pages.redirect("/account")


async def end_other_sessions(pages: Handlers, actor: Actor, request: Request[Form]) -> Response:
    """End all sessions of the account but this one."""
    check_form(request, SESSION)
    await pages.gateway.sessions.end_others(actor, request.cookies[SESSION])
    return pages.redirect("/account?done=sessions")


async def set_preferences(pages: Handlers, actor: Actor, request: Request[Form]) -> Response:
    """Set the time zone and the theme of the pages."""
    check_form(request, SESSION)
    form = request.payload
    themes: dict[str, Any] = {"light": "light", "dark": "dark"}
    wanted = Preferences(themes.get(form.get("theme", "")), form.get("time_zone") or None)
    try:
        await pages.gateway.sessions.set_preferences(actor, wanted)
    except InvalidRequest as error:
        return await _page(pages, actor, request, error, wanted=wanted)
    response = pages.redirect("/account?done=preferences")
    life_s = pages.gateway.sessions.session_s
    pages.cookies.set_theme(request, response, wanted.theme, life_s)
    return response


async def _page(
    pages: Handlers,
    actor: Actor,
    request: Request[Any],
    error: QwicketError | None = None,
    done: str = "",
    wanted: Preferences | None = None,
) -> Response:
    gateway = pages.gateway
    projects = {each.id: each.name for each in await gateway.accounts.projects(actor)}
    valid = await gateway.tokens.valid_tokens(actor)
    tokens = list_page(request, valid[::-1], _PAGE_TOKENS)
    rows = [_TokenRow(t, projects.get(t.project, ""), rights(t.scopes)) for t in tokens.rows]
    this = gateway.sessions.id_of(request.cookies[SESSION])
    sessions = [
        _SessionRow(each, browser_name(each.agent), each.id == this)
        for each in await gateway.sessions.all(actor)
    ]
    devices = await gateway.devices.offered("native")
    return pages.renderer.page(
        "account",
        200 if error is None else error.status,
        title="Account",
        account=await gateway.accounts.of(actor),
        projects=list(projects.values()),
        tokens=rows,
        n_tokens=len(valid),
        older=tokens.following,
        rights={scope: RIGHTS[scope] for scope in own_scopes(actor.role)},
        usual=DEFAULT_SCOPES,
        lives=_LIVES,
        bounds=_BOUNDS,
        devices=[each.name for each in devices[:_MAX_DEVICES]],
        sessions=sessions,
        passwords=gateway.sign_in.are_passwords_on,
        has_password=await gateway.sessions.has_password(actor),
        preferences=wanted or actor.preferences,
        time_zones=sorted(time_zones()),
        error=error,
        done=_DONE.get(done, ""),
        offers_revoking=done == "password" and bool(rows),
        **frame(actor, request),
    )


def rights(scopes: Iterable[Scope]) -> str:
    """Return what a token with these scopes can do, in words."""
    given, usual = set(scopes), set(DEFAULT_SCOPES)
    if not usual <= given:
        return ", ".join([RIGHTS[each] for each in Scope if each in given])
    others = [RIGHTS[each] for each in Scope if each in given - usual]
    return ", ".join(["read and submit jobs", *others])


def browser_name(agent: str | None) -> str:
    """Return the name of a browser and its system from its User-Agent, as far as they are known."""
    if not agent:
        return "A browser"
    browser = next((name for mark, name in _BROWSERS if mark in agent), agent[:40])
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    return f"{browser} on {system}" if system else browser


def _variables(new: NewToken) -> dict[str, str]:
    from qwicket import snippets  # late: few requests need them

    return snippets.variables(new.secret, new.aws_key_id or "")


async def _programs(pages: Handlers, url: str, new: NewToken) -> list[tuple[str, str]]:
    """Return programs with the new token, or key pair, one for each client that can use it."""
    from qwicket import snippets  # late: few requests need them

    key_id, install = new.aws_key_id or "", await pages.how_to_install(url)
    return [
        (snippet.client, snippets.text(name, url, new.secret, key_id, install=install))
        for name, snippet in snippets.SNIPPETS.items()
        if snippet.needs_pair is bool(key_id)
        and pages.offers(snippet.dialect)
        and snippet.runs_in != "host"
    ]


def _bounds(form: Form) -> Bounds | None:
    """Return the bounds of a new token; None if no field is filled."""
    given = {name: form.get(name, "").strip() for name, _, _ in _BOUNDS}
    found = {name: _bound(name, text) for name, text in given.items() if text}
    return bounds_of(**found) if found else None


def _bound(name: str, text: str) -> Any:
    is_shots = name.endswith("shots")
    maximum = MAX_STORED if is_shots else MAX_STORED // MICRO
    try:
        bound = int(text) if is_shots else float(text)
    except ValueError:
        bound = -1
    if not (len(text) <= _MAX_BOUND_CHARS and 0 <= bound <= maximum):
        kind = "whole number" if is_shots else "number"
        raise InvalidRequest(
            f"{name} must be a {kind} from 0 to {maximum:,}; not {text[:100]!r}.", field=name
        )
    return bound


def _life_s(days: str) -> int | None:
    if not days:
        return None
    is_number = days.isascii() and days.isdigit() and len(days) <= len(str(_MAX_DAYS))
    if not (is_number and 1 <= int(days) <= _MAX_DAYS):
        raise InvalidRequest(f"days must be a whole number from 1 to {_MAX_DAYS}.", field="days")
    return int(days) * _DAY_S
