"""Translates between the native API's JSON (`qwicket.schema`) and the values of the model."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import UNSET, structs

from qwicket import schema
from qwicket.circuits.mitigation import runs
from qwicket.circuits.outcomes import (
    COUNTS,
    EVS,
    MEMORY,
    OUTPUTS,
    PROBABILITIES,
    SAMPLES,
    STDS,
    Outcome,
)
from qwicket.dialects.bodies import check_document, decode, decode_field
from qwicket.dialects.streaming import raw_list, raw_object
from qwicket.model.choices import BEST, Weights
from qwicket.model.errors import InvalidRequest, NotFound, QwicketError
from qwicket.model.failures import Failure
from qwicket.model.ids import part_id
from qwicket.model.jobs import Job, NewJob, Progress, Submission, runner_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from msgspec import UnsetType

    from qwicket.circuits.calibrations import Calibrated
    from qwicket.gateway import DeviceView
    from qwicket.model.groups import Group, GroupUse
    from qwicket.model.limits import Limits
    from qwicket.model.reservations import Window
    from qwicket.scheduling import Forecast, QueuePosition
    from qwicket.store import JobEvent

DIALECT: Final = "native"
_MAX_PAUSE_S: Final = 30.0
"""Longest time between two polls of a job that the server advises."""
PROBLEM_TYPE: Final = "application/problem+json"

_Outputs = Annotated[tuple[str, ...], msgspec.Meta(max_length=len(OUTPUTS))]


_submit_decoder: Final = msgspec.json.Decoder(schema.jobs.SubmitBody)
_choice_decoder: Final = msgspec.json.Decoder(schema.jobs.ChoiceBody)
_inputs_decoder: Final = msgspec.json.Decoder(dict[str, float])
_outputs_decoder: Final = msgspec.json.Decoder(_Outputs)
_device_decoder: Final = msgspec.json.Decoder(str | tuple[str, ...])
_tags_decoder: Final = msgspec.json.Decoder(tuple[str, ...])


def submission(text: bytes, limits: Limits) -> Submission:
    """Return the submission in a request's body.

    Raises:
        InvalidRequest: The body is malformed; `field` names the field.
        LimitExceeded: A field is too large, too deep or has too many keys.
    """
    body = decode(text, _submit_decoder)
    inputs: dict[str, float] = {}
    outputs: tuple[str, ...] = (COUNTS,)
    tags: tuple[str, ...] = ()
    if bytes(body.inputs) != b"{}":
        check_document(body.inputs, "inputs", limits)
        inputs = decode_field(body.inputs, _inputs_decoder, "inputs")
    if bytes(body.outputs) != b'["counts"]':
        check_document(body.outputs, "outputs", limits)
        outputs = decode_field(body.outputs, _outputs_decoder, "outputs")
    if bytes(body.tags) != b"[]":
        check_document(body.tags, "tags", limits)
        tags = decode_field(body.tags, _tags_decoder, "tags")
    check_document(body.device, "device", limits)
    device = decode_field(body.device, _device_decoder, "device")
    chosen = candidates(device)
    if body.weights is not None and not chosen:
        raise InvalidRequest(
            f"weights: the server chooses a device only from a list, or with device {BEST!r}.",
            field="weights",
        )
    return Submission(
        dialect=DIALECT,
        device=device if isinstance(device, str) else "",
        candidates=chosen,
        weights=None if body.weights is None else Weights(**structs.asdict(body.weights)),
        format=body.format or "",
        source=source(body.program),
        shots=body.shots,
        seed=body.seed,
        noise=body.noise,
        engine=body.engine,
        inputs=inputs,
        outputs=outputs,
        name=body.name,
        tags=tags,
        priority=body.priority,
        group=body.group,
    )


def candidates(device: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return the devices among which the server chooses, or `BEST`; empty for one device.

    Raises:
        InvalidRequest: The list is empty.
    """
    if isinstance(device, str):
        return (BEST,) if device == BEST else ()
    if not device:
        raise InvalidRequest("device: the list has no device.", field="device")
    return device


