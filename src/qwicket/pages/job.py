"""The page of one job: its times, place in the queue, program, calibration, result and files."""

from __future__ import annotations

import asyncio
import secrets
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from starlette.responses import Response

from qwicket.circuits.outcomes import Outcome
from qwicket.dialects.native import arrays, wire
from qwicket.dialects.native.streams import POSITION_GATHER_S
from qwicket.dialects.responses import json_in_thread
from qwicket.dialects.routing import Route
from qwicket.job_card import slurm_rows
from qwicket.model.accounts import Scope
from qwicket.model.errors import Conflict, InvalidRequest, NoResult, NotFound, QwicketError, codes
from qwicket.model.failures import FAILURES, Failure
from qwicket.model.jobs import JobQuery, runner_name
from qwicket.model.states import JobState
from qwicket.pages import formats, job_code
from qwicket.pages.forms import FORM_BODY, SESSION, Form, check_form, frame
from qwicket.pages.job_result import ResultView, View, bits, result_view
from qwicket.pages.queue_places import blocks
from qwicket.pages.rendering import HEADERS, OWN_SCRIPT

if TYPE_CHECKING:
    from collections.abc import Iterator

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

_MAX_PROGRAM_BYTES: Final = 6_000
"""Shown bytes of a program, after `html.escape`."""
_INLINE_BYTES: Final = 64 << 10
"""A longer source is read in a thread: it may have 16 MB, which are decoded and searched."""
_MAX_MARKS: Final = 150
"""Boxes and symbols of gates in the drawing of a circuit."""
_FEW_EVENTS: Final = 100
"""Events of a job whose page is rendered at once, and not in a thread."""
_MAX_TITLE_CHARS: Final = 120
_MAX_RESULT_BYTES: Final = 4 << 20
"""Results of a job that take more stored bytes are not shown."""
_MAX_ALIKE: Final = 5
"""Jobs that a comparison offers, of the person's newest completed ones (`_NEWEST`)."""
_NEWEST: Final = 50
_UNITS: Final = {"photonic": "mode", "atoms": "atom"}
"""What the circuits of a family are on, if not qubits."""


class Phase(NamedTuple):
    """A phase of a job: its class in the style sheet, its name, and its begin in Unix ms.

    `x` and `width` are in % of all phases; `at` is None if the begin is no news.
    """

    kind: str
    text: str
    at: int | None
    seconds: float
    x: float = 0.0
    width: float = 0.0


class Explanation(NamedTuple):
    """What an error code means, and what a person can do; empty for codes of a lab's agent."""

    title: str = ""
    remedy: str = ""


