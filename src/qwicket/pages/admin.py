"""The pages of administrators.

A section is a list, such as that of accounts; its actions are the buttons and forms of its page
(`admin_types`). The pages call the handlers of `/v1/admin`, which check and execute each request,
and record changes, with the signed-in person as the actor. The overview also reads runners and
limits from the gateway.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections import Counter
from math import isfinite, nan
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import msgspec
from msgspec import structs
from starlette.responses import Response

from qwicket.dialects.native.admin.access import TokenAccess
from qwicket.dialects.native.admin.routes import ROUTES
from qwicket.dialects.requests import Request
from qwicket.dialects.streaming import ChunkedResponse
from qwicket.model.accounts import Scope
from qwicket.model.errors import InvalidRequest, NotFound
from qwicket.model.jobs import runner_name
from qwicket.pages import formats
from qwicket.pages.admin_sections import NO_OR_YES, OWN_SECTIONS
from qwicket.pages.forms import SESSION, Form, check_form, frame
from qwicket.pages.rendering import HEADERS
from qwicket.registrations import of_features

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.types import ASGIApp, Receive, Send
    from starlette.types import Scope as ASGIScope

    from qwicket.dialects.routing import Route
    from qwicket.model.accounts import Actor
    from qwicket.pages.admin_types import Action, Field, Section
    from qwicket.pages.handlers import Handlers

    _Actions = list[tuple[int, Action]]

_ROUTE_BY_HANDLER: Final[dict[str, Route]] = {each.name: each for each in ROUTES}
SECTIONS: Final = {
    # Without the actions of features that were left out.
    name: section._replace(
        page_actions=tuple(
            [each for each in section.page_actions if each.handler in _ROUTE_BY_HANDLER]
        )
    )
    for sections in (OWN_SECTIONS, *of_features("page_sections"))
    for name, section in sections.items()
}
"""All sections, those of features last."""
_ACTIVE: Final = "running,cancelling,uncertain"
_MAX_CELL_CHARS: Final = 200
_MAX_LISTED: Final = 20
"""Items of a list that are shown in one line; a longer list is a table."""
_PAGE_ROWS: Final = 20
_MAX_TEXT_BYTES: Final = 16_000
"""Most bytes of escaped text on one page, for handlers that return all rows at once."""
_CSV_ROWS: Final = 200
"""Rows of each read for a CSV file."""
_MAX_DIGITS: Final = 9
"""Digits of a row's position; with a longer `before` the first page is shown."""
_DAY_S: Final = 86_400
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
"""A time in UTC as the API writes it; cells show it without fractions of a second."""


async def read_overview(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read the live runners and agents, running jobs, and the settings and limits in force.

    Of more than 100 running jobs, only the newest are listed and counted for their runners.
    """
    query = {"state": _ACTIVE, "limit": at_most(pages, 100)}
    running = await call(pages, actor, request, "list_all_jobs", query=query)
    devices = await call(pages, actor, request, "list_all_devices")
    settings = pages.renderer.settings()
    busy = Counter(job["runner"] for job in running["jobs"])
    return pages.renderer.page(
        "admin",
        title="Administration",
        sections=SECTIONS,
        runners=[
            (each, busy[runner_name(each.id)]) for each in await pages.gateway.admin.runners()
        ],
        labs=[each for each in devices["devices"] if each["agents"] is not None],
        jobs=running["jobs"],
        settings=settings,
        backup=_backup_command(dict(settings)),
        limits=_limit_rows(pages.gateway.limits),
        **frame(actor, request),
    )


async def read_section(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read the rows of a section."""
    name, section = _section(request)
    before, filters = read_filters(request)
    rows, following = await _rows(pages, actor, request, section, filters, before)
    return pages.renderer.page(
        "admin-section",
        title=section.title,
        sections=SECTIONS,
        name=name,
        section=section,
        rows=[(row, _cells(section, row), *_actions(section, row)) for row in rows],
        filters=filters,
        starts=_starts(section, filters),
        older=urlencode(filters | {"before": following}) if following else "",
        search=urlencode(filters),
        **frame(actor, request),
    )


async def read_csv(pages: Handlers, actor: Actor, request: Request[None]) -> ASGIApp:
    """Read all rows of a section that the filters select, as CSV."""
    name, section = _section(request)
    filters = read_filters(request)[1]
    limit = _CSV_ROWS if _is_paged(section) else sys.maxsize
    first = await _rows(pages, actor, request, section, filters, "", limit)

    async def lines() -> AsyncGenerator[str, None]:
        yield formats.csv_line(column for column, _ in section.columns)
        rows, following = first
        while True:
            yield "".join(
                formats.csv_line(_csv_value(row.get(column)) for column, _ in section.columns)
                for row in rows
            )
            if not following:
                return
            rows, following = await _rows(
                pages, actor, request, section, filters, str(following), limit
            )

    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}.csv"'}
    media_type = "text/csv; charset=utf-8"
    if request.method == "HEAD":
        return Response(headers=headers, media_type=media_type)

    async def stream(_scope: ASGIScope, _receive: Receive, send: Send) -> None:
        # Starlette's StreamingResponse starts a task group, for which anyio loads 0.5 MB of code.
        head = Response(headers=headers, media_type=media_type).raw_headers
        head = [each for each in head if each[0] != b"content-length"]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        async for text in lines():
            await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return stream


