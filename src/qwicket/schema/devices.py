"""Devices."""

from __future__ import annotations

import msgspec

from qwicket.schema.base import Answer, DeviceState, Family


class DeviceQueue(Answer, frozen=True, kw_only=True):
    """How long the queue of a device is: an estimate, made at most once a second.

    Attributes:
        length: How many jobs wait.
        starts_in_s: Seconds until a job submitted now would start; null while no agent serves.
    """

    length: int = 0
    starts_in_s: float | None = None


class DeviceBody(Answer, frozen=True, kw_only=True):
    """A device and its present status.

    Attributes:
        name: What submissions call it.
        family: What programs it runs.
        provider: Its owner.
        description: One sentence.
        status: Whether it runs jobs; `away` while no agent is there to run them.
        reason: Why it is off.
        until: When it is to be on again.
        qubits: Widest circuit that it takes here.
        max_shots: Most shots of one job.
        formats: Formats that it reads, the preferred one first.
        gates: Gates that it takes; none are those of the format.
        native_gates: Gates of its machine.
        outputs: What a job may ask for.
        noise_models: Names of noise models that a job may ask for.
        engines: Names of engines that a job may ask for.
        exact: Whether probabilities are exact rather than frequencies.
        calibration: Id of the calibration in force.
        agents: How many agents serve it, where agents do.
        last_seen_at: Time of an agent's last request, where agents serve it.
        queue: Its queue, where one device was asked for.
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
    agents: int | msgspec.UnsetType = msgspec.UNSET
    last_seen_at: str | msgspec.UnsetType | None = msgspec.UNSET
    queue: DeviceQueue | msgspec.UnsetType = msgspec.UNSET


class DeviceList(Answer, frozen=True, kw_only=True):
    """The devices of this server, in their order.

    Attributes:
        devices: All of them.
    """

    devices: tuple[DeviceBody, ...]
