"""iqm-client 36.0.0, unmodified, by its Qiskit path. Runs in the client's own environment."""

import json
import os
import subprocess
import sys
import urllib.request

import pytest
from exa.common.errors.iqm_error import (
    AuthenticationError,
    CircuitValidationError,
    NotFoundError,
    ValidationError,
)
from iqm.iqm_client import CircuitCompilationOptions, IQMClient
from iqm.pulse import Circuit, CircuitOperation
from iqm.qiskit_iqm import IQMProvider
from iqm.station_control.client.authentication import ClientConfigurationError
from iqm.station_control.interface.models import CircuitJobDefinition, DDMode, HeraldingMode
from qiskit import QuantumCircuit, transpile
from qiskit.circuit.random import random_circuit
from qiskit.providers import JobStatus
from qiskit.quantum_info import Statevector

from support.held import held_job
from support.vendors import bound, distance

URL = os.environ["QWICKET_URL"]
TOKEN = os.environ["QWICKET_TOKEN"]
SHOTS = 2_000


def provider(computer="simulator", token=TOKEN):
    return IQMProvider(URL, quantum_computer=computer, token=token)


def client(computer="garnet", token=TOKEN):
    return IQMClient.from_url(URL, quantum_computer=computer, token=token)


@pytest.fixture(scope="module")
def simulator():
    return provider().get_backend()


@pytest.fixture(scope="module")
def garnet():
    return provider("garnet").get_backend()


def native(method, path, body=None):
    """Send a request of /v1, to prepare a test or to look behind the dialect."""
    request = urllib.request.Request(
        f"{URL}/v1{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {TOKEN}"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=90) as answer:
        return json.load(answer)


def ghz(n):
    circuit = QuantumCircuit(n)
    circuit.h(0)
    for qubit in range(n - 1):
        circuit.cx(qubit, qubit + 1)
    return circuit


def measured(circuit):
    circuit = circuit.copy()
    circuit.measure_all()
    return circuit


def run(backend, circuit, shots=SHOTS, **options):
    return backend.run(transpile(circuit, backend, seed_transpiler=7), shots=shots, **options)


def exact(job):
    """Return the exact probabilities of a job's circuits, run again as they were submitted."""
    program = json.dumps(
        job._job_tracker._executor.get_job_payload(job.job_id(), "circuit").model_dump(mode="json")
    )
    body = {"device": "simulator", "format": "iqm.circuits", "program": program, "shots": 1}
    again = native("POST", "/jobs?wait=60", {**body, "outputs": ["probabilities"]})
    (part,) = native("GET", f"/jobs/{again['id']}/result")["parts"]
    # Bits are in the order of the registers, the first one last, as Qiskit's keys are.
    return part["probabilities"]


def operations(*found, name="c"):
    return Circuit(name=name, instructions=tuple(found))


def prx(qubit="QB1", angle=3.0, phase=0.0):
    return CircuitOperation("prx", (qubit,), {"angle": angle, "phase": phase})


def cz(a, b):
    return CircuitOperation("cz", (a, b), {})


def measure(*qubits, key="m"):
    return CircuitOperation("measure", qubits, {"key": key})


def send(*instructions, computer="garnet", **fields):
    """Submit without the client's own checks."""
    fields = {"circuits": [operations(*instructions)], "shots": 10, **fields}
    return client(computer).submit_circuit_job(CircuitJobDefinition(**fields))


# --- circuits -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "circuit",
    [ghz(2), ghz(5), random_circuit(5, 6, seed=3), random_circuit(6, 8, max_operands=2, seed=11)],
    ids=["bell", "ghz", "random", "deep"],
)
def test_a_circuit_has_the_probabilities_of_its_matrix(simulator, circuit):
    expected = Statevector(circuit).probabilities_dict()
    job = run(simulator, measured(circuit))
    counts = job.result().get_counts()
    found = {key: n / SHOTS for key, n in counts.items()}
    assert distance(found, expected) < bound(expected, SHOTS)
    assert distance(exact(job), expected) < 1e-9


