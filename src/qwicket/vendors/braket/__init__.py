"""Amazon Braket: circuits, program sets, and analog programs of Rydberg atoms."""

from __future__ import annotations

from typing import Final

from qwicket.registrations import Dialect, SnapshotReader, Vendor

VENDOR: Final = Vendor(
    name="braket",
    dialects=(
        Dialect(
            name="braket",
            registration="qwicket.vendors.braket.dialect.registration:REGISTRATION",
            shows={"qubit": ("braket.openqasm3",), "atoms": ("ahs",)},
            requests=("memory",),
        ),
    ),
    formats=("qwicket.vendors.braket.formats:FORMATS",),
    limits=(
        "qwicket.vendors.braket.limits:BraketLimits",
        "qwicket.vendors.braket.limits:BraketDialectLimits",
    ),
    snapshots=(
        SnapshotReader(
            "qwicket.vendors.braket.properties:snapshot", "Braket's device properties (paradigm)"
        ),
    ),
    clients="qwicket.vendors.braket.known_clients:CLIENTS",
)
