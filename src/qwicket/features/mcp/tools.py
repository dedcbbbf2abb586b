"""The tools, and what each does with the gateway's services.

Answers are short. What people, programs and labs have written is under `untrusted`, and `next` is
the step that follows.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from heapq import nlargest
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import structs

from qwicket.circuits.outcomes import COUNTS, EVS, PROBABILITIES, Outcome
from qwicket.dialects.native import account_wire, estimates, wire
from qwicket.dialects.validation import clip_text
from qwicket.features.mcp import arguments as given
from qwicket.features.mcp.plot import bars
from qwicket.model.accounts import Actor, Scope
from qwicket.model.bounds import credits_of
from qwicket.model.errors import (
    ConfirmationNeeded,
    InvalidRequest,
    LimitExceeded,
    NoResult,
    QwicketError,
)
from qwicket.model.jobs import JobQuery

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from qwicket.dialects.requests import Request
    from qwicket.gateway import DeviceView, Gateway
    from qwicket.gateway.estimates import JobEstimate
    from qwicket.model.failures import Failure
    from qwicket.model.jobs import Job, Submission
    from qwicket.scheduling import QueuePosition

    Answer = dict[str, Any]

_MAX_SHOWN: Final = 50
"""Outcomes of a circuit in an answer; the largest ones."""
_MAX_DEVICES: Final = 100
_MAX_DRAWN_OPS: Final = 500
_MAX_DRAWN_CHARS: Final = 8_000
_MAX_DETAIL_CHARS: Final = 1_000
_OF_DEVICE: Final = (
    *("provider", "description", "gates", "native_gates"),
    *("reason", "message", "reservations"),
)
"""Fields of a device that its lab or an administrator writes."""


@dataclass(frozen=True)
class Call:
    """A call of a tool: who calls, and with what.

    Attributes:
        gateway: Does the work.
        actor: The caller.
        request: The request.
        pictures: What the answer shows besides, as PNG.
    """

    gateway: Gateway
    actor: Actor
    request: Request[Any]
    pictures: list[bytes] = field(default_factory=list)


@dataclass(frozen=True)
class Tool:
    """A tool.

    Attributes:
        name: Its name.
        description: What it does, for the assistant.
        arguments: Type of its arguments.
        run: Does it, and returns the answer.
        scope: Scope that the token needs; None for any token.
        is_read_only: Whether it changes nothing.
        is_destructive: Whether it ends something.
    """

    name: str
    description: str
    arguments: type[given.Arguments]
    run: Callable[[Call, Any], Awaitable[Answer]]
    scope: Scope | None
    is_read_only: bool = True
    is_destructive: bool = False

    def declared(self) -> dict[str, Any]:
        """Return the tool as the protocol lists it."""
        return {
            "name": self.name,
            "description": self.description,
            "inputSchema": given.schema(self.arguments),
            "annotations": {
                "readOnlyHint": self.is_read_only,
                "destructiveHint": self.is_destructive,
                "idempotentHint": self.is_read_only or self.is_destructive,
                "openWorldHint": False,
            },
        }


def refusal(error: QwicketError) -> Answer:
    """Return what an assistant reads of an error, which may quote programs, people and labs.

    What to say to a person is the server's own text, so it is in the next step.
    """
    say = ""
    if isinstance(error, ConfirmationNeeded):
        say = f'Say to the person: "{error.sentence}" '
    detail, field = (
        clip_text(each or "", _MAX_DETAIL_CHARS) for each in (error.detail, error.field)
    )
    return {
        "error": _present(code=error.code, retry_after_s=error.retry_after_s),
        "untrusted": _present(detail=detail, field=field),
        "next": say + error.remedy,
    }


def _marked(answer: Answer, *names: str) -> Answer:
    """Return an answer with the fields that others write under `untrusted`."""
    return answer | {"untrusted": _present(**{name: answer.pop(name, None) for name in names})}


def _present(**values: Any) -> Answer:
    """Return the values that are there."""
    return {name: value for name, value in values.items() if value}


# --- devices --------------------------------------------------------------------------------------


async def _list_devices(call: Call, asked: given.DeviceFilter) -> Answer:
    views = [
        view
        for view in await call.gateway.devices.of(wire.DIALECT)
        if call.actor.sees(view.device.name)
        and asked.family in ("", view.device.family)
        and (view.is_online or not asked.online)
    ]
    return {
        "devices": [_short_device(view) for view in views[:_MAX_DEVICES]],
        "others": max(0, len(views) - _MAX_DEVICES),
        "next": "get_device shows the formats and limits of one; check_program checks a program.",
    }


def _short_device(view: DeviceView) -> Answer:
    body = wire.device(view)
    return {
        "name": body.name,
        "family": body.family,
        "status": body.status,
        "qubits": body.qubits,
        "simulated": view.device.is_simulated,
        "costs": body.cost is not None,
    }


async def _get_device(call: Call, asked: given.DeviceName) -> Answer:
    view = await call.gateway.devices.get(asked.device, wire.DIALECT)
    call.actor.require_device(view.device.name)
    queue = call.gateway.queue
    forecast = await queue.forecast(view.device.name)
    windows = await queue.windows(call.actor, forecast)
    body = wire.device(view, forecast, windows, call.actor.project)
    found: Answer = msgspec.to_builtins(body)
    return _marked(found, *_OF_DEVICE) | {
        "next": "check_program checks a program for this device without running it.",
    }


# --- programs -------------------------------------------------------------------------------------


async def _check_program(call: Call, asked: Submission) -> Answer:
    try:
        found = await call.gateway.estimates.of(call.actor, asked)
    except (InvalidRequest, LimitExceeded) as error:
        return {"accepted": False} | refusal(error)
    device = await call.gateway.devices.get(found.job.device, wire.DIALECT)
    return {
        "accepted": True,
        "device": found.job.device,
        "format": found.job.format,
        "circuits": found.job.n_circuits,
        "qubits": found.job.n_qubits,
        "cost": found.cost,
        "untrusted": _present(drawing=await _drawing(found, device.device.family)),
        "next": "estimate tells the time and cost; submit_job runs the program.",
    }


async def _drawing(found: JobEstimate, family: str) -> str:
    """Return the first circuit as text; empty if it is large, or not of qubits."""
    job = found.job
    if family != "qubit" or job.n_circuits > 100 or job.n_ops_1q + job.n_ops_2q > _MAX_DRAWN_OPS:
        return ""
    from qwicket.circuits.qubit import unpack  # late: only this draws text
    from qwicket.programs.drawing import draw

    drawn = await asyncio.to_thread(lambda: "\n".join(draw(unpack(job.circuits)[0])))
    return drawn if len(drawn) <= _MAX_DRAWN_CHARS else ""


async def _estimate(call: Call, asked: Submission) -> Answer:
    found = await call.gateway.estimates.of(call.actor, asked)
    body: Answer = msgspec.to_builtins(estimates.estimate(found, call.actor.project))
    if (choice := body.pop("choice")) is not None:  # with reasons of administrators and labs
        body["untrusted"] = {"choice": choice}
    refusals = [each["refusal"] for each in body["budgets"] if each["refusal"]]
    if refusals:
        return body | {"next": "A budget has no room for this job: ask the person, or use less."}
    bounds = found.bounds
    if bounds is not None and bounds.refusal:
        return body | {"next": "The token may use no more today: use less, or wait."}
    if bounds is not None and bounds.asks_first:
        return body | {"next": "submit_job asks the person first; its `next` says how."}
    return body | {"next": "submit_job runs the program."}


# --- jobs -----------------------------------------------------------------------------------------


async def _submit_job(call: Call, asked: Submission) -> Answer:
    if asked.idempotency_key is None:
        asked = structs.replace(asked, idempotency_key=call.request.idempotency_key)
    job = await call.gateway.jobs.submit(call.actor, asked)
    try:
        return await _job(call, job)
    except QwicketError:  # the job is stored, so this must not become the answer
        return _of_job(call, job, None)


async def _get_job(call: Call, asked: given.JobId) -> Answer:
    return await _job(call, await call.gateway.jobs.get(call.actor, asked.id))


async def _wait_for_job(call: Call, asked: given.Wait) -> Answer:
    seconds = min(asked.seconds, call.gateway.limits.requests.wait_s)
    job, _ = await call.gateway.jobs.wait(call.actor, asked.id, seconds)
    return await _job(call, job)


async def _cancel_job(call: Call, asked: given.JobId) -> Answer:
    return await _job(call, await call.gateway.jobs.cancel(call.actor, asked.id))


async def _job(call: Call, job: Job) -> Answer:
    return _of_job(call, job, await call.gateway.queue.position(job))


def _of_job(call: Call, job: Job, position: QueuePosition | None) -> Answer:
    found = msgspec.to_builtins(wire.job(job, call.request.server_url, position))
    kept = ("id", "url", "state", "device", "shots", "circuits", "qubits", "cost", "queue")
    answer = {name: found[name] for name in kept if found[name] is not None}
    queue = answer.get("queue", {})
    queue.pop("reason", None)  # it is one of the reasons
    untrusted = written(job, waits_for=queue.pop("reasons", ()))
    return answer | {"untrusted": untrusted, "next": _next(job)}


def written(job: Job, **others: Any) -> Answer:
    """Return what people and labs have written of a job."""
    error = _error(job.error_code, job.error_text or "") if job.error_code else None
    return _present(name=job.name, tags=list(job.tags), error=error, **others)


def _error(code: str, message: str) -> Answer:
    """Return the error of a job; a lab writes both texts."""
    return {"code": code, "message": message}


def _next(job: Job) -> str:
    if not job.state.is_final:
        return "wait_for_job waits up to 20 s; call it again until the job has ended."
    if job.state == "completed":
        return "get_result reads the result."
    return f"The job is {job.state}, so there may be no result; tell the person why."


async def _list_jobs(call: Call, asked: given.JobFilter) -> Answer:
    query = JobQuery(
        device=asked.device,
        states=() if asked.state is None else (asked.state,),
        before=asked.before,
        limit=asked.limit,
    )
    jobs = await call.gateway.jobs.page(call.actor, query)
    return {
        "jobs": [
            {
                "id": job.id,
                "state": wire.job(job, "").state,
                "device": job.device,
                "shots": job.shots,
                "created_at": wire.iso_time(job.created_at),
                "untrusted": written(job),
            }
            for job in jobs
        ],
        "before": jobs[-1].seq if len(jobs) == asked.limit else None,
        "next": "get_job and get_result read one; `before` asks for the page that follows.",
    }


async def _get_result(call: Call, asked: given.Part) -> Answer:
    job = await call.gateway.jobs.get(call.actor, asked.id)
    number = wire.part_number(str(asked.part), job)
    try:
        results = await call.gateway.results.of(job, call.request.response_memory, number)
    except NoResult:
        return await _job(call, job)
    (part,) = results.parts
    shown = await asyncio.to_thread(_outcome, part)
    shares = shown.get(COUNTS) or shown.get(PROBABILITIES)
    if asked.plot and shares:
        call.pictures.append(await asyncio.to_thread(bars, list(shares.values())))
    return {"id": job.id, "state": job.state, "part": number, "circuits": job.n_circuits} | shown


def _outcome(part: Outcome | Failure) -> Answer:
    """Return the largest outcomes of a circuit, and its first values."""
    if not isinstance(part, Outcome):
        return {
            "untrusted": {"error": _error(part.code, part.message)},
            "next": "This circuit failed; other parts may have results.",
        }
    found: Answer = {"engine": part.engine, "seed": part.seed, "notes": list(part.notes)}
    found["registers"] = [[each.name, each.size] for each in part.registers[:_MAX_SHOWN]]
    if COUNTS in part.arrays:
        found |= _largest(COUNTS, part.each_count(), part.n_bits)
    if PROBABILITIES in part.arrays:
        found |= _largest(PROBABILITIES, part.each_probability(), part.n_bits)
    if EVS in part.arrays:
        found |= {"evs": part.evs()[:_MAX_SHOWN], "stds": part.stds()[:_MAX_SHOWN]}
    return _marked(found, "engine", "notes", "registers") | {
        "next": "Bits are in the order of the device's results, the last qubit first.",
    }


def _largest(name: str, rows: Iterable[tuple[int, float]], width: int) -> Answer:
    """Return the largest values by their bits, and of how many others."""
    n_rows = 0

    def counted() -> Iterable[tuple[int, float]]:
        nonlocal n_rows
        for row in rows:
            n_rows += 1
            yield row

    top = nlargest(_MAX_SHOWN, counted(), key=lambda row: row[1])
    shown = {format(key, f"0{width}b") if width else "": value for key, value in top}
    return {name: shown, f"other_{name}": n_rows - len(top)}


async def _usage(call: Call, _asked: given.NoArguments) -> Answer:
    token = await call.gateway.tokens.current(call.actor)
    budgets = await call.gateway.usage.budgets(call.actor)
    left: Answer = {}
    if (bounds := call.actor.bounds) is not None:
        shots, cost = bounds.left(await call.gateway.usage.of_token(call.actor))
        left = msgspec.to_builtins(account_wire.bounds(bounds))
        left |= {"shots_left": shots, "cost_left": credits_of(cost)}
    return {
        "scopes": sorted(call.actor.scopes),
        "devices": sorted(call.actor.devices),
        "expires_at": wire.iso_time(token.expires_at),
        "budgets": [msgspec.to_builtins(account_wire.budget(each)) for each in budgets],
        "bounds": left,
        "next": "No devices means all; no budgets or bounds means that none limits the jobs.",
    }


_DEVICES, _READ, _WRITE = Scope.DEVICES_READ, Scope.JOBS_READ, Scope.JOBS_WRITE
TOOLS: Final = {
    tool.name: tool
    for tool in (
        Tool("list_devices", "List the devices.", given.DeviceFilter, _list_devices, _DEVICES),
        Tool(
            "get_device",
            "Read formats, gates, limits, status and queue of a device.",
            given.DeviceName,
            _get_device,
            _DEVICES,
        ),
        Tool(
            "check_program",
            "Check a program for a device and draw it, without running it. An error names the"
            " line and column.",
            given.Program,
            _check_program,
            _WRITE,
        ),
        Tool(
            "estimate",
            "Estimate run time, cost and start of a job, and what budgets have left.",
            given.Program,
            _estimate,
            _WRITE,
        ),
        Tool(
            "submit_job",
            "Run a program on a device. Give an idempotency_key, so that a repeated call is the"
            " same job.",
            given.NewJob,
            _submit_job,
            _WRITE,
            is_read_only=False,
        ),
        Tool("get_job", "Read the state of a job.", given.JobId, _get_job, _READ),
        Tool(
            "wait_for_job",
            "Wait up to 20 seconds for the end of a job.",
            given.Wait,
            _wait_for_job,
            _READ,
        ),
        Tool(
            "get_result",
            "Read counts and values of one circuit of a job; the 50 largest outcomes.",
            given.Part,
            _get_result,
            _READ,
        ),
        Tool(
            "cancel_job",
            "Cancel a job.",
            given.JobId,
            _cancel_job,
            _WRITE,
            is_read_only=False,
            is_destructive=True,
        ),
        Tool("list_jobs", "List jobs, newest first.", given.JobFilter, _list_jobs, _READ),
        Tool(
            "usage",
            "Read what the token may do, and what its budgets have left.",
            given.NoArguments,
            _usage,
            None,
        ),
    )
}