def test_a_machine_runs_what_is_routed_on_its_pairs(garnet):
    job = run(garnet, measured(ghz(6)), shots=SHOTS)
    counts = job.result().get_counts()
    # 6 readouts of 97.5 %, about 8 gates of 99.5 %: (0.975)^6 * 0.995^8 = 0.83 at most
    good = (counts["0" * 6] + counts["1" * 6]) / SHOTS
    assert 0.5 < good < 0.9
    (circuit,) = job._job_tracker.payload().circuits
    pairs = {frozenset(each.locus) for each in circuit.instructions if each.name == "cz"}
    assert pairs
    assert pairs <= {*map(frozenset, garnet.architecture.gates["cz"].loci)}


def test_a_wide_machine_runs_clifford_circuits_on_all_qubits():
    backend = provider("crystal54").get_backend()
    circuit, reached = QuantumCircuit(54), [0]
    circuit.h(0)
    pairs = backend.coupling_map
    pairs.make_symmetric()
    for qubit in reached:
        for other in sorted({*pairs.neighbors(qubit)} - {*reached}):
            circuit.cx(qubit, other)
            reached.append(other)
    assert len(reached) == backend.num_qubits == 54
    fitted = transpile(measured(circuit), backend, optimization_level=0)
    counts = backend.run(fitted, shots=20).result().get_counts()
    assert sum(counts.values()) == 20
    assert {len(key) for key in counts} == {54}


def test_several_circuits_come_back_in_their_order(simulator):
    circuits = []
    for number in range(4):
        circuit = QuantumCircuit(2, 2, name=f"c{number}", metadata={"number": number})
        for bit in range(2):
            if number >> bit & 1:
                circuit.x(bit)
        circuit.measure([0, 1], [0, 1])
        circuits.append(circuit)
    result = run(simulator, circuits, shots=10).result()
    assert [result.get_counts(number) for number in range(4)] == [
        {f"{n:02b}": 10} for n in range(4)
    ]
    assert [each.header["name"] for each in result.results] == [each.name for each in circuits]
    assert result.results[3].data.metadata == {"number": 3}
    assert result.get_memory(2) == ["10"] * 10


def test_registers_keep_their_bits(simulator):
    from qiskit.circuit import ClassicalRegister, QuantumRegister

    a, b = ClassicalRegister(2, "a"), ClassicalRegister(3, "b")
    circuit = QuantumCircuit(QuantumRegister(3), a, b)
    circuit.x(1)
    circuit.measure(1, b[2])
    circuit.measure(0, a[0])
    assert run(simulator, circuit, shots=10).result().get_counts() == {"100 00": 10}


def test_a_measurement_steers_a_gate_and_a_qubit_is_reset(simulator):
    circuit = QuantumCircuit(2, 3)
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    circuit.measure(1, 1)
    circuit.reset(1)
    circuit.measure(1, 2)
    counts = run(simulator, circuit).result().get_counts()
    found = {key: n / SHOTS for key, n in counts.items()}
    half = {"000": 0.5, "011": 0.5}
    assert distance(found, half) < bound(half, SHOTS)


def test_a_qubit_that_waits_relaxes(garnet):
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.delay(10_000, 0, "us")
    circuit.measure(0, 0)
    counts = run(garnet, circuit).result().get_counts()
    assert counts["0"] / SHOTS > 0.9  # T1 is below 61 µs; 2.5 % are misread


# --- computers ------------------------------------------------------------------------------------


def test_a_computer_is_named_if_there_are_several():
    with pytest.raises(ClientConfigurationError, match="simulator, garnet, crystal54"):
        IQMProvider(URL, token=TOKEN).get_backend()
    with pytest.raises(ClientConfigurationError, match="does not exist"):
        provider("sirius").get_backend()


