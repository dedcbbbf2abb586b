"""qiskit-ibm-runtime 0.40.1, unmodified, by its classic channel: `url=` alone points it here."""

import os
import subprocess
import sys
import time
import warnings
from datetime import datetime, timedelta

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit_ibm_runtime import Batch, EstimatorV2, QiskitRuntimeService, SamplerV2, Session
from qiskit_ibm_runtime.exceptions import (
    IBMInputValueError,
    IBMNotAuthorizedError,
    IBMRuntimeError,
    RuntimeInvalidStateError,
    RuntimeJobFailureError,
    RuntimeJobNotFound,
)

from support.vendors import bound, distance, held_circuit, within

URL = os.environ["QWICKET_URL"] + "/ibm/api"
TOKEN = os.environ["QWICKET_TOKEN"]
ABSENT = "0197a0b0-0000-7000-8000-000000000000"
THETA = Parameter("theta")
FRESH = """
import os, sys, warnings
warnings.simplefilter("ignore")
from qiskit_ibm_runtime import QiskitRuntimeService
url = os.environ["QWICKET_URL"] + "/ibm/api"
service = QiskitRuntimeService(channel="ibm_quantum", token=os.environ["QWICKET_TOKEN"], url=url)
job = service.job(sys.argv[1])
print(job.status(), job.primitive_id, job.result()[0].data.c.get_counts())
"""


