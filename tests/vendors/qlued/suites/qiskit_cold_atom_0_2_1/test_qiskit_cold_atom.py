"""qiskit-cold-atom 0.2.1, unmodified, on all four devices.

Expected probabilities are those of its own local solvers, which share no code with our engines.
"""

import json
import os
import urllib.request
import warnings
from collections import Counter
from fractions import Fraction
from math import pi

import numpy as np
import pytest
import requests
from qiskit import QuantumCircuit
from qiskit.providers import JobError, JobStatus
from qiskit_cold_atom.exceptions import QiskitColdAtomError
from qiskit_cold_atom.fermions import FermionSimulator
from qiskit_cold_atom.fermions.fermion_circuit_solver import FermionCircuitSolver
from qiskit_cold_atom.providers import ColdAtomProvider
from qiskit_cold_atom.spins.spin_circuit_solver import SpinCircuitSolver

from support.vendors import bound, distance, within

URL = os.environ["QWICKET_URL"] + "/qlued/api/v2"
TOKEN = os.environ["QWICKET_TOKEN"]
DEVICES = ("singlequdit", "multiqudit", "rydberg", "fermions")
SHOTS = 4000


def provider(*urls, token=TOKEN):
    chosen = list(urls or [f"{URL}/{name}" for name in DEVICES])
    return ColdAtomProvider({"urls": chosen, "username": "anyone", "token": token})


@pytest.fixture(scope="module")
def backends():
    with within(60):
        found = provider()
        return {name: found.get_backend(f"qwicket_{name}_simulator") for name in DEVICES}


def run(backend, circuit, shots=SHOTS):
    """Run a circuit to its end; return what its result says."""
    with within(90):
        return backend.run(circuit, shots=shots).result(timeout=60, wait=0.1)


def frequencies(result):
    memory = result.data()["memory"]
    assert len(memory) == SHOTS
    assert Counter(memory) == result.get_counts() == result.data()["counts"]
    return {key: n / SHOTS for key, n in Counter(memory).items()}


def spins(circuit, spin=Fraction(1, 2)):
    """Return exact probabilities of a circuit without loads, wire 0 first."""
    solver = SpinCircuitSolver(spin)
    amplitudes = solver(circuit)["statevector"]
    levels = (int(2 * spin) + 1,) * circuit.num_qubits
    return {
        " ".join(map(str, np.unravel_index(index, levels))): abs(amplitude) ** 2
        for index, amplitude in enumerate(amplitudes)
        if abs(amplitude) ** 2 > 1e-9
    }


def fermions(circuit):
    """Return exact probabilities, one column per wire in the order of the circuit's."""
    solver = FermionCircuitSolver(num_species=2)
    amplitudes = solver(circuit)["statevector"]
    labels = solver.basis.get_occupations()
    return {
        " ".join(map(str, label)): abs(amplitude) ** 2
        for label, amplitude in zip(labels, amplitudes, strict=True)
        if abs(amplitude) ** 2 > 1e-9
    }


def check(result, exact):
    assert sum(exact.values()) == pytest.approx(1)
    assert distance(frequencies(result), exact) < bound(exact, SHOTS)


# --- provider and devices -------------------------------------------------------------------------


def test_every_device_is_found_and_says_what_it_is(backends):
    for name, backend in backends.items():
        config = backend.configuration()
        assert config.backend_name == f"qwicket_{name}_simulator"
        assert config.simulator
        assert config.memory
        assert config.cold_atom_type == ("fermion" if name == "fermions" else "spin")
        assert config.max_shots == 1_000_000
        assert {gate.name for gate in config.gates} == set(config.basis_gates)


def test_the_address_that_a_configuration_names_can_be_given_back():
    with within():
        url = provider(f"{URL}/rydberg").backends()[-1].configuration().url
        assert url.endswith("/qwicket_rydberg_simulator/")
        backend = provider(url).get_backend("qwicket_rydberg_simulator")
        circuit = QuantumCircuit(1, 1)
        circuit.rlx(pi, 0)
        circuit.measure(0, 0)
        result = backend.run(circuit, shots=3).result(timeout=30, wait=0.1)
    assert result.data()["memory"] == ["1"] * 3


def test_an_account_is_kept_and_loaded(tmp_path):
    file = str(tmp_path / "credentials.conf")
    urls = [f"{URL}/singlequdit", f"{URL}/fermions"]
    ColdAtomProvider.save_account(url=urls, username="ada", token=TOKEN, filename=file)
    with within():
        loaded = ColdAtomProvider.load_account(filename=file)
    names = [backend.name() for backend in loaded.backends()]
    assert names[-2:] == ["qwicket_singlequdit_simulator", "qwicket_fermions_simulator"]


