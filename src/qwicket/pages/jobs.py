"""The page of an account's jobs: lists by filter, changes of many jobs, and CSV."""

from __future__ import annotations

import asyncio
import time
from heapq import nlargest
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlencode

from msgspec import structs
from starlette.datastructures import QueryParams
from starlette.responses import Response, StreamingResponse

from qwicket.dialects.native import params
from qwicket.dialects.routing import Route
from qwicket.model.accounts import Scope
from qwicket.model.errors import InvalidRequest, NotFound, QwicketError
from qwicket.model.states import FINAL, JobState
from qwicket.pages import formats
from qwicket.pages.forms import FORM_BODY, SESSION, Form, check_form, frame
from qwicket.pages.rendering import HEADERS

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import AsyncGenerator, Sequence

    from starlette.types import ASGIApp, Receive, Send
    from starlette.types import Scope as ASGIScope

    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor, Project
    from qwicket.model.jobs import Job, JobQuery
    from qwicket.pages.handlers import Handlers

PAGE_JOBS: Final = 30
_LONG_SEARCH_CHARS: Final = 1_000
"""Characters above which the filters in an address are long."""
_FEW_JOBS: Final = 4
"""Jobs of a page whose filters are long: the page has them three times in addresses."""
_CSV_JOBS: Final = 500
_FILTERS: Final = ("device", "state", "project", "name", "tag", "created_from", "created_to")
_UNFINISHED: Final = ",".join(each for each in JobState if each not in FINAL)
_ACTIONS: Final = {
    "cancel": "Cancel",
    "delete": "Delete",
    "repeat": "Run again",
    "tag": "Tag",
}
_JOBS_PER_STEP: Final = {"cancel": 500, "delete": 500, "repeat": 20, "tag": 50}
"""Jobs that one step of an action changes."""
_MAX_CHANGE_S: Final = 5.0
"""Time in seconds after which the rest of a change waits for another click."""
_MAX_SHOWN: Final = 10
"""Jobs that a change has skipped and that its report names."""
_RECENT_JOBS: Final = 2_000
"""Number of the newest jobs whose names and tags the filters suggest."""
_MAX_CHOICES: Final = 50
_MAX_CHOICE_CHARS: Final = 60
_MAX_CHOICES_BYTES: Final = 2_500
"""Size of the names, and of the tags, that a page suggests."""
MAX_COUNTED: Final = 10_000
"""Up to this number, the page that asks before a change counts the jobs at once. Counting 100,000
takes 200 ms, so a larger number is counted in a second request."""
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


class Search(NamedTuple):
    """The filters of a list as in its address, and what they mean."""

    fields: dict[str, str]
    query: JobQuery

    @property
    def text(self) -> str:
        """The filters as they stand in an address."""
        return urlencode(self.fields)


class ChangeRequest(NamedTuple):
    """A change of jobs as a form asks for it; without ids it concerns all that match."""

    action: str
    tag: str
    ids: list[str]
    search: Search

    @property
    def label(self) -> str:
        """The name of the action, for people."""
        return _ACTIONS[self.action]


class ChangeReport(NamedTuple):
    """What a change of many jobs has done.

    Attributes:
        n_done: Number of changed jobs.
        skipped: Ids of some jobs that were not changed, each with the reason.
        n_skipped: Number of all jobs that were not changed.
        before: Where the change continues, as in `JobQuery`; None if it is complete.
    """

    n_done: int
    skipped: list[tuple[str, str]]
    n_skipped: int
    before: int | None


def routes(handlers: Handlers) -> tuple[Route, ...]:
    """Return the routes of the list of jobs."""
    back = handlers.to_sign_in
    query = (*_FILTERS, "before")
    return (
        Route("GET", "/jobs", read_jobs, Scope.JOBS_READ, parameters=query, on_error=back),
        Route("GET", "/jobs.csv", read_csv, Scope.JOBS_READ, parameters=_FILTERS, on_error=back),
        Route("GET", "/jobs/stream", stream_jobs, Scope.JOBS_READ, parameters=("since",)),
        Route("POST", "/jobs/confirm", confirm_change, Scope.JOBS_WRITE, FORM_BODY),
        Route("POST", "/jobs/change", change_jobs, Scope.JOBS_WRITE, FORM_BODY),
    )


