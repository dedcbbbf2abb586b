"""Bodies of IQM Server's responses, as structs for the dialect's description."""

from __future__ import annotations

from typing import Any

import msgspec


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class About(_Body, frozen=True):
    """Versions of the software."""

    version: str
    software_versions: dict[str, str]


class Computer(_Body, frozen=True):
    """A quantum computer: a device of this server. Requests name it by its alias."""

    id: str
    alias: str
    display_name: str
    proxy_path: None


class ComputerList(_Body, frozen=True):
    """The quantum computers."""

    quantum_computers: list[Computer]


class Health(_Body, frozen=True):
    """Whether a quantum computer takes and runs jobs now, and why not."""

    healthy: bool
    reason: str


class StaticArchitecture(_Body, frozen=True):
    """Qubits of a quantum computer and the pairs that it connects."""

    dut_label: str
    qubits: list[str]
    computational_resonators: list[str]
    connectivity: list[tuple[str, str]]


class Implementation(_Body, frozen=True):
    """Qubits on which an implementation of a gate acts."""

    loci: list[tuple[str, ...]]


class Gate(_Body, frozen=True):
    """Implementations of a gate by name."""

    implementations: dict[str, Implementation]
    default_implementation: str
    override_default_implementation: dict[str, str]


class DynamicArchitecture(_Body, frozen=True):
    """Gates of a quantum computer with a calibration set."""

    calibration_set_id: str
    qubits: list[str]
    computational_resonators: list[str]
    gates: dict[str, Gate]


class Observation(_Body, frozen=True):
    """One figure, named by `dut_field`; its unit is empty if it has none."""

    observation_id: int
    dut_label: str
    dut_field: str
    value: float
    unit: str
    uncertainty: None
    invalid: bool
    created_timestamp: str
    modified_timestamp: str
    source: dict[str, str]
    tags: list[str]


class ObservationSet(_Body, frozen=True):
    """A calibration set, or the quality metrics of the one that `describes_id` names."""

    observation_set_id: str
    observation_set_type: str
    describes_id: str | None
    invalid: bool
    dut_label: str
    created_timestamp: str
    end_timestamp: str
    observations: list[Observation]


class Compilation(_Body, frozen=True):
    """The calibration set with which a job runs."""

    calibration_set_id: str


class Message(_Body, frozen=True):
    """A message about a job."""

    source: str
    message: str


class Failure(_Body, frozen=True):
    """Why a job failed."""

    message: str
    error_code: str
    source: str


class TimelineEntry(_Body, frozen=True):
    """A status of a job, and when it was reached."""

    source: str
    status: str
    timestamp: str


class Artifact(_Body, frozen=True):
    """A kind of result that the job has."""

    type: str


class Job(_Body, frozen=True):
    """A job. `queue_position` is the number of jobs ahead of one that waits."""

    id: str
    type: str
    status: str
    queue_position: int | None
    execution: dict[str, Any] | None
    compilation: Compilation
    messages: list[Message]
    errors: list[Failure]
    timeline: list[TimelineEntry]
    artifacts: list[Artifact]


class Counts(_Body, frozen=True):
    """Shots by their bits, in the order of the measurements and then of their qubits."""

    measurement_keys: list[str]
    counts: dict[str, int]
