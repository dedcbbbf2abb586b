"""Bodies of the API for pilots: workers on other machines, and labs' agents.

A worker runs the jobs of simulated devices, an agent those of one device of a lab. Scalers are the
processes that start workers.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from qwicket.schema.base import (
    INT64_MAX,
    Directive,
    Family,
    Fence,
    Id,
    RedactedRepr,
    ResponseBody,
    ShortText,
    State,
)

Base64 = Annotated[bytes, msgspec.Meta(title="base64")]
Count = Annotated[int, msgspec.Meta(ge=0, le=1_024)]
ProjectNames = Annotated[tuple[str, ...], msgspec.Meta(max_length=256)]
RequestNumber = Annotated[int, msgspec.Meta(ge=1, le=INT64_MAX)]


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


class OfferBody(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What a pilot can take. A task is one job, or several tiny ones.

    Attributes:
        version: Version of the pilot's program.
        packing: Version of packed circuits and results that a worker reads and writes.
        request: Number of this request; a pilot counts its requests from 1.
        slots: Number of tasks that it can run at the same time.
        tasks: Number of tasks that it can start now.
        tiny_tasks: Number of further tasks, of tiny jobs only, that it takes in advance.
        memory_bytes: Memory for each task, in bytes; null if it takes tasks of any size.
        seconds_left: Seconds until it must end, from now; null if it has no end.
        devices: Names of the devices whose jobs it takes; empty means all. An agent names one.
        projects: Names of the projects whose jobs it takes; empty means all.
        except_projects: Names of projects whose jobs it does not take.
    """

    version: ShortText
    packing: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 0
    request: RequestNumber
    slots: Annotated[int, msgspec.Meta(ge=1, le=1_024)]
    tasks: Count
    tiny_tasks: Count = 0
    memory_bytes: Annotated[int, msgspec.Meta(ge=1, le=INT64_MAX)] | None = None
    seconds_left: Annotated[float, msgspec.Meta(ge=0, le=1e9)] | None = None
    devices: Annotated[tuple[ShortText, ...], msgspec.Meta(max_length=1_024)] = ()
    projects: ProjectNames = ()
    except_projects: ProjectNames = ()


