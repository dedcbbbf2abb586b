"""What this server does with each option that the unmodified client has."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from qiskit.quantum_info import SparsePauliOp
from qiskit_ibm_runtime import EstimatorV2, SamplerV2
from qiskit_ibm_runtime.exceptions import IBMRuntimeError
from qiskit_ibm_runtime.options import EstimatorOptions, SamplerOptions

from support.platform_client import bell, connect, fitted
from support.vendors import within

BOTH = {
    "dynamical_decoupling.enable": True,
    "dynamical_decoupling.sequence_type": "XY4",
    "dynamical_decoupling.extra_slack_distribution": "edges",
    "dynamical_decoupling.scheduling_method": "asap",
    "dynamical_decoupling.skip_reset_qubits": True,
    "twirling.enable_gates": True,
    "twirling.enable_measure": True,
    "twirling.num_randomizations": 4,
    "twirling.shots_per_randomization": "auto",
    "twirling.strategy": "active",
    "simulator.basis_gates": ["cz"],
    "simulator.coupling_map": [[0, 1]],
    "execution.rep_delay": 0.0001,
    "max_execution_time": 100,
}
IGNORED = {
    "sampler": BOTH,
    "estimator": {
        **BOTH,
        "resilience.zne.amplifier": "gate_folding",
        "resilience.zne.noise_factors": [1, 3],
        "resilience.zne.extrapolator": "linear",
        "resilience.zne.extrapolated_noise_factors": [0],
        "resilience.pec.max_overhead": 10.0,
        "resilience.pec.noise_gain": 1.0,
        "resilience.layer_noise_learning.max_layers_to_learn": 2,
        "resilience.layer_noise_learning.shots_per_randomization": 8,
        "resilience.layer_noise_learning.num_randomizations": 8,
        "resilience.layer_noise_learning.layer_pair_depths": [0, 1],
    },
}
REFUSED = {
    "sampler": {
        "execution.init_qubits": False,
        "execution.meas_type": "kerneled",
        "simulator.noise_model": {"errors": []},
    },
    "estimator": {
        "execution.init_qubits": False,
        "simulator.noise_model": {"errors": []},
        "resilience.zne.amplifier": "pea",
        "resilience.pec_mitigation": True,
        "resilience.layer_noise_model": [],
    },
}
APPLIED = {
    "sampler": {"default_shots", "simulator.seed_simulator"},
    "estimator": {
        *("default_shots", "default_precision", "seed_estimator", "simulator.seed_simulator"),
        *("resilience_level", "resilience.measure_mitigation", "resilience.zne_mitigation"),
        "resilience.measure_noise_learning.num_randomizations",
        "resilience.measure_noise_learning.shots_per_randomization",
    },
}
OTHERS = {"environment", "experimental"}


@pytest.fixture(scope="module")
def simulator():
    return connect().backend("qwicket_simulator")


def run(program, backend, **options):
    if program == "sampler":
        (isa,) = fitted(bell(), backend)
        return SamplerV2(backend, options=options).run([isa])
    isa, z = fitted(bell().remove_final_measurements(inplace=False), backend, SparsePauliOp("ZI"))
    return EstimatorV2(backend, options=options).run([(isa, z)])


def nested(paths):
    """Return options as the client takes them, from their paths."""
    found: dict[str, object] = {}
    for path, value in paths.items():
        *above, name = path.split(".")
        inner: Any = found
        for each in above:
            inner = inner.setdefault(each, {})
        inner[name] = value
    return found


def leaves(options, above=""):
    """Yield the paths of all options that a class of the client has."""
    for each in dataclasses.fields(options):
        value = getattr(options, each.name)
        path = f"{above}{each.name}"
        if dataclasses.is_dataclass(value) and path not in OTHERS:
            yield from leaves(value, f"{path}.")
        elif not each.name.startswith("_") and path not in OTHERS:
            yield path


@pytest.mark.parametrize(
    ("program", "options"), [("sampler", SamplerOptions()), ("estimator", EstimatorOptions())]
)
def test_the_cases_below_are_all_options_of_this_client(program, options):
    known = {*IGNORED[program], *REFUSED[program], *APPLIED[program]}
    assert set(leaves(options)) <= known, set(leaves(options)) - known


@pytest.mark.parametrize("program", ["sampler", "estimator"])
def test_what_is_ignored_is_noted_in_the_result_with_its_reason(program, simulator):
    metadata = run(program, simulator, **nested(IGNORED[program])).result().metadata
    notes = metadata["ignored_options"]
    assert set(notes) == set(IGNORED[program])
    assert all(len(reason) > 10 for reason in notes.values())


@pytest.mark.parametrize("program", ["sampler", "estimator"])
def test_nothing_is_noted_where_nothing_was_asked_for(program, simulator):
    off = {"twirling": {"enable_gates": False}, "dynamical_decoupling": {"enable": False}}
    for options in ({}, off):
        metadata = run(program, simulator, **options).result().metadata
        assert "ignored_options" not in metadata


@pytest.mark.parametrize(
    ("program", "path"), [(program, path) for program in REFUSED for path in REFUSED[program]]
)
def test_what_would_change_the_result_is_refused_by_name(program, path, simulator):
    # On a simulator, the client takes error cancellation only with a coupling map.
    beside = {"simulator.coupling_map": [[0, 1]]} if "pec" in path else {}
    if "zne" in path:
        beside = {"resilience_level": 2}
    options = nested({path: REFUSED[program][path], **beside})
    with within(), pytest.raises(IBMRuntimeError, match=rf"options\.{path}: .*Error code"):
        run(program, simulator, **options)


def test_shots_precision_and_seeds_are_applied(simulator):
    def sampled(**options):
        return run("sampler", simulator, **options).result()[0].data.c.array.tolist()

    assert len(sampled(default_shots=77)) == 77
    assert sampled(simulator={"seed_simulator": 5}) == sampled(simulator={"seed_simulator": 5})

    def estimated(**options):
        return run("estimator", simulator, **options).result()[0]

    assert estimated(default_precision=0.1).metadata["shots"] == 100
    assert estimated(default_precision=0.1, default_shots=50).metadata["shots"] == 50
    first, again, other = [estimated(seed_estimator=n, default_shots=99) for n in (3, 3, 4)]
    assert np.array_equal(first.data.evs, again.data.evs)
    assert first.data.evs != other.data.evs


def test_experimental_options_are_noted(simulator):
    metadata = run("sampler", simulator, experimental={"novel": 1}).result().metadata
    assert list(metadata["ignored_options"]) == ["experimental.novel"]


def test_options_that_an_effect_depends_on_are_applied_with_it(simulator):
    given = {
        "resilience_level": 2,
        "resilience.measure_mitigation": True,
        "resilience.measure_noise_learning.num_randomizations": 4,
        "twirling.enable_measure": True,
        "twirling.num_randomizations": 4,
        "resilience.zne.noise_factors": [1, 3],
    }
    (pub,) = (result := run("estimator", simulator, **nested(given)).result())
    assert "ignored_options" not in result.metadata
    assert pub.metadata["num_randomizations"] == 4
    # On an ideal device nothing is to be mitigated, and ⟨Z⟩ of a Bell pair is 0.
    assert abs(pub.data.evs) < 5 * pub.data.stds