def source(program: msgspec.Raw) -> bytes:
    """Return a program that was sent as text, or as JSON in place of text."""
    raw = bytes(program)
    if raw[:1] != b'"':
        return raw
    text: str = msgspec.json.decode(raw)
    return text.encode()


def job(
    job: Job,
    server_url: str,
    position: QueuePosition | None = None,
    progress: Progress | None = None,
) -> schema.jobs.JobBody:
    """Return a job.

    Args:
        job: The job.
        server_url: URL of the server, for the job's page; "" for a document of no server.
        position: Its position in the queue, if known.
        progress: Its progress, if known.
    """
    error, queue = None, None
    if job.error_code:
        error = schema.jobs.ErrorBody(job.error_code, job.error_text or "")
    if position:
        earliest_s, latest_s = position.interval or (None, None)
        queue = schema.jobs.QueueBody(
            position=position.ahead + 1,
            starts_in_s=_rounded(position.start_in_s),
            starts_after_s=_rounded(earliest_s),
            starts_before_s=_rounded(latest_s),
            reason=position.reason,
            reasons=position.reasons,
        )
    return schema.jobs.JobBody(
        id=job.id,
        url=f"{server_url}/ui/jobs/{job.id}" if server_url else None,
        state=job.state,
        version=job.version,
        device=job.device,
        dialect=job.dialect,
        group=job.group,
        name=job.name,
        tags=job.tags,
        shots=job.shots,
        circuits=job.n_circuits,
        qubits=job.n_qubits,
        priority=job.priority,
        held_by=job.held_by if job.held_by and job.is_held else None,
        attempts=job.attempts,
        calibration=job.calibration,
        cost=None if job.cost is None else job.credits,
        created_at=iso_time(job.created_at),
        queued_at=iso_time(job.queued_at),
        started_at=None if job.started_at is None else iso_time(job.started_at),
        ended_at=None if job.ended_at is None else iso_time(job.ended_at),
        results_at=(
            None
            if job.withheld_until is None or job.state.is_final
            else iso_time(job.withheld_until)
        ),
        error=error,
        queue=queue,
        progress=schema.jobs.ProgressBody(progress.done, progress.text) if progress else None,
        runner=None if job.runner is None else runner_name(job.runner),
        slurm=slurm(job),
        choice=choice(job),
    )


def choice(job: Job | NewJob) -> schema.jobs.ChoiceBody | None:
    """Return how the server chose the device of a job, if it did."""
    return None if job.choice is None else _choice_decoder.decode(job.choice)


def without_choice(job: Job) -> Job:
    """Return a job for a list, a stream or a stranger, who need not read of other devices."""
    return job if job.choice is None else structs.replace(job, choice=None)


def slurm(job: Job) -> schema.jobs.SlurmBody | None:
    """Return what a job's client said of Slurm, if it said anything."""
    if job.slurm_job or job.slurm_account:
        return schema.jobs.SlurmBody(job=job.slurm_job, account=job.slurm_account)
    return None


def poll_after_s(job: Job, position: QueuePosition | None) -> int | None:
    """Return the seconds until the next useful poll of a job; None when it has ended."""
    if job.state.is_final:
        return None
    wait_s = position.start_in_s if position and position.start_in_s else 1.0
    return round(min(max(wait_s, 1.0), _MAX_PAUSE_S))


def job_list(jobs: list[Job], limit: int, server_url: str) -> schema.jobs.JobList:
    """Return a page of jobs. `next` is the `before` of the following page; null if not full."""
    following = jobs[-1].seq if len(jobs) == limit else None
    listed = (job(without_choice(each), server_url) for each in jobs)
    return schema.jobs.JobList(jobs=_list(listed), next=following)


def events(events: list[JobEvent]) -> schema.jobs.EventList:
    return schema.jobs.EventList(
        events=tuple(
            schema.jobs.EventBody(
                version=event.version,
                at=iso_time(event.at),
                before=event.before,
                to=event.after,
                reason=event.reason,
            )
            for event in events
        )
    )


