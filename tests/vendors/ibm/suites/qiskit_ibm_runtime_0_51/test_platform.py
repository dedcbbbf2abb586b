"""qiskit-ibm-runtime 0.51.0, unmodified, by its platform channel and four variables."""

import os
import subprocess
import sys
import time
import warnings
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from ibm_cloud_sdk_core.token_managers.token_manager import TokenManager
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from qiskit.circuit.library import efficient_su2
from qiskit.primitives import StatevectorEstimator, StatevectorSampler
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit_ibm_runtime import Batch, EstimatorV2, QiskitRuntimeService, SamplerV2, Session
from qiskit_ibm_runtime.accounts import InvalidAccountError
from qiskit_ibm_runtime.exceptions import (
    IBMInputValueError,
    IBMNotAuthorizedError,
    IBMRuntimeError,
    RuntimeInvalidStateError,
    RuntimeJobFailureError,
    RuntimeJobNotFound,
    RuntimeProgramNotFound,
)

from support.platform_client import BASE, TOKEN, URL, bell, connect, fitted, held, sample, wait_for
from support.vendors import bound, distance, until, within

ABSENT = "0197a0b0-0000-7000-8000-000000000000"
THETA = Parameter("theta")
FRESH = """
import sys
from qiskit_ibm_runtime import QiskitRuntimeService
service = QiskitRuntimeService()
job = service.job(sys.argv[1])
result = job.result()[0]
print(job.status(), job.primitive_id, result.data.c.get_counts(), result.metadata)
"""
METADATA = {"name": "Größe ↯", "nested": [{"x": [1, None, 0.5]}, True], "complex": 1 + 2j, "": {}}


@pytest.fixture(scope="module")
def service():
    return connect()


@pytest.fixture(scope="module")
def simulator(service):
    return service.backend("qwicket_simulator")


@pytest.fixture(scope="module")
def twin(service):
    return service.backend("qwicket_line5")


def turned():
    circuit = QuantumCircuit(1)
    circuit.rx(THETA, 0)
    return circuit


# --- account, instances and backends --------------------------------------------------------------


def test_discovery_finds_the_instance_and_its_backends(service):
    (instance,) = service.instances()
    assert (instance["name"], instance["plan"]) == ("vendor", "open")
    assert instance["pricing_type"] == "free"
    assert service.active_instance() == instance["crn"]
    names = {backend.name for backend in service.backends()}
    assert names == {"qwicket_heavyhex27", "qwicket_line5", "qwicket_simulator"}
    assert service.least_busy(min_num_qubits=27).num_qubits >= 27
    assert [each.name for each in service.backends(simulator=True)] == ["qwicket_simulator"]
    assert len(service.backends(dynamic_circuits=True)) == 3


def test_an_instance_may_be_given_by_its_name_or_its_crn(service):
    crn = service.active_instance()
    for instance in ("vendor", crn):
        assert connect(instance=instance).active_instance() == crn


def test_the_documented_resolver_works_in_place_of_the_word_in_the_address(service):
    crn = service.active_instance()
    found = QiskitRuntimeService(
        channel="ibm_quantum_platform",
        token=TOKEN,
        url=os.environ["QWICKET_URL"],
        instance=crn,
        url_resolver=lambda *_, **__: f"{BASE}/api/v1",
    )
    assert found.backend("qwicket_line5").num_qubits == 5


def test_an_instance_of_somebody_else_is_refused(service):
    with pytest.raises(IBMInputValueError, match="not a valid instance name"):
        connect(instance="nobody")
    other = service.active_instance().replace("::", "0::")
    with pytest.raises(IBMInputValueError, match="does not have access"):
        connect(instance=other)


def test_the_server_refuses_another_instance_by_itself(service, monkeypatch):
    """With this variable, the client does not look for instances."""
    monkeypatch.setenv("QISKIT_FUNCTIONS_EXPERIMENTAL", "1")
    stranger = connect(os.environ["QWICKET_OTHER_TOKEN"], instance=service.active_instance())
    with within(), pytest.raises(Exception, match="The token is for the instance crn:"):
        stranger.usage()


