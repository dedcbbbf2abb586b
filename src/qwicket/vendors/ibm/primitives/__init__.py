"""Format `qiskit.primitives`: the jobs of Qiskit's Sampler and Estimator, and of IBM's executor.

    {"program": "sampler", "params": {"version": 2, "pubs": [[circuit, values, shots], …], …}}

A pub is a circuit with values for its parameters, and for an estimator with observables. Circuits
are in OpenQASM 3, or in QPY, which only Qiskit reads (the extra `qiskit`). All else is read without
it. Nothing here unpickles data or imports a module that a program names.
"""

from __future__ import annotations

from qwicket.vendors.ibm.primitives.broadcasting import ExpectationOrder, broadcast
from qwicket.vendors.ibm.primitives.circuits import UNASSIGNED_REGISTER
from qwicket.vendors.ibm.primitives.reader import read
from qwicket.vendors.ibm.primitives.wire import (
    Settings,
    Shape,
    complete,
    ignored_options,
    settings,
    shapes,
    write,
)

__all__ = [
    "UNASSIGNED_REGISTER",
    "ExpectationOrder",
    "Settings",
    "Shape",
    "broadcast",
    "complete",
    "ignored_options",
    "read",
    "settings",
    "shapes",
    "write",
]
