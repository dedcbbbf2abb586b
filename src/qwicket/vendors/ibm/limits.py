"""Limits of IBM's dialects, and of documents of Qiskit's primitives."""

from __future__ import annotations

import msgspec


class PrimitiveLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of jobs of Qiskit's primitives."""

    pubs: int = 1_000
    """Circuits with their parameter values in one job of Qiskit's primitives."""
    parameter_sets: int = 20_000
    """Sets of parameter values of one job of Qiskit's primitives; of an estimator, times its groups
    of observables."""
    estimator_runs: int = 1_000_000
    """Circuits that are run for the estimators of one job, with error mitigation."""
    parameters: int = 1_000_000
    """Parameter values of one job of Qiskit's primitives."""
    pauli_terms: int = 100_000
    """Terms of all expectation values of one job together, after broadcasting."""
    unpacked_bytes: int = 64 << 20
    """Unpacked size of the circuits and arrays in one job of Qiskit's primitives."""
    circuit_metadata_bytes: int = 1 << 20
    """Metadata of all circuits in one job of Qiskit's primitives, as JSON; results repeat them."""
    samplex_nodes: int = 50_000
    """Nodes of a samplex, from which parameters are drawn; it has four times as many links."""
    samplex_bytes: int = 256 << 20
    """Registers of a samplex for all its randomizations together."""


class IBMLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of IBM's dialects: jobs, filters of lists, and websockets."""

    unfinished_jobs: int = -1
    """Unfinished jobs of one project on one device in IBM's dialects; -1 for any number."""
    long_access_token_s: int = 14 * 86_400
    """Lifetime of the access tokens of the Quantum Experience's clients, which never renew them."""
    filter_clauses: int = 100
    """Comparisons in the filter of a list, with the values in their lists."""
    filter_jobs: int = 100_000
    """Jobs to which the filter of one list is applied, if the database cannot apply it."""
    sockets: int = 2_000
    """Open websockets."""
    sockets_each: int = 1_000
    """Open websockets of one account."""
    unsigned_sockets: int = 500
    """Open websockets that have not sent a token yet, not counted in `sockets`; above this number,
    the oldest of them is closed."""