def test_the_transpiler_gets_the_published_figures():
    backend = provider("garnet").get_backend(use_metrics=True)
    assert backend.num_qubits == 20
    assert backend.target.qubit_properties[0].t1 == pytest.approx(37.741e-6)
    assert backend.target.qubit_properties[0].t2 == pytest.approx(9.18e-6)
    cz_error = backend.target["cz"][0, 1].error
    assert cz_error == pytest.approx(
        1 - backend.metrics.get_gate_fidelity("cz", "tgss", ("QB1", "QB2"))
    )
    assert 0.001 < cz_error < 0.02
    assert backend.target["cz"][0, 1].duration == pytest.approx(40e-9)
    assert backend.target["r"][0,].error == pytest.approx(0.000425)
    assert backend.target["r"][0,].duration == pytest.approx(20e-9)
    assert backend.metrics.get_measure_errors("measure", "constant", ("QB1",)) == (0.0255, 0.026)


def test_architectures_and_calibration_sets_agree():
    connected = client()
    static = connected.get_static_quantum_architecture()
    dynamic = connected.get_dynamic_quantum_architecture()
    assert static.qubits == dynamic.qubits == [f"QB{n}" for n in range(1, 21)]
    assert {*map(tuple, static.connectivity)} == {*dynamic.gates["cz"].loci}
    assert len(static.connectivity) == 30
    calibration = connected.get_calibration_set()
    assert calibration.observation_set_id == dynamic.calibration_set_id
    metrics = connected.get_quality_metric_set(dynamic.calibration_set_id)
    assert metrics.describes_id == dynamic.calibration_set_id
    assert connected.get_health()["healthy"] is True
    assert connected.get_about()["version"]
    with pytest.raises(NotFoundError):
        connected.get_calibration_set("01908a5c-3a45-7000-8000-000000000000")


# --- jobs -----------------------------------------------------------------------------------------


def test_another_process_finds_a_job(simulator):
    job = run(simulator, measured(ghz(2)), shots=50)
    counts = job.result().get_counts()
    script = (
        "import os, sys\nfrom iqm.qiskit_iqm import IQMProvider\n"
        "p = IQMProvider(os.environ['QWICKET_URL'], quantum_computer='simulator',"
        " token=os.environ['QWICKET_TOKEN'])\n"
        "print(p.get_backend().retrieve_job(sys.argv[1]).result().get_counts())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, job.job_id()], capture_output=True, text=True, check=True
    )
    assert eval(done.stdout) == counts


def test_a_waiting_job_has_a_position_and_is_cancelled(simulator):
    held = [held_job(lasts_s=None) for _ in range(2)]  # there are two workers
    for each in held:
        body = {"device": "simulator", "program": each.openqasm, "shots": 1}
        native("POST", "/jobs", {**body, "format": "openqasm3"})
    for each in held:
        each.wait_until_running()
    job = run(simulator, measured(ghz(20)), shots=10)
    tracker = client("simulator").get_job(job._job_tracker.job_id)
    assert (tracker.status, tracker.job_data.queue_position) == ("waiting", 0)
    assert job.status() == JobStatus.QUEUED
    with pytest.raises(NotFoundError, match="has no measurements"):
        tracker._executor.get_artifact_measurements(job.job_id())
    assert job.cancel()
    assert job.status() == JobStatus.CANCELLED
    assert job.cancel()  # again, which changes nothing
    assert job.result().success is False
    for each in held:
        each.release()


def test_a_job_is_deleted(simulator):
    job = run(simulator, measured(ghz(2)), shots=10)
    job.result()
    tracker = job._job_tracker
    tracker._executor.delete_job(job.job_id())
    with pytest.raises(NotFoundError):
        simulator.retrieve_job(job.job_id())


