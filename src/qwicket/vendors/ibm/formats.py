"""Formats that IBM's clients write."""

from __future__ import annotations

from typing import Final

from qwicket.circuits.formats import INLINE_BYTES, Format

FORMATS: Final = (
    Format(
        name="qobj",
        version=1,
        reader="qwicket.vendors.ibm.qobj:read",
        inline_bytes=INLINE_BYTES,
        title="a Qobj",
        description="Qiskit's Qobj of type QASM, one experiment or several.",
        json_keys=(b'"qobj_id"', b'"experiments"'),
        is_guessed=True,
        writer="qwicket.vendors.ibm.qobj.writer:write",
    ),
    Format(
        name="qiskit.primitives",
        version=1,
        reader="qwicket.vendors.ibm.primitives:read",
        completer="qwicket.vendors.ibm.primitives:complete",
        title="a document of Qiskit's primitives",
        description="Jobs of Qiskit's Sampler and Estimator: circuits in QPY, values, observables.",
        must_measure=True,
        json_keys=(b'"pubs"', b'"quantum_program"'),
        writer="qwicket.vendors.ibm.primitives.writer:write",
        writes_estimations=True,
    ),
)
