"""Devices: things that run programs of one family, and whether they are on."""

from __future__ import annotations

from typing import Literal

import msgspec

Family = Literal["qubit", "photonic", "atoms"]
DriverKind = Literal["simulated", "agent", "remote"]


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


class Device(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One device. `doors` lists the dialects that show it; any other door does not know it."""

    name: str
    family: Family
    provider: str
    driver: DriverKind
    doors: tuple[str, ...]
    position: int
    spec: DeviceSpec


class DeviceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a device takes and runs jobs; off, what waits is kept. `until_at` is Unix ms."""

    is_on: bool = True
    reason: str = ""
    until_at: int | None = None
