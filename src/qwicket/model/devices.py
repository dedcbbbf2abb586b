"""Devices, their specifications and status."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Final, Literal, NamedTuple

import msgspec

from qwicket.model.errors import InvalidRequest

Family = Literal["qubit", "photonic", "atoms"]
"""Kind of programs that a device runs."""

DriverKind = Literal["simulated", "agent", "remote"]
"""What runs a device's jobs: worker processes of the servers, the agents of a lab, or another
cloud."""


class AtomGateSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A gate on cold atoms as a device advertises it.

    Attributes:
        name: Its name in programs.
        description: One sentence for people.
        parameters: Names of its parameters. Each is an angle in radians, or an energy times a time
            with ħ = 1.
        wires: Each list of wires on which it can act, counted from 0.
        definition: Its definition in OpenQASM; by default a gate with an empty body.
    """

    name: str
    description: str
    parameters: tuple[str, ...]
    wires: tuple[tuple[int, ...], ...]
    definition: str = ""


MAX_EXPERIMENTS: Final = 1_000
"""Default limit on experiments of one job on a device of cold atoms."""


class AtomsSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Additional specification of a device of cold atoms, for its clients.

    Attributes:
        version: Version of the device, as `X.Y` or `X.Y.Z`.
        kind: Statistics or spin of its atoms.
        species: Number of atomic species, all with the same number of wires.
        wire_order: Numbering of the wires: `sequential` counts the wires of one species after those
            of another, `interleaved` alternates between the species.
        gates: Gates that programs may use.
        instructions: Other instructions that programs may use.
        max_experiments: Limit on experiments of one job.
        is_simulator: Shown to clients: true for a simulator, false for a machine.
    """

    version: str
    kind: Literal["spin", "fermion", "boson", "mixed"]
    species: int = 1
    wire_order: Literal["interleaved", "sequential"] = "interleaved"
    gates: tuple[AtomGateSpec, ...]
    instructions: tuple[str, ...] = ("load", "barrier", "measure")
    max_experiments: int = MAX_EXPERIMENTS
    is_simulator: bool = True


class PhotonicSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Additional specification of a photonic device, for compilers.

    Attributes:
        modes: Limit on modes of a program; or limits on measured modes by kind (`pnr_max`,
            `homodyne_max`, `heterodyne_max`); or limits of time-domain programs
            (`temporal_max`, `concurrent`, `spatial`).
        layout: Blackbird template of the device's fixed circuit, with parameters as `{name}`; empty
            allows any circuit.
        compilers: Strawberry Fields' names of its compilers, the default one first.
        gate_parameters: Allowed values, and ranges [low, high], of the layout's parameters.
        certificate: Measured properties of the machine, by name and with their units in the names,
            as clients of photonic clouds read them.
        since: Time of its setup, shown to clients; with a time zone.
    """

    modes: int | dict[str, int | dict[str, int]]
    layout: str = ""
    compilers: tuple[str, ...] = ()
    gate_parameters: dict[str, tuple[float | tuple[float, float], ...]] = {}
    certificate: dict[str, str | float] = {}
    since: datetime


_Price = Annotated[float, msgspec.Meta(ge=0, le=1e6)]


class DialectNeeds(NamedTuple):
    """What a dialect needs of a device, so that its clients can submit to it.

    Attributes:
        formats: Formats that its clients send, of which the device must read one.
        outputs: Outputs that its clients always request.
    """

    formats: frozenset[str]
    outputs: tuple[str, ...]


