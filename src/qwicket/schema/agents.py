"""Bodies of the API for labs' agents: leases, claimed jobs, reports."""

from __future__ import annotations

from typing import Annotated

import msgspec

from qwicket.schema.base import (
    Directive,
    Family,
    Fence,
    Id,
    RedactedRepr,
    ResponseBody,
    ShortText,
    State,
)

AgentName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]{8,32}\Z")]
Base64 = Annotated[bytes, msgspec.Meta(title="base64")]


class HeldLeaseBody(
    RedactedRepr, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """A lease that an agent reports to hold, with the progress of its job.

    Attributes:
        id: Id of the job.
        fence: Fencing token of the lease: higher than in the job's earlier leases.
        nonce: Random text of the lease.
        done: Progress of the job, from 0 to 1.
        text: Progress in words.
    """

    id: ShortText
    fence: Fence
    nonce: ShortText
    done: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    text: Annotated[str, msgspec.Meta(max_length=200)] = ""


class ClaimBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/devices/{name}/leases`.

    Attributes:
        agent: Name of the agent: random, and new at each start.
        held: Leases that the agent believes it holds; its other jobs are queued again.
    """

    agent: AgentName
    held: tuple[HeldLeaseBody, ...] = ()


class RenewBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/leases/{id}/renew`.

    Attributes:
        agent: Name of the agent.
        held: Leases that the agent believes it holds; its other jobs are queued again.
    """

    agent: AgentName
    held: tuple[HeldLeaseBody, ...]


class RunErrorBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Reason why a circuit or a job has no outcome.

    Attributes:
        code: Stable code, chosen by the lab or the worker.
        message: Text for users.
    """

    code: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,63}\Z")]
    message: Annotated[str, msgspec.Meta(max_length=1_000)]


class PartReportBody(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Report on one circuit: an outcome or an error.

    Attributes:
        outcome: Base64 of its msgpack encoding (docs/agents.md).
        sha256: SHA-256 of the decoded bytes, in hexadecimal.
        error: Reason why there is no outcome.
    """

    outcome: bytes | None = None
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")] | None = None
    error: RunErrorBody | None = None


class FinishBody(
    RedactedRepr, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """`POST /v1/leases/{id}/finish`: a part for each circuit, or one error for the job.

    Attributes:
        agent: Name of the agent.
        fence: Fencing token of the lease.
        nonce: Random text of the lease.
        seconds: Time in seconds that the machine took.
        parts: A report on each circuit, in their order.
        error: Reason why the whole job has no outcome.
    """

    agent: AgentName
    fence: Fence
    nonce: ShortText
    seconds: Annotated[float, msgspec.Meta(ge=0, le=1e7)] = 0.0
    parts: tuple[PartReportBody, ...] | None = None
    error: RunErrorBody | None = None


class ReleaseBody(RedactedRepr, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/leases/{id}/release`.

    Attributes:
        agent: Name of the agent.
        fence: Fencing token of the lease.
        nonce: Random text of the lease.
        reason: Reason, which is shown in the job's events.
        counts_as_attempt: Whether this counts as one of the job's three attempts.
    """

    agent: AgentName
    fence: Fence
    nonce: ShortText
    reason: Annotated[str, msgspec.Meta(max_length=200)] = "released by its agent"
    counts_as_attempt: bool = False


class LeaseBody(ResponseBody, RedactedRepr, frozen=True, kw_only=True):
    """The right to run a job.

    Attributes:
        id: Id of the job.
        fence: Fencing token: higher than in the job's earlier leases.
        nonce: Random text.
    """

    id: str
    fence: int
    nonce: str


class ClaimedBody(ResponseBody, frozen=True, kw_only=True):
    """A job to run, or none.

    Attributes:
        lease: Right to run the job; null if there was no job.
        renew_s: Time in seconds within which the agent must send its next request.
        device: Name of the device.
        family: Family of the circuits.
        format: Format of the source.
        source: The program as it was submitted.
        inputs: Values of its inputs; angles in radians.
        shots: Shots per circuit.
        seed: Seed of random numbers, for devices that take one.
        outputs: Requested outputs.
        circuits: The parsed and checked program: base64 of msgpack (docs/agents.md).
        attempts: Number of attempts to run it that have failed before.
        outcome_bytes: Limit in bytes on the body that reports its results.
    """

    lease: LeaseBody | None = None
    renew_s: float
    device: str | msgspec.UnsetType = msgspec.UNSET
    family: Family | msgspec.UnsetType = msgspec.UNSET
    format: str | msgspec.UnsetType = msgspec.UNSET
    source: str | msgspec.UnsetType = msgspec.UNSET
    inputs: dict[str, float] | msgspec.UnsetType = msgspec.UNSET
    shots: int | msgspec.UnsetType = msgspec.UNSET
    seed: int | msgspec.UnsetType = msgspec.UNSET
    outputs: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    circuits: Base64 | msgspec.UnsetType = msgspec.UNSET
    attempts: int | msgspec.UnsetType = msgspec.UNSET
    outcome_bytes: int | msgspec.UnsetType = msgspec.UNSET


class DirectivesBody(ResponseBody, frozen=True, kw_only=True):
    """Directives to an agent about the leases that it holds.

    Attributes:
        directives: By id of the job: `go on`, `stop` if the job was cancelled, or `lost` if its
            lease is no longer valid.
        renew_s: Time in seconds within which the agent must send its next request.
    """

    directives: dict[str, Directive]
    renew_s: float


class JobStateBody(ResponseBody, frozen=True, kw_only=True):
    """State of a job after a report of its agent.

    Attributes:
        id: Id of the job.
        state: Its state.
    """

    id: Id
    state: State
