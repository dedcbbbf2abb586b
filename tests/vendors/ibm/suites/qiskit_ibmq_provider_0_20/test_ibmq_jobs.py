"""qiskit-ibmq-provider 0.20.2, unmodified: the life of jobs, their lists, what goes wrong."""

import os
import time
from datetime import datetime, timedelta

import pytest
from qiskit import IBMQ, QuantumCircuit, transpile
from qiskit.providers import JobStatus
from qiskit.providers.ibmq.exceptions import IBMQBackendError, IBMQError
from qiskit.providers.ibmq.job.exceptions import (
    IBMQJobFailureError,
    IBMQJobInvalidStateError,
)
from qiskit.providers.ibmq.managed import IBMQJobManager

from support.vendors import held_circuit, within

URL = os.environ["QWICKET_URL"] + "/ibm/api"
TOKEN = os.environ["QWICKET_TOKEN"]
SIMULATOR = "qwicket_simulator"
TWIN = "qwicket_line5"


@pytest.fixture(scope="module")
def provider():
    if IBMQ.active_account():
        IBMQ.disable_account()
    return IBMQ.enable_account(TOKEN, url=URL)


@pytest.fixture(scope="module")
def backend(provider):
    return provider.get_backend(SIMULATOR)


def bell():
    circuit = QuantumCircuit(2, 2, name="bell")
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def held():
    """Return a job that runs until it is cancelled."""
    circuit = held_circuit(QuantumCircuit(24))
    circuit.measure_all()
    return circuit


def submit(backend, circuit=None, **options):
    circuit = transpile(circuit or bell(), backend, optimization_level=0)
    return backend.run(circuit, **{"shots": 10, **options})


def wait_for(job, status):
    wait_until(lambda: job.status() is status)


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def busy(backend):
    """Jobs that keep every worker busy, until they are cancelled."""
    jobs = [submit(backend, held()) for _ in range(3)]
    yield jobs
    for job in jobs:
        job.cancel()


# --- life -----------------------------------------------------------------------------------------


def test_a_finished_job_shows_its_steps(provider, backend):
    job = submit(backend, job_name="story", job_tags=["once", "upon"])
    result = job.result()
    job.refresh()
    steps = job.time_per_step()
    assert list(steps) == ["CREATING", "QUEUED", "RUNNING", "COMPLETED"]
    assert list(steps.values()) == sorted(steps.values())
    assert job.creation_date() == steps["CREATING"]
    assert job.scheduling_mode() == "fairshare"
    assert job.client_version == {"qiskit-ibmq-provider": "0.20.2", "qiskit-terra": "0.46.3"}
    assert (job.name(), sorted(job.tags())) == ("story", ["once", "upon"])
    assert job.error_message() is None
    assert job.queue_position() is None
    assert result.job_id == job.job_id()
    assert job.backend_options()["shots"] == 10
    assert result.date.replace(tzinfo=None) > datetime(2020, 1, 1)


def test_the_properties_of_a_job_are_those_it_ran_with(provider):
    backend = provider.get_backend(TWIN)
    job = submit(backend)
    job.result()
    assert job.properties().to_dict() == backend.properties().to_dict()
    assert submit(provider.get_backend(SIMULATOR)).properties() is None


def test_a_waiting_job_knows_its_place_and_is_cancelled_at_once(backend, busy):
    wait_for(busy[0], JobStatus.RUNNING)
    job = submit(backend, held())
    assert job.status() is JobStatus.QUEUED
    wait_until(lambda: job.queue_position(refresh=True))
    info = job.queue_info()
    assert info.position >= 1
    assert info.estimated_complete_time >= info.estimated_start_time
    assert info.hub_priority == 1.0
    wait_until(lambda: backend.status().pending_jobs >= 1)
    assert job.job_id() in [each.job_id() for each in backend.active_jobs()]
    assert job.cancel()
    assert job.status() is JobStatus.CANCELLED
    with within(), pytest.raises(IBMQJobInvalidStateError):
        job.result()


def test_a_running_job_is_cancelled(backend):
    job = submit(backend, held())
    wait_for(job, JobStatus.RUNNING)
    with within(10):
        assert job.cancel()
        wait_for(job, JobStatus.CANCELLED)