def _csv_value(value: Any) -> Any:
    """Return a value as a whole, unlike `cell`; numbers stay numbers."""
    if isinstance(value, bool | list):
        return cell(value)
    return msgspec.json.encode(value).decode() if isinstance(value, dict) else value


def at_most(pages: Handlers, number: int) -> str:
    """Return the number of rows to ask for, which the limit `list_page` bounds."""
    return str(min(number, pages.gateway.limits.requests.list_page))


async def _rows(
    pages: Handlers,
    actor: Actor,
    request: Request[None],
    section: Section,
    filters: dict[str, str],
    before: str,
    limit: int = _PAGE_ROWS,
) -> tuple[list[dict[str, Any]], Any]:
    """Return a page of a section's rows, and where the next page begins; None on the last page.

    For a handler without pages, `before` is the index of the page's first row.
    """
    path, query = {}, dict(section.query) | _with_times(filters)
    if section.required_filter:
        if section.required_filter not in filters:
            return [], None
        path[section.required_filter] = query.pop(section.required_filter)
    wanted = query.pop("name", "").lower() if section.searched else ""
    if _is_paged(section):
        query |= {"limit": at_most(pages, limit)} | ({"before": before} if before else {})
    found = await call(pages, actor, request, section.handler, path=path, query=query)
    rows = [path | (row if isinstance(row, dict) else {"name": row}) for row in found[section.key]]
    for row in rows:  # `Action.if_column` refers to a state by such a column
        row[f"is_{row.get('state')}"] = True
    if _is_paged(section):
        return rows, found["next"]
    if wanted:
        rows = [row for row in rows if wanted in str(row.get(section.searched)).lower()]
    first = int(before) if before.isdecimal() and len(before) <= _MAX_DIGITS else 0
    end = first + _n_fitting(section, rows[first : first + limit], limit)
    return rows[first:end], end if len(rows) > end else None


def _n_fitting(section: Section, rows: list[dict[str, Any]], limit: int) -> int:
    """Return how many of these rows a page has room for."""
    if limit > _PAGE_ROWS:  # a file
        return limit
    edited = [
        field.column for action in section.row_actions for field in action.fields if field.column
    ]
    left = _MAX_TEXT_BYTES
    for number, row in enumerate(rows):
        texts = [*_cells(section, row), *(str(row.get(column) or "") for column in edited)]
        left -= sum(map(formats.escaped_size, texts))
        if left < 0:
            return max(1, number)
    return limit


def _is_paged(section: Section) -> bool:
    """Return whether the handler returns its rows in pages.

    `_rows` divides the rows of other handlers into pages.
    """
    return "before" in _ROUTE_BY_HANDLER[section.handler].parameters


def read_filters(request: Request[Any]) -> tuple[str, dict[str, str]]:
    """Return where a page begins, and the filters that are set."""
    given = dict(request.query_params)
    before = given.pop("before", "")
    return before, {key: value.strip() for key, value in given.items() if value.strip()}