def group(group: Group, use: GroupUse | None = None) -> schema.groups.GroupBody:
    """Return a group, with the usage of its jobs if it is given."""
    return schema.groups.GroupBody(
        id=group.id,
        name=group.name,
        state=group.state,
        device=group.device,
        jobs_limit=group.jobs_limit,
        created_at=iso_time(group.created_at),
        expires_at=iso_time(group.expires_at),
        closed_at=iso_time(group.closed_at),
        jobs=use.jobs if use else UNSET,
        unfinished=use.unfinished if use else UNSET,
        run_seconds=use.run_ms / 1000 if use else UNSET,
    )


def group_list(groups: list[Group], limit: int) -> schema.groups.GroupList:
    following = groups[-1].seq if len(groups) == limit else None
    return schema.groups.GroupList(groups=tuple(group(each) for each in groups), next=following)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def device(
    view: DeviceView,
    forecast: Forecast | None = None,
    windows: Iterable[Window] = (),
    project: str = "",
) -> schema.devices.DeviceBody:
    """Return a device; with a forecast, also its queue for a project and its reservations."""
    device, spec, status, presence = view.device, view.device.spec, view.status, view.presence
    queue: schema.devices.DeviceQueue | UnsetType = UNSET
    if forecast:
        earliest_s, latest_s = forecast.new_job_interval or (None, None)
        queue = schema.devices.DeviceQueue(
            length=forecast.n_waiting,
            starts_in_s=_rounded(forecast.new_job_start_in_s(project)),
            starts_after_s=_rounded(earliest_s),
            starts_before_s=_rounded(latest_s),
        )
    return schema.devices.DeviceBody(
        name=device.name,
        family=device.family,
        provider=device.provider,
        description=spec.description,
        status=_status(view),
        reason=status.reason,
        until=iso_time(status.until_at),
        qubits=view.qubits,
        max_shots=view.max_shots,
        formats=spec.formats,
        gates=spec.gates,
        native_gates=spec.native_gates,
        outputs=spec.outputs,
        noise_models=spec.noise_models,
        engines=view.engines,
        exact=spec.exact,
        calibration=view.calibration.id if view.calibration else None,
        cost=schema.devices.CostBody(**msgspec.structs.asdict(spec.cost)) if spec.cost else None,
        agents=presence.agents if presence else UNSET,
        last_seen_at=iso_time(presence.seen_at) if presence else UNSET,
        message=status.message,
        queue=queue,
        reservations=tuple(map(_reservation, windows)) if forecast else UNSET,
    )


def _reservation(window: Window) -> schema.devices.ReservationPart:
    reservation = window.reservation
    return schema.devices.ReservationPart(
        kind=reservation.kind,
        begin=iso_time(reservation.from_at),
        until=iso_time(reservation.until_at),
        projects=window.projects,
        slots=reservation.slots,
        reason=reservation.reason,
    )


def _status(view: DeviceView) -> str:
    """Return the status of a device: that which is set, or `away` if it is on without an agent."""
    state = view.status.state
    return "away" if state == "on" and not view.is_online else state


def calibration(calibrated: Calibrated) -> dict[str, Any]:
    """Return a calibration with its id and its device."""
    return {
        "id": calibrated.id,
        "device": calibrated.device,
        **msgspec.to_builtins(calibrated.body),
    }


def result(job: Job, parts: list[Outcome | Failure]) -> schema.results.ResultBody:
    return schema.results.ResultBody(
        id=job.id,
        state=job.state,
        shots=job.shots,
        parts=tuple(outcome(number, part) for number, part in enumerate(parts)),
    )


def submission_body(
    submitted: Job, parts: list[Outcome | Failure], server_url: str
) -> schema.results.SubmittedBody:
    """Return a job that has ended, with its result, as the response to its submission."""
    fields = msgspec.structs.asdict(job(submitted, server_url))
    return schema.results.SubmittedBody(**fields, result=result(submitted, parts))


