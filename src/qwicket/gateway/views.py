"""What doors are shown: a device, a job or one circuit of it, and what circuits gave."""

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
_SMALL_BYTES: Final = 32 << 10
_SHORT_BYTES: Final = 16 << 10


class DeviceView(NamedTuple):
    """A device as a door may show it.

    Attributes:
        device: The device.
        status: Whether it takes jobs.
        qubits: What a program may have on this machine; modes of a photonic device.
        max_shots: Most shots of one job.
        max_circuits: Most circuits, or experiments on atoms, of one job.
        calibration: The one in force, if it has any.
        engines: Those of its engines that are installed on this machine.
        presence: Who serves it, of a device whose jobs agents pull.
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
        """Whether it is on, and somebody is there to run its jobs."""
        return self.status.is_on and (self.presence is None or self.presence.agents > 0)


class JobPart(NamedTuple):
    """A job, or one circuit of it.

    Attributes:
        job: The job.
        number: Which circuit, from 0; None is the whole job.
        state: That of the circuit: of a failed job's circuits some may be completed.
        failure: Why it failed, if it did.
    """

    job: Job
    number: int | None
    state: JobState
    failure: Failure | None

    @classmethod
    def whole(cls, job: Job) -> JobPart:
        failure = Failure(job.error_code, job.error_text or "") if job.error_code else None
        return cls(job, None, job.state, failure)


class Awaited(NamedTuple):
    """A job that was waited for.

    Attributes:
        job: How it stands.
        results: What its circuits gave, if this was told with its end; None when it must be read.
    """

    job: Job
    results: Sequence[PartResult] | None


class JobResults(NamedTuple):
    """An ended job and what its circuits gave."""

    job: Job
    parts: list[Outcome | Failure]

    @property
    def is_small(self) -> bool:
        """Whether a door words it in about a millisecond; else it does so beside the loop."""
        outcomes = [part for part in self.parts if isinstance(part, Outcome)]
        size = sum(len(array.data) for part in outcomes for array in part.arrays.values())
        return is_quick(self.job) and size <= _SMALL_BYTES


def are_short(parts: Sequence[PartResult]) -> bool:
    """Say whether results are a few kilobytes once decoded: no wording makes much of them."""
    bodies = [part.body for part in parts if isinstance(part, Encoded)]
    return sum(map(len, bodies)) <= _SHORT_BYTES and not any(
        is_longer(body, _SHORT_BYTES // len(bodies)) for body in bodies
    )


def is_quick(job: Job) -> bool:
    """Say whether a job's result is decoded in well under a millisecond."""
    return job.n_qubits <= _SMALL_QUBITS and job.shots * job.n_circuits <= _SMALL_SHOTS
