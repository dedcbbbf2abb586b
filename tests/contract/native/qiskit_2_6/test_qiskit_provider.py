"""Qiskit on our provider: transpile, run, sample, as its users are used to.

Runs with the oldest and the newest Qiskit that we take, without the server's packages.
"""

import math
import os
import subprocess
import sys

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, transpile
from qiskit.circuit import Clbit, Parameter
from qiskit.circuit.library import QFTGate, get_standard_gate_name_mapping
from qiskit.circuit.random import random_circuit
from qiskit.primitives import BackendSamplerV2, StatevectorSampler
from qiskit.providers import JobStatus
from qiskit.providers.exceptions import QiskitBackendNotFoundError
from qiskit.quantum_info import Statevector
from qiskit.transpiler import generate_preset_pass_manager

import qwicket
from qwicket.clients.native import ApiError, ClientError, Part
from qwicket.qiskit import QwicketProvider, SamplerV2
from support.vendors import bound, distance, held_circuit, within

SHOTS = 4000


@pytest.fixture(scope="module")
def provider():
    return QwicketProvider()


@pytest.fixture
def simulator(provider):
    return provider.get_backend("simulator")


@pytest.fixture
def line5(provider):
    return provider.get_backend("qwicket_line5")


@pytest.fixture(autouse=True)
def in_time():
    with within(120):
        yield


def bell():
    circuit = QuantumCircuit(2, 2, name="bell")
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def close(counts, circuit, shots=SHOTS):
    """Hold counts against the exact distribution of a circuit that measures all at its end."""
    exact = Statevector(circuit.remove_final_measurements(inplace=False)).probabilities_dict()
    return distance({key: n / shots for key, n in counts.items()}, exact) < bound(exact, shots)


def test_backends_are_the_devices_that_run_circuits(provider):
    names = [backend.name for backend in provider.backends()]
    assert {"simulator", "clifford", "qwicket_line5", "qpu.aria-1"} <= set(names)
    assert not {"rydberg", "X8_01"} & set(names)
    assert [backend.name for backend in provider.backends("clifford")] == ["clifford"]
    assert "parked" in [backend.name for backend in provider.backends(online=False)]
    assert "parked" not in [backend.name for backend in provider.backends(online=True)]


@pytest.mark.parametrize("name", ["nowhere", "rydberg"])
def test_what_is_no_backend_is_not_found(provider, name):
    with pytest.raises(QiskitBackendNotFoundError, match="The backends are simulator"):
        provider.get_backend(name)


def test_the_target_has_the_calibrations_figures(line5):
    target = line5.target
    assert (target.num_qubits, line5.num_qubits) == (5, 5)
    assert {"rz", "sx", "x", "cx", "measure", "reset", "if_else"} <= set(target.operation_names)
    pairs = {(a, a + 1) for a in range(4)} | {(a + 1, a) for a in range(4)}
    assert set(target.build_coupling_map().get_edges()) == pairs
    assert target["cx"][(1, 0)].error == target["cx"][(0, 1)].error == 0.01001
    assert target["cx"][(2, 1)].duration == 302e-9
    assert target["sx"][(3,)].error == 0.000405
    assert target["rz"][(0,)].error == 0
    assert target["measure"][(0,)].error == pytest.approx((0.0157 + 0.0252) / 2)
    assert target["measure"][(0,)].duration == 1.2e-6
    assert (target.qubit_properties[1].t1, target.qubit_properties[1].t2) == (50e-6, 35e-6)
    assert target.qubit_properties[4].frequency == 5.115e9


def test_the_target_of_a_trapped_ion_twin_connects_all(provider):
    target = provider.get_backend("qpu.aria-1").target
    assert target.num_qubits == 25
    assert target["rxx"][(24, 0)].error == 0.004
    assert target["h"][(7,)].duration == 135e-6
    assert target.qubit_properties[0].t1 == 100.0


def test_the_target_of_a_simulator_is_without_errors(simulator):
    assert simulator.target.build_coupling_map() is None
    assert "sdg" in simulator.target.operation_names
    assert simulator.target["cx"] == {None: None}


