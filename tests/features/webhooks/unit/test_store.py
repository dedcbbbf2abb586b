from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import structs

from qwicket.features.webhooks.model import DEFAULT_EVENTS, OutgoingEvent, Webhook, WebhookKeys
from qwicket.features.webhooks.store import WebhookStore
from qwicket.model.accounts import Token
from qwicket.model.errors import LimitExceeded, NotFound
from qwicket.model.ids import new_id
from qwicket.model.jobs import Job
from qwicket.schema.webhooks import WebhookEventBody
from qwicket.store import Store, open_postgres
from qwicket.store.database import Tx
from qwicket.store.postgres import PostgresTx
from qwicket.store.sqlite import SQLiteTx
from support.postgres import PostgresServer
from support.stores import NOW, add_job, execute, make_token

pytestmark = pytest.mark.anyio

LATER = NOW + 10**9
SECRET = b"s" * 32


def webhook(token: Token, **changes: Any) -> Webhook:
    new = Webhook(
        id=new_id(NOW),
        account=token.account,
        project=token.project,
        url="https://example.org/hook",
        events=DEFAULT_EVENTS,
        device=None,
        created_at=NOW,
    )
    return structs.replace(new, **changes)


async def added(store: Store, token: Token, **changes: Any) -> Webhook:
    return await store.feature(WebhookStore).add(webhook(token, **changes), SECRET)


async def ended(store: Store, token: Token, **changes: Any) -> Job:
    job = await add_job(store, token, **changes)
    cancelled = await store.jobs.cancel(job.id, actor=token.account, now=NOW)
    assert cancelled is not None
    return cancelled


async def next_event(store: Store, of: Webhook, now: int = LATER) -> OutgoingEvent:
    event = await store.feature(WebhookStore).next_event(of.id, now)
    assert event is not None
    return event


async def sent(store: Store, of: Webhook) -> list[tuple[str, str]]:
    """Deliver all events of a webhook; return their jobs and names."""
    found = []
    while (event := await store.feature(WebhookStore).next_event(of.id, LATER)) is not None:
        body = msgspec.json.decode(event.body, type=WebhookEventBody)
        assert body.data is not None
        assert (event.job, event.version) == (body.data.id, body.data.version)
        found.append((event.job, body.type))
        await store.feature(WebhookStore).record_delivery(event, LATER)
    return found


async def test_the_end_of_a_job_is_in_the_outbox_once_it_is_committed(
    store: Store, ada: Token
) -> None:
    hook = await added(store, ada)
    job = await ended(store, ada, name="bell", tags=("a",))
    event = await next_event(store, hook)
    body = msgspec.json.decode(event.body, type=WebhookEventBody)
    assert body.type == "job.cancelled"
    assert body.data is not None
    assert (body.data.id, body.data.state, body.data.name) == (job.id, "cancelled", "bell")
    assert (event.keys.url, event.keys.secrets) == (hook.url, (SECRET,))
    assert event.message_id == f"msg_{job.id}_{job.version}"
    assert await store.feature(WebhookStore).outbox_size() == 1
    await store.feature(WebhookStore).record_delivery(event, LATER)
    assert await store.feature(WebhookStore).outbox_size() == 0
    (found,) = await store.feature(WebhookStore).of_account(ada.account)
    assert found.delivered_at == LATER


async def test_an_event_is_due_at_once_after_the_clock_was_set_back(
    store: Store, ada: Token
) -> None:
    """Numbers of changes and times of creation rise, so they stay ahead of such a clock."""
    hook = await added(store, ada, events=("job.queued", "job.cancelled"))
    ahead = NOW + 3_600_000
    await add_job(store, ada, now=ahead)
    await store.feature(WebhookStore).record_delivery(await next_event(store, hook, ahead), ahead)
    job = await add_job(store, ada, now=NOW)
    assert (await next_event(store, hook, NOW)).job == job.id
    await store.jobs.cancel(job.id, actor=ada.account, now=NOW + 1)
    assert dict(await store.feature(WebhookStore).backlog()) == {hook.id: NOW}
    assert await sent(store, hook) == [(job.id, "job.queued"), (job.id, "job.cancelled")]


async def test_a_change_that_is_rolled_back_leaves_no_event(store: Store, ada: Token) -> None:
    hook = await added(store, ada)
    job = await add_job(store, ada)

    def cancel_and_fail(tx: Tx) -> None:
        type(store.jobs).cancel(tx, job.id, actor=ada.account, now=NOW)
        raise NotFound("refused")

    with pytest.raises(NotFound):
        await store._database.write(cancel_and_fail)
    assert await store.feature(WebhookStore).next_event(hook.id, LATER) is None


