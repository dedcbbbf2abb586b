"""IQM's names of qubits, and the ids that it gives to everything."""

from __future__ import annotations

import re
from typing import Final
from uuid import NAMESPACE_URL, uuid5

DIALECT: Final = "iqm"
SOURCE: Final = "qwicket"
"""What bodies name as the origin of an error, message or entry of a timeline."""

_QUBIT: Final = re.compile(r"QB([1-9][0-9]{0,3})")


def qubit_name(number: int) -> str:
    """Return IQM's name of a qubit, which counts from 1: `QB1` is qubit 0."""
    return f"QB{number + 1}"


def qubit_number(name: str) -> int | None:
    """Return the number of a qubit from 0; None if the name is none of a qubit."""
    found = _QUBIT.fullmatch(name)
    return int(found[1]) - 1 if found else None


def computer_id(device: str) -> str:
    """Return the UUID of a device, which is the same on each server."""
    return str(uuid5(NAMESPACE_URL, f"qwicket:iqm:quantum-computer:{device}"))


def no_calibration_id(device: str) -> str:
    """Return the UUID that stands for the calibration of a device without one."""
    return str(uuid5(NAMESPACE_URL, f"qwicket:iqm:no-calibration:{device}"))
