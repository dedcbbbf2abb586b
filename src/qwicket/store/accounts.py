"""Operations on accounts, projects and tokens. No secret enters here: digests and hashes only."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from qwicket.model.accounts import Account, Project, Role, Token
from qwicket.model.errors import Conflict, NotFound
from qwicket.model.ids import new_id
from qwicket.store import rows

if TYPE_CHECKING:
    from qwicket.store.database import Database, Row, Tx


class TokenOwner(NamedTuple):
    """A token beside what sign-in needs of its account."""

    token: Token
    account_name: str
    role: Role
    is_disabled: bool


class PasswordAccount(NamedTuple):
    account: Account
    password_hash: str | None


class Accounts:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, name: str, role: Role, *, email: str | None, password_hash: str | None, now: int
    ) -> Account:
        """Make an account and the project of its own that every account starts with.

        Raises:
            Conflict: The name or e-mail address is taken.
        """
        return await self._database.write(
            lambda tx: _add(tx, name, role, email, password_hash, now)
        )

    async def all(self) -> list[Account]:
        found = await self._database.scan(lambda tx: tx.all("account_list"))
        return [rows.account(row) for row in found]

    async def disable(self, name: str, now: int) -> Account:
        """Bar an account: none of its tokens signs in any more.

        Raises:
            NotFound: There is no such account.
        """
        row = await self._database.write(lambda tx: tx.one("account_disable", name=name, now=now))
        return rows.account(_found(row, f"There is no account {name}."))

    async def for_password(self, login: str) -> PasswordAccount | None:
        """Return the account of a name or e-mail address, with its password's hash."""
        row = await self._database.read(lambda tx: tx.one("account_for_password", login=login))
        return PasswordAccount(rows.account(row[:-1]), row[-1]) if row else None

    async def by_name(self, name: str) -> Account:
        """Return the account.

        Raises:
            NotFound: There is none.
        """
        row = await self._database.read(lambda tx: tx.one("account_by_name", name=name))
        return rows.account(_found(row, f"There is no account {name}."))

    async def own_project(self, name: str) -> Project:
        """Return the project that an account started with; it bears the account's name.

        Raises:
            NotFound: There is none.
        """
        row = await self._database.read(lambda tx: tx.one("project_by_name", name=name))
        return rows.project(_found(row, f"There is no project {name}."))

    async def add_token(
        self, token: Token, *, account: str, project: str | None, digest: bytes
    ) -> Token:
        """Store a token's digest for an account, bound to one of its projects.

        Raises:
            NotFound: No such account, or no such project of this account.
        """
        return await self._database.write(
            lambda tx: _add_token(tx, token, account, project, digest)
        )

    async def tokens(self, account: str) -> list[Token]:
        found = await self._database.scan(lambda tx: tx.all("token_list", account=account))
        return [rows.token(row) for row in found]

    async def revoke(self, token: str, now: int) -> Token:
        """Revoke a token; it signs in no more from the moment this returns.

        Raises:
            NotFound: There is no such token.
        """
        row = await self._database.write(lambda tx: tx.one("token_revoke", id=token, now=now))
        return rows.token(_found(row, "There is no such token."))

    async def token_owner(self, digest: bytes) -> TokenOwner | None:
        row = await self._database.read(lambda tx: tx.one("token_by_digest", digest=digest))
        if row is None:
            return None
        *token, name, role, disabled_at = row
        return TokenOwner(rows.token(tuple(token)), name, role, disabled_at is not None)


def _found(row: Row | None, detail: str) -> Row:
    if row is None:
        raise NotFound(detail)
    return row


def _add(
    tx: Tx, name: str, role: Role, email: str | None, password_hash: str | None, now: int
) -> Account:
    if tx.one("account_by_name", name=name) or tx.one("project_by_name", name=name):
        raise Conflict(f"The name {name} is taken.", field="name")
    if email is not None and tx.one("account_for_password", login=email):
        raise Conflict("The e-mail address is taken.", field="email")
    account, project = new_id(now), new_id(now)
    tx.run(
        "account_add",
        id=account,
        name=name,
        role=role,
        email=email,
        password_hash=password_hash,
        now=now,
    )
    tx.run("project_add", id=project, name=name, shares=1, now=now)
    tx.run("member_add", account=account, project=project)
    row = tx.one("account_by_name", name=name)
    assert row is not None
    return rows.account(row)


def _add_token(tx: Tx, token: Token, account: str, project: str | None, digest: bytes) -> Token:
    owner = rows.account(
        _found(tx.one("account_by_name", name=account), f"There is no account {account}.")
    )
    bound = _project_of(tx, owner, project or account)
    tx.run(
        "token_add",
        id=token.id,
        account=owner.id,
        project=bound.id,
        digest=digest,
        scopes=rows.from_texts(token.scopes),
        devices=rows.from_texts(token.devices),
        now=token.created_at,
        expires_at=token.expires_at,
    )
    return next(
        rows.token(row) for row in tx.all("token_list", account=owner.id) if row[0] == token.id
    )


def _project_of(tx: Tx, account: Account, name: str) -> Project:
    row = _found(tx.one("project_by_name", name=name), f"There is no project {name}.")
    project = rows.project(row)
    if tx.one("member_get", account=account.id, project=project.id) is None:
        raise NotFound(f"{account.name} is no member of a project {name}.")
    return project