def routes(handlers: Handlers) -> tuple[Route, ...]:
    """Return the routes of one job."""
    back, read = handlers.to_sign_in, Scope.JOBS_READ
    query = ("part", "order", "scale", "with", "rows", "show")
    return (
        Route("GET", "/jobs/{id}", read_job, read, parameters=query, on_error=back),
        Route("GET", "/jobs/{id}/stream", stream_job, read),
        Route("POST", "/jobs/{id}", change_job, Scope.JOBS_WRITE, FORM_BODY),
        Route("GET", "/jobs/{id}/tags", read_tags, read, on_error=back),
        Route(
            "GET", "/jobs/{id}/confirm", read_question, read, parameters=("action",), on_error=back
        ),
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
    """Read the name and all tags of a job in a form.

    Raises:
        NotFound: There is no such job, or only another account can change it.
    """
    job = await _own(pages, actor, request)
    return pages.renderer.page("job-tags", title="Name and tags", job=job, **frame(actor, request))


async def read_question(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read the question whether a job is to be cancelled or deleted.

    Redirect to the page of the job if that cannot be done, such as when it has just ended.

    Raises:
        NotFound: There is no such job, or only others can change it.
    """
    job = await pages.gateway.jobs.get(actor, request.path_params["id"])
    may_cancel = job.account == actor.account or await pages.gateway.jobs.leads(actor, job)
    if not may_cancel or (job.state.is_final and job.account != actor.account):
        raise NotFound("Only the account that submitted the job can change it.")
    action = request.query_params.get("action", "")
    if action != ("delete" if job.state.is_final else "cancel"):
        return pages.redirect(f"/jobs/{job.id}")
    name = formats.clip(job.name, _MAX_TITLE_CHARS) or "this job"
    title = f"Delete {name} with its result?" if action == "delete" else f"Cancel {name}?"
    return pages.renderer.page(
        "job-confirm", title=title, job=job, action=action, **frame(actor, request)
    )


async def _own(pages: Handlers, actor: Actor, request: Request[None]) -> Job:
    job = await pages.gateway.jobs.get(actor, request.path_params["id"])
    if job.account != actor.account:
        raise NotFound("Only the account that submitted the job can change it.")
    return job


async def stream_job(pages: Handlers, actor: Actor, request: Request[None]) -> ASGIApp:
    """Stream the changes of a job, and those of its place in the queue."""

    async def position_event(job: Job) -> bytes:
        # Makes a new forecast if the last one is too old; the reads below use it.
        await pages.gateway.queue.forecast(job.device, POSITION_GATHER_S)
        text = pages.renderer.text(
            "job",
            "place",
            job=job,
            device=await _device(pages, job),
            job_body=await _job_body(pages, job, request.server_url),
            **await _place(pages, actor, job),
            **frame(actor, request),
        )
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
            job, key = await gateway.jobs.get(actor, id_text), form.get("key")
            repeated = await gateway.repeats.repeat(
                actor,
                job,
                memory=request.response_memory,
                keep_seed=action == "repeat-seed",
                key=f"{action}-{key}" if key else None,
            )
            target = repeated.id
        case "noiseless":
            job, key = await gateway.jobs.get(actor, id_text), form.get("key")
            contents = await gateway.submitted.contents(job, request.response_memory)
            device = await _noiseless_device(pages, contents)
            if not device:
                raise Conflict("No simulator here runs this program without noise.")
            other = await gateway.repeats.repeat(
                actor,
                job,
                memory=request.response_memory,
                keep_seed=False,
                key=f"noiseless-{key}" if key else None,
                noiseless_on=device,
            )
            return pages.redirect(f"/jobs/{job.id}?with={other.id}")
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
            yield bits(key, part.n_bits), count or "", "" if share is None else share
    else:
        yield ("shot", "sample")
        rows = part.each_sample() if "samples" in part.arrays else part.each_shot()
        yield from enumerate(
            bits(row, part.n_bits) if isinstance(row, int) else row for row in rows
        )


def _headers(name: str) -> dict[str, str]:
    return {**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}


def _file(content: bytes, name: str, media_type: str) -> Response:
    return Response(content, headers=_headers(name), media_type=media_type)


# --- the page -------------------------------------------------------------------------------------


async def _page(pages: Handlers, actor: Actor, request: Request[None], job: Job) -> Response:
    gateway, query = pages.gateway, request.query_params
    part = wire.part_number(query.get("part", "0"), job) if job.n_circuits else 0
    view = View.of(query, part)
    device = await _device(pages, job)
    contents = await _none_if_absent(gateway.submitted.contents(job, request.response_memory))
    result, reason = await _result(pages, actor, request, job, view)
    has_rows = result is not None and bool(result.rows)
    job_body = await _job_body(pages, job, request.server_url)
    events = await gateway.jobs.events(actor, job.id)
    projects = {each.id: each.name for each in await gateway.accounts.projects(actor)}
    render = partial(
        pages.renderer.page,
        "job",
        is_live=not job.state.is_final,
        scripts=OWN_SCRIPT,
        title=formats.clip(job.name, _MAX_TITLE_CHARS) or f"Job {job.id}",
        job=job,
        project=projects.get(job.project, ""),
        device=device,
        unit=_UNITS.get(device.device.family, "qubit") if device else "qubit",
        job_body=job_body,
        explanation=_explanation(job.error_code),
        runner=runner_name(job.runner) if job.runner else "",
        slurm=list(slurm_rows(job_body.slurm)),
        phases=_phases(job, gateway.now_ms()),
        events=events,
        view=view,
        contents=contents,
        calibrations=await _calibrations(pages, job, device),
        result=result,
        reason=reason,
        alike=await _alike(pages, actor, job) if has_rows else [],
        noiseless=await _noiseless_device(pages, contents) if contents and has_rows else "",
        is_own=job.account == actor.account,
        controls=job.account == actor.account or await gateway.jobs.leads(actor, job),
        key=secrets.token_hex(16),  # idempotency key of the buttons that run the job again
        **await _program(pages, request, contents, device, job, view),
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


def _explanation(code: str | None) -> Explanation:
    kind = FAILURES.get(code or "") or codes().get(code or "")
    return Explanation(kind.title.removesuffix("."), kind.remedy) if kind else Explanation()


# --- time and queue -------------------------------------------------------------------------------


def _phases(job: Job, now: int) -> list[Phase]:
    """Return what a job has gone through, with durations that end now for a job that goes on."""
    end = job.ended_at or now
    found = []
    if job.queued_at is None:
        text, at = ("Checked, refused", end) if job.ended_at else ("Waits since", job.created_at)
        found.append(Phase("check", text, at, end - job.created_at))
    else:
        if job.queued_at > job.created_at:
            found.append(Phase("check", "Checked", None, job.queued_at - job.created_at))
        waited = (job.started_at or end) - job.queued_at
        if job.started_at or job.ended_at:
            found.append(Phase("wait", "Waited", None, waited))
        else:
            found.append(Phase("wait", "Waiting since", job.queued_at, waited))
    if job.started_at is not None:
        text = "Running since" if job.state is JobState.RUNNING else "Since its first start"
        text = "Ran," if job.ended_at else text
        found.append(Phase("run", text, job.started_at, end - job.started_at))
    # The shortest phase is seen, too: it takes 1.2 % of the bar.
    total = sum(each.seconds for each in found) or 1
    widths = [max(1.2, 100 * each.seconds / total) for each in found]
    starts = [100 * sum(widths[:k]) / sum(widths) for k in range(len(found))]
    return [
        each._replace(
            seconds=each.seconds / 1000, x=round(x, 1), width=round(100 * width / sum(widths), 1)
        )
        for each, x, width in zip(found, starts, widths, strict=True)
    ]


async def _place(pages: Handlers, actor: Actor, job: Job) -> dict[str, Any]:
    ahead = await pages.gateway.queue.ahead(actor, job)
    n_before = ahead.same + sum(ahead.known.values()) + ahead.others if ahead else 0
    return {
        "ahead": ahead,
        "before": _jobs_ahead_text(ahead) if ahead else "",
        "blocks": blocks(max(ahead.n_waiting, n_before + 1), n_before + 1) if ahead else (),
    }


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


# --- the program ----------------------------------------------------------------------------------


async def _program(
    pages: Handlers,
    request: Request[None],
    contents: Contents | None,
    device: DeviceView | None,
    job: Job,
    view: View,
) -> dict[str, Any]:
    """Return the tabs of a program, the chosen one, and what it shows."""
    shown = pages.with_offered_dialects(device) if device else None
    drawing = await _drawing(pages, device, job, view.part)
    tabs = {"circuit": "Circuit"} if drawing else {}
    no_vendor_code = ""
    if contents:
        clients = job_code.clients(contents, shown)
        if clients:
            tabs |= {"source": contents.format, **clients}
        no_vendor_code = job_code.why_none(contents, shown)
    tab = view.show if view.show in tabs else next(iter(tabs), "")
    text, is_clipped = "", False
    if contents and tab not in ("", "circuit"):
        install = await pages.how_to_install(request.server_url)
        make = partial(_text, tab, contents, shown, request.server_url, install)
        is_short = len(contents.source or b"") <= _INLINE_BYTES
        whole = make() if is_short else await asyncio.to_thread(make)
        text = formats.beginning(whole, _MAX_PROGRAM_BYTES)
        is_clipped = len(text) < len(whole)
    return {
        "drawing": drawing,
        "tabs": tabs,
        "tab": tab,
        "text": text,
        "is_clipped": is_clipped,
        "no_vendor_code": no_vendor_code,
    }


def _text(tab: str, contents: Contents, device: DeviceView | None, url: str, install: str) -> str:
    if tab != "source":
        return job_code.code(tab, contents, device, url, install)
    return _in_lines(contents.source or b"")


def _in_lines(source: bytes) -> str:
    """Return a beginning of a program, longer than what a page shows, and not all in one line."""
    if len(source) <= _INLINE_BYTES and source.lstrip()[:1] in (b"{", b"["):
        try:
            return msgspec.json.format(source, indent=2).decode(errors="replace")
        except msgspec.DecodeError:
            pass
    text = source[: 4 * (_MAX_PROGRAM_BYTES + 1)].decode(
        errors="replace"
    )  # 4: bytes of a character
    is_one_line = "\n" not in text.strip() and text.lstrip().startswith("OPENQASM")
    return text.replace("; ", ";\n") if is_one_line else text


async def _drawing(
    pages: Handlers, device: DeviceView | None, job: Job, part: int
) -> tuple[str, str] | None:
    if device is None:
        return None
    found: tuple[str, str] | None = await _none_if_absent(
        pages.gateway.compilation.drawing(job, device.device.family, part, _MAX_MARKS)
    )
    return found


async def _calibrations(pages: Handlers, job: Job, device: DeviceView | None) -> list[Calibrated]:
    """Return the calibration that was stored with a job, and today's if it differs."""
    if job.calibration is None or device is None:
        return []
    stored: Calibrated | None = await _none_if_absent(
        pages.gateway.devices.calibration_by_id(job.device, "native", job.calibration)
    )
    if stored is None:
        return []
    today = device.calibration
    return [stored, today] if today and today.id != stored.id else [stored]


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
        return ResultView(failure=part.message), ""
    other, reason = None, ""
    if view.other:
        try:
            other_job = await pages.gateway.jobs.get(actor, view.other)
            found = await _load_part(pages, request, other_job, 0)
            if isinstance(found, Failure):
                raise NoResult(found.message)
            other = found
        except QwicketError as error:
            reason = error.detail
    return await asyncio.to_thread(result_view, part, other, view), reason


async def _load_part(
    pages: Handlers, request: Request[None], job: Job, number: int
) -> Outcome | Failure:
    if (await pages.gateway.results.sizes(job)).results > _MAX_RESULT_BYTES:
        raise NoResult("The result is too large for a page. Download it instead.")
    results = await pages.gateway.results.of(job, request.response_memory, number)
    return results.parts[0]


async def _alike(pages: Handlers, actor: Actor, job: Job) -> list[Job]:
    """Return the person's newest completed jobs whose circuits have the same size and gates."""

    def circuits(each: Job) -> tuple[int, ...]:
        return each.n_circuits, each.n_qubits, each.n_ops_1q, each.n_ops_2q

    query = JobQuery(states=(JobState.COMPLETED,), limit=_NEWEST)
    found = await pages.gateway.jobs.page(actor, query)
    alike = [each for each in found if each.id != job.id and circuits(each) == circuits(job)]
    return alike[:_MAX_ALIKE]


async def _noiseless_device(pages: Handlers, contents: Contents) -> str:
    """Return a simulator that runs a job with noise without it; empty if there is none.

    It is the device of the job, unless that is a twin, whose jobs all have noise.
    """
    options, job = contents.options, contents.job
    if options is None or options.noise is None:
        return ""
    views = await pages.gateway.devices.views(await pages.gateway.devices.offered("native"))
    found = [
        each.device.name
        for each in views
        if each.is_online
        and each.device.is_simulated
        and each.calibration is None
        and each.device.family == "qubit"
        and not each.device.spec.clifford_only
        and contents.format in each.device.spec.formats
        and {*options.outputs} <= {*each.device.spec.outputs}
        and job.n_qubits <= each.qubits
        and job.n_circuits <= each.max_circuits
        and options.shots <= each.max_shots
    ]
    return job.device if job.device in found else next(iter(found), "")
