"""Labs' agents: leases, claimed jobs, and what agents report."""

from __future__ import annotations

from typing import Annotated

import msgspec

from qwicket.schema.base import Answer, Directive, Family, Fence, Id, Secretive, State, Word

AgentName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]{8,32}\Z")]
Base64 = Annotated[bytes, msgspec.Meta(title="base64")]


class HeldBody(
    Secretive, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """A lease as its holder knows it, and how far it is with the job.

    Attributes:
        id: Of the job.
        fence: Of the lease: a number that only rises.
        nonce: Of the lease: a random text.
        done: How far the job is, from 0 to 1.
        text: The same in words.
    """

    id: Word
    fence: Fence
    nonce: Word
    done: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    text: Annotated[str, msgspec.Meta(max_length=200)] = ""


class ClaimBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/devices/{name}/leases`.

    Attributes:
        agent: What the agent calls itself, fresh at each start.
        held: The leases that it believes to hold.
    """

    agent: AgentName
    held: tuple[HeldBody, ...] = ()


class RenewBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/leases/{id}/renew`.

    Attributes:
        agent: What the agent calls itself.
        held: The leases that it believes to hold.
    """

    agent: AgentName
    held: tuple[HeldBody, ...]


class ErrorPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why there is no outcome.

    Attributes:
        code: Stable, of the lab's own choice.
        message: For people.
    """

    code: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,63}\Z")]
    message: Annotated[str, msgspec.Meta(max_length=1_000)]


class PartBody(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What one circuit gave: an outcome, or an error.

    Attributes:
        outcome: Base64 of its msgpack, as docs/agents.md has it.
        sha256: Of these bytes, in hexadecimal.
        error: Reason why there is no outcome.
    """

    outcome: bytes | None = None
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")] | None = None
    error: ErrorPart | None = None


class FinishBody(
    Secretive, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """`POST /v1/leases/{id}/finish`: a part for each circuit, or one error for the job.

    Attributes:
        agent: What the agent calls itself.
        fence: Of the lease.
        nonce: Of the lease.
        seconds: That the machine took.
        parts: One for each circuit, in their order.
        error: Why the whole job has no outcome.
    """

    agent: AgentName
    fence: Fence
    nonce: Word
    seconds: Annotated[float, msgspec.Meta(ge=0, le=1e7)] = 0.0
    parts: tuple[PartBody, ...] | None = None
    error: ErrorPart | None = None


class ReleaseBody(Secretive, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/leases/{id}/release`.

    Attributes:
        agent: What the agent calls itself.
        fence: Of the lease.
        nonce: Of the lease.
        reason: Why, for the events of the job.
        blamed: Whether it counts as one of the three attempts of the job.
    """

    agent: AgentName
    fence: Fence
    nonce: Word
    reason: Annotated[str, msgspec.Meta(max_length=200)] = "released by its agent"
    blamed: bool = False


class LeaseBody(Answer, Secretive, frozen=True, kw_only=True):
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
        renew_s: Time in seconds within which the agent must send its next request.
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


class DirectivesBody(Answer, frozen=True, kw_only=True):
    """What an agent is to do with what it holds.

    Attributes:
        directives: By job: `go on`, `stop` or `lost`.
        renew_s: Time in seconds within which the agent must send its next request.
    """

    directives: dict[str, Directive]
    renew_s: float


class JobEnd(Answer, frozen=True, kw_only=True):
    """State of a job after a report of its agent.

    Attributes:
        id: Of the job.
        state: Its state.
    """

    id: Id
    state: State
