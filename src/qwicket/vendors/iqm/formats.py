"""Formats that IQM's clients write."""

from __future__ import annotations

from typing import Final

from qwicket.circuits.formats import INLINE_BYTES, Format

FORMATS: Final = (
    Format(
        name="iqm.circuits",
        version=1,
        reader="qwicket.vendors.iqm.circuit_json:read",
        checker="qwicket.vendors.iqm.circuit_json:to_checked",
        inline_bytes=INLINE_BYTES,
        title="circuits in IQM's JSON",
        description=(
            "IQM's JSON object with a list of circuits of `prx`, `cz`, `cc_prx`, `measure`,"
            " `reset`, `delay` and `barrier`."
        ),
        must_measure=True,
        json_keys=(b'"locus"',),
        writer="qwicket.vendors.iqm.writer:write",
    ),
)
