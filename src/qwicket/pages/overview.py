"""The overview: what of an account waits, runs, failed and ended, its budgets and its devices."""

from __future__ import annotations

import asyncio
from heapq import nlargest
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec import structs

from qwicket.circuits.outcomes import Outcome
from qwicket.dialects.native import wire
from qwicket.dialects.routing import ANY_TOKEN, Route
from qwicket.model import errors
from qwicket.model.errors import NotFound, QwicketError
from qwicket.model.failures import FAILURES
from qwicket.model.jobs import JobQuery
from qwicket.model.states import NOT_ENDED, JobState
from qwicket.pages import formats
from qwicket.pages.forms import FORM_BODY, SESSION, Form, check_form, frame
from qwicket.pages.job_search import MAX_COUNTED
from qwicket.pages.queue_places import places

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response

    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor
    from qwicket.model.budgets import BudgetState
    from qwicket.model.devices import DeviceStatus
    from qwicket.model.jobs import Job
    from qwicket.pages.handlers import Handlers

_SHOWN: Final = 5
"""Jobs, budgets and devices of each card."""
_RECENT_JOBS: Final = 40
"""Newest jobs, whose devices are those that a person uses."""
_FIRST_DEVICES: Final = 3
_FAILED_DAYS: Final = 7
_DAY_MS: Final = 86_400_000
_MAX_RESULT_BYTES: Final = 64 << 10
"""Stored results up to which the page shows the most frequent outcomes."""
_MAX_LABEL_CHARS: Final = 24
_FLAT: Final = 2.0
"""A result is flat if its most frequent of many outcomes has less than so many equal shares."""
_FLAT_OUTCOMES: Final = 32


class Done(NamedTuple):
    """A completed job with its most frequent outcomes and their shares, and what else it gave."""

    job: Job
    outcomes: Sequence[tuple[str, float]]
    text: str


class UsedDevice(NamedTuple):
    """A device that a person uses.

    Attributes:
        name: Its name.
        state: `on`, `draining`, `paused`, `off` or `away`.
        status: What administrators say of it.
        n_waiting: Number of jobs that wait for it.
        start_in_s: Expected seconds until a job that is submitted now starts, if they are known.
        text: What it is, for people who do not know it.
    """

    name: str
    state: str
    status: DeviceStatus
    n_waiting: int
    start_in_s: float | None
    text: str


def routes(handlers: Handlers) -> tuple[Route, ...]:
    """Return the routes of the overview."""
    back = handlers.to_sign_in
    return (
        *(Route("GET", path, read_overview, ANY_TOKEN, on_error=back) for path in ("", "/")),
        Route("POST", "/hide-first-steps", hide_first_steps, ANY_TOKEN, FORM_BODY),
    )


