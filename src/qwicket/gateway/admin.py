"""What an administrator does: accounts and tokens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.gateway.signin import digest, hash_password, new_secret
from qwicket.model.accounts import DEFAULT_SCOPES, Account, Role, Scope, Token, check_name
from qwicket.model.errors import InvalidRequest, NotFound
from qwicket.model.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qwicket.store import Store

_EMAIL: Final = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+")
_MAX_EMAIL_CHARS: Final = 254
_MIN_PASSWORD_CHARS: Final = 8
_MAX_PASSWORD_CHARS: Final = 1_024


class NewToken(NamedTuple):
    """A token and its secret, which is shown once and kept nowhere."""

    token: Token
    secret: str

    def __repr__(self) -> str:
        return f"NewToken(token={self.token!r}, secret='qw_…')"


class Admin:
    """Accounts and tokens, by someone who has the data folder or an admin token."""

    def __init__(self, store: Store, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._now_ms = now_ms

    async def add_account(
        self, name: str, role: Role = "member", *, email: str | None, password: str | None
    ) -> Account:
        """Make an account with a project of its own.

        Raises:
            InvalidRequest: The name, address or password cannot be taken.
            Conflict: The name or address is in use.
        """
        check_name(name)
        if email is not None and (not _EMAIL.fullmatch(email) or len(email) > _MAX_EMAIL_CHARS):
            raise InvalidRequest("email is no e-mail address.", field="email")
        return await self._store.accounts.add(
            name,
            role,
            email=email,
            password_hash=None if password is None else _password_hash(password),
            now=self._now_ms(),
        )

    async def accounts(self) -> list[Account]:
        return await self._store.accounts.all()

    async def disable_account(self, name: str) -> Account:
        """Bar an account; its tokens sign in no more.

        Raises:
            NotFound: There is no such account.
        """
        return await self._store.accounts.disable(name, self._now_ms())

    async def create_token(
        self,
        account: str,
        *,
        project: str | None = None,
        scopes: Sequence[str] = (),
        devices: Sequence[str] = (),
        life_s: int | None = None,
    ) -> NewToken:
        """Make a token.

        Args:
            account: Name of the account.
            project: Name of the project that its use counts against; by default its own.
            scopes: By default the three that reading and submitting need.
            devices: Only these; by default all.
            life_s: Seconds until it expires; by default never.

        Raises:
            InvalidRequest: A scope does not exist, or the account may not have it.
            NotFound: No such account, project of this account, or device.
        """
        now = self._now_ms()
        owner = await self._store.accounts.by_name(account)
        for device in devices:
            if await self._store.devices.get(device) is None:
                raise NotFound(f"There is no device {device}.", field="device")
        secret = new_secret()
        token = Token(
            id=new_id(now),
            account=owner.id,
            project="",
            scopes=_scopes(owner, scopes),
            devices=tuple(devices),
            created_at=now,
            expires_at=None if life_s is None else now + 1000 * life_s,
        )
        stored = await self._store.accounts.add_token(
            token, account=account, project=project, digest=digest(secret)
        )
        return NewToken(stored, secret)

    async def tokens(self, account: str) -> list[Token]:
        owner = await self._store.accounts.by_name(account)
        return await self._store.accounts.tokens(owner.id)

    async def revoke_token(self, token: str) -> Token:
        """Revoke a token by its id.

        Raises:
            NotFound: There is no such token.
        """
        return await self._store.accounts.revoke(token, self._now_ms())


def _password_hash(password: str) -> str:
    if not _MIN_PASSWORD_CHARS <= len(password) <= _MAX_PASSWORD_CHARS:
        raise InvalidRequest(
            f"A password has {_MIN_PASSWORD_CHARS} to {_MAX_PASSWORD_CHARS} characters.",
            field="password",
        )
    return hash_password(password)


def _scopes(owner: Account, wanted: Sequence[str]) -> tuple[Scope, ...]:
    known = ", ".join(Scope)
    for scope in wanted:
        if scope not in tuple(Scope):
            raise InvalidRequest(f"There is no scope {scope!r}; there are {known}.", field="scope")
    if Scope.ADMIN in wanted and owner.role != "admin":
        raise InvalidRequest(f"{owner.name} is no admin.", field="scope")
    return tuple(Scope(scope) for scope in dict.fromkeys(wanted)) or DEFAULT_SCOPES
