"""Bodies of responses about devices, their queues and their reservations."""

from __future__ import annotations

import msgspec

from qwicket.schema.base import DeviceState, Family, ResponseBody, ResponsePart


class DeviceQueue(ResponseBody, frozen=True, kw_only=True):
    """Length of a device's queue and expected start of a new job, renewed at most once a second.

    Attributes:
        length: Number of waiting jobs, without held ones; for a device at another cloud with those
            that wait there.
        starts_in_s: Seconds until a job submitted now would start; null while the device is `away`,
            and while it is off without a known end.
        starts_after_s: Lower bound of this time in seconds. With a probability of 80 % the job
            would start between the two bounds.
        starts_before_s: Upper bound of this time in seconds. Both bounds are null where
            `starts_in_s` is, and while a reservation or maintenance window delays jobs.
    """

    length: int = 0
    starts_in_s: float | None = None
    starts_after_s: float | None = None
    starts_before_s: float | None = None


class CostBody(ResponsePart, frozen=True, kw_only=True):
    """Cost of a job on a device in credits: the sum of three parts.

    Attributes:
        per_job: Cost of each job that runs.
        per_shot: Cost of each shot of each circuit.
        per_second: Cost of each second of its run time.
    """

    per_job: float = 0.0
    per_shot: float = 0.0
    per_second: float = 0.0


class ReservationPart(ResponsePart, frozen=True, kw_only=True):
    """A time in which a device, or some of its slots, runs only jobs of some projects, or none.

    Attributes:
        kind: `reservation`, or `maintenance`, in which the device is off.
        from: Beginning.
        until: End.
        projects: Names of its projects, but only of those of which the account is a member.
        slots: Number of slots that are reserved; null for all.
        reason: Text of administrators.
    """

    kind: str
    begin: str | None = msgspec.field(name="from", default=None)
    until: str | None = None
    projects: tuple[str, ...] = ()
    slots: int | None = None
    reason: str = ""


class DeviceBody(ResponseBody, frozen=True, kw_only=True):
    """A device and its present status.

    Attributes:
        name: Name of the device in submissions.
        family: Family of the programs that it runs.
        provider: Name of the device's owner.
        description: Description in one sentence.
        status: Whether it runs jobs: `on` or `off`; `away` while no agent serves it, or, for a
            device at another cloud, while that cloud does not run its jobs; `draining` while it
            runs the jobs that wait and takes no new ones; `paused` while it takes new jobs and
            starts none.
        reason: Reason why it is off, drains or is paused.
        until: Time when it will be on again; null if it is on, or if no time is known.
        qubits: Limit on the qubits of a circuit; on a photonic device, on its modes.
        max_shots: Limit on the shots of a job.
        formats: Accepted formats, the preferred one first.
        gates: Accepted gates; empty accepts all gates of the format.
        native_gates: Native gates of the machine.
        outputs: Outputs that a job may request.
        noise_models: Names of noise models that a job may request.
        engines: Names of engines that a job may request.
        exact: Whether probabilities are exact rather than frequencies.
        calibration: Id of the calibration in force; null without one.
        cost: Cost of its jobs; null if they cost nothing.
        agents: Number of agents that serve it; for a device at another cloud 1 while that cloud
            runs its jobs, else 0. Absent for simulators.
        last_seen_at: Time of the last request of an agent, or of the last read of its state at the
            other cloud; absent for simulators.
        message: Message of administrators to all users of the device.
        queue: Queue of the device; absent in lists.
        reservations: Reservations and maintenance windows of the next seven days; absent in lists.
    """

    name: str
    family: Family = ""
    provider: str = ""
    description: str = ""
    status: DeviceState = ""
    reason: str = ""
    until: str | None = None
    qubits: int = 0
    max_shots: int = 0
    formats: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    native_gates: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    noise_models: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()
    exact: bool = False
    calibration: str | None = None
    cost: CostBody | None = None
    agents: int | msgspec.UnsetType = msgspec.UNSET
    last_seen_at: str | msgspec.UnsetType | None = msgspec.UNSET
    message: str = ""
    queue: DeviceQueue | msgspec.UnsetType = msgspec.UNSET
    reservations: tuple[ReservationPart, ...] | msgspec.UnsetType = msgspec.UNSET


class DeviceList(ResponseBody, frozen=True, kw_only=True):
    """The devices of this server, in listing order.

    Attributes:
        devices: All that the native API shows; not those of providers that are switched off.
    """

    devices: tuple[DeviceBody, ...]
