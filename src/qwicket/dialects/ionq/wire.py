"""IonQ's JSON, version 0.4, and both translations.

Keys of results are decimal integers as text; qubit 0 is the least significant bit. Result
addresses begin with the version, without prefix or host: clients glue them to their base URL.
"""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from qwicket.dialects.door import check_document, decode, raw_object
from qwicket.model.errors import InvalidRequest, LimitExceeded, QwicketError
from qwicket.model.ids import part_id
from qwicket.model.jobs import Job, Submission
from qwicket.model.limits import INT64_MAX
from qwicket.model.outcomes import COUNTS, PROBABILITIES, Failure, Outcome
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from qwicket.gateway import DeviceView
    from qwicket.model.calibrations import Calibrated
    from qwicket.model.devices import Device
    from qwicket.model.limits import Limits

DOOR: Final = "ionq"
CIRCUIT: Final = "ionq.circuit.v1"
_DEFAULT_SHOTS: Final = 100
_MOST_CHARACTERIZATIONS: Final = 10
_IDEAL: Final = "ideal"
_SAME_NOISE: Final = {"harmony-1": "harmony", "harmony-2": "harmony"}

_Seed = Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)]


class Noise(msgspec.Struct, frozen=True):
    model: str = "ideal"
    seed: _Seed | None = None


class SubmitBody(msgspec.Struct, frozen=True, kw_only=True):
    """`POST /jobs`. Unknown keys are ignored: clients merge their users' extras into the body."""

    backend: str
    input: msgspec.Raw
    type: str = CIRCUIT
    shots: int | str = _DEFAULT_SHOTS
    name: str | None = None
    metadata: msgspec.Raw = msgspec.Raw(b"{}")
    noise: Noise | None = None
    settings: msgspec.Raw = msgspec.Raw(b"{}")
    session_id: str | None = None
    dry_run: bool | None = None


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What only IonQ's clients need back; stored with the job, opaque to everyone else."""

    type: str
    metadata: msgspec.Raw
    noise: Noise
    settings: msgspec.Raw


submit_decoder: Final = msgspec.json.Decoder(SubmitBody)
_kept_decoder: Final = msgspec.json.Decoder(Kept)

_STATUS: Final = {
    JobState.DRAFT: "submitted",
    JobState.QUEUED: "ready",
    JobState.RUNNING: "started",
    JobState.CANCELLING: "started",
    JobState.UNCERTAIN: "started",
    JobState.COMPLETED: "completed",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "canceled",
}

# These two are worded differently from one Python version to the next.
_PHRASES: Final = {413: "Payload Too Large", 422: "Unprocessable Entity"}

_FAILURE_CODES: Final = {
    "out_of_memory": "QuantumCircuitComplexityError",
    "run_time_exceeded": "SimulationTimeout",
    "worker_died": "SimulationError",
}


def submission(text: bytes, limits: Limits) -> Submission:
    """Return what the gateway takes of a request's body.

    Raises:
        InvalidRequest: It is malformed, or asks for something that this server cannot do.
        LimitExceeded: A free-form object is too large.
    """
    body = decode(text, submit_decoder)
    check_document(bytes(body.metadata), "metadata", limits)
    check_document(bytes(body.settings), "settings", limits)
    noise = body.noise or Noise()
    _refuse_unknown(body)
    kept = Kept(
        type=body.type,
        metadata=_document(body.metadata, "metadata"),
        noise=noise,
        settings=_document(body.settings, "settings"),
    )
    return Submission(
        door=DOOR,
        device=body.backend,
        format=body.type,
        source=bytes(body.input),
        shots=_shots(body.shots),
        outputs=(COUNTS, PROBABILITIES),
        seed=noise.seed,
        noise=None if noise.model == _IDEAL else _SAME_NOISE.get(noise.model, noise.model),
        name=body.name or "",
        wire=msgspec.json.encode(kept),
    )


def _refuse_unknown(body: SubmitBody) -> None:
    if body.type != CIRCUIT:
        raise InvalidRequest(f"type: {body.type!r} is not supported, {CIRCUIT!r} is.", field="type")
    if body.session_id is not None:
        raise InvalidRequest("session_id: there is no such session.", field="session_id")
    if body.dry_run:
        raise InvalidRequest("dry_run: this backend compiles nothing.", field="dry_run")


def _document(raw: msgspec.Raw, field: str) -> msgspec.Raw:
    """Return an object as it came; null, which clients cannot read back, becomes empty."""
    if bytes(raw) == b"null":
        return msgspec.Raw(b"{}")
    if bytes(raw)[:1] != b"{":
        raise InvalidRequest(f"{field} must be an object.", field=field)
    return raw.copy()


def _shots(shots: int | str) -> int:
    text = str(shots)
    if not (text.isascii() and text.isdigit()):
        raise InvalidRequest("shots must be a whole number.", field="shots")
    if len(text) > 18:
        raise LimitExceeded("shots is far beyond any backend (limit shots).", field="shots")
    return int(text)


def submitted(job: Job) -> dict[str, Any]:
    return {"id": job.id, "status": status(job), "session_id": None}


def status(job: Job) -> str:
    """Return the word for a job's state. Once `started`, it stays so until it ends."""
    if job.state is JobState.QUEUED and job.started_at is not None:
        return _STATUS[JobState.RUNNING]
    return _STATUS[job.state]


def short(job: Job) -> dict[str, Any]:
    return {"id": job.id, "status": status(job)}


