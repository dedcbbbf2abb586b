"""Dry runs: jobs of mock backends, whose results have the form of the real ones."""

import inspect
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp
from qiskit_ibm_runtime import (
    Batch,
    EstimatorV2,
    SamplerV2,
    executor_estimator,
    executor_sampler,
)
from qiskit_ibm_runtime.exceptions import IBMRuntimeError

from support.platform_client import bell, connect, fitted
from support.vendors import within

if "dry_run" not in inspect.signature(SamplerV2.run).parameters:
    pytest.skip("dry runs are new in 0.50", allow_module_level=True)

Sampler, Estimator = executor_sampler.Sampler, executor_estimator.Estimator


@pytest.fixture(scope="module")
def service() -> Any:
    return connect()


@pytest.fixture(scope="module")
def twin(service: Any) -> Any:
    return service.backend("qwicket_line5")


def turned() -> QuantumCircuit:
    circuit = QuantumCircuit(2)
    circuit.rx(Parameter("a"), 0)
    circuit.cx(0, 1)
    return circuit


VALUES = np.linspace(0, 1, 6).reshape(2, 3, 1)


def test_mocks_are_listed_on_request_only(service: Any) -> None:
    if "include_mocks" not in inspect.signature(service.backends).parameters:
        pytest.skip("the argument is new in 0.51")
    names = {backend.name for backend in service.backends()}
    every = {backend.name: backend for backend in service.backends(include_mocks=True)}
    mocks = {name for name, backend in every.items() if backend.is_mock}
    assert {*every} - mocks == names
    assert {"mock_line5", "mock_simulator"} <= mocks
    assert not any(name.startswith("mock") for name in names)
    mock, real = every["mock_line5"], every["qwicket_line5"]
    assert mock.num_qubits == real.num_qubits
    assert mock.operation_names == real.operation_names
    assert mock.properties().qubits == real.properties().qubits


def test_dry_runs_of_samplers_have_shots_of_the_right_form(twin: Any) -> None:
    circuit = turned()
    circuit.measure_all()
    (isa,) = fitted(circuit, twin)
    sampler = Sampler(twin)
    sampler.options.twirling.enable_measure = True
    for each in (SamplerV2(twin), Sampler(twin), sampler):
        job = each.run([(isa, VALUES)], shots=640, dry_run=True)
        bits = job.result()[0].data.meas
        assert (bits.shape, bits.num_shots, bits.num_bits) == ((2, 3), 640, 2)
        # At angle 0 the device would give 00; random bits give each outcome.
        assert len(bits[0, 0].get_counts()) == 4
        assert job.backend().name == "mock_line5"
        assert job.usage() == 0


def test_dry_runs_of_estimators_have_values_of_the_right_form(twin: Any) -> None:
    isa, z, x = fitted(turned(), twin, SparsePauliOp("ZZ"), SparsePauliOp("XX"))
    for each in (EstimatorV2(twin), Estimator(twin)):
        job = each.run([(isa, [[[z]], [[x]]], VALUES)], precision=0.1, dry_run=True)
        data = job.result()[0].data
        assert data.evs.shape == data.stds.shape == (2, 2, 3)
        assert job.backend().name == "mock_line5"


def test_dry_runs_of_mitigated_estimators_have_all_arrays_and_ran_nothing(twin: Any) -> None:
    isa, z = fitted(turned(), twin, SparsePauliOp("ZZ"))
    estimator = EstimatorV2(twin, options={"resilience_level": 2})
    (found,) = estimator.run([(isa, z, VALUES)], dry_run=True).result()
    assert found.data.evs_noise_factors.shape == (2, 3, 3)
    assert found.data.evs_extrapolated.shape == (2, 3, 2, 4)
    assert found.metadata["executed"] == {"circuits": 0, "shots": 0}
    assert found.metadata["resilience"]["zne"]["noise_factors"] == [1, 3, 5]


def test_a_dry_run_is_checked_and_found_again(service: Any, twin: Any) -> None:
    (isa,) = fitted(bell(), twin)
    with Batch(backend=twin) as batch:
        job = Sampler(batch).run([isa], shots=10, dry_run=True)
    job.wait_for_final_state()
    again = service.job(job.job_id())
    assert again.backend().name == "mock_line5"
    assert (again.result()[0].data.c.array == job.result()[0].data.c.array).all()
    assert job.job_id() in {each.job_id() for each in service.jobs(backend_name="mock_line5")}
    with within(), pytest.raises(IBMRuntimeError, match="shots: 100000000 is above"):
        SamplerV2(twin).run([isa], shots=10**8, dry_run=True)
