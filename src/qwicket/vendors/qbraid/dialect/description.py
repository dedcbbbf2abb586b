"""Bodies of qBraid's responses, as structs for the dialect's description.

Names begin with the version where both have such a body. A field with a default is absent where a
job has no such value.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    pass


class Message(_Body, frozen=True):
    """What was done."""

    message: str


class TimeStamps(_Body, frozen=True):
    """Times of a job; `executionDuration` is in milliseconds."""

    created_at: str
    ended_at: str | None
    execution_duration: int | None


class Pricing(_Body, frozen=True):
    """Cost of a device: in credits in v1, in dollars in v0."""

    per_task: float
    per_shot: float
    per_minute: float


class AtomShot(_Body, frozen=True, rename=None):
    """A shot on atoms: 1 for each atom that is there, before and after the program."""

    success: bool
    pre_sequence: list[int]
    post_sequence: list[int]


# --- v1 -------------------------------------------------------------------------------------------


class Pagination(_Body, frozen=True):
    """Which page of a list it is."""

    page: int
    limit: int
    total: int
    total_pages: int
    has_next: bool
    has_prev: bool


class V1User(_Body, frozen=True):
    """The user of the token."""

    user_id: str
    user_name: str
    email: str
    organization_id: str
    organization_user_id: str


class Role(_Body, frozen=True):
    """Whether the user is an administrator: `true` or `false`, as text."""

    is_admin: str


class UserContext(_Body, frozen=True):
    """The user's role."""

    user: Role


class V1Credits(_Body, frozen=True):
    """The rest of the cost budget for all devices, or 0."""

    qbraid_credits: float
    aws_credits: float
    auto_recharge: str
    organization_id: str
    user_id: str


class V1Device(_Body, frozen=True):
    """A device.

    Attributes:
        avg_queue_time: Minutes.
    """

    name: str
    qrn: str
    vrn: str
    vendor: str
    provider: str
    provider_id: str
    device_type: str
    run_input_types: list[str]
    status: str
    status_msg: str | None
    next_available: str | None
    queue_depth: int
    avg_queue_time: int
    number_qubits: int
    paradigm: str
    modality: str | None
    noise_models: list[str] | None
    min_shots: int
    max_shots: int
    pricing_model: str
    pricing: Pricing
    direct_access: bool
    batch_job_support: bool
    visibility: str
    verified: str
    description: str
    status_locked: bool


class OneQubitError(_Body, frozen=True):
    """Error of gates on one qubit."""

    one_qubit: float = msgspec.field(name="1q")


class OwnFigures(_Body, frozen=True):
    """Which figures are the qubit's own; the others are the device's averages."""

    t1: bool
    t2: bool
    readout_error: bool


class QubitFigures(_Body, frozen=True):
    """Figures of a qubit: times in seconds, errors as probabilities."""

    t1: float
    t2: float
    frequency: float | None
    readout_error: float
    gate_error: OneQubitError
    calibrated: OwnFigures


class Edge(_Body, frozen=True):
    """Error of the gate on a pair; `calibrated` is false if it is the device's average."""

    source: int
    target: int
    value: float
    calibrated: bool


class TwoQubitErrors(_Body, frozen=True):
    """Errors of gates on two qubits."""

    two_qubit: list[Edge] = msgspec.field(name="2q")


class Edges(_Body, frozen=True):
    """Figures of pairs; empty for a device without pairs."""

    gate_error: TwoQubitErrors | UnsetType = UNSET


class Calibration(_Body, frozen=True):
    """Calibration of a device, with figures by the number of the qubit."""

    device_qrns: list[str] = msgspec.field(name="deviceQRNs")
    provider: str
    last_calibrated: str
    fetched_at: str
    qubits: dict[str, QubitFigures]
    edges: Edges


class Logo(_Body, frozen=True):
    """Addresses of a logo; there is none."""

    light: str | None
    dark: str | None


