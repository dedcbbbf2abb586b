"""Quantum tasks in Braket's JSON, and searches for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from qwicket.dialects.bodies import invalid
from qwicket.dialects.times import format_time, parse_time
from qwicket.model.errors import InvalidRequest, LimitExceeded
from qwicket.model.jobs import JobQuery
from qwicket.model.limits import INT64_MAX
from qwicket.model.states import JobState
from qwicket.vendors.braket.dialect.names import DIALECT, own_arn, task_arn
from qwicket.vendors.braket.dialect.wire import parse_next_token, tags_of

if TYPE_CHECKING:
    from qwicket.model.jobs import Job
    from qwicket.scheduling.forecast import QueuePosition
    from qwicket.vendors.braket.dialect.wire import Filter, SearchBody, VendorFields

_STATUSES: Final = {
    JobState.DRAFT: "CREATED",  # no job of this dialect is a draft
    JobState.QUEUED: "QUEUED",
    JobState.RUNNING: "RUNNING",
    JobState.UNCERTAIN: "RUNNING",
    JobState.CANCELLING: "CANCELLING",
    JobState.COMPLETED: "COMPLETED",
    JobState.FAILED: "FAILED",
    JobState.CANCELLED: "CANCELLED",
}
_ARNS: Final = frozenset({"quantumTaskArn", "deviceArn"})
_READ_AT_ONCE: Final = 50
"""Tasks that are read at once if not all of them may be found."""
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
    """Return a task with all of its fields."""
    found: dict[str, Any] = {
        **summary(job, fields),
        "deviceParameters": fields.parameters,
        "queueInfo": _queue_info(job, position),
        "actionMetadata": {"actionType": fields.action},
    }
    if fields.is_set:
        found["actionMetadata"] |= {
            "programCount": fields.n_programs,
            "executableCount": fields.n_executables,
        }
    if job.state is JobState.FAILED:
        found["failureReason"] = (job.error_text or "The task failed.")[:1024]
    if job.state is JobState.COMPLETED and fields.shots:
        found["numSuccessfulShots"] = fields.shots
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
    """A search for tasks: filters of the database, and filters to apply after it.

    Attributes:
        query: Query of the database.
        arns: ARNs of tasks that may be found; empty for all.
        devices: ARNs of devices whose tasks may be found; empty for all.
        finds_nothing: Whether no task can match.
    """

    query: JobQuery
    arns: frozenset[str]
    devices: frozenset[str]
    finds_nothing: bool

    def finds(self, job: Job, fields: VendorFields) -> bool:
        """Return whether a task that the database found also has one of the ARNs and devices."""
        return (not self.arns or arn(job, fields) in self.arns) and (
            not self.devices or fields.device_arn in self.devices
        )


def search(body: SearchBody, limit: int, maximum: int) -> Search:
    """Return the search that a request asks for.

    Args:
        body: The request.
        limit: Greatest number of tasks of one page.
        maximum: Greatest number of filters, and of values of each.

    Raises:
        InvalidRequest: A filter is unknown, or its operator or a value is malformed.
        LimitExceeded: There are too many filters or values.
    """
    if len(body.filters) > maximum or any(len(each.values) > maximum for each in body.filters):
        raise LimitExceeded(
            f"filters: at most {maximum}, with {maximum} values each (limit search_filters).",
            field="filters",
        )
    allowed: dict[str, set[str]] = {}  # values by the name of the filter
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
                each.name,
                "filters",
            )
        if each.operator != "EQUAL":
            detail = f"filters: {each.name} takes only the operator EQUAL"
            raise invalid(detail, each.operator, "filters")
        values = set(each.values)
        allowed[each.name] = allowed.get(each.name, values) & values
        # There are no hybrid jobs here, so no task belongs to one.
        finds_nothing = finds_nothing or each.name == "jobArn" or not allowed[each.name]
    states = _states(allowed.get("status"))
    query = JobQuery(
        dialect=DIALECT,
        states=states or (),
        before=parse_next_token(body.next_token),
        limit=max(limit, _READ_AT_ONCE) if allowed.keys() & _ARNS else limit,
        created_from=begin,
        created_to=end,
    )
    return Search(
        query,
        frozenset(allowed.get("quantumTaskArn", ())),
        frozenset(map(own_arn, allowed.get("deviceArn", ()))),
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
    """Return the first and last time of creation, in Unix milliseconds, that a filter allows."""
    times = [_time(value) for value in given.values]
    is_range = given.operator == "BETWEEN"
    if len(times) != 1 + is_range:
        number = "2 values" if is_range else "1 value"
        raise InvalidRequest(
            f"filters: createdAt takes {number} with the operator {given.operator}.",
            field="filters",
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
    return found
