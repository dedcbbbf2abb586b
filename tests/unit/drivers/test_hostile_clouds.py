"""Each kind of cloud, where it answers without bounds: what is read, and what becomes of a job."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, closing
from functools import partial
from typing import Any

import msgspec
import pytest

from qwicket import programs
from qwicket.circuits.frames import frames
from qwicket.circuits.options import RunOptions
from qwicket.circuits.qubit import unpack
from qwicket.clients.http import HTTPClient, Request, bounds
from qwicket.devices.remotes import Remote
from qwicket.drivers.remote import connect
from qwicket.drivers.remote.calls import CloudCalls
from qwicket.drivers.remote.clouds import (
    CloudError,
    InvalidResult,
    NoProof,
    NoSuchJob,
    NotAccepted,
    NotUnderstood,
    Refused,
    RemoteDeviceStatus,
    RemoteProgram,
    RemoteStatus,
)
from qwicket.model.limits import Limits
from qwicket.programs.rewriting import rewrite
from support import hostile_cloud, iqm
from support.hostile_cloud import IN_FLIGHT, Attack, HostileCloud
from support.remotes import ATOMS, BELL, PHOTONS
from support.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.needs_vendors]

KEY = "the-key-of-the-account"
MARKER = "qwicket-01a1fc34-7a5e-7cc3-98c4-dc0c0c07398f"
KINDS = (
    *("ionq", "ibm_qx", "ibm_runtime", "ibm_platform", "qbraid", "qlued", "xanadu", "iqm"),
    *("braket", "qwicket"),
)
LANGUAGES = {"ionq": "ionq.circuit.v1", "ibm_qx": "qobj", "braket": "braket.openqasm3"}
TASK = "arn:aws:braket:us-east-1:123456789012:quantum-task/a"
RESULT_BYTES = 5 << 20
LARGE_BYTES = 6 << 20
"""Bytes of a result that needs the turn of all clouds."""
ENDLESS = (
    hostile_cloud.endless_chunks,
    hostile_cloud.endless_error,
    hostile_cloud.endless_until_close,
    hostile_cloud.endless_chunk_line,
    hostile_cloud.tiny_chunks,
    hostile_cloud.endless_trailers,
    hostile_cloud.endless_headers,
    hostile_cloud.endless_continues,
    hostile_cloud.long_length,
)


def program_of(kind: str) -> RemoteProgram:
    options = RunOptions(shots=4, seed=1, outputs=("counts",))
    read = programs.read("openqasm3", BELL.encode(), Limits())
    format, source = "openqasm3", BELL.encode()
    if kind == "xanadu":
        format, source = "blackbird", PHOTONS.encode()
    elif kind == "qlued":
        format, source = "atoms", msgspec.json.encode(ATOMS)
    elif kind == "iqm":
        format, source = "iqm.circuits", msgspec.json.encode(iqm.body())
    elif kind in LANGUAGES:
        language = LANGUAGES[kind]
        format, source = rewrite(unpack(read.circuits), language)
    shapes = frames("qubit", read.circuits)
    return RemoteProgram(format, source, {}, read.circuits, "qubit", shapes, options)


class Calls:
    """All calls of one kind of cloud, at a hostile one."""

    def __init__(self, kind: str, url: str, timeout_s: float = 20.0) -> None:
        self.remote = Remote(
            kind=kind,
            url=url,
            device="far",
            key_env="KEY",
            timeout_s=timeout_s,
            settle_s=timeout_s,
            region="r" if kind == "braket" else "",
            bucket=f"{url}/bucket" if kind == "braket" else "",
        )
        key, self._id = (f"id {KEY}", TASK) if kind == "braket" else (KEY, "a")
        self.cloud = connect(self.remote, key, ("atoms",))
        self._calls = CloudCalls(KEY, 2)
        self._program = program_of(kind)

    async def submit(self) -> Any:
        return await self._calls.call(self.cloud.submit, self._program, MARKER, lambda: None)

    async def find(self) -> Any:
        return await self._calls.call(self.cloud.find, MARKER, 0)

    async def status(self) -> Any:
        return (await self._calls.call(self.cloud.statuses, [self._id]))[self._id]

    async def result(self) -> Any:
        within = bounds.of_results(RESULT_BYTES)
        return await self._calls.call(self.cloud.outcomes, self._id, self._program, within=within)

    async def device(self) -> Any:
        return await self._calls.call(self.cloud.device_status)

    async def devices(self) -> Any:
        return await self._calls.call(self.cloud.list_devices)

    async def close(self) -> None:
        self._calls.close()
        await asyncio.to_thread(self.cloud.close)


Call = Callable[[Calls], Awaitable[Any]]
CALLS: tuple[Call, ...] = (
    Calls.submit,
    Calls.find,
    Calls.status,
    Calls.result,
    Calls.device,
    Calls.devices,
)


async def outcome_of(call: Callable[[], Awaitable[Any]]) -> Any:
    """Return what a call returns, or the error that drivers may raise."""
    try:
        return await call()
    except (CloudError, Refused, NoSuchJob, NoProof, InvalidResult) as error:
        return error


async def attacked(attack: Attack, kind: str, call: Any, **options: Any) -> tuple[Any, int]:
    """Return the outcome of a call, and the bytes that it took of a hostile cloud."""
    with HostileCloud(attack) as cloud:
        calls = Calls(kind, cloud.url, **options)
        try:
            found = await outcome_of(partial(call, calls))
        finally:
            await calls.close()
        assert cloud.n_attacks or isinstance(found, NoProof), f"{call.__name__} asks nothing"
        return found, cloud.sent_bytes


def notes(kind: str, attack: Any, call: Any, found: Any) -> str:
    return f"{kind} {getattr(attack, '__name__', attack)} {call.__name__}: {found!r}"


def is_open(found: Any) -> bool:
    """Return whether a submission with this outcome leaves open whether the job is there."""
    return isinstance(found, CloudError) and not isinstance(found, NotAccepted)


async def test_no_endless_answer_is_read_beyond_the_bound() -> None:
    every: list[tuple[Attack, Call]] = [(hostile_cloud.endless_chunks, call) for call in CALLS]
    every += [(attack, Calls.status) for attack in ENDLESS[1:]]
    for kind in KINDS:
        for attack, call in every:
            found, sent_bytes = await attacked(attack, kind, call)
            note = notes(kind, attack, call, found)
            within = bounds.of_results(RESULT_BYTES) if call is Calls.result else bounds.SMALL
            assert sent_bytes <= within.wire_bytes + IN_FLIGHT, note
            assert isinstance(found, CloudError | NoProof), note
            assert call is not Calls.submit or is_open(found), note
            if attack is hostile_cloud.endless_chunks and not isinstance(found, NoProof):
                assert "127.0.0.1" in str(found), note
                assert f"{within.max_bytes:,}" in str(found), note
                assert isinstance(found, NotUnderstood) or call in (Calls.submit, Calls.status)


async def test_no_compressed_answer_is_unpacked() -> None:
    for kind in KINDS:
        for call in CALLS:
            found, _ = await attacked(hostile_cloud.compressed, kind, call)
            note = notes(kind, "compressed", call, found)
            assert isinstance(found, NoProof) or "'gzip'" in str(found), note
            assert call is not Calls.submit or is_open(found), note


async def test_json_that_is_too_deep_is_refused_before_it_is_parsed() -> None:
    for kind in KINDS:
        for call in CALLS:
            for status in (200, 500):
                found, _ = await attacked(hostile_cloud.deep(status), kind, call)
                note = notes(kind, status, call, found)
                said = "deeper than 64 levels" if status == 200 else str(status)
                assert isinstance(found, NoProof) or said in str(found), note
                assert call is not Calls.submit or is_open(found), note


async def test_an_answer_that_drips_ends_with_the_timeout() -> None:
    async def drip(kind: str, call: Any) -> None:
        found, sent_bytes = await attacked(hostile_cloud.drip, kind, call, timeout_s=1.0)
        note = notes(kind, "drip", call, found)
        assert isinstance(found, CloudError | NoProof), note
        assert sent_bytes < 1000, note
        assert call is not Calls.submit or is_open(found), note

    await asyncio.gather(*(drip(kind, call) for kind in KINDS for call in CALLS))


WRONG: tuple[Any, ...] = (
    None,
    True,
    "text",
    -1,
    float("nan"),
    float("inf"),
    1e308,
    10**400,
    [None],
    {},
    {"": {}},
)
FIELDS = tuple(
    """
    id job_id jobQrn status state jobs data results result next limit tags name metadata marker
    created_at creationDate submitted_at error failure error_message message code detail devices
    queue queue_depth queueDepth length_queue lengthQueue qubits numberQubits n_qubits backend
    backends qrn pending_jobs operational display_name target up parts counts probabilities memory
    seconds time_taken execution_duration_ms timeStamps resultData measurementCounts child_job_ids
    gates config family formats max_shots maxShots calibration properties __value__ pub_results
    output running_time started_at finished_at job access_token urls quantumTaskArn quantumTasks
    nextToken deviceArn deviceStatus deviceCapabilities deviceQueueInfo failureReason
    """.split()  # noqa: SIM905 - a list of words reads better so
)


@pytest.mark.extended
async def test_a_wrong_type_in_any_field_is_an_error_that_drivers_expect() -> None:
    answers = [value for value in WRONG if value != {}]
    answers += [dict.fromkeys(FIELDS, value) for value in WRONG]
    answers += [{"data": dict.fromkeys(FIELDS, value)} for value in WRONG]
    lists = ("jobs", "data", "results", "devices", "backends")
    answers += [{key: [dict.fromkeys(FIELDS, value)] for key in lists} for value in WRONG]
    answers += [[dict.fromkeys(FIELDS, value)] for value in WRONG]
    expected: tuple[type, ...] = (
        CloudError,
        Refused,
        NoSuchJob,
        NoProof,
        InvalidResult,
        RemoteStatus,
    )
    may_be: dict[Any, tuple[type, ...]] = {
        Calls.submit: (str,),
        Calls.find: (str, type(None), *expected),
        Calls.status: expected,
        Calls.result: (tuple, *expected),
        Calls.device: (RemoteDeviceStatus, *expected),
        Calls.devices: (list, *expected),
    }
    for kind in KINDS:
        attacks = [hostile_cloud.json_of(answer) for answer in answers]
        with HostileCloud(lambda *args, left=attacks: left[-1](*args)) as cloud:
            calls = Calls(kind, cloud.url)
            while attacks:
                for call in CALLS:
                    found = await outcome_of(partial(call, calls))
                    note = notes(kind, f"{answers[len(attacks) - 1]!r:.300}", call, found)
                    is_expected = isinstance(found, may_be[call])
                    assert is_expected or (call is Calls.submit and is_open(found)), note
                attacks.pop()
            await calls.close()


async def test_of_a_huge_list_of_devices_few_are_asked_for() -> None:
    names = [f"device-{k}" for k in range(50_000)]
    for kind in KINDS:
        listed = {"devices": names, "data": names, "backends": names}
        with HostileCloud(hostile_cloud.json_of(listed)) as cloud:
            calls = Calls(kind, cloud.url)
            found = await outcome_of(calls.devices)
            await calls.close()
            assert isinstance(found, CloudError | list), f"{kind}: {found!r}"
            assert cloud.n_attacks < 5, f"{kind}: {found!r:.300}"
            if kind == "ibm_runtime":
                assert str(found) == "its list has 50,000 devices; at most 1,000 are read"


async def test_json_of_too_many_lists_is_refused_before_it_is_parsed() -> None:
    for kind in KINDS:
        for item in [dict[str, Any](), list[Any]()]:
            with HostileCloud(hostile_cloud.json_of({"data": [item] * 600_000})) as cloud:
                calls = Calls(kind, cloud.url)
                found = await outcome_of(calls.device)
                await calls.close()
                assert "at most 100,000 are read" in str(found), f"{kind}: {found!r:.300}"


async def test_json_of_another_encoding_is_refused_before_it_is_parsed() -> None:
    # A byte of each ∀ is that of a quote, so the lists between them look like text.
    hidden = {"data": ["\u2200", *[[]] * 200_000, "\u2200"]}
    for kind in KINDS:
        for encoding in ("utf-16", "utf-16-be", "utf-32"):
            found, _ = await attacked(hostile_cloud.json_of(hidden, encoding), kind, Calls.device)
            assert "another encoding than UTF-8" in str(found), f"{kind}: {found!r:.300}"


class Loader:
    """Calls of one cloud whose responses stay in memory until `release` is set."""

    def __init__(self, url: str) -> None:
        self._client = HTTPClient(url, ValueError)
        self._calls = CloudCalls(KEY, 4)
        self.n_loaded = 0
        self.release = threading.Event()

    async def load(self) -> None:
        await self._calls.call(self._load, within=bounds.of_results(16 << 20))

    def _load(self) -> None:
        self._client.exchange(Request("GET", "/", {}, None, 60.0))
        self.n_loaded += 1
        assert self.release.wait(30)

    def stop(self) -> None:
        self._calls.close()

    def close(self) -> None:
        self.release.set()
        self.stop()
        self._client.close()


async def test_one_large_result_is_in_memory_at_a_time_and_no_cloud_delays_others() -> None:
    with ExitStack() as stack:

        def loader(attack: Attack) -> tuple[Loader, HostileCloud]:
            cloud = stack.enter_context(HostileCloud(attack))
            return stack.enter_context(closing(Loader(cloud.url))), cloud

        endless, endless_cloud = loader(hostile_cloud.large_and_then_drip)
        first, _ = loader(hostile_cloud.spaces(LARGE_BYTES))
        second, second_cloud = loader(hostile_cloud.spaces(LARGE_BYTES))
        small, _ = loader(hostile_cloud.spaces(1 << 20))
        never = asyncio.create_task(endless.load())
        await is_so(lambda: endless_cloud.sent_bytes > LARGE_BYTES)
        loads = [asyncio.create_task(first.load())]
        await is_so(lambda: first.n_loaded == 1)
        loads.append(asyncio.create_task(second.load()))
        await is_so(lambda: second_cloud.sent_bytes > LARGE_BYTES)
        small.release.set()
        await small.load()
        assert second.n_loaded == 0, "two large results are in memory"
        second.release.set()
        first.release.set()
        await asyncio.gather(*loads)
        assert not never.done()
    await never  # its cloud has closed the connection


async def test_a_call_that_waits_for_its_turn_ends_when_its_device_is_closed() -> None:
    with HostileCloud(hostile_cloud.spaces(1 << 20)) as cloud, closing(Loader(cloud.url)) as loader:
        first, second = (asyncio.create_task(loader.load()) for _ in range(2))
        await is_so(lambda: loader.n_loaded == 1 and cloud.n_attacks == 2)
        loader.stop()
        await asyncio.wait({first, second}, return_when=asyncio.FIRST_COMPLETED)
        loader.release.set()
        ended = await asyncio.gather(first, second, return_exceptions=True)
        assert sorted(str(each) for each in ended) == ["None", "the device was closed"]


async def is_so(condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(until, condition, "the condition of the test")