@pytest.mark.parametrize("token", ["wrong", "QWICKET_REVOKED_TOKEN", "QWICKET_EXPIRED_TOKEN"])
def test_a_wrong_revoked_or_expired_key_is_refused(token):
    with within(), pytest.raises(InvalidAccountError, match="valid API token"):
        connect(os.environ.get(token, token))


def test_a_client_without_sign_in_gets_a_hint(service, monkeypatch):
    """IAM_URL leads nowhere here: without it the client would ask IBM, and then do the same."""
    monkeypatch.setenv("IAM_URL", "http://127.0.0.1:9")
    lost = service._create_new_cloud_api_client(service.active_instance())
    with (
        within(),
        pytest.warns(UserWarning, match="API Key will be used instead"),
        pytest.raises(IBMNotAuthorizedError, match=r"IAM_URL is not http.*/ibm/runtime/iam"),
    ):
        lost.cloud_usage()


@pytest.mark.parametrize("wrong_s", [-300, 300])
def test_a_clock_that_is_five_minutes_wrong_changes_nothing(monkeypatch, wrong_s):
    """The server's access tokens live for two seconds; the client renews them by its own clock."""
    monkeypatch.setattr(
        TokenManager, "_get_current_time", staticmethod(lambda: int(time.time()) + wrong_s)
    )
    service, began = connect(), time.monotonic()
    until(lambda: service.usage() and time.monotonic() > began + 3, seconds=20)
    assert service.backend("qwicket_line5").status().operational


def test_a_backend_says_what_it_is(simulator, twin):
    assert simulator.configuration().simulator
    assert simulator.num_qubits > 20
    assert twin.num_qubits == 5
    assert {"rz", "sx", "x", "cx", "if_else", "measure"} <= set(twin.operation_names)
    assert twin.coupling_map.size() == 5
    assert twin.properties().t1(0) == pytest.approx(67e-6)
    assert twin.target["cx"][(0, 1)].error == pytest.approx(0.01001)
    assert twin.target["cx"][(0, 1)].duration > 0
    assert twin.target["measure"][(0,)].error == pytest.approx((0.0157 + 0.0252) / 2)
    assert twin.properties(datetime=datetime(2020, 1, 1)) is None
    status = twin.status()
    assert (status.operational, status.status_msg) == (True, "active")


# --- primitives -----------------------------------------------------------------------------------


def test_a_bell_pair_on_simulator_and_twin(simulator, twin):
    exact = {"00": 0.5, "11": 0.5}
    jobs = [sample(backend, shots=4000) for backend in (simulator, twin)]
    for job, noise in zip(jobs, (0, 0.1), strict=True):
        counts = job.result()[0].data.c.get_counts()
        assert sum(counts.values()) == 4000
        found = {key: n / 4000 for key, n in counts.items()}
        assert distance(found, exact) < bound(exact, 4000) + noise
        assert bool(counts.keys() - exact.keys()) is bool(noise)
        assert job.status() == "DONE"


def test_pubs_have_shots_of_their_own_and_values_keep_their_shape(simulator):
    circuit = turned()
    circuit.measure_all()
    (isa,) = fitted(circuit, simulator)
    values = np.zeros((2, 3, 1))
    values[1, 2] = np.pi
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of shots by pub, by the client
        job = SamplerV2(simulator).run([(isa, values, 20), (isa, {THETA: [0, np.pi]}, 7)])
    result = job.result()
    data = result[0].data
    assert data.meas.array.shape == (2, 3, 20, 1)
    for place in np.ndindex(2, 3):
        assert data.meas[place].get_counts() == {"1" if place == (1, 2) else "0": 20}
    assert result[1].data.meas.get_counts(1) == {"1": 7}


def test_pubs_without_values_have_the_empty_results_of_local_primitives(simulator):
    circuit = turned()
    circuit.add_register(ClassicalRegister(9, "zeros"), ClassicalRegister(1, "last"))
    circuit.measure(0, -1)
    empty, full = (circuit, np.zeros((2, 0, 1))), (circuit, [np.pi])
    for pubs in ([empty], [full, empty, full]):
        results = SamplerV2(simulator).run(pubs, shots=20).result()
        for pub, found in zip(pubs, results, strict=True):
            wanted = StatevectorSampler().run([pub], shots=20).result()[0]
            assert found.data.shape == wanted.data.shape
            for name, bits in wanted.data.items():
                assert found.data[name] == bits


