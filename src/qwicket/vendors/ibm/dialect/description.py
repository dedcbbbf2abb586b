"""Bodies of IBM's responses, as structs for the dialect's description.

Fields that IBM's document prints keep its spelling, misprints included. A field with a default is
absent where a job has no such value.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    pass


class _SnakeBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body whose fields have underscores, as in Qiskit's own documents."""


class Empty(_Body, frozen=True):
    """An empty object."""


class Versions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Versions of the API."""

    api_auth: str = msgspec.field(name="api-auth")
    api_core: str = msgspec.field(name="api-core")
    qwicket: str


class SignedIn(_Body, frozen=True):
    """An access token, `id`, and its life in seconds, `ttl`."""

    id: str
    ttl: int
    created: str
    user_id: str


class Subscriptions(_Body, frozen=True):
    updates: int
    surveys: int


class Invitation(_Body, frozen=True):
    familiarity: str
    description: str
    institution: str


class AdditionalData(_Body, frozen=True):
    tutorial_pages_completed: dict[str, Any]
    tutorial_completed: bool
    tutorial_visited: bool
    terms_and_conditions: bool
    invitation: Invitation


class Credit(_Body, frozen=True):
    remaining: int
    promotional: int
    promotional_codes_used: list[str]
    max_user_type: int


class Dpl(_Body, frozen=True):
    blocked: bool
    checked: bool
    words_found: dict[str, Any]
    results: dict[str, Any]


class UserCredit(_Body, frozen=True):
    credits: int


class UserType(_Body, frozen=True):
    type: str
    default: bool
    priority: bool
    id: str
    credit: UserCredit
    delete: bool


class Urls(_Body, frozen=True):
    """Addresses of the services."""

    http: str
    ws: str
    services: dict[str, str]


class Account(_Body, frozen=True):
    """The account. Most fields have no value here."""

    first_name: str
    last_name: str
    user_type_id: str
    institution: str
    status: str
    blocked: str
    subscriptions: Subscriptions
    additional_data: AdditionalData
    codes_last_version: dict[str, Any]
    creation_date: str
    iqx_preferences: dict[str, Any]
    email_verified: bool
    username: str
    email: str
    id: str
    last_modified: str
    credit: Credit
    ibm_q_network: bool = msgspec.field(name="ibmQNetwork")
    urls: Urls
    dpl: Dpl
    user_type: UserType
    groups: list[Any]
    roles: list[Any]


class NetworkDevice(_Body, frozen=True):
    priority: int
    name: str
    deleted: bool
    specific_configuration: dict[str, Any]


class _Level(_Body, frozen=True):
    name: str
    title: str
    description: str
    creation_date: str
    deleted: bool
    is_default: bool


class Project(_Level, frozen=True):
    """A project, with its devices by name."""

    devices: dict[str, NetworkDevice]


class Group(_Level, frozen=True):
    """A group, with its projects by name."""

    projects: dict[str, Project]


class Hub(_Level, frozen=True):
    """A hub, with its groups by name."""

    private: bool
    license_not_required: bool
    analytics: bool
    class_: str = msgspec.field(name="class")
    id: str
    groups: dict[str, Group]


class Gate(_SnakeBody, frozen=True):
    """A gate of a device."""

    name: str
    parameters: list[str]
    qasm_def: str
    coupling_map: list[list[int]] | UnsetType = UNSET


class Configuration(_SnakeBody, frozen=True):
    """Configuration of a device, as Qiskit reads it. Simulators lack the last five fields."""

    backend_name: str
    backend_version: str
    n_qubits: int
    basis_gates: list[str]
    gates: list[Gate]
    coupling_map: list[list[int]] | None
    local: bool
    simulator: bool
    conditional: bool
    open_pulse: bool
    memory: bool
    max_shots: int
    max_experiments: int
    online_date: str
    credits_required: bool
    allow_object_storage: bool
    allow_q_object: bool
    input_allowed: list[str]
    description: str
    sample_name: str
    supported_instructions: list[str]
    meas_map: list[list[int]] | UnsetType = UNSET
    multi_meas_enabled: bool | UnsetType = UNSET
    dt: float | UnsetType = UNSET
    dtm: float | UnsetType = UNSET
    rep_times: list[float] | UnsetType = UNSET


class Figure(_SnakeBody, frozen=True):
    """A measured figure."""

    date: str
    name: str
    unit: str
    value: float


class MeasuredGate(_SnakeBody, frozen=True):
    """Figures of a gate on some qubits; `parametres` is the document's spelling."""

    gate: str
    name: str
    qubits: list[int]
    parameters: list[Figure]
    parametres: list[Figure]


class Properties(_SnakeBody, frozen=True):
    """Calibration of a device: the figures of each qubit, and those of each gate."""

    backend_name: str
    backend_version: str
    last_update_date: str
    qubits: list[list[Figure]]
    gates: list[MeasuredGate]
    general: list[Figure]


