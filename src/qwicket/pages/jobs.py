"""The list of jobs: an account's, its projects' or everyone's, by filters, and as CSV."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from heapq import nlargest
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec import structs
from starlette.responses import Response, StreamingResponse

from qwicket.dialects import names as dialect_names
from qwicket.dialects.native import params
from qwicket.dialects.routing import Route
from qwicket.model.accounts import Scope
from qwicket.model.errors import NotFound
from qwicket.model.states import JobState
from qwicket.pages import formats, job_changes
from qwicket.pages.forms import frame
from qwicket.pages.job_search import (
    MAX_COUNTED,
    PARAMETERS,
    STATES,
    WHO,
    Search,
    read_search,
)
from qwicket.pages.queue_places import places
from qwicket.pages.rendering import HEADERS

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import AsyncGenerator, Sequence

    from starlette.types import ASGIApp, Receive, Send
    from starlette.types import Scope as ASGIScope

    from qwicket.dialects.requests import Request
    from qwicket.gateway.job_admin import JobWithNames
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job, JobQuery
    from qwicket.pages.handlers import Handlers

_CSV_JOBS: Final = 500
_RECENT_JOBS: Final = 2_000
"""Number of the newest jobs whose names and tags the search suggests."""
_MAX_CHOICES: Final = 50
_MAX_CHOICE_CHARS: Final = 60
_MAX_CHOICES_BYTES: Final = 1_500
"""Size of the names and tags that a page suggests."""
_MAX_LIST_BYTES: Final = 24_000
"""Bytes of the rows of a page and of the names of projects and devices that it offers."""
_ROW_BYTES, _EXPECTED_BYTES = 520, 130
"""Bytes of a row without its texts, and of what is expected of a job that has not ended."""
_COLUMNS: Final = (
    "id",
    "name",
    "device",
    "state",
    "dialect",
    "tags",
    "shots",
    "circuits",
    "qubits",
    "created (UTC)",
    "started (UTC)",
    "ended (UTC)",
    "error",
)
_COLUMNS_OF_EVERYONE: Final = ("account", "project")


class Part(NamedTuple):
    """The part of a list that one page shows.

    Attributes:
        rows: Its jobs.
        before: Parameters of the page before it; empty for the first page.
        after: Parameters of the page after it; empty for the last page.
        first: Number of its first job in the list, from 1.
    """

    rows: list[JobWithNames]
    before: dict[str, int]
    after: dict[str, int]
    first: int

    @property
    def last(self) -> int:
        """Number of its last job in the list."""
        return self.first + len(self.rows) - 1


def routes(handlers: Handlers) -> tuple[Route, ...]:
    """Return the routes of the list of jobs."""
    back, read = handlers.to_sign_in, Scope.JOBS_READ
    query = (*PARAMETERS, "before", "after", "at")
    return (
        Route("GET", "/jobs", read_jobs, read, parameters=query, on_error=back),
        Route("GET", "/jobs.csv", read_csv, read, parameters=PARAMETERS, on_error=back),
        Route("GET", "/jobs/stream", stream_jobs, read, parameters=("since",)),
        *job_changes.routes(),
    )


async def read_jobs(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read a page of a list of jobs, or go to the job whose id is searched for."""
    given = dict(request.query_params)
    at = params.integer(given, "at", minimum=1, maximum=10**9) or 1
    given.pop("at", None)
    search = await read_search(pages, actor, given)
    with suppress(NotFound):
        if search.query.text:
            job = await pages.gateway.jobs.get(actor, search.query.text)
            return pages.redirect(f"/jobs/{job.id}")
    change = await pages.gateway.jobs.last_change(actor)  # first: what changes later is streamed
    devices = [
        each.name for each in await pages.gateway.devices.offered("native") if actor.sees(each.name)
    ]
    projects = [each.name for each in search.projects]
    choices = (*formats.fitting(devices), *formats.fitting(projects))
    room = _MAX_LIST_BYTES - sum(2 * len(each) + 30 for each in choices)
    part = await _part(pages, actor, search, at, room)
    listed: dict[str, Any] = {
        "part": part,
        "search": search,
        "own": actor.account,
        "row_title": _row_title,
        "row_subtitle": _row_subtitle,
        "places": await places(pages, [each.job for each in part.rows]),
        # Changes of others' jobs are not streamed.
        "is_streamed": search.who == "mine"
        and not (part.before or search.query.oldest_first or search.is_long),
    }
    values = frame(actor, request)
    headers = request.headers
    if headers.get("hx-request") == "true" and headers.get("hx-target") != "main":
        # An open page reads its list again.
        return pages.renderer.page("jobs-list", **listed, **values)
    # With long filters there are no suggestions, so that the page stays small.
    n_recent = 0 if search.is_long else _RECENT_JOBS
    names, tags = await pages.gateway.jobs.recent_labels(actor, n_recent)
    return pages.renderer.page(
        "jobs",
        is_live=listed["is_streamed"],
        change=change,
        title="Jobs",
        total=await search.tally(pages, actor),
        nothing=None if part.rows else await _nothing(pages, actor, search),
        projects=projects,
        devices=devices,
        clients=[each for each in ("native", *dialect_names()) if pages.offers(each)],
        # In a thread: 2,000 jobs may have 64,000 tags.
        suggestions=await asyncio.to_thread(lambda: _choices(names + tags)),
        states=STATES,
        who=[each for each in WHO.items() if each[0] != "everyone" or actor.role == "admin"],
        actions=job_changes.ACTIONS,
        **listed,
        **values,
    )