# --- physics --------------------------------------------------------------------------------------


def test_a_long_spin_is_turned_and_twisted(backends):
    atoms = 6
    circuit = QuantumCircuit(1, 1)
    circuit.rlx(pi / 2, 0)
    circuit.rlz2(0.3, 0)
    circuit.rlz(0.4, 0)
    circuit.rlx(1.2, 0)
    exact = spins(circuit, Fraction(atoms, 2))
    loaded = QuantumCircuit(1, 1)
    loaded.load_spins(atoms, 0)
    loaded.compose(circuit, inplace=True)
    loaded.measure(0, 0)
    check(run(backends["singlequdit"], loaded), exact)


def test_several_spins_exchange_and_shift_each_other(backends):
    circuit = QuantumCircuit(3, 3)
    circuit.rlx(1.0, 0)
    circuit.rlx(2.0, 2)
    local, sent = circuit.copy(), circuit.copy()
    # The same name means twice as much there, in qlued's simulators and here.
    for each, factor in ((local, 2.0), (sent, 1.0)):
        each.rlxly(factor * 0.4, [0, 1])
        each.rlzlz(0.9, [1, 2])
        each.rlx(0.7, 1)
    sent.measure_all(add_bits=False)
    check(run(backends["multiqudit"], sent), spins(local))


def test_wires_of_different_atoms_are_read_in_the_order_of_the_measurements(backends):
    circuit = QuantumCircuit(3, 3)
    for wire, atoms in enumerate((3, 5, 7)):
        circuit.load_spins(atoms, wire)
        circuit.rlx(pi, wire)
    for wire in (2, 0, 1):
        circuit.measure(wire, wire)
    assert run(backends["multiqudit"], circuit, 5).data()["memory"] == ["7 3 5"] * 5


@pytest.mark.parametrize("n_wires", [2, 5])
def test_rydberg_atoms_block_each_other(backends, n_wires):
    wires = list(range(n_wires))
    circuit = QuantumCircuit(n_wires, n_wires)
    circuit.rlx(0.8, 0)
    circuit.rydberg_full(omega=2.0, delta=0.7, phi=25.0, modes=wires)
    circuit.rydberg_block(phi=1.3, modes=wires)
    circuit.rlx(0.5, 1)
    exact = spins(circuit)
    circuit.measure_all(add_bits=False)
    check(run(backends["rydberg"], circuit), exact)


def hubbard(n_sites):
    """Return hops, interaction and phases of two atoms, on wires as the client orders them."""
    n = n_sites
    circuit = QuantumCircuit(2 * n, 2 * n)
    circuit.fload(0)
    circuit.fload(n + 1)
    circuit.fhop([0.8], [0, 1, n, n + 1])
    if n == 4:
        circuit.fhop([1.1], [1, 2, n + 1, n + 2])
        circuit.fint(1.5, list(range(2 * n)))
    circuit.fphase([0.9], [1, n + 1])
    circuit.fhop([0.6], [0, 1, n, n + 1])
    return circuit


@pytest.mark.parametrize("n_sites", [2, 4])
def test_fermions_hop_interact_and_gain_phases(backends, n_sites):
    circuit = hubbard(n_sites)
    exact = fermions(circuit)
    circuit.measure_all(add_bits=False)
    check(run(backends["fermions"], circuit), exact)


def test_one_gate_on_many_sites_takes_a_parameter_for_each(backends):
    circuit = QuantumCircuit(8, 8)
    circuit.fload(0)
    circuit.fload(5)
    circuit.fhop([0.8, 0.5, 1.1], list(range(8)))
    circuit.fphase([0.1, 0.2, 0.3, 0.4], list(range(8)))
    circuit.fhop([0.4, 0.3, 0.2], list(range(8)))
    exact = fermions(circuit)
    circuit.measure_all(add_bits=False)
    check(run(backends["fermions"], circuit), exact)


def test_the_clients_own_simulator_agrees(backends):
    """Sampled on both sides, through the client's simulator of devices and not its solver."""
    circuit = hubbard(2)
    circuit.measure_all(add_bits=False)
    memory = FermionSimulator().run(circuit, shots=SHOTS, num_species=2, seed=7).result()
    theirs = Counter(" ".join(shot) for shot in memory.get_memory())
    ours = frequencies(run(backends["fermions"], circuit))
    exact = {key: n / SHOTS for key, n in theirs.items()}
    assert distance(ours, exact) < 2 * bound(exact, SHOTS)


