"""The native API's JSON as typed structs, and its problem bodies (RFC 9457)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from qwicket.dialects.bodies import check_document, decode, decode_field
from qwicket.dialects.pieces import raw_list, raw_object
from qwicket.model.errors import NotFound, QwicketError
from qwicket.model.ids import part_id
from qwicket.model.jobs import Job, Progress, Submission
from qwicket.model.limits import INT64_MAX
from qwicket.model.outcomes import (
    COUNTS,
    EVS,
    MEMORY,
    OUTPUTS,
    PROBABILITIES,
    SAMPLES,
    STDS,
    Failure,
    Outcome,
)
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qwicket.gateway import DeviceView
    from qwicket.model.calibrations import Calibrated
    from qwicket.model.devices import Presence
    from qwicket.model.groups import Group, GroupUse
    from qwicket.model.limits import Limits
    from qwicket.scheduling import Outlook, Place
    from qwicket.store import JobEvent

DOOR: Final = "native"
_MOST_PAUSE_S: Final = 30.0
PROBLEM_TYPE: Final = "application/problem+json"

_Shots = Annotated[int, msgspec.Meta(ge=1, le=INT64_MAX)]
_Seed = Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)]
_Priority = Annotated[int, msgspec.Meta(ge=-100, le=100)]
_Outputs = Annotated[tuple[str, ...], msgspec.Meta(max_length=len(OUTPUTS))]


class SubmitBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/jobs`: a program for a device.

    What may have any number of items stays raw until its size is known: items are made at a
    million a second, and nothing else runs meanwhile.

    Attributes:
        device: Name of the device.
        program: Its text, or for JSON formats the object itself.
        format: Its format; by default told from the program itself.
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
    shots: _Shots = 1000
    seed: _Seed | None = None
    noise: str | None = None
    engine: str = ""
    inputs: msgspec.Raw = msgspec.Raw(b"{}")
    outputs: msgspec.Raw = msgspec.Raw(b'["counts"]')
    name: str = ""
    tags: msgspec.Raw = msgspec.Raw(b"[]")
    priority: _Priority = 0
    group: str | None = None


_submit_decoder: Final = msgspec.json.Decoder(SubmitBody)
_inputs_decoder: Final = msgspec.json.Decoder(dict[str, float])
_outputs_decoder: Final = msgspec.json.Decoder(_Outputs)
_tags_decoder: Final = msgspec.json.Decoder(tuple[str, ...])


class ErrorBody(msgspec.Struct, frozen=True):
    """Why a job, or a part of it, has no outcome.

    Attributes:
        code: Stable; `/docs/errors/<code>` says more.
        message: For people.
    """

    code: str
    message: str


class QueueBody(msgspec.Struct, frozen=True):
    """Where a waiting job is expected to stand: an estimate, made at most once a second.

    Attributes:
        position: In the queue, from 1.
        starts_in_s: Seconds from now; null while nobody serves the device.
    """

    position: int
    starts_in_s: float | None


class ProgressBody(msgspec.Struct, frozen=True):
    """How far a lab's agent says that it is.

    Attributes:
        done: From 0 to 1.
        text: In words.
    """

    done: float
    text: str


class GroupBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/groups`: jobs that belong together.

    Attributes:
        name: For people.
        device: If given, the only device of its jobs.
        jobs_limit: How many jobs it may have.
        life_s: After how many seconds it takes no more jobs.
    """

    name: str = ""
    device: str | None = None
    jobs_limit: Annotated[int, msgspec.Meta(ge=1, le=INT64_MAX)] | None = None
    life_s: Annotated[float, msgspec.Meta(gt=0)] | None = None


group_decoder: Final = msgspec.json.Decoder(GroupBody)


