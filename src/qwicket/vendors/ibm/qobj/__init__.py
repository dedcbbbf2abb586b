"""Format `qobj`: the JSON in which Qiskit sent circuits before it sent OpenQASM and QPY.

`read` returns the circuits; `settings` returns shots, seed, memory and headers. Only type QASM
is read, pulses are refused.
"""

from __future__ import annotations

from qwicket.vendors.ibm.qobj.openqasm2 import to_openqasm2
from qwicket.vendors.ibm.qobj.reader import read
from qwicket.vendors.ibm.qobj.settings import ExperimentSettings, Settings, settings

__all__ = ["ExperimentSettings", "Settings", "read", "settings", "to_openqasm2"]