def test_estimates_without_values_are_empty_arrays(simulator):
    circuit, z = turned(), SparsePauliOp("Z")
    empty = [(circuit, z, np.zeros((2, 0, 1))), (circuit, [z], np.zeros((0, 1)))]
    for pubs in (empty, [*empty, (circuit, [z, -z], [np.pi]), *empty]):
        found = EstimatorV2(simulator).run(pubs).result()
        wanted = StatevectorEstimator().run(pubs).result()
        for own, local in zip(found, wanted, strict=True):
            assert own.data.evs.shape == own.data.stds.shape == local.data.evs.shape
            np.testing.assert_allclose(own.data.evs, local.data.evs, atol=1e-9)


def test_a_job_has_300_pubs(simulator):
    (isa,) = fitted(bell(), simulator)
    result = SamplerV2(simulator).run([isa] * 300, shots=10).result()
    assert [each.data.c.num_shots for each in result] == [10] * 300


def test_conditions_decide_on_a_twin(twin):
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    circuit.measure(1, 1)
    counts = sample(twin, circuit, shots=1000).result()[0].data.c.get_counts()
    assert counts["00"] + counts["11"] > 850


@pytest.mark.parametrize(("value", "expected"), [(0, "001"), (1, "010"), (2, "100"), (3, "100")])
def test_a_switch_and_a_loop_run_on_a_twin_after_transpiling(twin, value, expected):
    circuit = QuantumCircuit(
        QuantumRegister(5), ClassicalRegister(2, "k"), ClassicalRegister(3, "c")
    )
    for qubit in range(2):
        if value >> qubit & 1:
            with circuit.for_loop(range(3)):
                circuit.x(qubit)
    circuit.measure([0, 1], [0, 1])
    with circuit.switch(circuit.cregs[0]) as case:
        with case(0):
            circuit.x(2)
        with case(1):
            circuit.x(3)
        with case(case.DEFAULT):
            circuit.x(4)
    circuit.measure([2, 3, 4], circuit.cregs[1])
    counts = sample(twin, circuit, shots=500).result()[0].data.c.get_counts()
    assert max(counts, key=counts.get) == expected
    assert counts[expected] > 350


def test_fractional_gates_are_those_of_the_simulator_alone(service):
    plain = service.backend("qwicket_simulator")
    assert not {"rx", "rzz"} & set(plain.operation_names)
    fractional = service.backend("qwicket_simulator", use_fractional_gates=True)
    assert {"rx", "rzz"} <= set(fractional.operation_names)
    circuit = QuantumCircuit(2)
    circuit.rx(np.pi / 2, [0, 1])
    circuit.rzz(0.7, 0, 1)
    isa, zy = fitted(circuit, fractional, SparsePauliOp("ZY"))
    assert isa.count_ops()["rzz"] == 1
    (found,) = EstimatorV2(fractional).run([(isa, zy)], precision=0.001).result()
    # RZZ(θ) turns -Y on qubit 0 into -Y cos θ + X Z sin θ: <ZY> stays 0, and <IY> is -cos θ.
    assert abs(found.data.evs) < 0.01
    isa, y = fitted(circuit, fractional, SparsePauliOp("IY"))
    (found,) = EstimatorV2(fractional).run([(isa, y)], precision=0.001).result()
    assert found.data.evs == pytest.approx(-np.cos(0.7), abs=0.01)
    with pytest.raises(IBMInputValueError, match="does not support fractional gates"):
        service.backend("qwicket_line5", use_fractional_gates=True)


def test_a_turned_qubit_has_the_cosine_of_its_angle(simulator):
    angles = np.linspace(0, 2 * np.pi, 9)
    isa, z, y = fitted(turned(), simulator, SparsePauliOp("Z"), SparsePauliOp("Y"))
    result = EstimatorV2(simulator).run([(isa, [[z], [y]], angles[:, np.newaxis])]).result()
    data = result[0].data
    assert data.evs.shape == data.stds.shape == (2, 9)
    exact = np.array([np.cos(angles), -np.sin(angles)])
    # standard errors are those of 4096 shots, and the values are within five of them
    expected = np.sqrt((1 - exact**2) / 4096)
    assert np.allclose(data.stds, expected, atol=3e-3)
    assert (abs(data.evs - exact) <= 5 * expected + 1e-12).all()