async def test_without_webhooks_no_statement_on_the_outbox_is_run(store: Store, ada: Token) -> None:
    traced: list[str] = []

    def about_the_outbox(tx: Tx) -> bool:
        """Return whether this connection has run such a statement since it was first asked."""
        if isinstance(tx, SQLiteTx):
            tx._connection.set_trace_callback(traced.append)
            return any("webhook_event" in text for text in traced)
        assert isinstance(tx, PostgresTx)  # which prepares each statement that it runs
        return any(b"webhook_event" in text for text, _ in tx._pipeline._prepared)

    assert not await store._database.write(about_the_outbox)
    await ended(store, ada)
    assert not await store._database.write(about_the_outbox)
    await added(store, ada)
    await ended(store, ada)
    assert await store._database.write(about_the_outbox)


@pytest.mark.both_databases
async def test_a_transaction_knows_whether_there_are_webhooks(store: Store, ada: Token) -> None:
    seen: list[bool] = []

    def look(tx: Tx) -> None:
        seen.append(tx.has_webhooks)

    await ended(store, ada)
    await store._database.write(look)
    hook = await added(store, ada)
    await store._database.write(look)
    assert store.feature(WebhookStore).exist
    await store.feature(WebhookStore).remove(hook.id, ada.account)
    await store._database.write(look)
    assert seen == [False, True, False]
    assert await store.feature(WebhookStore).outbox_size() == 0


async def test_another_server_knows_of_a_webhook_at_its_next_commit(
    postgres: PostgresServer,
) -> None:
    with postgres.database() as url:
        one, other = open_postgres(url), open_postgres(url)
        token = await make_token(one, "ada")
        for _ in range(5):
            job = await add_job(other, token)
            hook = await added(one, token)
            # No pause: the very next commit must know, in both directions.
            await other.jobs.cancel(job.id, actor=token.account, now=NOW)
            assert await sent(one, hook) == [(job.id, "job.cancelled")]
            await one.feature(WebhookStore).remove(hook.id, token.account)
            await other.jobs.delete(job.id)
            assert not other.feature(WebhookStore).exist
        await one.close()
        await other.close()


async def test_a_store_that_is_opened_later_knows_of_webhooks(open_store: Any) -> None:
    first = open_store()
    token = await make_token(first, "ada")
    hook = await added(first, token)
    await first.close()
    second = open_store()
    try:
        job = await ended(second, token)
        assert await sent(second, hook) == [(job.id, "job.cancelled")]
    finally:
        await second.close()


async def test_only_events_that_were_asked_for_are_stored(store: Store, ada: Token) -> None:
    everything = await added(store, ada, events=("job.queued", "job.cancelled"))
    elsewhere = await added(store, ada, device="clifford")
    only_running = await added(store, ada, events=("job.running",))
    job = await ended(store, ada)
    await store.jobs.set_name_and_tags(job.id, "other", None, NOW)
    assert await sent(store, everything) == [(job.id, "job.queued"), (job.id, "job.cancelled")]
    assert await sent(store, elsewhere) == []
    assert await sent(store, only_running) == []


async def test_other_projects_and_disabled_accounts_are_not_told(store: Store, ada: Token) -> None:
    ben = await make_token(store, "ben")
    of_ben = await added(store, ben)
    of_ada = await added(store, ada)
    job = await ended(store, ada)
    assert await sent(store, of_ben) == []
    assert await sent(store, of_ada) == [(job.id, "job.cancelled")]
    await store._database.write(
        lambda tx: [execute(tx, f"update account set disabled_at = 1 where id = '{ada.account}'")]
    )
    await ended(store, ada)
    assert await sent(store, of_ada) == []


async def test_an_account_that_left_the_project_is_not_told(store: Store, ada: Token) -> None:
    ben = await make_token(store, "ben")
    hook = await added(store, structs.replace(ben, project=ada.project))
    await ended(store, ada)
    assert await sent(store, hook) == []  # not a member of ada's project


@pytest.mark.both_databases
async def test_a_failed_event_holds_back_only_later_events_of_its_job(
    store: Store, ada: Token
) -> None:
    hook = await added(store, ada, events=("job.queued", "job.cancelled"))
    first = await ended(store, ada)
    event = await next_event(store, hook)
    await store.feature(WebhookStore).record_failure(event, "broken", LATER, retry_at=LATER + 5000)
    second = await ended(store, ada)
    assert await sent(store, hook) == [(second.id, "job.queued"), (second.id, "job.cancelled")]
    assert dict(await store.feature(WebhookStore).backlog()) == {hook.id: LATER + 5000}
    retried = await next_event(store, hook, LATER + 5000)
    assert (retried.job, retried.attempts, retried.failing_since) == (first.id, 1, None)
    assert retried.message_id == event.message_id
    await store.feature(WebhookStore).record_delivery(retried, LATER)
    assert b"job.cancelled" in (await next_event(store, hook, LATER + 5000)).body


