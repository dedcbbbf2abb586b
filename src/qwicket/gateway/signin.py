"""Sign-in: from a secret, or a name and a password, to an actor with rights."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
import string
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Final

from qwicket.gateway.throttle import Refusals, WrongTokens
from qwicket.gateway.ttl_cache import TTLCache
from qwicket.model.accounts import ADMIN_SCOPES, DEFAULT_SCOPES, Actor, lower_ascii
from qwicket.model.errors import QwicketError, TooManyRequests, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from qwicket.gateway.key_pairs import KeyPairs
    from qwicket.gateway.passwords import Passwords
    from qwicket.model.accounts import Account, Token
    from qwicket.model.limits import SignInLimits
    from qwicket.store import Store, TokenOwner

PREFIX: Final = "qw_"
_ALPHABET: Final = string.ascii_letters + string.digits
_SECRET_CHARS: Final = 43  # 62^43 > 2^256
USE_MS: Final = 3_600_000
"""Least time between two records of a token's use, in milliseconds."""
_MAX_NOTED: Final = 4_096
"""Limit on tokens whose last recorded use is in memory."""
_TOKEN: Final = re.compile(rf"{PREFIX}[A-Za-z0-9]{{{_SECRET_CHARS}}}")


def is_secret(text: str) -> bool:
    """Return whether a text looks like a secret that `new_secret` has made."""
    return _TOKEN.fullmatch(text) is not None


def new_secret() -> str:
    """Return a new token of 256 random bits.

    It has only letters and digits after `qw_`, which headers, URLs, shells and Python literals
    leave unchanged.
    """
    return PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_CHARS))