def test_a_finished_job_is_not_cancelled(backend):
    job = submit(backend)
    job.result()
    assert not job.cancel()
    assert job.status() is JobStatus.DONE


def test_name_and_tags_are_changed(provider, backend):
    job = submit(backend, job_tags=["one"])
    assert job.update_name("renamed") == "renamed"
    assert sorted(job.update_tags(additional_tags=["two"])) == ["one", "two"]
    assert job.update_tags(removal_tags=["one"]) == ["two"]
    again = provider.backend.retrieve_job(job.job_id())
    assert (again.name(), again.tags()) == ("renamed", ["two"])


def test_the_stream_sends_each_change(backend, busy):
    told = []
    job = submit(backend, held())
    for each in busy:
        each.cancel()
    wait_for(job, JobStatus.RUNNING)

    def tell(job_id, status, job, **rest):
        told.append(status)
        job.cancel()

    with within(30):
        job.wait_for_final_state(timeout=25, callback=tell, wait=0.05)
    assert JobStatus.RUNNING in told
    assert job.status() is JobStatus.CANCELLED


@pytest.mark.parametrize("stream", [True, False])
def test_a_result_comes_with_and_without_websockets(stream, caplog):
    """Without them the client polls each five seconds; nothing else differs."""
    if IBMQ.active_account():
        IBMQ.disable_account()
    own = IBMQ.enable_account(TOKEN, url=URL)
    if not stream:
        own.credentials.websockets_url = "ws://127.0.0.1:9"  # where no server listens
    backend = own.get_backend(SIMULATOR)
    caplog.set_level("INFO", logger="qiskit.providers.ibmq")
    counts = submit(backend, shots=100).result().get_counts()
    assert sum(counts.values()) == 100
    fell_back = any("using websocket" in record.getMessage() for record in caplog.records)
    assert fell_back is not stream


def test_managed_jobs_are_split_and_put_together(backend):
    circuits = transpile([bell() for _ in range(6)], backend)
    managed = IBMQJobManager().run(circuits, backend=backend, max_experiments_per_job=2, shots=50)
    with within(60):
        results = managed.results()
    assert len(managed.jobs()) == 3
    assert [sum(results.get_counts(n).values()) for n in range(6)] == [50] * 6


# --- what goes wrong ------------------------------------------------------------------------------


def test_a_bad_job_is_refused_with_its_reason(backend):
    circuit = QuantumCircuit(1, 1)
    circuit.append(nonsense(), [0])
    with within(), pytest.raises(IBMQBackendError) as refused:
        backend.run(circuit, shots=10)
    assert "(nonsense): is not a known instruction" in str(refused.value)
    assert "3101" in str(refused.value)


def nonsense():
    from qiskit.circuit import Gate

    return Gate("nonsense", 1, [])


def test_a_refused_job_is_listed_as_an_error_with_its_message(provider, backend):
    circuit = QuantumCircuit(1, 1, name="refused")
    circuit.append(nonsense(), [0])
    with pytest.raises(IBMQBackendError):
        backend.run(circuit, shots=10, job_name="refused-by-name")
    (job,) = provider.backend.jobs(status="ERROR", job_name="^refused-by-name$", limit=1)
    assert job.status() is JobStatus.ERROR
    assert "nonsense" in job.error_message()
    with within(), pytest.raises(IBMQJobFailureError):
        job.result()


def test_a_job_of_too_many_shots_is_refused_by_name(backend):
    backend.configuration().max_shots = 10**9  # else the client itself refuses
    try:
        with within(), pytest.raises(IBMQBackendError) as refused:
            backend.run(bell(), shots=1_000_001)
    finally:
        backend.configuration().max_shots = 10**6
    assert "shots" in str(refused.value)


# --- lists ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def listed(provider, backend):
    """Six jobs of this run, in the order of their making, and how to ask for them alone."""
    mark = f"list-{time.time_ns()}"
    twin = provider.get_backend(TWIN)
    jobs = [
        submit(twin if n % 2 else backend, job_name=f"{mark}-{n}", job_tags=[mark, f"t{n % 3}"])
        for n in range(6)
    ]
    for job in jobs:
        job.result()
    return mark, [job.job_id() for job in jobs]


def ids(jobs):
    return [job.job_id() for job in jobs]


