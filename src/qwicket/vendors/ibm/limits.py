"""Limits of documents of Qiskit's primitives."""

from __future__ import annotations

import msgspec


class PrimitiveLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of jobs of Qiskit's primitives."""

    pubs: int = 1_000
    """Circuits with their parameter values in one job of Qiskit's primitives."""
    parameter_sets: int = 20_000
    """Sets of parameter values, or runs of an estimator, of one job of Qiskit's primitives."""
    parameters: int = 1_000_000
    """Parameter values of one job of Qiskit's primitives."""
    pauli_terms: int = 100_000
    """Terms of all expectation values of one job together, after broadcasting."""
    unpacked_bytes: int = 64 << 20
    """Unpacked size of the circuits and arrays in one job of Qiskit's primitives."""
    circuit_metadata_bytes: int = 1 << 20
    """Metadata of all circuits in one job of Qiskit's primitives, as JSON; results repeat them."""