# --- jobs -----------------------------------------------------------------------------------------


def flip():
    circuit = QuantumCircuit(1, 1)
    circuit.load_spins(20, 0)
    circuit.rlx(pi, 0)
    circuit.measure(0, 0)
    return circuit


def test_several_circuits_are_one_job_and_found_again(backends):
    backend = backends["singlequdit"]
    circuits = []
    for atoms in (1, 5, 3):
        circuit = QuantumCircuit(1, 1)
        circuit.load_spins(atoms, 0)
        circuit.rlx(pi, 0)
        circuit.measure(0, 0)
        circuits.append(circuit)
    with within():
        job = backend.run(circuits, shots=4)
        again = backend.retrieve_job(job.job_id())
        result = again.result(timeout=30, wait=0.1)
        assert again.status() is JobStatus.DONE
        assert again.error_message() == "None"
    assert [result.data(n)["memory"] for n in range(3)] == [["1"] * 4, ["5"] * 4, ["3"] * 4]
    assert result.success
    assert result.job_id == job.job_id()


def test_a_refused_program_is_an_error_that_says_why(backends):
    circuit = QuantumCircuit(1, 1)
    circuit.rlx(7.0, 0)  # more than a turn
    circuit.measure(0, 0)
    with within():
        job = backends["singlequdit"].run(circuit, shots=10)
        with pytest.raises(JobError, match=r"omega must be 0 to 6\.28"):
            job.result(timeout=20, wait=0.1)
        assert job.status() is JobStatus.ERROR
        assert "rlx: omega must be 0 to 6.28" in job.error_message()


def test_a_failure_in_the_run_is_an_error_that_says_why(backends):
    circuit = QuantumCircuit(8, 8)
    circuit.fload(3)
    circuit.fload(3)
    circuit.measure_all(add_bits=False)
    with within():
        job = backends["fermions"].run(circuit, shots=10)
        with pytest.raises(JobError, match="wire"):
            job.result(timeout=20, wait=0.1)


def test_what_a_device_does_not_support_is_refused_by_the_client_itself(backends):
    circuit = QuantumCircuit(6, 6)
    with pytest.raises(QiskitColdAtomError, match="supports circuits with up to 5 wires"):
        backends["rydberg"].run(circuit, shots=1)
    circuit = QuantumCircuit(2, 2)
    circuit.rlxly(0.1, [0, 1])
    with pytest.raises(QiskitColdAtomError, match="does not support"):
        backends["rydberg"].run(circuit, shots=1)
    with pytest.raises(QiskitColdAtomError, match="shots"):
        backends["singlequdit"].run(flip(), shots=1_000_001)


def test_a_wrong_token_is_reported_at_once():
    with within():
        backend = provider(f"{URL}/singlequdit", token="qw_wrong").backends()[-1]
        with pytest.raises(requests.HTTPError, match="401"):
            backend.run(flip(), shots=1)


def test_anothers_job_is_not_to_be_had(backends):
    with within():
        job = backends["singlequdit"].run(flip(), shots=1)
        other = provider(f"{URL}/singlequdit", token=os.environ["QWICKET_OTHER_TOKEN"])
        with pytest.raises(QiskitColdAtomError, match="could not be retrieved"):
            other.backends()[-1].retrieve_job(job.job_id())


def test_an_unknown_device_is_a_warning_and_no_backend():
    with within(), warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = provider(f"{URL}/nothing").backends()
    assert len(found) == 4
    assert "has no specified cold atom type" in str(told[-1].message)


def test_polling_ends_when_the_job_or_the_token_is_gone(backends):
    with within():
        job = backends["singlequdit"].run(flip(), shots=1)
        id_, job._job_id = job._job_id, "0192aaaa-bbbb-7ccc-8ddd-eeeeeeee0000"
        with pytest.raises(JobError, match="Missing status file"):
            job.result(wait=0.1)
        job._job_id, job.token = id_, "qw_wrong"
        with pytest.raises(JobError, match="Invalid credentials"):
            job.result(wait=0.1)


def test_the_devices_of_the_host_are_listed_with_the_same_fields(backends):
    with urllib.request.urlopen(f"{URL}/backends", timeout=10) as answer:
        listed = {each["backend_name"]: each for each in json.load(answer)}
    for backend in backends.values():
        config = backend.configuration()
        assert listed[config.backend_name]["basis_gates"] == config.basis_gates
