"""Conversion between JSON of the routes for pilots (`schema.pilots`) and objects of the gateway."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Final

import msgspec

from qwicket import schema
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.dialects.bodies import check_length, check_objects, decode
from qwicket.gateway.pilots import PilotOffer
from qwicket.model.errors import InvalidRequest
from qwicket.model.failures import Failure
from qwicket.model.jobs import Capacity, Lease, Progress
from qwicket.model.limits import INT64_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.gateway.pilots import PulledTasks, Reports, TaskJob
    from qwicket.model.jobs import Assignment
    from qwicket.model.limits import Limits
    from qwicket.store import FullProgram

_options: Final = msgspec.msgpack.Decoder(RunOptions)
_PULL_DECODER: Final = msgspec.json.Decoder(schema.pilots.PullBody)
_REPORT_DECODER: Final = msgspec.json.Decoder(schema.pilots.PilotReportBody)


def pull(text: bytes, limits: Limits) -> schema.pilots.PullBody:
    """Decode a pilot's request for jobs, and check its number of leases.

    Raises:
        InvalidRequest: The body is malformed; `field` names the field.
        LimitExceeded: It reports too many leases.
    """
    maximum = limits.agents.pilot_leases
    # The body, its offer, and each lease.
    check_objects(text, 2 + maximum, "limit pilot_leases", "held")
    body = decode(text, _PULL_DECODER)
    check_length(body.held, "held", maximum, "pilot_leases")
    return body


def report(text: bytes, limits: Limits) -> schema.pilots.PilotReportBody:
    """Decode a pilot's report: results of jobs, and jobs that it gives back.

    Raises:
        InvalidRequest: The body is malformed; `field` names the field.
        LimitExceeded: It has too many results, releases or parts.
    """
    maximum = limits.agents.pilot_leases
    # The body, its offer, for each lease a result, a part and an error, and for each circuit of one
    # job a part and an error. The parts of many large jobs are too large for one body anyway.
    n_objects = 2 + 3 * maximum + 2 * limits.programs.circuits
    check_objects(text, n_objects, "limits pilot_leases and circuits")
    body = decode(text, _REPORT_DECODER)
    check_length(body.results, "results", maximum, "pilot_leases")
    check_length(body.releases, "releases", maximum, "pilot_leases")
    return body


def offer(body: schema.pilots.OfferBody) -> PilotOffer:
    """Return what a pilot can take."""
    seconds = inf if body.seconds_left is None else body.seconds_left
    memory_bytes = INT64_MAX if body.memory_bytes is None else body.memory_bytes
    return PilotOffer(
        version=body.version,
        packing=body.packing,
        request=body.request,
        slots=body.slots,
        tasks=body.tasks,
        tiny_tasks=body.tiny_tasks,
        capacity=Capacity(memory_bytes, seconds),
        devices=frozenset(body.devices),
        projects=body.projects,
        except_projects=body.except_projects,
    )


def leases(held: Sequence[schema.pilots.PilotLeaseBody]) -> list[Lease]:
    """Return the leases that a pilot reports."""
    return [_lease(each) for each in held]


def progress(held: Sequence[schema.pilots.PilotLeaseBody]) -> dict[str, Progress]:
    """Return the progress that a pilot reports, by job."""
    return {each.id: Progress(each.done, each.text) for each in held if each.done is not None}


def results(body: schema.pilots.PilotReportBody, limits: Limits) -> list[tuple[Lease, RunResult]]:
    """Return reported results with their leases.

    Raises:
        InvalidRequest: A result has both parts and an error, or neither; or a part is neither an
            outcome with its sha256 nor an error alone.
        LimitExceeded: A result has too many parts.
    """
    return [(_lease(each), _result(each, limits)) for each in body.results]


def _result(result: schema.pilots.PilotResultBody, limits: Limits) -> RunResult:
    found = _read_parts(result.parts, result.error, limits)
    return RunResult(found if isinstance(found, Failure) else tuple(found), result.seconds)


def _read_parts(
    parts: Sequence[schema.pilots.PartReportBody] | None,
    error: schema.pilots.RunErrorBody | None,
    limits: Limits,
) -> list[Encoded | Failure] | Failure:
    """Return the reported parts of a job, or its failure.

    Raises:
        InvalidRequest: There are both parts and an error, or neither; or a part is neither an
            outcome with its sha256 nor an error alone.
        LimitExceeded: There are too many parts.
    """
    if (parts is None) == (error is None):
        raise InvalidRequest("There must be either parts or an error.", field="parts")
    check_length(parts or (), "parts", limits.programs.circuits, "circuits")
    if error is not None:
        return _failure(error)
    return [_part(number, part) for number, part in enumerate(parts or ())]


def _part(number: int, part: schema.pilots.PartReportBody) -> Encoded | Failure:
    if part.error is not None and part.outcome is None and part.sha256 is None:
        return _failure(part.error)
    if part.outcome is None or part.sha256 is None or part.error is not None:
        where = f"parts[{number}]"
        raise InvalidRequest(f"{where} must have either outcome and sha256, or error.", field=where)
    return Encoded(part.outcome, bytes.fromhex(part.sha256))


def _failure(error: schema.pilots.RunErrorBody) -> Failure:
    return Failure(error.code, error.message)


def releases(body: schema.pilots.PilotReportBody) -> list[tuple[Lease, str, bool]]:
    """Return for each job that a pilot releases: lease, reason, and whether its attempt counts."""
    return [(_lease(each), each.reason, each.counts_as_attempt) for each in body.releases]


def _lease(
    lease: schema.pilots.PilotLeaseBody
    | schema.pilots.PilotResultBody
    | schema.pilots.PilotReleaseBody,
) -> Lease:
    # The gateway sets the runner.
    return Lease(job=lease.id, fence=lease.fence, nonce=lease.nonce, runner="")


def pull_response(pulled: PulledTasks, pull_s: float, limits: Limits) -> schema.pilots.PulledBody:
    """Return tasks to run, directives about jobs that the pilot holds, and limits.

    A directive is `stop` or `lost`. The pilot's next request is due within `pull_s` seconds.
    """
    return schema.pilots.PulledBody(
        tasks=_tasks(pulled.tasks),
        directives=tuple(
            schema.pilots.DirectiveBody(id=job, fence=fence, directive=directive)
            for (job, fence), directive in pulled.directives.items()
        ),
        pull_s=pull_s,
        run_time_s=limits.jobs.run_time_s,
        result_bytes=limits.bodies.outcome_bytes,  # limit on the body of a report
    )


def report_response(reports: Reports) -> schema.pilots.PilotReportedBody:
    """Return the response to a report: the states of its jobs, and further tasks."""
    return schema.pilots.PilotReportedBody(states={**reports.states}, tasks=_tasks(reports.tasks))


def program_bytes(tasks: Sequence[Sequence[TaskJob]]) -> int:
    """Return the size in bytes of the programs of all tasks.

    Large responses are encoded in a thread.
    """
    return sum(
        len(each.assignment.circuits) + (len(each.full_program.source) if each.full_program else 0)
        for task in tasks
        for each in task
    )


def _tasks(tasks: Sequence[Sequence[TaskJob]]) -> tuple[tuple[schema.pilots.TaskJobBody, ...], ...]:
    return tuple(tuple(map(_job, task)) for task in tasks)


def _job(job: TaskJob) -> schema.pilots.TaskJobBody:
    assignment = job.assignment
    lease = assignment.lease
    return schema.pilots.TaskJobBody(
        lease=schema.pilots.LeaseBody(id=lease.job, fence=lease.fence, nonce=lease.nonce),
        device=assignment.device,
        family=job.family,
        circuits=assignment.circuits,
        options=assignment.options,
        est_bytes=assignment.est_bytes,
        est_seconds=assignment.est_seconds,
        program=_program(job.full_program, assignment) if job.full_program else msgspec.UNSET,
    )


def _program(program: FullProgram, assignment: Assignment) -> schema.pilots.FullProgramBody:
    options = _options.decode(program.options)
    inputs: Any = msgspec.Raw(program.inputs.encode())  # stored as JSON
    return schema.pilots.FullProgramBody(
        format=program.format,
        source=program.source.decode("utf-8", "replace"),
        inputs=inputs,
        shots=options.shots,
        seed=options.seed,
        outputs=options.outputs,
        attempts=assignment.attempts,
    )