async def read_any_job(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read a job of any account."""
    path = {"id": request.path_params["id"]}
    job = await call(pages, actor, request, "read_any_job", path=path)
    return pages.renderer.page(
        "admin-job",
        title=f"Job {job['id']}",
        sections=SECTIONS,
        name="jobs",
        account=job["account"],
        rows=[(_label(name), cell(value)) for name, value in job.items()],
        **frame(actor, request),
    )


async def execute_action(pages: Handlers, actor: Actor, request: Request[Form]) -> Response:
    """Execute an action of a section, if necessary after a confirmation; show what it returns."""
    check_form(request, SESSION)
    name, section = _section(request)
    form = request.payload
    action = _action(section, form.get("act", ""))
    filters = urlencode(read_filters(request)[1])
    section_path = f"/admin/{name}{filters and '?'}{filters}"
    values = {
        "sections": SECTIONS,
        "name": name,
        "section_path": section_path,
        **frame(actor, request),
    }
    path = {parameter: form.get(f"path.{parameter}", "") for parameter, _ in action.path}
    body = dict(action.fixed)
    for field in action.fields:
        value: Any = form.get(field.name, "").strip()
        if field.name.startswith("/"):  # "/account" fills the parameter of the path
            path[field.name[1:]] = value
        elif field.choices == NO_OR_YES:
            body[field.name] = value == "yes"
        elif field.is_nullable and not value:
            body[field.name] = None
        elif value or field.column:  # a field with a column is sent even if it is empty
            body[field.name] = _value(field, value)
    if (action.warning or action.is_counted) and form.get("confirmed") != "yes":
        title = f"{action.label} {', '.join(path.values())}".rstrip() + "?"
        if action.is_counted:
            tried = body | {"dry_run": True}
            number = (await call(pages, actor, request, action.handler, body=tried))["number"]
            noun = "job" if number == 1 else "jobs"
            title = f"{body.get('action', action.label)}: {number:,} {noun}?".capitalize()
        return pages.renderer.page(
            "admin-confirm", title=title, action=action, fields=form.items(), **values
        )
    response = await call(
        pages, actor, request, action.handler, path=path, query=dict(action.query), body=body
    )
    if not response or action in section.row_actions:  # the row shows what has changed
        return pages.redirect(section_path)
    single = {key: value for key, value in response.items() if not _is_table(value)}
    tables = [
        [_labelled(each if isinstance(each, dict) else {key: each}) for each in value]
        for key, value in response.items()
        if key not in single
    ]
    return pages.renderer.page(
        "admin-done",
        title=f"Done: {action.label}",
        rows=_labelled(single),
        tables=tables,
        **values,
    )


def _is_table(value: Any) -> bool:
    """Return whether a value is shown as a table: objects, or more items than fit into a line."""
    if not isinstance(value, list) or not value:
        return False
    return isinstance(value[0], dict) or len(value) > _MAX_LISTED


def _labelled(values: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the fields of a response as labels and whole values."""
    return [
        (_label(name), "none" if value is None else _text(value)) for name, value in values.items()
    ]


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _backup_command(settings: dict[str, str]) -> str:
    """Return the command that copies this server's data into one file."""
    url = settings.get("database_url", "none")
    place = ["--database-url", url]
    if url == "none":
        place = ["--data-dir", settings.get("data_dir", "")]
    return shlex.join(["qwicket", "backup", "qwicket.backup", *place])


def _limit_rows(group: msgspec.Struct, prefix: str = "") -> list[tuple[str, Any]]:
    """Return the names and values of limits, with the name of their group as a prefix.

    Groups that a format or dialect declares itself (`Limits.own`) have no name, so their limits
    have no prefix.
    """
    found: list[tuple[str, Any]] = []
    for name, value in structs.asdict(group).items():
        if isinstance(value, msgspec.Struct):
            found += _limit_rows(value, f"{name}.")
        elif isinstance(value, tuple):
            for each in value:
                found += _limit_rows(each)
        else:
            found.append((prefix + name, value))
    return found


def _section(request: Request[Any]) -> tuple[str, Section]:
    name = request.path_params["section"]
    if name not in SECTIONS:
        raise NotFound("There is no such page.")
    return name, SECTIONS[name]


def _action(section: Section, number: str) -> Action:
    """Return the action with this number in its section.

    Raises:
        InvalidRequest: There is none.
    """
    actions = (*section.row_actions, *section.page_actions)
    for index, each in enumerate(actions):
        if number == str(index):
            return each
    raise InvalidRequest("act: there is no such action.", field="act")


def _value(field: Field, text: str) -> Any:
    """Convert the text of a form field to its JSON value.

    Raises:
        InvalidRequest: A number is malformed, or the list of people cannot be read.
    """
    kind = field.kind
    if kind == "list":
        return [item.strip() for item in text.split(",") if item.strip()]
    if kind == "people":
        return _people(text)
    if kind == "time":
        # Browsers send no zone, and leave the seconds out where they are 0.
        return text + {16: ":00Z", 19: "Z", 23: "Z"}.get(len(text), "")
    if kind not in ("number", "days"):
        return text
    try:
        number = float(text) * (_DAY_S if kind == "days" else 1)
    except ValueError:
        number = nan
    if not isfinite(number):  # encoded as null, which may mean "no limit"
        raise InvalidRequest(f"{field.label}: {text[:100]!r} is not a number.", field=field.name)
    return int(number) if number.is_integer() else number


def _people(text: str) -> list[dict[str, str]]:
    """Return the people of lines of CSV, which may begin with the heading `name,email`.

    Raises:
        InvalidRequest: A cell is longer than the reader takes.
    """
    import csv  # late: few requests need it, and the pages need little memory

    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines())]
    except csv.Error:
        detail = f"A cell has more than {csv.field_size_limit():,} characters."
        raise InvalidRequest(detail) from None
    people = [dict(zip(("name", "email"), row, strict=False)) for row in rows if any(row)]
    if people and people[0] == {"name": "name", "email": "email"}:
        people = people[1:]
    return [{name: value for name, value in person.items() if value} for person in people]


