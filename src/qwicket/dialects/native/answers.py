"""What `/v1` answers with where a request has no struct of the same shape: for its description.

A test decodes real answers with these structs, which know no other fields.
"""

from __future__ import annotations

from datetime import datetime
from types import GenericAlias
from typing import Literal

import msgspec

from qwicket.dialects.native.account_wire import ProjectBody, TokenBody
from qwicket.dialects.native.schemas import cooked
from qwicket.dialects.native.wire import JobBody, OutcomeBody
from qwicket.model.calibrations import Calibration
from qwicket.model.devices import DeviceSpec, Family
from qwicket.model.states import JobState


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer with nothing to say beside its status."""


class ProjectList(Answer, frozen=True, kw_only=True):
    """The projects of an account.

    Attributes:
        projects: All of them.
    """

    projects: tuple[ProjectBody, ...]


class TokenList(Answer, frozen=True, kw_only=True):
    """The tokens of an account that still sign in.

    Attributes:
        tokens: All of them.
    """

    tokens: tuple[TokenBody, ...]


class DeviceQueue(Answer, frozen=True, kw_only=True):
    """How long the queue of a device is: an estimate, made at most once a second.

    Attributes:
        length: How many jobs wait.
        starts_in_s: When one that came now would start, in seconds; null while nobody serves.
    """

    length: int
    starts_in_s: float | None


class DeviceBody(Answer, frozen=True, kw_only=True):
    """A device as it stands.

    Attributes:
        name: What submissions call it.
        family: What programs it runs.
        provider: To whom it belongs.
        description: One sentence.
        status: Whether it runs jobs; `away` while no agent is there to run them.
        reason: Why it is off.
        until: When it is to be on again.
        qubits: Widest circuit that it takes here.
        max_shots: Most shots of one job.
        formats: Formats that it reads, the preferred one first.
        gates: Gates that it takes; none are those of the format.
        native_gates: Gates of its machine.
        outputs: What a job may ask for.
        noise_models: Names of noise models that a job may ask for.
        engines: Names of engines that a job may ask for.
        exact: Whether probabilities are exact rather than frequencies.
        calibration: Id of the calibration in force.
        agents: How many agents serve it, where agents do.
        last_seen_at: When an agent was last heard of, where agents serve it.
        queue: Its queue, where one device was asked for.
    """

    name: str
    family: Family
    provider: str
    description: str
    status: Literal["on", "away", "off"]
    reason: str
    until: str | None
    qubits: int
    max_shots: int
    formats: tuple[str, ...]
    gates: tuple[str, ...]
    native_gates: tuple[str, ...]
    outputs: tuple[str, ...]
    noise_models: tuple[str, ...]
    engines: tuple[str, ...]
    exact: bool
    calibration: str | None
    agents: int | msgspec.UnsetType = msgspec.UNSET
    last_seen_at: str | msgspec.UnsetType | None = msgspec.UNSET
    queue: DeviceQueue | msgspec.UnsetType = msgspec.UNSET


class DeviceList(Answer, frozen=True, kw_only=True):
    """The devices of this server, in their order.

    Attributes:
        devices: All of them.
    """

    devices: tuple[DeviceBody, ...]


class CalibrationBody(Calibration, frozen=True, kw_only=True):
    id: str
    device: str


CalibrationBody.__doc__ = f"""{(Calibration.__doc__ or "").rstrip()}
        id: What jobs name it by.
        device: Name of the device.
    """


class JobList(Answer, frozen=True, kw_only=True):
    """A page of jobs, the newest first.

    Attributes:
        jobs: Those of this page.
        next: What `before` the following page is asked for with; null on the last.
    """

    jobs: tuple[JobBody, ...]
    next: int | None


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
    at: str | None
    before: JobState | None = msgspec.field(name="from")
    to: JobState
    reason: str


class EventList(Answer, frozen=True, kw_only=True):
    """What happened to a job.

    Attributes:
        events: In their order.
    """

    events: tuple[EventBody, ...]


ResultBody = msgspec.defstruct(
    "ResultBody",
    [
        ("id", str),
        ("state", JobState),
        ("shots", int),
        ("parts", GenericAlias(tuple, (cooked(OutcomeBody), ...))),
    ],
    bases=(Answer,),
    kw_only=True,
    frozen=True,
)
ResultBody.__doc__ = """What a job gave.

    Attributes:
        id: Of the job.
        state: Its end.
        shots: Of each circuit.
        parts: What each circuit gave, in their order.
    """

PartAnswer = msgspec.defstruct(
    "PartAnswer",
    [("id", str), ("job", str), ("shots", int)],
    bases=(cooked(OutcomeBody),),
    kw_only=True,
    frozen=True,
)
PartAnswer.__doc__ = f"""{(OutcomeBody.__doc__ or "").rstrip()}
        id: Of the part.
        job: Of its job.
        shots: Of each circuit of the job.
    """


class GroupAnswer(Answer, frozen=True, kw_only=True):
    """A group of jobs.

    Attributes:
        id: What submissions name it by.
        name: As it was opened.
        state: Whether it takes jobs.
        device: The only device of its jobs, if it was opened for one.
        jobs_limit: How many jobs it may have.
        created_at: When it was opened.
        expires_at: When it takes no more jobs by itself.
        closed_at: When it was closed.
        jobs: How many it has, where one group was asked for.
        unfinished: How many of them have not ended.
        run_seconds: How long they ran.
    """

    id: str
    name: str
    state: str
    device: str | None
    jobs_limit: int | None
    created_at: str | None
    expires_at: str | None
    closed_at: str | None
    jobs: int | msgspec.UnsetType = msgspec.UNSET
    unfinished: int | msgspec.UnsetType = msgspec.UNSET
    run_seconds: float | msgspec.UnsetType = msgspec.UNSET


class GroupList(Answer, frozen=True, kw_only=True):
    """A page of groups, the newest first.

    Attributes:
        groups: Those of this page.
        next: What `before` the following page is asked for with; null on the last.
    """

    groups: tuple[GroupAnswer, ...]
    next: int | None


class CancelledBody(Answer, frozen=True, kw_only=True):
    """What was cancelled of a group.

    Attributes:
        cancelled: Ids of its jobs.
    """

    cancelled: tuple[str, ...]


class AnnouncedBody(Answer, frozen=True, kw_only=True):
    """A lab's device as it was announced.

    Attributes:
        name: What submissions call it.
        family: What programs it runs.
        provider: To whom it belongs: the account that announced it first.
        doors: Which dialects show it.
        spec: What it can do.
    """

    name: str
    family: Family
    provider: str
    doors: tuple[str, ...]
    spec: DeviceSpec


class CalibratedBody(Answer, frozen=True, kw_only=True):
    """A calibration that was taken.

    Attributes:
        valid_from: From when on it holds.
    """

    valid_from: datetime


class LeaseBody(Answer, frozen=True, kw_only=True):
    """The right to run a job.

    Attributes:
        id: Of the job.
        fence: A number that only rises.
        nonce: A random text.
    """

    id: str
    fence: int
    nonce: str


class ClaimedBody(Answer, frozen=True, kw_only=True):
    """A job to run, or none.

    Attributes:
        lease: The right to run it; null when no job came.
        renew_s: In which time the agent must be heard of again, in seconds.
        device: Name of the device.
        family: What kind of circuits these are.
        format: Of the source.
        source: The program as it was submitted.
        inputs: Values of its inputs; angles in radians.
        shots: Of each circuit.
        seed: Of random numbers, if the device takes one.
        outputs: What is wanted.
        circuits: The same read and checked: base64 of msgpack, as docs/agents.md has it.
        attempts: How often the job's worker died of it before.
        outcome_bytes: Size of the largest body that brings its results.
    """

    lease: LeaseBody | None
    renew_s: float
    device: str | msgspec.UnsetType = msgspec.UNSET
    family: Family | msgspec.UnsetType = msgspec.UNSET
    format: str | msgspec.UnsetType = msgspec.UNSET
    source: str | msgspec.UnsetType = msgspec.UNSET
    inputs: dict[str, float] | msgspec.UnsetType = msgspec.UNSET
    shots: int | msgspec.UnsetType = msgspec.UNSET
    seed: int | msgspec.UnsetType = msgspec.UNSET
    outputs: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    circuits: str | msgspec.UnsetType = msgspec.UNSET
    attempts: int | msgspec.UnsetType = msgspec.UNSET
    outcome_bytes: int | msgspec.UnsetType = msgspec.UNSET


class OrdersBody(Answer, frozen=True, kw_only=True):
    """What an agent is to do with what it holds.

    Attributes:
        orders: By job: `go on`, `stop` or `lost`.
        renew_s: In which time the agent must be heard of again, in seconds.
    """

    orders: dict[str, Literal["go on", "stop", "lost"]]
    renew_s: float


class JobEnd(Answer, frozen=True, kw_only=True):
    """How a job stands after its agent told of it.

    Attributes:
        id: Of the job.
        state: Where it stands.
    """

    id: str
    state: JobState
