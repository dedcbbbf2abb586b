"""IBM: the Quantum Experience of 2020 with Qobj, and Qiskit Runtime with its primitives."""

from __future__ import annotations

from typing import Final

from qwicket.registrations import CloudKind, Dialect, SnapshotReader, Vendor

VENDOR: Final = Vendor(
    name="ibm",
    dialects=(
        Dialect(
            name="ibm",
            registration="qwicket.vendors.ibm.dialect.registration:REGISTRATION",
            shows={"qubit": ("qobj",)},
            requests=("counts",),
        ),
        Dialect(
            name="runtime",
            registration="qwicket.vendors.ibm.dialect.runtime.registration:REGISTRATION",
            shows={"qubit": ("qiskit.primitives",)},
            requests=("memory",),
        ),
        # Its devices, jobs and sessions are those of the dialect `runtime`.
        Dialect(
            name="ibm-platform",
            registration="qwicket.vendors.ibm.dialect.runtime.registration:PLATFORM",
        ),
    ),
    formats=("qwicket.vendors.ibm.formats:FORMATS",),
    limits=("qwicket.vendors.ibm.limits:PrimitiveLimits", "qwicket.vendors.ibm.limits:IBMLimits"),
    clouds=(
        CloudKind(
            name="ibm_qx",
            driver="qwicket.vendors.ibm.remote_qx:IBMQXCloud",
            language="qobj",
            formats=("qobj",),
            clouds="the IBM Quantum Experience API of 2020",
            found_by="its name",
            lacks=("price",),
        ),
        CloudKind(
            name="ibm_runtime",
            driver="qwicket.vendors.ibm.remote_runtime:IBMRuntimeCloud",
            language="openqasm3",
            formats=(),
            clouds="the classic channel of IBM's Runtime API, which IBM has closed",
            found_by="a tag",
            lacks=("price",),
        ),
        CloudKind(
            name="ibm_platform",
            driver="qwicket.vendors.ibm.remote_platform:IBMPlatformCloud",
            language="qiskit.primitives",
            formats=(),
            takes=("iam_url", "instance"),
            has_groups=True,
            clouds="IBM Quantum Platform; at a Qwicket `http://host:8000/ibm/runtime`",
            found_by="a tag; if no list has it, a person decides",
            lacks=("price",),
        ),
    ),
    snapshots=(
        SnapshotReader(
            "qwicket.vendors.ibm.properties:snapshot", "IBM's properties (qubits, gates)"
        ),
    ),
    clients="qwicket.vendors.ibm.known_clients:CLIENTS",
)
