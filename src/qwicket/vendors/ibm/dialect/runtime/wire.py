"""Request bodies of the Runtime dialect, and the vendor fields that are stored with jobs."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec

from qwicket.circuits.outcomes import MEMORY
from qwicket.dialects.bodies import decode, invalid
from qwicket.dialects.times import parse_time
from qwicket.dialects.validation import quoted
from qwicket.model.errors import Conflict, InvalidRequest, NotFound, QwicketError
from qwicket.model.jobs import JobQuery, Submission
from qwicket.model.limits import INT64_MAX
from qwicket.model.states import JobState
from qwicket.vendors.ibm import primitives
from qwicket.vendors.ibm.dialect import wire
from qwicket.vendors.ibm.dialect.names import RUNTIME
from qwicket.vendors.ibm.dialect.paths import Instance
from qwicket.vendors.ibm.limits import IBMLimits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.datastructures import Headers, QueryParams

    from qwicket.model.budgets import BudgetState
    from qwicket.model.limits import Limits

FORMAT: Final = "qiskit.primitives"
SAMPLER: Final = "sampler"
ESTIMATOR: Final = "estimator"
EXECUTOR: Final = "executor"
_PAGE: Final = 20
_KEY_LIFE_MS: Final = 60_000
"""Time within which a submission that is repeated after a lost response is the same job."""
PENDING: Final = (
    JobState.DRAFT,
    JobState.QUEUED,
    JobState.RUNNING,
    JobState.CANCELLING,
    JobState.UNCERTAIN,
)
_ENDED: Final = (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)
_TRUTHS: Final = {"true": True, "false": False}

_Word = Annotated[str, msgspec.Meta(max_length=1_000)]
_Seconds = Annotated[int, msgspec.Meta(ge=1, le=INT64_MAX)]


class RunBody(msgspec.Struct, frozen=True, kw_only=True):
    """`POST /jobs`. Unknown keys are ignored: other versions of the client send others."""

    program_id: _Word
    backend: _Word
    params: msgspec.Raw
    hub: _Word | None = None
    group: _Word | None = None
    project: _Word | None = None
    tags: tuple[str, ...] | None = None
    session_id: _Word | None = None
    cost: _Seconds | None = None
    private: bool | None = None
    calibration_id: _Word | None = None

    @property
    def instance(self) -> Instance | None:
        if self.hub is None or self.group is None or self.project is None:
            return None
        return Instance(self.hub, self.group, self.project)


class SessionBody(msgspec.Struct, frozen=True, kw_only=True):
    """`POST /sessions`."""

    mode: Literal["dedicated", "batch"] = "dedicated"
    backend: _Word | None = None
    instance: _Word | None = None
    max_ttl: _Seconds | None = None
    max_session_ttl: _Seconds | None = None


class SessionChange(msgspec.Struct, frozen=True):
    """`PATCH /sessions/{id}`."""

    accepting_jobs: bool


class TagsBody(msgspec.Struct, frozen=True):
    """`PUT /jobs/{id}/tags`."""

    tags: tuple[str, ...]


class VendorFields(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Fields for Runtime's clients alone; stored with the job, and read by this dialect only.

    `mock` is the name of the backend if the job is a dry run.
    """

    program: str = ""
    client: str = ""
    cost: int | None = None
    mock: str = ""


class SessionFields(msgspec.Struct, frozen=True):
    """Fields of a session that are stored with its group."""

    mode: str


_run_decoder: Final = msgspec.json.Decoder(RunBody)
vendor_fields_decoder: Final = msgspec.json.Decoder(VendorFields)
session_fields_decoder: Final = msgspec.json.Decoder(SessionFields)


def read_run(text: bytes, _: Limits) -> RunBody:
    """Decode the body of a submission; copy the parameters, so that the body can be released.

    Raises:
        InvalidRequest: The body is malformed, or requests an unsupported feature.
        NotFound: There is no such program.
    """
    body = decode(text, _run_decoder)
    if body.program_id not in (SAMPLER, ESTIMATOR, EXECUTOR):
        raise NotFound(
            f"program_id must be {SAMPLER}, {ESTIMATOR} or {EXECUTOR}, not"
            f" {body.program_id[:64]!r}.",
            field="program_id",
        )
    if body.private:
        raise InvalidRequest(
            "private: private jobs are not supported; the members of a project can read its jobs.",
            field="private",
        )
    if body.calibration_id is not None:
        raise InvalidRequest(
            "calibration_id: not supported; a job runs with its device's newest calibration.",
            field="calibration_id",
        )
    return msgspec.structs.replace(body, params=body.params.copy())