def job(job: Job, kept_body: bytes) -> dict[str, Any]:
    """Return the job body. Some keys must be absent rather than null, others the reverse."""
    kept = _kept_decoder.decode(kept_body)
    is_completed = job.state is JobState.COMPLETED
    body: dict[str, Any] = {
        "id": job.id,
        "status": status(job),
        "type": kept.type,
        "backend": job.device,
        "dry_run": False,
        "name": job.name,
        "shots": job.shots,
        "settings": kept.settings,
        "metadata": kept.metadata,
        "failure": _failure(job),
        "stats": {
            "qubits": job.n_qubits,
            "circuits": job.n_circuits,
            "gate_counts": {"1q": job.n_ops_1q, "2q": job.n_ops_2q},
        },
        "parent_job_id": None,
        "child_job_ids": None,
        "session_id": None,
        "project_id": job.project,
        "submitter_id": job.account,
        "submitted_at": _time(job.created_at),
        "started_at": _time(job.started_at),
        "completed_at": _time(job.ended_at),
        "predicted_wait_time_ms": None,
        "predicted_execution_duration_ms": round(1000 * job.est_seconds),
        "execution_duration_ms": _duration(job) if is_completed else None,
        "output": {},
        "results": _results(job) if is_completed else None,
    }
    # A twin's noise is that of its calibration; what is absent nobody takes for a model's name.
    return body if job.calibration else {**body, "noise": kept.noise}


def _failure(job: Job) -> dict[str, str]:
    if job.error_code is None:
        return {}
    text = job.error_text or job.error_code
    code = _FAILURE_CODES.get(job.error_code, "InternalError")
    return {"code": code, "message": text, "error": text}


def _results(job: Job) -> dict[str, Any]:
    return {
        "probabilities": {
            "url": f"/v0.4/jobs/{job.id}/results/probabilities",
            "id": "probabilities",
            "format": "ionq.result.probabilities.json.v1",
            "media_type": "application/json",
        }
    }


def result(job: Job, parts: list[Outcome | Failure]) -> msgspec.Raw | dict[str, msgspec.Raw]:
    """Return one circuit's probabilities, or those of several by the ids of the job's parts."""
    given = {
        part_id(job.id, number): probabilities(part, job.shots)
        for number, part in enumerate(parts)
        if isinstance(part, Outcome)
    }
    return given if job.n_circuits > 1 else next(iter(given.values()))


def probabilities(outcome: Outcome, shots: int) -> msgspec.Raw:
    """Return exact probabilities, or frequencies where there are only counts."""
    if PROBABILITIES in outcome.arrays:
        return raw_object((str(key), p) for key, p in outcome.each_probability())
    return raw_object((str(key), n / shots) for key, n in outcome.each_count())


def backend(view: DeviceView, now: str) -> dict[str, Any]:
    """Return one row of `/backends`."""
    row: dict[str, Any] = {
        "backend": view.device.name,
        "status": "available" if view.status.is_on else "offline",
        "qubits": view.qubits,
        "average_queue_time": 0,
        "last_updated": now,
        "has_access": True,
        "degraded": False,
        "supported_gates": view.device.spec.gates,
        "supported_native_gates": view.device.spec.native_gates,
        "supported_error_mitigations": [],
    }
    if view.calibration is None:
        return {**row, "noise_models": [_IDEAL, *view.device.spec.noise_models]}
    return {**row, "characterization_id": view.calibration.id}


def page_limit(text: str | None) -> int:
    """Return how many characterizations are asked for.

    Raises:
        InvalidRequest: It is no number from 1 to 10.
    """
    if text is None:
        return _MOST_CHARACTERIZATIONS
    limit = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
    if not 1 <= limit <= _MOST_CHARACTERIZATIONS:
        raise InvalidRequest(f"limit must be 1 to {_MOST_CHARACTERIZATIONS}.", field="limit")
    return limit


def characterizations(device: Device, found: list[Calibrated]) -> dict[str, Any]:
    """Return one page: there is no other."""
    return {"characterizations": [characterization(device, each) for each in found], "pages": 1}


def characterization(device: Device, found: Calibrated) -> dict[str, Any]:
    """Return a calibration in IonQ's words: fidelities, and times in seconds."""
    body = found.body
    return {
        "id": found.id,
        "backend": device.name,
        "target": device.name,  # cirq-ionq reads this
        "date": _time(found.valid_from),
        "qubits": device.spec.qubits,
        "connectivity": body.connected(device.spec.qubits),
        "fidelity": {
            "spam": _fidelity(body.qubit.spam_error),
            "1q": _fidelity(body.one_qubit.error),
            "2q": _fidelity(body.two_qubit.error),
        },
        "timing": {
            "readout": body.readout_s,
            "reset": body.reset_s,
            "1q": body.one_qubit.duration_s,
            "2q": body.two_qubit.duration_s,
            "t1": body.qubit.t1_s,
            "t2": body.qubit.t2_s,
        },
    }


def _fidelity(error: float) -> dict[str, float]:
    """Return a fidelity; one figure is known, so that it is both mean and median."""
    fidelity = round(1 - error, 12)
    return {"median": fidelity, "mean": fidelity}


def _duration(job: Job) -> int:
    return max(0, (job.ended_at or 0) - (job.started_at or 0))


def _time(at_ms: int | None) -> str | None:
    if at_ms is None:
        return None
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at_ms % 1000:03d}Z"


def time(at_ms: int) -> str:
    """Return an instant as IonQ writes it."""
    return _time(at_ms) or ""


def _in_our_words(error: QwicketError) -> str:
    """Return the detail with the field as this dialect names it."""
    if error.field == "noise":
        return error.detail.replace("noise:", "noise.model:", 1)
    return error.detail


def problem(error: QwicketError) -> bytes:
    """Return the body of a refusal or failure."""
    return msgspec.json.encode(
        {
            "statusCode": error.status,
            "error": _PHRASES.get(error.status) or HTTPStatus(error.status).phrase,
            "message": _in_our_words(error),
        }
    )
