"""JSON of the routes that labs' agents use, as typed structs."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from qwicket.dialects.bodies import check_document, decode
from qwicket.dialects.native import complaints
from qwicket.model.calibrations import Calibration
from qwicket.model.devices import DeviceSpec, Family
from qwicket.model.errors import InvalidRequest, LimitExceeded
from qwicket.model.jobs import Lease, Progress
from qwicket.model.limits import INT64_MAX
from qwicket.model.outcomes import Encoded, Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.gateway.agents import Pulled
    from qwicket.model.devices import Device
    from qwicket.model.jobs import Order
    from qwicket.model.limits import Limits

_Fence = Annotated[int, msgspec.Meta(ge=1, le=INT64_MAX)]
_Word = Annotated[str, msgspec.Meta(max_length=64)]
_Agent = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]{8,32}\Z")]
_Code = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,63}\Z")]
_Text = Annotated[str, msgspec.Meta(max_length=1_000)]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e7)]
_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class AnnounceBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`PUT /v1/agent/devices/{name}`: a lab's device.

    Attributes:
        family: What programs it runs.
        spec: What it can do.
        doors: Which dialects show it; the native one always does.
    """

    family: Family
    spec: DeviceSpec
    doors: tuple[str, ...] = ()


class HeldBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A lease as its holder knows it, and how far it is with the job.

    Attributes:
        id: Of the job.
        fence: Of the lease: a number that only rises.
        nonce: Of the lease: a random text.
        done: How far the job is, from 0 to 1.
        text: The same in words.
    """

    id: _Word
    fence: _Fence
    nonce: _Word
    done: _Share | None = None
    text: Annotated[str, msgspec.Meta(max_length=200)] = ""


class ClaimBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/devices/{name}/leases`.

    Attributes:
        agent: What the agent calls itself, fresh at each start.
        held: The leases that it believes to hold.
    """

    agent: _Agent
    held: tuple[HeldBody, ...] = ()


class RenewBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/leases/{id}/renew`.

    Attributes:
        agent: What the agent calls itself.
        held: The leases that it believes to hold.
    """

    agent: _Agent
    held: tuple[HeldBody, ...]


class ErrorPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why there is no outcome.

    Attributes:
        code: Stable, of the lab's own choice.
        message: For people.
    """

    code: _Code
    message: _Text


class PartBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one circuit gave: an outcome, or an error.

    Attributes:
        outcome: Base64 of its msgpack, as docs/agents.md has it.
        sha256: Of these bytes, in hexadecimal.
        error: Why there is none.
    """

    outcome: bytes | None = None
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")] | None = None
    error: ErrorPart | None = None


class FinishBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/leases/{id}/finish`: a part for each circuit, or one error for the job.

    Attributes:
        agent: What the agent calls itself.
        fence: Of the lease.
        nonce: Of the lease.
        seconds: That the machine took.
        parts: One for each circuit, in their order.
        error: Why the whole job has no outcome.
    """

    agent: _Agent
    fence: _Fence
    nonce: _Word
    seconds: _Seconds = 0.0
    parts: tuple[PartBody, ...] | None = None
    error: ErrorPart | None = None


class ReleaseBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/leases/{id}/release`.

    Attributes:
        agent: What the agent calls itself.
        fence: Of the lease.
        nonce: Of the lease.
        reason: Why, for the events of the job.
        blamed: Whether it counts as one of the three attempts of the job.
    """

    agent: _Agent
    fence: _Fence
    nonce: _Word
    reason: Annotated[str, msgspec.Meta(max_length=200)] = "released by its agent"
    blamed: bool = False


_announce: Final = msgspec.json.Decoder(AnnounceBody)
_calibration: Final = msgspec.json.Decoder(Calibration)
_claim: Final = msgspec.json.Decoder(ClaimBody)
_renew: Final = msgspec.json.Decoder(RenewBody)
_release: Final = msgspec.json.Decoder(ReleaseBody)
_finish: Final = msgspec.json.Decoder(FinishBody)
_AGENT: Final = msgspec.json.Decoder(_Agent)


def announcement(text: bytes, limits: Limits) -> AnnounceBody:
    """Return what a lab says of its device.

    Raises:
        InvalidRequest: It is malformed; `field` says where.
        LimitExceeded: It is too large.
    """
    check_document(text, "body", limits)
    return complaints.read(text, _announce)


