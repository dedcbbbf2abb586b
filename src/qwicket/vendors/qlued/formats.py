"""Formats that qlued's clients write: JSON with experiments on cold atoms."""

from __future__ import annotations

from typing import Final

from qwicket.circuits.formats import INLINE_BYTES, Format
from qwicket.vendors.qlued.machines import SIMULATED

FORMATS: Final = (
    *[
        Format(
            name=f"qlued.{machine}",
            version=1,
            reader=f"qwicket.vendors.qlued.cold_atoms:read_{machine}",
            inline_bytes=INLINE_BYTES,
            title="experiments in qlued's JSON",
            description=f"Experiments on cold atoms in qlued's JSON, for the machine `{machine}`.",
            family="atoms",
            json_keys=(b'"experiment_0"',),
        )
        for machine in SIMULATED
    ],
    Format(
        name="qlued.lab",
        version=1,
        reader="qwicket.vendors.qlued.lab_atoms:read",
        inline_bytes=INLINE_BYTES,
        checker="qwicket.vendors.qlued.lab_atoms:to_checked",
        title="experiments in qlued's JSON",
        description=(
            "Experiments on cold atoms in qlued's JSON, for a lab's own machine; gates pass unread."
        ),
        family="atoms",
    ),
)
