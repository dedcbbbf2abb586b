"""Jobs: submissions, stored rows, queries, leases and runners.

All times are Unix milliseconds in UTC.
"""

from __future__ import annotations

from enum import StrEnum
from math import inf
from typing import Final, Literal, NamedTuple

import msgspec
from msgspec import structs

from qwicket.model.bounds import Bounds
from qwicket.model.choices import Weights
from qwicket.model.devices import DeviceCost
from qwicket.model.failures import Failure
from qwicket.model.limits import INT64_MAX
from qwicket.model.states import JobState

KEY_LIFE_MS: Final = 24 * 3600 * 1000
"""Life of an idempotency key that a client chose."""
TINY_S: Final = 0.005
"""Longest estimate of a tiny job. Several share a task, because sending one takes as long."""
_HEX: Final = frozenset("0123456789abcdef")


class Submission(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request to run a program, independent of dialects.

    An empty `format` is detected from the source. `noise` names one of the device's noise models;
    None is ideal, or on a twin the noise of its calibration. `engine` names one of the device's
    engines; if empty, the server chooses. `priority` orders the jobs within one project. `debias`
    requests symmetrised runs of a twin. A dry run is validated but not run. `is_uploaded` marks a
    program that was uploaded, which may be larger than one in a body. `vendor_fields` is opaque and
    returned byte for byte to the vendor's client. `key_digest` distinguishes submissions with the
    same idempotency key; if empty, it is made of the whole submission. `is_passed_on` marks a
    request to the device's own server. `slurm_job` and `slurm_account` are those under which the
    client says that it runs. `candidates` are the devices among which the server chooses one by
    `weights`, in place of a device: names, or `BEST` alone for all. `choice` is then how it did.
    """

    dialect: str
    device: str
    format: str
    source: bytes
    shots: int
    outputs: tuple[str, ...] = ("counts",)
    seed: int | None = None
    noise: str | None = None
    engine: str = ""
    name: str = ""
    inputs: dict[str, float] = {}
    tags: tuple[str, ...] = ()
    priority: int = 0
    group: str | None = None
    idempotency_key: str | None = None
    key_digest: bytes = b""
    key_life_ms: int = KEY_LIFE_MS
    debias: bool = False
    dry_run: bool = False
    is_uploaded: bool = False
    vendor_fields: bytes = b"{}"
    is_passed_on: bool = False
    slurm_job: str | None = None
    slurm_account: str | None = None
    candidates: tuple[str, ...] = ()
    weights: Weights | None = None
    choice: str | None = None


Holder = Literal["owner", "admin"]
"""Who holds a waiting job, so that it does not start."""
JobAction = Literal["cancel", "hold", "release", "priority", "requeue", "delete"]


class Job(msgspec.Struct, frozen=True):
    """The row of a job: all that status reads, claims and lists need.

    `seq` counts the jobs of the database, `version` the changes of this job, and `change` the
    changes of all jobs: it is the number of this job's last change. `bill` is JSON (see
    `budgets.Bill`), and None unless the job has reserved something or its device has a cost. `cost`
    is in millionths of a credit, and estimated until the job ends. `held_by` says who keeps a
    waiting job from starting, if anyone does. `started_at` is its first start, also after it was
    queued again. While `withheld_until` is set, the end of an exam, results are not shown; it is
    removed after that time. `slurm_job` and `slurm_account` are what the client said, unchecked.
    `choice` is JSON (see `choices.Choice`) if the server chose the device.
    """

    id: str
    seq: int
    account: str
    project: str
    device: str
    dialect: str
    group: str | None
    state: JobState
    version: int
    name: str
    tags: tuple[str, ...]
    shots: int
    n_circuits: int
    n_qubits: int
    n_ops_1q: int
    n_ops_2q: int
    est_bytes: int
    est_seconds: float
    priority: int
    attempts: int
    calibration: str | None
    change: int
    created_at: int
    queued_at: int | None
    started_at: int | None
    ended_at: int | None
    expires_at: int | None
    error_code: str | None
    error_text: str | None
    runner: str | None = None
    bill: str | None = None
    cost: int | None = None
    held_by: Holder | None = None
    withheld_until: int | None = None
    slurm_job: str | None = None
    slurm_account: str | None = None
    choice: str | None = None

    @property
    def is_withheld(self) -> bool:
        """Whether the job has completed and is shown as running until an exam ends."""
        return self.withheld_until is not None and self.state is JobState.COMPLETED

    @property
    def is_held(self) -> bool:
        """Whether the job waits and does not start until it is released."""
        return self.held_by is not None and self.state is JobState.QUEUED

    @property
    def credits(self) -> float | None:
        """The cost in credits; None if the device costs nothing."""
        return None if self.cost is None else self.cost / 1_000_000


def as_queued(job: Job) -> Job:
    """Return a job that was claimed with its submission as it was queued, before its claim."""
    return structs.replace(
        job, state=JobState.QUEUED, version=1, change=job.change - 1, started_at=None, runner=None
    )


class NewJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job to be stored.

    It is queued if it passed all checks; a draft (`expires_at` set) if its program is uploaded
    later; failed (`error` set) if its dialect requires a 2xx for invalid programs. It is `express`
    if it is short and small enough for an express slot. `cost` is the formula of its device. A dry
    run uses nothing of any budget. In an exam it is refused if the account has `exam_waiting` jobs
    waiting on the device, and its results are withheld until `withheld_until` (Unix ms), if set.
    `bounds` are those of its `token`, if they count the job; `question` is the digest of what a
    person must confirm, empty if nothing. `choice` says how its device was chosen, as JSON.
    """

    id: str
    account: str
    project: str
    device: str
    dialect: str
    name: str
    tags: tuple[str, ...]
    shots: int
    n_circuits: int
    n_qubits: int
    n_ops_1q: int
    n_ops_2q: int
    est_bytes: int
    est_seconds: float
    express: bool = False
    priority: int
    format: str
    source: bytes
    inputs: dict[str, float] = {}
    circuits: bytes
    options: bytes
    reader_version: int
    vendor_fields: bytes
    now: int
    calibration: str | None = None
    group: str | None = None
    state: JobState = JobState.QUEUED
    expires_at: int | None = None
    error: Failure | None = None
    cost: DeviceCost | None = None
    is_dry_run: bool = False
    idempotency_key: str | None = None
    digest: bytes = b""
    key_life_ms: int = KEY_LIFE_MS
    exam_waiting: int | None = None
    withheld_until: int | None = None
    slurm_job: str | None = None
    slurm_account: str | None = None
    token: str = ""
    bounds: Bounds | None = None
    question: bytes = b""
    choice: str | None = None


class JobQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Filter and position of a list of jobs, newest first.

    The gateway sets `account`, and `devices` to those of the token. Only jobs with a `seq` below
    `before` and above `after` are listed. A job must have all `tags`. Creation times are Unix ms,
    both ends included. `text` is looked for in the names, tags and ids of the newest jobs. A query
    with an `offset` is a search in one dialect: it ignores `before` and `after`, and looks for
    `text` in a job's name, device or tags. A search counts a job that is queued again as running.
    `projects` are the only ones whose jobs are listed, in place of one `project`; empty allows all.
    """

    account: str = ""
    dialect: str | None = None
    device: str | None = None
    group: str | None = None
    states: tuple[JobState, ...] = ()
    before: int | None = None
    limit: int = 50
    project: str | None = None
    name: str | None = None
    created_from: int = 0
    created_to: int = INT64_MAX
    oldest_first: bool = False
    after: int = 0
    tags: tuple[str, ...] = ()
    text: str = ""
    offset: int | None = None
    devices: frozenset[str] = frozenset()
    projects: frozenset[str] = frozenset()


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The right of one runner to run one job, until a lease with a higher fence exists.

    `fence` is the fencing token, `nonce` random text that requests under the lease repeat.
    """

    job: str
    fence: int
    nonce: str
    runner: str


