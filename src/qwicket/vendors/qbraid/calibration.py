"""Reads the calibrations that qBraid publishes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from qwicket.circuits.calibrations import Calibration, GateFigures, PairFigures
from qwicket.devices.figures import (
    LONGEST_S,
    Snapshot,
    average_qubit,
    mean_gate,
    qubit_figures,
    time_of,
)


def snapshot(read: Sequence[Mapping[str, Any]]) -> Snapshot | None:
    """Return the figures of a calibration of qBraid; None for another document."""
    document = read[0]
    if not isinstance(document.get("qubits"), dict) or "edges" not in document:
        return None
    rows = {int(q): row for q, row in document["qubits"].items()}
    if not rows:
        raise KeyError("qubits")
    machine = ", ".join(document.get("deviceQRNs", [])) or "a machine"
    edges = document["edges"].get("gateError", {}).get("2q", [])
    qubits = {
        q: msgspec.structs.replace(
            qubit_figures(
                t1_s=row.get("t1") or LONGEST_S,
                t2_s=row.get("t2") or LONGEST_S,
                one_for_zero=row.get("readoutError") or 0.0,
                zero_for_one=row.get("readoutError") or 0.0,
                frequency_hz=row.get("frequency"),
            ),
            gate=GateFigures(error=(row.get("gateError") or {}).get("1q") or 0.0, duration_s=0.0),
        )
        for q, row in rows.items()
    }
    pairs = {
        (min(ends), max(ends)): float(edge["value"])
        for edge in edges
        for ends in [(int(edge["source"]), int(edge["target"]))]
    }
    twos = [PairFigures(qubits=at, error=error, duration_s=0.0) for at, error in pairs.items()]
    calibration = Calibration(
        valid_from=time_of(document["lastCalibrated"]),
        source=f"qBraid's calibration of {machine}",
        qubit=average_qubit(list(qubits.values())),
        one_qubit=mean_gate([each.gate for each in qubits.values() if each.gate]),
        two_qubit=mean_gate(twos),
        qubits=qubits,
        pairs=tuple(twos),
        connectivity=tuple(pairs),
    )
    return Snapshot(machine, max(qubits) + 1, calibration)
