"""Single sign-on: people who sign in at the organisation's identity provider."""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
import secrets
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, ParamSpec, TypeVar

from qwicket.compute.fair_slots import FairSlots
from qwicket.gateway.account_admin import checked_email
from qwicket.gateway.identity_provider import IDToken, Metadata, ProviderConnection, state_of
from qwicket.gateway.throttle import AttemptCounter, network
from qwicket.model.accounts import MAX_NAME_CHARS, RESERVED_NAMES, is_trusted_name
from qwicket.model.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from qwicket.store.sessions import ProviderSignIn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from qwicket.gateway.signin import SignIn
    from qwicket.model.accounts import Actor, IdentityProvider
    from qwicket.model.limits import SignInLimits
    from qwicket.store import Store

_NOT_IN_NAMES: Final = re.compile(r"[^a-z0-9._-]+")
_ERROR: Final = re.compile(r"[a-z_]{1,40}")
_MAX_CODE_CHARS: Final = 4_096
_MAX_GROUPS: Final = 10_000

_THREADS: Final = 4
"""Sign-ins that call the provider at the same time; of one address only one does."""
_MAX_WAITING: Final = 256
_MAX_WAITING_EACH: Final = 64
"""Limits on sign-ins that call the provider or wait for that: of all addresses, and of one."""
_RETRY_S: Final = 5.0
_LEEWAY_S: Final = 60
"""Difference in seconds that the clocks of two servers may have."""
_KEY_NAME: Final = "single_sign_on"
"""Key of all servers of this database, which signs the secrets of browsers."""
_NOT_BEGUN: Final = "This sign-in was not begun in this browser, or is over. Sign in again."
P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger(__name__)


class DeviceFlow(NamedTuple):
    """What `qwicket login` needs for the provider's device flow (RFC 8628).

    Attributes:
        issuer: Address of the provider.
        client_id: The client id that commands have at the provider.
        scopes: The scopes to request.
        device_endpoint: Where the flow begins.
        token_endpoint: Where the ID token is fetched.
    """

    issuer: str
    client_id: str
    scopes: tuple[str, ...]
    device_endpoint: str
    token_endpoint: str


