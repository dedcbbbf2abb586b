"""Sign-in: from a secret, or a name and a password, to an actor with rights."""

from __future__ import annotations

import hashlib
import re
import secrets
import string
from typing import TYPE_CHECKING, Final

from qwicket.gateway.passwords import Passwords
from qwicket.gateway.recent import Recent
from qwicket.gateway.throttle import WrongTokens
from qwicket.model.accounts import DEFAULT_SCOPES, Actor
from qwicket.model.errors import Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from qwicket.model.accounts import Account
    from qwicket.model.limits import SignInLimits
    from qwicket.store import Store, TokenOwner

PREFIX: Final = "qw_"
_ALPHABET: Final = string.ascii_letters + string.digits
_SECRET_CHARS: Final = 43  # 62^43 > 2^256
_TOKEN: Final = re.compile(rf"{PREFIX}[A-Za-z0-9]{{{_SECRET_CHARS}}}")


def new_secret() -> str:
    """Return a fresh token of 256 random bits.

    Letters and digits after `qw_`: it passes unchanged through headers, URLs, shells and the
    clients that read their settings as Python literals.
    """
    return PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_CHARS))


def digest(secret: str) -> bytes:
    """Return what is stored of a token. Random 256 bits need no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def subject(actor: Actor) -> str:
    """Return what a pass says of whom it was made for."""
    return f"token {actor.token}" if actor.token else f"account {actor.account}"


class SignIn:
    """Checks credentials. A token's row is read again after a moment, so revocations count then."""

    def __init__(self, store: Store, limits: SignInLimits, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._now_ms = now_ms
        self._owners = Recent(store.accounts.token_owner)
        self._passwords = Passwords(limits)
        self._wrong_tokens = WrongTokens(limits.wrong_tokens)
        self.wrong_tokens = 0

    @property
    def wrong_passwords(self) -> int:
        """How many passwords were refused."""
        return self._passwords.wrong

    async def by_token(self, secret: str | None, address: str) -> Actor:
        """Return who holds this token.

        It is looked up before its address is counted: refused unread, a right token would be shut
        out by whoever guesses from the same address. Only what looks like a token, but is none, is
        counted: the client that lost its settings or missed an expiry is no guesser.

        Raises:
            Unauthenticated: It is absent, unknown, expired or revoked, or its account disabled.
            TooManyRequests: It is unknown, as were many others from this address.
        """
        if not secret:
            raise Unauthenticated
        if not _TOKEN.fullmatch(secret):
            raise Unauthenticated("The token is not valid.")
        key = digest(secret)
        owner = await self._owners.get(key)
        if owner is None:
            self.count_wrong(address)
            raise Unauthenticated("The token is not valid.")
        try:
            return self._actor(owner)
        except Unauthenticated:
            self._owners.forget(key)  # upkeep will revoke it: no clock set back may revive it
            raise

    def forget(self, tokens: Collection[str]) -> None:
        """Look these tokens up again the next time: they were revoked."""
        self._owners.forget_where(lambda owner: owner.token.id in tokens)

    def count_wrong(self, address: str) -> None:
        """Count a secret that somebody invented.

        Raises:
            TooManyRequests: There were many others from this address.
        """
        self.wrong_tokens += 1
        self._wrong_tokens.count(address)

    async def confirm(self, actor: Actor) -> None:
        """Refuse an actor who may not be here any more.

        Raises:
            Unauthenticated: The token was revoked or has expired, or the account is disabled.
        """
        await self.by_subject(subject(actor))

    async def by_subject(self, subject: str) -> Actor:
        """Return who an actor is now, by `subject`: never from memory.

        Raises:
            Unauthenticated: The token was revoked or has expired, or the account is disabled.
        """
        kind, _, id_text = subject.partition(" ")
        if kind == "token":
            owner = await self._store.accounts.owner_of_token(id_text)
            if owner is None:
                raise Unauthenticated("The token is gone.")
            return self._actor(owner)
        account = await self._store.accounts.by_id(id_text)
        if account is None or account.disabled_at:
            raise Unauthenticated("The account is disabled.")
        return await self._member(account)

    async def by_password(self, login: str, password: str, address: str) -> Actor:
        """Return who has this name (or e-mail address) and password, with the default scopes.

        Raises:
            Unauthenticated: They do not match; which of them is wrong is not said.
            TooManyRequests: They do not match, as did many before from this address or for this
                name, or too many of this address wait: they are compared one at a time.
        """
        found = await self._store.accounts.for_password(login)
        usable = found if found and not found.account.disabled_at else None
        stored = usable.password_hash if usable else None
        await self._passwords.check(login, stored, password, address)
        assert usable is not None  # nobody's password is right
        return await self._member(usable.account)

    async def _member(self, account: Account) -> Actor:
        """Return an account as it acts without a token: default scopes, its own project."""
        project = await self._store.accounts.project(account.name)
        return Actor(
            account=account.id,
            account_name=account.name,
            role=account.role,
            project=project.id,
            token="",
            scopes=frozenset(DEFAULT_SCOPES),
            devices=frozenset(),
        )

    def _actor(self, owner: TokenOwner) -> Actor:
        token = owner.token
        if token.expires_at is not None and token.expires_at <= self._now_ms():
            raise Unauthenticated("The token has expired.")
        if token.revoked_at is not None:  # upkeep revokes what has expired
            raise Unauthenticated("The token was revoked.")
        if owner.is_disabled:
            raise Unauthenticated("The account is disabled.")
        return Actor(
            account=token.account,
            account_name=owner.account_name,
            role=owner.role,
            project=token.project,
            token=token.id,
            scopes=frozenset(token.scopes),
            devices=frozenset(token.devices),
        )
