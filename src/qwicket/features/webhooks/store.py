"""Operations on webhooks, and on the events that are to be sent to them.

`record_events` writes the events of a commit in that commit. While there is no webhook it runs no
statement: a transaction knows whether there are webhooks (`Tx.has_webhooks`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from qwicket.features.webhooks.model import EVENTS, OutgoingEvent, Webhook, WebhookKeys
from qwicket.model.errors import LimitExceeded
from qwicket.model.jobs import as_queued
from qwicket.model.limits import INT64_MAX
from qwicket.schema.jobs import ErrorBody
from qwicket.schema.webhooks import EventJob, WebhookEventBody
from qwicket.store.operations import Operations, read, scan, write, write_unflushed
from qwicket.store.rows import existing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qwicket.model.jobs import Job
    from qwicket.store.changes import JobChange
    from qwicket.store.database import Row, Tx

_UNKNOWN: Final = "There is no such webhook."
_EVENTS: Final = Webhook.__struct_fields__.index("events")


class WebhookStore(Operations):
    """Operations on webhooks and their outbox."""

    @property
    def exist(self) -> bool:
        """Whether there were webhooks at the last commit of this server."""
        return self._database.has_webhooks

    @write
    def add(tx: Tx, new: Webhook, secret: bytes, *, maximum: int = INT64_MAX) -> Webhook:
        """Store a webhook, which receives the events of all commits from this one on.

        Raises:
            LimitExceeded: The project has `maximum` webhooks.
        """
        row = tx.one(
            "webhook_add",
            id=new.id,
            account=new.account,
            project=new.project,
            url=new.url,
            events=f"|{'|'.join(new.events)}|",
            device=new.device,
            secret=secret,
            now=new.created_at,
            maximum=maximum,
        )
        if row is None:
            raise LimitExceeded(
                f"The project has {maximum} webhooks (limit webhooks): remove some.", field="url"
            )
        tx.has_webhooks = True
        return _webhook(row)

    @read
    def get(tx: Tx, webhook: str, account: str) -> Webhook | None:
        row = tx.one("webhook_get", id=webhook, account=account)
        return _webhook(row) if row else None

    @scan
    def of_account(tx: Tx, account: str) -> list[Webhook]:
        """Return an account's webhooks, oldest first."""
        return [_webhook(row) for row in tx.all("webhook_list", account=account)]

    @scan
    def failing(tx: Tx, limit: int) -> list[tuple[Webhook, str]]:
        """Return the webhooks that have failed longest, with the names of their accounts."""
        return [(_webhook(row[:-1]), row[-1]) for row in tx.all("webhook_failing", limit=limit)]

    @write
    def remove(tx: Tx, webhook: str, account: str) -> None:
        """Delete a webhook, and the events that were still to be sent to it."""
        tx.run("webhook_delete", id=webhook, account=account)
        tx.webhooks_were_removed = True

    @write
    def rotate(tx: Tx, webhook: str, account: str, secret: bytes, *, until: int) -> Webhook:
        """Replace the secret of a webhook; the former one signs, too, until `until` (Unix ms).

        Raises:
            NotFound: The account has no such webhook.
        """
        row = tx.one("webhook_rotate", id=webhook, account=account, secret=secret, until=until)
        return _webhook(existing(row, _UNKNOWN))

    @read
    def keys(tx: Tx, webhook: str, account: str, now: int) -> WebhookKeys:
        """Return the address of a webhook and its keys.

        Raises:
            NotFound: The account has no such webhook.
        """
        row = tx.one("webhook_keys", id=webhook, account=account, now=now)
        return WebhookKeys(*existing(row, _UNKNOWN))

    @write
    def enable(tx: Tx, webhook: str, now: int) -> None:
        """Send events to a webhook again, after a successful test."""
        tx.run("webhook_enable", webhook=webhook, now=now)

    @scan
    def backlog(tx: Tx) -> list[tuple[str, int]]:
        """Return the webhooks with events to send, and when the first event of each is due.

        The webhook whose event is due first comes first.
        """
        found = [(webhook, due_at) for webhook, due_at in tx.all("webhook_backlog")]
        return sorted(found, key=lambda each: each[1])

    @read
    def next_event(tx: Tx, webhook: str, now: int) -> OutgoingEvent | None:
        """Return the event to send now to a webhook, if there is one."""
        row = tx.one("webhook_event_next", webhook=webhook, now=now)
        if row is None:
            return None
        seq, webhook, job, version, body, attempts, url, secret, former_secret, failing_since = row
        return OutgoingEvent(
            seq=seq,
            webhook=webhook,
            job=job,
            version=version,
            body=body.encode(),
            attempts=attempts,
            keys=WebhookKeys(url, secret, former_secret),
            failing_since=failing_since,
        )

    @write_unflushed
    def record_delivery(tx: Tx, event: OutgoingEvent, now: int) -> None:
        """Remove an event that was delivered. After a power cut it may be sent again."""
        tx.run("webhook_event_delete", seq=event.seq)
        tx.run("webhook_delivered", webhook=event.webhook, now=now)

    @write_unflushed
    def record_failure(
        tx: Tx,
        event: OutgoingEvent,
        error: str,
        now: int,
        *,
        retry_at: int | None,
        disabled: str | None = None,
    ) -> None:
        """Record that an attempt failed.

        Args:
            tx: The transaction.
            event: The event.
            error: Reason of the failure.
            now: Unix milliseconds.
            retry_at: Unix milliseconds of the next attempt; None deletes the event.
            disabled: Reason for sending nothing more to the webhook, whose events are then deleted;
                None leaves it active.
        """
        tx.run("webhook_failed", webhook=event.webhook, error=error, now=now)
        if disabled is not None:
            WebhookStore.disable(tx, event.webhook, disabled, now)
        elif retry_at is None:
            tx.run("webhook_event_delete", seq=event.seq)
        else:
            tx.run("webhook_event_count_attempt", seq=event.seq)
            tx.run("webhook_event_postpone", webhook=event.webhook, job=event.job, due=retry_at)

    @scan
    def beyond(tx: Tx, maximum: int) -> list[tuple[str, int]]:
        """Return the webhooks for which more than `maximum` events wait, and how many."""
        return [(webhook, n) for webhook, n in tx.all("webhook_event_beyond", maximum=maximum)]

    @write_unflushed
    def disable(tx: Tx, webhook: str, reason: str, now: int) -> None:
        """Send nothing more to a webhook, and delete its events."""
        tx.run("webhook_disable", webhook=webhook, reason=reason, now=now)
        tx.run("webhook_event_delete_all", webhook=webhook)

    @scan
    def outbox_size(tx: Tx) -> int:
        """Return the number of events that are to be sent."""
        row = tx.one("webhook_event_total")
        return int(row[0]) if row else 0


