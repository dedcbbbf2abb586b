"""The built-in devices, their files, and the page about them."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from qwicket import devices
from qwicket.dialects import shown_by
from qwicket.model.devices import Family

pytestmark = pytest.mark.needs_vendors


DOCS = Path(__file__).parents[3] / "docs" / "devices.md"
PACKAGE = Path(devices.__file__).parents[1]
TWIN = (PACKAGE / "vendors" / "ionq" / "devices" / "aria-1.toml").read_text()


def test_devices_come_in_listing_order_with_names_of_their_own() -> None:
    found = devices.built_in()
    assert [device.position for device in found] == sorted(device.position for device in found)
    assert len({device.name for device in found}) == len(found)


@pytest.mark.parametrize(
    ("name", "qubits", "native"),
    [("qpu.aria-1", 25, ("gpi", "gpi2", "ms")), ("qpu.forte-1", 36, ("gpi", "gpi2", "zz"))],
)
def test_twins_have_their_originals_qubits_and_gates(
    name: str, qubits: int, native: tuple[str, ...]
) -> None:
    (twin,) = (device for device in devices.built_in(shown_by) if device.name == name)
    assert (twin.spec.qubits, twin.spec.native_gates) == (qubits, native)
    assert twin.dialects == ("native", "ionq", "qbraid")
    assert not twin.spec.exact
    assert devices.calibrations()[name].source


def test_a_file_gives_a_device_and_its_calibration(tmp_path: Path) -> None:
    path = tmp_path / "twin.toml"
    path.write_text(TWIN)
    file = devices.load(path)
    assert file.device(shown_by) in devices.built_in(shown_by)
    assert file.calibration == devices.calibrations()[file.name]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (TWIN + "connectivity = [[0, 25]]", r"outside 0\.\.24"),
        (TWIN.replace("t2_s = 1.0", "t2_s = 201.0"), "more than twice"),
        (TWIN + "humidity = 0.4", "unknown field `humidity`"),
    ],
)
def test_a_file_with_a_wrong_calibration_is_refused(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "twin.toml"
    path.write_text(text)
    with pytest.raises(msgspec.ValidationError, match=why):
        devices.load(path)


def test_the_page_lists_every_device_with_its_dialects_and_qubits() -> None:
    rows = {}
    for line in DOCS.read_text().splitlines():
        if re.match(r"\| `[^`]+` \|", line):
            name, dialects, qubits, *_ = (cell.strip(" `") for cell in line.strip("|").split("|"))
            rows[name] = (dialects, qubits.replace(",", ""))
    expected = {
        device.name: (" ".join(device.dialects), str(device.spec.qubits))
        for device in devices.built_in(shown_by)
    }
    assert rows == expected


def test_the_pages_example_is_a_twin(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    path = tmp_path / "twin.toml"
    path.write_text(example)
    file = devices.load(path)
    assert file.calibration is not None
    assert file.calibration.pairs


def test_one_device_ships_off_and_says_why() -> None:
    assert devices.off_reasons().keys() == {"parked"}
    assert "off" in devices.off_reasons()["parked"]


def test_a_file_narrows_the_dialects_that_its_family_and_formats_give() -> None:
    ionq, qbraid, ibm = ("native", "ionq"), ("native", "qbraid"), ("native", "ibm", "runtime")
    ions, atoms, photonic = (*ionq, "qbraid"), ("native", "qlued"), ("native", "xanadu")
    assert {device.name: device.dialects for device in devices.built_in(shown_by)} == {
        "simulator": (*ionq, "iqm"),
        "qpu.aria-1": ions,
        "qpu.forte-1": ions,
        "clifford": ("native",),
        **dict.fromkeys(("garnet", "crystal54"), ("native", "iqm")),
        **dict.fromkeys(("qwicket_simulator", "qwicket_heavyhex27"), ibm),
        "qwicket_line5": (*ibm, "braket"),
        **dict.fromkeys(("singlequdit", "multiqudit", "fermions"), atoms),
        "rydberg": (*atoms, "braket", "qbraid"),
        "statevector": (*qbraid, "braket"),
        "parked": qbraid,
        **dict.fromkeys(("X8_01", "simulon_gaussian", "tdm_small"), photonic),
    }
    text = TWIN.replace("[spec]", 'dialects = ["qbraid"]\n\n[spec]', 1)
    assert msgspec.toml.decode(text, type=devices.DeviceFile).device(shown_by).dialects == qbraid


def test_a_file_names_only_dialects_that_show_its_family_and_formats() -> None:
    for path in (*PACKAGE.glob("devices/*.toml"), *PACKAGE.glob("vendors/*/devices/*.toml")):
        file = devices.load(path)
        assert {*(file.dialects or ())} <= {*shown_by(file.family, file.spec.formats)}, path


@pytest.mark.parametrize(
    ("formats", "names"),
    [
        (("openqasm3",), ("native", "qbraid")),
        (("ionq.circuit.v1",), ("native", "ionq", "qbraid")),
        (("qobj", "openqasm2"), ("native", "ibm", "qbraid")),
        (("batch", "qiskit.primitives"), ("native", "runtime")),
        (("ahs",), ("native",)),
        (("iqm.circuits",), ("native", "iqm")),
    ],
)
def test_a_device_is_shown_by_the_dialects_that_write_its_formats(
    formats: tuple[str, ...], names: tuple[str, ...]
) -> None:
    assert shown_by("qubit", formats) == names


@pytest.mark.parametrize(
    ("family", "names"),
    [
        ("qubit", {"native", "ionq", "ibm", "runtime", "qbraid", "braket", "iqm"}),
        ("atoms", {"native", "qlued", "qbraid", "braket"}),
        ("photonic", {"native", "xanadu"}),
    ],
)
def test_each_family_has_its_dialects(family: Family, names: set[str]) -> None:
    assert {*shown_by(family)} == names
