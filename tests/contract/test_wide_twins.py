"""IBM's own client finds, transpiles for and runs on wide twins, and a wide simulator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from math import cos, sin, sqrt
from pathlib import Path
from typing import Any, Final

import pytest

from contract.environments import ROOT, interpreter
from support.server import LiveServer, cli

pytestmark = [pytest.mark.vendor, pytest.mark.extended, pytest.mark.timeout(600)]
RUNTIME: Final = "ibm/qiskit_ibm_runtime_0_51"
AER: Final = "engines/aer_0_18_qsim_0_22"
MACHINES: Final = {"montreal": 27, "brisbane": 127, "fez": 156}
TWIRLED: Final = "twirled"
PROGRAM: Final = """
import json, sys, warnings
warnings.simplefilter("ignore")
from support.platform_client import connect, fitted
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp
from qiskit_ibm_runtime import EstimatorV2, SamplerV2
from qiskit_ibm_runtime.exceptions import IBMRuntimeError

backend = connect().backend(sys.argv[1])
ghz = QuantumCircuit(5)
ghz.h(0)
for qubit in range(4):
    ghz.cx(qubit, qubit + 1)
isa, parity = fitted(ghz, backend, SparsePauliOp("ZZIII"))
ghz.measure_all()
(measured,) = fitted(ghz, backend)
counts = SamplerV2(backend).run([measured], shots=2_000).result()[0].data.meas.get_counts()
value = EstimatorV2(backend).run([(isa, parity)]).result()[0].data.evs
wide = QuantumCircuit(backend.num_qubits)
wide.rx(0.3, range(backend.num_qubits))
alone = wide.measure_all(inplace=False)
alone = SamplerV2(backend).run(fitted(alone, backend), shots=10).result()[0].data.meas
if backend.num_qubits > 29:
    wide.cz(*zip(*(pair for pair in backend.coupling_map if pair[0] < pair[1])))
wide.measure_all()
try:
    SamplerV2(backend).run(fitted(wide, backend), shots=10)
    refusal = ""
except IBMRuntimeError as error:
    refusal = str(error)
target = backend.target
gate = next(name for name in ("ecr", "cz", "cx") if name in target)
figures = next(each for each in target[gate].values() if each is not None and each.error < 1)
print(json.dumps({
    "qubits": backend.num_qubits, "wires": measured.num_qubits, "counts": counts,
    "value": float(value), "alone": alone.num_bits, "refusal": refusal, "error": figures.error,
    "duration": figures.duration, "operations": list(target.operation_names),
}))
"""

WIDE: Final = """
import json, warnings
warnings.simplefilter("ignore")
from support.platform_client import connect, fitted
from qiskit import QuantumCircuit
from qiskit_ibm_runtime import SamplerV2
from qiskit_ibm_runtime.exceptions import IBMRuntimeError

backend = connect().backend("twirled")
wide = QuantumCircuit(backend.num_qubits)
wide.h(range(backend.num_qubits))
for a, b in backend.coupling_map:
    if a < b:
        wide.cz(a, b)
wide.measure_all()
data = SamplerV2(backend).run(fitted(wide, backend), shots=500).result()[0].data.meas
wide.remove_final_measurements()
for qubit in range(0, 80, 2):  # not Clifford, little entanglement
    wide.rx(0.3, qubit)
wide.measure_all()
try:
    SamplerV2(backend).run(fitted(wide, backend), shots=10)
    refusal = ""
except IBMRuntimeError as error:
    refusal = str(error)
ones = [data.slice_bits(qubit).get_counts().get("1", 0) / 500 for qubit in range(data.num_bits)]
print(json.dumps({"bits": data.num_bits, "ones": ones, "refusal": refusal}))
"""

CHAIN: Final = """
import json, warnings
warnings.simplefilter("ignore")
from support.platform_client import connect
from qiskit import QuantumCircuit
from qiskit_ibm_runtime import SamplerV2

chain = QuantumCircuit(60)
chain.ry(1.0, 0)
for qubit in range(59):
    chain.cx(qubit, qubit + 1)
