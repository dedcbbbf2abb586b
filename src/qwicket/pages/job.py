"""The page of one job: its times, place in the queue, program, calibration, result and files."""

from __future__ import annotations

import asyncio
import secrets
from functools import partial
from heapq import nlargest
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from starlette.responses import Response

from qwicket.circuits.outcomes import Outcome
from qwicket.dialects.native import arrays, wire
from qwicket.dialects.native.streams import POSITION_GATHER_S
from qwicket.dialects.responses import json_in_thread
from qwicket.dialects.routing import Route
from qwicket.job_card import job_card
from qwicket.model.accounts import Scope
from qwicket.model.errors import InvalidRequest, NoResult, NotFound, QwicketError
from qwicket.model.failures import Failure
from qwicket.model.jobs import runner_name
from qwicket.pages import formats, job_code, plots
from qwicket.pages.forms import FORM_BODY, SESSION, Form, check_form, frame
from qwicket.pages.rendering import HEADERS, OWN_SCRIPT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from starlette.types import ASGIApp

    from qwicket.circuits.calibrations import Calibrated
    from qwicket.dialects.requests import Request
    from qwicket.gateway import DeviceView
    from qwicket.gateway.queue import Ahead
    from qwicket.gateway.submitted import Contents
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job
    from qwicket.pages.handlers import Handlers
    from qwicket.schema.jobs import JobBody
    from qwicket.store import JobEvent

_MAX_PROGRAM_BYTES: Final = 4_000
"""Shown bytes of a program, after `html.escape`."""
_INLINE_BYTES: Final = 64 << 10
"""The programs of vendors' clients are made in a thread for a longer source: it may have 16 MB,
which are decoded and searched."""
_MAX_MARKS: Final = 150
"""Boxes and symbols of gates in the drawing of a circuit."""
_MAX_BARS: Final = 32
"""Also the number of expectation values that are shown."""
_MAX_ROWS: Final = 20
"""Number of samples that are shown."""
_MAX_SAMPLE_CHARS: Final = 200
_FEW_EVENTS: Final = 100
"""Events of a job whose page is rendered at once, and not in a thread."""
_MAX_TITLE_CHARS: Final = 120
_MAX_TAGS_BYTES: Final = 4_000
"""Bytes, after `html.escape`, of tags that the page shows for editing; longer ones have their own
page."""
_MAX_RESULT_BYTES: Final = 4 << 20
"""Results of a job that take more stored bytes are not shown."""
_SORTS: Final = ("value", "label")
_SCALES: Final = ("linear", "log")


class TimelineEntry(NamedTuple):
    """An entry of a job's timeline; `at` is in Unix milliseconds."""

    at: int
    text: str


class ResultView(NamedTuple):
    """The result of one circuit as the page shows it.

    Attributes:
        plot: Histogram of the most frequent outcomes.
        n_more: Number of outcomes without a bar.
        is_normalised: Whether the bars are fractions of 1; else they are counts.
        total: Sum of all counts or probabilities, including those without a bar.
        values: The first expectation values, each with its standard error or None.
        samples: The first shots, if each shot was stored.
        n_samples: Number of stored shots.
        failure: Why the circuit has no outcome; empty if it has one.
        facts: Further facts by name.
    """

    plot: plots.Plot
    n_more: int = 0
    is_normalised: bool = False
    total: float = 0.0
    values: tuple[tuple[float, float | None], ...] = ()
    samples: tuple[str, ...] = ()
    n_samples: int = 0
    failure: str = ""
    facts: tuple[tuple[str, str], ...] = ()


class View(NamedTuple):
    """How a result is shown: circuit, order, scale, and the id of the job to compare with."""

    part: int
    sort: str
    scale: str
    other: str


