"""Reads the device properties that Amazon Braket publishes, in the form of `GetDevice` or its SDK.

Qubits keep the vendor's numbers, which begin at 1 on some machines and have gaps on others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from qwicket.circuits.calibrations import Calibration, GateFigures, Pair, PairFigures, QubitFigures
from qwicket.devices.figures import (
    LONGEST_S,
    UNITS_S,
    Snapshot,
    Unreadable,
    average_qubit,
    mean_gate,
    qubit_figures,
    sorted_pairs,
    time_of,
)

_TIME_UNKNOWN: Final = "2020-01-01T00:00:00Z"
"""Time of figures for which a document does not say when they were measured."""
_IONS: Final = ("ionq", "aqt")
"""Makers of machines with ions."""


def snapshot(read: Sequence[Mapping[str, Any]]) -> Snapshot | None:
    """Return the figures in device properties; None if the document has no device properties.

    Args:
        read: The properties, or the response of `GetDevice` with them.

    Raises:
        Unreadable: The properties have no figures of qubits and gates.
    """
    document = read[0]
    found = document.get("deviceCapabilities", document)
    if isinstance(found, str):
        found = msgspec.json.decode(found)
    if not isinstance(found, dict) or "paradigm" not in found:
        return None
    # The third word of a name such as braket.device_schema.iqm.iqm_device_capabilities.
    maker = str(found.get("braketSchemaHeader", {}).get("name", "")).split(".")[2:3]
    machine = str(document.get("deviceName") or "".join(maker) or "a machine")
    standard, provider = found.get("standardized") or {}, found.get("provider") or {}
    if any("T1" in row for row in (standard.get("oneQubitProperties") or {}).values()):
        calibration = _detailed(standard)
    elif "twoQubitGateFidelity" in standard:
        calibration = _uniform(_of_standard(standard))
    elif "fidelity" in provider and "timing" in provider:
        calibration = _uniform(_of_provider(provider))
    else:
        raise Unreadable(
            "The device properties have no calibration: neither standardized.oneQubitProperties"
            " and twoQubitProperties, nor standardized.twoQubitGateFidelity, nor"
            " provider.fidelity."
        )
    measured_at = standard.get("updatedAt") or found.get("service", {}).get("updatedAt")
    pairs = _pairs(found["paradigm"])
    # Numbers of qubits may have gaps, so that the highest one exceeds their count.
    highest = max([q for pair in pairs or () for q in pair] + [*calibration.qubits], default=-1)
    is_of_ions = any(each in str(maker) for each in _IONS)
    calibration = msgspec.structs.replace(
        calibration,
        valid_from=time_of(measured_at or _TIME_UNKNOWN),
        source=f"Braket's properties of {machine}",
        connectivity=pairs,
        relaxes_to="mixed" if is_of_ions else "zero",
    )
    return Snapshot(machine, max(int(found["paradigm"]["qubitCount"]), highest + 1), calibration)


def _pairs(paradigm: Mapping[str, Any]) -> tuple[Pair, ...] | None:
    connectivity = paradigm["connectivity"]
    if connectivity["fullyConnected"]:
        return None
    graph = connectivity["connectivityGraph"]
    return sorted_pairs([(int(a), int(b)) for a, others in graph.items() for b in others])


def _detailed(standard: Mapping[str, Any]) -> Calibration:
    """Return the calibration of a machine whose qubits and pairs have figures of their own.

    Time and source, here and in `_uniform`, are placeholders that `snapshot` replaces.
    """
    qubits = {int(q): _qubit(row) for q, row in standard["oneQubitProperties"].items()}
    pairs = []
    for name, row in (standard.get("twoQubitProperties") or {}).items():
        first, second = sorted(map(int, name.split("-")))
        best = max(each["fidelity"] for each in row["twoQubitGateFidelity"])
        pairs.append(PairFigures(qubits=(first, second), error=_error(best), duration_s=0.0))
    return Calibration(
        valid_from=time_of(_TIME_UNKNOWN),
        source="",
        qubit=average_qubit(list(qubits.values())),
        one_qubit=mean_gate([each.gate for each in qubits.values() if each.gate is not None]),
        two_qubit=mean_gate(pairs),
        qubits=qubits,
        pairs=tuple(pairs),
    )


def _qubit(row: Mapping[str, Any]) -> QubitFigures:
    fidelities = {
        each["fidelityType"]["name"].upper(): each["fidelity"] for each in row["oneQubitFidelity"]
    }
    read_out = next(
        (fidelity for name, fidelity in fidelities.items() if name.startswith("READOUT")), 1.0
    )
    gates = [fidelity for name, fidelity in fidelities.items() if "BENCHMARKING" in name]
    gate = fidelities.get("RANDOMIZED_BENCHMARKING", gates[0] if gates else None)
    found = qubit_figures(
        t1_s=_seconds(row["T1"]),
        t2_s=_seconds(row["T2"]),
        one_for_zero=_error(read_out),
        zero_for_one=_error(read_out),
    )
    if gate is None:
        return found
    return msgspec.structs.replace(found, gate=GateFigures(error=_error(gate), duration_s=0.0))


def _of_standard(standard: Mapping[str, Any]) -> dict[str, float | None]:
    return {
        "t1": _seconds(standard.get("T1")),
        "t2": _seconds(standard.get("T2")),
        "1q": _first(standard, "singleQubitFidelity"),
        "2q": _first(standard, "twoQubitGateFidelity"),
        "spam": _first(standard, "readoutFidelity"),
        "1q_s": _seconds(standard.get("singleQubitGateDuration"), 0.0),
        "2q_s": _seconds(standard.get("twoQubitGateDuration"), 0.0),
        "readout_s": _seconds(standard.get("readoutDuration"), None),
        "reset_s": _seconds(standard.get("activeResetDuration"), None),
    }


def _of_provider(provider: Mapping[str, Any]) -> dict[str, float | None]:
    fidelity, timing = provider["fidelity"], provider["timing"]
    return {
        "t1": timing["T1"],
        "t2": timing["T2"],
        "1q": fidelity["1Q"]["mean"],
        "2q": fidelity["2Q"]["mean"],
        "spam": fidelity["spam"]["mean"],
        "1q_s": timing["1Q"],
        "2q_s": timing["2Q"],
        "readout_s": timing.get("readout"),
        "reset_s": timing.get("reset"),
    }


def _uniform(figures: Mapping[str, Any]) -> Calibration:
    """Return the calibration of a machine whose qubits are all alike.

    Args:
        figures: As from `_of_standard`: fidelities, and times in seconds.
    """
    spam = _error(figures["spam"])
    return Calibration(
        valid_from=time_of(_TIME_UNKNOWN),
        source="",
        qubit=qubit_figures(figures["t1"], figures["t2"], spam, spam),
        one_qubit=GateFigures(error=_error(figures["1q"]), duration_s=figures["1q_s"]),
        two_qubit=GateFigures(error=_error(figures["2q"]), duration_s=figures["2q_s"]),
        readout_s=figures["readout_s"],
        reset_s=figures["reset_s"],
    )


def _first(standard: Mapping[str, Any], name: str) -> float:
    found: float = standard[name][0]["fidelity"]
    return found


def _seconds(duration: Mapping[str, Any] | None, otherwise: float | None = LONGEST_S) -> Any:
    """Return a duration in seconds, or `otherwise` if it is missing."""
    return otherwise if duration is None else UNITS_S[duration["unit"]] * duration["value"]


def _error(fidelity: float) -> float:
    return round(1 - fidelity, 12)
