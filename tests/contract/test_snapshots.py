"""The snapshots of IBM's machines that IBM's own package publishes, and twins made of them."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

import qwicket
from contract.environments import interpreter
from qwicket import testing
from qwicket.clients.native import Client
from qwicket.devices import DeviceFile
from qwicket.devices.vendor_files import device_of_vendor_file, snapshot_files
from qwicket.devices.writing import device_toml
from support.server import LiveServer, cli, run_cli

pytestmark = [pytest.mark.vendor, pytest.mark.timeout(600), pytest.mark.extended]
RUNTIME = "ibm/qiskit_ibm_runtime_0_51"
BELL = """OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2];
h q[0]; cx q[0], q[1]; measure q -> c;"""


def folders() -> list[Path]:
    """Return the folders with a snapshot in the package of `RUNTIME`."""
    root = interpreter(RUNTIME).parents[1]
    found = root.glob("lib/python*/site-packages/qiskit_ibm_runtime/fake_provider/backends/*/")
    return [each for each in found if any(each.glob("props_*.json"))]


def test_every_snapshot_is_read_and_its_device_file_says_the_same() -> None:
    found = folders()
    assert len(found) > 50
    for folder in found:
        device = device_of_vendor_file("", *(each.read_bytes() for each in snapshot_files(folder)))
        (configuration,) = (json.loads(each.read_bytes()) for each in snapshot_files(folder)[1:])
        assert device.spec.qubits == configuration["n_qubits"]
        pairs = {tuple(sorted(each)) for each in configuration["coupling_map"] or ()}
        assert device.calibration is not None
        assert {*(device.calibration.connectivity or ())} == pairs
        assert msgspec.toml.decode(device_toml(device), type=DeviceFile) == device


def test_a_command_makes_a_twin_that_a_server_and_a_test_bed_run(tmp_path: Path) -> None:
    (torino,) = (each for each in folders() if each.name == "torino")  # a Heron with 133 qubits
    file = tmp_path / "devices" / "torino.toml"
    file.parent.mkdir()
    command = ("device", "import", str(torino), "--as", "torino")
    cli(*command, "--write", str(file))
    again = run_cli(*command, "--write", str(file))
    assert f"--write: {file}: File exists." in again.stderr
    device = msgspec.toml.decode(file.read_bytes(), type=DeviceFile)
    assert device.spec.qubits == 133
    assert device.calibration is not None
    readouts = [device.calibration.qubits[q].spam_error for q in (0, 1)]
    server = LiveServer(tmp_path / "data", "--device-dir", str(file.parent))
    try:
        with qwicket.connect(server.url, server.token("ada")) as client:
            shown = client.device("torino").calibration()
            wrong = share_of_wrong(client)
    finally:
        server.stop()
    assert shown["source"] == device.calibration.source
    # Each readout errs by itself; gates and relaxation add a few percent.
    assert 0.5 * sum(readouts) < wrong < sum(readouts) + 0.1
    with testing.server() as cloud:
        cloud.device("torino", calibration=torino)
        with cloud.client() as client:
            assert abs(share_of_wrong(client) - wrong) < 0.05


def share_of_wrong(client: Client) -> float:
    """Return how often the qubits of a Bell pair differ."""
    counts = client.submit(BELL, "torino", shots=4_000, seed=1).result(timeout=60).counts
    return (counts.get("01", 0) + counts.get("10", 0)) / 4_000
