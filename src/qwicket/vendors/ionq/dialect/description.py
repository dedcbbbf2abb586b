"""Bodies of IonQ's responses, as structs for the dialect's description.

A field with a default is absent where a job or a backend has no such value.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from qwicket.vendors.ionq.dialect.sessions import CostLimit
from qwicket.vendors.ionq.dialect.wire import Noise


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


# --- backends -------------------------------------------------------------------------------------


class Backend(_Body, frozen=True):
    """A backend. Machines have a characterization, simulators have noise models.

    Attributes:
        average_queue_time: Expected milliseconds until a new job starts.
    """

    backend: str
    status: str
    qubits: int
    average_queue_time: int
    last_updated: str
    has_access: bool
    degraded: bool
    supported_gates: list[str]
    supported_native_gates: list[str]
    supported_error_mitigations: list[str]
    noise_models: list[str] | UnsetType = UNSET
    characterization_id: str | UnsetType = UNSET


class Fidelity(_Body, frozen=True):
    """A fidelity. Median and mean are the same."""

    median: float
    mean: float


class Fidelities(_Body, frozen=True):
    """Fidelities of preparation and measurement, and of gates on one and two qubits."""

    spam: Fidelity
    one_qubit: Fidelity = msgspec.field(name="1q")
    two_qubit: Fidelity = msgspec.field(name="2q")


class Timing(_Body, frozen=True):
    """Times in seconds."""

    readout: float
    reset: float
    one_qubit: float = msgspec.field(name="1q")
    two_qubit: float = msgspec.field(name="2q")
    t1: float
    t2: float


class Characterization(_Body, frozen=True):
    """A calibration of a backend.

    Attributes:
        date: Time from which it is valid; in version 0.3 a number of seconds since 1970.
        connectivity: Pairs of qubits that a gate can act on.
    """

    id: str
    backend: str
    target: str
    date: str | float
    qubits: int
    connectivity: list[tuple[int, int]]
    fidelity: Fidelities
    timing: Timing


class CharacterizationPage(_Body, frozen=True):
    """Characterizations, newest first, and the number of pages."""

    characterizations: list[Characterization]
    pages: int


class CalibrationPage(_Body, frozen=True):
    """Calibrations, newest first. `next` is absent on the last page."""

    calibrations: list[Characterization]
    next: str | UnsetType = UNSET


# --- jobs -----------------------------------------------------------------------------------------


class ShortJob(_Body, frozen=True):
    """A job's id and status."""

    id: str
    status: str


class SubmittedV03(ShortJob, frozen=True):
    """A submitted job. `request` is the time in seconds since 1970."""

    request: int


class SubmittedV04(ShortJob, frozen=True):
    """A submitted job."""

    session_id: str | None


class ChangedJobs(_Body, frozen=True):
    """Several jobs and their status."""

    ids: list[str]
    status: str


class Failure(_Body, frozen=True):
    """Why a job failed; version 0.4 has an empty object for other jobs."""

    code: str | UnsetType = UNSET
    message: str | UnsetType = UNSET
    error: str | UnsetType = UNSET


class Warnings(_Body, frozen=True):
    """Options that had no effect."""

    messages: list[str]


class GateCounts(_Body, frozen=True):
    """Number of gates; a circuit of a job with several has none."""

    one_qubit: int | UnsetType = msgspec.field(name="1q", default=UNSET)
    two_qubit: int | UnsetType = msgspec.field(name="2q", default=UNSET)


class Stats(_Body, frozen=True):
    """Size of a job."""

    qubits: int
    circuits: int
    gate_counts: GateCounts | UnsetType = UNSET


class Descriptor(_Body, frozen=True):
    """A result in a format. `id` is that of an artifact, or of a path below `results`."""

    id: str
    format: str
    media_type: str
    url: str | UnsetType = UNSET


class Compilation(_Body, frozen=True):
    """Compiled circuits by format."""

    compiled_circuits: dict[str, Descriptor]


class Debiasing(_Body, frozen=True):
    """The job was debiased."""

    debiasing: bool


class Output(_Body, frozen=True):
    """What a job has beside its results."""

    compilation: Compilation | UnsetType = UNSET
    error_mitigation: Debiasing | UnsetType = UNSET


class JobV04(_Body, frozen=True):
    """A job, or one circuit of a job, in version 0.4.

    Attributes:
        predicted_wait_time_ms: Expected time until it starts; null if unknown or started.
        child_job_ids: Ids of the circuits of a job with several, once it has ended.
        results: Results by name and by format; null if there are none.
        noise: Noise model; absent for twins of machines, whose noise is their calibration's.
    """

    id: str
    status: str
    type: str
    backend: str
    dry_run: bool
    name: str
    shots: int
    settings: dict[str, Any]
    metadata: dict[str, Any]
    failure: Failure
    stats: Stats
    parent_job_id: str | None
    child_job_ids: list[str] | None
    session_id: str | None
    project_id: str
    submitter_id: str
    submitted_at: str
    started_at: str | None
    completed_at: str | None
    predicted_wait_time_ms: int | None
    predicted_execution_duration_ms: int
    execution_duration_ms: int | None
    output: Output
    results: dict[str, Descriptor] | None
    noise: Noise | UnsetType = UNSET
    warning: Warnings | UnsetType = UNSET


class Debiased(_Body, frozen=True):
    """The job is debiased."""

    debias: bool