class DeviceCost(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Formula for the cost of a job on a device. Each price is from 0 to a million credits.

    Attributes:
        per_job: Cost of each job that runs.
        per_shot: Cost of each shot of each circuit.
        per_second: Cost of each second of its run time.
    """

    per_job: _Price = 0.0
    per_shot: _Price = 0.0
    per_second: _Price = 0.0

    def of(self, jobs: int, shots: int, seconds: float) -> float:
        """Return the cost in credits."""
        return self.per_job * jobs + self.per_shot * shots + self.per_second * seconds


class DeviceSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Specification of a device, from its TOML file or its agent.

    Attributes:
        description: One sentence for people.
        qubits: Limit on qubits of a circuit, or on modes or wires. With the engine `aer-mps` the
            server's limit `mps_qubits` counts instead. An ideal state vector simulator takes more
            if the server's limit `qubits` is higher.
        formats: Accepted formats (keys of `programs.FORMATS`), the preferred one first.
        gates: Names of the accepted gates, as the format spells them.
        native_gates: Native gates of its machine, as programs spell them; empty accepts those
            of any machine.
        max_shots: Limit on shots of one job.
        outputs: Available outputs: `counts`, `memory`, `probabilities`, `samples`.
        noise_models: Names of the noise models that a job may request.
        engines: Names of the engines that a job may request, where they are installed.
        clifford_only: Whether it runs only Clifford circuits.
        exact: Whether probabilities are exact (an ideal simulator) rather than frequencies.
        shot_s: Time of one shot in seconds, for estimates on devices of agents and other clouds.
            Engines estimate their simulations themselves.
        atoms: Specification of a device of the family `atoms`.
        cost: Cost of its jobs, which budgets may limit; none by default.
        photonic: Specification of a photonic device; `qubits` counts its modes, with time bins
            unrolled.
        formats_as_written: Formats that a device at another cloud takes as they are.
        rewritten_as: Language in which a device at another cloud gets programs of all other
            formats, after they were compiled to `gates`; empty if it takes no others.
    """

    description: str
    qubits: int
    formats: tuple[str, ...]
    gates: tuple[str, ...] = ()
    native_gates: tuple[str, ...] = ()
    max_shots: int = 1_000_000
    outputs: tuple[str, ...] = ("counts",)
    noise_models: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()
    clifford_only: bool = False
    exact: bool = False
    shot_s: float = 0.001
    atoms: AtomsSpec | None = None
    photonic: PhotonicSpec | None = None
    cost: DeviceCost | None = None
    formats_as_written: tuple[str, ...] = ()
    rewritten_as: str = ""


class Device(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device that jobs can be submitted to.

    Attributes:
        name: Unique name.
        family: Kind of its programs.
        provider: Name of its owner.
        driver: What runs its jobs.
        dialects: Dialects that show it; requests of other dialects do not find it.
        position: Place in lists of devices, lowest first.
        spec: What it accepts.
    """

    name: str
    family: Family
    provider: str
    driver: DriverKind
    dialects: tuple[str, ...]
    position: int
    spec: DeviceSpec

    @property
    def is_simulated(self) -> bool:
        """Whether engines of this server run its jobs."""
        return self.driver == "simulated"


class Presence(NamedTuple):
    """Presence of what runs the jobs of a device outside the servers: agents, or another cloud.

    Attributes:
        agents: Number of live agents; for another cloud 1 while it runs jobs, else 0.
        seen_at: Time of an agent's last request, or of the last read of the device at the other
            cloud, in Unix milliseconds; None means never.
        reason: Reason why another cloud does not run jobs.
        n_waiting: Jobs that wait at another cloud.
    """

    agents: int
    seen_at: int | None
    reason: str = ""
    n_waiting: int = 0


class DeviceChange(NamedTuple):
    """A change of whether a device takes jobs.

    Attributes:
        at: Unix milliseconds.
        status: `on`, `draining` or `off`, as an administrator sets it; `online` when the first
            agent comes, `away` when the last one leaves.
        reason: Sentence for people; may be empty.
        until_at: Time from which it is on again; None if an administrator must end it.
    """

    at: int
    status: Literal["on", "draining", "off", "online", "away"]
    reason: str = ""
    until_at: int | None = None


class DeviceChanges(NamedTuple):
    """The changes of a device, and its maintenance windows that have begun, as known at a time."""

    at: int
    changes: list[DeviceChange]
    maintenance: list[DeviceChange]


class Provider(NamedTuple):
    """Owner of devices. If it is inactive, they are hidden and accept no new jobs."""

    name: str
    is_active: bool


class DeviceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Status that administrators or maintenance windows set.

    While a device is off, waiting jobs stay queued.

    Attributes:
        is_on: Whether it starts jobs, and accepts new ones unless it drains. Turning it off lets
            running ones finish.
        reason: Sentence for people; empty while the device is on and does not drain.
        until_at: Time in Unix milliseconds from which the device is on again; None means when an
            administrator turns it on.
        is_draining: Whether a device that is on refuses new jobs and still runs those that wait.
        is_paused: Whether a device that is off still accepts jobs, which wait.
        message: Message of administrators to its users, whatever its state.
    """

    is_on: bool = True
    reason: str = ""
    until_at: int | None = None
    is_draining: bool = False
    is_paused: bool = False
    message: str = ""

    @property
    def takes_jobs(self) -> bool:
        """Whether it accepts new jobs."""
        return not self.is_draining if self.is_on else self.is_paused

    @property
    def state(self) -> Literal["on", "draining", "paused", "off"]:
        """Name of the status."""
        if not self.is_on:
            return "paused" if self.is_paused else "off"
        return "draining" if self.is_draining else "on"

    @property
    def note(self) -> str:
        """The reason and the message as one text, for dialects that have one field for both."""
        return ". ".join(text.rstrip(".") for text in (self.reason, self.message) if text)


MAX_NAME_CHARS: Final = 255
"""Above the longest name of a device. A longer text is not looked for: one of 16 MB takes 10 ms of
the event loop."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def check_device_name(name: str) -> str:
    """Validate the name of a lab's device, and return it.

    Raises:
        InvalidRequest: The name is invalid.
    """
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            "A device's name must be 1 to 63 of A-Z, a-z, 0-9, '.', '_' and '-', and begin with a"
            f" letter or digit; not {name[:100]!r}.",
            field="device",
        )
    return name
