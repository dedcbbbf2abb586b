"""IQM: circuits of `prx` and `cz` on superconducting qubits."""

from __future__ import annotations

from typing import Final

from qwicket.registrations import Dialect, Vendor

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
    clients="qwicket.vendors.iqm.known_clients:CLIENTS",
)
