"""Conversion between JSON of the routes for pilots (`schema.pilots`) and objects of the gateway.

A pilot is a worker on another machine.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

import msgspec

from qwicket import schema
from qwicket.circuits.outcomes import RunResult
from qwicket.dialects.bodies import check_length, check_objects, decode
from qwicket.dialects.native.agent_wire import read_parts
from qwicket.gateway.pilots import PilotOffer
from qwicket.model.failures import Failure
from qwicket.model.jobs import Capacity, Lease

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.gateway.pilots import PulledTasks, Reports, TaskJob
    from qwicket.model.limits import Limits

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
    return PilotOffer(
        version=body.version,
        packing=body.packing,
        request=body.request,
        slots=body.slots,
        tasks=body.tasks,
        tiny_tasks=body.tiny_tasks,
        capacity=Capacity(body.memory_bytes, seconds),
        devices=frozenset(body.devices),
    )


def leases(held: Sequence[schema.pilots.PilotLeaseBody]) -> list[Lease]:
    """Return the leases that a pilot reports."""
    return [_lease(each) for each in held]


def results(body: schema.pilots.PilotReportBody, limits: Limits) -> list[tuple[Lease, RunResult]]:
    """Return reported results with their leases.

    Raises:
        InvalidRequest: A result has both parts and an error, or neither; or a part is neither an
            outcome with its sha256 nor an error alone.
        LimitExceeded: A result has too many parts.
    """
    return [(_lease(each), _result(each, limits)) for each in body.results]


def _result(result: schema.pilots.PilotResultBody, limits: Limits) -> RunResult:
    found = read_parts(result.parts, result.error, limits)
    return RunResult(found if isinstance(found, Failure) else tuple(found), result.seconds)


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


def circuits_bytes(tasks: Sequence[Sequence[TaskJob]]) -> int:
    """Return the size in bytes of the circuits of all tasks.

    Large responses are encoded in a thread.
    """
    return sum(len(each.assignment.circuits) for task in tasks for each in task)


def _tasks(tasks: Sequence[Sequence[TaskJob]]) -> tuple[tuple[schema.pilots.TaskJobBody, ...], ...]:
    return tuple(tuple(map(_job, task)) for task in tasks)


def _job(job: TaskJob) -> schema.pilots.TaskJobBody:
    assignment = job.assignment
    lease = assignment.lease
    return schema.pilots.TaskJobBody(
        lease=schema.agents.LeaseBody(id=lease.job, fence=lease.fence, nonce=lease.nonce),
        device=assignment.device,
        family=job.family,
        circuits=assignment.circuits,
        options=assignment.options,
        est_bytes=assignment.est_bytes,
        est_seconds=assignment.est_seconds,
    )