class Forward(NamedTuple):
    """The record of a job that is forwarded to another cloud.

    Attributes:
        marker: Text that is sent with the job, by which it is found there.
        vendor_job_id: Its id there, once known.
        is_absent: Whether a person has stated that the other cloud does not have it.
        sent_to: Short hash of the address and key with which it was sent; empty if any will do.
        intent_at: Unix milliseconds when its sending was recorded as intended; it was not sent
            before.
    """

    marker: str
    vendor_job_id: str | None
    is_absent: bool = False
    sent_to: str = ""
    intent_at: int = 0


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """A lease with all that a driver needs to run the job.

    `state` is `running`; `uncertain` if the driver must first find out the job's state at its
    vendor; `cancelling` if the driver must only end it. `n_operations` counts gates; 0 is unknown.
    """

    lease: Lease
    device: str
    state: JobState
    attempts: int
    est_bytes: int
    est_seconds: float
    n_operations: int = 0
    circuits: bytes
    options: bytes
    forward: Forward | None = None


class Projects(NamedTuple):
    """Ids of the projects whose jobs a runner takes, or of those whose jobs it leaves to others."""

    ids: frozenset[str] = frozenset()
    are_left: bool = True

    def has(self, project: str) -> bool:
        return (project in self.ids) != self.are_left


ALL_PROJECTS: Final = Projects()


class Capacity(NamedTuple):
    """What a runner has for one job: bytes of memory, seconds of run time, and for whose jobs."""

    memory_bytes: int = INT64_MAX
    seconds: float = inf
    projects: Projects = ALL_PROJECTS


RunnerKind = Literal["server", "agent", "pilot", "scaler"]


class Runner(msgspec.Struct, frozen=True):
    """A process that claims jobs, or one that starts such processes (`scaler`).

    It is alive while its heartbeat `beat` rises.

    An agent serves one `device`, as does the runner that a server has for each device at another
    cloud; a server's other runner, and a pilot on another machine, serve simulated devices. A
    server has `express_slots` for short jobs in addition to its `slots`. Servers, and pilots for
    all simulated devices and projects, have `memory_bytes` for each job; others have None. Each
    pilot has `task_bytes`, ends at the time `ends_at` in Unix ms, and takes jobs of `projects`;
    a None there sets no limit.
    """

    id: str
    kind: RunnerKind
    beat: int
    slots: int
    device: str | None = None
    express_slots: int = 0
    memory_bytes: int | None = None
    task_bytes: int | None = None
    ends_at: int | None = None
    projects: Projects = ALL_PROJECTS


def runner_name(runner: str) -> str:
    """Return the part of a runner's id that its jobs show to users: without its account."""
    return runner.rpartition("/")[2]


def scaler_duty(group: str) -> str:
    """Return the name of the duty of a group's active scaler; `group` includes its account."""
    return f"scaler {group}"


def worker_group(runner: str) -> str:
    """Return the group of a worker with its account, or "" if no scaler has started it.

    A name in a group ends with a hyphen and 8 random hexadecimal digits (`pilots.node.new_name`).
    Without all of them, the workers of the group `night-gpu` would count for the group `night`.
    """
    group, _, digits = runner.rpartition("-")
    return group if len(digits) == 8 and set(digits) <= _HEX else ""


class Progress(msgspec.Struct, frozen=True):
    """Progress reported by the holder of a lease: a fraction from 0 to 1, and a short text."""

    done: float
    text: str = ""


class Directive(StrEnum):
    """Instruction to an agent or pilot about a job that it reports to hold."""

    STOP = "stop"
    """The user has cancelled it: release it, or finish it if that is faster."""
    LOST = "lost"
    """The lease is no longer valid, so its result would be refused."""
