"""Webhooks: addresses that receive events when jobs of a project change."""

from __future__ import annotations

import base64
import secrets
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from qwicket.features.webhooks.model import SECRET_BYTES, TEST_EVENT, Webhook
from qwicket.features.webhooks.public_addresses import is_public, literal_address
from qwicket.features.webhooks.requests import WebhookClient
from qwicket.features.webhooks.store import WebhookStore
from qwicket.gateway.refusals import existing_device
from qwicket.gateway.retries import retry_until_known
from qwicket.model.accounts import Scope
from qwicket.model.errors import (
    Forbidden,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    TooManyRequests,
)
from qwicket.model.ids import new_id
from qwicket.schema.webhooks import WebhookEventBody

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from qwicket.features.webhooks.requests import WebhookResponse
    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor
    from qwicket.model.limits import Limits
    from qwicket.store import Store

FORMER_SECRET_MS: Final = 24 * 3_600 * 1_000
"""Time in milliseconds for which events are also signed with a replaced secret."""
_MAX_TESTS: Final = 16
"""Limit on tests at the same time, of all accounts."""
_NOT_FOUND: Final = "There is no such webhook."


class NewWebhook(NamedTuple):
    """A webhook and its new secret, which cannot be read again."""

    webhook: Webhook
    secret: str

    def __repr__(self) -> str:
        return f"<NewWebhook {self.webhook.id}>"


class Webhooks:
    """Register, list, test and remove webhooks of an account.

    Webhooks of other accounts count as unknown. A token that is for some devices sees only the
    webhooks of these devices.
    """

    @classmethod
    def from_gateway(cls, gateway: Gateway) -> Webhooks:
        """Return the service of a gateway."""
        client = gateway.feature(WebhookClient)
        return cls(gateway.store, client, gateway.limits, gateway.now_ms)

    def __init__(
        self, store: Store, client: WebhookClient, limits: Limits, now_ms: Callable[[], int]
    ) -> None:
        self._store = store
        self._webhooks = store.feature(WebhookStore)
        self._client = client
        self._limits = limits
        self._now_ms = now_ms
        self._being_tested: set[str] = set()

    async def add(
        self, actor: Actor, url: str, events: Sequence[str], device: str | None
    ) -> NewWebhook:
        """Register an address that receives the events of the jobs of the actor's project.

        Args:
            actor: Owner of the webhook; its token may read jobs, because the events contain them.
            url: The address.
            events: Names of events.
            device: The only device of the jobs; None for all.

        Raises:
            InvalidRequest: The address is malformed or not allowed.
            NotFound: There is no such device.
            Forbidden: The token is not for this device, or is for some devices and none is given.
            LimitExceeded: The address is too long, or the project has too many webhooks.
            Conflict: It is unknown whether the webhook was stored.
        """
        actor.require(Scope.JOBS_WRITE)
        actor.require(Scope.JOBS_READ)
        self._check_url(url)
        if device is not None:
            actor.require_device(device)
            await existing_device(self._store, device)
        elif actor.devices:
            raise Forbidden("This token is for some devices: name one of them.", field="device")
        now = self._now_ms()
        new = Webhook(
            id=new_id(now),
            account=actor.account,
            project=actor.project,
            url=url,
            events=tuple(dict.fromkeys(events)),
            device=device,
            created_at=now,
        )
        secret = secrets.token_bytes(SECRET_BYTES)
        webhooks = self._webhooks
        webhook = await retry_until_known(
            partial(webhooks.add, new, secret, maximum=self._limits.quotas.webhooks),
            partial(webhooks.get, new.id, actor.account),
        )
        return NewWebhook(webhook, _secret_text(secret))

    async def of(self, actor: Actor) -> list[Webhook]:
        """Return the webhooks of the actor's account, oldest first."""
        actor.require(Scope.JOBS_READ)
        found = await self._webhooks.of_account(actor.account)
        return [each for each in found if _is_seen(actor, each)]

    async def remove(self, actor: Actor, webhook: str) -> None:
        """Delete a webhook; nothing more is sent to it.

        Raises:
            NotFound: The account has no such webhook.
        """
        found = await self._own(actor, webhook)
        await self._webhooks.remove(found.id, actor.account)

    async def rotate(self, actor: Actor, webhook: str) -> NewWebhook:
        """Replace the secret of a webhook. Events are also signed with the former one for 24 hours.

        Raises:
            NotFound: The account has no such webhook.
        """
        found = await self._own(actor, webhook)
        secret = secrets.token_bytes(SECRET_BYTES)
        until = self._now_ms() + FORMER_SECRET_MS
        rotated = await self._webhooks.rotate(found.id, actor.account, secret, until=until)
        return NewWebhook(rotated, _secret_text(secret))

    async def test(self, actor: Actor, webhook: str) -> WebhookResponse:
        """Send an event now, and return the response of its receiver.

        A successful test enables a webhook that was disabled.

        Raises:
            NotFound: The account has no such webhook.
            TooManyRequests: The webhook is being tested, or too many others are.
        """
        found = await self._own(actor, webhook)
        now = self._now_ms()
        keys = await self._webhooks.keys(found.id, actor.account, now)
        body = WebhookEventBody(type=TEST_EVENT, timestamp=_time(now), data=None)
        with self._testing(found.id):
            response = await self._client.send(
                keys, f"msg_{new_id(now)}", msgspec.json.encode(body), with_body=True
            )
        if response.is_success and found.disabled_at is not None:
            await self._webhooks.enable(found.id, self._now_ms())
        return response

    @contextmanager
    def _testing(self, webhook: str) -> Iterator[None]:
        if webhook in self._being_tested or len(self._being_tested) >= _MAX_TESTS:
            detail = "This webhook is being tested, or too many others are."
            raise TooManyRequests(detail, retry_after_s=1.0)
        self._being_tested.add(webhook)
        try:
            yield
        finally:
            self._being_tested.discard(webhook)

    async def _own(self, actor: Actor, webhook: str) -> Webhook:
        actor.require(Scope.JOBS_WRITE)
        found = None
        if webhook.isascii() and "\0" not in webhook:
            found = await self._webhooks.get(webhook, actor.account)
        if found is None or not _is_seen(actor, found):
            raise NotFound(_NOT_FOUND)
        return found

    def _check_url(self, url: str) -> None:
        maximum = self._limits.requests.webhook_url_chars
        if len(url) > maximum:
            raise LimitExceeded(
                f"url has {len(url)} characters, {maximum} are allowed (limit webhook_url_chars).",
                field="url",
            )
        is_private_allowed = self._client.is_private_allowed
        schemes = ("https", "http") if is_private_allowed else ("https",)
        if not url.isascii() or not url.isprintable() or " " in url:
            raise _invalid("must be printable ASCII without spaces; write other names in Punycode")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise _invalid("must be an address such as https://example.org/hook") from None
        if parts.scheme not in schemes:
            raise _invalid(f"must begin with {' or '.join(f'{each}://' for each in schemes)}")
        if not host or port == 0:
            raise _invalid("must be an address such as https://example.org/hook")
        if parts.username is not None or parts.fragment:
            raise _invalid("must not contain a user name or a fragment")
        address = literal_address(host)
        if not is_private_allowed and address is not None and not is_public(address):
            raise _invalid("must have a public address")


def _invalid(rule: str) -> InvalidRequest:
    return InvalidRequest(f"url {rule}.", field="url")


def _is_seen(actor: Actor, webhook: Webhook) -> bool:
    return actor.sees(webhook.device) if webhook.device is not None else not actor.devices


def _secret_text(secret: bytes) -> str:
    return "whsec_" + base64.b64encode(secret).decode()


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