def test_a_bell_pair_comes_back(simulator):
    job = simulator.run(transpile(bell(), simulator), shots=1000, memory=True, seed_simulator=7)
    assert job._repr_html_() == job.native._repr_html_()
    result = job.result(timeout=60)
    assert job.status() is JobStatus.DONE
    assert job.queue_position() is None
    counts = result.get_counts()
    assert set(counts) == {"00", "11"}
    assert sum(counts.values()) == 1000
    memory = result.get_memory()
    assert {key: memory.count(key) for key in counts} == counts
    assert (result.results[0].seed, result.results[0].header["name"]) == (7, "bell")
    again = simulator.run(bell(), shots=1000, memory=True, seed_simulator=7)
    assert again.result(timeout=60).get_memory() == memory


def test_circuits_transpiled_for_a_twin_run_there_and_err_as_it_does(line5):
    circuit = QuantumCircuit(4)
    circuit.append(QFTGate(4), range(4))
    circuit.append(QFTGate(4).inverse(), range(4))
    circuit.x(0)
    circuit.measure_all()
    for level in (0, 3):
        isa = transpile(circuit, line5, optimization_level=level, seed_transpiler=1)
        assert {"cx"} >= {op.operation.name for op in isa.data if len(op.qubits) == 2} - {"barrier"}
        counts = line5.run(isa, shots=2000).result(timeout=60).get_counts()
        assert max(counts, key=counts.get) == "0001"
        assert counts["0001"] < 2000, "a twin errs"


def test_a_qubit_that_waits_relaxes_on_a_twin_only(line5, simulator):
    """P(1) is e^(-t/T1), then read with errors of about 2 %: T1 is 67 µs."""
    circuit = QuantumCircuit(1)
    circuit.x(0)
    circuit.delay(67, 0, unit="us")
    circuit.measure_all()
    for backend, expected in ((line5, math.exp(-1)), (simulator, 1.0)):
        isa = transpile(circuit, backend, initial_layout=[0], optimization_level=1)
        assert isa.count_ops()["delay"] == 1
        counts = backend.run(isa, shots=SHOTS).result(timeout=60).get_counts()
        assert counts["1"] / SHOTS == pytest.approx(expected, abs=0.04)


def test_random_circuits_come_out_as_their_state_says(simulator):
    circuits = [random_circuit(4, 4, max_operands=3, seed=seed) for seed in range(6)]
    for circuit in circuits:
        circuit.measure_all()
    manager = generate_preset_pass_manager(optimization_level=1, backend=simulator)
    job = simulator.run(manager.run(circuits), shots=SHOTS)
    result = job.result(timeout=60)
    for number, circuit in enumerate(circuits):
        assert close(result.get_counts(number), circuit)


def test_every_standard_gate_runs_without_transpiling(provider):
    backend = provider.get_backend("statevector")
    names = set(backend.target.operation_names) - {"measure", "reset", "delay"}
    circuits = []
    for name, gate in get_standard_gate_name_mapping().items():
        if name not in names:
            continue
        circuit = QuantumCircuit(gate.num_qubits, name=name)
        circuit.h(range(gate.num_qubits))
        for qubit in range(gate.num_qubits):
            circuit.rx(0.3 + qubit, qubit)
        made = gate.to_mutable()
        made.params = [0.4 + 0.3 * i for i in range(len(gate.params))]
        circuit.append(made, range(gate.num_qubits))
        circuit.h(range(gate.num_qubits))
        circuit.measure_all()
        circuits.append(circuit)
    assert len(circuits) > 40
    result = backend.run(circuits, shots=SHOTS).result(timeout=100)
    wrong = [
        circuit.name
        for number, circuit in enumerate(circuits)
        if not close(result.get_counts(number), circuit)
    ]
    assert wrong == []


def test_several_registers_come_apart(simulator):
    a, b = ClassicalRegister(1, "a"), ClassicalRegister(2, "b")
    circuit = QuantumCircuit(QuantumRegister(3, "q"), a, b)
    circuit.x([0, 2])
    circuit.measure([0, 1, 2], [0, 1, 2])
    assert simulator.run(circuit, shots=5).result(timeout=60).get_counts() == {"10 1": 5}
    data = SamplerV2(simulator).run([circuit], shots=5).result()[0].data
    assert (data.a.get_counts(), data.b.get_counts()) == ({"1": 5}, {"10": 5})