def routes(handlers: Handlers) -> tuple[Route, ...]:
    """Return the routes of one job."""
    back, read = handlers.to_sign_in, Scope.JOBS_READ
    query = ("part", "sort", "scale", "with")
    return (
        Route("GET", "/jobs/{id}", read_job, read, parameters=query, on_error=back),
        Route("GET", "/jobs/{id}/stream", stream_job, read),
        Route("POST", "/jobs/{id}", change_job, Scope.JOBS_WRITE, FORM_BODY),
        Route("GET", "/jobs/{id}/tags", read_tags, read, on_error=back),
        Route("GET", "/jobs/{id}/program", read_program, read, on_error=back),
        Route("GET", "/jobs/{id}/result.json", read_json, read, on_error=back),
        Route("GET", "/jobs/{id}/result.csv", read_csv, read, parameters=("part",), on_error=back),
        Route(
            "GET", "/jobs/{id}/result.npz", read_arrays, read, parameters=("part",), on_error=back
        ),
    )


async def read_job(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Render the page of a job."""
    job = await pages.gateway.jobs.get(actor, request.path_params["id"])
    return await _page(pages, actor, request, job)


async def read_tags(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read the name and all tags of a job in a form: the page of the job has no room for long ones.

    Raises:
        NotFound: There is no such job, or only another account can change its name and tags.
    """
    job = await pages.gateway.jobs.get(actor, request.path_params["id"])
    if job.account != actor.account:
        raise NotFound("Only the account that submitted the job can change its name and tags.")
    return pages.renderer.page("job-tags", title="Name and tags", job=job, **frame(actor, request))


async def stream_job(pages: Handlers, actor: Actor, request: Request[None]) -> ASGIApp:
    """Stream the changes of a job, and those of its place in the queue."""

    async def position_event(job: Job) -> bytes:
        # Makes a new forecast if the last one is too old; the reads below use it.
        await pages.gateway.queue.forecast(job.device, POSITION_GATHER_S)
        device, job_body = (
            await _device(pages, job),
            await _job_body(pages, job, request.server_url),
        )
        values = await _place(pages, actor, job)
        text = pages.renderer.text("job", "place", device=device, job_body=job_body, **values)
        return b"event: place\ndata: %b\n\n" % b" ".join(text.splitlines())

    return await pages.streams.of_job(actor, request, pages.sign_in, position_event)


async def change_job(pages: Handlers, actor: Actor, request: Request[Form]) -> Response:
    """Cancel, delete, hold, release or tag a job, or run it again."""
    check_form(request, SESSION)
    gateway, form, id_text = pages.gateway, request.payload, request.path_params["id"]
    target = id_text
    match form.get("action"):
        case "cancel":
            await gateway.jobs.cancel(actor, id_text)
        case "delete":
            await gateway.jobs.delete(actor, id_text)
            return pages.redirect("/jobs")
        case "hold" | "release" as action:
            await gateway.jobs.change(actor, id_text, is_held=action == "hold")
        case "tag":
            lines = (line.strip() for line in form.get("tags", "").splitlines())
            tags = tuple(dict.fromkeys(filter(None, lines)))
            await gateway.jobs.set_name_and_tags(
                actor, id_text, name=form.get("name", ""), tags=tags
            )
        case "repeat" | "repeat-seed" as action:
            job = await gateway.jobs.get(actor, id_text)
            repeated = await gateway.repeats.repeat(
                actor,
                job,
                memory=request.response_memory,
                keep_seed=action == "repeat-seed",
                key=form.get("key") or None,
            )
            target = repeated.id
        case _:
            raise InvalidRequest("action: there is no such action.", field="action")
    job = await gateway.jobs.get(actor, target)
    return pages.redirect(f"/jobs/{job.id}")


# --- files ----------------------------------------------------------------------------------------


async def read_program(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read the program of a job as text."""
    job = await pages.gateway.jobs.get(actor, request.path_params["id"])
    program = await pages.gateway.results.program(job, request.response_memory)
    return _file(program.source, f"{job.id}.txt", "text/plain; charset=utf-8")


async def read_json(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read the result of a job as JSON."""
    job = await pages.gateway.jobs.get(actor, request.path_params["id"])
    results = await pages.gateway.results.of(job, request.response_memory)
    found = await json_in_thread(lambda: wire.result(*results), is_small=results.is_small)
    found.headers.update(_headers(f"{job.id}.json"))
    return found


async def read_csv(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Return the result of one circuit as CSV; `NoResult` if the circuit failed."""
    job, number, part = await _outcome(pages, actor, request)
    text = await asyncio.to_thread(_csv, part)
    return _file(text, f"{job.id}-{number}.csv", "text/csv; charset=utf-8")


async def read_arrays(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Return the result of one circuit as NumPy arrays; `NoResult` if the circuit failed."""
    job, number, part = await _outcome(pages, actor, request)
    content = await asyncio.to_thread(arrays.npz, part)
    return _file(content, f"{job.id}-{number}.npz", arrays.NPZ_TYPE)


async def _outcome(
    pages: Handlers, actor: Actor, request: Request[None]
) -> tuple[Job, int, Outcome]:
    job = await pages.gateway.jobs.get(actor, request.path_params["id"])
    number = wire.part_number(request.query_params.get("part", "0"), job)
    results = await pages.gateway.results.of(job, request.response_memory, number)
    (part,) = results.parts
    if isinstance(part, Failure):
        raise NoResult(part.message)
    return job, number, part


def _csv(part: Outcome) -> bytes:
    return "".join(map(formats.csv_line, _table(part))).encode()


def _table(part: Outcome) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of an outcome, headings first."""
    if evs := part.evs():
        yield "observable", "value", "standard error"
        yield from ((number, *row) for number, row in enumerate(zip(evs, part.stds(), strict=True)))
    elif "counts" in part.arrays or "probabilities" in part.arrays:
        yield "bits", "count", "probability"
        for key, count, share in part.each_row():
            yield _bits(key, part.n_bits), count or "", "" if share is None else share
    else:
        yield ("shot", "sample")
        rows = part.each_sample() if "samples" in part.arrays else part.each_shot()
        yield from enumerate(
            _bits(row, part.n_bits) if isinstance(row, int) else row for row in rows
        )


def _headers(name: str) -> dict[str, str]:
    return {**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}


def _file(content: bytes, name: str, media_type: str) -> Response:
    return Response(content, headers=_headers(name), media_type=media_type)


# --- the page -------------------------------------------------------------------------------------


async def _page(pages: Handlers, actor: Actor, request: Request[None], job: Job) -> Response:
    gateway = pages.gateway
    view = _view(request, job)
    device = await _device(pages, job)
    contents = await _none_if_absent(gateway.submitted.contents(job, request.response_memory))
    program = _beginning(contents) if contents else ""
    shown_program = formats.beginning(program, _MAX_PROGRAM_BYTES)
    result, reason = await _result(pages, actor, request, job, view)
    job_body = await _job_body(pages, job, request.server_url)
    events = await gateway.jobs.events(actor, job.id)
    shown = pages.with_offered_dialects(device) if device else None
    render = partial(
        pages.renderer.page,
        "job",
        is_live=not job.state.is_final,
        scripts=OWN_SCRIPT,
        title=formats.clip(job.name, _MAX_TITLE_CHARS) or f"Job {job.id}",
        job=job,
        device=device,
        job_body=job_body,
        card=job_card(job_body),
        runner=runner_name(job.runner) if job.runner else "",
        timeline=_timeline(job, events),
        view=view,
        contents=contents,
        program=shown_program,
        is_clipped=len(program) > len(shown_program),
        drawing=await _drawing(pages, device, job, view.part),
        codes=await _codes(pages, contents, shown, request.server_url) if contents else {},
        no_vendor_code=job_code.why_none(contents, shown) if contents else "",
        calibrations=await _calibrations(pages, job, device),
        result=result,
        reason=reason,
        is_own=job.account == actor.account,
        are_tags_long=formats.escaped_size("\n".join(job.tags)) > _MAX_TAGS_BYTES,
        key=secrets.token_hex(16),  # idempotency key of the buttons that run the job again
        **await _place(pages, actor, job),
        **frame(actor, request),
    )
    is_short = len(events) <= _FEW_EVENTS
    response = render() if is_short else await asyncio.to_thread(render)
    if job.state.is_final and request.headers.get("hx-request") == "true":
        # The stream has ended with the job, so its element is replaced as well.
        response.headers.update(
            {"HX-Retarget": "#stream", "HX-Reselect": "#stream", "HX-Reswap": "outerHTML"}
        )
    return response


def _view(request: Request[None], job: Job) -> View:
    query = request.query_params
    part = wire.part_number(query.get("part", "0"), job) if job.n_circuits else 0
    sort, scale = query.get("sort", "value"), query.get("scale", "linear")
    return View(
        part,
        sort if sort in _SORTS else _SORTS[0],
        scale if scale in _SCALES else _SCALES[0],
        query.get("with", "").strip(),
    )


async def _none_if_absent(task: Any) -> Any:
    """Return the result of an awaitable, or None if it raises `NotFound`."""
    try:
        return await task
    except NotFound:
        return None


async def _device(pages: Handlers, job: Job) -> DeviceView | None:
    found: DeviceView | None = await _none_if_absent(
        pages.gateway.devices.get(job.device, "native")
    )
    return found


async def _job_body(pages: Handlers, job: Job, server_url: str) -> JobBody:
    queue = pages.gateway.queue
    return wire.job(job, server_url, await queue.position(job), await queue.progress(job))


async def _place(pages: Handlers, actor: Actor, job: Job) -> dict[str, Any]:
    ahead = await pages.gateway.queue.ahead(actor, job)
    return {"ahead": ahead, "before": _jobs_ahead_text(ahead) if ahead else ""}


def _jobs_ahead_text(ahead: Ahead) -> str:
    """Return whose jobs start before a job; do not name projects of others."""
    found = []
    if ahead.same:
        found.append(f"{ahead.same:,} of its own project, submitted earlier or more urgent")
    found += [f"{number:,} of your project {name}" for name, number in ahead.known.items()]
    if ahead.others:
        noun = "project" if ahead.n_projects == 1 else "projects"
        found.append(f"{ahead.others:,} of {ahead.n_projects:,} other {noun}")
    return "; ".join(found)


def _timeline(job: Job, events: Sequence[JobEvent]) -> Iterator[TimelineEntry]:
    """Yield what has happened to a job, oldest first; it is computed where the page is rendered."""
    times = (
        (job.created_at, "Submitted"),
        (job.queued_at, "Parsed and queued"),
        (job.started_at, f"Started on {runner_name(job.runner)}" if job.runner else "Started"),
        (job.ended_at, job.state.capitalize()),
    )
    found = [TimelineEntry(at, text) for at, text in times if at is not None]
    for event in events:
        reason = f": {event.reason}" if event.reason else ""
        found.append(TimelineEntry(event.at, f"{event.before} → {event.after}{reason}"))
    yield from sorted(found, key=lambda each: each.at)


def _beginning(contents: Contents) -> str:
    """Return a beginning of the program, longer than what is shown if that is not all."""
    source = (contents.source or b"")[: 4 * (_MAX_PROGRAM_BYTES + 1)]  # 4: bytes of a character
    return source.decode(errors="replace")


async def _codes(
    pages: Handlers, contents: Contents, device: DeviceView | None, url: str
) -> dict[str, str]:
    install = await pages.how_to_install(url)
    if len(contents.source or b"") <= _INLINE_BYTES:
        return job_code.codes(contents, device, url, install)
    return await asyncio.to_thread(job_code.codes, contents, device, url, install)


async def _drawing(
    pages: Handlers, device: DeviceView | None, job: Job, part: int
) -> tuple[str, str] | None:
    if device is None:
        return None
    found: tuple[str, str] | None = await _none_if_absent(
        pages.gateway.compilation.drawing(job, device.device.family, part, _MAX_MARKS)
    )
    return found


async def _calibrations(
    pages: Handlers, job: Job, device: DeviceView | None
) -> list[tuple[str, Calibrated]]:
    """Return the calibration that was stored with a job, and today's if it differs."""
    if job.calibration is None or device is None:
        return []
    stored: Calibrated | None = await _none_if_absent(
        pages.gateway.devices.calibration_by_id(job.device, "native", job.calibration)
    )
    found = [("With this job", stored)] if stored else []
    if device.calibration and device.calibration.id != job.calibration:
        found.append(("Today", device.calibration))
    return found


# --- the result -----------------------------------------------------------------------------------


async def _result(
    pages: Handlers, actor: Actor, request: Request[None], job: Job, view: View
) -> tuple[ResultView | None, str]:
    """Return the result of a circuit, and why it or the other job's cannot be shown, if so."""
    if not job.state.is_final:
        return None, ""
    try:
        part = await _load_part(pages, request, job, view.part)
    except QwicketError as error:
        return None, error.detail
    if isinstance(part, Failure):
        return ResultView(plots.NOTHING, failure=part.message), ""
    other, reason = None, ""
    if view.other:
        try:
            job = await pages.gateway.jobs.get(actor, view.other)
            other = await _load_part(pages, request, job, 0)
        except QwicketError as error:
            reason = error.detail
    return await asyncio.to_thread(_result_view, part, other, view), reason


async def _load_part(
    pages: Handlers, request: Request[None], job: Job, number: int
) -> Outcome | Failure:
    if (await pages.gateway.results.sizes(job)).results > _MAX_RESULT_BYTES:
        raise NoResult("The result is too large for a page. Download it instead.")
    results = await pages.gateway.results.of(job, request.response_memory, number)
    return results.parts[0]


def _shares(part: Outcome | Failure) -> dict[str, float]:
    """Return the share of each outcome, by its bits."""
    if isinstance(part, Failure):
        return {}
    rows = _counts_or_probabilities(part)
    total = sum(value for _, value in rows) or 1.0
    return {_bits(key, part.n_bits): value / total for key, value in rows}


def _counts_or_probabilities(part: Outcome) -> list[tuple[int, float]]:
    return list(part.each_count()) or list(part.each_probability())


def _result_view(part: Outcome, other: Outcome | Failure | None, view: View) -> ResultView:
    """Return a result as the page shows it; with that of another job, compared with it."""
    others = None if other is None else _shares(other)
    rows = _counts_or_probabilities(part)
    total = sum(value for _, value in rows)
    if others is None or not rows:
        largest = nlargest(_MAX_BARS, rows, key=lambda row: row[1])
        labelled = [(_bits(key, part.n_bits), value) for key, value in largest]
        n_outcomes = len(rows)
    else:  # all outcomes of both jobs
        shares = dict.fromkeys(others, 0.0) | _shares(part)
        labelled = nlargest(
            _MAX_BARS, shares.items(), key=lambda row: max(row[1], others.get(row[0], 0.0))
        )
        n_outcomes = len(shares)
    if view.sort == "label":
        labelled.sort()
    stds = part.stds()
    values = tuple(
        (value, stds[number] if number < len(stds) else None)
        for number, value in enumerate(part.evs())
    )
    samples: tuple[str, ...] = ()
    n_samples = 0
    if "samples" in part.arrays:
        n_samples = part.arrays["samples"].shape[0]
        samples = tuple(_first_samples(part.each_sample(), str))
    elif "memory" in part.arrays:
        n_samples = part.arrays["memory"].shape[0]
        samples = tuple(_first_samples(part.each_shot(), lambda key: _bits(key, part.n_bits)))
    return ResultView(
        plots.histogram(labelled, others, is_log=view.scale == "log"),
        n_outcomes - len(labelled),
        is_normalised=others is not None or "counts" not in part.arrays,
        total=total,
        values=values[:_MAX_BARS],
        samples=samples,
        n_samples=n_samples,
        facts=(
            ("Engine", f"{part.engine} {part.engine_version}"),
            ("Seed", str(part.seed)),
            ("Time in the engine", f"{part.seconds:.3g} s"),
            *((("Notes", ", ".join(part.notes)),) if part.notes else ()),
        ),
    )


def _first_samples(rows: Iterator[Any], render: Callable[[Any], str]) -> Iterator[str]:
    for number, row in enumerate(rows):
        if number == _MAX_ROWS:
            return
        yield render(row)[:_MAX_SAMPLE_CHARS]


def _bits(key: int, width: int) -> str:
    return format(key, f"0{width}b") if width else ""