def digest(secret: str) -> bytes:
    """Return the stored digest of a token. 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def subject(actor: Actor) -> str:
    """Return the subject of an access token for an actor."""
    if actor.token:
        return f"token {actor.token}"
    return f"account {actor.account} {actor.password_at}"


class SignIn:
    """Verifies credentials. Tokens are cached for `CACHE_TTL_S`, which delays revocations.

    Args:
        store: Holds tokens and accounts.
        limits: Limits of wrong credentials.
        now_ms: Clock; returns Unix milliseconds.
        are_passwords_on: Whether passwords are accepted.
        key_pairs: Returns the service for key pairs; None accepts no key pair as a token.

    Attributes:
        refusals: Counts of refused secrets and passwords that are not recorded yet.
        wrong_tokens: Number of wrong secrets so far.
        clock: Returns seconds, by which wrong passwords are forgotten; None is the monotonic clock.
            A test bed sets it before the first password.
    """

    def __init__(
        self,
        store: Store,
        limits: SignInLimits,
        now_ms: Callable[[], int],
        *,
        are_passwords_on: bool = True,
        key_pairs: Callable[[], KeyPairs] | None = None,
    ) -> None:
        self._store = store
        self._are_passwords_on = are_passwords_on
        self._now_ms = now_ms
        self._key_pairs = key_pairs
        self._owners = TTLCache(store.accounts.token_owner)
        self._limits = limits
        self._wrong_tokens = WrongTokens(limits.wrong_tokens)
        self._uses: set[asyncio.Task[None]] = set()
        self._noted: dict[str, int] = {}
        self.refusals = Refusals(now_ms)
        self.wrong_tokens = 0
        self.clock: Callable[[], float] | None = None

    @cached_property
    def passwords(self) -> Passwords:
        """Return the service that hashes and compares all passwords of this server."""
        # Late: many servers never verify a password, and commands import this module for tokens.
        from qwicket.gateway.passwords import Passwords

        return Passwords(self._limits, clock=self.clock)

    @property
    def wrong_passwords(self) -> int:
        """Number of wrong passwords so far."""
        return self.passwords.wrong

    async def by_token(self, secret: str | None, address: str) -> Actor:
        """Return the holder of this token.

        The token is looked up before its address is counted, so that guesses from one address do
        not lock out its valid tokens. Only well-formed tokens that are unknown, or have the wrong
        secret of a key pair, count as guesses; missing and expired ones do not.

        Raises:
            Unauthenticated: The token is missing, unknown, expired or revoked, or its account is
                disabled.
            TooManyRequests: The token is unknown, and so were many others from this address.
        """
        if not secret:
            raise Unauthenticated
        if _TOKEN.fullmatch(secret):
            return await self._by_digest(digest(secret), address)
        return await self._by_pair(secret, address)

    async def _by_pair(self, token: str, address: str) -> Actor:
        """Return the holder of a key pair that is written as a token: key id, dot, secret."""
        from qwicket.gateway.key_pairs import TOKEN  # late: many servers have no key pairs

        if self._key_pairs is None or not TOKEN.fullmatch(token):
            raise Unauthenticated("The token is not valid.")
        key_id, _, secret = token.partition(".")
        actor = await self.by_key_id(key_id, address)
        if not hmac.compare_digest(await self._key_pairs().secret(key_id) or "", secret):
            self.count_wrong(address)
            raise Unauthenticated("The token is not valid.")
        return actor

    async def by_key_id(self, key_id: str, address: str) -> Actor:
        """Return the holder of a key pair, whose signature the caller must verify.

        Args:
            key_id: The key id, of the form of `key_pairs.KEY_ID`. No token has this form, so a key
                id alone does not sign in.
            address: Where the request is from.

        Raises:
            Unauthenticated: As for `by_token`.
            TooManyRequests: As for `by_token`.
        """
        return await self._by_digest(digest(key_id), address)

    async def _by_digest(self, key: bytes, address: str) -> Actor:
        owner = await self._owners.get(key)
        if owner is None:
            self.count_wrong(address)
            raise Unauthenticated("The token is not valid.")
        try:
            actor = self._actor(owner)
        except Unauthenticated:
            # Maintenance revokes an expired token in the database, so that it stays invalid even if
            # the clock is set back. The cached row may lack this revocation.
            self._owners.invalidate(key)
            raise
        self._note_use(owner.token)
        return actor

    def forget(self, tokens: Collection[str]) -> None:
        """Remove revoked tokens from the cache."""
        self._owners.invalidate_where(lambda owner: owner.token.id in tokens)

    def forget_account(self, account: str) -> None:
        """Remove the tokens of an account, given by id, from the cache."""
        self._owners.invalidate_where(lambda owner: owner.token.account == account)

    def count_wrong(self, address: str) -> None:
        """Count a guessed secret.

        Raises:
            TooManyRequests: This address has sent many wrong secrets.
        """
        self.wrong_tokens += 1
        self.refusals.count(address)
        self._wrong_tokens.count(address)

    async def confirm(self, actor: Actor) -> None:
        """Refuse an actor whose rights have been withdrawn.

        Raises:
            Unauthenticated: The token was revoked or has expired, or the account is disabled.
        """
        await self.by_subject(subject(actor))

    async def by_subject(self, subject: str) -> Actor:
        """Return the present actor of a `subject`, never from the cache.

        Raises:
            Unauthenticated: The token was revoked or deleted or has expired, or the account is
                disabled or deleted, or its password was changed since.
        """
        kind, _, rest = subject.partition(" ")
        if kind == "token":
            owner = await self._store.accounts.owner_of_token(rest)
            if owner is None:
                raise Unauthenticated("The token does not exist any more.")
            actor = self._actor(owner)
            self._note_use(owner.token)
            return actor
        account, _, password_at = rest.partition(" ")
        actor = await self.by_account(account)
        if password_at != str(actor.password_at):
            raise Unauthenticated("The password was changed: sign in again.")
        return actor

    async def by_account(self, account: str) -> Actor:
        """Return the actor of an account, given by id, without a token.

        Raises:
            Unauthenticated: The account is disabled or deleted.
        """
        found = await self._store.accounts.by_id(account)
        if found is None or found.disabled_at:
            raise Unauthenticated("The account is disabled.")
        return await self._member(found)

    async def by_password(self, login: str, password: str, address: str) -> Actor:
        """Return the actor with this name (or e-mail address) and password, with default scopes.

        Raises:
            Unauthenticated: Name or password is wrong, without distinction; or this server accepts
                no passwords.
            TooManyRequests: Name or password is wrong, and so were many before from this address or
                for this name; or too many from this address wait to be compared one at a time.
        """
        return await self._member(await self.check_password(login, password, address))

    async def check_password(self, login: str, password: str, address: str) -> Account:
        """Return the account with this name (or e-mail address) and password.

        Raises:
            Unauthenticated: As for `by_password`.
            TooManyRequests: As for `by_password`.
        """
        if not self._are_passwords_on:
            raise Unauthenticated(
                "This server accepts no passwords: sign in with a token, or at /ui with your"
                " organisation's sign-in."
            )
        found = await self._store.accounts.for_password(login)
        usable = found if found and not found.account.disabled_at else None
        stored = usable.password_hash if usable else None
        try:
            await self.passwords.check(lower_ascii(login), stored, password, address)
        except (Unauthenticated, TooManyRequests):
            self.refusals.count(address)
            raise
        assert usable is not None  # without an account no password is accepted
        return usable.account

    def _note_use(self, token: Token) -> None:
        """Record that a token is used, at most once in `USE_MS`, without delaying the request."""
        now = self._now_ms()
        last = max(token.used_at or 0, self._noted.get(token.id, 0))
        if last and now - last < USE_MS:
            return
        if len(self._noted) >= _MAX_NOTED:
            self._noted.clear()
        self._noted[token.id] = now
        task = asyncio.create_task(self._store_use(token.id, now))
        self._uses.add(task)  # the loop has only weak references
        task.add_done_callback(self._uses.discard)

    async def _store_use(self, token: str, now: int) -> None:
        with suppress(QwicketError):  # sign-in works even if the database cannot write
            await self._store.accounts.note_use(token, now)

    async def _member(self, account: Account) -> Actor:
        """Return the actor of an account without a token: default scopes, its own project."""
        project = await self._store.accounts.project(account.name)
        return Actor(
            account=account.id,
            account_name=account.name,
            role=account.role,
            project=project.id,
            token="",
            scopes=frozenset(DEFAULT_SCOPES),
            devices=frozenset(),
            password_at=account.password_at or 0,
            preferences=account.preferences,
        )

    def _actor(self, owner: TokenOwner) -> Actor:
        token = owner.token
        if token.expires_at is not None and token.expires_at <= self._now_ms():
            raise Unauthenticated("The token has expired.")
        if token.revoked_at is not None:  # checked second: maintenance also revokes expired tokens
            raise Unauthenticated("The token was revoked.")
        if owner.is_disabled:
            raise Unauthenticated("The account is disabled.")
        scopes = frozenset(token.scopes)
        return Actor(
            account=token.account,
            account_name=owner.account_name,
            role=owner.role,
            project=token.project,
            token=token.id,
            # A former administrator keeps only the scopes that members may have.
            scopes=scopes if owner.role == "admin" else scopes - ADMIN_SCOPES,
            devices=frozenset(token.devices),
            bounds=token.bounds,
        )