def test_bits_of_no_register_stay_in_their_places_and_shared_ones_are_refused(simulator):
    bits = [Clbit() for _ in range(3)]
    register = ClassicalRegister(2, "late")
    loose = QuantumCircuit(QuantumRegister(5, "q"), register, bits)
    loose.x([0, 3])
    loose.measure(range(5), range(5))
    counts = simulator.run(loose, shots=3).result(timeout=60).data()["counts"]
    assert counts == {hex(0b01001): 3}
    shared = QuantumCircuit(QuantumRegister(3, "q"), bits)
    shared.add_register(ClassicalRegister(bits=bits[:2], name="low"))
    shared.add_register(ClassicalRegister(bits=bits[1:], name="high"))
    shared.x(1)
    shared.measure(range(3), range(3))
    with pytest.raises(ClientError, match="registers in this circuit overlap"):
        SamplerV2(simulator).run([shared], shots=3)


def test_a_circuit_that_measures_and_decides_runs(simulator):
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    circuit.measure(1, 1)
    counts = simulator.run(transpile(circuit, simulator), shots=200).result(60).get_counts()
    assert set(counts) == {"00", "11"}


# --- the sampler -------------------------------------------------------------------------------


def test_the_sampler_gives_counts_by_register(simulator):
    qc = QuantumCircuit(QuantumRegister(2, "q"), ClassicalRegister(2, "c"))
    qc.h(0)
    qc.cx(0, 1)
    qc.measure([0, 1], [0, 1])
    pub_result = SamplerV2(mode=simulator).run([qc], shots=1000).result()[0]
    counts = pub_result.data.c.get_counts()
    assert set(counts) == {"00", "11"}
    assert sum(counts.values()) == 1000
    assert pub_result.metadata["shots"] == 1000


def test_parameters_are_broadcast(simulator):
    theta, phi = Parameter("θ"), Parameter("phi[0]")
    circuit = QuantumCircuit(2)
    circuit.ry(theta, 0)
    circuit.ry(phi, 1)
    circuit.measure_all()
    values = {theta: [[0.0] * 3, [math.pi] * 3], phi: [[0.0, math.pi, math.pi / 2]] * 2}
    pub = (circuit, {name: np.array(each) for name, each in values.items()})
    result = SamplerV2(simulator).run([pub], shots=400).result()[0]
    assert result.data.shape == (2, 3)
    assert result.data.meas.shape == (2, 3)
    assert result.data.meas[0, 0].get_counts() == {"00": 400}
    assert result.data.meas[1, 1].get_counts() == {"11": 400}
    half = result.data.meas[1, 2].get_counts()
    assert set(half) == {"01", "11"}
    assert abs(half["01"] - 200) < 6 * 10  # six standard deviations of a fair coin


def test_pubs_with_shots_of_their_own_come_back_in_their_order(simulator):
    circuits = [QuantumCircuit(1) for _ in range(3)]
    circuits[1].x(0)
    for circuit in circuits:
        circuit.measure_all()
    job = SamplerV2(simulator).run([(circuits[0], None, 10), (circuits[1], None, 20), circuits[2]])
    counts = [pub.data.meas.get_counts() for pub in job.result()]
    assert counts == [{"0": 10}, {"1": 20}, {"0": 1024}]
    assert job.done()
    assert job.status() is JobStatus.DONE
    assert len(job.native) == 3


def test_pubs_without_values_have_the_empty_results_of_qiskits_own_sampler(simulator):
    circuit = QuantumCircuit(QuantumRegister(1), ClassicalRegister(9, "zeros"))
    circuit.rx(Parameter("θ"), 0)
    circuit.measure_all()
    empty, full = (circuit, np.zeros((2, 0, 1)), 20), (circuit, [math.pi], 30)
    for pubs, n_jobs in ([empty], 0), ([empty, full, (*full[:2], 20), empty], 2):
        job = SamplerV2(simulator).run(pubs)
        wanted = StatevectorSampler().run(pubs).result()
        for found, local in zip(job.result(), wanted, strict=True):
            assert found.data.shape == local.data.shape
            for name, bits in local.data.items():
                assert found.data[name] == bits
        assert (job.status(), job.cancel()) == (JobStatus.DONE, False)
        assert len(job.native) == n_jobs