class Provider(_Body, frozen=True):
    """The provider of all devices."""

    id: str = msgspec.field(name="_id")
    provider: str
    provider_description: str
    about: str | None
    visibility: str
    devices: list[str]
    logo: Logo
    qrn: str


class Providers(_Body, frozen=True):
    """All providers."""

    providers: list[Provider]


class Destination(_Body, frozen=True):
    """Where a job's data would be in qBraid's cloud."""

    bucket: str
    directory: str


class V1Job(_Body, frozen=True):
    """A job. Costs are in credits."""

    job_qrn: str
    job_vrn: str
    name: str | None
    device_qrn: str
    vendor: str
    provider: str
    status: str
    status_msg: str | None
    experiment_type: str
    shots: int
    num_circuits: int
    queue_position: int | None
    tags: dict[str, Any]
    runtime_options: dict[str, Any]
    metadata: dict[str, Any]
    group_job_qrn: str | None
    estimated_cost: float
    cost: float | None
    time_stamps: TimeStamps
    organization_user_id: str
    device_id: str
    provider_id: str
    gcs_destination: Destination


class V1CancelRequest(_Body, frozen=True):
    """The job will be cancelled."""

    message: str
    job_qrn: str
    status: str


class V1Estimate(_Body, frozen=True):
    """Estimated cost of a job in credits."""

    pricing_available: bool
    device_qrn: str
    estimated_cost: float
    shots: int
    pricing_model: str


class ResultData(_Body, frozen=True):
    """Counts by outcome and the outcome of each shot; or why a program failed, in `statusMsg`."""

    measurement_counts: dict[str, int] | UnsetType = UNSET
    measurements: list[list[int] | AtomShot] | UnsetType | None = UNSET
    status_msg: str | UnsetType = UNSET


class ProgramResult(_Body, frozen=True):
    """Result of one program of a batch, with its share of the cost."""

    status: str
    cost: float
    time_stamps: TimeStamps
    result_data: ResultData


class V1Result(_Body, frozen=True):
    """Result of a job; a batch has `results`, other jobs have `resultData`."""

    status: str
    cost: float
    time_stamps: TimeStamps
    result_data: ResultData | UnsetType = UNSET
    results: list[ProgramResult] | UnsetType = UNSET


class SubmittedProgram(_Body, frozen=True):
    """A program. `data` is an object if it was sent as one."""

    format: str
    data: str | dict[str, Any]


class Group(_Body, frozen=True):
    """A group of jobs. `maxTTL` is in seconds, costs are in credits."""

    group_job_qrn: str
    name: str | None
    status: str
    job_count: int
    completed_count: int
    failed_count: int
    cancelled_count: int
    total_estimated_cost: float
    total_cost: float
    time_stamps: TimeStamps
    max_ttl: int = msgspec.field(name="maxTTL")
    tags: dict[str, Any]
    metadata: dict[str, Any]


# Every successful response of v1 has `success` and `data`.


class _Success(_Body, frozen=True):
    success: bool


class UserResponse(_Success, frozen=True):
    """The user."""

    data: V1User


class UserContextResponse(_Success, frozen=True):
    """The user's role."""

    data: UserContext


class CreditsResponse(_Success, frozen=True):
    """The user's credits."""

    data: V1Credits


class DeviceResponse(_Success, frozen=True):
    """A device."""

    data: V1Device


class DeviceListResponse(_Success, frozen=True):
    """All devices."""

    data: list[V1Device]


class CalibrationResponse(_Success, frozen=True):
    """The calibration of a device; null if it has none."""

    data: Calibration | None


class ProvidersResponse(_Success, frozen=True):
    """All providers."""

    data: Providers


class JobResponse(_Success, frozen=True):
    """A job."""

    data: V1Job


class JobListResponse(_Success, frozen=True):
    """Jobs of a group, newest first."""

    data: list[V1Job]


class CountsResponse(_Success, frozen=True):
    """Number of jobs by status."""

    data: dict[str, int]


class EstimateResponse(_Success, frozen=True):
    """An estimate of a cost."""

    data: V1Estimate


