"""Bodies about jobs: the request to run a program, a job's state, and who else may read it."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from qwicket.schema.base import (
    INT64_MAX,
    Id,
    PageUrl,
    RedactedRepr,
    ResponseBody,
    ResponsePart,
    State,
)

LinkLife = Annotated[int, msgspec.Meta(ge=1, le=365 * 86_400)]

Priority = Annotated[int, msgspec.Meta(ge=-100, le=100)]

Weight = Annotated[float, msgspec.Meta(ge=0, le=1000)]

SLURM_JOB: Final = "Qwicket-Slurm-Job"
SLURM_ACCOUNT: Final = "Qwicket-Slurm-Account"
"""Headers of a submission. They are no fields of the body, in which older servers refuse them."""
SLURM_CHARS: Final = 64
SLURM_NAME: Final = rf"[A-Za-z0-9][A-Za-z0-9._+@-]{{0,{SLURM_CHARS - 1}}}"
"""What their values match: no command, table or page takes such a text for something else."""


class WeightsBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Weights of a device's figures; 0 leaves one out.

    Attributes:
        fidelity: Weight of the expected fidelity.
        start: Weight of the expected start.
        cost: Weight of the cost.
    """

    fidelity: Weight = 1.0
    start: Weight = 1.0
    cost: Weight = 1.0


class SubmitBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/jobs`: a program for a device.

    Fields that may have any number of items stay raw until their size is known: decoding blocks
    the event loop, at a million items a second.

    Attributes:
        device: Name of the device; `best`, or a list of names, lets the server choose one.
        program: Text of the program; for JSON formats the object itself.
        format: Format of the program; by default detected from the program.
        shots: Shots per circuit.
        seed: Seed of the random numbers; by default drawn. On simulators, equal seeds give equal
            results with one engine and version.
        noise: Name of one of the device's noise models; by default none. A simulated device with a
            calibration always has the noise of its calibration.
        engine: Name of the engine; by default the server chooses one.
        inputs: Values of the inputs that the program declares; angles in radians.
        outputs: Requested outputs: `counts`, `memory`, `probabilities`, `samples`.
        name: Name for users and filters.
        tags: Tags for users and filters.
        priority: Priority among the jobs of the same project; higher ones run first.
        group: Id of the group that the job joins.
        weights: How much each figure counts if the server chooses the device; 1 each by default.
    """

    device: msgspec.Raw
    program: msgspec.Raw
    format: str | None = None
    shots: Annotated[int, msgspec.Meta(ge=1, le=INT64_MAX)] = 1000
    seed: Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)] | None = None
    noise: str | None = None
    engine: str = ""
    inputs: msgspec.Raw = msgspec.Raw(b"{}")
    outputs: msgspec.Raw = msgspec.Raw(b'["counts"]')
    name: str = ""
    tags: msgspec.Raw = msgspec.Raw(b"[]")
    priority: Priority = 0
    group: str | None = None
    weights: WeightsBody | None = None


class ChangeJobBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`PATCH /v1/jobs/{id}`: changes a waiting job; fields that are absent or null change nothing.

    Attributes:
        held: Whether the job is kept from starting until it is released.
        priority: Priority among the jobs of the same project; higher ones run first.
    """

    held: bool | None = None
    priority: Priority | None = None


class ErrorBody(ResponsePart, frozen=True):
    """Reason why a job, or a part of it, has no outcome.

    Attributes:
        code: Stable code; `/docs/errors/<code>` explains it, unless a lab's agent chose it.
        message: Text for users.
    """

    code: str
    message: str


class QueueBody(ResponsePart, frozen=True):
    """Position and expected start of a waiting job, estimated at most once a second.

    Attributes:
        position: Position in the queue, from 1.
        starts_in_s: Time in seconds until the job starts; null while no worker or agent serves the
            device, and while the device is off without a known end.
        starts_after_s: Lower bound of this time in seconds. With a probability of 80 % the job
            starts between the two bounds.
        starts_before_s: Upper bound of this time in seconds. Both bounds are null where
            `starts_in_s` is, and while a reservation or maintenance window delays jobs.
        reason: What keeps the job from starting besides the jobs before it: a reservation or
            maintenance window, a device that is off or paused, or missing workers.
        reasons: Why the job waits: all that `reason` may be, then whose jobs start before it.
    """

    position: int
    starts_in_s: float | None = None
    starts_after_s: float | None = None
    starts_before_s: float | None = None
    reason: str = ""
    reasons: tuple[str, ...] = ()


class ProgressBody(ResponsePart, frozen=True):
    """Progress of a running job, as its lab's agent reports it.

    Attributes:
        done: Progress from 0 to 1.
        text: Progress in words.
    """

    done: float
    text: str = ""


class CandidateBody(ResponsePart, frozen=True, kw_only=True):
    """A device among which the server chose one for a job.

    Attributes:
        device: Name of the device.
        starts_in_s: Time in seconds until the job would start; null if unknown.
        fidelity: Expected fidelity from 0 to 1; null if unknown.
        cost: Cost in credits; null if the device costs nothing.
        score: Score from 0 to 1; null if the device was refused.
        refusal: Why it was refused; empty if it was not.
    """

    device: str
    starts_in_s: float | None = None
    fidelity: float | None = None
    cost: float | None = None
    score: float | None = None
    refusal: str = ""


class ChoiceBody(ResponsePart, frozen=True, kw_only=True):
    """How the server chose the device of a job, at its submission.

    Attributes:
        weights: Weight of each figure: `fidelity`, `start`, `cost`.
        candidates: Devices, the chosen one first, by their scores; the refused ones last.
    """

    weights: dict[str, float]
    candidates: tuple[CandidateBody, ...] = ()


class SlurmBody(ResponsePart, frozen=True, kw_only=True):
    """Job of Slurm in which a job's client ran, as the client said: nothing checks it.

    Attributes:
        job: Id of the job; null if the client named only an account.
        account: Account of that job; null if the client named none.
    """

    job: str | None = None
    account: str | None = None


class JobBody(ResponsePart, frozen=True, kw_only=True):
    """One job. Times are ISO 8601 in UTC, or null.

    Attributes:
        id: Id of the job; `client.job(id)` finds it again.
        url: Address of the job's page; null in archives.
        state: State of the job.
        version: Number that rises with each change.
        device: Name of the device.
        dialect: Dialect of the submission.
        group: Id of its group; null without one.
        name: Name as submitted.
        tags: Tags as submitted.
        shots: Shots per circuit.
        circuits: Number of circuits.
        qubits: Number of qubits of the widest circuit.
        priority: Priority among the jobs of its project.
        held_by: Who holds it, so that it does not start until it is released: `owner` or `admin`;
            null if it is not held.
        attempts: Number of attempts to run it that failed, mostly because its worker died; the
            third one fails the job.
        calibration: Id of the device's calibration at its submission; null if there was none.
        cost: Cost in credits, estimated until the job ends; null if its device costs nothing.
        created_at: Time of the submission.
        queued_at: Time when it first entered the queue.
        started_at: Time of its first start.
        ended_at: Time of its end.
        results_at: End of the exam, a kind of reservation, until which the job is shown as running
            and its results are withheld; null for other jobs.
        error: Reason of its failure; null if it has not failed.
        queue: Position in the queue while it waits and is not held; null in lists and streams, and
            often in the second after the submission. Beyond the first 5,000 waiting jobs it is
            estimated.
        progress: Progress that a lab's agent has reported for a running job; null without a report.
        runner: Name of the server, worker or agent that ran it last; null before its first start.
        slurm: Job of Slurm in which its client says it ran; null if the client said nothing.
        choice: How the server chose the device; null if the submission named it, and in lists and
            streams.
    """

    id: Id
    url: PageUrl | None = None
    state: State
    version: int = 0
    device: str = ""
    dialect: str = ""
    group: str | None = None
    name: str = ""
    tags: tuple[str, ...] = ()
    shots: int = 0
    circuits: int = 0
    qubits: int = 0
    priority: int = 0
    held_by: Literal["owner", "admin"] | None = None
    attempts: int = 0
    calibration: str | None = None
    cost: float | None = None
    created_at: str | None = None
    queued_at: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    results_at: str | None = None
    error: ErrorBody | None = None
    queue: QueueBody | None = None
    progress: ProgressBody | None = None
    runner: str | None = None
    slurm: SlurmBody | None = None
    choice: ChoiceBody | None = None


class JobList(ResponseBody, frozen=True, kw_only=True):
    """A page of jobs, the newest first.

    Attributes:
        jobs: Jobs of this page.
        next: Value of `before` that requests the next page; null on the last page.
    """

    jobs: tuple[JobBody, ...]
    next: int | None = None


class EventBody(ResponseBody, frozen=True, kw_only=True):
    """What happened to a job besides its submission, starts and completion.

    Attributes:
        version: Version of the job after the event.
        at: Time of the event.
        from: State before the event; in Python `before`.
        to: State after the event; the same as before if the event changed something else.
        reason: What happened, and why.
    """

    version: int
    at: str | None = None
    before: State | None = msgspec.field(name="from", default=None)
    to: State
    reason: str = ""


class EventList(ResponseBody, frozen=True, kw_only=True):
    """Events of a job.

    Attributes:
        events: Events in their order.
    """

    events: tuple[EventBody, ...]


class NewShareBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/jobs/{id}/shares`: share a job with an account, or by a link that expires.

    Exactly one of `account` and `life_s` is required.

    Attributes:
        account: Name or e-mail address of the account that may read the job.
        life_s: Seconds until the link expires.
    """

    account: Annotated[str, msgspec.Meta(min_length=1, max_length=254)] | None = None
    life_s: LinkLife | None = None


class ShareBody(ResponsePart, frozen=True, kw_only=True):
    """A share of a job. Times are ISO 8601 in UTC, or null.

    Attributes:
        id: Id of the share.
        job: Id of the job.
        device: Device of the job.
        account: Name of the account that may read the job; null for a link.
        created_at: Time of its creation.
        expires_at: End of the link; null for an account.
    """

    id: Id
    job: Id
    device: str = ""
    account: str | None = None
    created_at: str | None = None
    expires_at: str | None = None


class CreatedShareBody(ShareBody, RedactedRepr, frozen=True, kw_only=True):
    """A new share.

    Attributes:
        id: Id of the share.
        job: Id of the job.
        device: Device of the job.
        account: Name of the account that may read the job; null for a link.
        created_at: Time of its creation.
        expires_at: End of the link; null for an account.
        url: Address of the link, which contains its secret and is not shown again; null for an
            account.
    """

    url: str | None = None


class ShareList(ResponseBody, frozen=True, kw_only=True):
    """Shares of jobs of the account, the oldest first.

    Attributes:
        shares: All of them.
    """

    shares: tuple[ShareBody, ...]


class BudgetNeedBody(ResponsePart, frozen=True, kw_only=True):
    """What a job would need of a budget.

    Attributes:
        id: Id of the budget.
        device: The only device whose jobs count; null for all.
        unit: `jobs`, `shots`, `seconds` of run time, or `cost` in credits.
        period: `total`, `day`, `week` or `month`.
        maximum: What may be used in a period.
        left: What is left in the present period.
        needed: What the job would reserve.
        refusal: Why the budget would refuse the job; empty if it would not.
    """

    id: str
    device: str | None = None
    unit: str = ""
    period: str = ""
    maximum: float = 0.0
    left: float = 0.0
    needed: float = 0.0
    refusal: str = ""


class BoundsNeedBody(ResponsePart, frozen=True, kw_only=True):
    """What the bounds of the token leave for a job.

    Attributes:
        shots_left: Shots that its jobs may still use today; null without this bound.
        cost_left: Credits that they may still cost today; null without this bound.
        refusal: Why the day has no room for the job; empty if it has.
        asks_first: Whether a person must confirm the job first.
    """

    shots_left: int | None = None
    cost_left: float | None = None
    refusal: str = ""
    asks_first: bool = False


class EstimateBody(ResponseBody, frozen=True, kw_only=True):
    """What a job would take if it were submitted now.

    Attributes:
        device: Name of the device.
        format: Format of the program.
        shots: Shots per circuit.
        circuits: Number of circuits.
        qubits: Number of qubits of the widest circuit.
        run_s: Run time in seconds.
        waiting: Number of jobs that wait for the device, without held ones.
        starts_in_s: Time in seconds until the job would start; null while no worker or agent serves
            the device, and while the device is off without a known end.
        starts_after_s: Lower bound of this time in seconds. With a probability of 80 % the job
            would start between the two bounds.
        starts_before_s: Upper bound of this time in seconds. Both bounds are null where
            `starts_in_s` is, and while a reservation or maintenance window delays jobs.
        cost: Cost in credits; null if the device costs nothing.
        budgets: Budgets of the token's project that would count the job.
        bounds: What the bounds of the token leave; null if it has none, or the run is dry.
        choice: How the server would choose the device; null if the request names it.
    """

    device: str
    format: str = ""
    shots: int = 0
    circuits: int = 0
    qubits: int = 0
    run_s: float = 0.0
    waiting: int = 0
    starts_in_s: float | None = None
    starts_after_s: float | None = None
    starts_before_s: float | None = None
    cost: float | None = None
    budgets: tuple[BudgetNeedBody, ...] = ()
    bounds: BoundsNeedBody | None = None
    choice: ChoiceBody | None = None