def record_events(tx: Tx, changes: Iterable[JobChange]) -> None:
    """Store the events of a commit's changes for the webhooks that ask for them."""
    if not tx.has_webhooks:
        return
    for change in changes:
        job = change.row
        if job is None or change.keeps_state:
            continue
        if change.is_start:
            _record_event(tx, as_queued(job), change.written_at)
        _record_event(tx, job, change.written_at)


def _record_event(tx: Tx, job: Job, written_at: int) -> None:
    event = EVENTS.get(job.state)
    if event is None:
        return
    tx.run(
        "webhook_event_add",
        job=job.id,
        version=job.version,
        event=f"|{event}|",
        project=job.project,
        device=job.device,
        # Not the change's number, which runs ahead of a clock that was set back.
        now=written_at,
        body=_body(event, job),
    )


def _body(event: str, job: Job) -> str:
    error = ErrorBody(job.error_code, job.error_text or "") if job.error_code else None
    data = EventJob(
        id=job.id,
        state=job.state,
        version=job.version,
        device=job.device,
        group=job.group,
        name=job.name,
        tags=job.tags,
        created_at=_time(job.created_at),
        started_at=_time(job.started_at),
        ended_at=_time(job.ended_at),
        error=error,
    )
    # A change's number is about its time in microseconds, and rises with each change.
    timestamp = _time(job.change // 1000) or ""
    return msgspec.json.encode(
        WebhookEventBody(type=event, timestamp=timestamp, data=data)
    ).decode()


def _time(at_ms: int | None) -> str | None:
    if at_ms is None:
        return None
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")


def _webhook(row: Row) -> Webhook:
    values = list(row)
    values[_EVENTS] = tuple(row[_EVENTS].strip("|").split("|"))
    return Webhook(*values)
