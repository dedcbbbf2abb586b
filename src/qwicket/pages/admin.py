"""The pages of administrators.

They call the handlers of `/v1/admin`, which check, record and do what is asked, with the person who
is signed in as their actor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import msgspec
from starlette.responses import Response

from qwicket.dialects.native.admin.access import TokenAccess
from qwicket.dialects.native.admin.routes import ROUTES
from qwicket.dialects.requests import Request
from qwicket.model.accounts import Scope
from qwicket.model.errors import InvalidRequest, NotFound
from qwicket.pages.admin_sections import SECTIONS
from qwicket.pages.forms import SESSION, Form, check_form, csrf

if TYPE_CHECKING:
    from qwicket.dialects.routing import Route
    from qwicket.model.accounts import Actor
    from qwicket.pages.admin_sections import Action, Section
    from qwicket.pages.handlers import Handlers

_BY_HANDLER: Final[dict[str, Route]] = {each.name: each for each in ROUTES}
_ACTIVE: Final = "running,cancelling,uncertain"
_MAX_CELL_CHARS: Final = 200


async def read_overview(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read who is alive, what runs where, and the limits in force."""
    running = await _call(pages, actor, request, "list_all_jobs", query={"state": _ACTIVE})
    return pages.renderer.page(
        "admin",
        title="Administration",
        sections=SECTIONS,
        runners=await pages.gateway.admin.runners(),
        jobs=running["jobs"],
        limits=_flat(msgspec.to_builtins(pages.gateway.limits)),
        csrf=csrf(request.cookies[SESSION]),
    )


async def read_section(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read the rows of a section."""
    name, section = _section(request)
    given = dict(request.query_params)
    before = given.pop("before", "")
    filters = {key: value.strip() for key, value in given.items() if value.strip()}
    query = filters | ({"before": before} if before else {})
    found = await _call(pages, actor, request, section.handler, query=query)
    following = found.get("next")
    return pages.renderer.page(
        "admin-section",
        title=section.title,
        sections=SECTIONS,
        name=name,
        section=section,
        rows=[(row, _cells(section, row), _actions(section, row)) for row in found[section.key]],
        filters=filters,
        older=urlencode(filters | {"before": following}) if following else "",
        csrf=csrf(request.cookies[SESSION]),
    )


async def act(pages: Handlers, actor: Actor, request: Request[Form]) -> Response:
    """Do an action of a section, and show what it returns."""
    check_form(request, SESSION)
    name, section = _section(request)
    form = request.payload
    action = _action(section, form.get("act", ""))
    path = {parameter: form.get(f"path.{parameter}", "") for parameter, _ in action.path}
    body = dict(action.fixed)
    for field in action.fields:
        value: Any = form.get(field.name, "").strip()
        if field.name.startswith("/"):
            path[field.name[1:]] = value
        elif value or field.column:
            body[field.name] = _value(field.kind, value)
    answer = await _call(
        pages, actor, request, action.handler, path=path, query=dict(action.query), body=body
    )
    if not answer:
        return pages.redirect(f"/admin/{name}")
    return pages.renderer.page(
        "admin-done",
        title=f"Done: {action.label}",
        sections=SECTIONS,
        name=name,
        answer=msgspec.json.format(msgspec.json.encode(answer), indent=2).decode(),
        csrf=csrf(request.cookies[SESSION]),
    )


def _flat(values: dict[str, Any], begin: str = "") -> list[tuple[str, Any]]:
    """Return the names and values of limits, those of groups with the group's name before."""
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        found += _flat(value, f"{name}.") if isinstance(value, dict) else [(begin + name, value)]
    return found


def _section(request: Request[Any]) -> tuple[str, Section]:
    name = request.path_params["section"]
    if name not in SECTIONS:
        raise NotFound("There is no such page.")
    return name, SECTIONS[name]


def _action(section: Section, number: str) -> Action:
    """Return an action by its place in its section.

    Raises:
        InvalidRequest: There is none.
    """
    actions = (*section.of_row, *section.of_page)
    for place, each in enumerate(actions):
        if number == str(place):
            return each
    raise InvalidRequest("act: there is no such action.", field="act")


def _value(kind: str, text: str) -> Any:
    """Return a value of a form as JSON has it.

    Raises:
        InvalidRequest: It is not a number.
    """
    if kind == "list":
        return [item.strip() for item in text.split(",") if item.strip()]
    if kind == "time":
        # Browsers leave the seconds out where they are 0.
        return {16: f"{text}:00Z", 19: f"{text}Z"}.get(len(text), text)
    if kind != "number":
        return text
    try:
        number = float(text)
        return int(number) if number.is_integer() else number
    except (ValueError, OverflowError):
        raise InvalidRequest(f"{text[:100]!r} is not a number.") from None


def _actions(section: Section, row: dict[str, Any]) -> list[tuple[int, Action]]:
    """Return the actions that a row has, with their places."""
    found = []
    for number, each in enumerate(section.of_row):
        column = each.if_column.removeprefix("!")
        has_value = bool(row.get(column)) != each.if_column.startswith("!")
        if not column or has_value:
            found.append((number, each))
    return found


def _cells(section: Section, row: dict[str, Any]) -> list[str]:
    return [_cell(row.get(column)) for column, _ in section.columns]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    text = msgspec.json.encode(value).decode() if isinstance(value, dict) else str(value)
    return text if len(text) <= _MAX_CELL_CHARS else text[:_MAX_CELL_CHARS] + "…"


async def _call(
    pages: Handlers,
    actor: Actor,
    request: Request[Any],
    handler: str,
    *,
    path: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    body: dict[str, Any] | None = None,
) -> Any:
    """Call a handler of `/v1/admin` as its route would; return what it answers, or None.

    Raises:
        Forbidden: The account is not an administrator's.
        QwicketError: As from the route.
    """
    actor.require(Scope.ADMIN)
    route, gateway = _BY_HANDLER[handler], pages.gateway
    scope = {
        **request.scope,
        "path_params": path or {},
        "query_string": urlencode(query or {}).encode(),
    }
    inner: Request[Any] = Request(scope, request.receive)
    if route.body is not None:
        inner.payload = route.body.parse(msgspec.json.encode(body or {}), gateway.limits)
    response = await route.handler(TokenAccess(gateway), actor, inner)
    content = bytes(response.body) if isinstance(response, Response) else b""
    return msgspec.json.decode(content) if content else None
