"""The search of a list of jobs: what its address says, and what that means."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlencode

from msgspec import structs
from starlette.datastructures import QueryParams

from qwicket.dialects.native import params
from qwicket.gateway.job_admin import JobWithNames
from qwicket.model.accounts import Scope
from qwicket.model.errors import InvalidRequest
from qwicket.model.limits import INT64_MAX
from qwicket.model.states import FINAL, JobState
from qwicket.pages.forms import zone_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import tzinfo

    from qwicket.model.accounts import Actor, Project
    from qwicket.model.jobs import JobQuery
    from qwicket.pages.handlers import Handlers

PAGE_JOBS: Final = 40
_LONG_SEARCH_CHARS: Final = 400
"""Characters above which the filters in an address are long."""
_FEW_JOBS: Final = 12
"""Jobs of a page whose filters are long: the page has them several times in addresses."""
MAX_COUNTED: Final = 10_000
"""Jobs are counted up to this number, except before a change: counting 100,000 takes 200 ms."""
FILTERS: Final = {
    "q": "Search",
    "state": "State",
    "device": "Device",
    "project": "Project",
    "from": "From",
    "to": "To",
    "client": "Sent by",
    "tag": "Tag",
    "name": "Name",
    "account": "Person",
}
"""Filters by their names in an address, with their labels."""
_FORMER: Final = {"created_from": "from", "created_to": "to", "dialect": "client"}
"""Present names of filters by those that addresses had before."""
_OF_API: Final = {new: former for former, new in _FORMER.items()}
_NOT_OF_API: Final = ("q", "project", "account", "who", "sort")
_SORTS: Final = ("newest", "oldest")
PARAMETERS: Final = (*FILTERS, *_FORMER, "who", "sort")
STATES: Final = {
    ",".join(each for each in JobState if each not in FINAL): "Not ended",
    "queued": "Waiting",
    "running": "Running",
    "completed": "Completed",
    "failed": "Failed",
    "cancelled": "Cancelled",
}
"""States that can be chosen, with their words."""
WHO: Final = {"mine": "Mine", "projects": "My projects", "everyone": "Everyone"}
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")


class Chip(NamedTuple):
    """A filter that is set."""

    name: str
    label: str
    value: str


class Search(NamedTuple):
    """The filters of a list as in its address, and what they mean."""

    fields: dict[str, str]
    query: JobQuery
    projects: Sequence[Project]

    @property
    def text(self) -> str:
        """The filters as they stand in an address."""
        return urlencode(self.fields)

    @property
    def who(self) -> str:
        """Whose jobs are listed: a key of `WHO`."""
        return self.fields.get("who", "mine")

    @property
    def is_long(self) -> bool:
        """Whether the filters take much of a page, which has them several times in addresses."""
        return len(self.text) > _LONG_SEARCH_CHARS

    def address(self, **changed: object) -> str:
        """Return the filters, some of them changed or left out, as they stand in an address."""
        fields = {name: value for name, value in (self.fields | changed).items() if value}
        return urlencode(fields)

    def chips(self) -> Iterator[Chip]:
        """Yield the filters that are set."""
        for name, label in FILTERS.items():
            if name in self.fields:
                value = self.fields[name]
                value = STATES.get(value, value) if name == "state" else value
                yield Chip(name, label, value)

    async def without(self, pages: Handlers, actor: Actor, chip: Chip | None = None) -> Search:
        """Return the search without a filter, or without all."""
        left_out = {chip.name} if chip else FILTERS.keys()
        fields = {name: text for name, text in self.fields.items() if name not in left_out}
        return await read_search(pages, actor, fields)

    @property
    def of_bulk(self) -> dict[str, str]:
        """The filters as fields of the administrators' form that changes jobs."""
        query, fields = self.query, self.fields
        return {
            **{name: fields.get(name, "") for name in ("account", "project", "device", "name")},
            "dialect": fields.get("client", ""),
            "states": fields.get("state", ""),
            "tags": fields.get("tag", ""),
            "created_from": _utc(query.created_from) if query.created_from else "",
            "created_to": _utc(query.created_to) if query.created_to < INT64_MAX else "",
        }

    async def page(
        self, pages: Handlers, actor: Actor, query: JobQuery | None = None
    ) -> list[JobWithNames]:
        """Return the jobs that match, in the order of the query, with the names of others."""
        query, gateway = query or self.query, pages.gateway
        if self.who == "everyone":
            return await gateway.admin.jobs(actor, query, **self._of_everyone)
        if self.who == "projects":
            jobs = await gateway.jobs.page_of_projects(actor, query)
        else:
            jobs = await gateway.jobs.page(actor, query)
        names = await gateway.accounts.names(
            job.account for job in jobs if job.account != actor.account
        )
        projects = {each.id: each.name for each in self.projects}
        return [
            JobWithNames(job, names.get(job.account, ""), projects.get(job.project, ""))
            for job in jobs
        ]

    async def tally(self, pages: Handlers, actor: Actor) -> int:
        """Return the number of jobs that match, at most one more than `MAX_COUNTED`."""
        gateway = pages.gateway
        query = structs.replace(self.query, before=None, after=0, limit=MAX_COUNTED + 1)
        if self.who == "mine":
            found = await gateway.jobs.tally_up_to_limit(actor, query)
        elif self.who == "projects":
            found = await gateway.jobs.tally_of_projects(actor, query)
        else:
            found = await gateway.admin.tally(actor, query, **self._of_everyone)
        return min(sum(found.values()), MAX_COUNTED + 1)

    @property
    def _of_everyone(self) -> dict[str, str | None]:
        return {"account": self.fields.get("account"), "project": self.fields.get("project")}


