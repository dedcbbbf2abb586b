"""The pages of administrators: their overview, forms and files, and requests to `/v1/admin`.

A page is a function of a `View` and the name of its object. Forms call the handlers of `/v1/admin`,
which check and execute each request, and record changes, with the signed-in person as the actor.
"""

from __future__ import annotations

import asyncio
import shlex
from collections import Counter
from datetime import datetime
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Final, get_args, get_type_hints
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from msgspec import structs
from starlette.responses import RedirectResponse, Response

from qwicket.dialects.native.admin.access import TokenAccess
from qwicket.dialects.native.admin.routes import ROUTES
from qwicket.dialects.requests import Request
from qwicket.dialects.streaming import ChunkedResponse
from qwicket.gateway import overview
from qwicket.gateway.job_admin import MAX_COUNTED
from qwicket.model.accounts import Scope, project_address
from qwicket.model.budgets import DAY_MS
from qwicket.model.errors import InvalidRequest, NotFound, QwicketError, Unauthenticated
from qwicket.model.jobs import JobQuery, runner_name
from qwicket.model.states import JobState
from qwicket.pages import formats
from qwicket.pages.admin_acts import ALL_ACTS, body_of
from qwicket.pages.admin_parts import Concern
from qwicket.pages.admin_view import View
from qwicket.pages.forms import SESSION, Form, check_form
from qwicket.pages.rendering import HEADERS, OWN_SCRIPT
from qwicket.registrations import of_features

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence

    from starlette.types import ASGIApp, Receive, Send
    from starlette.types import Scope as ASGIScope

    from qwicket.dialects.routing import Route
    from qwicket.gateway.overview import OverviewState
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Runner
    from qwicket.pages.admin_parts import Act, Part
    from qwicket.pages.handlers import Handlers

_PARTS: Final[tuple[Part, ...]] = of_features("admin_pages")
_ROUTE_BY_HANDLER: Final[dict[str, Route]] = {each.name: each for each in ROUTES}
PAGES: Final = {
    "people": "qwicket.pages.admin_people:read",
    "import": "qwicket.pages.admin_people:read_import",
    "projects": "qwicket.pages.admin_projects:read",
    "devices": "qwicket.pages.admin_devices:read",
    "activity": "qwicket.pages.admin_activity:read",
    "usage": "qwicket.pages.admin_activity:read_usage",
    "refusals": "qwicket.pages.admin_activity:read_refusals",
    "jobs": "qwicket.pages.admin_jobs:read",
    **{name: page for part in _PARTS for name, page in part.pages.items()},
}
"""Functions of the pages, of the core and of features, by the first part of their address."""
FILES: Final = {
    "people": "list_accounts",
    "tokens": "list_tokens_of",
    "projects": "list_all_projects",
    "members": "list_members",
    "devices": "list_all_devices",
    "providers": "list_providers",
    "jobs": "list_all_jobs",
    "usage": "read_usage",
    "activity": "list_acts",
    "refusals": "list_refusals",
    **{name: handler for part in _PARTS for name, handler in part.files.items()},
}
"""Handlers of the lists that can be downloaded as CSV."""
_MOVED: Final = {
    "accounts": "people",
    "deleted": "people?which=deleted",
    "tokens": "people/{account}",
    "members": "projects/{project}",
    "providers": "devices",
    "audit": "activity",
    **{name: page for part in _PARTS for name, page in part.moved.items()},
}
"""Present addresses of pages by their former names; braces take parameters of the query."""
_RUNNING: Final = (JobState.RUNNING, JobState.CANCELLING, JobState.UNCERTAIN)
_SHOWN: Final = 10
"""Jobs, devices and servers that the overview shows of each."""
_LOW_DISK: Final = 0.1
"""Part of a disk that needs attention when it is left."""
_OLD_BACKUP_MS: Final = 8 * DAY_MS
"""Age of a backup that needs attention; weekly backups are younger."""
_MAX_LISTED: Final = 20
"""Items of a list that are shown in one line; a longer list is a table."""
_SHOWN_CHANGES: Final = 200
"""Changes of an import that its question shows."""
_CSV_ROWS: Final = 200
"""Rows of each read for a CSV file."""


