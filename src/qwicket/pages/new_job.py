"""The page where a program is written, checked as it is typed, and run on any device."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import zlib
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode

from msgspec import structs

from qwicket import programs
from qwicket.dialects.native import wire
from qwicket.dialects.routing import Route
from qwicket.model.accounts import Scope
from qwicket.model.choices import BEST
from qwicket.model.errors import (
    InvalidProgram,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    QwicketError,
)
from qwicket.model.jobs import Submission
from qwicket.pages import formats
from qwicket.pages.examples import EXAMPLES
from qwicket.pages.forms import FORM_BODY, SESSION, Form, check_form, frame
from qwicket.pages.rendering import OWN_SCRIPT, compress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.responses import Response

    from qwicket.dialects.requests import Request
    from qwicket.gateway.estimates import JobEstimate
    from qwicket.model.accounts import Actor
    from qwicket.model.devices import Device, DeviceSpec, Family
    from qwicket.model.jobs import NewJob
    from qwicket.pages.handlers import Handlers
    from qwicket.schema.jobs import ChoiceBody

_MAX_CHARS: Final = 100_000
_MAX_EDITED_BYTES: Final = 24_000
"""Bytes, after HTML escaping, of a program that a response shows in the editor. A longer one comes
back in a hidden field (`_packed`), and in the editor only when a person asks for that."""
_MAX_PACKED_CHARS: Final = 40_500
"""Characters of the hidden field, so that its page, and the compressed page with the whole program,
are below 60 kB."""
_SCRIPTS: Final = ("htmx.min.js", *OWN_SCRIPT)
_MAX_LINK_CHARS: Final = 8_000
"""Characters of a link's query: many proxies and browsers refuse much longer addresses."""
_FIELDS: Final = ("device", "program", "shots", "seed", "format", "output", "name", "project")
_FEW_LINES: Final = 300
_MORE_LINES: Final = 50
_RECOGNISED_CHARS: Final = 64 << 10
"""Characters at the beginning of a program in which marks of its format are looked for."""
_MAX_CHOICES: Final = 50
_MAX_TAKERS: Final = 5
_FORECAST_S: Final = 10.0
"""Age in seconds up to which the forecast of a device that is not chosen is shown."""
_MAX_MARKS: Final = 100
_WIRES: Final[Mapping[Family, str]] = {"qubit": "qubit", "photonic": "mode", "atoms": "wire"}
_MAX_LINE_CHARS: Final = 120
_MAX_DETAIL_CHARS: Final = 200
_POSITION: Final = re.compile(r"(?:^|program: )line (\d{1,9})(?:, column (\d{1,9}))?:")
"""The place of an error. Lines of the circuits in a batch are not those of the program."""


class Place(NamedTuple):
    """The place of an error in a program.

    Attributes:
        line: Number of the line, from 1.
        before: The line before with its number; empty for the first.
        text: The line with its number.
        mark: Marks the column below the line; empty if that is not shown.
        after: The line after with its number; empty for the last.
    """

    line: int
    before: str
    text: str
    mark: str
    after: str


class Check(NamedTuple):
    """What the server found out about a program before it is submitted.

    Attributes:
        error: Why it would be refused.
        place: Where the error is, if it is at one place.
        takers: Names of some devices that take such a program, if the chosen one does not.
        estimate: What the job would take.
        drawing: Its first circuit as SVG, and a sentence on what was left out.
        facts: Its format and sizes, as texts.
        choice: How the server would choose the device, if a person leaves it to the server.
    """

    error: QwicketError | None = None
    place: Place | None = None
    takers: Sequence[str] = ()
    estimate: JobEstimate | None = None
    drawing: tuple[str, str] | None = None
    facts: Sequence[str] = ()
    choice: ChoiceBody | None = None


_UNCHECKED: Final = Check()


def routes(handlers: Handlers) -> tuple[Route, ...]:
    """Return the routes of the editor."""
    path, write, back = "/jobs/new", Scope.JOBS_WRITE, handlers.to_sign_in
    query = (*_FIELDS, "example", "from")
    return (
        Route("GET", path, read_editor, write, parameters=query, on_error=back),
        Route("POST", path, run_program, write, FORM_BODY),
    )