async def read_jobs(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read a page of the account's jobs, newest first."""
    projects = await pages.gateway.accounts.projects(actor)
    fields = dict(request.query_params)
    before = fields.pop("before", "")
    search = _search(pages, fields, projects, before)
    change = await pages.gateway.jobs.last_change(actor)  # first: what changes later is streamed
    jobs = await pages.gateway.jobs.page(actor, search.query)
    listed: dict[str, Any] = {"jobs": jobs, "search": search, "is_first": not before}
    if request.headers.get("hx-request") == "true":  # an open page reads its list again
        return pages.renderer.page("jobs-list", **listed)
    # With long filters there are no suggestions, so that the page stays small.
    n_recent = _RECENT_JOBS if search.query.limit == PAGE_JOBS else 0
    names, tags = await pages.gateway.jobs.recent_labels(actor, n_recent)
    # In a thread: 2,000 jobs may have 64,000 tags.
    known_names, known_tags = await asyncio.to_thread(lambda: (_choices(names), _choices(tags)))
    devices = await pages.gateway.devices.offered("native")
    return pages.renderer.page(
        "jobs",
        is_live=not before,
        change=change,
        title="My jobs",
        following=jobs[-1].seq if len(jobs) == search.query.limit else None,
        projects=[each.name for each in projects],
        devices=[each.name for each in devices],
        names=known_names,
        tags=known_tags,
        states=tuple(JobState),
        unfinished=_UNFINISHED,
        actions=_ACTIONS,
        **listed,
        **frame(actor, request),
    )


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
    projects = await pages.gateway.accounts.projects(actor)
    search = _search(pages, dict(request.query_params), projects, "")
    first = await pages.gateway.jobs.page(actor, structs.replace(search.query, limit=_CSV_JOBS))
    headers = {**HEADERS, "Content-Disposition": 'attachment; filename="jobs.csv"'}
    media_type = "text/csv; charset=utf-8"
    if request.method == "HEAD":
        return Response(headers=headers, media_type=media_type)
    lines = _csv(pages, actor, search.query, first)

    async def stream(scope: ASGIScope, receive: Receive, send: Send) -> None:
        # In a function, because a dialect expects that a `Response` has a body.
        response = StreamingResponse(lines, headers=headers, media_type=media_type)
        await response(scope, receive, send)

    return stream


async def confirm_change(pages: Handlers, actor: Actor, request: Request[Form]) -> Response:
    """Show how many jobs a change would concern.

    A number above the limit is counted in a second request, and only then can the change be made.
    """
    change = await _change_request(pages, actor, request)
    is_exact = request.payload.get("exact") == "yes"
    number = len(change.ids) if change.ids else await _number(pages, actor, change, is_exact)
    is_open = number > MAX_COUNTED and not is_exact
    title = f"{change.label} {render_count(number, is_open)}?"
    return _change_page(pages, actor, request, change, title, is_open=is_open)


def render_count(number: int, is_open: bool) -> str:
    """Return a number of jobs in words; `is_open` if they were counted only up to the limit."""
    if is_open:
        return f"more than {MAX_COUNTED:,} jobs"
    return f"{number:,} {'job' if number == 1 else 'jobs'}"


async def _number(pages: Handlers, actor: Actor, change: ChangeRequest, is_exact: bool) -> int:
    """Return how many of the jobs that match an action can change.

    Unless `is_exact`, counting stops just above `MAX_COUNTED`.

    Raises:
        Unavailable: An exact count takes too long.
    """
    query = change.search.query
    wanted = query.states or tuple(JobState)
    states = tuple(state for state in wanted if _concerns(change.action, state))
    if not states:
        return 0
    if states != tuple(JobState):
        query = structs.replace(query, states=states)
    if is_exact:
        return sum((await pages.gateway.jobs.tally(actor, query)).values())
    query = structs.replace(query, limit=MAX_COUNTED + 1)
    return sum((await pages.gateway.jobs.tally_up_to_limit(actor, query)).values())


async def change_jobs(pages: Handlers, actor: Actor, request: Request[Form]) -> Response:
    """Change the jobs that were chosen, or all that match."""
    change = await _change_request(pages, actor, request)
    steps = _ChangeSteps(pages, actor, request, change.action, change.tag)
    if change.ids:
        report = await steps.change_chosen(change.ids)
    else:
        report = await steps.change_all(change.search.query)
    n_done = report.n_done
    title = f"{change.label}: {n_done:,} {'job' if n_done == 1 else 'jobs'}"
    return _change_page(pages, actor, request, change, title, report)


async def _change_request(pages: Handlers, actor: Actor, request: Request[Form]) -> ChangeRequest:
    """Return what a form asks for.

    Raises:
        Forbidden: Another site has sent it.
        InvalidRequest: It names no action, no jobs or no tag.
    """
    check_form(request, SESSION)
    action, tag = _action(request.payload)
    return ChangeRequest(action, tag, *await _chosen(pages, actor, request.payload))


def _change_page(
    pages: Handlers,
    actor: Actor,
    request: Request[Form],
    change: ChangeRequest,
    title: str,
    report: ChangeReport | None = None,
    *,
    is_open: bool = False,
) -> Response:
    return pages.renderer.page(
        "change-jobs",
        is_live=is_open,
        title=title,
        change=change,
        report=report,
        is_open=is_open,
        **frame(actor, request),
    )


class _ChangeSteps:
    """A change of many jobs, in steps."""

    def __init__(
        self, pages: Handlers, actor: Actor, request: Request[Form], action: str, tag: str
    ) -> None:
        self._gateway = pages.gateway
        self._actor = actor
        self._request = request
        self._action = action
        self._tag = tag
        self._n_done = self._n_skipped = 0
        self._skipped: list[tuple[str, str]] = []

    async def change_chosen(self, ids: Sequence[str]) -> ChangeReport:
        jobs = []
        for each in ids:
            try:
                jobs.append(await self._gateway.jobs.get(self._actor, each))
            except NotFound as error:
                self._skip(each, error.detail)
        await self._change_step(jobs)
        return self._report(None)

    async def change_all(self, query: JobQuery) -> ChangeReport:
        """Change all jobs of a search, newest first, until it takes too long."""
        end = time.monotonic() + _MAX_CHANGE_S
        limit = _JOBS_PER_STEP[self._action]
        while True:
            jobs = await self._gateway.jobs.page(self._actor, structs.replace(query, limit=limit))
            await self._change_step([job for job in jobs if _concerns(self._action, job.state)])
            if len(jobs) < limit:
                return self._report(None)
            query = structs.replace(query, before=jobs[-1].seq)
            if time.monotonic() > end:
                return self._report(jobs[-1].seq)

    async def _change_step(self, jobs: Sequence[Job]) -> None:
        if self._action in ("cancel", "delete"):
            await self._change_together(jobs)
        elif self._action == "tag":
            await asyncio.gather(*(self._change_one(job) for job in jobs))
        else:
            for job in jobs:
                await self._change_one(job)

    async def _change_together(self, jobs: Sequence[Job]) -> None:
        """Cancel or delete jobs in one operation; if that is refused, one by one."""
        bulk = self._gateway.bulk
        do = bulk.cancel if self._action == "cancel" else bulk.delete
        fitting = [job for job in jobs if _concerns(self._action, job.state)]
        for job in jobs:
            if job not in fitting:
                self._skip(job.id, f"The job is {job.state}.")
        if not fitting:
            return
        try:
            await do(self._actor, [job.id for job in fitting], dialect=None)
        except QwicketError as error:
            if len(fitting) == 1:
                self._skip(fitting[0].id, error.detail)
                return
            for job in fitting:
                await self._change_together([job])
        else:
            self._n_done += len(fitting)

    async def _change_one(self, job: Job) -> None:
        try:
            if self._action == "tag":
                tags = tuple(dict.fromkeys((*job.tags, self._tag)))
                await self._gateway.jobs.set_name_and_tags(self._actor, job.id, tags=tags)
            else:
                await self._gateway.repeats.repeat(
                    self._actor, job, self._request.response_memory, keep_seed=False
                )
        except QwicketError as error:
            self._skip(job.id, error.detail)
        else:
            self._n_done += 1

    def _skip(self, job: str, reason: str) -> None:
        self._n_skipped += 1
        if len(self._skipped) < _MAX_SHOWN:
            self._skipped.append((job, reason))

    def _report(self, before: int | None) -> ChangeReport:
        return ChangeReport(self._n_done, self._skipped, self._n_skipped, before)


def _concerns(action: str, state: JobState) -> bool:
    """Return whether an action can change a job in this state."""
    if action == "cancel":
        return not state.is_final
    return state.is_final if action == "delete" else True


def _action(form: Form) -> tuple[str, str]:
    """Return the action of a form, and the tag that it adds.

    Raises:
        InvalidRequest: There is no such action, or the tag is missing.
    """
    action, tag = form.get("action", ""), form.get("tag", "").strip()
    if action not in _ACTIONS:
        raise InvalidRequest(f"action must be one of {', '.join(_ACTIONS)}.", field="action")
    if action == "tag" and not tag:
        raise InvalidRequest("tag: enter the tag to add to the jobs.", field="tag")
    return action, tag


async def _chosen(pages: Handlers, actor: Actor, form: Form) -> tuple[list[str], Search]:
    """Return the ids that a form selects, and its search; no ids mean all jobs of the search.

    Raises:
        InvalidRequest: The form selects neither, or its search has more than the filters.
    """
    projects = await pages.gateway.accounts.projects(actor)
    try:
        fields = dict(parse_qsl(form.get("search", ""), max_num_fields=len(_FILTERS)))
    except ValueError:
        raise InvalidRequest("search: it has more fields than filters.", field="search") from None
    search = _search(pages, fields, projects, form.get("before", ""))
    if form.get("of") == "all":
        return [], search
    ids = list(dict.fromkeys(form.all("job")))[:PAGE_JOBS]
    if not ids:
        raise InvalidRequest("job: select at least one job, or all that match.", field="job")
    return ids, search


def _search(
    pages: Handlers, fields: dict[str, str], projects: Sequence[Project], before: str
) -> Search:
    """Return the search of the filters of a list.

    Raises:
        InvalidRequest: A filter is malformed, or there is no such project.
    """
    fields = {name: value.strip() for name, value in fields.items() if value.strip()}
    given: dict[str, Any] = dict(fields)
    for name, clock in (("created_from", "00:00:00.000"), ("created_to", "23:59:59.999")):
        if len(given.get(name, "")) == len("2026-01-31"):
            given[name] += f"T{clock}Z"
    project = given.pop("project", None)
    if before:
        given["before"] = before
    query = params.query(QueryParams(given), pages.limits)
    if project is not None:
        found = [each.id for each in projects if each.name == project]
        if not found:
            raise InvalidRequest("project: you have no such project.", field="project")
        project = found[0]
    is_long = len(urlencode(fields)) > _LONG_SEARCH_CHARS
    limit = _FEW_JOBS if is_long else PAGE_JOBS
    return Search(fields, structs.replace(query, project=project, limit=limit))


async def _csv(
    pages: Handlers, actor: Actor, query: JobQuery, jobs: list[Job]
) -> AsyncGenerator[str, None]:
    yield _lines([_COLUMNS])
    while jobs:
        yield _lines([_row(job) for job in jobs])
        if len(jobs) < _CSV_JOBS:
            return
        query = structs.replace(query, before=jobs[-1].seq, limit=_CSV_JOBS)
        jobs = await pages.gateway.jobs.page(actor, query)


def _row(job: Job) -> tuple[str, ...]:
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
    )


def _lines(rows: Sequence[Sequence[str]]) -> str:
    return "".join(map(formats.csv_line, rows))