async def read_overview(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read what concerns a person now."""
    jobs, now = pages.gateway.jobs, pages.gateway.now_ms()
    change = await jobs.last_change(actor)  # first: what changes later is streamed
    newest = await jobs.page(actor, JobQuery(limit=_RECENT_JOBS))
    active = JobQuery(states=NOT_ENDED, limit=MAX_COUNTED + 1)
    n_active = sum((await jobs.tally_up_to_limit(actor, active)).values())
    failed = JobQuery(
        states=(JobState.FAILED,),
        created_from=now - _FAILED_DAYS * _DAY_MS,
        limit=MAX_COUNTED + 1,
    )
    n_failed = sum((await jobs.tally_up_to_limit(actor, failed)).values())
    listed = await jobs.page(actor, JobQuery(states=NOT_ENDED, limit=_SHOWN))
    completed = await jobs.page(actor, JobQuery(states=(JobState.COMPLETED,), limit=_SHOWN))
    names = list(dict.fromkeys(job.device for job in (*listed, *newest)))[:_SHOWN]
    devices = [found for name in names if (found := await _device(pages, actor, name))]
    awaited = {job.device for job in listed if job.state is JobState.QUEUED and not job.is_held}
    budgets = sorted(await pages.gateway.usage.each_budget(actor), key=_used_share, reverse=True)
    is_new = not newest
    steps = await pages.gateway.accounts.first_steps(actor)
    n_steps = sum((is_new, not steps.has_token, not steps.has_used_token))
    return pages.renderer.page(
        "overview",
        is_live=True,
        title=f"Welcome, {actor.account_name}" if is_new else "Overview",
        is_new=is_new,
        change=change,
        active=listed,
        n_active=_number(n_active),
        places=await places(pages, listed),
        progress={job.id: await pages.gateway.queue.progress(job) for job in listed},
        failed=[
            (job, _remedy(job.error_code))
            for job in (await jobs.page(actor, structs.replace(failed, limit=_SHOWN)))
        ],
        n_failed=_number(n_failed),
        failed_days=_FAILED_DAYS,
        failed_from=formats.day(failed.created_from),
        done=[await _done(pages, request, job) for job in completed],
        budgets=[(each, 100 * _used_share(each)) for each in budgets[:_SHOWN]],
        devices=devices or await _first_devices(pages, actor),
        stopped=[each for each in devices if each.name in awaited and each.state != "on"],
        steps=steps,
        n_steps=0 if steps.are_hidden else n_steps,
        **frame(actor, request),
    )


async def hide_first_steps(pages: Handlers, actor: Actor, request: Request[Form]) -> Response:
    """Hide the first steps."""
    check_form(request, SESSION)
    await pages.gateway.accounts.hide_first_steps(actor)
    return pages.redirect("")


def _number(number: int) -> str:
    return f"more than {MAX_COUNTED:,}" if number > MAX_COUNTED else f"{number:,}"


def _used_share(state: BudgetState) -> float:
    return min(1.0, state.used / state.maximum) if state.maximum else 1.0


def _remedy(code: str | None) -> str:
    """Return what to do about a failure; empty for a code of a lab."""
    known = FAILURES.get(code or "") or errors.codes().get(code or "")
    return known.remedy if known else ""


async def _device(pages: Handlers, actor: Actor, name: str) -> UsedDevice | None:
    """Return a device with its queue; None for one that is gone."""
    try:
        view = await pages.gateway.devices.get(name, wire.DIALECT)
    except NotFound:
        return None
    forecast = await pages.gateway.queue.forecast(name)
    body = wire.device(view)
    return UsedDevice(
        name,
        body.status,
        view.status,
        forecast.n_waiting,
        forecast.new_job_start_in_s(actor.project),
        body.description,
    )


async def _first_devices(pages: Handlers, actor: Actor) -> list[UsedDevice]:
    """Return devices for a person who has used none."""
    offered = await pages.gateway.devices.offered(wire.DIALECT)
    names = [each.name for each in offered if actor.sees(each.name)][:_FIRST_DEVICES]
    return [found for name in names if (found := await _device(pages, actor, name))]


async def _done(pages: Handlers, request: Request[None], job: Job) -> Done:
    """Return a completed job with its most frequent outcomes, if they are few bytes."""
    results = pages.gateway.results
    if job.n_circuits != 1:
        return Done(job, (), f"{job.n_circuits:,} circuits")
    try:
        if (await results.sizes(job)).results > _MAX_RESULT_BYTES:
            return Done(job, (), "A large result")
        found = await results.of(job, request.response_memory, 0)
    except QwicketError:  # deleted meanwhile
        return Done(job, (), "")
    outcome = found.parts[0]
    if not isinstance(outcome, Outcome):
        return Done(job, (), outcome.message)
    return await asyncio.to_thread(_summary, job, outcome)


def _summary(job: Job, outcome: Outcome) -> Done:
    rows: list[tuple[int, float]] = [*outcome.each_count()] or [*outcome.each_probability()]
    total = sum(value for _, value in rows)
    if not total:
        evs = [f"{each:.3g}" for each in outcome.evs()[:3]]
        return Done(job, (), f"Expectation values {', '.join(evs)}" if evs else "Samples")
    n_shown = 2 if len(rows) <= 2 else 1
    top = nlargest(n_shown, rows, key=lambda row: row[1])
    if len(rows) > _FLAT_OUTCOMES and top[0][1] * len(rows) < _FLAT * total:
        return Done(job, (), f"{len(rows):,} outcomes, flat")
    n_more = len(rows) - n_shown
    shares = [
        (format(key, f"0{outcome.n_bits}b")[:_MAX_LABEL_CHARS], value / total) for key, value in top
    ]
    return Done(job, shares, f"{n_more:,} more" if n_more else "")
