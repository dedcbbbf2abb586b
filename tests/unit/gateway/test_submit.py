from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import Outcome, RunResult, encode
from qwicket.compute import ParserPool
from qwicket.gateway import Gateway
from qwicket.gateway.admin import Admin
from qwicket.gateway.tokens import NewToken
from qwicket.gateway.ttl_cache import CACHE_TTL_S
from qwicket.model.accounts import Actor
from qwicket.model.devices import DeviceStatus
from qwicket.model.errors import (
    Forbidden,
    InvalidProgram,
    InvalidRequest,
    KeyReused,
    LimitExceeded,
    NoResult,
    NotFinished,
    NotFound,
    QwicketError,
    Unavailable,
)
from qwicket.model.failures import Failure
from qwicket.model.ids import new_id, part_id
from qwicket.model.jobs import JobQuery, Submission
from qwicket.model.limits import Limits
from qwicket.model.states import JobState
from qwicket.store import JobChange, Store, open_sqlite
from support.programs import BELL
from support.response_memory import response_memory
from support.stores import NOW

pytestmark = [pytest.mark.anyio, pytest.mark.needs_vendors]


async def signed_in(gateway: Gateway, made: NewToken) -> Actor:
    return await gateway.auth.by_token(made.secret, "127.0.0.1")


@pytest.fixture
async def ada(admin: Admin, gateway: Gateway) -> Actor:
    await admin.add_account("ada", email=None, password=None)
    return await signed_in(gateway, await admin.create_token("ada"))


@pytest.fixture
async def bob(admin: Admin, gateway: Gateway) -> Actor:
    await admin.add_account("bob", email=None, password=None)
    return await signed_in(gateway, await admin.create_token("bob"))


def submission(**changes: Any) -> Submission:
    values: dict[str, Any] = {
        "dialect": "native",
        "device": "simulator",
        "format": "ionq.circuit.v1",
        "source": json.dumps(BELL).encode(),
        "shots": 1000,
    }
    return Submission(**{**values, **changes})


def program(qubits: int, *gates: dict[str, Any]) -> bytes:
    """Return a program that uses and connects all its qubits: others cost little."""
    use = {"gate": "rx", "targets": list(range(qubits)), "rotation": 0.1}
    connect = [{"gate": "cnot", "control": 0, "target": k} for k in range(1, qubits)]
    circuit = [use, *gates, *connect]
    return json.dumps({"gateset": "qis", "qubits": qubits, "circuit": circuit}).encode()


async def claim_options(store: Store) -> RunOptions:
    await store.leases.add_runner("r", "server", NOW)
    (assignment,) = (await store.leases.claim("simulator", "r", NOW)).taken
    return msgspec.msgpack.decode(assignment.options, type=RunOptions)


async def test_a_good_submission_is_stored_with_what_it_asks_for(
    gateway: Gateway, ada: Actor, store: Store
) -> None:
    job = await gateway.jobs.submit(ada, submission(seed=5, outputs=("memory",), name="bell"))
    assert (job.state, job.name, job.shots) == (JobState.QUEUED, "bell", 1000)
    assert (job.n_circuits, job.n_qubits, job.n_ops_1q, job.n_ops_2q) == (1, 2, 1, 1)
    assert job.est_bytes > 0
    assert await claim_options(store) == RunOptions(shots=1000, seed=5, outputs=("memory",))


async def test_a_seed_is_drawn_when_none_is_given(
    gateway: Gateway, ada: Actor, store: Store
) -> None:
    await gateway.jobs.submit(ada, submission())
    options = await claim_options(store)
    assert 0 <= options.seed < 2**63