def part(
    job: Job, number: int, result: Outcome | Failure, mitigated: bytes | None = None
) -> dict[str, Any]:
    """Return the outcome of one circuit, with the ids of the part and of its job.

    Args:
        job: The job.
        number: Index of the circuit.
        result: Its result.
        mitigated: JSON of its quasi-probabilities, if they were requested.
    """
    body = msgspec.structs.asdict(outcome(number, result))
    if mitigated is not None:
        body["quasi_probabilities"] = msgspec.Raw(mitigated)
    fields = {name: value for name, value in body.items() if value is not None}
    return {"id": part_id(job.id, number), "job": job.id, "shots": job.shots, **fields}


def part_number(text: str, job: Job) -> int:
    """Return a part's number from a path.

    Raises:
        NotFound: The job has no such part.
    """
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(job.n_circuits))
    if not is_number or int(text) >= job.n_circuits:
        raise NotFound("The job has no such part.")
    return int(text)


def outcome(number: int, part: Outcome | Failure) -> schema.results.OutcomeBody:
    """Return the outcome of one circuit."""
    if isinstance(part, Failure):
        error = schema.jobs.ErrorBody(part.code, part.message)
        return schema.results.OutcomeBody(part=number, error=error)
    width, has = part.n_bits, part.arrays
    return schema.results.OutcomeBody(
        part=number,
        registers=tuple((register.name, register.size) for register in part.registers),
        counts=_keyed(part.each_count(), width) if COUNTS in has else None,
        probabilities=_keyed(part.each_probability(), width) if PROBABILITIES in has else None,
        memory=_list(_bits(key, width) for key in part.each_shot()) if MEMORY in has else None,
        samples=_list(part.each_sample()) if SAMPLES in has else None,
        evs=_list(part.evs()) if EVS in has else None,
        stds=_list(part.stds()) if STDS in has else None,
        mitigation=_mitigation(part) if runs.RUNS in has else None,
        engine=part.engine,
        engine_version=part.engine_version,
        seed=part.seed,
        seconds=part.seconds,
        notes=part.notes,
    )


def _mitigation(part: Outcome) -> schema.results.MitigationBody:
    circuits, shots = part.integers(runs.RUNS)
    if runs.NOISE_FACTORS not in part.arrays:
        return schema.results.MitigationBody(circuits=circuits, shots=shots)
    return schema.results.MitigationBody(
        circuits=circuits,
        shots=shots,
        noise_factors=part.floats(runs.NOISE_FACTORS),
        evs_noise_factors=_list(part.each_row_of(runs.EVS_NOISE_FACTORS)),
        stds_noise_factors=_list(part.each_row_of(runs.STDS_NOISE_FACTORS)),
    )


# Large lists and objects are encoded in slices. The struct holds their JSON instead of the value,
# so these two return `Any`.
def _keyed(rows: Iterable[tuple[int, float]], width: int) -> Any:
    return raw_object((_bits(key, width), value) for key, value in rows)


def _list(items: Iterable[Any]) -> Any:
    return raw_list(items)


def _bits(key: int, width: int) -> str:
    return format(key, f"0{width}b") if width else ""


def iso_time(at_ms: int | None) -> str | None:
    """Return Unix milliseconds in ISO 8601 with an offset of +00:00; None stays None."""
    if at_ms is None:
        return None
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")


def problem(error: QwicketError, public_url: str = "") -> bytes:
    """Return the body of an error: code, cause and remedy.

    Args:
        error: The error.
        public_url: URL of the server, for the page about the code. Without it `type` is a path,
            which clients resolve against the URL of the request (RFC 9457, 3.1.1).
    """
    body = schema.problems.Problem(
        type=f"{public_url}/docs/errors/{error.code}",
        title=error.title,
        status=error.status,
        code=error.code,
        detail=error.detail,
        remedy=error.remedy,
        field=error.field or "",
    )
    return msgspec.json.encode(body)
