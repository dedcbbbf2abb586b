"""Formats that IonQ's clients write."""

from __future__ import annotations

from typing import Final

from qwicket.circuits.formats import INLINE_BYTES, Format

FORMATS: Final = (
    Format(
        name="ionq.circuit.v1",
        version=2,
        reader="qwicket.vendors.ionq.circuit_json:read",
        inline_bytes=INLINE_BYTES,
        title="a circuit in IonQ's JSON",
        description=(
            "IonQ's JSON `input` object, gatesets `qis` and `native`, one circuit or several."
        ),
        in_batches=True,
        json_keys=(b'"circuit"', b'"circuits"'),
        is_general=True,
        is_guessed=True,
        writer="qwicket.vendors.ionq.writer:write",
        native_compiler="qwicket.vendors.ionq.native_gates:compile_circuit",
    ),
)
