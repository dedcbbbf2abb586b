"""Jobs: the request to run a program, and the state of a job."""

from __future__ import annotations

from typing import Annotated

import msgspec

from qwicket.schema.base import INT64_MAX, Answer, Id, Record, State


class SubmitBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/jobs`: a program for a device.

    What may have any number of items stays raw until its size is known: items are made at a
    million a second, and nothing else runs meanwhile.

    Attributes:
        device: Name of the device.
        program: Its text, or for JSON formats the object itself.
        format: Its format; by default detected from the program.
        shots: How often each circuit is run.
        seed: Of the random numbers: equal seeds give equal results. Drawn where absent.
        noise: Name of a noise model of the device's.
        engine: Name of the engine that must run it; by default the server chooses.
        inputs: Values of the inputs that the program declares; angles in radians.
        outputs: What is wanted: `counts`, `memory`, `probabilities`, `samples`.
        name: For people and filters.
        tags: For people and filters.
        priority: Among the jobs of one's own project; a higher one goes first.
        group: Id of a group that it belongs to.
    """

    device: str
    program: msgspec.Raw
    format: str | None = None
    shots: Annotated[int, msgspec.Meta(ge=1, le=INT64_MAX)] = 1000
    seed: Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)] | None = None
    noise: str | None = None
    engine: str = ""
    inputs: msgspec.Raw = msgspec.Raw(b"{}")
    outputs: msgspec.Raw = msgspec.Raw(b'["counts"]')
    name: str = ""
    tags: msgspec.Raw = msgspec.Raw(b"[]")
    priority: Annotated[int, msgspec.Meta(ge=-100, le=100)] = 0
    group: str | None = None


class ErrorBody(Record, frozen=True):
    """Why a job, or a part of it, has no outcome.

    Attributes:
        code: Stable; `/docs/errors/<code>` says more.
        message: For people.
    """

    code: str
    message: str


class QueueBody(Record, frozen=True):
    """Position and expected start of a waiting job, estimated at most once a second.

    Attributes:
        position: In the queue, from 1.
        starts_in_s: Seconds until it starts; null while no agent serves the device.
    """

    position: int
    starts_in_s: float | None = None


class ProgressBody(Record, frozen=True):
    """How far a lab's agent says that it is.

    Attributes:
        done: From 0 to 1.
        text: In words.
    """

    done: float
    text: str = ""


class JobBody(Record, frozen=True, kw_only=True):
    """One job. Times are ISO 8601 in UTC, or null.

    Attributes:
        id: Of the job; `client.job(id)` finds it again.
        state: Its state.
        version: Rises with each change.
        device: Name of its device.
        dialect: Dialect of its submission.
        group: Id of its group.
        name: As submitted.
        tags: As submitted.
        shots: Of each circuit.
        circuits: How many circuits it has.
        qubits: Of its widest circuit.
        priority: As submitted.
        attempts: Deaths of its worker that it was blamed for; the third fails it.
        calibration: Id of the device's calibration that it runs by.
        created_at: When it was submitted.
        queued_at: When it began to wait.
        started_at: When it began to run, the last time.
        ended_at: When it ended.
        error: Why it failed.
        queue: Its place, while it waits.
        progress: A lab's word on it, while it runs.
    """

    id: Id
    state: State
    version: int = 0
    device: str = ""
    dialect: str = ""
    group: str | None = None
    name: str = ""
    tags: tuple[str, ...] = ()
    shots: int = 0
    circuits: int = 0
    qubits: int = 0
    priority: int = 0
    attempts: int = 0
    calibration: str | None = None
    created_at: str | None = None
    queued_at: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    error: ErrorBody | None = None
    queue: QueueBody | None = None
    progress: ProgressBody | None = None


class JobList(Answer, frozen=True, kw_only=True):
    """A page of jobs, the newest first.

    Attributes:
        jobs: Those of this page.
        next: What `before` the following page is asked for with; null on the last.
    """

    jobs: tuple[JobBody, ...]
    next: int | None = None


class EventBody(Answer, frozen=True, kw_only=True):
    """One step of a job that was not the usual one.

    Attributes:
        version: Of the job after it.
        at: When it was.
        from: The state before.
        to: The state after.
        reason: Why.
    """

    version: int
    at: str | None = None
    before: State | None = msgspec.field(name="from", default=None)
    to: State
    reason: str = ""


class EventList(Answer, frozen=True, kw_only=True):
    """What happened to a job.

    Attributes:
        events: In their order.
    """

    events: tuple[EventBody, ...]
