"""qlued: cold atoms, and labs whose machines its spooler drives."""

from __future__ import annotations

from typing import Final

from qwicket.registrations import CloudKind, Dialect, Vendor
from qwicket.vendors.qlued.machines import FORMATS

VENDOR: Final = Vendor(
    name="qlued",
    dialects=(
        Dialect(
            name="qlued",
            registration="qwicket.vendors.qlued.dialect.registration:REGISTRATION",
            shows={"atoms": FORMATS},
        ),
    ),
    formats=("qwicket.vendors.qlued.formats:FORMATS",),
    clouds=(
        CloudKind(
            name="qlued",
            driver="qwicket.vendors.qlued.remote:QluedCloud",
            credentials="qwicket.vendors.qlued.remote:pass_through_key",
            clouds="qlued's API; devices of atoms",
            lacks=("cancellation", "calibration", "price"),
        ),
    ),
    clients="qwicket.vendors.qlued.known_clients:CLIENTS",
)
