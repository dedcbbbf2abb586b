"""IQM: circuits of `prx` and `cz` on superconducting qubits."""

from __future__ import annotations

from typing import Final

from qwicket.registrations import CloudKind, Dialect, SnapshotReader, Vendor

VENDOR: Final = Vendor(
    name="iqm",
    dialects=(
        Dialect(
            name="iqm",
            registration="qwicket.vendors.iqm.dialect.registration:REGISTRATION",
            shows={"qubit": ("iqm.circuits",)},
            requests=("counts", "memory"),
        ),
    ),
    formats=("qwicket.vendors.iqm.formats:FORMATS",),
    limits=("qwicket.vendors.iqm.limits:IQMLimits",),
    clouds=(
        CloudKind(
            name="iqm",
            driver="qwicket.vendors.iqm.remote:IQMCloud",
            language="iqm.circuits",
            formats=("iqm.circuits",),
            credentials="qwicket.vendors.iqm.remote:pass_through_key",
            clouds="IQM Server's API, as on IQM Resonance; the URL has no path",
            lacks=("queue", "price"),
        ),
    ),
    snapshots=(
        SnapshotReader(
            "qwicket.vendors.iqm.characterization:snapshot",
            "IQM's dynamic architecture and observation sets (gates, observations)",
        ),
    ),
    clients="qwicket.vendors.iqm.known_clients:CLIENTS",
)