def _row_title(job: Job) -> str:
    return formats.beginning(formats.clip(job.name or job.id, 80), 90)


def _row_subtitle(job: Job, account: str, project: str) -> str:
    """Return why a job failed, or whose it is and its first tag."""
    if job.state is JobState.FAILED and job.error_text:
        return formats.beginning(formats.clip(job.error_text, 90), 100)
    texts = filter(None, (account, project, *job.tags[:1]))
    return formats.beginning(formats.clip(" · ".join(texts), 60), 80)


def _fitting(rows: list[JobWithNames], room: int) -> list[JobWithNames]:
    """Return the first rows that a page has room for, at least one."""
    for number, (job, account, project) in enumerate(rows):
        texts = (_row_title(job), _row_subtitle(job, account, project))
        room -= _ROW_BYTES + sum(map(formats.escaped_size, texts))
        room -= 0 if job.state.is_final else _EXPECTED_BYTES
        if room < 0:
            return rows[: max(1, number)]
    return rows


async def _part(pages: Handlers, actor: Actor, search: Search, at: int, room: int) -> Part:
    """Return the part of a list that the address names by the job before it or after it."""
    query = search.query
    is_back = query.before is not None if query.oldest_first else query.after > 0
    is_first = query.before is None and query.after == 0
    asked = structs.replace(
        query, oldest_first=query.oldest_first is not is_back, limit=query.limit + 1
    )
    rows = await search.page(pages, actor, asked)
    shown = _fitting(rows[: query.limit], room)
    has_more = len(rows) > len(shown)
    rows = shown[:: -1 if is_back else 1]
    if not rows:
        return Part([], {}, {}, 1)
    back, on = ("before", "after") if query.oldest_first else ("after", "before")
    first = 1 if is_first or (is_back and not has_more) else at
    before = {back: rows[0].job.seq, "at": max(1, first - query.limit)}
    after = {on: rows[-1].job.seq, "at": first + len(rows)}
    return Part(
        rows,
        {} if is_first or (is_back and not has_more) else before,
        after if is_back or has_more else {},
        first,
    )


async def _nothing(pages: Handlers, actor: Actor, search: Search) -> dict[str, Any]:
    """Return what a page says whose filters no job matches: how many do with fewer filters."""
    everything = await search.without(pages, actor)
    chips = [*search.chips()]
    fewer = await search.without(pages, actor, chips[-1]) if len(chips) > 1 else None
    n_without = await fewer.tally(pages, actor) if fewer else 0
    return {
        "jobs": _counted(await everything.tally(pages, actor)),
        "last": chips[-1] if chips else None,
        "n_without": n_without,
        "without": f"{_counted(n_without)} {'matches' if n_without == 1 else 'match'}",
    }


def _counted(number: int) -> str:
    return job_changes.render_count(number, is_open=number > MAX_COUNTED)


def _choices(labels: Counter[str]) -> list[str]:
    """Return the most frequent labels in alphabetical order, as many as a page has room for."""
    short = {text: number for text, number in labels.items() if len(text) <= _MAX_CHOICE_CHARS}
    found: list[str] = []
    left = _MAX_CHOICES_BYTES
    for text in nlargest(_MAX_CHOICES, short, key=short.__getitem__):
        left -= formats.escaped_size(text)
        if left < 0:
            break
        found.append(text)
    return sorted(found)


async def stream_jobs(pages: Handlers, actor: Actor, request: Request[None]) -> ASGIApp:
    """Stream the changes of all jobs since the page was made."""
    return pages.streams.of_account(actor, request, pages.sign_in, since="since")


async def read_csv(pages: Handlers, actor: Actor, request: Request[None]) -> ASGIApp:
    """Read all jobs of a search as CSV."""
    search = await read_search(pages, actor, request.query_params)
    query = structs.replace(search.query, limit=_CSV_JOBS)
    first = await search.page(pages, actor, query)
    headers = {**HEADERS, "Content-Disposition": 'attachment; filename="jobs.csv"'}
    media_type = "text/csv; charset=utf-8"
    if request.method == "HEAD":
        return Response(headers=headers, media_type=media_type)
    lines = _csv(pages, actor, search, query, first)

    async def stream(scope: ASGIScope, receive: Receive, send: Send) -> None:
        # In a function, because a dialect expects that a `Response` has a body.
        response = StreamingResponse(lines, headers=headers, media_type=media_type)
        await response(scope, receive, send)

    return stream


async def _csv(
    pages: Handlers, actor: Actor, search: Search, query: JobQuery, jobs: list[JobWithNames]
) -> AsyncGenerator[str, None]:
    names = search.who == "everyone"
    yield _lines([(*_COLUMNS, *(_COLUMNS_OF_EVERYONE if names else ()))])
    while jobs:
        yield _lines([_row(each, names) for each in jobs])
        if len(jobs) < _CSV_JOBS:
            return
        last = jobs[-1].job.seq
        place = {"after": last} if query.oldest_first else {"before": last}
        query = structs.replace(query, **place)
        jobs = await search.page(pages, actor, query)


def _row(listed: JobWithNames, names: bool) -> tuple[str, ...]:
    job = listed.job
    return (
        job.id,
        job.name,
        job.device,
        job.state,
        job.dialect,
        " ".join(job.tags),
        str(job.shots),
        str(job.n_circuits),
        str(job.n_qubits),
        *(formats.time(at) if at else "" for at in (job.created_at, job.started_at, job.ended_at)),
        job.error_text or "",
        *((listed.account, listed.project) if names else ()),
    )


def _lines(rows: Sequence[Sequence[str]]) -> str:
    return "".join(map(formats.csv_line, rows))
