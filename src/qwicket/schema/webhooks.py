"""Bodies of webhooks: their registration, and the events that are sent to them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from qwicket.schema.base import Id, RedactedRepr, ResponseBody, ResponsePart, ShortText, State
from qwicket.schema.jobs import ErrorBody

Event = Literal["job.queued", "job.running", "job.completed", "job.failed", "job.cancelled"]


class AddWebhookBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/webhooks`: an address for events of the jobs of the token's project.

    Attributes:
        url: Address that receives the events; `https://…`, or `http://…` if the server allows
            private addresses.
        events: Events to send; by default those of ended jobs.
        device: The only device whose jobs the events are about; null for all.
    """

    url: str
    events: Annotated[tuple[Event, ...], msgspec.Meta(min_length=1, max_length=5)] = (
        "job.completed",
        "job.failed",
        "job.cancelled",
    )
    device: ShortText | None = None


class WebhookBody(ResponsePart, frozen=True, kw_only=True):
    """A webhook without its secret. Times are ISO 8601 in UTC, or null.

    Attributes:
        id: Id of the webhook.
        url: Address that receives the events.
        events: Events that are sent.
        device: The only device whose jobs they are about; null for all.
        project: Name of the project whose jobs they are about.
        created_at: Time of its creation.
        delivered_at: Time of the last successful delivery.
        failing_since: Time of the first failure after `delivered_at`; null while deliveries
            succeed.
        last_error: Reason of the last failure.
        disabled_at: Time since which nothing is sent; null while the webhook is active.
        disabled_reason: Why nothing is sent.
    """

    id: str
    url: str
    events: tuple[str, ...]
    device: str | None
    project: str
    created_at: str | None
    delivered_at: str | None
    failing_since: str | None
    last_error: str | None
    disabled_at: str | None
    disabled_reason: str | None


class NewWebhookBody(WebhookBody, RedactedRepr, frozen=True, kw_only=True):
    """A webhook with its new secret.

    Attributes:
        secret: Key of its signatures, `whsec_…`; no other response contains it.
    """

    secret: str


class WebhookList(ResponseBody, frozen=True, kw_only=True):
    """The webhooks of an account, the oldest first.

    Attributes:
        webhooks: All of them; a token for some devices reads only those for one of its devices.
    """

    webhooks: tuple[WebhookBody, ...]


class WebhookTestBody(ResponseBody, frozen=True, kw_only=True):
    """Response of the receiver to an event that was sent as a test.

    Attributes:
        delivered: Whether the receiver responded with a status from 200 to 299.
        status: Status of the response; null if there was none.
        body: The first 1,024 bytes of the response's body, as text.
        error: Why the delivery failed; empty if it succeeded.
        seconds: Time in seconds until the response or the failure.
    """

    delivered: bool
    status: int | None
    body: str
    error: str
    seconds: float


class EventJob(msgspec.Struct, frozen=True, kw_only=True):
    """The job of an event, as it was after the change.

    Attributes:
        id: Id of the job.
        state: State of the job.
        version: Number that rises with each change of the job.
        device: Name of the device.
        group: Id of its group; null without one.
        name: Name as submitted.
        tags: Tags as submitted.
        created_at: Time of the submission.
        started_at: Time of its first start.
        ended_at: Time of its end.
        error: Reason of its failure; null if it has not failed.
    """

    id: Id
    state: State
    version: int
    device: str
    group: str | None
    name: str
    tags: tuple[str, ...]
    created_at: str | None
    started_at: str | None
    ended_at: str | None
    error: ErrorBody | None


class WebhookEventBody(msgspec.Struct, frozen=True, kw_only=True):
    """Body of an event that is sent to a webhook.

    Attributes:
        type: Name of the event, such as `job.completed`; of a test `webhook.test`.
        timestamp: Time of the change.
        data: The job after the change; null in a test.
    """

    type: str
    timestamp: str
    data: EventJob | None
