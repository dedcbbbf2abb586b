"""Reads the characterizations that IonQ publishes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from qwicket.circuits.calibrations import Calibration, GateFigures
from qwicket.devices.figures import Snapshot, qubit_figures, sorted_pairs, time_of

_NATIVE: Final = {"forte": ("gpi", "gpi2", "zz")}
_DEFAULT: Final = ("gpi", "gpi2", "ms")


def snapshot(read: Sequence[Mapping[str, Any]]) -> Snapshot | None:
    """Return the figures of an IonQ characterization, the first of a list; None for another."""
    characterization = read[0]
    if isinstance(characterization.get("characterizations"), list):
        characterization = characterization["characterizations"][0]
    if "fidelity" not in characterization or "timing" not in characterization:
        return None
    fidelity, timing = characterization["fidelity"], characterization["timing"]
    spam = _error(fidelity["spam"])
    qubits = int(characterization["qubits"])
    made_at = characterization["date"]
    is_number = isinstance(made_at, int | float)
    pairs = characterization.get("connectivity")
    machine = str(characterization.get("backend") or characterization.get("target") or "")
    family = next((each for each in _NATIVE if each in machine), "")
    calibration = Calibration(
        valid_from=datetime.fromtimestamp(made_at, UTC) if is_number else time_of(made_at),
        source=f"IonQ's characterization of {machine or 'a machine'}",
        qubit=qubit_figures(timing["t1"], timing["t2"], spam, spam),
        one_qubit=GateFigures(error=_error(fidelity["1q"]), duration_s=timing["1q"]),
        two_qubit=GateFigures(error=_error(fidelity["2q"]), duration_s=timing["2q"]),
        connectivity=None if pairs is None else sorted_pairs(pairs),
        readout_s=timing.get("readout"),
        reset_s=timing.get("reset"),
        relaxes_to="mixed",
    )
    native = _NATIVE.get(family, _DEFAULT)
    return Snapshot(machine or "a machine", qubits, calibration, native)


def _error(fidelity: Any) -> float:
    """Return the error of a fidelity: a number, or an object with a mean or a median."""
    if isinstance(fidelity, dict):
        found = fidelity.get("mean")
        fidelity = fidelity["median"] if found is None else found
    return round(1 - float(fidelity), 12)