def connect(token=TOKEN, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the channel, by the client
        return QiskitRuntimeService(channel="ibm_quantum", token=token, url=URL, **options)


@pytest.fixture(scope="module")
def service():
    return connect()


@pytest.fixture(scope="module")
def simulator(service):
    return service.backend("qwicket_simulator")


@pytest.fixture(scope="module")
def twin(service):
    return service.backend("qwicket_line5")


def bell():
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def turned():
    circuit = QuantumCircuit(1)
    circuit.rx(THETA, 0)
    return circuit


def ghz(n_qubits):
    circuit = QuantumCircuit(n_qubits)
    circuit.h(0)
    for qubit in range(n_qubits - 1):
        circuit.cx(qubit, qubit + 1)
    return circuit


def held():
    circuit = held_circuit(QuantumCircuit(24))
    circuit.measure_all()
    return circuit


def fitted(circuit, backend, *observables):
    """Return a circuit as the backend wants it, and observables as wide as that."""
    isa = transpile(circuit, backend, optimization_level=1, seed_transpiler=3)
    return (isa, *[each.apply_layout(isa.layout) for each in observables])


def sample(backend, circuit=None, shots=100, **options):
    (isa,) = fitted(circuit or bell(), backend)
    return SamplerV2(backend, options=options).run([isa], shots=shots)


def wait_for(job, status, seconds=60):
    deadline = time.monotonic() + seconds
    while job.status() != status:
        assert time.monotonic() < deadline, job.status()
        time.sleep(0.02)


# --- account and backends -------------------------------------------------------------------------


def test_the_url_alone_points_the_client_here(service):
    names = [backend.name for backend in service.backends()]
    assert names == ["qwicket_heavyhex27", "qwicket_line5", "qwicket_simulator"]
    assert service.instances() == ["qwicket/open/vendor"]
    assert service.active_account()["url"] == URL
    assert [each.name for each in service.backends(simulator=True)] == ["qwicket_simulator"]
    assert service.least_busy(simulator=False, min_num_qubits=20).name == "qwicket_heavyhex27"
    assert service.backends(instance="qwicket/open/vendor", name="qwicket_line5")


def test_an_instance_that_is_not_there_is_refused():
    with pytest.raises(IBMInputValueError, match="could not be found"):
        connect(instance="qwicket/open/nobody")


def test_a_wrong_or_revoked_key_is_refused():
    for token in ("wrong", os.environ["QWICKET_REVOKED_TOKEN"]):
        with within(), pytest.raises(IBMNotAuthorizedError):
            connect(token)


def test_a_backend_says_what_it_is(simulator, twin):
    assert simulator.configuration().simulator
    assert simulator.num_qubits > 20
    assert simulator.properties() is None
    assert twin.num_qubits == 5
    assert {"rz", "sx", "x", "cx", "if_else", "measure"} <= set(twin.operation_names)
    assert twin.coupling_map.size() == 5
    assert twin.properties().t1(0) == pytest.approx(67e-6)
    assert twin.target["cx"][(0, 1)].error == pytest.approx(0.01001)
    assert twin.target["measure"][(0,)].error == pytest.approx((0.0157 + 0.0252) / 2)
    assert twin.properties(datetime=datetime(2020, 1, 1)) is None
    assert twin.defaults() is None
    status = twin.status()
    assert (status.operational, status.status_msg) == (True, "active")


# --- the sampler ----------------------------------------------------------------------------------


def test_a_bell_pair_on_simulator_and_twin(simulator, twin):
    exact = {"00": 0.5, "11": 0.5}
    for backend, noise in ((simulator, 0), (twin, 0.1)):
        job = sample(backend, shots=4000)
        counts = job.result()[0].data.c.get_counts()
        assert sum(counts.values()) == 4000
        found = {key: n / 4000 for key, n in counts.items()}
        assert distance(found, exact) < bound(exact, 4000) + noise
        assert bool(counts.keys() - exact.keys()) is (backend is twin)
        assert job.status() == "DONE"
        assert job.error_message() is None


def test_registers_shots_and_their_order(simulator):
    from qiskit.circuit import ClassicalRegister, QuantumRegister

    qubits = QuantumRegister(12)
    low, high = ClassicalRegister(3, "low"), ClassicalRegister(10, "high")
    circuit = QuantumCircuit(qubits, low, high)
    circuit.x([0, 2, 3])
    circuit.h(11)
    circuit.measure([0, 1, 2], low)
    circuit.measure([3, *range(4, 11), 11, 11], high)
    data = sample(simulator, circuit, shots=50).result()[0].data
    assert data.low.get_counts() == {"101": 50}
    assert (data.low.num_bits, data.high.num_bits) == (3, 10)
    words = data.high.get_bitstrings()
    assert set(words) <= {"0000000001", "1100000001"}
    assert len(set(words)) == 2
    assert data.high.array.shape == (50, 2)


def test_parameter_values_keep_their_shape(simulator):
    circuit = turned()
    circuit.ry(Parameter("a"), 0)
    circuit.measure_all()
    (isa,) = fitted(circuit, simulator)
    values = np.zeros((2, 3, 2))  # `a` comes before `theta`
    values[1, 2, 1] = np.pi
    pub = (isa, values)
    data = SamplerV2(simulator).run([pub], shots=20).result()[0].data
    assert data.shape == (2, 3)
    assert data.meas.array.shape == (2, 3, 20, 1)
    for place in np.ndindex(2, 3):
        assert data.meas[place].get_counts() == {"1" if place == (1, 2) else "0": 20}


def test_values_by_name_are_bound(simulator):
    circuit = turned()
    circuit.measure_all()
    (isa,) = fitted(circuit, simulator)
    job = SamplerV2(simulator).run([(isa, {THETA: [0, np.pi]}, 7)])
    data = job.result()[0].data.meas
    assert data.get_counts(0) == {"0": 7}
    assert data.get_counts(1) == {"1": 7}


def test_pubs_have_shots_of_their_own(simulator):
    (isa,) = fitted(bell(), simulator)
    sampler = SamplerV2(simulator, options={"default_shots": 33})
    result = sampler.run([(isa, None, 11), isa, (isa, None, 5)]).result()
    assert [each.data.c.num_shots for each in result] == [11, 33, 5]
    assert SamplerV2(simulator).run([isa]).result()[0].data.c.num_shots == 4096


def test_a_seed_repeats_the_numbers(simulator):
    options = {"simulator": {"seed_simulator": 17}}
    first, second = [sample(simulator, **options).result()[0].data.c.array for _ in range(2)]
    assert (first == second).all()
    other = sample(simulator, simulator={"seed_simulator": 18}).result()[0].data.c.array
    assert (first != other).any()


def test_conditions_decide(simulator, twin):
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)) as other:
        circuit.x(1)
    with other:
        circuit.id(1)
    circuit.measure(1, 1)
    assert sample(simulator, circuit).result()[0].data.c.get_counts().keys() == {"00", "11"}
    counts = sample(twin, circuit, shots=1000).result()[0].data.c.get_counts()
    assert counts["00"] + counts["11"] > 850


