"""Xanadu Cloud: photons."""

from __future__ import annotations

from typing import Final

from qwicket.registrations import CloudKind, Dialect, Vendor

VENDOR: Final = Vendor(
    name="xanadu",
    dialects=(
        Dialect(
            name="xanadu",
            registration="qwicket.vendors.xanadu.dialect.registration:REGISTRATION",
            shows={"photonic": ("blackbird",)},
        ),
    ),
    formats=("qwicket.vendors.xanadu.formats:FORMATS",),
    limits=("qwicket.vendors.xanadu.limits:BlackbirdLimits",),
    engines=(("photonic", "qwicket.vendors.xanadu.engine"),),
    clouds=(
        CloudKind(
            name="xanadu",
            driver="qwicket.vendors.xanadu.remote:XanaduCloud",
            credentials="qwicket.vendors.xanadu.remote:AccessToken",
            clouds="Xanadu Cloud's API; devices of photons",
            found_by=(
                "its name; absent only if a list reaches back an hour further than the job, or has"
                " fewer than five jobs"
            ),
            lacks=("calibration", "queue", "price"),
        ),
    ),
    clients="qwicket.vendors.xanadu.known_clients:CLIENTS",
)
