"""qiskit-experiments 0.14.2, unmodified: its analyses read the metadata of each circuit."""

import numpy as np
import pytest
from qiskit_experiments.library import T1, LocalReadoutError, StandardRB
from qiskit_ibm_runtime import SamplerV2

from support.platform_client import connect


@pytest.fixture(scope="module")
def twin():
    return connect().backend("qwicket_line5")


def run(experiment, backend):
    data = experiment.run(backend=backend, sampler=SamplerV2(backend))
    data.block_for_results(timeout=120)
    assert (data.status().name, data.errors()) == ("DONE", "")
    return data


def test_local_readout_errors_are_those_of_the_device(twin):
    data = run(LocalReadoutError([0, 1]), twin)
    result = data.analysis_results("Local Readout Mitigator", dataframe=False)
    for qubit in (0, 1):
        found = result.value.assignment_matrix([qubit])
        error = twin.target["measure"][(qubit,)].error
        assert np.mean([found[1, 0], found[0, 1]]) == pytest.approx(error, abs=0.02)


def test_t1_is_analysed(twin):
    """`test_times.py` compares the value with the published one."""
    run(T1([0], delays=[1e-6, 50e-6, 100e-6, 200e-6]), twin)


def test_randomised_benchmarking_finds_the_error_of_gates(twin):
    data = run(StandardRB([0], lengths=[1, 50, 150, 300, 500], num_samples=3, seed=5), twin)
    result = data.analysis_results("EPC", dataframe=False)
    assert 0 < result.value.nominal_value < 0.01