def test_gates_beyond_the_basis_run_on_the_simulator(simulator):
    inner = QuantumCircuit(2, name="swap_and_flip")
    inner.swap(0, 1)
    inner.x(0)
    circuit = QuantumCircuit(3, 3)
    circuit.x(2)
    circuit.append(inner.to_gate().control(1), [2, 0, 1])
    circuit.unitary([[0, 1], [1, 0]], 1)
    circuit.measure(range(3), range(3))
    job = SamplerV2(simulator).run([circuit], shots=10)
    assert job.result()[0].data.c.get_counts() == {"111": 10}


# --- the estimator --------------------------------------------------------------------------------


def estimate(backend, *pubs, **options):
    return EstimatorV2(backend, options=options).run(list(pubs)).result()


def test_a_turned_qubit_has_the_cosine_of_its_angle(simulator):
    angles = np.linspace(0, 2 * np.pi, 9)
    isa, z, y = fitted(turned(), simulator, SparsePauliOp("Z"), SparsePauliOp("Y"))
    result = estimate(simulator, (isa, [[z], [y]], angles[:, np.newaxis]))
    data = result[0].data
    assert data.evs.shape == data.stds.shape == (2, 9)
    exact = np.array([np.cos(angles), -np.sin(angles)])
    # standard errors are those of 4096 shots, and the values are within five of them
    shots = result[0].metadata["shots"]
    assert (shots, result[0].metadata["target_precision"]) == (4096, 0.015625)
    expected = np.sqrt((1 - exact**2) / shots)
    assert np.allclose(data.stds, expected, atol=3e-3)
    assert (abs(data.evs - exact) <= 5 * expected + 1e-12).all()


def test_precision_zero_is_exact_on_the_ideal_simulator(simulator):
    angles = np.linspace(0, 3, 5)
    operator = SparsePauliOp(["Z", "X", "Y", "I"], [1.5, 2.0, -0.5, 0.25])
    isa, wide = fitted(turned(), simulator, operator)
    data = estimate(simulator, (isa, wide, angles[:, np.newaxis], 0))[0].data
    exact = 1.5 * np.cos(angles) + 0.5 * np.sin(angles) + 0.25
    assert np.allclose(data.evs, exact, atol=1e-12)
    assert (data.stds == 0).all()


def test_stabilisers_of_a_ghz_state_are_one(simulator, twin):
    n = 5
    words = ["X" * n] + ["I" * (n - 2 - k) + "ZZ" + "I" * k for k in range(n - 1)]
    words += ["YYXXX", "Z" + "I" * (n - 1)]
    exact = np.array([1.0] * n + [-1.0, 0.0])
    operators = [SparsePauliOp(word) for word in words]
    for backend, minimum in ((simulator, 1.0), (twin, 0.55)):
        isa, *wide = fitted(ghz(n), backend, *operators)
        data = estimate(backend, (isa, wide, None, 0.02))[0].data
        assert data.evs.shape == (n + 2,)
        sharp = data.evs[:-1] * exact[:-1]
        assert (sharp >= minimum - 1e-12).all(), sharp
        assert (sharp < 1).all() == (backend is twin)
        assert abs(data.evs[-1]) < 0.2
        assert (data.stds[:-1] == 0).all() == (backend is simulator)
        assert data.stds[-1] == pytest.approx(0.02, rel=0.1)


def test_a_wide_operator_agrees_with_qiskits_own_state_vector(simulator):
    circuit = QuantumCircuit(4)
    for qubit in range(4):
        circuit.u(0.3 + qubit, 0.2 * qubit, 1.1, qubit)
        circuit.cx(qubit, (qubit + 1) % 4)
    operator = SparsePauliOp(
        ["XYZI", "ZZII", "IXXI", "YIIY", "IIII", "ZXYX"], [0.5, -1.0, 2.0, 0.3, 1.0, -0.7]
    )
    exact = Statevector(circuit).expectation_value(operator).real
    isa, wide = fitted(circuit, simulator, operator)
    sampled, sharp = estimate(simulator, (isa, wide, None, 0.01), (isa, wide, None, 0))
    assert sharp.data.evs == pytest.approx(exact, abs=1e-9)
    assert abs(sampled.data.evs - exact) < 5 * sampled.data.stds
    assert 0.01 < sampled.data.stds < 0.04  # the operator's terms add up to more than one


