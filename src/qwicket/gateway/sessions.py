"""Browser sessions at the pages under `/ui`, and the tokens that people make for themselves.

A session has a random secret in a cookie; the database has only its SHA-256. Each request reads the
session and its account, so the end of a session takes effect on all servers at once.
"""

from __future__ import annotations

import secrets
import zoneinfo
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec import structs

from qwicket.gateway.links import NO_PASSWORDS
from qwicket.gateway.refusals import existing_device
from qwicket.gateway.signin import digest, new_secret
from qwicket.gateway.tokens import NewToken, token_name
from qwicket.model.accounts import (
    DEFAULT_SCOPES,
    SELF_SERVICE_SCOPES,
    Scope,
    Token,
    check_project_name,
)
from qwicket.model.errors import Forbidden, InvalidRequest, NotFound, QwicketError, Unauthenticated
from qwicket.model.ids import new_id, parse_id
from qwicket.model.suggestions import did_you_mean
from qwicket.store.sessions import session_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qwicket.gateway.key_pairs import KeyPairs
    from qwicket.gateway.signin import SignIn
    from qwicket.model.accounts import Actor, Preferences, Role, SignInSettings
    from qwicket.model.bounds import Bounds
    from qwicket.model.limits import Limits
    from qwicket.store import Store
    from qwicket.store.sessions import Session

_SECRET_BYTES: Final = 32
_MAX_SECRET_CHARS: Final = 64
_MAX_LIFE_S: Final = 100 * 366 * 86_400
_MAX_AGENT_CHARS: Final = 200
_USE_MS: Final = 300_000
"""Least time between two records of a session's use, in milliseconds."""
_ENDED: Final = "You are not signed in, or your session has ended."
_WRONG: Final = "The current password is wrong, or the account has none."


class Browser(NamedTuple):
    """A browser: what it calls itself, and its network address."""

    agent: str
    address: str


