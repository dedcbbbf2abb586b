"""Packages on top of qiskit-ibm-runtime, as their tutorials use them, on the platform channel."""

import numpy as np
import pytest
from mitiq import zne
from pytket.circuit import Circuit
from pytket.extensions.qiskit import IBMQBackend
from qiskit import QuantumCircuit
from qiskit.circuit.library import efficient_su2
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit.synthesis import SuzukiTrotter
from qiskit.transpiler import CouplingMap
from qiskit_addon_cutting import (
    generate_cutting_experiments,
    partition_problem,
    reconstruct_expectation_values,
)
from qiskit_addon_mpf.static import setup_static_lse
from qiskit_addon_obp import backpropagate
from qiskit_addon_obp.utils.simplify import OperatorBudget
from qiskit_addon_sqd.counts import counts_to_arrays
from qiskit_addon_sqd.qubit import solve_qubit
from qiskit_addon_utils.problem_generators import (
    generate_time_evolution_circuit,
    generate_xyz_hamiltonian,
)
from qiskit_addon_utils.slicing import combine_slices, slice_by_depth
from qiskit_ibm_runtime import Batch, EstimatorV2, SamplerV2
from scipy.linalg import expm

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


def test_an_observable_that_is_moved_back_has_the_value_of_the_whole(simulator):
    """The tutorial of operator backpropagation: the last gates change the observable instead."""
    circuit = efficient_su2(4, entanglement="linear", reps=2).decompose()
    circuit = circuit.assign_parameters([0.2 * n for n in range(circuit.num_parameters)])
    observable = SparsePauliOp(["ZIIZ", "IXII"], [1.0, 0.5])
    moved, remaining, _ = backpropagate(
        observable, slice_by_depth(circuit, 1), operator_budget=OperatorBudget(max_qwc_groups=6)
    )
    shorter = combine_slices(remaining)
    assert shorter.size() < circuit.size()
    isa, wide = fitted(shorter, simulator, moved)
    (found,) = EstimatorV2(simulator).run([(isa, wide)], precision=0.005).result()
    exact = Statevector(circuit).expectation_value(observable).real
    assert found.data.evs == pytest.approx(exact, abs=0.05)


def test_a_multi_product_of_few_steps_has_the_exact_evolution(simulator):
    """The tutorial of multi-product formulas, with static coefficients."""
    hamiltonian = generate_xyz_hamiltonian(
        CouplingMap.from_line(3), coupling_constants=(0.4, 0.8, 1.2), ext_magnetic_field=(0.3,) * 3
    )
    observable = SparsePauliOp("IZI")
    start = QuantumCircuit(3)
    start.x(1)
    steps = [1, 2, 3]
    pubs = []
    for n in steps:
        formula = SuzukiTrotter(order=2, reps=n)
        evolved = generate_time_evolution_circuit(hamiltonian, time=1.0, synthesis=formula)
        pubs.append(fitted(start.compose(evolved), simulator, observable))
    results = EstimatorV2(simulator).run(pubs, precision=0.003).result()
    coefficients = setup_static_lse(steps, order=2, symmetric=True).solve()
    found = float(coefficients @ [float(each.data.evs) for each in results])
    whole = expm(-1j * hamiltonian.to_matrix()) @ Statevector(start).data
    exact = Statevector(whole).expectation_value(observable).real
    assert found == pytest.approx(exact, abs=0.05)


def test_a_hamiltonian_is_diagonalised_in_the_subspace_of_the_samples(simulator):
    circuit = QuantumCircuit(4)
    circuit.x(3)
    for control, target in ((3, 2), (2, 0)):
        circuit.cry(1.2, control, target)
        circuit.cx(target, control)
    circuit.measure_all()
    hamiltonian = SparsePauliOp.from_sparse_list(
        [("Z", [q], 0.3 * (q + 1)) for q in range(4)]
        + [(both, [q, q + 1], 0.5) for q in range(3) for both in ("XX", "YY")]
        + [("XX", [0, 2], 0.7)],
        4,
    )
    (isa,) = fitted(circuit, simulator)
    counts = SamplerV2(simulator).run([isa], shots=2_000).result()[0].data.meas.get_counts()
    rows, _ = counts_to_arrays(counts)
    (energy,), _ = solve_qubit(rows, hamiltonian, k=1, which="SA")
    likely = Statevector(circuit.remove_final_measurements(inplace=False)).probabilities_dict()
    subspace = [int(key, 2) for key in likely]
    assert len(counts) == len(subspace) == 3
    exact = np.linalg.eigvalsh(hamiltonian.to_matrix()[np.ix_(subspace, subspace)])
    assert energy == pytest.approx(exact[0], abs=1e-4)


def test_mitiq_extrapolates_the_noise_of_a_twin_to_zero(twin):
    circuit = QuantumCircuit(1)
    for _ in range(30):
        circuit.x(0)
        circuit.barrier()

    def execute(folded):
        isa, z = fitted_unchanged(folded, twin)
        estimator = EstimatorV2(twin, options={"resilience_level": 0})  # Mitiq mitigates
        (found,) = estimator.run([(isa, z)], precision=0.004).result()
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