def test_what_a_twin_cannot_know_is_refused(twin):
    isa, z = fitted(turned(), twin, SparsePauliOp("Z"))
    with within(), pytest.raises(IBMRuntimeError, match=r"gives no exact values"):
        EstimatorV2(twin).run([(isa, z, [0.1], 0)])


# --- sessions and batches -------------------------------------------------------------------------


def test_a_session_holds_its_jobs(service, twin):
    (isa,) = fitted(bell(), twin)
    with Session(twin, max_time=600) as session:
        assert session.status() == "Pending"
        jobs = [SamplerV2(session).run([isa], shots=10) for _ in range(2)]
        for job in jobs:
            job.result()
            assert job.session_id == session.session_id
        details = session.details()
        assert (details["mode"], details["max_time"]) == ("dedicated", 600)
        assert session.status() == "In progress, accepting new jobs"
        assert session.usage() >= 0
    found = service.jobs(session_id=session.session_id)
    assert [each.job_id() for each in found] == [each.job_id() for each in reversed(jobs)]
    assert session.status() == "Closed"
    again = Session.from_id(session.session_id, service)
    assert again.details()["accepting_jobs"] is False
    with pytest.raises(IBMRuntimeError, match="closed"):
        SamplerV2(twin)._service._run(
            "sampler", jobs[0].inputs, {"backend": twin}, session_id=session.session_id
        )


def test_a_batch_is_a_session_of_another_mode(service, twin):
    isa, z = fitted(turned(), twin, SparsePauliOp("Z"))
    with Batch(twin) as batch:
        job = EstimatorV2(batch).run([(isa, z, [0.0])])
        assert job.result()[0].data.evs > 0.9
    assert batch.details()["mode"] == "batch"
    with pytest.raises(IBMInputValueError, match="execution mode batch"):
        Session.from_id(batch.session_id, service)


def test_a_cancelled_session_cancels_its_jobs(twin):
    with Session(twin) as session:
        circuit = held_circuit(QuantumCircuit(5), 5)
        circuit.measure_all()
        busy = [SamplerV2(session).run([*fitted(circuit, twin)]) for _ in range(3)]
        session.cancel()
        for job in busy:
            job.wait_for_final_state(timeout=60)
        assert busy[-1].status() == "CANCELLED"


def test_an_unknown_session_is_not_found(service):
    with pytest.raises(IBMInputValueError, match="Session not found"):
        Session.from_id(ABSENT, service)


# --- the life of a job ----------------------------------------------------------------------------