def _with_times(filters: dict[str, str]) -> dict[str, str]:
    """Return the filters of a list as its handler takes them: days become times."""
    days = (("created_from", "00:00:00.000"), ("created_to", "23:59:59.999"))
    times = {
        name: f"{filters[name]}T{clock}Z"
        for name, clock in days
        if len(filters.get(name, "")) == len("2026-01-31")
    }
    return filters | times


def _starts(section: Section, filters: dict[str, str]) -> dict[str, str]:
    """Return the initial values of the forms below a list, taken from its filters."""
    # A searched list has the filter `name` alone, and its forms are not about what was found.
    found = {} if section.searched else _with_times(filters)
    return {
        field.name: found.get(field.column or field.name.removeprefix("/"), "").removesuffix("Z")
        for action in section.page_actions
        for field in action.fields
    }


def _actions(section: Section, row: dict[str, Any]) -> tuple[_Actions, _Actions]:
    """Return a row's actions with their numbers: those without fields, then those with fields."""
    without_fields: _Actions = []
    with_fields: _Actions = []
    for number, each in enumerate(section.row_actions):
        column = each.if_column.removeprefix("!")
        is_shown = not column or bool(row.get(column)) != each.if_column.startswith("!")
        if is_shown:
            (with_fields if each.fields else without_fields).append((number, each))
    return without_fields, with_fields


def _cells(section: Section, row: dict[str, Any]) -> list[str]:
    return [cell(row.get(column)) for column, _ in section.columns]


def cell(value: Any) -> str:
    text = _text(value)
    if isinstance(value, list) or len(text) <= _MAX_CELL_CHARS:
        return text
    return text[:_MAX_CELL_CHARS] + "…"


def _text(value: Any) -> str:
    """Return a value as people read it; times without fractions of a second."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    text = msgspec.json.encode(value).decode() if isinstance(value, dict) else str(value)
    if _TIME.fullmatch(text):
        return f"{text[:10]} {text[11:19]}"
    return text


async def call(
    pages: Handlers,
    actor: Actor,
    request: Request[Any],
    handler: str,
    *,
    path: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    body: dict[str, Any] | None = None,
) -> Any:
    """Call a handler as `respond` does; return its decoded response, or None without a body."""
    response = await respond(pages, actor, request, handler, path=path, query=query, body=body)
    if isinstance(response, ChunkedResponse):
        content = response.content
    else:
        content = bytes(response.body) if isinstance(response, Response) else b""
    return msgspec.json.decode(content) if content else None


async def respond(
    pages: Handlers,
    actor: Actor,
    request: Request[Any],
    handler: str,
    *,
    path: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    body: dict[str, Any] | None = None,
) -> ASGIApp:
    """Call a handler of `/v1/admin` as its route would; return its response.

    Raises:
        Forbidden: The sign-in lacks the scope `admin`.
        QwicketError: As from the route.
    """
    actor.require(Scope.ADMIN)
    route, gateway = _ROUTE_BY_HANDLER[handler], pages.gateway
    scope = {
        **request.scope,
        "path_params": path or {},
        "query_string": urlencode(query or {}).encode(),
    }
    inner: Request[Any] = Request(scope, request.receive)
    if route.body is not None:
        inner.payload = route.body.parse(msgspec.json.encode(body or {}), gateway.limits)
    # Only the services of `TokenAccess` are used: the page has signed in.
    return await route.handler(TokenAccess(gateway), actor, inner)
