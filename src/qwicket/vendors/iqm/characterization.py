"""Reads the architecture, calibration set and quality metrics of IQM's quantum computers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, Final

from qwicket.circuits.calibrations import Calibration, GateFigures, PairFigures, QubitFigures
from qwicket.devices.figures import (
    LONGEST_S,
    NO_GATE,
    Snapshot,
    average_qubit,
    mean_gate,
    sorted_pairs,
    time_of,
)
from qwicket.vendors.iqm.names import qubit_name, qubit_number

_NATIVE: Final = ("prx", "cz")


def snapshot(read: Sequence[Mapping[str, Any]]) -> Snapshot | None:
    """Return the figures of a dynamic architecture and of observation sets; None for others.

    They are the documents, or fields of one. A computer without observations whose qubits are all
    connected has no figures.
    """
    inner = [each for document in read for each in document.values() if isinstance(each, dict)]
    documents = [*read, *inner]
    architecture = next(
        (each for each in documents if "calibration_set_id" in each and "gates" in each), None
    )
    if architecture is None:
        return None
    sets = [each for each in documents if isinstance(each.get("observations"), list)]
    figures = _Figures(architecture, sets)
    names = {qubit_number(name): name for name in architecture["qubits"]}
    numbers = sorted(number for number in names if number is not None)
    pairs = sorted_pairs(figures.pairs())
    if not numbers or not sets:
        return None
    if not figures.values and len(pairs) == len(numbers) * (len(numbers) - 1) // 2:
        return None
    qubits = {number: figures.qubit(names[number]) for number in numbers}
    on_pairs = [figures.pair(pair) for pair in pairs]
    calibration = Calibration(
        valid_from=time_of(sets[0]["created_timestamp"]),
        source=f"IQM's calibration set {str(architecture['calibration_set_id'])[:36]}",
        qubit=average_qubit([*qubits.values()]),
        one_qubit=mean_gate([each.gate for each in qubits.values() if each.gate]),
        two_qubit=mean_gate(on_pairs),
        qubits=qubits,
        pairs=tuple(on_pairs),
        connectivity=pairs,
        readout_s=figures.readout_s([names[number] for number in numbers]),
    )
    machine = str(sets[0].get("dut_label") or "a machine of IQM")
    return Snapshot(machine, numbers[-1] + 1, calibration, _NATIVE)


class _Figures:
    """Figures by the names of observations, without what follows a colon."""

    def __init__(self, architecture: Mapping[str, Any], sets: Sequence[Mapping[str, Any]]) -> None:
        self._gates = architecture["gates"]
        self.values = {
            str(each["dut_field"]).partition(":")[0]: float(each["value"])
            for found in sets
            for each in found["observations"]
            if isinstance(each["value"], int | float) and not each.get("invalid")
        }

    def pairs(self) -> list[tuple[int, int]]:
        """Return the pairs of qubits with a `cz`; those of a qubit and a resonator are left out."""
        found = []
        for implementation in self._gates["cz"]["implementations"].values():
            for locus in implementation["loci"]:
                numbers = [each for name in locus if (each := qubit_number(name)) is not None]
                if len(numbers) == 2:
                    found.append((numbers[0], numbers[1]))
        return found

    def qubit(self, name: str) -> QubitFigures:
        t1_s = self.values.get(f"characterization.model.{name}.t1_time", LONGEST_S)
        t2_s = self.values.get(f"characterization.model.{name}.t2_time", LONGEST_S)
        readout = f"metrics.ssro.measure.{self._implementation('measure', name)}.{name}"
        error = 1 - self.values.get(f"{readout}.fidelity", 1.0)
        return QubitFigures(
            t1_s=t1_s,
            t2_s=min(t2_s, 2 * t1_s),
            one_for_zero=self.values.get(f"{readout}.error_0_to_1", error),
            zero_for_one=self.values.get(f"{readout}.error_1_to_0", error),
            frequency_hz=self.values.get(f"controllers.{name}.drive.frequency"),
            gate=self._gate("prx", "rb", name),
        )

    def pair(self, pair: tuple[int, int]) -> PairFigures:
        names = [*map(qubit_name, pair)]
        found = self._gate("cz", "irb", *names)
        if found == NO_GATE:
            found = self._gate("cz", "irb", *reversed(names))
        return PairFigures(qubits=pair, error=found.error, duration_s=found.duration_s)

    def readout_s(self, names: Sequence[str]) -> float | None:
        places = (f"measure.{self._implementation('measure', name)}.{name}" for name in names)
        durations = (self.values.get(f"gates.{place}.duration") for place in places)
        known = [each for each in durations if each is not None]
        return fmean(known) if known else None

    def _gate(self, gate: str, method: str, *locus: str) -> GateFigures:
        """Return a gate; a fidelity or duration that is not known is that of a perfect one."""
        place = f"{gate}.{self._implementation(gate, *locus)}.{'__'.join(locus)}"
        return GateFigures(
            error=round(1 - self.values.get(f"metrics.{method}.{place}.fidelity", 1.0), 12),
            duration_s=self.values.get(f"gates.{place}.duration", 0.0),
        )

    def _implementation(self, gate: str, *locus: str) -> str:
        found = self._gates[gate]
        own = (found.get("override_default_implementation") or {}).get(",".join(locus))
        return str(own or found["default_implementation"])
