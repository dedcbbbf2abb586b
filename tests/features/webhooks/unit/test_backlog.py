"""Events of tiny jobs, which the dispatcher takes with their submission."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qwicket.features.webhooks.model import Webhook
from qwicket.features.webhooks.store import WebhookStore
from qwicket.model.accounts import Token
from qwicket.scheduling import Dispatcher
from qwicket.store import Store
from qwicket.store.database import Tx
from support.stores import NOW, execute
from unit.scheduling.test_backlog import ada, backlog_s, dispatcher, driver, store, submit

__all__ = ["ada", "backlog_s", "dispatcher", "driver", "store"]

pytestmark = pytest.mark.anyio


async def test_webhooks_are_told_that_it_was_queued_before_it_ran(
    store: Store, ada: Token, dispatcher: Dispatcher
) -> None:
    events = ("job.queued", "job.running")
    account, project = ada.account, ada.project
    await store.feature(WebhookStore).add(
        Webhook("hook", account, project, "https://example.org", events, None, NOW), b"secret"
    )
    job = await submit(store, ada)

    def sent(tx: Tx) -> list[Any]:
        return execute(tx, "select version, body from webhook_event order by seq")

    bodies = [(version, json.loads(body)) for version, body in await store._database.read(sent)]
    assert [(version, body["type"]) for version, body in bodies] == [
        (1, "job.queued"),
        (2, "job.running"),
    ]
    assert [body["data"]["started_at"] is None for _, body in bodies] == [True, False]
    assert {body["data"]["id"] for _, body in bodies} == {job.id}
