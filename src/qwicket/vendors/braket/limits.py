"""Limits of programs and of requests of Amazon Braket's clients."""

from __future__ import annotations

import msgspec


class BraketLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of programs of Amazon Braket's clients."""

    exact_qubits: int = 20
    """Qubits of a program with exact results."""

    density_qubits: int = 10
    """Qubits of a program with noise."""

    result_types: int = 200
    """Result types of one program."""

    result_numbers: int = 1 << 21
    """Numbers of all results of one program except samples; a complex number is two."""

    announced_executables: int = -1
    """Runs of one program set, as capabilities announce them; -1 announces no program sets."""


class BraketDialectLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of requests of Braket's clients."""

    search_filters: int = 20
    """Maximum number of filters of one search, and of values of each filter."""