def test_an_observable_of_a_thousand_terms_is_estimated(simulator):
    rng = np.random.default_rng(7)
    labels: set[str] = set()
    while len(labels) < 1_000:
        labels.add("".join(rng.choice([*"IXYZ"], 8)))
    observable = SparsePauliOp(sorted(labels), rng.normal(size=1_000))
    circuit = efficient_su2(8, reps=2)
    circuit = circuit.assign_parameters(rng.uniform(-np.pi, np.pi, circuit.num_parameters))
    exact = Statevector(circuit).expectation_value(observable).real
    isa, laid = fitted(circuit, simulator, observable)
    estimator = EstimatorV2(simulator, options={"seed_estimator": 1})
    (found,) = estimator.run([(isa, laid)], precision=0.0005).result()  # finer than shots: exact
    assert (found.data.evs, found.data.stds) == (pytest.approx(exact, abs=1e-9), 0)
    (found,) = estimator.run([(isa, laid)], precision=0.02).result()
    assert abs(found.data.evs - exact) < 5 * found.data.stds
    # Terms of one group share their shots: 1,000 terms with coefficients of the variance 1.
    assert 0 < found.data.stds < 2 * 0.02 * np.sqrt(1_000)


def test_an_estimator_mitigates_the_errors_of_a_twin(service, twin):
    """⟨ZZ⟩ and ⟨XX⟩ of a Bell pair are 1; the metadata say what each level has cost."""
    circuit = bell().remove_final_measurements(inplace=False)
    isa, zz, xx = fitted(circuit, twin, SparsePauliOp("ZZ"), SparsePauliOp("XX"))
    evs, executed = [], []
    for level in (0, 1, 2):
        options = {"resilience_level": level, "seed_estimator": 7}
        (found,) = EstimatorV2(twin, options=options).run([(isa, [[zz], [xx]])]).result()
        evs.append(found.data.evs)
        assert found.data.evs.shape == found.data.stds.shape == (2, 1)
        executed.append(found.metadata.get("executed"))
    errors = np.abs(1 - np.array(evs)).max(axis=(1, 2))
    assert errors[0] > 0.06
    assert errors[2] < errors[1] < errors[0] / 2
    # Two groups, with 32 runs each, and at level 2 for three noise factors; and 32 calibrations.
    assert executed[1:] == [
        {"circuits": 96, "shots": 3 * 4096},
        {"circuits": 224, "shots": 7 * 4096},
    ]
    assert found.data.evs_noise_factors.shape == found.data.stds_noise_factors.shape == (2, 1, 3)
    assert found.data.ensemble_stds_noise_factors.shape == (2, 1, 3)
    assert found.data.evs_extrapolated.shape == found.data.stds_extrapolated.shape == (2, 1, 2, 4)
    assert (np.diff(found.data.evs_noise_factors) < 0).all()
    resilience = found.metadata["resilience"]
    assert resilience["measure_mitigation"]
    assert resilience["zne"]["noise_factors"] == [1, 3, 5]
    assert [*resilience["zne"]["extrapolator"]] == ["exponential", "linear"]


def test_an_estimator_without_a_level_has_the_vendors_where_there_is_noise(simulator, twin):
    circuit = bell().remove_final_measurements(inplace=False)
    for backend, executed in ((twin, {"circuits": 64, "shots": 8192}), (simulator, None)):
        isa, zz = fitted(circuit, backend, SparsePauliOp("ZZ"))
        (found,) = EstimatorV2(backend).run([(isa, zz)]).result()
        assert found.metadata.get("executed") == executed


def test_a_program_that_is_not_there_is_refused_by_name(service, simulator):
    with (
        within(),
        pytest.raises(
            RuntimeProgramNotFound, match=r"not .noise-learner.\., Error code: 3200\.\W*$"
        ),
    ):
        service._run("noise-learner", {}, {"backend": simulator})


