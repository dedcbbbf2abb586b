"""Amazon Braket: circuits, program sets, and analog programs of Rydberg atoms."""

from __future__ import annotations

from typing import Final

from qwicket.registrations import SnapshotReader, Vendor

VENDOR: Final = Vendor(
    name="braket",
    dialects=("qwicket.vendors.braket.dialect.registration:REGISTRATION",),
    formats=("qwicket.vendors.braket.formats:FORMATS",),
    limits=("qwicket.vendors.braket.limits:BraketLimits",),
    snapshots=(
        SnapshotReader(
            "qwicket.vendors.braket.properties:snapshot", "Braket's device properties (paradigm)"
        ),
    ),
    clients="qwicket.vendors.braket.known_clients:CLIENTS",
)