class QueueStatus(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether a device takes jobs, and how many wait."""

    state: bool
    status: str
    message: str
    length_queue: int = msgspec.field(name="lengthQueue")
    backend_version: str


class JobsLimit(_Body, frozen=True):
    """Number of unfinished jobs; -1 for no limit."""

    maximum_jobs: int
    running_jobs: int


class Backend(_Body, frozen=True):
    id: str
    name: str


class Level(_Body, frozen=True):
    name: str
    priority: int


class HubInfo(_Body, frozen=True):
    hub: Level
    group: Level
    project: Level


class JobError(_Body, frozen=True):
    message: str
    code: int


class InfoQueue(_Body, frozen=True):
    """Queue position of a waiting job; without the times where no forecast is known."""

    status: str
    position: int
    hub_priority: float
    group_priority: float
    project_priority: float
    estimated_start_time: str | UnsetType = UNSET
    estimated_complete_time: str | UnsetType = UNSET


class JobStatus(_Body, frozen=True, kw_only=True):
    """Status of a job."""

    kind: str
    backend: Backend
    status: str
    creation_date: str
    hub_info: HubInfo
    id: str
    user_id: str
    name: str
    end_date: str | UnsetType = UNSET
    error: JobError | UnsetType = UNSET
    info_queue: InfoQueue | UnsetType = UNSET


class Counts(_Body, frozen=True):
    """Number of shots by hexadecimal outcome."""

    counts: dict[str, int]


class Qasm(_Body, frozen=True):
    """A circuit of a job, with its program and counts where it has them."""

    status: str
    execution_id: str
    qasm: str | UnsetType = UNSET
    result: Counts | UnsetType = UNSET


class Ip(_Body, frozen=True):
    """Empty: addresses of users are not stored."""

    ip: str
    city: str
    country: str
    continent: str


class ObjectStorageInfo(_Body, frozen=True):
    """Addresses that return signed URLs of the program."""

    job_id: str
    upload_q_object_url_endpoint: str
    download_q_object_url_endpoint: str
    job_qasm_converted: str
    validated_url: str
    validation_upload_url_endpoint: str
    upload_url: str | UnsetType = UNSET


class Sizes(_Body, frozen=True):
    input: int
    output: int


class QobjConfig(_SnakeBody, frozen=True):
    n_qubits: int
    max_credits: int
    memory_slots: int
    memory: bool
    shots: int
    type: str


class Summary(_SnakeBody, frozen=True):
    max_qubits_used: int
    gates_executed: int
    qobj_config: QobjConfig
    num_circuits: int
    partial_validation: bool


class SummaryData(_Body, frozen=True):
    size: Sizes
    success: bool
    summary: Summary
    result_time: float


class ClientInfo(_Body, frozen=True):
    name: str
    version: str


class CircuitData(_Body, frozen=True):
    counts: dict[str, int] | UnsetType = UNSET
    memory: list[str] | UnsetType = UNSET


class CircuitResult(_SnakeBody, frozen=True):
    """Result of a circuit; a failed one lacks the last three fields."""

    shots: int
    meas_level: int
    header: dict[str, Any]
    success: bool
    status: str
    data: CircuitData
    seed_simulator: int | UnsetType = UNSET
    time_taken: float | UnsetType = UNSET
    notes: list[str] | UnsetType = UNSET


class Result(_SnakeBody, frozen=True):
    """Result of a job, as Qiskit reads it."""

    backend_name: str
    backend_version: str
    qobj_id: str
    job_id: str
    success: bool
    status: str
    date: str
    header: dict[str, Any]
    results: list[CircuitResult]


class Job(JobStatus, frozen=True, kw_only=True):
    """A job. `fields` of a list's filter may leave out any field."""

    shots: int
    cost: float
    tags: list[str]
    time_per_step: dict[str, str]
    run_mode: str
    code_id: str
    ip: Ip
    object_storage_info: ObjectStorageInfo
    live_data_enabled: bool
    qasms: list[Qasm] | UnsetType = UNSET
    client_info: ClientInfo | UnsetType = UNSET
    experiment_tag: str | UnsetType = UNSET
    share_level: str | UnsetType = UNSET
    summary_data: SummaryData | UnsetType = UNSET
    q_object: dict[str, Any] | UnsetType = UNSET
    q_object_result: Result | UnsetType = UNSET


class Changed(_Body, frozen=True):
    """The changed field of a job."""

    name: str | UnsetType = UNSET
    tags: list[str] | UnsetType = UNSET


class CancelRefusal(_Body, frozen=True):
    status: int
    message: str
    code: int
    name: str


class Cancelled(_Body, frozen=True):
    """Whether a job will be cancelled, and if not, why."""

    cancelled: bool
    error: CancelRefusal | UnsetType = UNSET


class SignedUrl(_Body, frozen=True):
    """A signed URL, which needs no token."""

    url: str


class UploadedJob(_Body, frozen=True):
    """A job whose program was uploaded."""

    job: Job
