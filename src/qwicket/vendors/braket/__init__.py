"""Amazon Braket: circuits, program sets, and analog programs of Rydberg atoms."""

from __future__ import annotations

from typing import Final

from qwicket.registrations import CloudKind, Dialect, SnapshotReader, Vendor

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
    clouds=(
        CloudKind(
            name="braket",
            driver="qwicket.vendors.braket.remote:BraketCloud",
            language="braket.openqasm3",
            formats=("braket.openqasm3", "ahs"),
            needs=("region", "bucket"),
            takes=("role_arn", "sts_url"),
            key_lines=3,
            profile="qwicket.vendors.braket.credentials:of_profile",
            # Amazon documents no time for Braket's tokens. The shortest one that it documents for
            # another service is 10 minutes, for DynamoDB's transactions.
            token_s=300.0,
            clouds="Amazon Braket; `device` is an ARN",
            found_by="a tag, else its token; after 300 s a person decides",
        ),
    ),
    snapshots=(
        SnapshotReader(
            "qwicket.vendors.braket.properties:snapshot", "Braket's device properties (paradigm)"
        ),
    ),
    clients="qwicket.vendors.braket.known_clients:CLIENTS",
)
