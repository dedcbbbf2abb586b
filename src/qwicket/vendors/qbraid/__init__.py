"""qBraid: qubits and atoms of several makers behind one API."""

from __future__ import annotations

from typing import Final

from qwicket.registrations import CloudKind, Dialect, SnapshotReader, Vendor

VENDOR: Final = Vendor(
    name="qbraid",
    dialects=(
        Dialect(
            name="qbraid",
            registration="qwicket.vendors.qbraid.dialect.registration:REGISTRATION",
            shows={
                "qubit": ("openqasm2", "openqasm3", "ionq.circuit.v1", "qir"),
                "atoms": ("ahs",),
            },
            requests=("counts",),
        ),
    ),
    limits=("qwicket.vendors.qbraid.limits:QBraidLimits",),
    clouds=(
        CloudKind(
            name="qbraid",
            driver="qwicket.vendors.qbraid.remote:QbraidCloud",
            language="openqasm3",
            formats=("openqasm3", "openqasm2", "batch"),
            credentials="qwicket.vendors.qbraid.remote:pass_through_key",
            clouds="qBraid's API v1; `device` is a QRN",
            found_by="a tag",
            lacks=("price",),
        ),
    ),
    snapshots=(
        SnapshotReader(
            "qwicket.vendors.qbraid.calibration:snapshot", "qBraid's calibration (qubits, edges)"
        ),
    ),
    clients="qwicket.vendors.qbraid.known_clients:CLIENTS",
)
