"""Readers of vendors' calibration files: figures, units, refusals."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from qwicket.circuits.calibrations import GateFigures, PairFigures
from qwicket.devices import DeviceFile
from qwicket.devices.figures import Unreadable
from qwicket.devices.vendor_files import device_of_vendor_file, snapshot_files
from qwicket.devices.virtual import MAX_QUBITS, Noise, connectivity, virtual_device
from qwicket.devices.writing import device_toml
from support.for_each import for_each

pytestmark = pytest.mark.needs_vendors


IONQ: dict[str, Any] = {
    "backend": "qpu.forte-1",
    "date": "2024-11-07T00:00:00.000Z",
    "qubits": 3,
    "connectivity": [[0, 1], [0, 2], [1, 2]],
    "fidelity": {"spam": {"mean": 0.99}, "1q": {"median": 0.999}, "2q": {"mean": 0.98}},
    "timing": {"readout": 15e-5, "reset": 2e-5, "1q": 13e-5, "2q": 97e-5, "t1": 100, "t2": 1},
}
IBM: dict[str, Any] = {
    "backend_name": "ibm_pair",
    "last_update_date": "2024-05-27T15:17:50-03:00",
    "qubits": [
        [
            {"name": "T1", "unit": "us", "value": 50.0},
            {"name": "T2", "unit": "us", "value": 130.0},
            {"name": "frequency", "unit": "GHz", "value": 5.1},
            {"name": "readout_error", "unit": "", "value": 0.03},
            {"name": "prob_meas0_prep1", "unit": "", "value": 0.04},
            {"name": "prob_meas1_prep0", "unit": "", "value": 0.02},
            {"name": "readout_length", "unit": "ns", "value": 700.0},
        ],
        [
            {"name": "T1", "unit": "us", "value": 100.0},
            {"name": "T2", "unit": "us", "value": 80.0},
            {"name": "readout_error", "unit": "", "value": 0.01},
        ],
    ],
    "gates": [
        {
            "gate": "sx",
            "qubits": [0],
            "parameters": [
                {"name": "gate_error", "unit": "", "value": 0.0002},
                {"name": "gate_length", "unit": "ns", "value": 35.0},
            ],
        },
        {
            "gate": "ecr",
            "qubits": [1, 0],
            "parameters": [
                {"name": "gate_error", "unit": "", "value": 0.008},
                {"name": "gate_length", "unit": "ns", "value": 500.0},
            ],
        },
    ],
}
QBRAID: dict[str, Any] = {
    "deviceQRNs": ["aws:iqm:qpu:garnet"],
    "lastCalibrated": "2025-01-01T00:00:00Z",
    "qubits": {
        "0": {"t1": 4e-5, "t2": 2e-5, "readoutError": 0.02, "gateError": {"1q": 0.001}},
        "1": {"t1": 5e-5, "t2": 3e-5, "readoutError": 0.03, "gateError": {"1q": 0.002}},
    },
    "edges": {"gateError": {"2q": [{"source": 1, "target": 0, "value": 0.01}]}},
}

BRAKET: dict[str, Any] = {
    "braketSchemaHeader": {"name": "braket.device_schema.iqm.iqm_device_capabilities"},
    "service": {"updatedAt": "2026-11-01T06:00:00"},
    "paradigm": {
        "qubitCount": 2,
        "connectivity": {"fullyConnected": False, "connectivityGraph": {"1": ["2"], "2": ["1"]}},
    },
    "standardized": {
        "oneQubitProperties": {
            str(q): {
                "T1": {"value": 28.9, "unit": "us"},
                "T2": {"value": 1.2e-5, "unit": "s"},
                "oneQubitFidelity": [
                    {"fidelityType": {"name": "READOUT"}, "fidelity": 0.97},
                    {"fidelityType": {"name": "RANDOMIZED_BENCHMARKING"}, "fidelity": 0.999},
                ],
            }
            for q in (1, 2)
        },
        "twoQubitProperties": {
            "2-1": {
                "twoQubitGateFidelity": [
                    {"gateName": "CZ", "fidelity": 0.99, "fidelityType": {"name": "IRB"}},
                    {"gateName": "ISwap", "fidelity": 0.98, "fidelityType": {"name": "IRB"}},
                ]
            }
        },
    },
}
IONQ_AT_BRAKET: dict[str, Any] = {
    "braketSchemaHeader": {"name": "braket.device_schema.ionq.ionq_device_capabilities"},
    "paradigm": {"qubitCount": 36, "connectivity": {"fullyConnected": True}},
    "provider": {
        "fidelity": {"1Q": {"mean": 0.9998}, "2Q": {"mean": 0.995}, "spam": {"mean": 0.996}},
        "timing": {"T1": 188, "T2": 0.95, "1Q": 63e-6, "2Q": 650e-6, "readout": 25e-5},
    },
}
AVERAGES: dict[str, Any] = {
    **IONQ_AT_BRAKET,
    "standardized": {
        "T1": {"value": 100, "unit": "s"},
        "T2": {"value": 900, "unit": "ms"},
        "readoutFidelity": [{"fidelity": 0.99, "unit": "fraction"}],
        "singleQubitFidelity": [{"fidelity": 0.999, "unit": "fraction"}],
        "twoQubitGateFidelity": [{"fidelity": 0.99, "unit": "fraction"}],
        "twoQubitGateDuration": {"value": 200, "unit": "us"},
        "updatedAt": "2026-02-22T12:29:03Z",
    },
}


def read(*documents: Any) -> Any:
    return device_of_vendor_file("twin", *(json.dumps(each).encode() for each in documents))


def test_an_ionq_characterization_is_read() -> None:
    device = read(IONQ)
    found = device.calibration
    assert device.spec.qubits == 3
    assert device.spec.native_gates == ("gpi", "gpi2", "zz")
    assert found.one_qubit.error == pytest.approx(0.001)
    assert found.two_qubit.error == pytest.approx(0.02)
    assert found.two_qubit.duration_s == pytest.approx(97e-5)
    assert found.qubit.one_for_zero == found.qubit.zero_for_one == pytest.approx(0.01)
    assert (found.qubit.t1_s, found.qubit.t2_s) == (100, 1)
    assert found.connectivity == ((0, 1), (0, 2), (1, 2))
    assert read({"characterizations": [IONQ, {}], "pages": 1}) == device


def test_ibm_properties_are_read_with_their_units() -> None:
    found = read(IBM).calibration
    first, second = found.qubits[0], found.qubits[1]
    assert (first.t1_s, first.t2_s) == (pytest.approx(50e-6), pytest.approx(100e-6))  # 2 T1
    assert (first.one_for_zero, first.zero_for_one) == (0.02, 0.04)
    assert first.frequency_hz == pytest.approx(5.1e9)
    assert first.gate.error == 0.0002
    assert first.gate.duration_s == pytest.approx(35e-9)
    assert (second.one_for_zero, second.gate) == (0.01, None)
    (pair,) = found.pairs
    assert (pair.qubits, pair.error) == ((0, 1), 0.008)
    assert pair.duration_s == pytest.approx(5e-7)
    assert found.readout_s == pytest.approx(7e-7)
    assert found.connectivity == ((0, 1),)


def test_a_qubit_without_a_lifetime_does_not_change_the_average() -> None:
    others = [row for row in IBM["qubits"][1] if row["name"] not in ("T1", "T2")]
    found = read({**IBM, "qubits": [IBM["qubits"][0], others]}).calibration
    assert found.qubits[1].t1_s == 1e9
    assert found.qubit.t1_s == pytest.approx(50e-6)
    assert found.qubit.t2_s == pytest.approx(100e-6)


def test_the_configuration_beside_ibm_properties_gives_the_pairs() -> None:
    configuration = {"backend_name": "ibm_pair", "coupling_map": [[0, 1], [1, 0]]}
    assert read(IBM, configuration).calibration.connectivity == ((0, 1),)
    assert read({"coupling_map": None}, IBM).calibration.connectivity == ()


def test_a_qbraid_calibration_is_read() -> None:
    device = read(QBRAID)
    found = device.calibration
    assert device.spec.qubits == 2
    assert found.qubits[1].gate.error == 0.002
    assert (found.pairs[0].qubits, found.pairs[0].error) == ((0, 1), 0.01)
    assert found.one_qubit.error == pytest.approx(0.0015)


def test_braket_properties_of_qubits_and_pairs_are_read() -> None:
    device = read(BRAKET)
    found = device.calibration
    assert device.spec.qubits == 3  # IQM counts from 1, and Braket's programs too
    assert found.valid_from == datetime(2026, 11, 1, 6, tzinfo=UTC)
    assert found.qubits[1].t1_s == pytest.approx(28.9e-6)
    assert found.qubits[2].t2_s == pytest.approx(12e-6)
    assert found.qubits[2].one_for_zero == found.qubits[2].zero_for_one == 0.03
    assert found.qubits[2].gate == GateFigures(error=0.001, duration_s=0.0)
    assert found.pairs == (PairFigures(qubits=(1, 2), error=0.01, duration_s=0.0),)
    assert found.connectivity == ((1, 2),)
    answer = {"deviceName": "Garnet", "deviceCapabilities": json.dumps(BRAKET)}
    assert read(answer).calibration.source == "Braket's properties of Garnet"
    assert msgspec.structs.replace(read(answer).calibration, source=found.source) == found


def test_braket_properties_with_averages_are_read() -> None:
    old = read(IONQ_AT_BRAKET)
    assert (old.spec.qubits, old.calibration.connectivity) == (36, None)
    assert (old.calibration.two_qubit.error, old.calibration.two_qubit.duration_s) == (0.005, 65e-5)
    assert (old.calibration.qubit.t1_s, old.calibration.qubit.one_for_zero) == (188, 0.004)
    assert (old.calibration.readout_s, old.calibration.relaxes_to) == (25e-5, "mixed")
    new = read(AVERAGES).calibration
    assert (new.qubit.t1_s, new.qubit.t2_s) == (100, pytest.approx(0.9))
    assert (new.one_qubit.error, new.two_qubit.error) == (0.001, 0.01)
    assert new.two_qubit.duration_s == pytest.approx(2e-4)
    assert new.valid_from == datetime(2026, 2, 22, 12, 29, 3, tzinfo=UTC)


@for_each("document", [IONQ, IBM, QBRAID, BRAKET, IONQ_AT_BRAKET, AVERAGES])
def test_a_device_file_says_the_same(document: Any) -> None:
    device = read(document)
    assert msgspec.toml.decode(device_toml(device), type=DeviceFile) == device


def test_a_device_file_may_have_any_text() -> None:
    device = read({**IONQ, "backend": 'forte \x7f\x1b\\"\U0001f600'})
    assert msgspec.toml.decode(device_toml(device), type=DeviceFile) == device


def test_a_device_without_a_name_has_that_of_its_machine() -> None:
    texts = (json.dumps(each).encode() for each in (IBM, IONQ, QBRAID))
    assert [device_of_vendor_file("", each).name for each in texts] == [
        "twin_ibm_pair",
        "twin_qpu.forte-1",
        "twin_aws_iqm_qpu_garnet",
    ]


def test_a_folder_has_one_machine(tmp_path: Path) -> None:
    lima = tmp_path / "lima"
    lima.mkdir()
    with pytest.raises(Unreadable, match=r"has 0 files props_\*\.json"):
        snapshot_files(lima)
    for name in ("props_a.json", "props_b.json", "conf_lima.json"):
        (lima / name).touch()
    with pytest.raises(Unreadable, match="has 2 files"):
        snapshot_files(lima)
    (lima / "props_lima.json").touch()
    files = [lima / "props_lima.json", lima / "conf_lima.json"]
    assert snapshot_files(lima) == files
    assert snapshot_files(files[0]) == files[:1]


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ([], "not a JSON object"),
        ({}, "none of these: IonQ's characterization"),
        ({**IONQ, "timing": {}}, "no 't1'"),
        ({**IONQ, "qubits": 1}, "outside"),
        ({**IONQ, "date": "yesterday"}, "yesterday"),
        ({**IONQ, "fidelity": {"spam": 2, "1q": 1, "2q": 1}}, "wrong figure"),
        ({**IBM, "gates": []}, "gates of one qubit"),
        ({**IBM, "gates": {"sx": 1}}, "another type"),
        ({**QBRAID, "qubits": {}}, "no 'qubits'"),
        ({**BRAKET, "standardized": None}, "no calibration: neither standardized"),
        ({**BRAKET, "paradigm": {"qubitCount": 2}}, "no 'connectivity'"),
        ({"deviceCapabilities": "x"}, "not a JSON object|wrong figure"),
        ({"deviceCapabilities": "{}"}, "none of these: IonQ's characterization"),
    ],
)
def test_another_file_is_refused(document: Any, text: str) -> None:
    with pytest.raises(Unreadable, match=text):
        read(document)


def test_topologies_have_their_pairs() -> None:
    assert connectivity("all", 4) is None
    assert connectivity("line", 4) == ((0, 1), (1, 2), (2, 3))
    assert connectivity("ring", 4) == ((0, 1), (1, 2), (2, 3), (0, 3))
    assert connectivity("ring", 2) == ((0, 1),)
    assert connectivity("star", 4) == ((0, 1), (0, 2), (0, 3))
    assert connectivity("grid", 4) == ((0, 1), (0, 2), (1, 3), (2, 3))
    # 0 1 2 / 3 4 5 / 6
    assert connectivity("grid", 7) == (
        *((0, 1), (0, 3), (1, 2), (1, 4), (2, 5), (3, 4), (3, 6), (4, 5)),
    )
    assert connectivity([(0, 2)], 3) == ((0, 2),)


@pytest.mark.parametrize("qubits", [0, -1, MAX_QUBITS + 1])
def test_a_number_of_qubits_out_of_range_is_refused(qubits: int) -> None:
    with pytest.raises(ValueError, match=f"from 1 to {MAX_QUBITS}; not {qubits}"):
        virtual_device("v", qubits)


def test_a_device_without_noise_is_exact_and_one_with_noise_is_a_twin() -> None:
    assert virtual_device("v", 3).calibration is None
    assert virtual_device("v", 3).spec.exact
    twin = virtual_device("v", 3, "line", Noise(readout=0.1))
    assert twin.calibration is not None
    assert twin.calibration.qubit.spam_error == pytest.approx(0.1)
    assert not twin.spec.exact
    with pytest.raises(ValueError, match="outside"):
        virtual_device("v", 3, [(0, 3)])