chain.rx(0.3, 30)
chain.measure_all()
job = SamplerV2(connect().backend("qwicket_simulator")).run([chain], shots=2_000)
print(json.dumps({"counts": job.result()[0].data.meas.get_counts()}))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("wide")
    devices = folder / "devices"
    devices.mkdir()
    backends = next(interpreter(RUNTIME).parents[1].glob("lib/python*/site-packages"))
    backends = backends / "qiskit_ibm_runtime" / "fake_provider" / "backends"
    for name in MACHINES:
        command = ("device", "import", str(backends / name), "--as", name)
        cli(*command, "--write", str(devices / f"{name}.toml"))
    twirled = (
        "--relaxes-to",
        "mixed",
        "--as",
        TWIRLED,
        "--write",
        str(devices / f"{TWIRLED}.toml"),
    )
    cli("device", "import", str(backends / "brisbane"), *twirled)
    # By default it depends on other programs; 27 qubits with noise need 5.1 GiB.
    limit = ("--limit", f"memory_bytes={6 << 30}")
    live = LiveServer(folder / "server", "--device-dir", str(devices), *limit)
    yield live
    assert live.stop() == 0


def run(server: LiveServer, home: Path, program: str, *arguments: str) -> dict[str, Any]:
    """Run a program with the client; return what it printed."""
    done = subprocess.run(
        [str(interpreter(RUNTIME)), "-c", program, *arguments],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")]),
            "QWICKET_URL": server.url,
            "QWICKET_TOKEN": server.token(),
        },
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("name", MACHINES)
def test_a_circuit_is_transpiled_for_and_run_on_a_wide_twin(
    name: str, server: LiveServer, tmp_path: Path
) -> None:
    found = run(server, tmp_path, PROGRAM, name)
    assert found["qubits"] == found["wires"] == MACHINES[name]
    counts = found["counts"]
    # Five qubits of such a machine lose some tenths of the state, readout errors included.
    assert 0.5 < (counts["00000"] + counts["11111"]) / 2_000 < 1
    # Mitigated by default, so that it may be above 1: six times the default precision of 1/64.
    assert 0.6 < found["value"] < 1.1
    assert {"if_else", "switch_case", "for_loop", "measure", "reset", "delay"} <= {
        *found["operations"]
    }
    assert found["error"] > 0
    assert found["duration"] > 0
    assert found["alone"] == MACHINES[name]
    # 127 connected qubits are too many, and the refusal says how many there may be.
    assert bool(found["refusal"]) is (MACHINES[name] > 27)
    if found["refusal"]:
        assert f"{MACHINES[name]} " in found["refusal"]
        assert "limit" in found["refusal"]


def test_all_qubits_of_a_wide_twin_run_clifford_circuits_where_relaxation_is_twirled(
    server: LiveServer, tmp_path: Path
) -> None:
    found = run(server, tmp_path, WIDE)
    assert found["bits"] == 127
    # Each qubit of a graph state is measured as a fair coin, but two qubits of this machine mostly
    # read 1 or 0, and some others err in a sixth to a quarter of the readouts.
    fair = [share for share in found["ones"] if abs(share - 0.5) < 5 * 0.5 / 500**0.5 + 0.05]
    assert len(fair) >= 120
    # A twin has noise, so matrix product states cannot run what is not a Clifford circuit.
    assert "127 connected qubits" in found["refusal"]
    assert "limit" in found["refusal"]


def test_matrix_product_states_run_wide_circuits_of_little_entanglement(tmp_path: Path) -> None:
    """The server has Qiskit Aer, as with the extra `aer`; 60 qubits have no state vector."""
    packages = next(interpreter(AER).parents[1].glob("lib/python3.*/site-packages"))
    assert packages.parent.name == f"python3.{sys.version_info.minor}", "the server can import them"
    live = LiveServer(tmp_path / "server", PYTHONPATH=str(packages))
    try:
        found = run(live, tmp_path, CHAIN)
        shares = {int(key, 2): number / 2_000 for key, number in found["counts"].items()}
        low, high = cos(0.5) ** 2, sin(0.5) ** 2
        expected = {0: low, 2**60 - 1: high}
        expected = {
            key ^ flip: share * turned
            for key, share in expected.items()
            for flip, turned in ((0, cos(0.15) ** 2), (1 << 30, sin(0.15) ** 2))
        }
        assert shares.keys() <= expected.keys()
        for key, share in expected.items():
            assert abs(shares.get(key, 0) - share) < 5 * sqrt(share * (1 - share) / 2_000)
        with live.client() as http:
            (job,) = http.get("/v1/jobs").json()["jobs"]
            assert (
                http.get(f"/v1/jobs/{job['id']}/result").json()["parts"][0]["engine"] == "aer-mps"
            )
    finally:
        assert live.stop() == 0