class CancelResponse(_Success, frozen=True):
    """A job that will be cancelled."""

    data: V1CancelRequest


class ResultResponse(_Success, frozen=True):
    """The result of a job."""

    data: V1Result


class ProgramResponse(_Success, frozen=True):
    """The program of a job; for a batch a list of programs."""

    data: SubmittedProgram | list[SubmittedProgram]


class GroupResponse(_Success, frozen=True):
    """A group."""

    data: Group


class MessageResponse(_Success, frozen=True):
    """What was done."""

    data: Message


class JobPage(_Success, frozen=True):
    """One page of jobs, newest first."""

    data: list[V1Job]
    pagination: Pagination


class GroupPage(_Success, frozen=True):
    """One page of groups, newest first."""

    data: list[Group]
    pagination: Pagination


# --- the registry and v0 --------------------------------------------------------------------------


class V0User(_Body, frozen=True):
    """The user of the token."""

    email: str
    user_name: str
    id: str = msgspec.field(name="_id")
    organization: str
    role: str
    active: bool


class V0Credits(_Body, frozen=True):
    """The rest of the cost budget for all devices, or 0."""

    qbraid_credits: float


class RegisteredTimes(_Body, frozen=True):
    """When a job was registered."""

    job_started: str
    created_at: str


class RegisteredJob(_Body, frozen=True, kw_only=True):
    """A registered job, which ran on another server."""

    id: str = msgspec.field(name="_id")
    user: str
    email: str
    qbraid_job_id: str
    vendor_job_id: str
    qbraid_device_id: str
    vendor_device_id: str
    status: str
    qbraid_status: str
    shots: int | UnsetType = UNSET
    circuit_num_qubits: int | UnsetType = UNSET
    circuit_depth: int | UnsetType = UNSET
    circuit_batch_num_qubits: list[int] | UnsetType = UNSET
    circuit_batch_depth: list[int] | UnsetType = UNSET
    created_at: str
    time_stamps: RegisteredTimes


class V0Device(_Body, frozen=True):
    """A device."""

    id: str = msgspec.field(name="_id")
    qbraid_id: str = msgspec.field(name="qbraid_id")
    obj_arg: str
    obj_ref: str
    name: str
    provider: str
    vendor: str
    type: str
    architecture: str | None
    run_package: str | None
    run_input_types: list[str]
    paradigm: str
    number_qubits: int
    status: str
    is_available: bool
    status_refresh: str
    pending_jobs: int
    queue_depth: int
    noise_models: list[str] | None
    visibility: str
    description: str
    pricing: Pricing


class V0Job(_Body, frozen=True):
    """A job. `openQasm` and `measurementCounts` are only in the response about this one job."""

    id: str = msgspec.field(name="_id")
    qbraid_job_id: str
    vendor_job_id: str
    qbraid_device_id: str
    vendor: str
    provider: str
    status: str
    qbraid_status: str
    status_text: str | None
    experiment_type: str
    shots: int
    queue_position: int | None
    queue_depth: int | None
    circuit_num_qubits: int
    circuit_depth: int | None
    tags: dict[str, Any]
    preflight: bool
    cost: float | None
    escrow: float
    email: str
    created_at: str
    time_stamps: TimeStamps
    open_qasm: str | UnsetType = UNSET
    measurement_counts: dict[str, int] | UnsetType = UNSET


class V0CancelRequest(_Body, frozen=True):
    """The job will be cancelled."""

    message: str
    qbraid_job_id: str
    status: str


class V0ResultData(_Body, frozen=True):
    """Counts by outcome and the outcome of each shot; absent for a job with several circuits."""

    runner_version: str
    runner_seed: int | None
    measurement_counts: dict[str, int] | UnsetType = UNSET
    measurements: list[list[int] | AtomShot] | UnsetType | None = UNSET


class V0Result(_Body, frozen=True):
    """Result of a job."""

    data: V0ResultData


class V0Estimate(_Body, frozen=True):
    """Estimated cost of a job in credits."""

    estimated_credits: float
