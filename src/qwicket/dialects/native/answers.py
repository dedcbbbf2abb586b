"""What `/v1` answers of devices, groups, lists and results, as typed structs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, UnsetType

from qwicket.dialects.native.wire import (
    JobBody,
    OutcomeBody,
    job,
    outcome,
    rounded,
    time,
)
from qwicket.model.calibrations import Calibration
from qwicket.model.devices import Family
from qwicket.model.ids import part_id
from qwicket.model.outcomes import Failure, Outcome
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from qwicket.gateway import DeviceView
    from qwicket.model.calibrations import Calibrated
    from qwicket.model.groups import Group, GroupUse
    from qwicket.model.jobs import Job
    from qwicket.scheduling import Outlook
    from qwicket.store import JobEvent


class JobPage(msgspec.Struct, frozen=True):
    """One page of jobs, the newest first.

    Attributes:
        jobs: At most as many as were asked for.
        next: The `before` of the following page; null on the last.
    """

    jobs: list[JobBody]
    next: int | None


class EventBody(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to a job.

    Attributes:
        version: Of the job, since then.
        at: When it was.
        from: State before; null at the beginning.
        to: State since.
        reason: Why.
    """

    version: int
    at: str | None
    before: JobState | None = msgspec.field(name="from")
    after: JobState = msgspec.field(name="to")
    reason: str


class EventsBody(msgspec.Struct, frozen=True):
    """What happened to a job beside the usual.

    Attributes:
        events: In their order.
    """

    events: list[EventBody]


class GroupAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A group of jobs. Times are ISO 8601 in UTC, or null.

    Attributes:
        id: Of the group.
        name: As it was named.
        state: `open` while it takes jobs.
        device: The only device of its jobs, if there is one.
        jobs_limit: How many jobs it may have.
        created_at: When it was opened.
        expires_at: When it takes no more jobs by itself.
        closed_at: When it was closed.
        jobs: How many jobs it has, where that was counted.
        unfinished: How many of them have not ended.
        run_seconds: That they ran together.
    """

    id: str
    name: str
    state: str
    device: str | None
    jobs_limit: int | None
    created_at: str | None
    expires_at: str | None
    closed_at: str | None
    jobs: int | UnsetType = UNSET
    unfinished: int | UnsetType = UNSET
    run_seconds: float | UnsetType = UNSET


class GroupPage(msgspec.Struct, frozen=True):
    """One page of groups, the newest first.

    Attributes:
        groups: At most as many as were asked for.
        next: The `before` of the following page; null on the last.
    """

    groups: list[GroupAnswer]
    next: int | None


class CancelledBody(msgspec.Struct, frozen=True):
    """What cancelling a group came to.

    Attributes:
        cancelled: Ids of the jobs that were cancelled, or asked to stop.
    """

    cancelled: list[str]


class OutlookBody(msgspec.Struct, frozen=True):
    """How long a device's queue is.

    Attributes:
        length: How many jobs wait.
        starts_in_s: Seconds after which a job that came now would start; null while nobody serves.
    """

    length: int
    starts_in_s: float | None


class DeviceBody(msgspec.Struct, frozen=True, kw_only=True):
    """A device.

    Attributes:
        name: Of the device.
        family: What programs it runs.
        provider: To whom it belongs.
        description: One sentence.
        status: `on`; `away` while nobody is there to run its jobs; `off`.
        reason: Why it is off.
        until: When it is on again by itself.
        qubits: Widest circuit that it takes here.
        max_shots: Most shots of one job.
        formats: Formats that it reads, the preferred one first.
        gates: Names of the gates that it takes.
        native_gates: Those of its machine.
        outputs: What a job may ask for.
        noise_models: Names of the noise models that a job may ask for.
        engines: Names of the engines that a job may ask for.
        exact: Whether probabilities are exact rather than frequencies.
        calibration: Id of the calibration in force.
        agents: How many of a lab's agents serve it, where they do.
        last_seen_at: When one was last heard of.
        queue: How long its queue is, of one device.
    """

    name: str
    family: Family
    provider: str
    description: str
    status: str
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
    agents: int | UnsetType = UNSET
    last_seen_at: str | UnsetType | None = UNSET
    queue: OutlookBody | UnsetType = UNSET


class DevicesBody(msgspec.Struct, frozen=True):
    """All devices.

    Attributes:
        devices: In the order in which they are listed everywhere.
    """

    devices: list[DeviceBody]


class ResultBody(msgspec.Struct, frozen=True):
    """What a job gave.

    Attributes:
        id: Of the job.
        state: In which it ended.
        shots: Of each circuit.
        parts: What each circuit gave, in their order.
    """

    id: str
    state: JobState
    shots: int
    parts: list[OutcomeBody]


class OnePartBody(OutcomeBody, frozen=True, kw_only=True):
    """What one circuit gave, beside the id of the part and of its job.

    Attributes:
        id: Of the part: computed from that of the job.
        job: Id of the job.
        shots: Of the circuit.
        part: Which circuit, from 0.
        error: Why there is no outcome.
        registers: Names and sizes of the classical registers.
        counts: How often each key was read.
        probabilities: Of each key: exact where the device is, else frequencies.
        memory: The key of each shot, in their order.
        samples: The numbers of each shot.
        engine: What ran it.
        engine_version: Of which version.
        seed: Of its random numbers.
        seconds: That it took.
        notes: What is to be known of it, such as `sampled_only`.
    """

    id: str
    job: str
    shots: int


class CalibrationBody(Calibration, frozen=True, kw_only=True):
    """What was measured of a device.

    Attributes:
        id: Of the calibration; jobs name it.
        device: Name of the device.
        valid_from: From when on it holds.
        source: Where the figures are from, in words.
        qubit: The average qubit.
        one_qubit: The average gate on one qubit.
        two_qubit: The average gate on two qubits.
        qubits: Qubits with figures of their own.
        pairs: Pairs with figures of their own.
        connectivity: Pairs that a gate can act on; null is all.
        readout_s: How long a measurement takes.
        reset_s: How long it takes to prepare |0⟩.
        relaxes_to: Where qubits end when they are left alone.
    """

    id: str
    device: str


def job_list(jobs: list[Job], limit: int) -> JobPage:
    """Return one page; `next` is the `before` of the following one, null on the last."""
    return JobPage([job(each) for each in jobs], jobs[-1].seq if len(jobs) == limit else None)


def events(of: list[JobEvent]) -> EventsBody:
    return EventsBody(
        [
            EventBody(
                version=event.version,
                at=time(event.at),
                before=JobState(event.before) if event.before else None,
                after=JobState(event.after),
                reason=event.reason,
            )
            for event in of
        ]
    )


def group(group: Group, use: GroupUse | None = None) -> GroupAnswer:
    """Return a group, with what its jobs came to where that was counted."""
    return GroupAnswer(
        id=group.id,
        name=group.name,
        state=group.state,
        device=group.device,
        jobs_limit=group.jobs_limit,
        created_at=time(group.created_at),
        expires_at=time(group.expires_at),
        closed_at=time(group.closed_at),
        jobs=UNSET if use is None else use.jobs,
        unfinished=UNSET if use is None else use.unfinished,
        run_seconds=UNSET if use is None else use.run_ms / 1000,
    )


def group_list(groups: list[Group], limit: int) -> GroupPage:
    following = groups[-1].seq if len(groups) == limit else None
    return GroupPage([group(each) for each in groups], following)


def device(view: DeviceView, outlook: Outlook | None = None) -> DeviceBody:
    """Return a device, with how long its queue is where that was looked up."""
    device, status, presence = view.device, view.status, view.presence
    return DeviceBody(
        name=device.name,
        family=device.family,
        provider=device.provider,
        description=device.spec.description,
        status=_standing(view),
        reason=status.reason,
        until=time(status.until_at),
        qubits=view.qubits,
        max_shots=device.spec.max_shots,
        formats=device.spec.formats,
        gates=device.spec.gates,
        native_gates=device.spec.native_gates,
        outputs=device.spec.outputs,
        noise_models=device.spec.noise_models,
        engines=tuple(view.engines),
        exact=device.spec.exact,
        calibration=view.calibration.id if view.calibration else None,
        agents=UNSET if presence is None else presence.agents,
        last_seen_at=UNSET if presence is None else time(presence.seen_at),
        queue=UNSET if outlook is None else _queue(outlook),
    )


def _queue(outlook: Outlook) -> OutlookBody:
    return OutlookBody(len(outlook.places), rounded(outlook.start_in_s))


def _standing(view: DeviceView) -> str:
    """Say how a device stands: `on`; `away` while no agent is there to run its jobs; `off`."""
    if view.is_online:
        return "on"
    return "away" if view.status.is_on else "off"


def calibration(found: Calibrated) -> dict[str, Any]:
    """Return a calibration: its id and device, and its figures as its file words them."""
    return {"id": found.id, "device": found.device, **msgspec.to_builtins(found.body)}


def result(of: Job, parts: list[Outcome | Failure]) -> ResultBody:
    """Return what a job gave, part by part."""
    given = [outcome(number, part) for number, part in enumerate(parts)]
    return ResultBody(of.id, of.state, of.shots, given)


def part(of: Job, number: int, part: Outcome | Failure) -> dict[str, Any]:
    """Return what one circuit gave, beside the id of the part and of its job."""
    body = msgspec.structs.asdict(outcome(number, part))
    told = {name: value for name, value in body.items() if value is not None}
    return {"id": part_id(of.id, number), "job": of.id, "shots": of.shots, **told}