class Sessions:
    """Starts, verifies and ends sessions."""

    def __init__(
        self,
        store: Store,
        sign_in: SignIn,
        limits: Limits,
        settings: SignInSettings,
        now_ms: Callable[[], int],
        key_pairs: Callable[[], KeyPairs],
    ) -> None:
        self._store = store
        self._sign_in = sign_in
        self._limits = limits
        self._now_ms = now_ms
        self._key_pairs = key_pairs
        self._are_passwords_on = settings.are_passwords_on
        self.session_s = settings.session_s

    async def start(self, actor: Actor, replaced: str | None, browser: Browser) -> str:
        """Start a session of an actor who has just signed in; return its secret.

        Args:
            actor: Who has signed in.
            browser: With which browser.
            replaced: Secret of the session that the browser had before, if any. That session ends:
                somebody else may know its secret.

        Raises:
            Unauthenticated: The account is disabled.
        """
        secret, now = secrets.token_urlsafe(_SECRET_BYTES), self._now_ms()
        await self._store.sessions.start(
            actor.account,
            digest=digest(secret),
            now=now,
            expires_at=now + round(1000 * self.session_s),
            replaced=digest(replaced) if replaced else None,
            agent=browser.agent[:_MAX_AGENT_CHARS],
            address=browser.address,
        )
        return secret

    async def actor(self, secret: str | None) -> Actor:
        """Return who is signed in.

        Raises:
            Unauthenticated: There is no such session, or it has ended, or the account is disabled.
        """
        if not secret or len(secret) > _MAX_SECRET_CHARS:
            raise Unauthenticated(_ENDED)
        key, now = digest(secret), self._now_ms()
        use = await self._store.sessions.account(key, now)
        if use is None:
            raise Unauthenticated(_ENDED)
        if use.used_at is None or now - use.used_at >= _USE_MS:
            with suppress(QwicketError):  # the pages work even if the database cannot write
                await self._store.sessions.note_use(key, now)
        actor = await self._sign_in.by_account(use.account)
        # The person could make a token with these scopes here, so the session has them at once.
        more = {Scope.TOKENS_WRITE} | ({Scope.ADMIN} if actor.role == "admin" else set())
        return structs.replace(actor, scopes=actor.scopes | more)

    async def end(self, secret: str) -> None:
        """End a session, on all servers at once."""
        await self._store.sessions.end(digest(secret))

    async def all(self, actor: Actor) -> list[Session]:
        """Return the sessions of the actor's account, the newest first."""
        return await self._store.sessions.all(actor.account, self._now_ms())

    def id_of(self, secret: str) -> str:
        """Return the id of a session with this secret."""
        return session_id(digest(secret))

    async def end_others(self, actor: Actor, secret: str) -> None:
        """End all sessions of the actor's account but that with this secret."""
        await self._store.sessions.end_others(actor.account, digest(secret))

    async def end_one(self, actor: Actor, id: str) -> None:
        """End a session of the actor's account.

        Raises:
            NotFound: The account has no such session.
        """
        found = [each for each in await self.all(actor) if each.id == id]
        if not found:
            raise NotFound("You have no such session.")
        await self._store.sessions.end(found[0].digest)

    async def change_password(
        self, actor: Actor, old: str, new: str, address: str, secret: str | None = None
    ) -> None:
        """Change the password of the actor's account.

        The account's other sessions end, and so do the access tokens that clients got for the old
        password. Tokens stay valid.

        Args:
            actor: Whose password it is.
            old: The present password. A wrong one counts as at sign-in.
            new: The new one.
            address: Address of the client.
            secret: The session that stays, if there is one.

        Raises:
            InvalidRequest: The old password is wrong, or the new one is too short or too long; or
                this server accepts no passwords.
            TooManyRequests: The old password is wrong, and so were many before.
        """
        if not self._are_passwords_on:
            raise InvalidRequest(NO_PASSWORDS)
        try:
            account = await self._sign_in.check_password(actor.account_name, old, address)
        except Unauthenticated as error:
            raise InvalidRequest(_WRONG, field="old") from error
        hashed = await self._sign_in.passwords.hash(new, address)
        kept = digest(secret) if secret else b""
        await self._store.sessions.set_password(account.id, hashed, kept, self._now_ms())

    async def has_password(self, actor: Actor) -> bool:
        """Return whether the actor can sign in with a password."""
        found = await self._store.accounts.for_password(actor.account_name)
        return self._are_passwords_on and found is not None and found.password_hash is not None

    async def set_preferences(self, actor: Actor, preferences: Preferences) -> None:
        """Set what the person prefers at the pages.

        Raises:
            InvalidRequest: There is no such time zone.
        """
        zone = preferences.time_zone
        if zone is not None and zone not in time_zones():
            near = did_you_mean(zone, time_zones()) or " Use a name such as Europe/Vienna."
            raise InvalidRequest(f"There is no time zone {zone[:100]!r}.{near}", field="time_zone")
        await self._store.accounts.set_preferences(actor.account, preferences)

    async def create_token(
        self,
        actor: Actor,
        *,
        scopes: Sequence[str] = (),
        project: str | None = None,
        life_s: int | None = None,
        devices: Sequence[str] = (),
        aws: bool = False,
        name: str | None = None,
        bounds: Bounds | None = None,
    ) -> NewToken:
        """Create a token of the actor's account.

        Args:
            actor: Who is signed in.
            scopes: Some of `own_scopes`; by default the three that reading and submitting need.
            project: Name of one of the account's projects; by default that with the account's name.
            life_s: Seconds until it expires; by default never.
            devices: Names of the only devices that it may use; empty allows all.
            aws: Whether to make a key pair, with which AWS's clients sign requests.
            name: What its owner calls it.
            bounds: Bounds of its jobs, such as for an assistant.

        Raises:
            InvalidRequest: There is no such scope, the project's name is invalid, `life_s` is out
                of range, or there is no master key for key pairs, or `name` is too long.
            Forbidden: The account may not have a token with such a scope.
            NotFound: The account has no such project, or there is no such device.
            Conflict: The account is disabled.
            LimitExceeded: The account has its maximum of tokens.
        """
        if life_s is not None and not 1 <= life_s <= _MAX_LIFE_S:
            raise InvalidRequest(
                f"life_s must be from 1 to {_MAX_LIFE_S}; not {life_s}.", field="life_s"
            )
        if project is not None:
            check_project_name(project, "project")
        for device in devices:
            await existing_device(self._store, device, "devices")
        now = self._now_ms()
        token = Token(
            id=new_id(now),
            account=actor.account,
            project="",  # `add_token` fills it in
            scopes=_granted(scopes, actor.role),
            devices=tuple(dict.fromkeys(devices)),
            created_at=now,
            expires_at=None if life_s is None else now + 1000 * life_s,
            name=token_name(name),
            bounds=bounds,
        )
        pair = await self._key_pairs().create() if aws else None
        secret = pair.secret if pair else new_secret()
        stored = await self._store.accounts.add_token(
            token,
            account=actor.account_name,
            project=project,
            digest=digest(pair.key_id if pair else secret),  # the secret follows from the key id
            maximum=self._limits.quotas.tokens,
            daily=self._limits.quotas.new_tokens,
        )
        return NewToken(stored, secret, pair.key_id if pair else None)

    async def revoke_all_tokens(self, actor: Actor) -> None:
        """Revoke all tokens of the actor's account."""
        await self._store.accounts.revoke_all(actor.account, self._now_ms())
        self._sign_in.forget_account(actor.account)

    async def revoke_token(self, actor: Actor, token: str) -> None:
        """Revoke a token of the actor's account and all tokens made from it.

        Raises:
            NotFound: The account has no such token, or it is revoked already.
        """
        # A text other than an id may contain NUL, on which PostgreSQL raises.
        is_id = parse_id(token) is not None
        found = await self._store.accounts.token(actor.account, token) if is_id else None
        if found is None or found.revoked_at is not None:
            raise NotFound("You have no such token.")
        revoked = await self._store.accounts.revoke(token, self._now_ms())
        self._sign_in.forget({each.id for each in revoked})


@cache
def time_zones() -> frozenset[str]:
    """Return the names of all time zones that this machine knows."""
    return frozenset(zoneinfo.available_timezones())


def own_scopes(role: Role) -> tuple[Scope, ...]:
    """Return the scopes of tokens that an account of this role may make for itself."""
    return tuple(Scope) if role == "admin" else SELF_SERVICE_SCOPES


def _granted(wanted: Sequence[str], role: Role) -> tuple[Scope, ...]:
    known = tuple(Scope)
    for scope in wanted:
        if scope not in known:
            raise InvalidRequest(
                f"scopes: {scope[:100]!r} is not one of {', '.join(known)}.", field="scopes"
            )
        if scope not in own_scopes(role):
            raise Forbidden(f"Your account may not make a token with {scope}.", field="scopes")
    return tuple(Scope(scope) for scope in dict.fromkeys(wanted)) or DEFAULT_SCOPES
