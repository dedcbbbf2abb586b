"""A job at another cloud: what each answer, and each change of its device's file, leads to."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from math import inf, nan
from typing import Any

import msgspec
import pytest

from qwicket import programs
from qwicket.circuits.calibrations import Calibration, GateFigures, QubitFigures
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import Encoded, Outcome, RunResult, decode
from qwicket.devices.remotes import Remote
from qwicket.drivers import JobNotStarted, StoppedRemotely, Unresolved
from qwicket.drivers.remote import RemoteDriver
from qwicket.drivers.remote.clouds import (
    CloudError,
    Forbidden,
    InvalidResult,
    KeyRefused,
    NoProof,
    NoSuchJob,
    NotAccepted,
    OutcomeUnknown,
    Refused,
    RemoteDeviceStatus,
    RemoteProgram,
    RemoteStatus,
    RequireLease,
    Statuses,
    TryLater,
)
from qwicket.drivers.remote.submission import FRESH_S
from qwicket.model.devices import Device, DeviceSpec
from qwicket.model.failures import Failure
from qwicket.model.jobs import Assignment, Forward, Lease
from qwicket.model.limits import Limits
from qwicket.model.pass_through import HTTP_REQUEST
from qwicket.model.states import JobState
from qwicket.store import FullProgram

pytestmark = [pytest.mark.anyio, pytest.mark.needs_vendors]

KEY = "the-key-of-the-account"
JOB = "01a1fc34-7a5e-7cc3-98c4-dc0c0c07398f"
MARKER = f"qwicket-{JOB}"
ELSEWHERE = Forward(MARKER, None, sent_to="another account")
EST_S = 0.25
LOOP = (
    'OPENQASM 3.0; include "stdgates.inc"; qubit[1] q; bit[1] c; c[0] = measure q[0];'
    " if (c[0]) { x q[0]; }"
)
FAR = Device(
    name="far",
    family="qubit",
    provider="elsewhere",
    driver="remote",
    dialects=("native",),
    position=500,
    spec=DeviceSpec(description="Elsewhere", qubits=5, formats=(HTTP_REQUEST,)),
)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def outcome(engine: str = "there") -> Outcome:
    return Outcome(
        registers=(), arrays={}, engine=engine, engine_version=engine, seed=1, seconds=0.0
    )


class Cloud:
    """A cloud whose answers a test replaces; by default each job completes at once."""

    formats: tuple[str, ...] = (HTTP_REQUEST,)
    language: Any = None
    is_simulated = False

    def __init__(self) -> None:
        self.n_sent = 0
        self.cancelled: list[str] = []
        self.is_online = True
        self.n_waiting: int | None = None
        self.calibration: Calibration | None = None
        self.before_request: Callable[[RequireLease], None] = lambda _: None
        self.submit_id: Callable[[], str] = lambda: "theirs"
        self.found: Callable[[], str | None] = lambda: None
        self.status: Callable[[], RemoteStatus | NoSuchJob] = lambda: RemoteStatus("completed")
        self.result: Callable[[], tuple[list[Outcome | Failure], float]] = lambda: ([outcome()], 1)

    def submit(self, program: RemoteProgram, marker: str, require_lease: RequireLease) -> str:
        self.before_request(require_lease)
        self.n_sent += 1
        return self.submit_id()

    def find(self, marker: str, since_ms: int) -> str | None:
        assert marker == MARKER
        return self.found()

    def statuses(self, ids: Sequence[str]) -> Statuses:
        return {each: self.status() for each in ids}

    def outcomes(self, id: str, program: RemoteProgram) -> tuple[list[Outcome | Failure], float]:
        return self.result()

    def cancel(self, id: str) -> None:
        self.cancelled.append(id)

    def device_status(self) -> RemoteDeviceStatus:
        return RemoteDeviceStatus(self.is_online, "", self.n_waiting, self.calibration)

    def close(self) -> None:
        """Nothing is open."""


class Log:
    """A record of the forwarding in memory."""

    def __init__(self, full_program: FullProgram, forward: Forward | None) -> None:
        self.cancel_asked = asyncio.Event()
        self.forward = forward
        self.responses: list[bytes | None] = []
        self.pauses: list[tuple[float, Forward | None]] = []
        self.waits: list[Forward | None] = []
        self.has_turn = asyncio.Event()
        self.has_turn.set()
        self.held: Callable[[], bool] = lambda: True
        self._full_program = full_program

    async def full_program(self) -> FullProgram:
        return self._full_program

    async def group(self, sent_to: str) -> None:
        raise AssertionError("its cloud has no groups")

    async def record_intent(self, marker: str, sent_to: str) -> Forward:
        found = self.forward or Forward(marker, None, intent_at=now_ms())
        self.forward = found._replace(is_absent=False, sent_to=sent_to)
        return self.forward

    async def record_sent(self, vendor_job_id: str, response: bytes | None = None) -> None:
        assert self.forward is not None
        self.responses.append(response)
        self.forward = self.forward._replace(vendor_job_id=vendor_job_id, is_absent=False)

    async def forget_sent(self) -> Forward:
        assert self.forward is not None
        self.forward = self.forward._replace(vendor_job_id=None)
        return self.forward

    async def record_response(self, response: bytes) -> None:
        """It is not read here."""

    async def withdraw(self) -> None:
        self.forward = None

    async def is_held(self) -> bool:
        return self.held()

    async def pause_without_slot(self, seconds: float) -> None:
        self.pauses.append((seconds, self.forward))

    async def wait_turn(self) -> None:
        self.waits.append(self.forward)
        await self.has_turn.wait()


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    made = Cloud()
    monkeypatch.setattr("qwicket.drivers.remote.connect", lambda *_: made)
    return made


class Case:
    """One job of the device.

    Args:
        forward: How far it is forwarded.
        settle_s: Seconds after which a cloud shows what it has.
        age_s: Seconds since the intent.
        retry_for_s: Seconds for which a job keeps its slot.
        mirror_s: Seconds between two reads of the device's state.
        kind: Kind of the cloud.
    """

    def __init__(
        self,
        forward: Forward | None = None,
        settle_s: float = 0.2,
        age_s: float = 0.0,
        retry_for_s: float = 600.0,
        mirror_s: float = 60.0,
        kind: str = "ionq",
    ) -> None:
        is_amazons = kind == "braket"
        remote = Remote(
            kind=kind,
            url="http://127.0.0.1:1/v0.4",
            device="there",
            region="r" if is_amazons else "",
            bucket="http://127.0.0.1:1/bucket" if is_amazons else "",
            key_env="K",
            poll_s=0.05,
            timeout_s=0.2,
            settle_s=settle_s,
            keeps_jobs_s=3600.0,
            mirror_s=mirror_s,
        )
        self.driver = RemoteDriver(FAR, remote, KEY, Limits(), retry_for_s=retry_for_s)
        packed = msgspec.msgpack.encode(RunOptions(shots=4, seed=1, outputs=("counts",)))
        self.full_program = FullProgram(HTTP_REQUEST, b"{}\n", "{}", packed, b"")
        self.forward = forward and forward._replace(intent_at=now_ms() - int(age_s * 1000))
        self.circuits = b""
        self.state = JobState.RUNNING if forward is None else JobState.UNCERTAIN
        if forward is not None and forward.vendor_job_id is not None:
            self.state = JobState.RUNNING
        self.log: Log | None = None

    async def run(self) -> RunResult:
        self.log = self.log or Log(self.full_program, self.forward)
        assignment = Assignment(
            lease=Lease(job=JOB, fence=1, nonce="nonce", runner="runner"),
            device="far",
            state=self.state,
            attempts=0,
            est_bytes=1,
            est_seconds=EST_S,
            circuits=self.circuits,
            options=self.full_program.options,
            forward=self.forward,
        )
        try:
            async with asyncio.timeout(30):
                (result,) = await self.driver.run([assignment], self.log)
        finally:
            await self.driver.close()
        return result


# --- never sent twice ----------------------------------------------------------------------------


async def test_a_submission_of_several_requests_stops_when_another_server_has_the_job(
    cloud: Cloud,
) -> None:
    case = Case()
    case.log = log = Log(case.full_program, None)

    def before_request(require_lease: RequireLease) -> None:
        require_lease()  # this server has the job
        log.held = lambda: False
        require_lease()

    cloud.before_request = before_request
    with pytest.raises(JobNotStarted, match="another server has the job"):
        await case.run()
    assert cloud.n_sent == 0


@pytest.mark.parametrize("is_first", [True, False])
async def test_a_server_that_is_paused_while_it_checks_its_lease_sends_nothing_then(
    cloud: Cloud, is_first: bool
) -> None:
    """The lease may be lost between the check in the database and the request."""
    case = Case()
    case.log = log = Log(case.full_program, None)
    checked: list[float] = []
    sent: list[int] = []

    def held() -> bool:
        checked.append(time.monotonic())
        if len(checked) == (1 if is_first else 2):
            time.sleep(FRESH_S + 0.1)  # blocks the event loop, as a pause of the process does
        return True

    def before_request(require_lease: RequireLease) -> None:
        require_lease()
        sent.append(len(checked))

    log.held, cloud.before_request = held, before_request
    result = await case.run()
    assert not isinstance(result.result, Failure)
    assert sent == [3 if is_first else 4], "a check that was too slow is repeated"
    assert cloud.n_sent == 1


async def test_a_job_that_was_renamed_there_is_left_to_a_person(cloud: Cloud) -> None:
    cloud.status = lambda: RemoteStatus("running", marker="my best job")
    with pytest.raises(Unresolved, match=r"'my best job', not qwicket-.*was renamed"):
        await Case().run()
    assert cloud.n_sent == 1


async def test_a_list_without_proof_leaves_the_job_to_a_person(cloud: Cloud) -> None:
    def found() -> str | None:
        raise NoProof("it lists others")

    cloud.found = found
    with pytest.raises(Unresolved, match=r"unknown whether .*: it lists others\. Look there for"):
        await Case(Forward(MARKER, None), retry_for_s=0.3).run()
    assert cloud.n_sent == 0


@pytest.mark.parametrize("is_sent", [False, True])
async def test_a_job_that_the_cloud_may_have_deleted_is_left_to_a_person(
    cloud: Cloud, is_sent: bool
) -> None:
    """Its list proves nothing once it is read later than ended jobs are kept there."""
    old, new = (Case(Forward(MARKER, None), age_s=each) for each in (3601.0, 3000.0))
    if is_sent:  # by an administrator's word, which the new intent makes void
        old = Case(Forward(MARKER, None, is_absent=True), age_s=3601.0)
        await old.run()
    else:
        with pytest.raises(Unresolved, match=r"may have deleted it.* 1\.0 hours.*job resolve"):
            await old.run()
        assert cloud.n_sent == 0
        await new.run()
    assert cloud.n_sent == 1


async def test_where_lists_lag_only_an_id_ends_the_doubt(cloud: Cloud) -> None:
    """Neither a refusal of the repeated request nor an empty list says that no job is there."""
    answers: list[Exception] = [OutcomeUnknown("lost"), NotAccepted("busy"), Refused("too old")]

    def submit_id() -> str:
        if answers:
            raise answers.pop(0)
        return "theirs"

    cloud.submit_id = submit_id
    case = Case(kind="braket")
    result = await case.run()
    assert not isinstance(result.result, Failure)
    assert cloud.n_sent == 4
    assert case.log is not None
    assert case.log.forward is not None, "the intent is never withdrawn"
    for age_s, is_cancelled, reason in ((301.0, False, "relied on for 300 s"), (0, True, "cancel")):
        case = Case(Forward(MARKER, None), age_s=age_s, kind="braket")
        case.log = Log(case.full_program, case.forward)
        if is_cancelled:
            case.log.cancel_asked.set()
        with pytest.raises(Unresolved, match=rf"list may lag.*{reason}.*`qwicket job resolve`"):
            await case.run()
    assert cloud.n_sent == 4, "nothing is sent again late, or after a cancellation"


async def test_an_old_job_that_is_still_listed_is_followed(cloud: Cloud) -> None:
    cloud.found = lambda: "theirs"
    result = await Case(Forward(MARKER, None), age_s=1e6).run()
    assert not isinstance(result.result, Failure)
    assert cloud.n_sent == 0


async def test_a_job_that_another_account_may_have_is_not_sent_to_this_one(cloud: Cloud) -> None:
    with pytest.raises(Unresolved, match="another address or key"):
        await Case(ELSEWHERE).run()
    assert cloud.n_sent == 0


async def test_a_job_that_another_account_may_have_is_not_lost_here(cloud: Cloud) -> None:
    cloud.status = lambda: NoSuchJob("theirs")
    with pytest.raises(Unresolved, match=f"former account for {MARKER}, which is theirs"):
        await Case(ELSEWHERE._replace(vendor_job_id="theirs")).run()


@pytest.mark.parametrize("id", [None, "theirs"])
async def test_a_job_is_followed_with_a_new_key_of_its_account(
    cloud: Cloud, id: str | None
) -> None:
    cloud.found = lambda: "theirs"
    result = await Case(ELSEWHERE._replace(vendor_job_id=id)).run()
    assert not isinstance(result.result, Failure)
    assert cloud.n_sent == 0


async def test_a_job_that_no_account_has_is_lost(cloud: Cloud) -> None:
    cloud.status = lambda: NoSuchJob("theirs")
    result = await Case(Forward(MARKER, "theirs")).run()
    assert isinstance(result.result, Failure)
    assert result.result.code == "remote_job_lost"


async def test_what_tells_accounts_apart_does_not_tell_the_key(cloud: Cloud) -> None:
    case = Case()
    await case.run()
    assert case.log is not None
    assert case.log.forward is not None
    assert len(case.log.forward.sent_to) == 4


async def test_a_job_that_a_person_wrongly_calls_absent_is_not_sent_again(cloud: Cloud) -> None:
    cloud.found = lambda: "theirs"
    case = Case(Forward(MARKER, None, is_absent=True))
    await case.run()
    assert cloud.n_sent == 0
    assert case.log is not None
    assert case.log.forward is not None
    assert case.log.forward.vendor_job_id == "theirs"
    assert not case.log.forward.is_absent


async def test_a_job_that_is_listed_under_an_invalid_id_is_not_sent_again(cloud: Cloud) -> None:
    """It is there, although a person calls it absent."""
    cloud.found = lambda: ".."
    case = Case(Forward(MARKER, None, is_absent=True))
    with pytest.raises(Unresolved, match="an invalid id"):
        await case.run()
    assert cloud.n_sent == 0


@pytest.mark.parametrize("error", [CloudError, NoProof])
async def test_a_job_that_a_person_calls_absent_is_sent_where_the_list_is_silent(
    cloud: Cloud, error: type[Exception]
) -> None:
    def found() -> str | None:
        raise error("no list")

    cloud.found = found
    await Case(Forward(MARKER, None, is_absent=True)).run()
    assert cloud.n_sent == 1


@pytest.mark.parametrize("id", [".", "..", "", "a" * 201, "a\nb", f"no {KEY}"])
async def test_an_id_that_is_none_is_neither_stored_nor_sent_again(cloud: Cloud, id: str) -> None:
    cloud.submit_id = lambda: id
    case = Case()
    with pytest.raises(Unresolved, match="an invalid id") as raised:
        await case.run()
    assert KEY not in str(raised.value)
    assert cloud.n_sent == 1
    assert case.log is not None
    assert case.log.forward is not None
    assert case.log.forward.vendor_job_id is None


async def test_a_list_that_cannot_be_read_while_all_else_works_holds_no_slot_for_good(
    cloud: Cloud,
) -> None:
    def found() -> str | None:
        raise CloudError("no list today")

    cloud.found = found
    with pytest.raises(Unresolved, match=r"cannot be asked .*: no list today"):
        await Case(Forward(MARKER, None), retry_for_s=0.3).run()
    assert cloud.n_sent == 0


@pytest.mark.parametrize("forward", [None, Forward(MARKER, None, is_absent=True)])
async def test_a_job_that_alone_is_forbidden_holds_no_slot_for_good(
    cloud: Cloud, forward: Forward | None
) -> None:
    def submit_id() -> str:
        raise Forbidden("not for you")

    cloud.submit_id = submit_id
    result = await Case(forward, retry_for_s=0.3).run()
    assert result.result == Failure("remote_refused", "far: not for you")


async def test_a_job_that_may_not_be_sent_yet_lends_its_slot_within_bounds(cloud: Cloud) -> None:
    errors = [TryLater("later", seconds) for seconds in (7.0, 3600.0, 0.0)]

    def submit_id() -> str:
        if errors:
            raise errors.pop(0)
        return "theirs"

    cloud.submit_id = submit_id
    case = Case()
    assert not isinstance((await case.run()).result, Failure)
    assert case.log is not None
    assert case.log.pauses == [(7.0, None), (60.0, None), (60.0, None)]
    assert case.log.forward is not None


@pytest.mark.parametrize("is_absent", [False, True])
async def test_an_adopted_job_that_is_absent_there_is_sent_when_it_has_a_slot(
    cloud: Cloud, is_absent: bool
) -> None:
    case = Case(forward := Forward(MARKER, None, is_absent=is_absent))
    case.log = log = Log(case.full_program, forward)
    log.has_turn.clear()
    running = asyncio.create_task(case.run())
    await asyncio.sleep(0.5)
    assert log.waits == [forward], "what a person said is kept while it waits"
    assert cloud.n_sent == 0
    log.has_turn.set()
    assert not isinstance((await running).result, Failure)
    assert cloud.n_sent == 1


async def test_an_adopted_job_waits_for_a_slot_before_each_attempt(cloud: Cloud) -> None:
    errors: list[CloudError] = [TryLater("later"), KeyRefused("who?")]

    def submit_id() -> str:
        if errors:
            raise errors.pop(0)
        return "theirs"

    cloud.submit_id = submit_id
    case = Case(Forward(MARKER, None))
    await case.run()
    assert case.log is not None
    assert len(case.log.waits) == cloud.n_sent == 3


async def test_an_adopted_job_that_is_sent_waits_for_no_slot(cloud: Cloud) -> None:
    cloud.found = lambda: "theirs"
    case = Case(Forward(MARKER, None))
    await case.run()
    assert case.log is not None
    assert case.log.waits == []


@pytest.mark.parametrize("is_in_doubt", [False, True])
async def test_no_job_is_sent_to_a_device_that_is_offline(cloud: Cloud, is_in_doubt: bool) -> None:
    case, sends = Case(), iter([CloudError("lost")] if is_in_doubt else [])

    def submit_id() -> str:
        case.driver._is_online = False
        raise next(sends)

    cloud.submit_id = submit_id
    case.driver._is_online = is_in_doubt
    with pytest.raises(JobNotStarted, match="runs no jobs"):
        await case.run()
    assert cloud.n_sent == is_in_doubt
    assert case.log is not None
    assert case.log.forward is None


@pytest.mark.parametrize("error", [TryLater("later"), CloudError("lost")])
async def test_a_stop_during_a_submission_leaves_doubt_only_if_there_is_any(
    cloud: Cloud, error: CloudError
) -> None:
    is_sending, may_answer = threading.Event(), threading.Event()

    def submit_id() -> str:
        is_sending.set()
        may_answer.wait(10)
        raise error

    cloud.submit_id = submit_id
    case = Case()
    running = asyncio.create_task(case.run())
    await asyncio.to_thread(is_sending.wait, 10)
    running.cancel()
    await asyncio.sleep(0.05)
    may_answer.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert case.log is not None
    assert (case.log.forward is None) == isinstance(error, TryLater)


@pytest.mark.parametrize(("error", "is_online"), [(KeyRefused, True), (Forbidden, False)])
async def test_a_job_waits_here_while_the_key_is_refused(
    cloud: Cloud, error: type[CloudError], is_online: bool
) -> None:
    def submit_id() -> str:
        raise error("who?")

    cloud.submit_id, cloud.is_online = submit_id, is_online
    case = Case(retry_for_s=0.3)
    with pytest.raises(JobNotStarted, match="who"):
        await case.run()
    assert case.log is not None
    assert case.log.forward is None


# --- each wait ends well -------------------------------------------------------------------------


async def test_a_job_that_is_out_needs_no_rewriting(cloud: Cloud) -> None:
    """The file of its device may be of another kind of cloud since."""
    case = Case(Forward(MARKER, "theirs"))
    cloud.formats, cloud.language = (), "ionq.circuit.v1"
    cloud.result = lambda: ([Failure("worker_died", "it ran there")], 1.0)
    case.circuits = programs.read("openqasm3", LOOP.encode(), Limits()).circuits
    case.full_program = case.full_program._replace(format="openqasm3", source=LOOP.encode())
    result = await case.run()
    assert result.result == (Failure("worker_died", "it ran there"),)


async def test_a_program_that_cannot_be_rewritten_is_not_sent(cloud: Cloud) -> None:
    case = Case()
    cloud.formats, cloud.language = (), "ionq.circuit.v1"
    case.circuits = programs.read("openqasm3", LOOP.encode(), Limits()).circuits
    case.full_program = case.full_program._replace(format="openqasm3", source=LOOP.encode())
    result = await case.run()
    assert isinstance(result.result, Failure)
    assert result.result.code == "invalid_program"
    assert cloud.n_sent == 0


@pytest.mark.parametrize("seconds", [inf, nan, -1.0, 0.0, 1e300])
async def test_a_run_time_that_is_none_is_the_estimated_one(cloud: Cloud, seconds: float) -> None:
    """It is stored and charged: an infinite one could never be stored, and the job never end."""
    cloud.result = lambda: ([outcome()], seconds)
    assert (await Case().run()).seconds == EST_S


async def test_a_job_that_is_not_shown_yet_is_not_lost(cloud: Cloud) -> None:
    n_asked = 0

    def status() -> RemoteStatus | NoSuchJob:
        nonlocal n_asked
        n_asked += 1
        return NoSuchJob("theirs") if n_asked <= 5 else RemoteStatus("completed")

    cloud.status = status
    result = await Case(settle_s=2.0).run()
    assert not isinstance(result.result, Failure)


async def test_a_result_that_is_not_shown_yet_is_not_lost(cloud: Cloud) -> None:
    n_asked = 0

    def result() -> tuple[list[Outcome | Failure], float]:
        nonlocal n_asked
        n_asked += 1
        if n_asked <= 4:
            raise NoSuchJob("theirs")
        return [outcome()], 1.0

    cloud.result = result
    found = await Case(settle_s=1.0).run()
    assert not isinstance(found.result, Failure)


async def test_the_first_valid_result_counts_also_if_it_changes(cloud: Cloud) -> None:
    engines = iter(["", "first", "second"])

    def result() -> tuple[list[Outcome | Failure], float]:
        engine = next(engines)
        if not engine:
            raise InvalidResult("it belongs to another job")
        return [outcome(engine)], 1

    cloud.result = result
    parts = (await Case().run()).result
    assert not isinstance(parts, Failure)
    (part,) = parts
    assert isinstance(part, Encoded)
    assert decode(part).engine == "first"
    assert next(engines) == "second", "it is not read again"


async def test_a_result_that_never_comes_ends_the_job(cloud: Cloud) -> None:
    def result() -> tuple[list[Outcome | Failure], float]:
        raise NoSuchJob("theirs")

    cloud.result = result
    found = await Case().run()
    assert isinstance(found.result, Failure)
    assert found.result.code == "remote_result_invalid"


async def test_a_result_that_is_not_understood_ends_the_job(cloud: Cloud) -> None:
    def result() -> tuple[list[Outcome | Failure], float]:
        malformed: Any = "a part of it"
        return [malformed["counts"]], 1.0

    cloud.result = result
    found = await Case().run()
    assert isinstance(found.result, Failure)
    assert found.result.code == "remote_result_invalid"


async def test_a_job_is_cancelled_as_soon_as_it_is_shown(cloud: Cloud) -> None:
    """A cloud that does not show it yet says the same of its cancellation: there is no such job."""
    n_asked = 0

    def status() -> RemoteStatus | NoSuchJob:
        nonlocal n_asked
        n_asked += 1
        if n_asked <= 4:
            cloud.cancelled.clear()
            return NoSuchJob("theirs")
        return RemoteStatus("cancelled" if cloud.cancelled else "running")

    cloud.status = status
    case = Case(Forward(MARKER, "theirs"), settle_s=5.0)
    case.state = JobState.CANCELLING
    with pytest.raises(StoppedRemotely):
        await case.run()
    assert cloud.cancelled == ["theirs"]


# --- nothing of the key --------------------------------------------------------------------------


async def test_no_text_of_a_result_has_the_key(cloud: Cloud) -> None:
    cloud.result = lambda: ([outcome(f"with {KEY}"), Failure(KEY, f"it is {KEY}")], 1.0)
    result = (await Case().run()).result
    assert not isinstance(result, Failure)
    encoded, failure = result
    assert isinstance(encoded, Encoded)
    found = decode(encoded)
    assert found.engine == found.engine_version == "with …"
    assert failure == Failure("remote_failed", "it is …")


async def test_a_long_name_of_a_device_is_a_valid_engine(cloud: Cloud) -> None:
    """A result with a longer engine would be refused, so no job of such a device could end."""
    cloud.result = lambda: ([outcome("provider:" + 64 * "d")], 1.0)
    result = (await Case().run()).result
    assert not isinstance(result, Failure)
    (encoded,) = result
    assert isinstance(encoded, Encoded)
    assert decode(encoded).engine == 64 * "d"


async def test_an_answer_that_is_not_understood_is_not_in_the_log(
    cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    n_asked = 0

    def status() -> RemoteStatus:
        nonlocal n_asked
        n_asked += 1
        fields: dict[str, Any] = {"state": "completed"} if n_asked > 1 else {KEY: 1}
        return RemoteStatus(**fields)

    cloud.status = status
    with caplog.at_level("INFO"):
        await Case().run()
    assert "TypeError" in caplog.text
    assert "in status" in caplog.text, "it says where"
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    ("said", "understood"), [(None, None), (0, 0), (10**9, 10**9), (-1, None), (10**30, None)]
)
async def test_an_impossible_number_of_waiting_jobs_is_unknown(
    cloud: Cloud, said: int | None, understood: int | None
) -> None:
    cloud.n_waiting = said
    case = Case()
    assert (await case.driver.device_status()).n_waiting == understood
    await case.driver.close()


@pytest.mark.parametrize(("last_qubit", "is_kept"), [(4, True), (5, False)])
async def test_a_calibration_of_more_qubits_than_the_device_has_is_not_stored(
    cloud: Cloud, last_qubit: int, is_kept: bool
) -> None:
    gate = GateFigures(error=0.01, duration_s=1e-6)
    cloud.calibration = Calibration(
        valid_from=datetime(2026, 1, 31, tzinfo=UTC),
        source="there",
        qubit=QubitFigures(t1_s=1.0, t2_s=1.0, one_for_zero=0.0, zero_for_one=0.0),
        one_qubit=gate,
        two_qubit=gate,
        connectivity=((0, last_qubit),),
    )
    case = Case()
    try:
        found = await case.driver.device_status()
    finally:
        await case.driver.close()
    assert found.is_online
    assert (found.calibration is not None) == is_kept


async def test_reads_of_a_device_that_fail_pause_longer_until_one_succeeds(cloud: Cloud) -> None:
    case, errors = Case(), [CloudError("it is too large")] * 5
    errors.append(CloudError("it is busy", retry_after_s=1e9))
    reads = cloud.device_status

    def read() -> RemoteDeviceStatus:
        if errors:
            raise errors.pop(0)
        return reads()

    cloud.device_status = read  # type: ignore[method-assign]  # a cloud of this test
    pauses = [case.driver.status_pause_s]
    for _ in range(7):
        await case.driver.device_status()
        pauses.append(case.driver.status_pause_s)
    await case.driver.close()
    assert pauses == [60.0, 60.0, 120.0, 240.0, 240.0, 240.0, 240.0, 60.0]


async def test_a_read_of_a_device_waits_as_long_as_its_cloud_asks_for(cloud: Cloud) -> None:
    case = Case(mirror_s=1.0)

    def read() -> RemoteDeviceStatus:
        raise CloudError("it is busy", retry_after_s=30.0)

    cloud.device_status = read  # type: ignore[method-assign]  # a cloud of this test
    await case.driver.device_status()
    await case.driver.close()
    assert case.driver.status_pause_s == 30.0