REFUSALS: dict[str, tuple[dict[str, Any], type[QwicketError], str]] = {
    "device": ({"device": "nowhere"}, NotFound, "device"),
    "device of no such dialect": ({"dialect": "xanadu"}, NotFound, "device"),
    "format": ({"format": "qasm9"}, InvalidRequest, "format"),
    "no shots": ({"shots": 0}, LimitExceeded, "shots"),
    "negative shots": ({"shots": -1}, LimitExceeded, "shots"),
    "too many shots": ({"shots": 5_001}, LimitExceeded, "shots"),
    "negative seed": ({"seed": -1}, InvalidRequest, "seed"),
    "huge seed": ({"seed": 2**63}, InvalidRequest, "seed"),
    "long name": ({"name": "x" * 21}, LimitExceeded, "name"),
    "many tags": ({"tags": ("a", "b", "c")}, LimitExceeded, "tags"),
    "long tag": ({"tags": ("x" * 21,)}, LimitExceeded, "tags"),
    "no outputs": ({"outputs": ()}, InvalidRequest, "outputs"),
    "unknown output": ({"outputs": ("amplitudes",)}, InvalidRequest, "outputs"),
    "too wide": ({"source": program(30)}, LimitExceeded, "qubits"),
    "noise of a device without": ({"noise": "perfect"}, InvalidRequest, "noise"),
    "too large for memory": ({"source": program(28)}, LimitExceeded, "program"),
    "too long": (
        {"source": program(24, *[{"gate": "h", "target": 0}] * 20_000)},
        LimitExceeded,
        "program",
    ),
}


def entangled(qubits: int) -> bytes:
    """Return a program whose matrix product state is small; it is not a Clifford circuit."""
    chain = [{"gate": "cnot", "control": q, "target": q + 1} for q in range(qubits - 1)]
    return program(qubits, *chain)