def test_counts_are_in_the_order_of_keys_and_qubits():
    tracker = send(
        prx("QB2", 3.141592653589793),
        measure("QB1", "QB2", key="a"),
        measure("QB3", key="b"),
        computer="simulator",
    )
    tracker.wait_for_completion(polling_interval=0.1)
    assert tracker.result() == [{"a": [[0, 1]] * 10, "b": [[0]] * 10}]
    (found,) = tracker.result_counts()
    assert (found.measurement_keys, found.counts) == (["a", "b"], {"010": 10})


def test_logical_names_are_mapped():
    mapping = {"alice": "QB2", "bob": "QB5"}
    flip = prx("alice", 3.141592653589793)
    connected = client("simulator")
    tracker = connected.submit_circuits(
        [operations(flip, cz("bob", "alice"), measure("alice", "bob"))],
        qubit_mapping=mapping,
        shots=5,
    )
    tracker.wait_for_completion(polling_interval=0.1)
    assert tracker.result() == [{"m": [[1, 0]] * 5}]
    assert connected.get_job(tracker.job_id).payload().qubit_mapping == mapping


def test_an_option_without_effect_is_said(simulator):
    options = CircuitCompilationOptions(dd_mode=DDMode.ENABLED)
    job = run(simulator, measured(ghz(2)), shots=10, circuit_compilation_options=options)
    with pytest.warns(UserWarning, match="dd_mode: no dynamical decoupling"):
        assert job.result().success


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "token", ["wrong", os.environ["QWICKET_REVOKED_TOKEN"], os.environ["QWICKET_EXPIRED_TOKEN"]]
)
def test_a_token_that_is_not_valid_is_an_authentication_error(token):
    with pytest.raises(AuthenticationError, match="token"):
        provider(token=token).get_backend()


def test_a_job_of_another_account_is_not_there(simulator):
    job = run(simulator, measured(ghz(2)), shots=10)
    job.result()
    stranger = client("simulator", os.environ["QWICKET_OTHER_TOKEN"])
    for ask in (
        stranger.get_job,
        stranger.cancel_job,
        stranger.delete_job,
        stranger.get_job_measurements,
        stranger.get_job_measurement_counts,
    ):
        with pytest.raises(NotFoundError):
            ask(job._job_tracker.job_id)


REFUSED = {
    "pair": ((cz("QB1", "QB20"), measure("QB1")), {}, "garnet does not connect QB1 and QB20"),
    "qubit": ((prx("QB21"), measure("QB21")), {}, "21"),
    "component": (
        (prx("TC-1"), measure("QB1")),
        {},
        r"instruction 0 \(prx\).*'TC-1' is not a qubit",
    ),
    "move": (
        (CircuitOperation("move", ("QB1", "CR1"), {}), measure("QB1")),
        {},
        r"\(move\): moves a state to a resonator",
    ),
    "unmeasured": ((prx(),), {}, "measures nothing"),
    "key": ((measure("QB1"), measure("QB2")), {}, "args.key: 'm' is there twice"),
    "heralding": ((measure("QB1"),), {"heralding_mode": HeraldingMode.ZEROS}, "heralding_mode"),
    "shots": ((measure("QB1"),), {"shots": 10_000_000}, "limit shots"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_a_validation_error_that_names_it(name):
    instructions, fields, said = REFUSED[name]
    with pytest.raises(ValidationError, match=said):
        send(*instructions, **fields)


def test_the_client_refuses_before_it_sends(garnet):
    circuit = QuantumCircuit(20)
    circuit.cz(0, 19)
    with pytest.raises(CircuitValidationError, match="QB20"):
        garnet.run(measured(circuit))


def test_another_calibration_set_is_refused():
    unknown = "01908a5c-3a45-7000-8000-000000000000"
    with pytest.raises(NotFoundError, match="no such calibration"):
        send(measure("QB1"), calibration_set_id=unknown)


def test_a_time_slot_is_refused(simulator):
    with pytest.raises(ValidationError, match="use_timeslot must be false"):
        run(simulator, measured(ghz(2)), use_timeslot=True)


def test_pulses_are_not_offered():
    with pytest.raises(NotFoundError):
        client().get_chip_label()