class JobBody(msgspec.Struct, frozen=True, kw_only=True):
    """One job. Times are ISO 8601 in UTC, or null.

    Attributes:
        id: Of the job; `client.job(id)` finds it again.
        state: Where it stands.
        version: Rises with each change.
        device: Name of its device.
        door: Through which dialect it came.
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

    id: str
    state: JobState
    version: int
    device: str
    door: str
    group: str | None
    name: str
    tags: tuple[str, ...]
    shots: int
    circuits: int
    qubits: int
    priority: int
    attempts: int
    calibration: str | None
    created_at: str | None
    queued_at: str | None
    started_at: str | None
    ended_at: str | None
    error: ErrorBody | None
    queue: QueueBody | None
    progress: ProgressBody | None


class OutcomeBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one circuit gave. Keys are bit texts, the highest classical bit first.

    `samples` are numbers where outcomes are no bits: a list per shot, a column per measurement,
    a complex number as its real and imaginary part.

    Attributes:
        part: Which circuit, from 0.
        error: Why there is no outcome.
        registers: Names and sizes of the classical registers.
        counts: How often each key was read.
        probabilities: Of each key: exact where the device is, else frequencies.
        memory: The key of each shot, in their order.
        samples: The numbers of each shot.
        evs: Expectation values, where a program asks for those.
        stds: The standard error of each.
        engine: What ran it.
        engine_version: Of which version.
        seed: Of its random numbers.
        seconds: That it took.
        notes: What is to be known of it, such as `sampled_only`.
    """

    part: int
    error: ErrorBody | None = None
    registers: tuple[tuple[str, int], ...] = ()
    counts: msgspec.Raw | None = None
    probabilities: msgspec.Raw | None = None
    memory: msgspec.Raw | None = None
    samples: msgspec.Raw | None = None
    evs: msgspec.Raw | None = None
    stds: msgspec.Raw | None = None
    engine: str = ""
    engine_version: str = ""
    seed: int | None = None
    seconds: float | None = None
    notes: tuple[str, ...] = ()


def submission(text: bytes, limits: Limits) -> Submission:
    """Return what the gateway takes of a request's body.

    Raises:
        InvalidRequest: It is malformed; `field` says where.
        LimitExceeded: A field has too many items.
    """
    body = decode(text, _submit_decoder)
    for field in ("inputs", "outputs", "tags"):
        check_document(bytes(getattr(body, field)), field, limits)
    return Submission(
        door=DOOR,
        device=body.device,
        format=body.format or "",
        source=_source(body.program),
        shots=body.shots,
        seed=body.seed,
        noise=body.noise,
        engine=body.engine,
        inputs=decode_field(body.inputs, _inputs_decoder, "inputs"),
        outputs=decode_field(body.outputs, _outputs_decoder, "outputs"),
        name=body.name,
        tags=decode_field(body.tags, _tags_decoder, "tags"),
        priority=body.priority,
        group=body.group,
    )


def _source(program: msgspec.Raw) -> bytes:
    raw = bytes(program)
    if raw[:1] != b'"':
        return raw
    text: str = msgspec.json.decode(raw)
    return text.encode()


def job(job: Job, place: Place | None = None, progress: Progress | None = None) -> JobBody:
    """Return a job, with its place in the queue, or its progress, where that was looked up."""
    return JobBody(
        id=job.id,
        state=job.state,
        version=job.version,
        device=job.device,
        door=job.door,
        group=job.group,
        name=job.name,
        tags=job.tags,
        shots=job.shots,
        circuits=job.n_circuits,
        qubits=job.n_qubits,
        priority=job.priority,
        attempts=job.attempts,
        calibration=job.calibration,
        created_at=time(job.created_at),
        queued_at=time(job.queued_at),
        started_at=time(job.started_at),
        ended_at=time(job.ended_at),
        error=ErrorBody(job.error_code, job.error_text or "") if job.error_code else None,
        queue=QueueBody(place.ahead + 1, _rounded(place.start_in_s)) if place else None,
        progress=ProgressBody(progress.done, progress.text) if progress else None,
    )


def pause(of: Job, place: Place | None) -> int | None:
    """Return in how many seconds it is worth to ask for a job again; None when it has ended."""
    if of.state.is_final:
        return None
    wait_s = place.start_in_s if place and place.start_in_s else 1.0
    return round(min(max(wait_s, 1.0), _MOST_PAUSE_S))


def job_list(jobs: list[Job], limit: int) -> dict[str, Any]:
    """Return one page; `next` is the `before` of the following one, null on the last."""
    return {
        "jobs": raw_list(job(each) for each in jobs),
        "next": jobs[-1].seq if len(jobs) == limit else None,
    }


def events(of: list[JobEvent]) -> dict[str, Any]:
    return {
        "events": [
            {
                "version": event.version,
                "at": time(event.at),
                "from": event.before,
                "to": event.after,
                "reason": event.reason,
            }
            for event in of
        ]
    }


def group(group: Group, use: GroupUse | None = None) -> dict[str, Any]:
    """Return a group, with what its jobs came to where that was counted."""
    body: dict[str, Any] = {
        "id": group.id,
        "name": group.name,
        "state": group.state,
        "device": group.device,
        "jobs_limit": group.jobs_limit,
        "created_at": time(group.created_at),
        "expires_at": time(group.expires_at),
        "closed_at": time(group.closed_at),
    }
    if use is not None:
        body["jobs"] = use.jobs
        body["unfinished"] = use.unfinished
        body["run_seconds"] = use.run_ms / 1000
    return body


