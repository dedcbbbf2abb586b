"""qiskit-experiments 0.14.2, unmodified, measures the T1 and T2 that a twin publishes."""

import numpy as np
import pytest
from qiskit_experiments.library import T1, T2Hahn, T2Ramsey
from qiskit_ibm_runtime.executor_sampler import SamplerV2

from support.platform_client import connect

QUBITS = (0, 3)
SHOTS = 4_000


@pytest.fixture(scope="module")
def twin():
    return connect().backend("qwicket_line5")


def measured(experiment, backend, name):
    """Return the value of one quantity, in seconds."""
    experiment.set_run_options(shots=SHOTS)
    # A sampler that computes in this process: its results have the metadata of their circuits.
    data = experiment.run(backend=backend, sampler=SamplerV2(backend))
    data.block_for_results(timeout=240)
    assert (data.status().name, data.errors()) == ("DONE", "")
    result = data.analysis_results(name, dataframe=False)
    assert result.quality.value == "good"
    return result.value.nominal_value


def test_t1_is_the_published_one(twin):
    for qubit in QUBITS:
        published = twin.properties().t1(qubit)
        experiment = T1([qubit], delays=np.linspace(1e-6, 3 * published, 12))
        assert measured(experiment, twin, "T1") == pytest.approx(published, rel=0.1)


def test_t2_of_a_ramsey_experiment_is_the_published_one(twin):
    for qubit in QUBITS:
        published = twin.properties().t2(qubit)
        delays = np.linspace(1e-6, 2.5 * published, 40)
        experiment = T2Ramsey([qubit], delays=delays, osc_freq=3 / published)
        assert measured(experiment, twin, "T2star") == pytest.approx(published, rel=0.1)


def test_t2_of_an_echo_is_the_same(twin):
    """The noise has no slow part that an echo would undo."""
    published = twin.properties().t2(0)
    experiment = T2Hahn([0], delays=np.linspace(1e-6, 3 * published, 15))
    assert measured(experiment, twin, "T2") == pytest.approx(published, rel=0.1)
