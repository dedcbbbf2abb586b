"""Reads the properties of backends that IBM publishes, with the pairs of their configurations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, Final

import msgspec

from qwicket.circuits.calibrations import Calibration, GateFigures, Pair, PairFigures, QubitFigures
from qwicket.devices.figures import (
    LONGEST_S,
    UNITS_S,
    Snapshot,
    average_qubit,
    mean_gate,
    qubit_figures,
    sorted_pairs,
    time_of,
)

_UNITS_HZ: Final = {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6, "GHz": 1e9}
# IBM's gates whose figures count; of several on the same qubits, the first that works.
_ON_TWO: Final = ("cx", "ecr", "cz", "rzz")
_ON_ONE: Final = ("sx", "x", "u2", "u3")


def snapshot(read: Sequence[Mapping[str, Any]]) -> Snapshot | None:
    """Return the figures of IBM's properties, with the pairs of a configuration beside them."""
    properties = next((each for each in read if "coupling_map" not in each), read[0])
    if not isinstance(properties.get("qubits"), list) or "gates" not in properties:
        return None
    configuration = next((each for each in read if "coupling_map" in each), {})
    machine = str(properties.get("backend_name") or "a machine")
    gates: Sequence[Any] = properties["gates"]
    ones: dict[int, GateFigures] = {}
    twos: dict[Pair, PairFigures] = {}
    for gate in gates:
        figures = _figures(gate["parameters"])
        if figures.get("gate_error", 1.0) >= 1.0:  # IBM writes 1 where a gate does not work
            continue
        fields = {"error": figures["gate_error"], "duration_s": figures.get("gate_length", 0.0)}
        acts_on = tuple(gate["qubits"])
        if gate["gate"] in _ON_TWO and len(acts_on) == 2:
            pair: Pair = (min(acts_on), max(acts_on))
            twos.setdefault(pair, PairFigures(qubits=pair, **fields))
        elif gate["gate"] in _ON_ONE:
            ones.setdefault(acts_on[0], GateFigures(**fields))
    if not ones:
        raise KeyError("gates of one qubit with a gate_error")
    rows = [_figures(each) for each in properties["qubits"]]
    qubits = {
        q: msgspec.structs.replace(_qubit(row), gate=ones.get(q)) for q, row in enumerate(rows)
    }
    pairs = sorted_pairs(configuration["coupling_map"] or ()) if configuration else tuple(twos)
    readout_s = [row["readout_length"] for row in rows if "readout_length" in row]
    calibration = Calibration(
        valid_from=time_of(properties["last_update_date"]),
        source=f"IBM's properties of {machine}",
        qubit=average_qubit(list(qubits.values())),
        one_qubit=mean_gate(list(ones.values())),
        two_qubit=mean_gate(list(twos.values())),
        qubits=qubits,
        pairs=tuple(twos.values()),
        connectivity=pairs,
        readout_s=fmean(readout_s) if readout_s else None,
    )
    return Snapshot(machine, len(rows), calibration)


def _figures(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return figures by name: times in seconds, frequencies in hertz, others as they are."""
    found = {}
    for row in rows:
        unit = row.get("unit", "")
        factor = UNITS_S.get(unit) or _UNITS_HZ.get(unit) or 1.0
        found[row["name"]] = factor * row["value"]
    return found


def _qubit(row: Mapping[str, float]) -> QubitFigures:
    both = row.get("readout_error", 0.0)
    return qubit_figures(
        t1_s=row.get("T1", LONGEST_S),
        t2_s=row.get("T2", LONGEST_S),
        one_for_zero=row.get("prob_meas1_prep0", both),
        zero_for_one=row.get("prob_meas0_prep1", both),
        frequency_hz=row.get("frequency"),
    )