def test_a_job_is_retrieved_by_another_process(simulator):
    job = sample(simulator, shots=64)
    counts = job.result()[0].data.c.get_counts()
    done = subprocess.run(
        [sys.executable, "-c", FRESH, job.job_id()], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"DONE sampler {counts}"


def test_a_job_shows_its_inputs_metrics_and_logs(simulator):
    (isa,) = fitted(bell(), simulator)
    job = SamplerV2(simulator).run([isa], shots=8)
    job.result()
    inputs = job.inputs
    assert inputs["version"] == 2
    assert inputs["pubs"][0][0] == isa
    metrics = job.metrics()
    created, running, finished = metrics["timestamps"].values()
    assert created <= running <= finished
    assert metrics["usage"]["quantum_seconds"] == job.usage() >= 0
    assert job.usage_estimation["quantum_seconds"] >= 0
    logs = job.logs().splitlines()
    assert logs[0].endswith("submitted")
    assert logs[-1].endswith("completed")
    assert abs(job.creation_date - datetime.now().astimezone()) < timedelta(minutes=10)
    assert job.instance == "qwicket/open/vendor"
    assert job.primitive_id == "sampler"


def test_lists_filter_page_and_count(service, simulator, twin):
    before = datetime.now() - timedelta(seconds=1)
    (isa,) = fitted(bell(), simulator)
    mark = f"tag-{time.time_ns()}"
    sampler = SamplerV2(simulator, options={"environment": {"job_tags": [mark, "other"]}})
    jobs = [sampler.run([isa], shots=3) for _ in range(25)]
    for job in jobs:
        job.result()
    ids = [job.job_id() for job in jobs]

    def listed(**asked):
        return [each.job_id() for each in service.jobs(**{"job_tags": [mark], **asked})]

    assert listed(limit=None) == ids[::-1]  # two pages
    assert listed(limit=7) == ids[::-1][:7]
    assert listed(limit=7, skip=20) == ids[::-1][20:]
    assert listed(limit=None, descending=False) == ids
    assert listed(limit=None, job_tags=[mark, "other"]) == ids[::-1]
    assert listed(job_tags=[mark, "absent"]) == []
    assert listed(pending=True) == []
    assert len(listed(limit=None, pending=False)) == 25
    assert listed(backend_name="qwicket_line5") == []
    assert len(listed(limit=3, backend_name="qwicket_simulator")) == 3
    assert listed(program_id="estimator") == []
    assert len(listed(limit=None, program_id="sampler")) == 25
    assert len(listed(limit=None, created_after=before)) == 25
    assert listed(created_before=before) == []
    assert len(listed(limit=2, instance="qwicket/open/vendor")) == 2


def test_tags_change(service, simulator):
    job = sample(simulator)
    tag = f"new-{time.time_ns()}"
    assert job.update_tags([tag]) == [tag]
    assert [each.job_id() for each in service.jobs(job_tags=[tag])] == [job.job_id()]


def test_a_running_job_is_cancelled(simulator):
    job = sample(simulator, held(), shots=10)
    wait_for(job, "RUNNING")
    with pytest.raises(IBMRuntimeError, match="409"):
        simulator.service.delete_job(job.job_id())
    job.cancel()
    assert job.cancelled()
    wait_for(simulator.service.job(job.job_id()), "CANCELLED")
    with pytest.raises(RuntimeInvalidStateError, match="cancelled"):
        job.result()
    with pytest.raises(RuntimeInvalidStateError):
        simulator.service.job(job.job_id()).cancel()


def test_a_deleted_job_is_gone(service, simulator):
    job = sample(simulator)
    job.result()
    service.delete_job(job.job_id())
    with pytest.raises(RuntimeJobNotFound):
        service.job(job.job_id())
    with pytest.raises(RuntimeJobNotFound):
        service.delete_job(job.job_id())


def test_an_unknown_job_and_that_of_another_account_are_not_found(service, simulator):
    job = sample(simulator)
    stranger = connect(os.environ["QWICKET_OTHER_TOKEN"])
    for each, id_text in ((service, ABSENT), (service, "x"), (stranger, job.job_id())):
        with pytest.raises(RuntimeJobNotFound):
            each.job(id_text)
    assert job.job_id() not in [each.job_id() for each in stranger.jobs(limit=None)]


def test_a_circuit_that_cannot_be_run_is_refused_by_name(simulator):
    circuit = QuantumCircuit(2, 2)
    with circuit.while_loop((circuit.clbits[0], 0)):
        circuit.x(0)
        circuit.measure(0, 0)
    with within(), pytest.raises(IBMRuntimeError, match=r"while_loop.*control flow cannot be run"):
        SamplerV2(simulator).run([circuit])


def test_too_many_qubits_in_use_are_refused_with_both_numbers(service):
    backend = service.backend("qwicket_heavyhex27")
    circuit = QuantumCircuit(27)
    for _ in range(30):
        for qubit in range(27):
            circuit.rx(0.1, qubit)
        for a, b in list(backend.coupling_map)[:40]:
            circuit.cx(a, b)
    circuit.measure_all()
    with within(60), pytest.raises(IBMRuntimeError, match=r"params: .*limit"):
        sample(backend, circuit, shots=100_000)


def test_usage_is_reported(service):
    (row,) = service.usage()["byInstance"]
    assert row["instance"] == "qwicket/open/vendor"
    assert row["usage"] > 0
    assert row["pendingJobs"] == 0


def test_a_job_that_fails_says_why(simulator):
    circuit = QuantumCircuit(25)
    circuit.h(range(25))
    isa, wide = fitted(circuit, simulator, SparsePauliOp("Y" * 25))
    job = EstimatorV2(simulator).run([(isa, wide, None, 0)])
    with pytest.raises(RuntimeJobFailureError, match="ask for a precision"):
        job.result()
    assert job.errored()
    assert "ask for a precision" in job.error_message()
