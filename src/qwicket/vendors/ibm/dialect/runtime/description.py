"""Bodies of Qiskit Runtime's responses, as structs for the descriptions of both channels.

The platform channel has its own structs of what differs. A field with a default is absent where a
job or a device has no such value.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from qwicket.vendors.ibm.dialect import description as ibm


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of the other bodies."""


# --- devices --------------------------------------------------------------------------------------


class DeviceNames(Body, frozen=True):
    """The names of the devices."""

    devices: list[str]


class Configuration(ibm.Configuration, frozen=True, kw_only=True):
    """Configuration of a device, as Qiskit reads it.

    Simulators lack `meas_map`, `multi_meas_enabled`, `dt`, `dtm` and `rep_times`.
    """

    supported_features: list[str]


class QueueStatus(Body, frozen=True):
    """Whether a device takes jobs, and how many wait."""

    state: bool
    status: str
    message: str
    backend_version: str
    length_queue: int


# --- jobs -----------------------------------------------------------------------------------------


class Submitted(Body, frozen=True):
    """A submitted job: its id, and its device."""

    id: str
    backend: str


class Program(Body, frozen=True):
    """The program of a job: `sampler`, `estimator` or `executor`."""

    id: str


class State(Body, frozen=True):
    """Status of a job. For a failed job, why it failed."""

    status: str
    reason: str | UnsetType = UNSET
    reason_code: int | UnsetType = UNSET


class JobFields(Body, frozen=True, kw_only=True):
    """Fields that jobs have on both channels.

    Attributes:
        cost: The limit on its run time in seconds that was sent with the job.
    """

    id: str
    backend: str
    program: Program
    state: State
    status: str
    created: str
    tags: list[str]
    private: bool
    estimated_running_time_seconds: float
    ended: str | UnsetType = UNSET
    session_id: str | UnsetType = UNSET
    cost: int | UnsetType = UNSET


class Job(JobFields, frozen=True, kw_only=True):
    """A job.

    Attributes:
        params: The parameters of its program; absent in lists, and if `exclude_params` is true.
    """

    hub: str
    group: str
    project: str
    params: dict[str, Any] | UnsetType = UNSET


class JobPage(Body, frozen=True):
    """Jobs, and the number of all that match."""

    jobs: list[Job]
    count: int
    limit: int
    offset: int


class JobTimes(Body, frozen=True):
    """When a job was created, started and ended."""

    created: str
    running: str | None
    finished: str | None


class RunTime(Body, frozen=True):
    """Run time of a job in seconds; 0 until it has ended."""

    status: str
    qpu_charge_time_seconds: float
    quantum_seconds: float
    seconds: float


class Seconds(Body, frozen=True):
    """Run time of a job in seconds; 0 until it has ended."""

    seconds: float


class Metrics(Body, frozen=True):
    """Times and size of a job.

    Attributes:
        position_in_queue: Its position, from 1; absent if the job does not wait.
    """

    timestamps: JobTimes
    usage: RunTime
    bss: Seconds
    executions: int
    num_circuits: int
    num_qubits: list[int]
    position_in_queue: int | UnsetType = UNSET


# --- sessions -------------------------------------------------------------------------------------


class SessionEvent(Body, frozen=True):
    """When a session came into a state."""

    status: str
    timestamp: str


class Session(Body, frozen=True):
    """A session.

    Attributes:
        state: `open` until its first job runs, `active` while it takes jobs or has unfinished ones,
            else `closed`.
        max_ttl: Seconds for which it takes jobs; null for no limit.
        active_ttl: The same as `max_ttl`.
        interactive_ttl: Always null: a session does not reserve its device.
        elapsed_time: Seconds for which its jobs ran.
    """

    id: str
    backend_name: str | None
    mode: str
    state: str
    accepting_jobs: bool
    max_ttl: int | None
    active_ttl: int | None
    interactive_ttl: None
    started_at: str | None
    activated_at: str | None
    closed_at: str | None
    last_job_started: str | None
    last_job_completed: str | None
    elapsed_time: float
    timestamps: list[SessionEvent]


# --- usage ----------------------------------------------------------------------------------------


class Period(Body, frozen=True):
    """The current month until now."""

    start: str
    end: str


class InstanceUsage(Body, frozen=True, kw_only=True, rename="camel"):
    """Use of a project.

    Attributes:
        usage: Seconds for which the account's jobs ran; with a budget, seconds used of it.
        quota: Seconds of the project's budget; absent without a budget.
        pending_jobs: The account's jobs that have not ended.
    """

    instance: str
    usage: float
    quota: float | UnsetType = UNSET
    pending_jobs: int
    max_pending_jobs: int


class Usage(Body, frozen=True, rename="camel"):
    """Use of each project of the account."""

    period: Period
    by_instance: list[InstanceUsage]