async def read_overview(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read the numbers of jobs, servers and agents, what needs attention, and what runs."""
    view, admin = View(pages, actor, request), pages.gateway.admin
    now = datetime.fromtimestamp(pages.gateway.now_ms() / 1000, view.zone)
    midnight = int(1000 * now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp())
    unfinished, ended = await admin.unfinished(), await admin.ended_since(midnight)
    runners, devices = await admin.runners(), await admin.devices()
    labs = [(device, presence) for device, _, presence in devices if presence is not None]
    away = [device.name for device, presence in labs if not presence.agents]
    waiting = unfinished.get(JobState.QUEUED, (0, 0))
    hours: Counter[int] = Counter()
    for (_, hour), number in ended.items():
        hours[hour] += number
    state = await overview.read(admin.store, admin.now_ms, pages.gateway.cluster)
    running = await admin.jobs(actor, JobQuery(states=_RUNNING, limit=at_most(pages, _SHOWN)))
    settings = pages.renderer.settings()
    servers = [each for each in runners if each.kind == "server" and each.device is None]
    return view.render(
        "admin",
        "Administration",
        "",
        n_waiting=waiting[0],
        oldest=waiting[1],
        n_running=sum(unfinished.get(each, (0, 0))[0] for each in _RUNNING),
        n_slots=sum(each.slots for each in runners if each.kind != "scaler"),
        n_ended=sum(hours.values()),
        n_failed=sum(n for (state, _), n in ended.items() if state == JobState.FAILED),
        max_counted=MAX_COUNTED - 1,
        hours=[hours[hour] for hour in range(now.hour + 1)],
        n_servers=len(servers),
        runners=runners,
        labs=labs,
        n_away=len(away),
        state=state,
        concerns=[
            *_of_installation(state),
            *_without_workers(runners, waiting[0]),
            *await _concerns(view, away),
        ],
        running=running,
        runner_name=runner_name,
        settings=settings,
        backup=_backup_command(dict(settings)),
        limits=limit_rows(pages.gateway.limits),
    )


def _of_installation(state: OverviewState) -> Iterator[Concern]:
    """Yield what needs attention of the cluster, the disk and the backups."""
    if state.cluster is not None and not state.cluster.is_connected:
        yield Concern(
            "warnish",
            "The scheduler of the Dask cluster was lost",
            "/admin#servers",
            "Jobs of simulated devices wait until it is back; the log says what to do.",
            "Look at workers",
        )
    if state.disk is not None and state.disk.free_bytes < _LOW_DISK * state.disk.total_bytes:
        yield Concern(
            "warnish",
            f"The disk has {state.disk.free_bytes / 1e9:,.1f} GB left",
            "/admin#installation",
            "When it is full, nothing can be submitted.",
            "Look at sizes",
        )
    if state.backed_up_at is not None and state.at - state.backed_up_at > _OLD_BACKUP_MS:
        days = (state.at - state.backed_up_at) // DAY_MS
        yield Concern(
            "warnish",
            f"The last backup is {days:,} days old",
            "/admin#installation",
            "What came after it would be lost with the disk.",
            "Back up",
        )


def _without_workers(runners: Sequence[Runner], n_waiting: int) -> Iterator[Concern]:
    """Yield what needs attention if jobs wait, and no process runs those of simulated devices."""
    slots = sum(each.slots for each in runners if each.device is None and each.kind != "scaler")
    if n_waiting and not slots:
        yield Concern(
            "warnish",
            "Jobs wait, but no worker runs any",
            "/jobs?who=everyone&state=queued",
            "Start the server with --workers, or qwicket worker on another machine.",
            "Look at them",
        )


async def _concerns(view: View, away: list[str]) -> list[Concern]:
    """Return what needs attention: of the core, then of features."""
    admin, limit = view.gateway.admin, at_most(view.pages, _SHOWN)
    depths = await admin.store.queues.depths(away[:_SHOWN])
    found = [
        Concern(
            "away",
            f"{name} is away",
            f"/admin/devices/{quote(name)}",
            f"{depth.waiting:,} {'job waits' if depth.waiting == 1 else 'jobs wait'} for it.",
            "Tell its users",
        )
        for name, depth in depths.items()
    ]
    uncertain = JobQuery(states=(JobState.UNCERTAIN,), limit=limit)
    for each in await admin.jobs(view.actor, uncertain):
        what = f"{each.account or 'Somebody'}’s job was sent to {each.job.device}, and the answer"
        title = "A job at another cloud has an unknown outcome"
        address = f"/admin/jobs/{each.job.id}"
        found.append(Concern("warnish", title, address, f"{what} was lost.", "Resolve"))
    for part in _PARTS:
        if part.concerns is not None:
            found += await part.concerns(view)
    return found


async def read_page(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read a page of administrators."""
    page = request.path_params["page"]
    if page in _MOVED and "name" not in request.path_params:
        return _moved(pages, _MOVED[page], request)
    return await _page(View(pages, actor, request))


async def _page(view: View) -> Response:
    page = view.request.path_params["page"]
    if page not in PAGES:
        raise NotFound("There is no such page.")
    # In a thread, because the first request of a page imports its module.
    read = await asyncio.to_thread(resolve_name, PAGES[page])
    response: Response = await read(view, view.request.path_params.get("name", ""))
    return response


def _moved(pages: Handlers, page: str, request: Request[Any]) -> Response:
    given = dict(request.query_params)
    named = {key: quote(given.get(key, ""), safe="") for key in ("account", "project")}
    path = page.format_map(named).rstrip("/")
    if "{" not in page and "name" in given:
        path += f"{'&' if '?' in path else '?'}{urlencode({'q': given['name']})}"
    return RedirectResponse(f"{pages.base}/admin/{path}", 308, headers=HEADERS)


async def cards(view: View, page: str, name: str = "") -> dict[str, Any]:
    """Return the cards and links of features on a page, as its template needs them."""
    return {
        "cards": [
            (part.cards[page].template, await part.cards[page].values(view, name))
            for part in _PARTS
            if page in part.cards
        ],
        "links": [
            (label, path.format(name=quote(name, safe="")))
            for part in _PARTS
            if page in part.links
            for label, path in [part.links[page]]
        ],
    }


def at_most(pages: Handlers, number: int) -> int:
    """Return the number of rows to ask for, which the limit `list_page` bounds."""
    return min(number, pages.gateway.limits.requests.list_page)


# --- forms ----------------------------------------------------------------------------------------


async def execute(pages: Handlers, actor: Actor, request: Request[Form]) -> Response:
    """Send what a form of an administrator's page asks for, as `submit` does."""
    check_form(request, SESSION)
    if request.path_params["page"] not in PAGES:
        raise NotFound("There is no such page.")
    return await submit(View(pages, actor, request), _page)


async def submit(view: View, page: Callable[[View], Awaitable[Response]]) -> Response:
    """Send what a form asks for, after a question if it needs one.

    The page is shown again with the error if it is refused.
    """
    act = ALL_ACTS.get(view.request.payload.get("act", ""))
    if act is None:
        raise InvalidRequest("act: there is no such form.", field="act")
    try:
        return await _execute(view, act)
    except Unauthenticated:
        raise
    except QwicketError as error:
        if error.status >= 500:
            raise
        refused = view._replace(error=error)
    return await page(refused)


async def _execute(view: View, act: Act) -> Response:
    pages, actor, request = view[:3]
    form: Form = request.payload
    path = {each: form.get(each, "").strip() for each in act.path}
    body = body_of(act, form, view.zone)
    if act.question and form.get("confirmed") != "yes":
        words, changes = _Words(form), list[dict[str, Any]]()
        if act.is_counted:
            counted = await call(pages, actor, request, act.handler, body=body | {"dry_run": True})
            more = "more than " if counted.get("next") is not None else ""
            words["number"] = more + _counted(counted["number"], act.noun)
            changes = counted.get("changes", [])
            words["action"] = form.get("action", "").capitalize()
        return view.render(
            "admin-confirm",
            act.question.format_map(words),
            warning=act.warning,
            button=act.button.format_map(words),
            fields=[(key, value) for key in form for value in form.all(key)],
            changes=[_labelled(each) for each in changes[:_SHOWN_CHANGES]],
            n_changes=len(changes),
        )
    words = _Words({key: value.strip() for key, value in form.items()})
    query = {key: value.format_map(words) for key, value in act.query.items()}
    query = {key: value for key, value in query.items() if value}
    response = await call(pages, actor, request, act.handler, path=path, query=query, body=body)
    if act.done:
        name = quote(project_address(form.get("name", "").strip()), safe=":")
        address = f"{pages.base}/admin/{act.to.format(name=name)}" if act.to else view.address()
        mark = "&" if "?" in address else "?"
        location = f"{address}{mark}done={form['act']}"
        return RedirectResponse(location, 303, headers=HEADERS)
    return _shown(view, act, response or {})


def _shown(view: View, act: Act, response: dict[str, Any]) -> Response:
    """Return the page with what a request returned, which may have secrets that are shown once."""
    if response.pop("next", None) is not None:
        response["rest"] = "Some jobs are left: do this again to go on."
    single = {key: value for key, value in response.items() if not _is_table(value)}
    tables = [
        [_labelled(each if isinstance(each, dict) else {key: each}) for each in value]
        for key, value in response.items()
        if key not in single
    ]
    secrets = [key for key in ("url", "secret", "code") if single.get(key)]
    copied = str(single[secrets[0]]) if secrets else ""
    hidden = {"url", "secret", "code", "id"} if copied else set()
    times = {key: value for key, value in single.items() if key.endswith("_at") and value}
    rest = {key: value for key, value in single.items() if key not in hidden | times.keys()}
    return view.render(
        "admin-done",
        _TITLES.get(act.handler, "Done"),
        note=_NOTES.get(act.handler, ""),
        copied=copied,
        is_local=(urlsplit(copied).hostname or "").startswith(("127.", "localhost", "::1")),
        rows=_labelled(rest),
        times=[
            (label, round(1000 * datetime.fromisoformat(at).timestamp()))
            for label, at in _labelled(times)
        ],
        tables=tables,
        scripts=OWN_SCRIPT,
    )


_TITLES: Final = {
    "make_password_link": "Send this link",
    "create_token_for": "The new token",
    "create_accounts": "The new accounts",
    "import_people": "The people were changed",
    "change_jobs": "The jobs were changed",
    "create_invitation": "The new invitation",
    "verify_audit": "The activity was checked",
}
"""Titles of the pages that show a response, by the handler."""
_NOTES: Final = {
    "make_password_link": "Send it to the person yourself. It works once; tokens stay valid.",
    "create_invitation": "Send it to those whom you invite.",
}
"""What the pages say below what is shown once."""


class _Words(dict[str, str]):
    """Words of a question; a field that the form lacks is empty."""

    def __missing__(self, key: str) -> str:
        return ""


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _is_table(value: Any) -> bool:
    """Return whether a value is shown as a table: objects, or more items than fit into a line."""
    if not isinstance(value, list) or not value:
        return False
    return isinstance(value[0], dict) or len(value) > _MAX_LISTED


def _labelled(values: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the fields of a response as labels and values."""
    return [
        (name.replace("_", " ").capitalize(), "none" if value is None else cell(value))
        for name, value in values.items()
    ]


# --- files ----------------------------------------------------------------------------------------


async def read_csv(pages: Handlers, actor: Actor, request: Request[None]) -> ASGIApp:
    """Read all rows of a list that the filters select, as CSV."""
    page = request.path_params["page"]
    if page in _MOVED and page not in FILES:
        location = f"{pages.base}/admin/{_MOVED[page].partition('?')[0]}.csv"
        search = urlencode({"deleted": "true"}) if page == "deleted" else request.url.query
        return RedirectResponse(f"{location}?{search}".rstrip("?"), 308, headers=HEADERS)
    if page not in FILES:
        raise NotFound("There is no such file.")
    route = _ROUTE_BY_HANDLER[FILES[page]]
    key, columns = _columns(route)
    query = _with_times(dict(request.query_params))
    path = {
        name: query.pop(name, "") for name in ("account", "project") if f"{{{name}}}" in route.path
    }
    if "before" in route.parameters:
        query["limit"] = str(at_most(pages, _CSV_ROWS))
    first = await call(pages, actor, request, route.name, path=path, query=query)

    async def lines() -> AsyncGenerator[str, None]:
        yield formats.csv_line(columns)
        found = first
        while True:
            yield "".join(_csv_row(row, columns) for row in found[key])
            if not found.get("next"):
                return
            more = query | {"before": str(found["next"])}
            found = await call(pages, actor, request, route.name, path=path, query=more)

    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{page}.csv"'}
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


async def read_json(pages: Handlers, actor: Actor, request: Request[None]) -> ASGIApp:
    """Read what jobs have used as JSON, as the API returns it."""
    return await respond(pages, actor, request, "read_usage", query=dict(request.query_params))


def _columns(route: Route) -> tuple[str, list[str]]:
    """Return the field of a handler's response that has the rows, and the rows' fields."""
    for key, kind in get_type_hints(route.responses[0]).items():
        if getattr(kind, "__origin__", None) is tuple:
            (row, _) = get_args(kind)
            return key, [each.encode_name for each in structs.fields(row)]
    raise AssertionError(route.name)


def _csv_row(row: dict[str, Any], columns: list[str]) -> str:
    return formats.csv_line(_csv_value(row.get(column)) for column in columns)


def _csv_value(value: Any) -> Any:
    """Return a value as a whole, unlike `cell`; numbers stay numbers."""
    if isinstance(value, bool | list):
        return cell(value)
    return msgspec.json.encode(value).decode() if isinstance(value, dict) else value


def _with_times(query: dict[str, str]) -> dict[str, str]:
    """Return the filters of a list as its handler takes them: days become times."""
    given = {key: value.strip() for key, value in query.items() if value.strip()}
    for name, clock in (("created_from", "00:00:00.000"), ("created_to", "23:59:59.999")):
        if len(given.get(name, "")) == len("2026-01-31"):
            given[name] = f"{given[name]}T{clock}Z"
    return given


def cell(value: Any) -> str:
    """Return a value as people read it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return msgspec.json.encode(value).decode() if isinstance(value, dict) else str(value)


def _backup_command(settings: dict[str, str]) -> str:
    """Return the command that copies this server's data into one file."""
    url = settings.get("database_url", "none")
    place = ["--database-url", url]
    if url == "none":
        place = ["--data-dir", settings.get("data_dir", "")]
    return shlex.join(["qwicket", "backup", "qwicket.backup", *place])


def limit_rows(group: msgspec.Struct, prefix: str = "") -> list[tuple[str, Any]]:
    """Return the names and values of limits, with the name of their group as a prefix.

    Groups that a format or dialect declares itself (`Limits.own`) have no name, so their limits
    have no prefix.
    """
    found: list[tuple[str, Any]] = []
    for name, value in structs.asdict(group).items():
        if isinstance(value, msgspec.Struct):
            found += limit_rows(value, f"{name}.")
        elif isinstance(value, tuple):
            for each in value:
                found += limit_rows(each)
        else:
            found.append((prefix + name, value))
    return found


# --- requests to `/v1/admin` ----------------------------------------------------------------------


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
        Forbidden: The sign-in lacks the scopes of the route.
        QwicketError: As from the route.
    """
    route, gateway = _ROUTE_BY_HANDLER[handler], pages.gateway
    actor.require(*(route.access if isinstance(route.access, tuple) else (Scope.ADMIN,)))
    scope = {
        **request.scope,
        "path_params": path or {},
        "query_string": urlencode(query or {}).encode(),
    }
    if handler == "change_jobs":  # a browser waits for a page, too
        scope["headers"] = [*request.scope["headers"], (b"prefer", b"respond-async")]
    inner: Request[Any] = Request(scope, request.receive)
    if route.body is not None:
        inner.payload = route.body.parse(msgspec.json.encode(body or {}), gateway.limits)
    # Only the services of `TokenAccess` are used: the page has signed in.
    return await route.handler(TokenAccess(gateway), actor, inner)
