"""The client-side primitives beside those of today, after IBM's guides to their migration."""

from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import PauliLindbladMap, SparsePauliOp, Statevector
from qiskit_ibm_runtime import (
    Batch,
    EstimatorV2,
    Executor,
    SamplerV2,
)
from qiskit_ibm_runtime.exceptions import IBMRuntimeError
from qiskit_ibm_runtime.executor_estimator import Estimator
from qiskit_ibm_runtime.executor_sampler import Sampler
from qiskit_ibm_runtime.quantum_program import QuantumProgram
from samplomatic import build
from samplomatic.transpiler import generate_boxing_pass_manager

from support.platform_client import bell, connect, fitted
from support.vendors import bound, distance, within

SEED = {"seed_simulator": 7}
THETA, PHI = Parameter("a"), Parameter("b")
VALUES = np.array([[0.3, 0.8], [1.0, 2.0]])
OBSERVABLES = [SparsePauliOp("ZZI"), SparsePauliOp(["XXX", "IYY", "ZIZ"], [1, 0.5, 0.25])]


@pytest.fixture(scope="module")
def service() -> Any:
    return connect()


@pytest.fixture(scope="module")
def simulator(service: Any) -> Any:
    return service.backend("qwicket_simulator")


@pytest.fixture(scope="module")
def twin(service: Any) -> Any:
    return service.backend("qwicket_line5")


def turned(*, is_measured: bool) -> QuantumCircuit:
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.rx(THETA, 1)
    circuit.cx(0, 1)
    circuit.rz(PHI, 1)
    circuit.cx(1, 2)
    circuit.ry(THETA + PHI, 2)
    if is_measured:
        circuit.measure_all()
    return circuit


def shares(bits: Any) -> dict[str, float]:
    return {key: n / bits.num_shots for key, n in bits.get_counts().items()}


@pytest.mark.parametrize("name", ["qwicket_simulator", "qwicket_line5"])
def test_twirled_shots_have_the_law_of_those_without(service: Any, name: str) -> None:
    backend = service.backend(name)
    (isa,) = fitted(turned(is_measured=True), backend)
    plain = SamplerV2(backend, options={"simulator": SEED}).run([(isa, VALUES)], shots=4096)
    sampler = Sampler(backend, options={"experimental": SEED})
    sampler.options.twirling.enable_gates = True
    sampler.options.twirling.enable_measure = True
    twirled = sampler.run([(isa, VALUES)], shots=4096)
    assert twirled.primitive_id == "executor"
    first, second = (job.result()[0].data.meas for job in (plain, twirled))
    assert (second.shape, second.num_shots) == ((2,), 4096)
    # Gates that twirl are noisy on the twin, too, and twirling averages its readout errors.
    noise = 0 if backend.simulator else 0.05
    for index, values in enumerate(VALUES):
        circuit = turned(is_measured=False).assign_parameters(values)
        exact = Statevector(circuit).probabilities_dict()
        limit = bound(exact, 4096)
        assert distance(shares(first[index]), shares(second[index])) < 2 * limit + noise
        if backend.simulator:
            assert distance(shares(second[index]), exact) < limit


@pytest.mark.parametrize("level", [0, 1])
def test_both_estimators_agree_with_each_other_and_with_the_exact_values(
    simulator: Any, level: int
) -> None:
    isa, *observables = fitted(turned(is_measured=False), simulator, *OBSERVABLES)
    pub = (isa, [[each] for each in observables], VALUES)
    today = EstimatorV2(simulator, options={"simulator": SEED}).run([pub], precision=0.02)
    estimator = Estimator(simulator, options={"experimental": SEED})
    estimator.options.resilience_level = level
    later = estimator.run([pub], precision=0.02).result()[0]
    exact = [
        [Statevector(turned(is_measured=False).assign_parameters(values)).expectation_value(each)
         for values in VALUES]
        for each in OBSERVABLES
    ]  # fmt: skip
    for found in (today.result()[0], later):
        assert found.data.evs.shape == (2, 2)
        assert (np.abs(found.data.evs - np.real(exact)) < 6.2 * found.data.stds).all()
    spread = np.hypot(today.result()[0].data.stds, later.data.stds)
    assert (np.abs(today.result()[0].data.evs - later.data.evs) < 3 * spread).all()
    assert (later.data.stds < 0.04).all()


def test_measurement_mitigation_corrects_the_readout_of_a_twin(twin: Any) -> None:
    isa, z = fitted(bell().remove_final_measurements(inplace=False), twin, SparsePauliOp("ZZ"))
    found = {}
    for level in (0, 1):
        estimator = Estimator(twin, options={"experimental": SEED, "resilience_level": level})
        data = estimator.run([(isa, z)], precision=0.01).result()[0].data
        found[level] = (float(data.evs), float(data.stds))
    (raw, _), (mitigated, error) = found[0], found[1]
    assert raw < 0.97 < mitigated < 1 + 6.2 * error


