"""Quantum tasks as Braket words them, and searches for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from qwicket.dialects.bodies import invalid
from qwicket.dialects.braket.names import DIALECT, job_of, task_arn
from qwicket.dialects.braket.wire import next_token, tags_of
from qwicket.dialects.times import format_time, parse_time
from qwicket.model.errors import InvalidRequest, LimitExceeded, NotFound
from qwicket.model.jobs import JobQuery
from qwicket.model.limits import INT64_MAX
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.dialects.braket.wire import Filter, SearchBody, VendorFields
    from qwicket.model.jobs import Job
    from qwicket.scheduling.forecast import QueuePosition

_STATUSES: Final = {
    JobState.DRAFT: "CREATED",
    JobState.QUEUED: "QUEUED",
    JobState.RUNNING: "RUNNING",
    JobState.UNCERTAIN: "RUNNING",
    JobState.CANCELLING: "CANCELLING",
    JobState.COMPLETED: "COMPLETED",
    JobState.FAILED: "FAILED",
    JobState.CANCELLED: "CANCELLED",
}
_NORMAL: Final = {"queue": "QUANTUM_TASKS_QUEUE", "queuePriority": "Normal"}


def status(job: Job) -> str:
    return _STATUSES[job.state]


def arn(job: Job, fields: VendorFields) -> str:
    return task_arn(fields.region, job.project, job.id)


def summary(job: Job, fields: VendorFields) -> dict[str, Any]:
    """Return a task as searches list it."""
    found: dict[str, Any] = {
        "quantumTaskArn": arn(job, fields),
        "status": status(job),
        "deviceArn": fields.device_arn,
        "shots": fields.shots,
        "outputS3Bucket": fields.bucket,
        "outputS3Directory": fields.directory(job.id),
        "createdAt": format_time(job.created_at),
        "tags": tags_of(job.tags),
    }
    if job.ended_at is not None:
        found["endedAt"] = format_time(job.ended_at)
    return found


def details(job: Job, fields: VendorFields, position: QueuePosition | None) -> dict[str, Any]:
    """Return a task as it is read alone."""
    found = {
        **summary(job, fields),
        "deviceParameters": fields.parameters,
        "queueInfo": _queue_info(job, position),
        "actionMetadata": {"actionType": "braket.ir.openqasm.program"},
    }
    if job.state is JobState.FAILED:
        found["failureReason"] = (job.error_text or "The task failed.")[:1024]
    if job.state is JobState.COMPLETED and fields.shots:
        found["numSuccessfulShots"] = fields.shots
    if fields.associations:
        found["associations"] = fields.associations
    return found


def _queue_info(job: Job, position: QueuePosition | None) -> dict[str, str]:
    if job.state is JobState.QUEUED:
        return {**_NORMAL, "position": str(position.ahead + 1 if position else 1)}
    return {
        **_NORMAL,
        "position": "None",
        "message": f"A task that is {status(job)} has no position in the queue.",
    }


class Search(NamedTuple):
    """A search for tasks: what the database filters, and what is left to filter.

    Attributes:
        query: For the database.
        arns: ARNs of which a task must have one; none allow any.
        devices: The same for its device.
        finds_nothing: Whether no task can be found.
    """

    query: JobQuery
    arns: frozenset[str]
    devices: frozenset[str]
    finds_nothing: bool

    def finds(self, job: Job, fields: VendorFields) -> bool:
        return (not self.arns or arn(job, fields) in self.arns) and (
            not self.devices or fields.device_arn in self.devices
        )


def search(body: SearchBody, limit: int, most: int) -> Search:
    """Return the search that a request asks for.

    Args:
        body: The request.
        limit: Tasks of one page.
        most: Limit on filters, and on values of one.

    Raises:
        InvalidRequest: A filter is unknown, or has values that are none.
        LimitExceeded: There are too many.
    """
    if len(body.filters) > most or any(len(each.values) > most for each in body.filters):
        raise LimitExceeded(
            f"filters: at most {most}, with {most} values each (limit search_filters).",
            field="filters",
        )
    sets: dict[str, set[str]] = {}
    begin, end = 0, INT64_MAX
    finds_nothing = False
    for each in body.filters:
        if each.name == "createdAt":
            first, last = _span(each)
            begin, end = max(begin, first), min(end, last)
            continue
        if each.name not in ("quantumTaskArn", "deviceArn", "status", "jobArn"):
            raise invalid(
                "filters: name must be quantumTaskArn, deviceArn, status, createdAt or jobArn",
                *(each.name, "filters"),
            )
        if each.operator != "EQUAL":
            raise InvalidRequest(f"filters: {each.name} has the operator EQUAL.", field="filters")
        values = set(each.values)
        sets[each.name] = sets[each.name] & values if each.name in sets else values
        finds_nothing = finds_nothing or each.name == "jobArn" or not sets[each.name]
    states = _states(sets.get("status"))
    query = JobQuery(
        dialect=DIALECT,
        states=states or (),
        before=next_token(body.next_token),
        limit=limit,
        created_from=begin,
        created_to=end,
    )
    return Search(
        query,
        frozenset(sets.get("quantumTaskArn", ())),
        frozenset(sets.get("deviceArn", ())),
        finds_nothing or begin > end or (states is not None and not states),
    )


def _states(words: set[str] | None) -> tuple[JobState, ...] | None:
    if words is None:
        return None
    known = set(_STATUSES.values())
    for word in sorted(words - known):
        raise invalid(f"filters: status must be one of {', '.join(sorted(known))}", word, "filters")
    return tuple(state for state, word in _STATUSES.items() if word in words)


def _span(given: Filter) -> tuple[int, int]:
    times = [_time(value) for value in given.values]
    is_range = given.operator == "BETWEEN"
    if len(times) != 1 + is_range:
        raise InvalidRequest(
            f"filters: createdAt {given.operator} has {1 + is_range} values.", field="filters"
        )
    match given.operator:
        case "LT":
            return 0, times[0] - 1
        case "LTE":
            return 0, times[0]
        case "GT":
            return times[0] + 1, INT64_MAX
        case "GTE":
            return times[0], INT64_MAX
    return times[0], times[-1]


def _time(text: str) -> int:
    found = parse_time(text)
    if found is None:
        raise invalid("filters: createdAt must be a time in ISO 8601", text, "filters")
    return min(max(found, 0), INT64_MAX - 1)


def ids(arns: Sequence[str]) -> list[str]:
    """Return the ids of the jobs of ARNs, without those that are of no task."""
    found = []
    for each in arns:
        try:
            found.append(job_of(each))
        except NotFound:
            continue
    return found
