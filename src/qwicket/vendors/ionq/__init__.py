"""IonQ: circuits in JSON, on gates of trapped ions."""

from __future__ import annotations

from typing import Final

from qwicket.registrations import CloudKind, Dialect, SnapshotReader, Vendor

VENDOR: Final = Vendor(
    name="ionq",
    dialects=(
        Dialect(
            name="ionq",
            registration="qwicket.vendors.ionq.dialect.registration:REGISTRATION",
            shows={"qubit": ("ionq.circuit.v1",)},
            also_sends={"qubit": ("openqasm3", "qir")},
            requests=("counts", "probabilities"),
        ),
    ),
    formats=("qwicket.vendors.ionq.formats:FORMATS",),
    limits=("qwicket.vendors.ionq.limits:IonQLimits",),
    clouds=(
        CloudKind(
            name="ionq",
            driver="qwicket.vendors.ionq.remote:IonQCloud",
            language="ionq.circuit.v1",
            formats=("ionq.circuit.v1",),
            credentials="qwicket.vendors.ionq.remote:pass_through_key",
            clouds="IonQ's API v0.4",
            found_by="its metadata, else its name",
            lacks=("price",),
        ),
    ),
    snapshots=(
        SnapshotReader(
            "qwicket.vendors.ionq.characterization:snapshot",
            "IonQ's characterization (fidelity, timing)",
        ),
    ),
    clients="qwicket.vendors.ionq.known_clients:CLIENTS",
)
