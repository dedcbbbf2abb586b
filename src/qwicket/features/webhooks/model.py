"""Webhooks: addresses that receive events when jobs change. Times are Unix milliseconds in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from qwicket.model.states import FINAL, JobState

EVENTS: Final[Mapping[JobState, str]] = MappingProxyType({
    state: f"job.{state}"
    for state in (
        *(JobState.QUEUED, JobState.RUNNING, JobState.COMPLETED),
        *(JobState.FAILED, JobState.CANCELLED),
    )
})  # fmt: skip
"""Names of events by the state that a job has reached."""
DEFAULT_EVENTS: Final = tuple(name for state, name in EVENTS.items() if state in FINAL)
TEST_EVENT: Final = "webhook.test"
SECRET_BYTES: Final = 32
"""The specification Standard Webhooks asks for 24 to 64."""


class Webhook(msgspec.Struct, frozen=True):
    """A webhook without its secrets.

    Attributes:
        project: It receives the events of this project's jobs.
        events: Names of the events that it receives.
        device: The only device whose events it receives; None for all.
        delivered_at: Time of the last successful delivery.
        failing_since: Time of the first failure after `delivered_at`; None while deliveries
            succeed.
        last_error: Reason of the last failure.
        disabled_at: Time since which nothing but tests is sent; None while it is active.
    """

    id: str
    account: str
    project: str
    url: str
    events: tuple[str, ...]
    device: str | None
    created_at: int
    delivered_at: int | None = None
    failing_since: int | None = None
    last_error: str | None = None
    disabled_at: int | None = None
    disabled_reason: str | None = None


class WebhookKeys(msgspec.Struct, frozen=True):
    """Address of a webhook, and the keys that sign what is sent to it."""

    url: str
    secret: bytes
    former_secret: bytes | None

    def __repr__(self) -> str:
        return "<WebhookKeys>"

    @property
    def secrets(self) -> tuple[bytes, ...]:
        return (self.secret,) if self.former_secret is None else (self.secret, self.former_secret)


class OutgoingEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event in the outbox, and where it is sent.

    Attributes:
        seq: Its number in the outbox.
        version: The job's version after the change that the event reports.
        attempts: Number of failed attempts.
        failing_since: As for `Webhook`.
    """

    seq: int
    webhook: str
    job: str
    version: int
    body: bytes
    attempts: int
    keys: WebhookKeys
    failing_since: int | None

    @property
    def message_id(self) -> str:
        """Id of the message, the same in each attempt."""
        return f"msg_{self.job}_{self.version}"