class SingleSignOn:
    """Signs in people by the identity provider.

    Args:
        store: The database.
        sign_in: Counts refusals, and returns actors.
        settings: The provider, and what its groups give.
        limits: Limits of wrong credentials.
        now_ms: Clock; returns Unix milliseconds.

    Attributes:
        sign_in_s: Time in seconds for a sign-in at the provider.
    """

    sign_in_s: Final = 600.0

    def __init__(
        self,
        store: Store,
        sign_in: SignIn,
        settings: IdentityProvider,
        limits: SignInLimits,
        now_ms: Callable[[], int],
    ) -> None:
        self._store = store
        self._sign_in = sign_in
        self._settings = settings
        self._now_ms = now_ms
        self._provider = ProviderConnection(settings, now_ms)
        # Separate threads, so that a slow provider does not occupy those of other requests.
        self._threads = ThreadPoolExecutor(_THREADS, "identity-provider")
        self._turns = FairSlots(_THREADS)
        self._limit = limits.wrong_tokens
        self._attempts = AttemptCounter(self._limit)
        self._key: bytes | None = None

    async def begin(self, redirect_uri: str, address: str) -> tuple[str, str]:
        """Begin a sign-in in a browser. It calls the provider only if its addresses are not known.

        Returns:
            The provider's address to which to send the browser, and a secret for the browser to
            keep.

        Raises:
            Unavailable: The provider does not respond, or too many wait for it.
        """
        metadata = await self._metadata(address)
        secret = await self._signed(f"{self._now_ms() // 1_000}.{secrets.token_urlsafe(32)}")
        return self._provider.authorization_url(metadata, secret, redirect_uri), secret

    async def finish(
        self, query: Mapping[str, str], secret: str | None, redirect_uri: str, address: str
    ) -> Actor:
        """Return who has signed in, once the provider has sent the browser back.

        Args:
            query: The parameters that came with the browser.
            secret: The secret that the browser kept.
            redirect_uri: The same as for `begin`.
            address: Address of the client.

        Raises:
            Unauthenticated: The sign-in was not begun in this browser, is used or refused, its ID
                token is not valid, or the account is disabled.
            TooManyRequests: Many sign-ins from this address have not succeeded in the last minute.
            Forbidden: The person has no account here.
            Unavailable: The provider does not respond, or too many wait for it.
        """
        try:
            secret = await self._begun(secret)
            code = self._code(query, secret)
            async with self._attempt(address):
                token, access = await self._in_thread(
                    self._provider.exchange, code, secret, redirect_uri
                )
                return await self._actor(token, access, address)
        except Unauthenticated:
            self._sign_in.count_wrong(address)
            raise

    async def device_flow(self, address: str) -> DeviceFlow | None:
        """Return what `qwicket login` needs, or None if the provider has no device flow.

        Raises:
            Unavailable: As for `begin`.
        """
        found = await self._metadata(address)
        if found.device_authorization_endpoint is None:
            return None
        return DeviceFlow(
            issuer=self._settings.issuer,
            client_id=self._device_client,
            scopes=self._settings.scopes,
            device_endpoint=found.device_authorization_endpoint,
            token_endpoint=found.token_endpoint,
        )

    async def by_id_token(self, text: str, access_token: str | None, address: str) -> Actor:
        """Return the holder of an ID token of the device flow, which can be used once.

        Raises:
            Unauthenticated: It is not valid, or was used, or the account is disabled.
            TooManyRequests: As for `finish`.
            Forbidden: The person has no account here.
            Unavailable: As for `finish`.
        """
        try:
            async with self._attempt(address):
                token = await self._in_thread(
                    self._provider.verified, text, {self._device_client}, None
                )
                return await self._actor(token, access_token, address)
        except Unauthenticated:
            self._sign_in.count_wrong(address)
            raise

    async def _metadata(self, address: str) -> Metadata:
        known = self._provider.known_metadata()
        if known is not None:
            return known
        async with self._turn(address):
            return await self._in_thread(self._provider.metadata)

    @asynccontextmanager
    async def _turn(self, address: str) -> AsyncIterator[None]:
        """Wait until this address may call the provider; no address delays the others.

        Raises:
            Unavailable: Too many wait already.
        """
        where = network(address)
        n_all, n_each = self._turns.count_all(), self._turns.count(where)
        if n_all >= _MAX_WAITING or n_each >= _MAX_WAITING_EACH:
            raise Unavailable(
                "Too many sign-ins wait for the identity provider. Try again in a few seconds.",
                retry_after_s=_RETRY_S,
            )
        async with self._turns.slot(where):
            yield

    @asynccontextmanager
    async def _attempt(self, address: str) -> AsyncIterator[None]:
        """Wait for a turn, and count the sign-in of the block unless it succeeds.

        Raises:
            TooManyRequests: Many sign-ins from this address have not succeeded in the last minute.
            Unavailable: As for `_turn`.
        """
        async with self._turn(address):
            # The address has one turn, so all sign-ins that are counted now have not succeeded.
            wait_s = self._attempts.take(address, "")
            if wait_s:
                self._sign_in.refusals.count(address)
                raise TooManyRequests(
                    f"Over {self._limit} sign-ins from one address in a minute have not succeeded"
                    " (limit wrong_tokens).",
                    retry_after_s=wait_s,
                    limit="wrong_tokens",
                    quota=self._limit,
                )
            yield
            self._attempts.give_back(address, "")

    async def _signed(self, text: str) -> str:
        """Return a text with a signature that each server of this database verifies."""
        if self._key is None:
            self._key = await self._store.accounts.get_or_add_server_key(
                _KEY_NAME, secrets.token_bytes(32), self._now_ms()
            )
        return f"{text}.{hmac.digest(self._key, text.encode(), 'sha256').hex()}"

    async def _begun(self, secret: str | None) -> str:
        """Return the secret of a browser if a server of this database has just made it.

        Anybody can make a secret and its state, and so could send the provider any code.
        """
        secret = secret or ""
        text = secret.rpartition(".")[0]
        if not hmac.compare_digest((await self._signed(text)).encode(), secret.encode()):
            raise Unauthenticated(_NOT_BEGUN)
        age_s = self._now_ms() // 1_000 - int(text.partition(".")[0])
        if not -_LEEWAY_S <= age_s < self.sign_in_s:
            raise Unauthenticated(_NOT_BEGUN)
        return secret

    async def _in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(function, *args, **kwargs))

    @property
    def _device_client(self) -> str:
        return self._settings.device_client_id or self._settings.client_id

    def _code(self, query: Mapping[str, str], secret: str) -> str:
        """Return the code that the provider sent, if the sign-in was begun in this browser."""
        state = query.get("state", "")
        if not hmac.compare_digest(state.encode(), state_of(secret).encode()):
            raise Unauthenticated(_NOT_BEGUN)
        if query.get("iss", self._settings.issuer) != self._settings.issuer:  # RFC 9207
            raise Unauthenticated("This sign-in was answered by another identity provider.")
        code = query.get("code", "")
        if "error" in query or not 0 < len(code) <= _MAX_CODE_CHARS:
            error = query.get("error", "no code")
            reason = f" ({error})" if _ERROR.fullmatch(error) else ""
            raise Unauthenticated(f"The identity provider refused the sign-in{reason}.")
        return code

    async def _actor(self, token: IDToken, access_token: str | None, address: str) -> Actor:
        settings, claims = self._settings, token.claims
        is_new = await self._store.sessions.use_id_token(
            token.digest, now=self._now_ms(), expires_at=token.expires_at
        )
        if not is_new:
            raise Unauthenticated("The ID token was used before. Sign in again.")
        names = [settings.name_claim, *([settings.groups_claim] if settings.groups else ())]
        claims = await self._in_thread(self._provider.with_user_info, claims, access_token, names)
        person = ProviderSignIn(settings.issuer, claims["sub"], address, self._now_ms())
        account = await self._account(person, claims)
        actor = await self._sign_in.by_account(account)
        if not settings.groups:
            return actor
        await self._apply_groups(person, account, claims)
        return await self._sign_in.by_account(account)

    async def _account(self, person: ProviderSignIn, claims: Mapping[str, Any]) -> str:
        """Return the id of the account of a person, which a first sign-in may create."""
        sessions, settings = self._store.sessions, self._settings
        found = await sessions.of_identity(person.issuer, person.subject)
        if found is not None:
            return found
        email = _verified_email(claims)
        # Letters that look alike are different people's: only addresses in ASCII give an account.
        if settings.links_emails and email is not None and email.isascii():
            try:
                found = await sessions.link(person, email)
            except Conflict as error:
                # Addresses are given to new people; the account stays with its first person.
                who = (person.subject, person.issuer)
                _log.warning("the person %r at %s was refused: %s", *who, error.detail)
                raise Forbidden(
                    f"The account with your address {email} belongs to another person at the"
                    " identity provider. Ask the server's administrator."
                ) from None
            if found is not None:
                return found
        if not settings.creates_accounts:
            raise Forbidden(
                "You have no account on this server, and it makes none at the first sign-in. Ask"
                " its administrator."
            )
        name = claims.get(settings.name_claim)
        if not isinstance(name, str) or not (fitted := fitting_name(name)):
            raise Forbidden(
                f"The identity provider states no name for you (claim {settings.name_claim}), so"
                " no account can be made. Ask the server's administrator."
            )
        return await sessions.create_account(person, fitted, email)

    async def _apply_groups(
        self, person: ProviderSignIn, account: str, claims: Mapping[str, Any]
    ) -> None:
        rules = self._settings.groups
        stated = claims.get(self._settings.groups_claim)
        names = {stated} if isinstance(stated, str) else stated
        member_of = (
            [
                rules[name]
                for name in list(names)[:_MAX_GROUPS]
                if isinstance(name, str) and name in rules
            ]
            if isinstance(names, list | set)
            else []
        )
        is_admin = any(each.role == "admin" for each in member_of)
        gives_roles = any(each.role is not None for each in rules.values())
        missing = await self._store.sessions.apply_rights(
            person,
            account,
            role=("admin" if is_admin else "member") if gives_roles else None,
            projects={name for each in member_of for name in each.projects},
            managed={name for each in rules.values() for name in each.projects},
        )
        if missing:
            _log.warning("projects of oidc-groups do not exist: %s", ", ".join(missing))


def fitting_name(stated: str) -> str:
    """Return an allowed account name that is similar to a provider's name of a person, or "".

    For an e-mail address, it is made of the part before the `@`. A reserved name, or one that
    others would trust, gets a number.
    """
    plain = unicodedata.normalize("NFKD", stated[:1_000]).encode("ascii", "ignore").decode()
    fitted = _NOT_IN_NAMES.sub("-", plain.partition("@")[0].lower())
    fitted = fitted.lstrip("._-")[:MAX_NAME_CHARS].rstrip("-")
    return f"{fitted}-1" if fitted in RESERVED_NAMES or is_trusted_name(fitted) else fitted


def _verified_email(claims: Mapping[str, Any]) -> str | None:
    """Return the e-mail address that the provider has verified, as accounts have it, or None."""
    email = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(email, str):
        return None
    try:
        return checked_email(email)
    except InvalidRequest:
        return None
