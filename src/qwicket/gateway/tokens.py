"""An account's own tokens.

A token creates and revokes only tokens within its own rights. With the scope `admin` it may also
create tokens for the account's other projects, and revoke all tokens of the account. Each token
created here has a parent, the token that created it, and is revoked with the parent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.gateway.refusals import existing_device
from qwicket.gateway.signin import digest, new_secret
from qwicket.model.accounts import Scope, Token
from qwicket.model.errors import Forbidden, InvalidRequest, NotFound, Unauthenticated
from qwicket.model.ids import new_id, parse_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qwicket.gateway.signin import SignIn
    from qwicket.model.accounts import Actor
    from qwicket.model.bounds import Bounds
    from qwicket.model.limits import Limits
    from qwicket.store import Store

MAX_TOKEN_NAME_CHARS: Final = 100
_NOT_SIGNED_IN: Final = "You are not signed in with a valid token."


class NewToken(NamedTuple):
    """A token and its secret, which is never stored.

    Attributes:
        token: The token.
        secret: The token's own text, or the secret of the key pair.
        aws_key_id: The key id, if it is a key pair.
    """

    token: Token
    secret: str
    aws_key_id: str | None = None

    def __repr__(self) -> str:
        return f"NewToken(token={self.token!r}, secret='…')"


def token_name(name: str | None) -> str | None:
    """Return the name of a new token without spaces around it; None if nothing is left.

    Raises:
        InvalidRequest: It is too long, or has characters that are not displayed, such as marks
            of direction, which would change how the text beside it reads.
    """
    if name is None or not (stripped := name.strip()):
        return None
    if len(stripped) > MAX_TOKEN_NAME_CHARS:
        raise InvalidRequest(
            f"name: it has {len(stripped)} characters; at most {MAX_TOKEN_NAME_CHARS} are allowed.",
            field="name",
        )
    if not stripped.isprintable():
        raise InvalidRequest("name: it has characters that are not displayed.", field="name")
    return stripped


class Tokens:
    """The tokens of an actor's own account."""

    def __init__(
        self, store: Store, sign_in: SignIn, limits: Limits, now_ms: Callable[[], int]
    ) -> None:
        self._store = store
        self._sign_in = sign_in
        self._limits = limits
        self._now_ms = now_ms

    async def current(self, actor: Actor) -> Token:
        """Return the token that the actor signed in with.

        Raises:
            Unauthenticated: The token was deleted or revoked, or the actor signed in by password.
        """
        found = await self._store.accounts.token(actor.account, actor.token)
        if found is None or found.revoked_at is not None:
            raise Unauthenticated(_NOT_SIGNED_IN)
        return found

    async def valid_tokens(self, actor: Actor) -> list[Token]:
        """Return the account's valid tokens, oldest first, at most as many as the limit `tokens`.

        There are more only if an administrator created them or lowered the limit.
        """
        accounts, maximum = self._store.accounts, self._limits.quotas.tokens
        return await accounts.valid_tokens(actor.account, self._now_ms(), maximum)

    async def create(
        self,
        actor: Actor,
        scopes: Sequence[Scope],
        *,
        devices: Sequence[str] = (),
        project: str | None = None,
        life_s: int | None = None,
        name: str | None = None,
        bounds: Bounds | None = None,
    ) -> NewToken:
        """Create a token of the account. Omitted values are those of the actor's token.

        Args:
            actor: The creator.
            scopes: Scopes, all of which the actor's token has.
            devices: Names of the only devices, all of which the actor's token may use. Empty means
                those of the actor's token.
            project: Name of a project: that of the actor's token, or with the scope `admin` any
                project of the account.
            life_s: Seconds until it expires, which must not be after the actor's token does.
            name: What its owner calls it.
            bounds: Bounds of its jobs, such as for an assistant.

        Raises:
            Unauthenticated: The actor is not signed in with a valid token.
            Forbidden: The actor may not create tokens, or the new one would have more rights or
                another project.
            NotFound: There is no such device or project.
            Conflict: The account is disabled.
            LimitExceeded: The account has its maximum of tokens.
        """
        actor.require(Scope.TOKENS_WRITE)
        current, now = await self.current(actor), self._now_ms()
        requested = Token(
            id=new_id(now),
            account=current.account,
            project=current.project,
            scopes=tuple(dict.fromkeys(scopes)),
            devices=tuple(dict.fromkeys(devices)) or current.devices,
            created_at=now,
            expires_at=current.expires_at if life_s is None else now + 1000 * life_s,
            parent=current.id,
            name=token_name(name),
            bounds=bounds,
        )
        _require_within(requested, current)
        for device in requested.devices:
            await existing_device(self._store, device, "devices")
        secret = new_secret()
        stored = await self._store.accounts.add_token(
            requested,
            account=actor.account_name,
            project=await self._project(actor, project),
            digest=digest(secret),
            maximum=self._limits.quotas.tokens,
            daily=self._limits.quotas.new_tokens,
        )
        return NewToken(stored, secret)

    async def revoke(self, actor: Actor, token: str) -> None:
        """Revoke a token of the account and all tokens made from it.

        This server refuses them at once, others after at most `CACHE_TTL_S`. A token may always
        revoke itself.

        Raises:
            NotFound: The account has no such token, or it is revoked already.
            Unauthenticated: The actor is not signed in with a valid token.
            Forbidden: The actor may revoke only its own token, or the other token has more rights
                or another project.
        """
        if token != actor.token:
            actor.require(Scope.TOKENS_WRITE)
        # A text other than an id may contain NUL, on which PostgreSQL raises.
        is_id = parse_id(token) is not None
        found = await self._store.accounts.token(actor.account, token) if is_id else None
        if found is None or found.revoked_at is not None:
            raise NotFound("There is no such token.")
        if Scope.ADMIN not in actor.scopes or actor.devices:
            current = await self.current(actor)
            if found.project != current.project:
                raise Forbidden("This token cannot revoke a token of another project.")
            _require_within(found, current)
        revoked = await self._store.accounts.revoke(token, self._now_ms())
        self._sign_in.forget({each.id for each in revoked})

    async def _project(self, actor: Actor, project_name: str | None) -> str:
        """Return the name of the project that a new token is bound to."""
        projects = await self._store.accounts.projects_of(actor.account)
        current = next((each.name for each in projects if each.id == actor.project), None)
        if current is None:  # the account has just left the project, which revokes the token
            raise Unauthenticated(_NOT_SIGNED_IN)
        if project_name is None or project_name == current:
            return current
        if Scope.ADMIN not in actor.scopes:
            raise Forbidden(f"This token is for the project {current}.", field="project")
        if project_name not in [each.name for each in projects]:
            raise NotFound("You are not a member of such a project.", field="project")
        return project_name


def _require_within(other: Token, current: Token) -> None:
    """Refuse to create or revoke a token with more rights: scopes, devices or life.

    Raises:
        Forbidden: `other` has a right that `current` lacks.
    """
    for scope in other.scopes:
        if scope not in current.scopes:
            raise Forbidden(
                f"This token lacks the scope {scope}, so it cannot create or revoke a token with"
                " this scope.",
                field="scopes",
            )
    # A token without devices is for all of them; no device is named "".
    if current.devices and not set(current.devices).issuperset(other.devices or ("",)):
        allowed = ", ".join(current.devices)
        raise Forbidden(
            f"This token can create or revoke only tokens for the devices {allowed}.",
            field="devices",
        )
    if current.expires_at is None:
        return
    if other.expires_at is None or other.expires_at > current.expires_at:
        raise Forbidden(
            "This token can create or revoke only tokens that expire no later than itself.",
            field="life_s",
        )