def submission(body: RunBody, headers: Headers, device: str, default_level: int = 0) -> Submission:
    """Return the submission of a job, which is named after its program id.

    Args:
        body: The body of the request.
        headers: Its headers.
        device: The device of its backend; another name than the backend's makes it a dry run.
        default_level: Resilience level of an estimator that names none.

    Raises:
        InvalidProgram: The parameters are not those of a primitive.
    """
    source = primitives.write(body.program_id, bytes(body.params), default_level)
    settings = primitives.settings(source)
    is_dry_run = device != body.backend
    vendor_fields = VendorFields(
        program=body.program_id,
        mock=body.backend if is_dry_run else "",
        client=headers.get(wire.CLIENT, "")[: wire.CLIENT_CHARS],
        cost=body.cost,
    )
    digest = _content(body, source)
    return Submission(
        dialect=RUNTIME,
        device=device,
        format=FORMAT,
        source=source,
        shots=1,  # if the program states shots, the gateway puts the most of one circuit here
        seed=settings.seed,
        outputs=(MEMORY,),  # an estimator returns expectation values all the same
        name=body.program_id,
        dry_run=is_dry_run,
        tags=body.tags or (),
        group=body.session_id,
        vendor_fields=msgspec.json.encode(vendor_fields),
        idempotency_key=f"answer {digest.hex()}",
        key_digest=digest,
        key_life_ms=_KEY_LIFE_MS,
    )


def _content(body: RunBody, source: bytes) -> bytes:
    """Return a digest of what was submitted, because the parameters may have many megabytes."""
    rest = (body.backend, body.instance, body.session_id, body.tags, body.cost)
    return hashlib.sha256(source + msgspec.json.encode(rest)).digest()


def instance(text: str | None, field: str) -> Instance | None:
    """Return the instance in a text such as `hub/group/project`; None stays None.

    Raises:
        InvalidRequest: The text is malformed.
    """
    if text is None:
        return None
    parts = text.split("/")
    if len(parts) != 3:
        raise invalid(f"{field} must be hub/group/project", text, field)
    return Instance(*parts)


def list_query(query: QueryParams, limits: Limits) -> JobQuery:
    """Return the query of a list of jobs.

    Raises:
        InvalidRequest: A filter is malformed.
    """
    pending = query.get("pending")
    if pending is not None and pending.lower() not in _TRUTHS:
        raise invalid("pending must be true or false", pending, "pending")
    states: tuple[JobState, ...] = ()
    if pending is not None:
        states = PENDING if _TRUTHS[pending.lower()] else _ENDED
    tags = tuple(query.getlist("tags"))
    maximum = limits.of(IBMLimits).filter_clauses
    if len(tags) > maximum:
        raise InvalidRequest(
            f"tags: {len(tags)} are above the limit of {maximum} (limit filter_clauses).",
            field="tags",
        )
    order = query.get("sort", "DESC").upper()
    if order not in ("ASC", "DESC"):
        raise invalid("sort must be ASC or DESC", query["sort"], "sort")
    found = JobQuery(
        dialect=RUNTIME,
        device=query.get("backend"),
        name=query.get("program"),
        group=query.get("session_id"),
        states=states,
        tags=tags,
        created_from=_instant(query, "created_after", 0),
        created_to=_instant(query, "created_before", INT64_MAX),
        oldest_first=order == "ASC",
        limit=min(_number(query, "limit", _PAGE), limits.requests.list_page),
        offset=_number(query, "offset", 0),
    )
    for text in (found.device, found.name, found.group, *tags):
        if text and ("\0" in text or len(text) > limits.requests.name_chars):
            detail = f"A filter is too long, or has the character NUL: {quoted(text)}."
            raise InvalidRequest(detail)
    return found


def _number(query: QueryParams, name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise invalid(f"{name} must be a number from 0", text, name)
    return int(text)


def _instant(query: QueryParams, name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    found = parse_time(text)
    if found is None:
        raise invalid(f"{name} must be a time in ISO 8601", text, name)
    return found


def parse_before(text: str | None) -> int | None:
    """Return `updated_before`, the time of the wanted calibration, in Unix milliseconds, or None.

    Raises:
        InvalidRequest: The text is not a time in ISO 8601.
    """
    if text is None:
        return None
    found = parse_time(text)
    if found is None:
        raise invalid("updated_before must be a time in ISO 8601", text, "updated_before")
    return found


# --- errors ---------------------------------------------------------------------------------------

FIELD_NAMES: Final[Mapping[str, str]] = {
    "device": "backend",
    "program": "params",
    "seed": "params.options.simulator.seed_simulator",
    "group": "session_id",
    "life_s": "max_ttl",
}


def quota(budget: BudgetState | None) -> dict[str, float]:
    """Return the quota and usage of a project's budget of seconds; nothing without a budget."""
    if budget is None:
        return {}
    return {"quota": budget.maximum, "usage": budget.used}


def problem(error: QwicketError) -> bytes:
    """Return the body of an error, in the shape of the dialect `ibm`."""
    return wire.problem(error, FIELD_NAMES)


def of_a_submission(error: QwicketError) -> QwicketError:
    """Return the error of a submission: for devices and sessions 400, not 404 or 409."""
    if isinstance(error, NotFound | Conflict) and error.field in ("device", "group"):
        return InvalidRequest(error.detail, field=error.field)
    return error