def test_an_estimate_on_a_wide_twin_costs_what_its_groups_of_qubits_do(service: Any) -> None:
    """The client twirls and measures all 27 qubits, of which gates connect two or three."""
    wide = service.backend("qwicket_heavyhex27")
    isa, zz, xx = fitted(
        bell().remove_final_measurements(inplace=False),
        wide,
        *map(SparsePauliOp, ("ZZ", "XX")),
    )
    estimator = Estimator(wide, options={"experimental": SEED, "resilience_level": 1})
    with within(120):
        data = estimator.run([(isa, [zz, xx])], precision=0.03).result()[0].data
    assert (data.evs > 0.9).all()
    assert (data.evs < 1 + 6.2 * data.stds).all()


def test_injected_noise_scales_a_value_as_its_model_says(simulator: Any) -> None:
    """PEC divides ⟨ZZ⟩ by exp(-2 λ) for each generator that anticommutes with it, here two."""
    isa, z = fitted(bell().remove_final_measurements(inplace=False), simulator, SparsePauliOp("ZZ"))
    estimator = Estimator(simulator, options={"experimental": SEED})
    estimator.options.resilience.pec_mitigation = True
    (layer,) = estimator.find_unique_layers([(isa, z)])
    rates = [("X", [0], 0.03), ("Y", [1], 0.02), ("ZZ", [0, 1], 0.02)]
    model = [(layer, PauliLindbladMap.from_sparse_list(rates, 2))]
    estimator.options.resilience.layer_noise_model = model
    data = estimator.run([(isa, z)], precision=0.005).result()[0].data
    assert abs(data.evs - np.exp(2 * (0.03 + 0.02))) < 6.2 * data.stds
    assert data.stds < 0.015


def test_a_quantum_program_of_both_kinds_of_items(simulator: Any) -> None:
    (isa,) = fitted(turned(is_measured=True), simulator)
    values = np.array([[[0.0, 0.0]] * 2, [[np.pi, 0.0]] * 2])
    boxes = generate_boxing_pass_manager(enable_gates=True, enable_measures=True)
    template, samplex = build(boxes.run(isa))
    program = QuantumProgram(shots=25)
    program.append_circuit_item(isa, circuit_arguments=values)
    program.append_samplex_item(
        template, samplex=samplex, samplex_arguments={"parameter_values": values}, shape=(28, 2, 2)
    )
    result = Executor(simulator).run(program).result()
    assert result[0]["meas"].shape == (2, 2, 25, 3)
    assert result[1]["meas"].shape == (28, 2, 2, 25, 3)
    flips = result[1]["measurement_flips.meas"]
    assert flips.shape == (28, 2, 2, 1, 3)
    assert 0 < flips.mean() < 1
    for bits in (result[0]["meas"], result[1]["meas"] ^ flips):
        # Without turns all three bits agree or the last one does not, and no shot has another.
        assert (bits[..., 0, :, :, 0] == bits[..., 0, :, :, 1]).all()
        assert (bits[..., 1, :, :, 0] != bits[..., 1, :, :, 1]).all()


def test_pubs_of_two_precisions_are_two_jobs_of_a_batch(twin: Any) -> None:
    isa, z = fitted(bell().remove_final_measurements(inplace=False), twin, SparsePauliOp("ZZ"))
    with Batch(backend=twin) as batch:
        estimator = Estimator(mode=batch)
        jobs = [estimator.run([(isa, z)], precision=each) for each in (0.1, 0.5)]
    assert [job.result().metadata["shots"] for job in jobs] == [100, 4]


def test_equal_seeds_give_equal_results(simulator: Any) -> None:
    (isa,) = fitted(turned(is_measured=True), simulator)
    sampler = Sampler(simulator, options={"experimental": SEED})
    sampler.options.twirling.enable_measure = True
    jobs = [sampler.run([(isa, VALUES)], shots=640) for _ in range(2)]
    first, second = (job.result()[0].data.meas.array for job in jobs)
    assert (first == second).all()


def test_too_many_draws_are_refused_by_their_limit(simulator: Any) -> None:
    (isa,) = fitted(bell(), simulator)
    sampler = Sampler(simulator)
    sampler.options.twirling.enable_measure = True
    sampler.options.twirling.num_randomizations = 10**6
    sampler.options.twirling.shots_per_randomization = 1
    with within(), pytest.raises(IBMRuntimeError, match="parameter_sets: 1000000 is above"):
        sampler.run([isa])