class JobV03(_Body, frozen=True):
    """A job, or one circuit of a job, in version 0.3. Times are in seconds since 1970.

    Attributes:
        predicted_execution_time: Milliseconds.
        execution_time: Milliseconds.
        children: Ids of the circuits of a job with several, once it has ended.
        parent: Id of the job of a circuit.
        results_url: Path of the results.
        noise: Noise model; absent for twins of machines, whose noise is their calibration's.
    """

    id: str
    status: str
    type: str
    target: str
    name: str
    shots: int
    qubits: int
    circuits: int
    registers: dict[str, Any]
    metadata: dict[str, Any]
    settings: dict[str, Any]
    gate_counts: GateCounts
    request: int
    predicted_execution_time: int
    session_id: str | None
    dry_run: bool
    noise: Noise | UnsetType = UNSET
    error_mitigation: Debiased | UnsetType = UNSET
    children: list[str] | UnsetType = UNSET
    parent: str | UnsetType = UNSET
    start: int | UnsetType = UNSET
    response: int | UnsetType = UNSET
    failure: Failure | UnsetType = UNSET
    execution_time: int | UnsetType = UNSET
    results_url: str | UnsetType = UNSET
    warning: Warnings | UnsetType = UNSET


class JobPageV03(_Body, frozen=True):
    """Jobs, newest first. For cirq-ionq `next` is absent on the last page."""

    jobs: list[JobV03]
    next: str | UnsetType | None = UNSET


class JobPageV04(_Body, frozen=True):
    """Jobs, newest first. For cirq-ionq `next` is absent on the last page."""

    jobs: list[JobV04]
    next: str | UnsetType | None = UNSET


# --- costs ----------------------------------------------------------------------------------------


class Price(_Body, frozen=True):
    """A cost in credits, or 0 `usd` if the device has no cost."""

    value: float
    unit: str


class Cost(_Body, frozen=True):
    """Cost of a job. `cost` is absent until the job has ended."""

    dry_run: bool
    estimated_cost: Price
    cost: Price | UnsetType = UNSET


class EstimateInput(_Body, frozen=True):
    """Parameters of an estimate."""

    backend: str
    qubits: int
    shots: int
    one_qubit_gates: int = msgspec.field(name="1q_gates")
    two_qubit_gates: int = msgspec.field(name="2q_gates")
    error_mitigation: bool
    session: bool


class EstimateContext(_Body, frozen=True):
    """Parameters of an estimate, and whose it is."""

    backend: str
    type: str
    qubits: int
    shots: int
    one_qubit_gates: int = msgspec.field(name="1q_gates")
    two_qubit_gates: int = msgspec.field(name="2q_gates")
    error_mitigation: bool
    organization: str
    project: str


class RateCard(_Body, frozen=True):
    id: str
    rates: list[Any]


class Estimate(_Body, frozen=True):
    """Estimated cost of a job, and estimated times in milliseconds."""

    input_values: EstimateInput
    estimate_context: EstimateContext
    estimated_cost: float
    estimated_total_cost: float
    cost_unit: str
    estimated_unit: str
    estimated_execution_time: int
    current_predicted_queue_time: int
    estimated_at: str
    rate_information: dict[str, Any]
    rate_card: RateCard


class Report(_Body, frozen=True):
    """A project's cost budget in credits and what is left of it; 0 without one."""

    start_date: str
    end_date: str
    organization: str
    organization_id: str
    budget: float
    balance: float
    currency: str
    qpus: list[Any]
    members: list[Any]


# --- results --------------------------------------------------------------------------------------

Histogram = dict[str, int]
"""Number of shots by outcome: decimal integers as text."""
Probabilities = dict[str, float | dict[str, float]]
"""Probabilities by outcome; for a job with several circuits, by child job and outcome."""
Shots = list[str]
"""The outcome of each shot."""


class Registers(_Body, frozen=True):
    """Counts or probabilities by register and bit string."""

    registers: dict[str, dict[str, float]]


class HistogramV2(_Body, frozen=True):
    """Number of shots by register."""

    histogram: Registers


class ProbabilitiesV2(_Body, frozen=True):
    """Probabilities by register."""

    probabilities: Registers


class Shot(_Body, frozen=True):
    """The bits of a shot by register, bit 0 first."""

    registers: dict[str, list[int]]


class ShotsV2(_Body, frozen=True):
    """The bits of each shot."""

    shots: list[Shot]


class NativeGate(_Body, frozen=True):
    """A native gate. Phases and angles are in turns (1 = 2π)."""

    gate: str
    target: int | UnsetType = UNSET
    targets: tuple[int, int] | UnsetType = UNSET
    phase: float | UnsetType = UNSET
    phases: tuple[float, float] | UnsetType = UNSET
    angle: float | UnsetType = UNSET


class NativeCircuit(_Body, frozen=True):
    """A compiled circuit."""

    qubits: int
    circuit: list[NativeGate]


# --- sessions -------------------------------------------------------------------------------------


class SessionSettings(_Body, frozen=True):
    """Limits of a session."""

    job_count_limit: int | UnsetType = UNSET
    duration_limit_min: float | UnsetType = UNSET
    cost_limit: CostLimit | UnsetType = UNSET
    expires_at: str | UnsetType = UNSET


class Session(_Body, frozen=True):
    """A session. It starts with its first job.

    Attributes:
        usage_time: Seconds for which its jobs ran.
    """

    id: str
    created_at: str
    organization_id: str
    backend: str
    project_id: str
    creator_id: str
    started_at: str | None
    ended_at: str | None
    ender_id: str | None
    settings: SessionSettings
    active: bool
    status: str
    state: str
    usage_time: float


class SessionPage(_Body, frozen=True):
    """Sessions, newest first. `next` is absent on the last page."""

    organization_id: str
    sessions: list[Session]
    next: str | UnsetType = UNSET


class Identity(_Body, frozen=True):
    """The caller's token and project."""

    key_id: str
    key_name: str
    project_id: str