async def read_search(pages: Handlers, actor: Actor, given: Mapping[str, str]) -> Search:
    """Return the search that the parameters of an address describe.

    Raises:
        Forbidden: Only administrators list the jobs of everyone.
        InvalidRequest: A filter is malformed, or there is no such project.
    """
    fields = {_FORMER.get(name, name): value.strip() for name, value in given.items()}
    fields = {name: value for name, value in fields.items() if value}
    for name, value in fields.items():
        if "\0" in value:  # PostgreSQL cannot store it
            raise InvalidRequest(f"{name[:100]}: contains a NUL character.", field=name[:100])
    place: dict[str, str] = {
        name: fields.pop(name) for name in ("before", "after") if name in fields
    }
    who, sort = params.choice(fields, "who", [*WHO]), params.choice(fields, "sort", _SORTS)
    for name, default in (("who", "mine"), ("sort", "newest")):
        if fields.get(name) == default:
            del fields[name]
    if who == "everyone":
        actor.require(Scope.ADMIN)
    elif "account" in fields:
        raise InvalidRequest("account: only with the jobs of everyone.", field="account")
    query = params.query(QueryParams(_of_api(fields, zone_of(actor))), pages.limits)
    projects = await pages.gateway.accounts.projects(actor)
    project = None
    if who != "everyone" and "project" in fields:
        found = [each.id for each in projects if each.name == fields["project"]]
        if not found:
            raise InvalidRequest("project: you have no such project.", field="project")
        project = found[0]
    is_long = len(urlencode(fields)) > _LONG_SEARCH_CHARS
    return Search(
        fields,
        structs.replace(
            query,
            project=project,
            text=fields.get("q", ""),
            oldest_first=sort == "oldest",
            before=params.integer(place, "before", minimum=1, maximum=INT64_MAX),
            after=params.integer(place, "after", minimum=0, maximum=INT64_MAX) or 0,
            limit=_FEW_JOBS if is_long else PAGE_JOBS,
        ),
        projects,
    )


def _of_api(fields: Mapping[str, str], zone: tzinfo) -> dict[str, str]:
    """Return filters as the API has them: days of a person's zone become times."""
    given = {_OF_API.get(name, name): value for name, value in fields.items()}
    for name, days in (("created_from", 0), ("created_to", 1)):
        if _DAY.fullmatch(given.get(name, "")):
            with suppress(ValueError, OverflowError):  # such as 2026-02-30, refused as a time
                day = datetime.fromisoformat(given[name]).replace(tzinfo=zone)
                at = (day + timedelta(days=days)).timestamp() * 1000 - days
                given[name] = _utc(round(at))
    return {name: value for name, value in given.items() if name not in _NOT_OF_API}


def _utc(at_ms: int) -> str:
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
