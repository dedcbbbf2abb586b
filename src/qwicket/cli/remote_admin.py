"""Administration of accounts over HTTP: the same operations as `gateway.admin.Admin`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast
from urllib.parse import quote

from qwicket import schema
from qwicket.clients.native.config import settings
from qwicket.clients.native.transport import Transport
from qwicket.gateway.tokens import NewToken
from qwicket.model.accounts import (
    DEFAULT_SCOPES,
    Account,
    JobsOfDeleted,
    Person,
    Role,
    Scope,
    Token,
)
from qwicket.schema import admin

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

_PATH: Final = "/v1/admin/accounts"


class AccountAdministration(Protocol):
    """Operations on accounts and their tokens, on the database or over HTTP."""

    async def add_account(
        self, name: str, role: Role = "member", *, email: str | None, password: str | None
    ) -> Account: ...

    async def add_accounts(
        self,
        people: Sequence[Person],
        *,
        project: str | None = None,
        scopes: Sequence[str] = (),
        life_s: int | None = None,
    ) -> list[tuple[str, NewToken]]: ...

    async def accounts(self, *, deleted: bool = False) -> list[Account]: ...

    async def disable_account(self, name: str) -> Account: ...

    async def enable_account(self, name: str) -> Account: ...

    async def set_role(self, name: str, role: Role) -> Account: ...

    async def set_email(self, name: str, email: str | None) -> Account: ...

    async def reset_account(self, name: str, *, password: str | None) -> Account: ...

    async def delete_account(self, name: str, *, jobs: JobsOfDeleted = "keep") -> Any: ...

    async def restore_account(self, name: str) -> Account: ...

    async def create_token(
        self,
        account: str,
        *,
        project: str | None = None,
        scopes: Sequence[str] = (),
        devices: Sequence[str] = (),
        life_s: int | None = None,
    ) -> NewToken: ...

    async def tokens(self, account: str) -> list[Token]: ...

    async def revoke_token(self, token: str) -> list[Token] | None: ...


class RemoteAdmin:
    """Administers accounts of a running server, with a token of the scope `admin`.

    Args:
        url: Address of the server; by default as the client finds it.
        profile: Profile of the client's configuration.

    Raises:
        ClientError: There is no token, or the address or profile is invalid.
    """

    def __init__(self, url: str | None, profile: str | None) -> None:
        found = settings(url, profile=profile)
        self._transport = Transport(found.url, found.token, found.timeout_s)

    async def add_account(
        self, name: str, role: Role = "member", *, email: str | None, password: str | None
    ) -> Account:
        body = admin.NewAccountBody(name=name, role=role, email=email, password=password)
        return _account(self._send("POST", _PATH, body, admin.AdminAccountBody))

    async def add_accounts(
        self,
        people: Sequence[Person],
        *,
        project: str | None = None,
        scopes: Sequence[str] = (),
        life_s: int | None = None,
    ) -> list[tuple[str, NewToken]]:
        body = admin.PeopleBody(
            accounts=tuple(admin.PersonBody(**each._asdict()) for each in people),
            project=project,
            scopes=tuple(scopes),
            life_s=life_s,
        )
        made = self._send("POST", "/v1/admin/bulk/accounts", body, admin.SecretList)
        return [(each.name, NewToken(_blank(each.id), each.secret)) for each in made.accounts]

    async def accounts(self, *, deleted: bool = False) -> list[Account]:
        path = f"{_PATH}?deleted=true" if deleted else _PATH
        return [*map(_account, self._get(path, admin.AdminAccountList).accounts)]

    async def disable_account(self, name: str) -> Account:
        return self._change(name, admin.AccountChangeBody(is_enabled=False))

    async def enable_account(self, name: str) -> Account:
        return self._change(name, admin.AccountChangeBody(is_enabled=True))

    async def set_role(self, name: str, role: Role) -> Account:
        return self._change(name, admin.AccountChangeBody(role=role))

    async def set_email(self, name: str, email: str | None) -> Account:
        return self._change(name, admin.AccountChangeBody(email=email))

    async def reset_account(self, name: str, *, password: str | None) -> Account:
        body = admin.ResetBody(password=password)
        return self._post(f"{_of(name)}/reset", body)

    async def delete_account(self, name: str, *, jobs: JobsOfDeleted = "keep") -> None:
        self._transport.run(self._transport.api.delete(f"{_of(name)}?jobs={jobs}"))

    async def restore_account(self, name: str) -> Account:
        return self._post(f"{_of(name)}/restore", None)

    async def create_token(
        self,
        account: str,
        *,
        project: str | None = None,
        scopes: Sequence[str] = (),
        devices: Sequence[str] = (),
        life_s: int | None = None,
    ) -> NewToken:
        given: dict[str, Any] = {"project": project, "devices": devices, "life_s": life_s}
        body = {name: value for name, value in given.items() if value}
        body["scopes"] = tuple(scopes) or DEFAULT_SCOPES
        made = self._send("POST", f"{_of(account)}/tokens", body, schema.accounts.NewTokenBody)
        return NewToken(_token(made), made.secret)

    async def tokens(self, account: str) -> list[Token]:
        found = self._get(f"{_of(account)}/tokens", schema.accounts.TokenList)
        return [*map(_token, found.tokens)]

    async def revoke_token(self, token: str) -> None:
        path = f"/v1/admin/tokens/{quote(token, safe='')}"
        self._transport.run(self._transport.api.delete(path))

    def _change(self, name: str, body: admin.AccountChangeBody) -> Account:
        return _account(self._send("PATCH", _of(name), body, admin.AdminAccountBody))

    def _post(self, path: str, body: Any) -> Account:
        return _account(self._send("POST", path, body, admin.AdminAccountBody))

    def _get(self, path: str, of: type[T]) -> T:
        return self._transport.get(path, of)

    def _send(self, method: str, path: str, body: Any, of: type[T]) -> T:
        return self._transport.run(self._transport.api.send(method, path, body, of))


def _of(name: str) -> str:
    return f"{_PATH}/{quote(name, safe='')}"


def _ms(time: str | None) -> int | None:
    return None if time is None else round(1000 * datetime.fromisoformat(time).timestamp())


def _account(of: admin.AdminAccountBody) -> Account:
    return Account(
        id=of.id,
        name=of.name,
        role=cast("Role", of.role),
        email=of.email,
        created_at=_ms(of.created_at) or 0,
        disabled_at=_ms(of.disabled_at),
        deleted_at=_ms(of.deleted_at),
    )


def _token(of: schema.accounts.TokenBody) -> Token:
    return Token(
        id=of.id,
        account="",
        project=of.project,
        scopes=tuple(Scope(each) for each in of.scopes),
        devices=of.devices,
        created_at=_ms(of.created_at) or 0,
        expires_at=_ms(of.expires_at),
        parent=of.parent,
    )


def _blank(token: str) -> Token:
    """Return a token of which only the id is known."""
    return Token(id=token, account="", project="", scopes=(), devices=(), created_at=0)