# --- sessions -------------------------------------------------------------------------------------


def test_a_session_holds_its_jobs(service, twin):
    (isa,) = fitted(bell(), twin)
    with Session(twin, max_time=600) as session:
        assert session.status() == "Pending"
        jobs = [SamplerV2(session).run([isa], shots=10) for _ in range(20)]
        for job in jobs:
            job.result()
            assert job.session_id == session.session_id
        details = session.details()
        assert (details["mode"], details["max_time"]) == ("dedicated", 600)
        assert session.status() == "In progress, accepting new jobs"
        assert session.usage() >= 0
    found = service.jobs(session_id=session.session_id, limit=None)
    assert [each.job_id() for each in found] == [each.job_id() for each in reversed(jobs)]
    assert session.status() == "Closed"
    assert Session.from_id(session.session_id, service).details()["accepting_jobs"] is False
    with pytest.raises(IBMRuntimeError, match="closed"):
        service._run("sampler", jobs[0].inputs, {"backend": twin}, session_id=session.session_id)


def test_a_session_has_a_history_and_ends_with_its_jobs(service, simulator):
    (isa,) = fitted(bell(), simulator)
    opened = service._get_api_client().create_session(
        "qwicket_simulator", mode="dedicated", max_time=300
    )
    session = Session.from_id(opened["id"], service)

    def history():  # a session's details have it since 0.51
        found = service._get_api_client().session_details(opened["id"])
        return [each["status"] for each in found["timestamps"]]

    details = session.details()
    assert (details["state"], details["max_time"], details["active_timeout"]) == ("open", 300, 300)
    assert details["interactive_timeout"] is None  # it reserves no device, so it may idle
    assert history() == ["open"]
    SamplerV2(session).run([isa], shots=5).result()
    details = session.details()
    assert details["started_at"] <= details["last_job_started"] <= details["last_job_completed"]
    assert history() == ["open", "active"]
    running = SamplerV2(session).run([fitted(held(), simulator)[0]], shots=5)
    session.cancel()
    wait_for(running, "CANCELLED")
    assert session.status() == "Closed"
    assert history()[-1] == "closed"


def test_a_batch_is_a_session_of_another_mode(service, twin):
    isa, z = fitted(turned(), twin, SparsePauliOp("Z"))
    with Batch(twin) as batch:
        assert EstimatorV2(batch).run([(isa, z, [0.0])]).result()[0].data.evs > 0.9
    assert batch.details()["mode"] == "batch"
    with pytest.raises(IBMInputValueError, match="execution mode batch"):
        Session.from_id(batch.session_id, service)


# --- the life of a job ----------------------------------------------------------------------------


def test_a_job_is_retrieved_by_another_process_that_has_variables_alone(simulator):
    circuit = bell()
    circuit.metadata = METADATA
    job = sample(simulator, circuit, shots=64)
    counts = job.result()[0].data.c.get_counts()
    account = {"QISKIT_IBM_TOKEN": TOKEN, "QISKIT_IBM_URL": URL}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FRESH, job.job_id()],
        env={**os.environ, **account},
        capture_output=True,
        text=True,
        check=True,
    )
    metadata = {"circuit_metadata": METADATA}
    assert done.stdout.strip() == f"DONE sampler {counts} {metadata}"


def test_results_have_the_metadata_of_their_circuits(simulator):
    first, second, bare = turned(), turned(), turned()
    first.metadata, second.metadata = METADATA, {"angles": np.array([0.5, 1.5])}
    circuits = [first, second, bare]
    pubs = [(each, SparsePauliOp("Z"), [0.1]) for each in circuits]
    found = [each.metadata for each in EstimatorV2(simulator).run(pubs).result()]
    for each in circuits:
        each.measure_all()
    sampled = [(each, [0.1], 10) for each in circuits]
    found += [each.metadata for each in SamplerV2(simulator).run(sampled).result()]
    own = [each["circuit_metadata"] for each in found]
    assert own[0] == own[3] == METADATA
    for each in own[1], own[4]:
        assert each["angles"].tolist() == [0.5, 1.5]  # in the client's own encoding
    assert own[2] == own[5] == {}


