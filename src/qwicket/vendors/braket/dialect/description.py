"""Bodies of the JSON responses of Braket, and of results in S3, as structs for the description.

A field with a default is absent where a task or a device has no such value. Responses of STS, and
lists of S3, are XML.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    pass


class Empty(_Body, frozen=True):
    """An empty object."""


# --- devices --------------------------------------------------------------------------------------


class DeviceSummary(_Body, frozen=True):
    """A device. `deviceType` is `SIMULATOR` or `QPU`, `deviceStatus` is `ONLINE` or `OFFLINE`."""

    device_arn: str
    device_name: str
    provider_name: str
    device_type: str
    device_status: str


class DeviceList(_Body, frozen=True):
    """The devices that were found."""

    devices: list[DeviceSummary]


class DeviceQueue(_Body, frozen=True):
    """A queue of a device. `queueSize` is an integer as text."""

    queue: str
    queue_size: str
    queue_priority: str | UnsetType = UNSET


class Device(DeviceSummary, frozen=True):
    """A device with its capabilities and queues.

    Attributes:
        device_capabilities: JSON as text: `action`, `paradigm`, `service` and `deviceParameters`.
    """

    device_capabilities: str
    device_queue_info: list[DeviceQueue]


# --- tasks ----------------------------------------------------------------------------------------


class Created(_Body, frozen=True):
    """A new task."""

    quantum_task_arn: str


class Cancelled(_Body, frozen=True):
    """A cancelled task. `cancellationStatus` is `CANCELLING` or `CANCELLED`."""

    quantum_task_arn: str
    cancellation_status: str


class TaskSummary(_Body, frozen=True):
    """A task.

    Attributes:
        shots: The number that was sent with it: of a program set, for all runs together.
        output_s3_directory: Folder of its `results.json`, without a slash at its end.
    """

    quantum_task_arn: str
    status: str
    device_arn: str
    shots: int
    output_s3_bucket: str = msgspec.field(name="outputS3Bucket")
    output_s3_directory: str = msgspec.field(name="outputS3Directory")
    created_at: str
    tags: dict[str, str]
    ended_at: str | UnsetType = UNSET


class TaskPage(_Body, frozen=True):
    """Tasks, newest first. `nextToken` is absent on the last page."""

    quantum_tasks: list[TaskSummary]
    next_token: str | UnsetType = UNSET


class QueueInfo(_Body, frozen=True):
    """Position of a task in the queue: an integer as text, or `None` with a message."""

    queue: str
    queue_priority: str
    position: str
    message: str | UnsetType = UNSET


class ActionMetadata(_Body, frozen=True):
    """Kind of a program. A program set has the numbers of its programs and of their runs."""

    action_type: str
    program_count: int | UnsetType = UNSET
    executable_count: int | UnsetType = UNSET


class Task(TaskSummary, frozen=True, kw_only=True):
    """A task with all of its fields.

    Attributes:
        device_parameters: JSON as text, as it was sent.
        failure_reason: Why it failed.
        num_successful_shots: Its shots, if it has completed and has any.
    """

    device_parameters: str
    queue_info: QueueInfo
    action_metadata: ActionMetadata
    failure_reason: str | UnsetType = UNSET
    num_successful_shots: int | UnsetType = UNSET


class Tags(_Body, frozen=True):
    """Tags of a task."""

    tags: dict[str, str]


# --- results --------------------------------------------------------------------------------------


class Header(_Body, frozen=True):
    """Name and version of a schema of braket.schemas."""

    name: str
    version: str


class _Schema(_Body, frozen=True):
    braket_schema_header: Header


class TaskMetadata(_Schema, frozen=True):
    """The task of a result."""

    id: str
    shots: int
    device_id: str
    created_at: str
    ended_at: str
    status: str


class OpenQASMAction(_Schema, frozen=True):
    """A program in OpenQASM 3."""

    source: str
    inputs: dict[str, Any]


class AnalogAction(_Schema, frozen=True):
    """A program for atoms, as it was sent."""

    setup: dict[str, Any]
    hamiltonian: dict[str, Any]


class OpenQASMMetadata(_Body, frozen=True):
    """The program of a result."""

    action: OpenQASMAction


class AnalogMetadata(_Body, frozen=True):
    """The program of a result."""

    action: AnalogAction


class ResultValue(_Body, frozen=True):
    """A result that the program asks for.

    Attributes:
        type: Its kind, in `type`, with targets, observable, states or parameters.
        value: A number, a list or an object; a complex number is a pair.
    """

    type: dict[str, Any]
    value: Any


class GateResult(_Schema, frozen=True):
    """Result of a program in OpenQASM.

    Attributes:
        measurements: The bits of each shot, in the order of `measuredQubits`; absent without shots.
    """

    task_metadata: TaskMetadata
    result_types: list[ResultValue]
    additional_metadata: OpenQASMMetadata
    measurements: list[list[int]] | UnsetType = UNSET
    measured_qubits: list[int] | UnsetType = UNSET


class ShotMetadata(_Body, frozen=True):
    """Status of a shot."""

    shot_status: str


class ShotResult(_Body, frozen=True):
    """Atoms seen before and after a shot, 1 for each that is seen. An excited atom is lost."""

    pre_sequence: list[int]
    post_sequence: list[int]


class AnalogShot(_Body, frozen=True):
    """A shot of atoms."""

    shot_metadata: ShotMetadata
    shot_result: ShotResult


class AnalogResult(_Schema, frozen=True):
    """Result of a program for atoms."""

    task_metadata: TaskMetadata
    measurements: list[AnalogShot]
    additional_metadata: AnalogMetadata


class RunFailure(_Body, frozen=True):
    """Why a run failed; empty if it did not."""

    failure_reason: str | UnsetType = UNSET
    retryable: bool | UnsetType = UNSET
    category: str | UnsetType = UNSET


class RunResult(_Schema, frozen=True):
    """Result of a run of a program set: its measurements, or why it failed.

    Attributes:
        inputs_index: Which of the program's inputs it had, from 0.
    """

    inputs_index: int
    measurements: list[list[int]] | UnsetType = UNSET
    measured_qubits: list[int] | UnsetType = UNSET
    failure_metadata: RunFailure | UnsetType = UNSET


class ProgramResult(_Schema, frozen=True):
    """Results of a program of a program set, one for each run."""

    executable_results: list[RunResult]
    source: OpenQASMAction
    additional_metadata: OpenQASMMetadata


class ProgramMetadata(_Body, frozen=True):
    """Failures of a program of a program set, one entry for each run."""

    executables: list[RunFailure]


class ProgramSetMetadata(_Schema, frozen=True):
    """The task of a program set."""

    id: str
    device_id: str
    requested_shots: int
    successful_shots: int
    program_metadata: list[ProgramMetadata]
    created_at: str
    ended_at: str
    status: str
    total_failed_executables: int


class ProgramSetResult(_Schema, frozen=True):
    """Result of a program set."""

    program_results: list[ProgramResult]
    task_metadata: ProgramSetMetadata
