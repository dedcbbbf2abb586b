"""An account's own tokens. No token creates or revokes one with more rights.

A token is created with another one, its parent, and is revoked together with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwicket.gateway.admin import NewToken
from qwicket.gateway.signin import digest, new_secret
from qwicket.model.accounts import Scope, Token
from qwicket.model.errors import Forbidden, NotFound, Unauthenticated
from qwicket.model.ids import new_id, parse_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qwicket.gateway.signin import SignIn
    from qwicket.model.accounts import Actor
    from qwicket.model.limits import Limits
    from qwicket.store import Store


class Tokens:
    """The tokens of an actor's own account."""

    def __init__(
        self, store: Store, sign_in: SignIn, limits: Limits, now_ms: Callable[[], int]
    ) -> None:
        self._store = store
        self._sign_in = sign_in
        self._limits = limits
        self._now_ms = now_ms

    async def own(self, actor: Actor) -> Token:
        """Return the token that the actor signed in with.

        Raises:
            Unauthenticated: It was deleted or revoked, or the actor signed in without one.
        """
        found = await self._store.accounts.token(actor.account, actor.token)
        if found is None or found.revoked_at is not None:
            raise Unauthenticated("The token does not exist any more.")
        return found

    async def live(self, actor: Actor) -> list[Token]:
        """Return the account's valid tokens, the oldest first."""
        accounts, maximum = self._store.accounts, self._limits.quotas.tokens
        return await accounts.live_tokens(actor.account, self._now_ms(), maximum)

    async def make(
        self,
        actor: Actor,
        scopes: Sequence[Scope],
        *,
        devices: Sequence[str] = (),
        project: str | None = None,
        life_s: int | None = None,
    ) -> NewToken:
        """Create a token of the account. Omitted values are those of the actor's own token.

        Args:
            actor: The creator.
            scopes: A subset of the actor's.
            devices: Names; a subset of those of the actor's token, if it is restricted.
            project: Name of the actor's project; with the scope `admin`, of any of the account.
            life_s: Seconds until it expires, at most until the actor's own token does.

        Raises:
            Forbidden: The actor may not create tokens, or the token would have more rights.
            NotFound: There is no such device or project.
            LimitExceeded: The account has its maximum of tokens.
        """
        actor.require(Scope.TOKENS_WRITE)
        own, now = await self.own(actor), self._now_ms()
        wished = Token(
            id=new_id(now),
            account=own.account,
            project=own.project,
            scopes=tuple(dict.fromkeys(scopes)),
            devices=tuple(dict.fromkeys(devices)) or own.devices,
            created_at=now,
            expires_at=own.expires_at if life_s is None else now + 1000 * life_s,
            parent=own.id,
        )
        _require_within(wished, own)
        await self._check_devices(wished)
        secret = new_secret()
        stored = await self._store.accounts.add_token(
            wished,
            account=actor.account_name,
            project=await self._project(actor, project),
            digest=digest(secret),
            maximum=self._limits.quotas.tokens,
        )
        return NewToken(stored, secret)

    async def revoke(self, actor: Actor, token: str) -> None:
        """Revoke a token of the account and all tokens made from it.

        This server refuses them at once. A token may always revoke itself.

        Raises:
            NotFound: The account has no such token.
            Forbidden: The actor may revoke only its own token, or the token has more rights.
        """
        if token != actor.token:
            actor.require(Scope.TOKENS_WRITE)
        is_id = parse_id(token) is not None  # PostgreSQL cannot store NUL
        found = await self._store.accounts.token(actor.account, token) if is_id else None
        if found is None or found.revoked_at is not None:
            raise NotFound("There is no such token.")
        if Scope.ADMIN not in actor.scopes:
            own = await self.own(actor)
            if found.project != own.project:
                raise Forbidden("This token may not revoke one of another project.")
            _require_within(found, own)
        revoked = await self._store.accounts.revoke(token, self._now_ms())
        self._sign_in.forget({each.id for each in revoked})

    async def _check_devices(self, wished: Token) -> None:
        for device in wished.devices:
            if await self._store.devices.get(device) is None:
                raise NotFound(f"There is no device {device}.", field="devices")

    async def _project(self, actor: Actor, wished: str | None) -> str:
        """Return the name of the project that a new token is bound to."""
        mine = await self._store.accounts.projects_of(actor.account)
        own = next((each.name for each in mine if each.id == actor.project), "")
        if wished in (None, own):
            return own
        if Scope.ADMIN not in actor.scopes:
            raise Forbidden(f"This token is for the project {own}.", field="project")
        if wished not in [each.name for each in mine]:
            raise NotFound("You are not a member of such a project.", field="project")
        return str(wished)


def _require_within(other: Token, own: Token) -> None:
    """Refuse a token with more rights than `own`: scopes, devices or time."""
    for scope in other.scopes:
        if scope not in own.scopes:
            raise Forbidden(f"This token lacks the scope {scope}.", field="scopes")
    if own.devices and not set(own.devices).issuperset(other.devices or ("",)):
        few = ", ".join(own.devices)
        raise Forbidden(f"This token is only for the devices {few}.", field="devices")
    if own.expires_at is not None and not other.expires_at:
        raise Forbidden("This token expires, the other does not.", field="life_s")
    if own.expires_at is not None and (other.expires_at or 0) > own.expires_at:
        raise Forbidden("The other would outlive this token.", field="life_s")
