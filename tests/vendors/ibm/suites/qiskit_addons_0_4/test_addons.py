"""Packages on top of qiskit-ibm-runtime, as their tutorials use them, on the platform channel."""

import numpy as np
import pytest
from mitiq import zne
from pytket.circuit import Circuit
from pytket.extensions.qiskit import IBMQBackend
from qiskit import QuantumCircuit
from qiskit.circuit.library import efficient_su2
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit.transpiler import CouplingMap
from qiskit_addon_cutting import (
    generate_cutting_experiments,
    partition_problem,
    reconstruct_expectation_values,
)
from qiskit_addon_utils.problem_generators import (
    generate_time_evolution_circuit,
    generate_xyz_hamiltonian,
)
from qiskit_ibm_runtime import Batch, EstimatorV2, SamplerV2

from support.platform_client import connect, fitted


@pytest.fixture(scope="module")
def service():
    return connect()


@pytest.fixture(scope="module")
def simulator(service):
    return service.backend("qwicket_simulator")


@pytest.fixture(scope="module")
def twin(service):
    return service.backend("qwicket_line5")


def test_a_time_evolution_of_addon_utils_has_the_exact_magnetization(simulator):
    chain = CouplingMap.from_line(4)
    hamiltonian = generate_xyz_hamiltonian(
        chain, coupling_constants=(0.4, 0.8, 1.2), ext_magnetic_field=(0.1, 0.2, 0.3)
    )
    circuit = QuantumCircuit(4)
    circuit.x(0)
    circuit = circuit.compose(generate_time_evolution_circuit(hamiltonian, time=0.4))
    observables = [SparsePauliOp.from_sparse_list([("Z", [q], 1.0)], 4) for q in range(4)]
    isa, *wide = fitted(circuit, simulator, *observables)
    (found,) = EstimatorV2(simulator).run([(isa, wide)], precision=0.005).result()
    exact = [Statevector(circuit).expectation_value(each).real for each in observables]
    assert np.allclose(found.data.evs, exact, atol=0.03)


def test_a_circuit_that_is_cut_has_the_values_of_the_whole(simulator):
    """The tutorial of gate cutting: four qubits in two halves, in one batch."""
    circuit = efficient_su2(4, entanglement="linear", reps=1)
    circuit = circuit.assign_parameters([0.4] * circuit.num_parameters)
    observable = SparsePauliOp(["ZZII", "IZZI", "IIZZ", "XIXI"], [1.0, 0.7, -0.4, 0.5])
    problem = partition_problem(circuit, partition_labels="AABB", observables=observable.paulis)
    experiments, coefficients = generate_cutting_experiments(
        problem.subcircuits, problem.subobservables, num_samples=np.inf
    )
    with Batch(simulator) as batch:
        sampler = SamplerV2(batch)
        jobs = {
            label: sampler.run([fitted(each, simulator)[0] for each in given], shots=20_000)
            for label, given in experiments.items()
        }
        results = {label: job.result() for label, job in jobs.items()}
    terms = reconstruct_expectation_values(results, coefficients, problem.subobservables)
    exact = Statevector(circuit).expectation_value(observable).real
    assert np.dot(terms, observable.coeffs).real == pytest.approx(exact, abs=0.15)


def test_mitiq_extrapolates_the_noise_of_a_twin_to_zero(twin):
    circuit = QuantumCircuit(1)
    for _ in range(30):
        circuit.x(0)
        circuit.barrier()

    def execute(folded):
        isa, z = fitted_unchanged(folded, twin)
        (found,) = EstimatorV2(twin).run([(isa, z)], precision=0.004).result()
        return float(found.data.evs)

    plain = execute(circuit)
    linear = zne.inference.LinearFactory([1.0, 3.0, 5.0])
    found = zne.execute_with_zne(
        circuit, execute, factory=linear, scale_noise=zne.scaling.fold_global
    )
    assert plain < found < 1.1


def fitted_unchanged(circuit, backend):
    """Return a circuit in the gates of a backend that keeps its folds, and Z of its qubit."""
    from qiskit import transpile

    isa = transpile(circuit, backend, optimization_level=0, initial_layout=[0])
    return isa, SparsePauliOp("Z").apply_layout(isa.layout)


def test_a_bell_pair_of_pytket(service):
    backend = IBMQBackend("qwicket_line5", service=service, monitor=False)
    compiled = backend.get_compiled_circuit(Circuit(2).H(0).CX(0, 1).measure_all())
    handle = backend.process_circuit(compiled, n_shots=1_000)
    counts = backend.get_result(handle, timeout=60, wait=0.1).get_counts()
    assert sum(counts.values()) == 1_000
    assert counts[0, 0] + counts[1, 1] > 800
