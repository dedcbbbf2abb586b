"""Bodies about quantum computers: their architecture, calibration and metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from qwicket import __version__
from qwicket.circuits.calibrations import Calibration, Pair
from qwicket.dialects.times import format_time
from qwicket.vendors.iqm.names import computer_id, no_calibration_id, qubit_name

if TYPE_CHECKING:
    from qwicket.circuits.calibrations import Calibrated
    from qwicket.gateway import DeviceView
    from qwicket.model.devices import Device

_PRX: Final = "drag_gaussian"
_CZ: Final = "tgss"
_MEASURE: Final = "constant"
_ON_EACH_QUBIT: Final = {
    "prx": _PRX,
    "measure": _MEASURE,
    "cc_prx": "prx_composite",
    "reset": "reset_conditional",
}
"""Gates on one qubit, each with the name of its implementation."""
_EPOCH: Final = format_time(0)


def about() -> dict[str, Any]:
    """Return the version of this server."""
    return {"version": __version__, "software_versions": {"qwicket": __version__}}


def computer(device: Device) -> dict[str, Any]:
    """Return a device in the list of quantum computers."""
    return {
        "id": computer_id(device.name),
        "alias": device.name,
        "display_name": device.spec.description,
        "proxy_path": None,  # without this null, clients send requests to paths of their own
    }


def health(view: DeviceView) -> dict[str, Any]:
    """Return whether a device takes and runs jobs now."""
    return {"healthy": view.is_online, "reason": view.status.reason}


def static_architecture(view: DeviceView) -> dict[str, Any]:
    """Return the qubits of a device and the pairs that it connects."""
    return {
        "dut_label": view.device.name,
        "qubits": _qubits(view),
        "computational_resonators": [],
        "connectivity": [_names(pair) for pair in _pairs(view, _body(view.calibration))],
    }


class CalibrationSet(NamedTuple):
    """A calibration of a device as a calibration set.

    Attributes:
        view: The device.
        calibrated: The calibration; None stands for that of a device without one.
    """

    view: DeviceView
    calibrated: Calibrated | None

    @property
    def id(self) -> str:
        return self.calibrated.id if self.calibrated else no_calibration_id(self.view.device.name)

    def architecture(self) -> dict[str, Any]:
        """Return the gates of the device, with the qubits on which they act."""
        pairs = _pairs(self.view, _body(self.calibrated))
        qubits = _qubits(self.view)
        each_qubit = [(qubit,) for qubit in qubits]
        gates = {name: _gate(each, each_qubit) for name, each in _ON_EACH_QUBIT.items()}
        return {
            "calibration_set_id": self.id,
            "qubits": qubits,
            "computational_resonators": [],
            "gates": {**gates, "cz": _gate(_CZ, [_names(pair) for pair in pairs])},
        }

    def observations(self) -> dict[str, Any]:
        """Return the set with the durations of gates."""
        return self._set(self.id, "calibration-set", None, self._durations())

    def metrics(self) -> dict[str, Any]:
        """Return the fidelities of its gates and the lifetimes of its qubits."""
        return self._set(self.id, "quality-metric-set", self.id, self._metrics())

    def _set(
        self, id: str, kind: str, describes: str | None, found: Iterator[tuple[str, float, str]]
    ) -> dict[str, Any]:
        label = self.view.device.name
        since = format_time(self.calibrated.valid_from) if self.calibrated else _EPOCH
        return {
            "observation_set_id": id,
            "observation_set_type": kind,
            "describes_id": describes,
            "invalid": False,
            "dut_label": label,
            "created_timestamp": since,
            "end_timestamp": since,
            "observations": [
                {
                    "observation_id": number,
                    "dut_label": label,
                    "dut_field": field,
                    "value": value,
                    "unit": unit,
                    "uncertainty": None,
                    "invalid": False,
                    "created_timestamp": since,
                    "modified_timestamp": since,
                    "source": {"type": "specification_source"},
                    "tags": [],
                }
                for number, (field, value, unit) in enumerate(found, 1)
            ],
        }

    def _durations(self) -> Iterator[tuple[str, float, str]]:
        body = _body(self.calibrated)
        if body is None:
            return
        for number, name in enumerate(_qubits(self.view)):
            figures = body.qubits.get(number, body.qubit)
            gate = figures.gate or body.one_qubit
            yield f"gates.prx.{_PRX}.{name}.duration", gate.duration_s, "s"
            if body.readout_s is not None:
                yield f"gates.measure.{_MEASURE}.{name}.duration", body.readout_s, "s"
            if figures.frequency_hz is not None:
                yield f"controllers.{name}.drive.frequency", figures.frequency_hz, "Hz"
        for pair, gate in _gates_on_pairs(self.view, body):
            yield f"gates.cz.{_CZ}.{'__'.join(_names(pair))}.duration", gate.duration_s, "s"

    def _metrics(self) -> Iterator[tuple[str, float, str]]:
        body = _body(self.calibrated)
        if body is None:
            return
        for number, name in enumerate(_qubits(self.view)):
            figures = body.qubits.get(number, body.qubit)
            yield f"characterization.model.{name}.t1_time", figures.t1_s, "s"
            yield f"characterization.model.{name}.t2_time", figures.t2_s, "s"
            error = (figures.gate or body.one_qubit).error
            yield f"metrics.rb.prx.{_PRX}.{name}.fidelity:par=d1", _fidelity(error), ""
            readout = f"metrics.ssro.measure.{_MEASURE}.{name}"
            yield f"{readout}.fidelity", _fidelity(figures.spam_error), ""
            yield f"{readout}.error_0_to_1", figures.one_for_zero, ""
            yield f"{readout}.error_1_to_0", figures.zero_for_one, ""
        for pair, gate in _gates_on_pairs(self.view, body):
            locus = "__".join(_names(pair))
            yield f"metrics.irb.cz.{_CZ}.{locus}.fidelity:par=d2", _fidelity(gate.error), ""


def _body(calibrated: Calibrated | None) -> Calibration | None:
    return calibrated.body if calibrated else None


def _qubits(view: DeviceView) -> list[str]:
    return [qubit_name(number) for number in range(view.qubits)]


def _names(pair: Pair) -> tuple[str, str]:
    return qubit_name(pair[0]), qubit_name(pair[1])


def _pairs(view: DeviceView, body: Calibration | None) -> tuple[Pair, ...]:
    """Return the pairs of qubits that a device connects, the smaller qubit first."""
    if body is not None:
        pairs = body.connected(view.qubits)
        return tuple(sorted({(min(pair), max(pair)) for pair in pairs}))
    return tuple((a, b) for b in range(view.qubits) for a in range(b))


def _gates_on_pairs(view: DeviceView, body: Calibration) -> Iterator[tuple[Pair, Any]]:
    own = {frozenset(each.qubits): each for each in body.pairs}
    for pair in _pairs(view, body):
        yield pair, own.get(frozenset(pair), body.two_qubit)


def _gate(implementation: str, loci: list[Any]) -> dict[str, Any]:
    return {
        "implementations": {implementation: {"loci": loci}},
        "default_implementation": implementation,
        "override_default_implementation": {},
    }


def _fidelity(error: float) -> float:
    return round(1 - error, 12)