def calibration(text: bytes, limits: Limits) -> Calibration:
    """Return a calibration.

    Raises:
        InvalidRequest: It is malformed; `field` says where.
        LimitExceeded: It is too large.
    """
    check_document(text, "body", limits)
    return complaints.read(text, _calibration)


def claim(text: bytes, limits: Limits) -> ClaimBody:
    body = decode(text, _claim)
    _check_held(body.held, limits)
    return body


def renewal(text: bytes, limits: Limits) -> RenewBody:
    body = decode(text, _renew)
    _check_held(body.held, limits)
    return body


def release(text: bytes, _: Limits) -> ReleaseBody:
    return decode(text, _release)


def finish(text: bytes, limits: Limits) -> FinishBody:
    """Return what an agent brings.

    Raises:
        InvalidRequest: It is malformed; `field` says where.
        LimitExceeded: It has too many parts.
    """
    body = decode(text, _finish)
    if (body.parts is None) == (body.error is None):
        raise InvalidRequest("There must be parts, or an error, and not both.", field="parts")
    if len(body.parts or ()) > limits.circuits:
        raise LimitExceeded(
            f"parts: at most {limits.circuits} are allowed (limit circuits).", field="parts"
        )
    return body


def agent(text: str) -> str:
    """Return an agent's name for itself, from a path.

    Raises:
        InvalidRequest: It is none.
    """
    return decode(msgspec.json.encode(text), _AGENT)


def result(body: FinishBody) -> list[Encoded | Failure] | Failure:
    """Return what came of a job, in the gateway's words."""
    if body.error is not None:
        return _failure(body.error)
    return [_part(number, part) for number, part in enumerate(body.parts or ())]


def _part(number: int, part: PartBody) -> Encoded | Failure:
    if part.error is not None and part.outcome is None and part.sha256 is None:
        return _failure(part.error)
    if part.outcome is None or part.sha256 is None or part.error is not None:
        where = f"parts[{number}]"
        raise InvalidRequest(f"{where} needs outcome and sha256, or error.", field=where)
    return Encoded(part.outcome, bytes.fromhex(part.sha256))


def _failure(error: ErrorPart) -> Failure:
    return Failure(error.code, error.message)


def leases(held: Sequence[HeldBody]) -> list[Lease]:
    return [Lease(job=each.id, fence=each.fence, nonce=each.nonce, runner="") for each in held]


def progress(held: Sequence[HeldBody]) -> dict[str, Progress]:
    return {each.id: Progress(each.done, each.text) for each in held if each.done is not None}


def _check_held(held: Sequence[HeldBody], limits: Limits) -> None:
    if len(held) > limits.held_leases:
        raise LimitExceeded(
            f"held: at most {limits.held_leases} are allowed (limit held_leases).", field="held"
        )


def device(of: Device) -> dict[str, Any]:
    """Return what a lab's device was announced as."""
    return {
        "name": of.name,
        "family": of.family,
        "provider": of.provider,
        "doors": of.doors,
        "spec": of.spec,
    }


def pulled(of: Pulled | None, renew_s: float, limits: Limits) -> dict[str, Any]:
    """Return a lease and all that is needed to do the job; `lease` is null where none came."""
    if of is None:
        return {"lease": None, "renew_s": renew_s}
    lease, handout = of.assignment.lease, of.handout
    return {
        "lease": {"id": lease.job, "fence": lease.fence, "nonce": lease.nonce},
        "renew_s": renew_s,
        "device": of.assignment.device,
        "family": of.family,
        "format": handout.format,
        "source": handout.source.decode("utf-8", "replace"),
        "inputs": msgspec.Raw(handout.inputs.encode()),
        "shots": of.options.shots,
        "seed": of.options.seed,
        "outputs": of.options.outputs,
        "circuits": base64.b64encode(handout.circuits).decode(),
        "attempts": of.assignment.attempts,
        "outcome_bytes": limits.outcome_bytes,
    }


def orders(of: dict[str, Order], renew_s: float) -> dict[str, Any]:
    return {"orders": of, "renew_s": renew_s}
