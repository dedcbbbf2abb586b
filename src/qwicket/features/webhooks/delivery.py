"""Sends the events of the outbox, a table of the database, to webhooks.

Of several servers with one database, only the one that has this duty sends.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Final

from qwicket.features.webhooks.requests import GONE, WebhookClient
from qwicket.features.webhooks.store import WebhookStore
from qwicket.model.errors import QwicketError
from qwicket.model.limits import Limits
from qwicket.scheduling.forward_log import log_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prometheus_client.metrics_core import Metric

    from qwicket.features.webhooks.model import OutgoingEvent
    from qwicket.features.webhooks.requests import WebhookResponse
    from qwicket.gateway import Gateway
    from qwicket.store import JobChange, Store

RETRY_S: Final = (5, 30, 120, 600, 3_600, 21_600)
"""Seconds between the attempts to send an event; after the last attempt the event is deleted."""
FAILING_S: Final = 5 * 86_400
"""Seconds since the first failure after which a webhook without a success since is disabled."""
_DUTY: Final = "webhooks"
_CONCURRENT: Final = 32
_MAX_EVENTS: Final = Limits().quotas.webhook_events
_COUNT_S: Final = 60.0
"""Pause between two counts of waiting events, which read the whole outbox."""
_POLL_S: Final = 5.0
"""Longest pause before the outbox is looked at again."""
_GATHER_S: Final = 0.02
"""Least pause between two reads of the outbox, so that a busy queue causes few reads."""

_log = logging.getLogger(__name__)


class WebhookSender:
    """Sends each event until its receiver takes it or `retry_s` ends.

    The events of one job to one webhook keep their order; one may be delivered twice, for example
    after a power cut. Each webhook has at most one request at a time. Webhooks take turns if more
    than `concurrent` have events, so a slow receiver delays only its own events.

    Args:
        store: The database.
        runner: This server's runner.
        now_ms: Clock; returns Unix milliseconds.
        client: Sends the requests.
        retry_s: As `RETRY_S`.
        failing_s: As `FAILING_S`.
        concurrent: Limit on requests at a time.
        max_events: Events of one webhook that may wait; a webhook with more is disabled.

    Attributes:
        outcomes: Number of attempts by outcome.
    """

    @classmethod
    def from_gateway(cls, gateway: Gateway) -> WebhookSender:
        """Return the sender of a gateway's server."""
        return cls(
            gateway.store,
            gateway.runner,
            gateway.now_ms,
            gateway.feature(WebhookClient),
            max_events=gateway.limits.quotas.webhook_events,
        )

    def __init__(
        self,
        store: Store,
        runner: str,
        now_ms: Callable[[], int],
        client: WebhookClient,
        *,
        retry_s: Sequence[float] = RETRY_S,
        failing_s: float = FAILING_S,
        concurrent: int = _CONCURRENT,
        max_events: int = _MAX_EVENTS,
    ) -> None:
        self._store = store
        self._webhooks = store.feature(WebhookStore)
        self._runner = runner
        self._now_ms = now_ms
        self._client = client
        self._retry_s = retry_s
        self._failing_ms = int(1000 * failing_s)
        self._max_events = max_events
        self._counted_at = -inf
        self._slots = asyncio.Semaphore(concurrent)  # serves its waiters in order
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()
        self.outcomes = Counter[str](delivered=0, failed=0, dropped=0, disabled=0)

    async def run(self) -> None:
        """Send what is due, for ever."""
        stop = self._store.changes.listen(self._on_change)
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    try:
                        pause_s = await self._start_due(group)
                    except Exception as error:
                        log_failure("the outbox of webhooks cannot be read", error)
                        pause_s = _POLL_S
                    await self._wait(pause_s)
        finally:
            stop()

    def _on_change(self, change: JobChange) -> None:
        if self._webhooks.exist and not change.keeps_state:
            self._woken.set()

    async def _wait(self, pause_s: float) -> None:
        try:
            async with asyncio.timeout(pause_s):
                await self._woken.wait()
        except TimeoutError:
            pass
        self._woken.clear()
        await asyncio.sleep(_GATHER_S)

    async def _start_due(self, group: asyncio.TaskGroup) -> float:
        """Start a task for each webhook with an event that is due; return the seconds to wait."""
        if not self._webhooks.exist:  # a read would wake up threads of an idle server
            return _POLL_S
        backlog = await self._webhooks.backlog()
        now = self._now_ms()
        due = [webhook for webhook, at in backlog if at <= now]
        if due and not await self._has_duty():
            return _POLL_S
        if due and monotonic() - self._counted_at >= _COUNT_S:
            self._counted_at = monotonic()
            await self._disable_overfull(now)
        for webhook in due:
            if webhook not in self._tasks:
                self._tasks[webhook] = group.create_task(self._send_due(webhook))
        later = [at - now for _, at in backlog if at > now]
        return min(_POLL_S, min(later, default=inf) / 1000)

    async def _disable_overfull(self, now: int) -> None:
        """Disable webhooks that are too slow for their events; a slow success is no failure."""
        for webhook, number in await self._webhooks.beyond(self._max_events):
            reason = (
                f"{number} events waited, and {self._max_events} may wait (limit webhook_events):"
                " the receiver is too slow."
            )
            self.outcomes["disabled"] += 1
            await self._webhooks.disable(webhook, reason, now)

    async def _has_duty(self) -> bool:
        return await self._store.maintenance.take_duty(_DUTY, self._runner)

    async def _send_due(self, webhook: str) -> None:
        """Send the events of one webhook that are due, one after the other."""
        try:
            while True:
                async with self._slots:
                    # Each time, because another server may have taken the duty in the meantime.
                    if not await self._has_duty():
                        return
                    event = await self._webhooks.next_event(webhook, self._now_ms())
                    if event is None:
                        return
                    await self._send(event)
        except QwicketError:
            _log.warning("the outbox of webhooks cannot be used and is tried again")
        except Exception:
            _log.exception("an event could not be sent to the webhook %s", webhook)
            await asyncio.sleep(_POLL_S)  # a bug here would fail each attempt
        finally:
            del self._tasks[webhook]
            self._woken.set()  # an event may have come since the last read

    async def _send(self, event: OutgoingEvent) -> None:
        response = await self._client.send(event.keys, event.message_id, event.body)
        now = self._now_ms()
        if response.is_success:
            self.outcomes["delivered"] += 1
            await self._webhooks.record_delivery(event, now)
            return
        disabled = self._reason_to_disable(event, response, now)
        is_last = event.attempts >= len(self._retry_s)
        retry_at = None if is_last else now + int(1000 * self._retry_s[event.attempts])
        self.outcomes["disabled" if disabled else "dropped" if is_last else "failed"] += 1
        await self._webhooks.record_failure(
            event, response.error, now, retry_at=retry_at, disabled=disabled
        )

    def _reason_to_disable(
        self, event: OutgoingEvent, response: WebhookResponse, now: int
    ) -> str | None:
        if response.status == GONE:
            return "The receiver responded with the status 410, which means that it is gone."
        if event.failing_since is not None and now - event.failing_since >= self._failing_ms:
            days = self._failing_ms / 86_400_000
            return f"All deliveries failed for {days:g} days. {response.error}"
        return None


async def run(gateway: Gateway) -> None:
    """Send what is due, as long as the server runs."""
    await gateway.feature(WebhookSender).run()


async def metrics(gateway: Gateway) -> list[Metric]:
    """Return the metrics of webhooks."""
    from qwicket.server.exposition import counters, gauge  # late: only a scrape needs it

    webhooks = gateway.store.feature(WebhookStore)
    outbox = await webhooks.outbox_size() if webhooks.exist else 0
    return [
        counters(
            "qwicket_webhook_deliveries",
            "Attempts of this server to send an event to a webhook, by outcome",
            "outcome",
            gateway.feature(WebhookSender).outcomes,
        ),
        gauge("qwicket_webhook_outbox", "Events that wait to be sent to webhooks", outbox),
    ]