@pytest.fixture
def everything_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Admission never imports an engine, so a test can name packages that are not installed."""
    names = ("statevector", "clifford", "qsim", "aer-mps")
    monkeypatch.setattr("qwicket.engines.qubit.list_installed", lambda: names)


ENGINE_REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown": ({"engine": "abacus"}, "it has statevector, clifford, qsim, aer-mps"),
    "no Clifford": ({"engine": "clifford", "source": program(2)}, "runs Clifford circuits"),
    "noise on qsim": ({"engine": "qsim", "noise": "aria-1"}, "it does not simulate noise"),
    "noise on aer-mps": ({"engine": "aer-mps", "noise": "aria-1"}, "it does not simulate noise"),
    "exact": ({"engine": "qsim", "outputs": ("probabilities",)}, "no probabilities"),
    "none offered": ({"device": "clifford", "engine": "qsim"}, "it has none"),
}


@pytest.mark.usefixtures("everything_installed")
@pytest.mark.parametrize("case", list(ENGINE_REFUSALS))
async def test_a_wrong_engine_is_refused_by_name(gateway: Gateway, ada: Actor, case: str) -> None:
    changes, detail = ENGINE_REFUSALS[case]
    with pytest.raises(InvalidRequest) as refused:
        await gateway.jobs.submit(ada, submission(**changes))
    assert refused.value.field == "engine"
    assert detail in (refused.value.detail or "")


async def test_an_engine_that_is_not_installed_is_refused(gateway: Gateway, ada: Actor) -> None:
    with pytest.raises(InvalidRequest, match="it has statevector, clifford") as refused:
        await gateway.jobs.submit(ada, submission(engine="qsim"))
    assert refused.value.field == "engine"
    assert (await gateway.devices.get("simulator", "native")).engines == ("statevector", "clifford")


@pytest.mark.usefixtures("everything_installed")
@pytest.mark.parametrize("name", ["statevector", "clifford", "qsim"])
async def test_the_engine_travels_to_the_worker(
    gateway: Gateway, ada: Actor, store: Store, name: str
) -> None:
    await gateway.jobs.submit(ada, submission(engine=name))
    assert (await claim_options(store)).engine == name


@pytest.fixture
async def roomy(store: Store, clock: Callable[[], int]) -> AsyncIterator[Gateway]:
    """A server with memory enough for Aer, not for 28 qubits, and few qubits for both."""
    limits = Limits.from_names(memory_bytes=4 << 30, qubits=26, mps_qubits=80, outcomes=9)
    parsers = ParserPool(limits)
    yield Gateway(store, parsers, limits, clock)
    await parsers.close()


@pytest.mark.usefixtures("everything_installed")
@pytest.mark.parametrize("qubits", [27, 28, 60])
async def test_what_is_too_wide_for_state_vectors_becomes_a_matrix_product_state(
    roomy: Gateway, ada: Actor, store: Store, qubits: int
) -> None:
    job = await roomy.jobs.submit(ada, submission(source=entangled(qubits)))
    assert job.est_bytes < 2 << 30
    assert (await claim_options(store)).engine == "aer-mps"


async def test_without_aer_wide_circuits_are_refused(roomy: Gateway, ada: Actor) -> None:
    with pytest.raises(LimitExceeded, match=r"takes 26 .*, or 29 where all gates are Clifford"):
        await roomy.jobs.submit(ada, submission(source=entangled(60)))


@pytest.mark.usefixtures("everything_installed")
@pytest.mark.parametrize("name", ["statevector", "qsim"])
async def test_a_state_vector_that_was_named_has_the_limit_of_any(
    roomy: Gateway, ada: Actor, name: str
) -> None:
    await roomy.jobs.submit(ada, submission(engine=name, source=entangled(26)))
    with pytest.raises(
        LimitExceeded, match=r"uses 27 connected qubits.*26 are simulated \(limit qubits\)"
    ):
        await roomy.jobs.submit(ada, submission(engine=name, source=entangled(27)))


@pytest.mark.usefixtures("everything_installed")
async def test_a_matrix_product_state_has_its_bounds(roomy: Gateway, ada: Actor) -> None:
    wide = {"source": entangled(81)}
    with pytest.raises(LimitExceeded, match="or 29 where all gates are Clifford"):
        await roomy.jobs.submit(ada, submission(**wide))
    with pytest.raises(LimitExceeded, match=r"aer-mps takes 80 \(limit mps_qubits\)"):
        await roomy.jobs.submit(ada, submission(engine="aer-mps", **wide))
    crossing = [{"gate": "swap", "targets": [q, 59 - q]} for q in range(30)]
    tangled = {"source": program(60, *crossing)}
    with pytest.raises(LimitExceeded, match=r"takes 26 .*, or 29 where all gates are Clifford"):
        await roomy.jobs.submit(ada, submission(**tangled))
    with pytest.raises(InvalidRequest, match="may need a bond dimension above 1024"):
        await roomy.jobs.submit(ada, submission(engine="aer-mps", **tangled))


async def test_the_limit_on_outcomes_travels_to_the_worker(
    roomy: Gateway, ada: Actor, store: Store
) -> None:
    await roomy.jobs.submit(ada, submission())
    assert (await claim_options(store)).max_outcomes == 9


@pytest.mark.parametrize("case", list(REFUSALS))
async def test_a_bad_submission_is_refused_by_field_and_not_stored(
    gateway: Gateway, ada: Actor, case: str
) -> None:
    changes, kind, field = REFUSALS[case]
    with pytest.raises(kind) as refused:
        await gateway.jobs.submit(ada, submission(**changes))
    assert refused.value.field == field
    assert await gateway.jobs.page(ada, JobQuery()) == []


async def test_a_refused_program_says_where(gateway: Gateway, ada: Actor) -> None:
    bad = program(2, {"gate": "warp", "target": 1})
    with pytest.raises(InvalidProgram, match="gate 1"):
        await gateway.jobs.submit(ada, submission(source=bad))


async def test_refusals_of_cost_name_both_numbers(gateway: Gateway, ada: Actor) -> None:
    with pytest.raises(LimitExceeded, match=r"needs about \d+ MiB, 1024 MiB are allowed"):
        await gateway.jobs.submit(ada, submission(source=program(28)))


async def test_a_device_that_is_off_takes_no_jobs_and_says_why(
    gateway: Gateway, ada: Actor, store: Store
) -> None:
    off = DeviceStatus(is_on=False, reason="the lab moves")
    await store.devices.set_status("simulator", off, NOW)
    with pytest.raises(Unavailable, match="the lab moves"):
        await gateway.jobs.submit(ada, submission())
    await store.devices.set_status("simulator", DeviceStatus(), NOW)
    job = await gateway.jobs.submit(ada, submission())
    assert job.state is JobState.QUEUED, "nothing is refused from memory"


async def test_devices_of_a_provider_that_is_off_are_unknown_but_their_jobs_go_on(
    gateway: Gateway,
    admin: Admin,
    store: Store,
    ada: Actor,
) -> None:
    job = await gateway.jobs.submit(ada, submission())
    await admin.set_active("qwicket", False)
    await asyncio.sleep(2 * CACHE_TTL_S)
    assert await gateway.devices.of("native") == []
    with pytest.raises(NotFound):
        await gateway.devices.get("simulator", "native")
    with pytest.raises(NotFound):
        await gateway.jobs.submit(ada, submission())
    await store.leases.add_runner("r", "server", NOW)
    (assignment,) = (await store.leases.claim("simulator", "r", NOW)).taken
    assert assignment.lease.job == job.id
    await admin.set_active("qwicket", True)
    assert (await gateway.jobs.submit(ada, submission())).state is JobState.QUEUED


@pytest.mark.parametrize(
    "refused",
    [{"source": b'{"qubits": 0}'}, {"source": program(40)}, {"format": "esperanto"}],
    ids=["program", "limit", "format"],
)
async def test_a_refused_program_can_be_kept_as_a_job_that_failed_and_never_runs(
    gateway: Gateway, store: Store, ada: Actor, refused: dict[str, Any]
) -> None:
    with pytest.raises(QwicketError) as reason:
        await gateway.jobs.submit(ada, submission(**refused))
    assert await gateway.jobs.page(ada, JobQuery()) == []
    job = await gateway.jobs.submit(ada, submission(**refused), keep_refused=True)
    assert (job.state, job.error_text) == (JobState.FAILED, reason.value.detail)
    assert await gateway.jobs.page(ada, JobQuery()) == [job]
    await store.leases.add_runner("r", "server", NOW)
    assert not (await store.leases.claim("simulator", "r", NOW)).taken


async def test_what_no_program_is_at_fault_for_is_never_kept(gateway: Gateway, ada: Actor) -> None:
    for wrong in ({"shots": 0}, {"device": "nowhere"}):
        with pytest.raises(QwicketError):
            await gateway.jobs.submit(ada, submission(**wrong), keep_refused=True)
    assert await gateway.jobs.page(ada, JobQuery()) == []


async def test_a_token_without_the_scope_or_device_cannot_submit(
    gateway: Gateway, admin: Admin, store: Store, ada: Actor
) -> None:
    reader = await signed_in(gateway, await admin.create_token("ada", scopes=["jobs:read"]))
    with pytest.raises(Forbidden, match="jobs:write"):
        await gateway.jobs.submit(reader, submission())
    with pytest.raises(Forbidden, match="jobs:write"):
        await gateway.jobs.cancel(reader, new_id(NOW))
    writer = await signed_in(gateway, await admin.create_token("ada", scopes=["jobs:write"]))
    with pytest.raises(Forbidden, match="jobs:read"):
        await gateway.jobs.get(writer, new_id(NOW))
    other = msgspec.structs.replace(ada, devices=frozenset({"clifford"}))
    with pytest.raises(Forbidden, match="simulator"):
        await gateway.jobs.submit(other, submission())


async def test_the_order_of_inputs_makes_no_other_submission(gateway: Gateway, ada: Actor) -> None:
    text = b"OPENQASM 3; input float a; input float b; qubit q; U(a, b, 0) q; bit c; c = measure q;"
    one, two = (
        submission(idempotency_key="k", source=text, format="openqasm3", inputs=inputs)
        for inputs in ({"a": 1.0, "b": 2.0}, {"b": 2.0, "a": 1.0})
    )
    assert await gateway.jobs.submit(ada, one) == await gateway.jobs.submit(ada, two)


async def test_a_token_that_may_only_write_cancels_and_waits(
    gateway: Gateway, admin: Admin, ada: Actor
) -> None:
    job = await gateway.jobs.submit(ada, submission())
    writer = await signed_in(gateway, await admin.create_token("ada", scopes=["jobs:write"]))
    assert (await gateway.jobs.cancel(writer, job.id, wait_s=5)).state is JobState.CANCELLED


async def test_the_same_key_makes_one_job_unless_any_field_differs(
    gateway: Gateway, ada: Actor
) -> None:
    first = await gateway.jobs.submit(ada, submission(idempotency_key="k"))
    assert await gateway.jobs.submit(ada, submission(idempotency_key="k")) == first
    for change in ({"shots": 7}, {"name": "x"}, {"seed": 1}, {"source": program(1)}):
        with pytest.raises(KeyReused):
            await gateway.jobs.submit(ada, submission(idempotency_key="k", **change))


async def test_a_forgotten_key_makes_another_job(gateway: Gateway, ada: Actor) -> None:
    first, is_new = await gateway.jobs.submit_or_find(ada, submission(idempotency_key="k"))
    assert is_new
    assert await gateway.jobs.submit_or_find(ada, submission(idempotency_key="k")) == (first, False)
    for _ in range(2):
        await gateway.jobs.forget_key_of(first)
    second, is_new = await gateway.jobs.submit_or_find(ada, submission(idempotency_key="k"))
    assert is_new
    assert second.id != first.id


async def test_a_repeated_submit_is_the_same_job_although_the_device_went_off(
    gateway: Gateway, ada: Actor, store: Store
) -> None:
    first = await gateway.jobs.submit(ada, submission(idempotency_key="k"))
    await store.devices.set_status("simulator", DeviceStatus(is_on=False), NOW)
    assert await gateway.jobs.submit(ada, submission(idempotency_key="k")) == first


async def test_an_id_in_capitals_is_watched_as_the_same_job(gateway: Gateway, ada: Actor) -> None:
    job = await gateway.jobs.submit(ada, submission())
    waiting = asyncio.create_task(gateway.jobs.wait(ada, job.id.upper(), 60))
    await asyncio.sleep(0)
    await gateway.jobs.cancel(ada, job.id)
    async with asyncio.timeout(30):
        assert (await waiting).job.state is JobState.CANCELLED


async def test_anothers_job_looks_like_an_absent_one(
    gateway: Gateway, ada: Actor, bob: Actor
) -> None:
    jobs = gateway.jobs
    job = await jobs.submit(ada, submission())
    texts = []
    for id_text in (job.id, new_id(NOW), part_id(job.id, 0), "x", ""):
        for ask in (jobs.get, jobs.cancel, jobs.get_with_vendor_fields, jobs.part):
            with pytest.raises(NotFound) as refused:
                await ask(bob, id_text, dialect=job.dialect)
            texts.append(refused.value.detail)
    assert len(set(texts)) == 1
    assert await jobs.page(bob, JobQuery(account=ada.account)) == []


async def test_a_job_of_another_dialect_is_unknown_to_a_vendors(
    gateway: Gateway, ada: Actor
) -> None:
    jobs = gateway.jobs
    job = await jobs.submit(ada, submission())
    assert await jobs.get(ada, job.id) == job
    assert await jobs.get_with_vendor_fields(ada, job.id, dialect=job.dialect) == (job, b"{}")
    for ask in (jobs.get, jobs.get_with_vendor_fields, jobs.part):
        with pytest.raises(NotFound):
            await ask(ada, job.id, dialect="ionq")


async def test_a_lead_controls_the_jobs_of_members_and_a_reader_submits_none(
    gateway: Gateway, ada: Actor, bob: Actor
) -> None:
    jobs, members = gateway.jobs, gateway.store.accounts
    project = (await members.add_project("lab", 1, gateway.now_ms())).name
    for actor in (ada, bob):
        await members.add_member(project, actor.account_name)
    lab = (await members.project(project)).id
    in_lab = msgspec.structs.replace(ada, project=lab)
    job = await jobs.submit(in_lab, submission())
    assert await jobs.get(bob, job.id) == job
    assert (await jobs.get_with_vendor_fields(bob, job.id, dialect=job.dialect))[0] == job
    for forbidden in (
        jobs.cancel(bob, job.id),
        jobs.change(bob, job.id, is_held=True),
        jobs.change(in_lab, job.id, priority=1),
        jobs.submit(in_lab, submission(priority=1)),
    ):
        with pytest.raises(Forbidden):
            await forbidden
    assert (await jobs.change(in_lab, job.id, priority=-1)).priority == -1
    assert (await jobs.submit(ada, submission(priority=1))).priority == 1  # in the own project
    await members.change_member(project, "bob", role="lead")
    held = await jobs.change(bob, job.id, is_held=True, priority=100)
    assert (held.held_by, held.priority) == ("owner", 100)
    with pytest.raises(Forbidden):
        await jobs.delete(bob, job.id)
    assert (await jobs.cancel(bob, job.id)).state is JobState.CANCELLED
    await members.change_member(project, "ada", role="reader")
    with pytest.raises(Forbidden, match="readers submit no jobs"):
        await jobs.submit(in_lab, submission())
    assert (await jobs.get(in_lab, job.id)).id == job.id


async def test_waiting_ends_with_the_job(gateway: Gateway, ada: Actor) -> None:
    job = await gateway.jobs.submit(ada, submission())
    waiting = asyncio.create_task(gateway.jobs.wait(ada, job.id, 60))
    await asyncio.sleep(0)
    await gateway.jobs.cancel(ada, job.id)
    async with asyncio.timeout(30):
        assert (await waiting).job.state is JobState.CANCELLED


async def test_who_waits_is_given_the_results_with_the_end(
    gateway: Gateway, store: Store, ada: Actor, bob: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    mate = msgspec.structs.replace(bob, project=ada.project)
    job = await gateway.jobs.submit(mate, submission())
    given = encode(
        Outcome(registers=(), arrays={}, engine="test", engine_version="1", seed=1, seconds=0.0)
    )
    waiting = [asyncio.create_task(gateway.jobs.wait(each, job.id, 60)) for each in (ada, bob)]
    await asyncio.sleep(0)
    await store.leases.add_runner("runner", "server", NOW)
    (assignment,) = (await store.leases.claim("simulator", "runner", NOW)).taken
    await store.leases.finish(assignment.lease, RunResult((given,), 0.001), NOW)
    async with asyncio.timeout(30):
        awaited = await asyncio.gather(*waiting)
    read = await gateway.results.of(await gateway.jobs.get(ada, job.id), response_memory())
    monkeypatch.setattr(store.jobs, "results", None)  # nothing more is read
    for ended, told in awaited:
        assert ended == read.job
        assert await gateway.results.of(ended, response_memory(), known=told) == read
        assert (
            await gateway.results.of(ended, response_memory(), 0, known=told)
        ).parts == read.parts


async def test_what_was_just_written_is_waited_for_by_those_alone_who_may_read_it(
    gateway: Gateway, ada: Actor, bob: Actor
) -> None:
    job = await gateway.jobs.submit(ada, submission())
    for actor, id_text, dialect in (
        (bob, job.id, None),
        (ada, part_id(job.id, 0), None),
        (ada, job.id, "ionq"),
        (ada, new_id(NOW), None),
    ):
        async with asyncio.timeout(30):  # at once: they learn nothing by how long it takes
            with pytest.raises(NotFound):
                await gateway.jobs.wait(actor, id_text, 60, dialect=dialect)


async def test_a_wait_that_times_out_returns_the_stored_state(
    gateway: Gateway, store: Store, ada: Actor, tmp_path: Path
) -> None:
    job = await gateway.jobs.submit(ada, submission())
    command = open_sqlite(tmp_path)  # of what is written beside the server it hears nothing
    await command.jobs.cancel(job.id, actor=ada.account, now=NOW)
    await command.close()
    store.changes.publish([JobChange(job.id, job.version, job.state, job.device, job)])
    assert (await gateway.jobs.wait(ada, job.id, 0.05)).job.state is JobState.CANCELLED


async def test_news_that_comes_late_takes_nothing_back(
    gateway: Gateway, store: Store, ada: Actor
) -> None:
    job = await gateway.jobs.submit(ada, submission())
    await store.leases.add_runner("runner", "server", NOW)
    await store.leases.claim("simulator", "runner", NOW)
    store.changes.resync()  # so that the wait begins with what is stored
    waiting = asyncio.create_task(gateway.jobs.wait(ada, job.id, 0.3))
    while not store.changes._watches:
        await asyncio.sleep(0)
    store.changes.publish([JobChange(job.id, job.version, job.state, job.device, job)])
    assert (await waiting).job.state is JobState.RUNNING


async def test_waiting_ends_with_its_time(gateway: Gateway, ada: Actor) -> None:
    job = await gateway.jobs.submit(ada, submission())
    began = time.monotonic()
    assert (await gateway.jobs.wait(ada, job.id, 0.1)).job.state is JobState.QUEUED
    assert time.monotonic() - began >= 0.1


async def test_there_is_no_result_before_the_end(gateway: Gateway, ada: Actor) -> None:
    job = await gateway.jobs.submit(ada, submission())
    with pytest.raises(NotFinished):
        await gateway.results.of(await gateway.jobs.get(ada, job.id), response_memory())


async def test_a_cancelled_job_has_no_result(gateway: Gateway, ada: Actor) -> None:
    job = await gateway.jobs.submit(ada, submission())
    await gateway.jobs.cancel(ada, job.id)
    with pytest.raises(NoResult):
        await gateway.results.of(await gateway.jobs.get(ada, job.id), response_memory())


async def test_a_failed_job_says_why_there_is_no_result(
    gateway: Gateway, ada: Actor, store: Store
) -> None:
    job = await gateway.jobs.submit(ada, submission())
    await store.leases.add_runner("r", "server", NOW)
    (assignment,) = (await store.leases.claim("simulator", "r", NOW)).taken
    failure = Failure("out_of_memory", "too big for us")
    await store.leases.finish(assignment.lease, RunResult(failure, 0.1), NOW)
    with pytest.raises(NoResult, match="too big for us"):
        await gateway.results.of(await gateway.jobs.get(ada, job.id), response_memory())


async def test_a_dialect_shows_its_own_devices_alone(gateway: Gateway) -> None:
    names = [view.device.name for view in await gateway.devices.of("ionq")]
    assert names == ["simulator", "qpu.aria-1", "qpu.forte-1"]
    names = [view.device.name for view in await gateway.devices.of("xanadu")]
    assert names == ["X8_01", "simulon_gaussian", "tdm_small"]
    assert await gateway.devices.of("nowhere") == []
    with pytest.raises(NotFound):
        await gateway.devices.get("simulator", "xanadu")


async def test_a_device_advertises_what_admission_would_take(gateway: Gateway, ada: Actor) -> None:
    widest = (await gateway.devices.get("simulator", "native")).qubits
    await gateway.jobs.submit(ada, submission(source=program(widest)))
    with pytest.raises(LimitExceeded):
        await gateway.jobs.submit(ada, submission(source=program(widest + 1)))