def test_the_sampler_agrees_with_qiskits_own_on_the_same_backend(simulator):
    circuit = random_circuit(3, 3, seed=5)
    circuit.measure_all()
    mine = SamplerV2(simulator, {"seed_simulator": 3}).run([circuit], shots=300).result()[0]
    theirs = BackendSamplerV2(backend=simulator, options={"seed_simulator": 3})
    other = theirs.run([circuit], shots=300).result()[0]
    assert mine.data.meas.get_bitstrings() == other.data.meas.get_bitstrings()


def test_a_circuit_without_registers_warns_and_is_refused(simulator):
    circuit = QuantumCircuit(1)
    circuit.h(0)
    with (
        pytest.warns(UserWarning, match="forget to measure"),
        pytest.raises(ApiError, match="measures nothing; add a measurement"),
    ):
        SamplerV2(simulator).run([circuit], shots=5)


# --- jobs --------------------------------------------------------------------------------------


def test_a_job_is_resumed_by_its_id_from_a_fresh_process(simulator):
    job = simulator.run(bell(), shots=100, seed_simulator=1)
    lines = (
        "from qwicket.qiskit import QwicketProvider\n"
        f"print(QwicketProvider().job({job.job_id()!r}).result().get_counts())"
    )
    done = subprocess.run(
        [sys.executable, "-c", lines], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == str(job.result(timeout=60).get_counts())


def test_a_cancelled_job_says_so(simulator):
    circuit = held_circuit(QuantumCircuit(24))
    circuit.measure_all()
    job = simulator.run(circuit)
    assert job.cancel()
    job.wait_for_final_state(timeout=30)
    assert job.status() is JobStatus.CANCELLED
    with pytest.raises(ClientError):
        job.result()


def test_a_refusal_says_what_and_why(provider, simulator):
    theta = QuantumCircuit(1)
    theta.ry(Parameter("t"), 0)
    theta.measure_all()
    with pytest.raises(ApiError, match="t"):
        simulator.run(theta)
    with pytest.raises(ApiError, match="off"):
        provider.get_backend("parked").run(bell())


# --- the native client with Qiskit's circuits ----------------------------------------------------


def test_a_device_of_the_client_runs_circuits_and_lists_of_them():
    device = qwicket.connect().device("simulator")
    assert set(device.run(bell(), shots=50).result().counts) <= {"00", "11"}
    parts = device.run([bell(), bell()], shots=50).result()
    assert [sum(part.counts.values()) for part in parts] == [50, 50]
    theta = QuantumCircuit(1)
    theta.ry(Parameter("t"), 0)
    theta.measure_all()
    flipped = device.run(theta, shots=9, inputs={"t": math.pi}).result()
    assert flipped.counts == {"1": 9}
    with pytest.raises(ClientError, match=r"inputs: .*nothing"):
        device.run(theta, inputs={"nothing": 1.0})


def test_a_result_is_plotted_by_matplotlib_where_it_is_installed(monkeypatch, tmp_path):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    result = qwicket.connect().device("simulator").run(bell(), shots=50, seed=1).result()
    axes = result.plot(title="Bell")
    assert [bar.get_height() for bar in axes.patches] == [result.counts["00"], result.counts["11"]]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["00", "11"]
    axes.figure.savefig(tmp_path / "bell.png")
    assert (tmp_path / "bell.png").stat().st_size > 1000


def test_long_labels_and_expectation_values_are_plotted(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    wide = Part(counts={format(number, "030b"): number for number in range(1, 9)}).plot()
    assert {label.get_rotation() for label in wide.get_xticklabels()} == {60.0}
    axes = Part(evs=[0.5, -0.8], stds=[0.1, 0.0]).plot(title="⟨Z⟩")
    (points, *_) = axes.lines
    assert points.get_ydata().tolist() == [0.5, -0.8]
    assert axes.get_title() == "⟨Z⟩"


def test_no_package_of_the_server_is_needed():
    assert not {"starlette", "uvicorn", "click", "qulacs"} & set(sys.modules)
    assert os.environ["QWICKET_URL"]
