"""When events are sent, sent again and given up, on a real store against a real receiver."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from qwicket.features.webhooks.delivery import RETRY_S, WebhookSender
from qwicket.features.webhooks.model import DEFAULT_EVENTS, Webhook
from qwicket.features.webhooks.requests import WebhookClient, WebhookResponse
from qwicket.features.webhooks.store import WebhookStore
from qwicket.model.accounts import Token
from qwicket.model.ids import new_id
from qwicket.store import Store
from support.receiver import Receiver, receiving
from support.stores import NOW, add_job, make_token, open_new_sqlite

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = open_new_sqlite(tmp_path)
    await opened.leases.add_runner("me", "server", NOW)
    await opened.leases.add_runner("other", "server", NOW)
    yield opened
    await opened.close()


@pytest.fixture
async def ada(store: Store) -> Token:
    return await make_token(store, "ada")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


async def add(store: Store, token: Token, url: str) -> Webhook:
    new = Webhook(
        *(new_id(NOW), token.account, token.project, url, DEFAULT_EVENTS, None, NOW),
    )
    return await store.feature(WebhookStore).add(new, b"s" * 32)


async def end_a_job(store: Store, token: Token) -> str:
    job = await add_job(store, token)
    await store.jobs.cancel(job.id, actor="ada", now=NOW)
    return job.id


@asynccontextmanager
async def sending(
    store: Store,
    runner: str = "me",
    *,
    failing_s: float = 1000.0,
    concurrent: int = 32,
    max_events: int = 1_000,
) -> AsyncIterator[WebhookSender]:
    sender = WebhookSender(
        *(store, runner, lambda: time.time_ns() // 1_000_000),
        # Long, for a receiver that had no turn on a busy machine: no test here is about it.
        WebhookClient(is_private_allowed=True, timeout_s=10.0),
        retry_s=(0.02, 0.04),
        failing_s=failing_s,
        concurrent=concurrent,
        max_events=max_events,
    )
    task = asyncio.create_task(sender.run())
    try:
        yield sender
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await condition():
            await asyncio.sleep(0.01)


def test_the_pauses_are_those_of_the_documentation() -> None:
    assert RETRY_S == (5, 30, 120, 600, 3_600, 21_600)


async def test_an_event_is_deleted_after_its_last_attempt(
    store: Store, ada: Token, receiver: Receiver
) -> None:
    receiver.answer = lambda _: 500
    await add(store, ada, receiver.url())
    await end_a_job(store, ada)
    async with sending(store) as sender:
        await eventually(lambda: _is_empty(store))
    assert len(receiver.deliveries) == 3
    assert len({each.message for each in receiver.deliveries}) == 1
    assert sender.outcomes == {"delivered": 0, "failed": 2, "dropped": 1, "disabled": 0}
    (found,) = await store.feature(WebhookStore).of_account(ada.account)
    assert found.disabled_at is None
    assert found.last_error == "The receiver responded with the status 500."


async def _is_empty(store: Store) -> bool:
    return await store.feature(WebhookStore).outbox_size() == 0


async def test_a_webhook_whose_deliveries_fail_for_long_is_disabled_with_the_reason(
    store: Store, ada: Token, receiver: Receiver
) -> None:
    receiver.answer = lambda _: 500
    await add(store, ada, receiver.url())
    await end_a_job(store, ada)
    async with sending(store, failing_s=0.03) as sender:
        await eventually(lambda: _is_empty(store))
    assert sender.outcomes["disabled"] == 1
    (found,) = await store.feature(WebhookStore).of_account(ada.account)
    assert found.disabled_at is not None
    assert found.disabled_reason is not None
    assert found.disabled_reason.startswith("All deliveries failed for")
    assert found.disabled_reason.endswith("The receiver responded with the status 500.")


async def test_a_webhook_that_is_too_slow_for_its_events_is_disabled(
    store: Store, ada: Token, receiver: Receiver
) -> None:
    """Otherwise its events would fill the disk: a slow success is no failure."""
    slow, other = await add(store, ada, receiver.url()), await make_token(store, "bob")
    await add(store, other, receiver.url())
    for token in (*5 * (ada,), other):
        await end_a_job(store, token)
    async with sending(store, max_events=4):
        await eventually(lambda: _is_empty(store))
    (found,) = await store.feature(WebhookStore).of_account(ada.account)
    assert found.id == slow.id
    assert found.disabled_reason is not None
    assert "5 events waited, and 4 may wait (limit webhook_events)" in found.disabled_reason
    (kept,) = await store.feature(WebhookStore).of_account(other.account)
    assert kept.disabled_at is None
    assert len(receiver.deliveries) == 1


async def test_a_success_between_failures_keeps_a_webhook(
    store: Store, ada: Token, receiver: Receiver
) -> None:
    receiver.answer = lambda _: 500 if len(receiver.deliveries) % 2 else 200
    await add(store, ada, receiver.url())
    async with sending(store, failing_s=0.01) as sender:
        for _ in range(5):
            await end_a_job(store, ada)
            await eventually(lambda: _is_empty(store))
            (found,) = await store.feature(WebhookStore).of_account(ada.account)
            if found.disabled_at is not None:
                break
    # Each failure is the first one since a success, so the time of failures alone is 0.
    assert sender.outcomes == {"delivered": 5, "failed": 5, "dropped": 0, "disabled": 0}


async def test_a_server_without_the_duty_sends_nothing(
    store: Store, ada: Token, receiver: Receiver
) -> None:
    await add(store, ada, receiver.url())
    assert await store.maintenance.take_duty("webhooks", "other")
    await end_a_job(store, ada)
    async with sending(store, "me"):
        await asyncio.sleep(0.3)
        assert receiver.deliveries == []
        assert await store.feature(WebhookStore).outbox_size() == 1
        await store.leases.void_runner("other", NOW)
        await end_a_job(store, ada)
        await eventually(lambda: _is_empty(store))
    assert len(receiver.deliveries) == 2


async def test_many_slow_receivers_take_turns(store: Store, ada: Token) -> None:
    with receiving() as slow, receiving() as quick:
        slow.answer = lambda _: 500 if slow.closing.wait(0.2) else 503
        for number in range(3):
            await add(store, ada, slow.url(f"/{number}"))
        await add(store, ada, quick.url())
        jobs = [await end_a_job(store, ada) for _ in range(4)]
        async with sending(store, concurrent=2):
            await eventually(lambda: _has(quick, len(jobs)))
            assert slow.most_at_once <= 2
            paths = {each.path for each in slow.deliveries}
            assert paths == {"/0", "/1", "/2"}, "each had its turn"
        assert [each.event["data"]["id"] for each in quick.deliveries] == jobs


async def _has(receiver: Receiver, number: int) -> bool:
    return len(receiver.deliveries) >= number


async def test_without_webhooks_an_ended_job_is_not_looked_up(
    store: Store, ada: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sending(store) as sender:
        await end_a_job(store, ada)
        assert not sender._woken.is_set()


async def test_a_fault_of_our_own_is_not_met_again_at_once(
    store: Store, ada: Token, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    class Faulty(WebhookClient):
        attempts = 0

        async def send(self, *_: object, **__: object) -> WebhookResponse:
            self.attempts += 1
            raise RuntimeError("unforeseen")

    await add(store, ada, receiver.url())
    await end_a_job(store, ada)
    client = Faulty()
    sender = WebhookSender(store, "me", lambda: time.time_ns() // 1_000_000, client)
    task = asyncio.create_task(sender.run())
    async with asyncio.timeout(30):
        while not client.attempts:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)
    assert client.attempts == 1
    assert "unforeseen" in caplog.text
    assert not await _is_empty(store)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
