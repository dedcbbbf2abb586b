"""Jobs: submissions, the row that every door reads, and the right to run one.

All times are Unix milliseconds in UTC.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, NamedTuple

import msgspec

from qwicket.model.failures import Failure
from qwicket.model.limits import INT64_MAX
from qwicket.model.states import JobState


class Submission(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request to run a program, in the gateway's words.

    An empty `format` is told from the source. `noise` names one of the device's noise models;
    None is none, and on a twin that of its calibration. `engine` names one of the device's engines;
    empty leaves the choice to us. `priority` orders the jobs of one project; it puts none before
    another project's. `debias` asks a twin for symmetrised runs; a dry run is checked like any
    other and then not run.
    A program that was uploaded, not sent in a body, may be larger.
    `wire` is opaque: what only this door's vendor needs back byte for byte.
    """

    door: str
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
    debias: bool = False
    dry_run: bool = False
    is_uploaded: bool = False
    wire: bytes = b"{}"


class Job(msgspec.Struct, frozen=True):
    """The narrow row: all that a status poll, a claim or a list touches."""

    id: str
    seq: int
    account: str
    project: str
    device: str
    door: str
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


class NewJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job about to be stored.

    It is queued when it passed every check; a draft (`expires_at` set) when its program is still to
    come, see `Ready`; failed (`error` set) where a dialect demands a 2xx for what is refused.
    It is `express` when it is so short and small that it may start beside the worker slots.
    """

    id: str
    account: str
    project: str
    device: str
    door: str
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
    wire: bytes
    now: int
    calibration: str | None = None
    group: str | None = None
    state: JobState = JobState.QUEUED
    expires_at: int | None = None
    error: Failure | None = None
    idempotency_key: str | None = None
    digest: bytes = b""


class JobQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which jobs a list shows, newest first.

    `account` and `devices`, those that the token is for, are filled in by the gateway; `before`
    is the `seq` to continue below, and `after` that to continue above. A job must bear all the
    `tags`; times of creation are Unix ms, both ends included. Of a door's list the order may be
    turned. With an `offset` it is a search of one door, without `before` and `after`, also for
    `text` in a job's name, device or tags; it tells states as doors show them: a job that waits
    to run again is running.
    """

    account: str = ""
    door: str | None = None
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


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The right of one runner to run one job; worthless once a higher fence exists."""

    job: str
    fence: int
    nonce: str
    runner: str


class Forward(NamedTuple):
    """A job's way to another cloud: the mark it bears there, and its id once that is known."""

    marker: str
    vendor_job_id: str | None


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """A lease with all that a driver needs to do the job.

    `state` is `running`; `uncertain` when it must first be found out what became of the job at its
    vendor; `cancelling` when only its end is to be brought about.
    """

    lease: Lease
    device: str
    state: JobState
    attempts: int
    est_bytes: int
    est_seconds: float
    circuits: bytes
    options: bytes
    forward: Forward | None = None


class Runner(msgspec.Struct, frozen=True):
    """A process that claims jobs. It lives while its beat rises.

    An agent serves one `device`; a server all that need none. A server has `express_slots` for
    short jobs beside its `slots`.
    """

    id: str
    kind: Literal["server", "agent"]
    beat: int
    slots: int
    device: str | None = None
    express_slots: int = 0


class Progress(msgspec.Struct, frozen=True):
    """How far the holder of a lease says that it is: a share from 0 to 1, and a few words."""

    done: float
    text: str = ""


class Order(StrEnum):
    """What an agent is told about a job that it believes to hold."""

    GO_ON = "go on"
    STOP = "stop"
    """The user wants it to end: answer with a release, or with the result if that is faster."""
    LOST = "lost"
    """The lease is void: whatever comes of it is refused."""