def group_list(groups: list[Group], limit: int) -> dict[str, Any]:
    return {
        "groups": [group(each) for each in groups],
        "next": groups[-1].seq if len(groups) == limit else None,
    }


def queue(outlook: Outlook) -> dict[str, Any]:
    return {"length": len(outlook.places), "starts_in_s": _rounded(outlook.start_in_s)}


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def device(view: DeviceView, outlook: Outlook | None = None) -> dict[str, Any]:
    """Return a device, with how long its queue is where that was looked up."""
    device, status = view.device, view.status
    return {
        "name": device.name,
        "family": device.family,
        "provider": device.provider,
        "description": device.spec.description,
        "status": _standing(view),
        "reason": status.reason,
        "until": time(status.until_at),
        "qubits": view.qubits,
        "max_shots": view.max_shots,
        "formats": device.spec.formats,
        "gates": device.spec.gates,
        "native_gates": device.spec.native_gates,
        "outputs": device.spec.outputs,
        "noise_models": device.spec.noise_models,
        "engines": view.engines,
        "exact": device.spec.exact,
        "calibration": view.calibration.id if view.calibration else None,
        **(_served(view.presence) if view.presence else {}),
        **({"queue": queue(outlook)} if outlook else {}),
    }


def _standing(view: DeviceView) -> str:
    """Say how a device stands: `on`; `away` while no agent is there to run its jobs; `off`."""
    if view.is_online:
        return "on"
    return "away" if view.status.is_on else "off"


def _served(presence: Presence) -> dict[str, Any]:
    return {"agents": presence.agents, "last_seen_at": time(presence.seen_at)}


def calibration(found: Calibrated) -> dict[str, Any]:
    """Return a calibration: its id and device, and its figures as its file words them."""
    return {"id": found.id, "device": found.device, **msgspec.to_builtins(found.body)}


def result(of: Job, parts: list[Outcome | Failure]) -> dict[str, Any]:
    return {
        "id": of.id,
        "state": of.state,
        "shots": of.shots,
        "parts": [_part(number, part) for number, part in enumerate(parts)],
    }


def part(of: Job, number: int, outcome: Outcome | Failure) -> dict[str, Any]:
    """Return what one circuit gave, beside the id of the part and of its job."""
    body = msgspec.structs.asdict(_part(number, outcome))
    told = {name: value for name, value in body.items() if value is not None}
    return {"id": part_id(of.id, number), "job": of.id, "shots": of.shots, **told}


def part_number(text: str, of: Job) -> int:
    """Return a part's number from a path.

    Raises:
        NotFound: The job has no such part.
    """
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(of.n_circuits))
    if not is_number or int(text) >= of.n_circuits:
        raise NotFound("The job has no such part.")
    return int(text)


def _part(number: int, part: Outcome | Failure) -> OutcomeBody:
    if isinstance(part, Failure):
        return OutcomeBody(part=number, error=ErrorBody(part.code, part.message))
    width, has = part.n_bits, part.arrays
    return OutcomeBody(
        part=number,
        registers=tuple((register.name, register.size) for register in part.registers),
        counts=_keyed(part.each_count(), width) if COUNTS in has else None,
        probabilities=_keyed(part.each_probability(), width) if PROBABILITIES in has else None,
        memory=raw_list(_bits(key, width) for key in part.each_shot()) if MEMORY in has else None,
        samples=raw_list(part.each_sample()) if SAMPLES in has else None,
        evs=raw_list(part.evs()) if EVS in has else None,
        stds=raw_list(part.stds()) if STDS in has else None,
        engine=part.engine,
        engine_version=part.engine_version,
        seed=part.seed,
        seconds=part.seconds,
        notes=part.notes,
    )


def _keyed(rows: Iterable[tuple[int, float]], width: int) -> msgspec.Raw:
    return raw_object((_bits(key, width), value) for key, value in rows)


def _bits(key: int, width: int) -> str:
    return format(key, f"0{width}b") if width else ""


def time(at_ms: int | None) -> str | None:
    if at_ms is None:
        return None
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")


def problem(error: QwicketError, public_url: str = "") -> bytes:
    """Return the body of a refusal or failure: code, cause and remedy.

    Args:
        error: What went wrong.
        public_url: Where the page of its code is; without one its path is told, which is resolved
            against the address that was asked (RFC 9457, 3.1.1).
    """
    body: dict[str, Any] = {
        "type": f"{public_url}/docs/errors/{error.code}",
        "title": error.title,
        "status": error.status,
        "code": error.code,
        "detail": error.detail,
        "remedy": error.remedy,
    }
    if error.field is not None:
        body["field"] = error.field
    return msgspec.json.encode(body)