def test_metadata_are_refused_above_their_limit(simulator):
    circuit = bell()
    circuit.metadata = {"text": "x" * (600 << 10)}
    assert sample(simulator, circuit).result()[0].metadata["circuit_metadata"] == circuit.metadata
    (isa,) = fitted(circuit, simulator)
    with within(), pytest.raises(IBMRuntimeError, match="circuit_metadata_bytes: 12"):
        SamplerV2(simulator).run([isa, isa])


def test_a_job_shows_its_inputs_metrics_logs_and_usage(service, simulator):
    (isa,) = fitted(bell(), simulator)
    before = service.usage()["usage_consumed_seconds"]
    job = SamplerV2(simulator).run([isa], shots=8)
    job.result()
    assert job.inputs["pubs"][0][0] == isa
    metrics = job.metrics()
    created, running, finished = metrics["timestamps"].values()
    assert created <= running <= finished
    assert metrics["usage"]["status"] == "completed"
    assert job.usage() == metrics["usage"]["qpu_charge_time_seconds"] >= 0
    now = pytest.approx(before + job.usage())
    until(lambda: service.usage()["usage_consumed_seconds"] == now, seconds=10)
    assert job.usage_estimation["quantum_seconds"] >= 0
    assert job.logs().splitlines()[-1].endswith("completed")
    assert abs(job.creation_date - datetime.now().astimezone()) < timedelta(minutes=10)
    assert job.instance == service.active_instance()
    assert job.properties() is None


def test_lists_filter_page_and_count(service, simulator):
    before = datetime.now() - timedelta(seconds=1)
    (isa,) = fitted(bell(), simulator)
    mark = f"tag-{time.time_ns()}"
    sampler = SamplerV2(simulator, options={"environment": {"job_tags": [mark, "other"]}})
    jobs = [sampler.run([isa], shots=3) for _ in range(22)]
    for job in jobs:
        job.wait_for_final_state(poll_interval=0.1)
    ids = [job.job_id() for job in jobs]

    def listed(**asked):
        return [each.job_id() for each in service.jobs(**{"job_tags": [mark], **asked})]

    assert listed(limit=None) == ids[::-1]  # two pages
    assert listed(limit=7, skip=17) == ids[::-1][17:]
    assert listed(limit=None, descending=False) == ids
    assert listed(job_tags=[mark, "absent"]) == []
    assert listed(pending=True) == []
    assert len(listed(limit=None, pending=False)) == 22
    assert listed(backend_name="qwicket_line5") == []
    assert listed(program_id="estimator") == []
    assert len(listed(limit=None, program_id="sampler", created_after=before)) == 22
    assert listed(created_before=before) == []
    assert len(listed(limit=2, instance=service.active_instance())) == 2


def test_tags_change(service, simulator):
    job = sample(simulator)
    tag = f"new-{time.time_ns()}"
    assert job.update_tags([tag]) == [tag]
    assert [each.job_id() for each in service.jobs(job_tags=[tag])] == [job.job_id()]


def test_a_running_job_is_cancelled(service, simulator):
    job = sample(simulator, held(), shots=10)
    wait_for(job, "RUNNING")
    with pytest.raises(IBMRuntimeError, match="409"):
        service.delete_job(job.job_id())
    job.cancel()
    assert job.cancelled()
    wait_for(service.job(job.job_id()), "CANCELLED")
    with pytest.raises(RuntimeInvalidStateError, match="cancelled"):
        job.result()
    with pytest.raises(RuntimeInvalidStateError):
        service.job(job.job_id()).cancel()


def test_a_queued_job_is_cancelled_and_one_that_is_done_is_not(simulator):
    done = sample(simulator, shots=3)
    done.result()
    with pytest.raises(RuntimeInvalidStateError, match="Completed: it cannot be cancelled"):
        done.cancel()
    assert done.status() == "DONE"
    busy = [sample(simulator, held(), shots=10) for _ in range(3)]  # there are two workers
    try:
        waiting = sample(simulator, shots=3)
        assert waiting.status() == "QUEUED"
        waiting.cancel()
        assert waiting.status() == "CANCELLED"
        with pytest.raises(RuntimeInvalidStateError, match="cancelled"):
            waiting.result()
    finally:
        for job in busy:
            job.cancel()