async def test_an_event_that_comes_while_its_job_waits_comes_after(
    store: Store, ada: Token
) -> None:
    hook = await added(store, ada, events=("job.queued", "job.cancelled"))
    job = await add_job(store, ada)
    event = await next_event(store, hook)
    await store.feature(WebhookStore).record_failure(event, "broken", LATER, retry_at=LATER + 5000)
    await store.jobs.cancel(job.id, actor=ada.account, now=NOW)
    assert await store.feature(WebhookStore).next_event(hook.id, LATER + 4999) is None
    assert b"job.queued" in (await next_event(store, hook, LATER + 5000)).body


@pytest.mark.both_databases
async def test_an_event_that_is_given_up_is_removed_and_the_failure_stays(
    store: Store, ada: Token
) -> None:
    hook = await added(store, ada)
    await ended(store, ada)
    event = await next_event(store, hook)
    await store.feature(WebhookStore).record_failure(event, "broken", LATER, retry_at=None)
    assert await store.feature(WebhookStore).outbox_size() == 0
    (found,) = await store.feature(WebhookStore).of_account(ada.account)
    assert (found.failing_since, found.last_error, found.disabled_at) == (LATER, "broken", None)
    assert await store.feature(WebhookStore).failing(9) == [(found, "ada")]
    assert await store.feature(WebhookStore).failing(0) == []


@pytest.mark.both_databases
async def test_a_disabled_webhook_gets_nothing_until_it_is_enabled(
    store: Store, ada: Token
) -> None:
    hook = await added(store, ada)
    await ended(store, ada)
    event = await next_event(store, hook)
    await store.feature(WebhookStore).record_failure(
        event, "x", LATER, retry_at=None, disabled="it is gone"
    )
    await ended(store, ada)
    assert await store.feature(WebhookStore).outbox_size() == 0
    (found,) = await store.feature(WebhookStore).of_account(ada.account)
    assert (found.disabled_at, found.disabled_reason) == (LATER, "it is gone")
    await store.feature(WebhookStore).enable(hook.id, LATER)
    job = await ended(store, ada)
    assert await sent(store, hook) == [(job.id, "job.cancelled")]
    (found,) = await store.feature(WebhookStore).of_account(ada.account)
    assert (found.disabled_at, found.failing_since, found.last_error) == (None, None, None)


@pytest.mark.both_databases
async def test_a_replaced_secret_signs_until_its_time(store: Store, ada: Token) -> None:
    hook = await added(store, ada)
    await store.feature(WebhookStore).rotate(hook.id, ada.account, b"n" * 32, until=LATER)
    both = await store.feature(WebhookStore).keys(hook.id, ada.account, LATER - 1)
    assert both.secrets == (b"n" * 32, SECRET)
    assert (await store.feature(WebhookStore).keys(hook.id, ada.account, LATER)).secrets == (
        b"n" * 32,
    )
    with pytest.raises(NotFound):
        await store.feature(WebhookStore).rotate(hook.id, "another account", SECRET, until=LATER)


@pytest.mark.both_databases
async def test_a_project_has_at_most_its_number_of_webhooks(store: Store, ada: Token) -> None:
    await store.feature(WebhookStore).add(webhook(ada), SECRET, maximum=1)
    with pytest.raises(LimitExceeded, match="limit webhooks"):
        await store.feature(WebhookStore).add(webhook(ada), SECRET, maximum=1)


async def test_a_deleted_job_leaves_its_events(store: Store, ada: Token) -> None:
    hook = await added(store, ada)
    job = await ended(store, ada)
    await store.jobs.delete(job.id)
    assert await sent(store, hook) == [(job.id, "job.cancelled")]


def test_no_representation_holds_a_secret() -> None:
    keys = WebhookKeys("https://example.org", b"current", b"former")
    event = OutgoingEvent(
        seq=1, webhook="w", job="j", version=1, body=b"{}", attempts=0, keys=keys,
        failing_since=None,
    )  # fmt: skip
    assert "current" not in repr(event)
    assert "former" not in repr(event)


@pytest.mark.both_databases
async def test_an_account_that_is_purged_has_no_webhooks(store: Store, ada: Token) -> None:
    hook = await added(store, ada)
    await ended(store, ada)
    await store.accounts.delete("ada", "keep", NOW)
    assert await store.feature(WebhookStore).get(hook.id, ada.account) is not None, (
        "it may be restored"
    )
    while await store.maintenance.purge_accounts(NOW + 1):
        pass
    assert await store.feature(WebhookStore).of_account(ada.account) == []
    assert await store.feature(WebhookStore).outbox_size() == 0
