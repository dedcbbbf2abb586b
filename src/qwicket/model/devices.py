"""Devices: things that run programs of one family, and whether they are on."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final, Literal, NamedTuple

import msgspec

from qwicket.model.errors import InvalidRequest

Family = Literal["qubit", "photonic", "atoms"]
DriverKind = Literal["simulated", "agent", "remote"]


class AtomGateSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A gate on cold atoms as a device advertises it.

    Attributes:
        name: What a program calls it.
        description: One sentence for people.
        parameters: Names of its parameters; energies times time in radians.
        wires: Every list of wires that it can be sent on.
        definition: What it is in OpenQASM; by default a gate with an empty body.
    """

    name: str
    description: str
    parameters: tuple[str, ...]
    wires: tuple[tuple[int, ...], ...]
    definition: str = ""


MAX_EXPERIMENTS: Final = 1_000
"""Most experiments of one job on a device of cold atoms that does not say."""


class AtomsSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a device of cold atoms tells its clients beside the rest of its spec.

    Attributes:
        version: Of the device, as `X.Y` or `X.Y.Z`.
        kind: What its atoms are.
        species: Number of species.
        wire_order: How the wires of several species follow each other.
        gates: What programs may apply.
        instructions: What else they may say, such as `load` and `measure`.
        max_experiments: Most experiments of one job.
        is_simulator: Whether there are no atoms.
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
    """What programs for a photonic device are compiled against, in the words of those who compile.

    Attributes:
        modes: Most modes of a program; or by kind the most that are measured (`pnr_max`,
            `homodyne_max`, `heterodyne_max`), or of time-domain programs the most of each
            (`temporal_max`, `concurrent`, `spatial`).
        layout: Blackbird template of the one circuit that the device has; empty means any.
        compilers: Strawberry Fields' names of its compilers, the usual one first.
        gate_parameters: What the layout's parameters may be: values, and ranges [low, high].
        certificate: What is known of the machine.
        since: When it was set up.
    """

    modes: int | dict[str, int | dict[str, int]]
    layout: str = ""
    compilers: tuple[str, ...] = ()
    gate_parameters: dict[str, tuple[float | tuple[float, float], ...]] = {}
    certificate: dict[str, str | float] = {}
    since: datetime


class DeviceSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a device can do, as its TOML or its agent says.

    Attributes:
        description: One sentence for people.
        qubits: Widest circuit it takes; the engine `aer-mps` has a limit of its own.
        formats: Formats it reads, the preferred one first.
        gates: Names of the gates it takes, in the format's own words.
        native_gates: Those of its machine; none means that it takes any machine's.
        max_shots: Most shots of one job.
        outputs: What a job may ask for: `counts`, `memory`, `probabilities`.
        noise_models: Names of the noise models that a job may ask for.
        engines: Names of the engines that a job may ask for, where they are installed.
        clifford_only: Whether it runs Clifford circuits alone.
        exact: Whether probabilities are exact (an ideal simulator) rather than frequencies.
        shot_s: Seconds that a shot takes where an agent serves the device; estimates are made of
            it. Simulations are estimated by their engine.
        atoms: What a device of the family `atoms` advertises further.
        photonic: More of a photonic device; its `qubits` are modes, time bins unrolled.
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


class Device(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One device. `doors` lists the dialects that show it; any other door does not know it."""

    name: str
    family: Family
    provider: str
    driver: DriverKind
    doors: tuple[str, ...]
    position: int
    spec: DeviceSpec


class Presence(NamedTuple):
    """Who serves a device that has no driver.

    Attributes:
        agents: Agents whose beat moves.
        seen_at: When one was last heard of, Unix ms; None is never.
    """

    agents: int
    seen_at: int | None


class Provider(NamedTuple):
    """To whom devices belong; if it is not active, they are hidden and take no new jobs."""

    name: str
    is_active: bool


class DeviceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a device takes and runs jobs; off, what waits is kept. `until_at` is Unix ms."""

    is_on: bool = True
    reason: str = ""
    until_at: int | None = None


_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def check_device_name(name: str) -> str:
    """Return `name` if a lab's device may bear it.

    Raises:
        InvalidRequest: It may not.
    """
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            "A device's name has 1 to 63 of A-Z, a-z, 0-9, '.', '_' and '-', and begins with a"
            f" letter or digit; {name[:100]!r} is none.",
            field="device",
        )
    return name