def test_a_failed_job_says_why_and_is_not_cancelled(simulator):
    circuit = QuantumCircuit(25)
    circuit.h(range(25))
    isa, wide = fitted(circuit, simulator, SparsePauliOp("Y" * 25))
    job = EstimatorV2(simulator).run([(isa, wide, None, 0.0005)])
    with pytest.raises(RuntimeJobFailureError, match="ask for a precision"):
        job.result()
    assert job.status() == "ERROR"
    with pytest.raises(RuntimeInvalidStateError, match="Failed: it cannot be cancelled"):
        job.cancel()
    assert "ask for a precision" in job.error_message()


def test_a_private_job_is_refused_by_name(simulator):
    private: Any = {"environment": {"private": True}}
    with within(), pytest.raises(IBMRuntimeError, match="private: private jobs are not supported"):
        sample(simulator, **private)


def test_a_deleted_job_is_gone_and_another_accounts_is_not_found(service, simulator):
    job = sample(simulator)
    job.result()
    stranger = connect(os.environ["QWICKET_OTHER_TOKEN"])
    for each, id_text in ((service, ABSENT), (service, "x"), (stranger, job.job_id())):
        with pytest.raises(RuntimeJobNotFound):
            each.job(id_text)
    service.delete_job(job.job_id())
    with pytest.raises(RuntimeJobNotFound):
        service.job(job.job_id())


def test_a_circuit_that_cannot_be_run_is_refused_by_name(simulator):
    circuit = QuantumCircuit(2, 2)
    with circuit.while_loop((circuit.clbits[0], 0)):
        circuit.x(0)
        circuit.measure(0, 0)
    with within(), pytest.raises(IBMRuntimeError, match=r"while_loop.*control flow cannot be run"):
        SamplerV2(simulator).run([circuit])


# --- sizes ----------------------------------------------------------------------------------------


def test_a_pub_has_ten_thousand_sets_of_values(simulator):
    circuit = turned()
    circuit.measure_all()
    isa, z = fitted(turned(), simulator, SparsePauliOp("Z"))
    angles = np.linspace(0, np.pi, 10_000)
    (sampled,) = SamplerV2(simulator).run([(circuit, angles[:, np.newaxis])], shots=20).result()
    assert sampled.data.meas.array.shape == (10_000, 20, 1)
    assert not sampled.data.meas[0].array.any()
    assert sampled.data.meas[9_999].array.all()
    estimated = EstimatorV2(simulator, options={"default_precision": 0.1})
    (found,) = estimated.run([(isa, z, angles[:, np.newaxis])]).result()
    assert np.mean(abs(found.data.evs - np.cos(angles)) < 0.1) > 0.6


def test_a_large_result_is_streamed_with_every_register_in_its_shape(simulator):
    """6 MB of shots: two registers, four sets of values; what is not random is where it belongs."""
    circuit = QuantumCircuit(QuantumRegister(24), ClassicalRegister(9, "a"), ClassicalRegister(15))
    circuit.rx(THETA, 0)
    circuit.h(range(1, 24))
    circuit.measure(range(24), range(24))
    circuit.metadata = METADATA
    values = np.array([[[0.0], [np.pi]], [[np.pi], [0.0]]])
    pubs = [(circuit, values), (circuit, np.zeros((0, 1))), (circuit, [0.0])]
    first, empty, second = SamplerV2(simulator).run(pubs, shots=350_000).result()
    assert (empty.data.a.array.shape, empty.data.a.num_bits) == ((0, 350_000, 2), 9)
    assert first.metadata == second.metadata == {"circuit_metadata": METADATA}
    a, b = first.data.values()
    assert (a.num_bits, b.num_bits) == (9, 15)
    assert a.array.shape == b.array.shape == (2, 2, 350_000, 2)
    bits = a.array[..., -1] & 1
    assert (bits == np.array([[0, 1], [1, 0]])[..., np.newaxis]).all()
    assert b.array[..., -1].mean() == pytest.approx(127.5, abs=1)
    assert not (second.data.a.array[..., -1] & 1).any()