async def read_editor(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read the editor with the program of its address, of a job, or of an example, checked."""
    query = request.query_params
    given = {name: query[name] for name in _FIELDS if name in query}
    if "from" in query:
        given = await _fields_of_job(pages, actor, request, query["from"]) | given
    devices = await pages.gateway.devices.offered("native")
    example = ""
    if "program" not in given:
        example = query.get("example", "")
        if example not in EXAMPLES:
            example = _example_for(given.get("device", ""), devices)
        each = EXAMPLES[example]
        given = {"device": each.device, "program": each.program, "shots": each.shots} | given
    fields = dict.fromkeys(_FIELDS, "") | {"shots": "1000"} | given
    choices = await _choices(pages, actor, devices, fields)
    if "device" not in query and fields["device"] not in choices:
        fields["device"] = next(iter(choices), "")
    check = _UNCHECKED
    if fields["program"].strip():
        check = await _check(pages, actor, fields, devices)
    return await _page(pages, actor, request, fields, check, choices, example=example)


async def run_program(pages: Handlers, actor: Actor, request: Request[Form]) -> Response:
    """Check a program, run it, make a link to it, or show a long one in the editor."""
    check_form(request, SESSION)
    form = request.payload
    fields = {name: form.get(name, "") for name in _FIELDS}
    action = form.get("action", "check")
    devices = await pages.gateway.devices.offered("native")
    try:
        if "packed" in form:
            fields["program"] = await asyncio.to_thread(_unpacked, form["packed"])
        if action == "edit":
            choices = await _choices(pages, actor, devices, fields)
            page = await _page(pages, actor, request, fields, _UNCHECKED, choices, is_whole=True)
            accepted = request.headers.get("accept-encoding", "")
            await asyncio.to_thread(compress, page, accepted)  # else up to 600 kB
            return page
        if action == "link":
            return pages.redirect(f"/jobs/new?{_link(fields)}")
        if action == "run":
            submission = _submission(fields, devices)
            actor = await _in_project(pages, actor, fields["project"])
            job = await pages.gateway.jobs.submit(actor, submission)
            return pages.redirect(f"/jobs/{job.id}")
        check = await _check(pages, actor, fields, devices)
    except QwicketError as error:
        check = _refused(error, fields, devices)
    choices = await _choices(pages, actor, devices, fields)
    # htmx does not show responses with an error's status; an unfinished program is not an error.
    is_typing = request.headers.get("hx-request") == "true"
    status = 200 if check.error is None or is_typing else check.error.status
    return await _page(
        pages, actor, request, fields, check, choices, status=status, is_typing=is_typing
    )


async def _fields_of_job(
    pages: Handlers, actor: Actor, request: Request[None], job_id: str
) -> dict[str, str]:
    """Return the fields with which a job was submitted, without its seed.

    Raises:
        NotFound: There is no such job, or it has no program.
    """
    job = await pages.gateway.jobs.get(actor, job_id)
    contents = await pages.gateway.submitted.contents(job, request.response_memory)
    if contents.source is None or contents.options is None:
        raise NotFound("The job has no program: it was refused, or its program never arrived.")
    return {
        "program": await asyncio.to_thread(contents.source.decode, errors="replace"),
        "device": job.device,
        "format": contents.format,
        "shots": str(job.shots),
        "output": contents.options.outputs[0],
        "name": job.name,
    }


def _example_for(device: str, devices: Sequence[Device]) -> str:
    """Return the name of the first example that a device takes, or else of the first one."""
    specs = [each.spec for each in devices if each.name == device]
    return next((name for name in EXAMPLES if specs and _takes(specs[0], *_kind(name))), "qubits")


@cache
def _kind(example: str) -> tuple[str, str, str]:
    return _formats("", EXAMPLES[example].program)


def _formats(chosen: str, program: str) -> tuple[str, str, str]:
    """Return the chosen format of a program, the detected one, and the most likely one."""
    source = program[:_RECOGNISED_CHARS].encode()
    return chosen, programs.recognise_format(source), programs.guess_format(source)


def _takes(spec: DeviceSpec, chosen: str, detected: str, likely: str) -> bool:
    """Return whether a device takes a program of these formats, as `_submission` states them."""
    if chosen:
        return chosen in spec.formats
    if len(spec.formats) == 1:
        return not detected or programs.may_be_meant(detected, spec.formats[0])
    return likely in spec.formats


async def _choices(
    pages: Handlers, actor: Actor, devices: Sequence[Device], fields: dict[str, str]
) -> dict[str, str]:
    """Return the devices that take the program now, each with when a job would start there.

    The chosen device is one of them, also if it takes no jobs, so that no other one takes its
    place. Of more devices than a page has room for, those that take no jobs are not left out. The
    last choice leaves the device to the server.
    """
    kinds = _formats(fields["format"], fields["program"])
    taking = [
        each
        for each in devices
        if actor.sees(each.name) and (each.name == fields["device"] or _takes(each.spec, *kinds))
    ]
    best = {BEST: "the server chooses"} if len(taking) > 1 else {}
    if len(taking) > _MAX_CHOICES:
        return {each.name: "" for each in taking} | best
    found = {}
    for view in await pages.gateway.devices.views(taking):
        name = view.device.name
        if not view.status.takes_jobs:
            if name == fields["device"]:
                found[name] = "takes no new jobs"
        else:
            forecast = await pages.gateway.queue.forecast(name, _FORECAST_S)
            found[name] = _start_text(forecast.start_in_s)
    return found | best


def _start_text(start_in_s: float | None) -> str:
    if start_in_s is None:
        return "start not known"
    return "no queue" if start_in_s < 1 else f"about {formats.duration(start_in_s)}"


async def _in_project(pages: Handlers, actor: Actor, project: str) -> Actor:
    """Return the actor in one of its projects; an empty name is that of the session.

    Raises:
        NotFound: The actor's account is in no such project.
    """
    if not project:
        return actor
    for each in await pages.gateway.accounts.projects(actor):
        if each.name == project:
            return structs.replace(actor, project=each.id)
    raise NotFound("You have no such project.", field="project")


async def _check(
    pages: Handlers, actor: Actor, fields: dict[str, str], devices: Sequence[Device]
) -> Check:
    """Check a program, and estimate what its job would take."""
    try:
        submission = _submission(fields, devices)
        actor = await _in_project(pages, actor, fields["project"])
        estimate = await pages.gateway.estimates.of(actor, submission)
    except QwicketError as error:
        return _refused(error, fields, devices)
    job = estimate.job
    family = next(each.family for each in devices if each.name == job.device)
    drawing = await pages.gateway.compilation.drawing_of_new(job, family, _MAX_MARKS)
    facts, choice = _facts(job, family), wire.choice(job)
    return Check(estimate=estimate, drawing=drawing, facts=facts, choice=choice)


def _facts(job: NewJob, family: Family) -> list[str]:
    n_ops = job.n_ops_1q + job.n_ops_2q
    found = [
        f"{job.n_circuits:,} circuits, the first of them drawn" if job.n_circuits > 1 else "",
        _counted(job.n_qubits, _WIRES[family]),
        _counted(n_ops, "operation"),
        f"{job.n_ops_2q:,} of them on two or more" if job.n_ops_2q else "",
        programs.format_title(job.format),
    ]
    return [each for each in found if each]


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _refused(error: QwicketError, fields: dict[str, str], devices: Sequence[Device]) -> Check:
    kinds = _formats(fields["format"], fields["program"])
    takers = [each.name for each in devices if _takes(each.spec, *kinds)]
    place = _place(error, fields["program"]) if isinstance(error, InvalidProgram) else None
    is_taken = fields["device"] in (BEST, *takers)
    return Check(error, place, [] if is_taken else takers[:_MAX_TAKERS])


def _place(error: InvalidProgram, program: str) -> Place | None:
    found = _POSITION.search(error.detail[:_MAX_DETAIL_CHARS])
    if found is None or len(program) > _MAX_CHARS:
        return None
    lines, line = program.splitlines(), int(found[1])
    if not 1 <= line <= len(lines):
        return None
    width = len(str(line + 1))

    def numbered(number: int) -> str:
        if not 1 <= number <= len(lines):
            return ""
        return f"{number:>{width}}  {formats.clip(lines[number - 1], _MAX_LINE_CHARS)}"

    column = int(found[2] or 0)
    mark = " " * (width + 1 + column) + "^" if 1 <= column < _MAX_LINE_CHARS else ""
    return Place(line, numbered(line - 1), numbered(line), mark, numbered(line + 1))


def _link(fields: dict[str, str]) -> str:
    """Return the query that opens the editor with a program, for people of any project.

    Raises:
        LimitExceeded: It is too long for an address.
    """
    shared = {name: value for name, value in fields.items() if value and name != "project"}
    link = urlencode(shared)
    if len(link) > _MAX_LINK_CHARS:
        raise LimitExceeded(
            f"program: a link has at most {_MAX_LINK_CHARS} characters.", field="program"
        )
    return link


async def _page(
    pages: Handlers,
    actor: Actor,
    request: Request[Any],
    fields: dict[str, str],
    check: Check,
    choices: dict[str, str],
    *,
    example: str = "",
    status: int = 200,
    is_typing: bool = False,
    is_whole: bool = False,
) -> Response:
    program = fields["program"]
    values: dict[str, Any] = {"fields": fields, "check": check}
    if not is_whole and not is_typing and _is_long(program):
        return pages.renderer.page(
            "new-job-long",
            status,
            title="New job: a long program",
            packed=await asyncio.to_thread(_packed, program),
            **values,
            **frame(actor, request),
        )
    # While a person types, the browser takes only parts of the page, so the program is left out.
    shown = "" if is_typing else program
    if (
        check.drawing is not None
        and _edited_bytes(shown) + len(check.drawing[0]) > _MAX_EDITED_BYTES
    ):
        check = check._replace(drawing=None)
    devices = await pages.gateway.devices.offered("native")
    specs = [each.spec for each in devices if each.name in choices]
    projects = await pages.gateway.accounts.projects(actor)
    own = next((each.name for each in projects if each.id == actor.project), "")
    return pages.renderer.page(
        "new-job",
        status,
        scripts=_SCRIPTS,
        title="New job",
        examples={
            name: each.title
            for name, each in EXAMPLES.items()
            if any(_takes(each.spec, *_kind(name)) for each in devices)
        },
        example=example,
        n_lines=_n_numbered(program),
        is_typing=is_typing,
        choices=choices,
        projects=[each.name for each in projects],
        project=fields["project"] or own,
        formats=dict.fromkeys(each for device in devices for each in device.spec.formats),
        outputs=dict.fromkeys(each for spec in specs for each in spec.outputs),
        max_chars=_MAX_CHARS,
        **values | {"fields": fields | {"program": shown}, "check": check},
        **frame(actor, request),
    )


def _n_numbered(program: str) -> int:
    """Return how many lines have numbers: 300, or 50 more than there are lines."""
    n_lines = program.count("\n") + 1
    return _FEW_LINES if n_lines <= _FEW_LINES else n_lines + _MORE_LINES


def _edited_bytes(program: str) -> int:
    """Return the bytes of a program in the editor, with those of its line numbers."""
    return formats.escaped_size(program) + 4 * max(0, program.count("\n") - _FEW_LINES)


def _is_long(program: str) -> bool:
    # Its length first: escaping 5 MB takes 40 ms.
    if len(program) > _MAX_EDITED_BYTES:
        return True
    return _edited_bytes(program) > _MAX_EDITED_BYTES


def _packed(program: str) -> str:
    """Return a program as a hidden field of a page; empty if it is too long for that."""
    if len(program) > _MAX_CHARS:
        return ""
    # A small window and table: 64 kB in place of 268 kB, for a text that is 5 % longer.
    packing = zlib.compressobj(9, zlib.DEFLATED, 13, 6)
    content = packing.compress(program.encode()) + packing.flush()
    text = base64.b64encode(content).decode()
    return text if len(text) <= _MAX_PACKED_CHARS else ""


def _unpacked(text: str) -> str:
    """Return the program of a page that had no room for it.

    Raises:
        InvalidRequest: The page did not write this.
        LimitExceeded: The program is too long.
    """
    unpacking = zlib.decompressobj()
    try:
        content = unpacking.decompress(base64.b64decode(text, validate=True), 4 * _MAX_CHARS)
        program = content.decode()
    except (binascii.Error, zlib.error, ValueError):
        raise InvalidRequest("packed: this is not a packed program.", field="packed") from None
    if unpacking.unconsumed_tail or len(program) > _MAX_CHARS:
        raise _too_long()
    if not unpacking.eof:
        raise InvalidRequest("packed: this is not a packed program.", field="packed")
    return program


def _too_long() -> LimitExceeded:
    return LimitExceeded(f"program: at most {_MAX_CHARS} characters.", field="program")


def _submission(fields: dict[str, str], devices: Sequence[Device]) -> Submission:
    """Return what the fields of the editor submit.

    If no output is chosen, the device's first is used. If no format is chosen, the device's only
    one is used, or else the program's own. For the best device, they are those of the first one
    that takes the program.

    Raises:
        InvalidRequest: A number is malformed, or the program is empty.
        LimitExceeded: The program is too long.
    """
    program = fields["program"].replace("\r\n", "\n")  # as a browser ends lines
    if not program.strip():
        raise InvalidRequest("program: write a program.", field="program")
    if len(program) > _MAX_CHARS:
        raise _too_long()
    seed = _number(fields["seed"], "seed") if fields["seed"] else None
    name, kinds = fields["device"], _formats(fields["format"], program)
    specs = [
        each.spec
        for each in devices
        if each.name == name or (name == BEST and _takes(each.spec, *kinds))
    ]
    device_formats, outputs = (specs[0].formats, specs[0].outputs) if specs else ((), ())
    return Submission(
        dialect="native",
        device=name,
        candidates=wire.candidates(name),
        format=fields["format"] or (device_formats[0] if len(device_formats) == 1 else ""),
        source=program.encode(),
        shots=_number(fields["shots"] or "1000", "shots"),
        seed=seed,
        outputs=(fields["output"] or next(iter(outputs), "counts"),),
        name=fields["name"].strip(),
    )


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise InvalidRequest(f"{name} must be a whole number from 0.", field=name)
    return int(text)
