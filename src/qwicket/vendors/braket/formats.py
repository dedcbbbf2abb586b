"""Formats that Amazon Braket's clients write."""

from __future__ import annotations

from typing import Final

from qwicket.circuits.formats import INLINE_BYTES, Format

FORMATS: Final = (
    Format(
        name="braket.openqasm3",
        version=1,
        reader="qwicket.vendors.braket.reader:read",
        title="OpenQASM 3 as Amazon Braket writes it, in JSON",
        description=(
            "OpenQASM 3 as Amazon Braket writes it, with pragmas, in JSON with inputs and shots."
        ),
        is_for_labs=False,
        writer="qwicket.vendors.braket.writer:write",
    ),
    Format(
        name="ahs",
        version=1,
        reader="qwicket.vendors.braket.ahs:read",
        inline_bytes=INLINE_BYTES,
        title="an analog program of Rydberg atoms in JSON (ahs)",
        description="Analog programs of Rydberg atoms, as Amazon Braket writes them.",
        family="atoms",
        is_for_labs=False,
        json_keys=(b'"hamiltonian"',),
    ),
)
