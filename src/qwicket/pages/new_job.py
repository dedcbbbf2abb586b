"""The page where a program is written, checked as it is typed, and run on any device."""

from __future__ import annotations

import asyncio
import base64
import binascii
import zlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode

from qwicket.dialects.routing import Route
from qwicket.model.accounts import Scope
from qwicket.model.errors import InvalidRequest, LimitExceeded, QwicketError
from qwicket.model.jobs import Submission
from qwicket.pages import formats
from qwicket.pages.forms import FORM_BODY, SESSION, Form, check_form, frame
from qwicket.pages.rendering import compress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response

    from qwicket.dialects.requests import Request
    from qwicket.gateway.estimates import JobEstimate
    from qwicket.model.accounts import Actor
    from qwicket.model.devices import Device
    from qwicket.pages.handlers import Handlers

_MAX_CHARS: Final = 100_000
_MAX_EDITED_BYTES: Final = 24_000
"""Bytes, after HTML escaping, of a program that a response shows in the editor. A longer one comes
back in a hidden field (`_packed`), and in the editor only when a person asks for that."""
_MAX_PACKED_CHARS: Final = 40_400
"""Characters of the hidden field, so that its page, and the compressed page with the whole program,
are below 60 kB."""
_MAX_LINK_CHARS: Final = 8_000
"""Characters of a link's query: many proxies and browsers refuse much longer addresses."""
_FIELDS: Final = ("device", "program", "shots", "seed", "format", "output")


class Example(NamedTuple):
    """A program to begin with."""

    title: str
    fields: dict[str, str]


_BELL: Final = """OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
c = measure q;
"""
_PHOTONS: Final = """name pair
version 1.0
target gaussian (shots=100)
S2gate(1.0, 0.0) | [0, 1]
MeasureFock() | [0, 1]
"""
_ATOMS: Final = """{
  "experiment_0": {
    "instructions": [
      ["load", [0], [10]],
      ["rlx", [0], [0.785]],
      ["measure", [0], []]
    ],
    "num_wires": 1,
    "shots": 100,
    "wire_order": "sequential"
  }
}
"""
EXAMPLES: Final = {
    "qubits": Example(
        "qubits: a Bell pair", {"device": "simulator", "program": _BELL, "shots": "1000"}
    ),
    "photons": Example(
        "photons: two squeezed modes",
        {"device": "simulon_gaussian", "program": _PHOTONS, "shots": "100"},
    ),
    "atoms": Example(
        "atoms: a rotated spin",
        {"device": "singlequdit", "program": _ATOMS, "shots": "100"},
    ),
}


def routes(handlers: Handlers) -> tuple[Route, ...]:
    """Return the routes of the editor."""
    path, write, back = "/jobs/new", Scope.JOBS_WRITE, handlers.to_sign_in
    query = (*_FIELDS, "example")
    return (
        Route("GET", path, read_editor, write, parameters=query, on_error=back),
        Route("POST", path, run_program, write, FORM_BODY),
    )


async def read_editor(
    pages: Handlers,
    actor: Actor,
    request: Request[None],
) -> Response:
    """Read the editor with the program of its address, or an example."""
    query = request.query_params
    example = EXAMPLES.get(query.get("example", ""), EXAMPLES["qubits"])
    given = {name: query[name] for name in _FIELDS if name in query}
    return await _page(pages, actor, request, given if "program" in given else example.fields)


async def run_program(pages: Handlers, actor: Actor, request: Request[Form]) -> Response:
    """Check a program, run it, make a link to it, or show a long one in the editor."""
    check_form(request, SESSION)
    form = request.payload
    fields = {name: form.get(name, "") for name in _FIELDS}
    action = form.get("action", "check")
    try:
        if "packed" in form:
            fields["program"] = await asyncio.to_thread(_unpacked, form["packed"])
        if action == "edit":
            page = await _page(pages, actor, request, fields, is_whole=True)
            accepted = request.headers.get("accept-encoding", "")
            await asyncio.to_thread(compress, page, accepted)  # else up to 600 kB
            return page
        if action == "link":
            link = urlencode({name: value for name, value in fields.items() if value})
            if len(link) > _MAX_LINK_CHARS:
                raise LimitExceeded(
                    f"program: a link has at most {_MAX_LINK_CHARS} characters.", field="program"
                )
            return pages.redirect(f"/jobs/new?{link}")
        submission = _submission(fields, await pages.gateway.devices.offered("native"))
        if action == "run":
            job = await pages.gateway.jobs.submit(actor, submission)
            return pages.redirect(f"/jobs/{job.id}")
        estimate = await pages.gateway.estimates.of(actor, submission)
    except QwicketError as error:
        return await _page(pages, actor, request, fields, error=error)
    return await _page(pages, actor, request, fields, estimate=estimate)


async def _page(
    pages: Handlers,
    actor: Actor,
    request: Request[Any],
    fields: dict[str, str],
    *,
    error: QwicketError | None = None,
    estimate: JobEstimate | None = None,
    is_whole: bool = False,
) -> Response:
    # htmx does not show responses with an error's status; an unfinished program is not an error.
    is_typing = request.headers.get("hx-request") == "true"
    # While a person types, the browser takes only `#check` of the page, so the program is left out.
    fields = dict.fromkeys(_FIELDS, "") | fields | ({"program": ""} if is_typing else {})
    values: dict[str, Any] = {"fields": fields, "error": error, "estimate": estimate}
    status = 200 if error is None or is_typing else error.status
    if not is_whole and _is_long(fields["program"]):
        return pages.renderer.page(
            "new-job-long",
            status,
            title="New job: a long program",
            packed=await asyncio.to_thread(_packed, fields["program"]),
            **values,
            **frame(actor, request),
        )
    devices = await pages.gateway.devices.offered("native")
    specs = [each.spec for each in devices]
    return pages.renderer.page(
        "new-job",
        status,
        is_live=True,
        title="New job",
        examples=EXAMPLES,
        devices=[each.name for each in devices],
        formats=dict.fromkeys(each for spec in specs for each in spec.formats),
        outputs=dict.fromkeys(each for spec in specs for each in spec.outputs),
        **values,
        max_chars=_MAX_CHARS,
        **frame(actor, request),
    )


def _is_long(program: str) -> bool:
    # Its length first: escaping 5 MB takes 40 ms.
    if len(program) > _MAX_EDITED_BYTES:
        return True
    return formats.escaped_size(program) > _MAX_EDITED_BYTES


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
    one is used, or else the program's own.

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
    specs = [each.spec for each in devices if each.name == fields["device"]]
    device_formats, outputs = (specs[0].formats, specs[0].outputs) if specs else ((), ())
    return Submission(
        dialect="native",
        device=fields["device"],
        format=fields["format"] or (device_formats[0] if len(device_formats) == 1 else ""),
        source=program.encode(),
        shots=_number(fields["shots"] or "1000", "shots"),
        seed=seed,
        outputs=(fields["output"] or next(iter(outputs), "counts"),),
    )


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise InvalidRequest(f"{name} must be a whole number from 0.", field=name)
    return int(text)
