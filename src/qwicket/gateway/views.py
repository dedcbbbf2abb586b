"""Values that dialects render: devices, jobs, single circuits of jobs, results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.circuits.outcomes import Encoded, Outcome, is_longer
from qwicket.model.failures import Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.circuits.calibrations import Calibrated
    from qwicket.circuits.outcomes import PartResult
    from qwicket.model.devices import Device, DeviceStatus, Presence
    from qwicket.model.jobs import Job
    from qwicket.model.states import JobState

_SMALL_QUBITS: Final = 8
_SMALL_SHOTS: Final = 2_000
"""Shots of all circuits together."""
_SMALL_BYTES: Final = 32 << 10
_SHORT_BYTES: Final = 16 << 10


class DeviceView(NamedTuple):
    """A device with its status and limits on this machine.

    Attributes:
        device: The device.
        status: Whether it takes jobs.
        qubits: Limit on qubits on this machine; on modes for a photonic device.
        max_shots: Limit on shots of one job.
        max_circuits: Limit on circuits, or experiments on atoms, of one job.
        calibration: The calibration in force, if any.
        engines: Its engines that are installed on this machine.
        presence: Presence of its agents or of the other cloud; None for a simulated device.
    """

    device: Device
    status: DeviceStatus
    qubits: int
    max_shots: int
    max_circuits: int
    calibration: Calibrated | None
    engines: tuple[str, ...]
    presence: Presence | None = None

    @property
    def is_online(self) -> bool:
        """Whether it takes new jobs and can run them now."""
        return self.status.state == "on" and (self.presence is None or self.presence.agents > 0)


class JobPart(NamedTuple):
    """A job, or one circuit of it.

    Attributes:
        job: The job.
        number: Index of the circuit, from 0; None is the whole job.
        state: State of the circuit. Some circuits of a failed job may be completed.
        failure: The cause of a failure, if any.
    """

    job: Job
    number: int | None
    state: JobState
    failure: Failure | None

    @classmethod
    def whole(cls, job: Job) -> JobPart:
        failure = Failure(job.error_code, job.error_text or "") if job.error_code else None
        return cls(job, None, job.state, failure)


class WaitResult(NamedTuple):
    """Result of waiting for a job.

    Attributes:
        job: The job after the wait.
        results: Its results if the notification contained them; None if they must be read.
    """

    job: Job
    results: Sequence[PartResult] | None


class JobResults(NamedTuple):
    """An ended job and the results of its circuits."""

    job: Job
    parts: list[Outcome | Failure]

    @property
    def is_small(self) -> bool:
        """Whether rendering takes about a millisecond; otherwise a dialect renders in a thread."""
        outcomes = [part for part in self.parts if isinstance(part, Outcome)]
        size = sum(len(array.data) for part in outcomes for array in part.arrays.values())
        return is_quick(self.job) and size <= _SMALL_BYTES


def are_short(parts: Sequence[PartResult]) -> bool:
    """Return whether decoded results have at most 16 KiB, so that any rendering stays small."""
    return are_within(parts, _SHORT_BYTES)


def are_within(parts: Sequence[PartResult], max_bytes: int) -> bool:
    """Return whether each decoded result has at most an equal share of `max_bytes`.

    Thus all together are never larger, and a compressed result is decoded no further than its
    share.
    """
    bodies = [part.body for part in parts if isinstance(part, Encoded)]
    return sum(map(len, bodies)) <= max_bytes and not any(
        is_longer(body, max_bytes // len(bodies)) for body in bodies
    )


def is_quick(job: Job) -> bool:
    """Return whether a job's result is decoded in well under a millisecond."""
    return job.n_qubits <= _SMALL_QUBITS and job.shots * job.n_circuits <= _SMALL_SHOTS