class PilotLeaseBody(
    RedactedRepr, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """A lease that a pilot holds.

    Attributes:
        id: Id of the job.
        fence: Fencing token of the lease.
        nonce: Random text of the lease.
        is_stopping: Whether the pilot is stopping the job already.
        done: Progress of the job, from 0 to 1.
        text: Progress in words.
    """

    id: ShortText
    fence: Fence
    nonce: ShortText
    is_stopping: bool = False
    done: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    text: Annotated[str, msgspec.Meta(max_length=200)] = ""


class PullBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/pilots/{name}/pull`.

    Attributes:
        offer: What the pilot can take.
        settled: Number of the newest request such that the pilot awaits no response to that request
            or an earlier one.
        held: Leases that the pilot holds.
    """

    offer: OfferBody
    settled: Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)]
    held: tuple[PilotLeaseBody, ...] = ()


class PilotResultBody(RedactedRepr, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The result of a job: a part for each circuit, or one error for the job.

    Attributes:
        id: Id of the job.
        fence: Fencing token of the lease.
        nonce: Random text of the lease.
        seconds: Time in seconds that the job ran.
        parts: A report on each circuit, in their order.
        error: Reason why the whole job has no outcome.
    """

    id: ShortText
    fence: Fence
    nonce: ShortText
    seconds: Annotated[float, msgspec.Meta(ge=0, le=1e7)] = 0.0
    parts: tuple[PartReportBody, ...] | None = None
    error: RunErrorBody | None = None


class PilotReleaseBody(RedactedRepr, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A job that its pilot gives back.

    Attributes:
        id: Id of the job.
        fence: Fencing token of the lease.
        nonce: Random text of the lease.
        reason: Reason, which is shown in the job's events.
        counts_as_attempt: Whether this counts as one of the job's three attempts.
    """

    id: ShortText
    fence: Fence
    nonce: ShortText
    reason: Annotated[str, msgspec.Meta(max_length=200)]
    counts_as_attempt: bool = False


class PilotReportBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/pilots/{name}/results`.

    Attributes:
        offer: What the pilot can take.
        results: Results of jobs.
        releases: Jobs that it gives back.
    """

    offer: OfferBody
    results: tuple[PilotResultBody, ...] = ()
    releases: tuple[PilotReleaseBody, ...] = ()


class FullProgramBody(ResponseBody, frozen=True, kw_only=True):
    """A program as it was submitted, for a lab's device.

    Attributes:
        format: Format of the source.
        source: The program as it was submitted.
        inputs: Values of its inputs; angles in radians.
        shots: Shots per circuit.
        seed: Seed of random numbers, for devices that take one.
        outputs: Requested outputs.
        attempts: Number of attempts to run it that have failed before.
    """

    format: str
    source: str
    inputs: dict[str, float]
    shots: int
    seed: int
    outputs: tuple[str, ...]
    attempts: int


class TaskJobBody(ResponseBody, frozen=True, kw_only=True):
    """A job to run.

    Attributes:
        lease: Right to run the job.
        device: Name of the device.
        family: Family of the circuits.
        circuits: The parsed and checked program: base64 of msgpack.
        options: Options of the run: base64 of msgpack.
        est_bytes: Estimated memory in bytes.
        est_seconds: Estimated run time in seconds.
        program: The program as it was submitted; only for a lab's device.
    """

    lease: LeaseBody
    device: str
    family: Family
    circuits: Base64
    options: Base64
    est_bytes: int
    est_seconds: float
    program: FullProgramBody | msgspec.UnsetType = msgspec.UNSET


class DirectiveBody(ResponseBody, frozen=True, kw_only=True):
    """What the pilot must do about a job that it holds.

    Attributes:
        id: Id of the job.
        fence: Fencing token of the lease.
        directive: `stop` if the job was cancelled, `lost` if its lease is no longer valid.
    """

    id: str
    fence: int
    directive: Directive


class PulledBody(ResponseBody, frozen=True, kw_only=True):
    """Jobs to run, and directives about those that the pilot holds.

    Attributes:
        tasks: Tasks, each a list of jobs to run one after the other in one process.
        directives: What to do about jobs that the pilot holds.
        pull_s: Longest wait of a pull in seconds, and time within which the next pull is due.
        run_time_s: Time in seconds that one task may run.
        result_bytes: Limit in bytes on the body of a request that reports results.
    """

    tasks: tuple[tuple[TaskJobBody, ...], ...] = ()
    directives: tuple[DirectiveBody, ...] = ()
    pull_s: float
    run_time_s: float
    result_bytes: int


class PilotReportedBody(ResponseBody, frozen=True, kw_only=True):
    """States of jobs after a report of their pilot, and jobs to run next.

    Attributes:
        states: State by id of the job; null where the lease was no longer valid.
        tasks: Tasks, as for a pull.
    """

    states: dict[Id, State | None]
    tasks: tuple[tuple[TaskJobBody, ...], ...] = ()


class ScalerBody(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """`POST /v1/scalers/{name}/demand`.

    Attributes:
        group: Name of a group of scalers, of which one is active. The names of their workers are
            this name, a hyphen and 8 hexadecimal digits.
        memory_bytes: Memory in bytes that its workers have for one job. Waiting jobs that need more
            are not counted; with null all are.
        above_bytes: Waiting jobs that need no more than this are not counted.
        projects: Names of the projects whose jobs its workers take; empty means all.
        except_projects: Names of projects whose jobs they do not take.
    """

    group: ShortText
    memory_bytes: Annotated[int, msgspec.Meta(ge=1, le=INT64_MAX)] | None = None
    above_bytes: Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)] = 0
    projects: ProjectNames = ()
    except_projects: ProjectNames = ()


class DemandBody(ResponseBody, frozen=True, kw_only=True):
    """Work that waits for workers on other machines.

    Attributes:
        is_active: Whether this scaler is the one of its group that starts workers.
        jobs: Number of waiting jobs that fit into a worker's memory, at most 5,000 of each device.
        slots: Number of further slots that this work needs.
        workers: Number of workers of the group that are connected.
        connections: A number that rises by one when a worker of the group connects. It also rises
            when another scaler becomes the active one.
    """

    is_active: bool
    jobs: int
    slots: int
    workers: int
    connections: int = 0