def test_lists_are_newest_first_and_paged(provider, listed):
    mark, made = listed
    jobs = provider.backend.jobs
    assert ids(jobs(limit=6, job_tags=[mark])) == made[::-1]
    assert ids(jobs(limit=6, job_tags=[mark], descending=False)) == made
    assert ids(jobs(limit=2, skip=1, job_tags=[mark])) == made[::-1][1:3]
    assert provider.backend.job_ids(limit=3, job_tags=[mark]) is not None


def test_lists_are_filtered_by_name_tag_device_and_status(provider, listed):
    mark, made = listed
    jobs = provider.backend.jobs
    assert ids(jobs(limit=9, job_name=f"{mark}-[13]$")) == [made[3], made[1]]
    assert ids(jobs(limit=9, job_name=mark.upper())) == []
    assert ids(jobs(limit=9, job_tags=[mark, "t1"], job_tags_operator="AND")) == [made[4], made[1]]
    assert set(made) <= set(ids(jobs(limit=None, job_tags=[mark, "t1"])))
    assert ids(jobs(limit=9, backend_name=TWIN, job_tags=[mark])) == made[5::-2]
    twin = provider.get_backend(TWIN)
    assert ids(twin.jobs(limit=9, job_tags=[mark])) == made[5::-2]
    assert ids(jobs(limit=9, status=JobStatus.DONE, job_tags=[mark])) == made[::-1]
    for status in ("INITIALIZING", "VALIDATING", "QUEUED", "RUNNING", "CANCELLED", "ERROR"):
        assert ids(jobs(limit=9, status=status, job_tags=[mark])) == []
    assert ids(jobs(limit=9, status=["ERROR", JobStatus.DONE], job_tags=[mark])) == made[::-1]


def test_lists_are_filtered_by_date(provider, listed):
    mark, made = listed
    jobs = provider.backend.jobs
    now = datetime.now()
    assert ids(jobs(limit=9, job_tags=[mark], start_datetime=now + timedelta(days=1))) == []
    assert ids(jobs(limit=9, job_tags=[mark], end_datetime=now - timedelta(days=1))) == []
    within_days = {"start_datetime": now - timedelta(days=1), "end_datetime": now + timedelta(1)}
    assert ids(jobs(limit=9, job_tags=[mark], **within_days)) == made[::-1]
    third = provider.backend.retrieve_job(made[2]).creation_date().replace(tzinfo=None)
    since = jobs(limit=9, job_tags=[mark], start_datetime=third)
    until = jobs(limit=9, job_tags=[mark], end_datetime=third)
    assert (ids(since), ids(until)) == (made[:1:-1], made[2::-1])


def test_a_filter_of_the_database_is_passed_on(provider, listed):
    mark, made = listed
    jobs = provider.backend.jobs
    hub = {"hubInfo.hub.name": "qwicket"}
    assert ids(jobs(limit=9, job_tags=[mark], db_filter=hub)) == made[::-1]
    assert ids(jobs(limit=9, job_tags=[mark], db_filter={"hubInfo.hub.name": "x"})) == []
    either = {"or": [{"name": f"{mark}-0"}, {"name": {"regexp": "-5$"}}]}
    assert ids(jobs(limit=9, job_tags=[mark], db_filter=either)) == [made[5], made[0]]
    chosen = {"id": {"inq": [made[3], made[4]]}}
    assert ids(jobs(limit=9, job_tags=[mark], db_filter=chosen)) == [made[4], made[3]]


def test_all_pages_together_are_all_jobs_once(provider, backend):
    mark = f"many-{time.time_ns()}"
    made = [submit(backend, job_tags=[mark]).job_id() for _ in range(45)]
    found = ids(provider.backend.jobs(limit=None, job_tags=[mark]))
    assert found == made[::-1]  # pages of 20, each asked for by the date of the last one
    rising = ids(provider.backend.jobs(limit=None, job_tags=[mark], descending=False))
    assert rising == made
    since = datetime.now() - timedelta(days=1)
    dated = provider.backend.jobs(limit=None, job_tags=[mark], start_datetime=since)
    assert ids(dated) == made[::-1]  # here the client forgets a field's name in its filter


def test_a_wrong_pattern_is_refused_with_its_reason(provider):
    with within(), pytest.raises(IBMQError) as refused:
        provider.backend.jobs(job_name="a(b")
    assert "regexp" in str(refused.value)
