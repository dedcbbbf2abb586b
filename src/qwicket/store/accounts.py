"""Operations on accounts, projects and tokens. No secret enters here: digests and hashes only."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from qwicket.model.accounts import Account, Project, Role, Token
from qwicket.model.errors import Conflict, LimitExceeded, NotFound, Unauthenticated
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

    async def by_id(self, account: str) -> Account | None:
        row = await self._database.read(lambda tx: tx.one("account_by_id", id=account))
        return rows.account(row) if row else None

    async def projects_of(self, account: str) -> list[Project]:
        """Return the projects that an account, by its id, is a member of."""
        found = await self._database.read(lambda tx: tx.all("project_of_account", account=account))
        return [rows.project(row) for row in found]

    async def own_project(self, name: str) -> Project:
        """Return the project that an account started with; it bears the account's name.

        Raises:
            NotFound: There is none.
        """
        row = await self._database.read(lambda tx: tx.one("project_by_name", name=name))
        return rows.project(_found(row, f"There is no project {name}."))

    async def add_project(self, name: str, shares: int, now: int) -> Project:
        """Make a project without members.

        Raises:
            Conflict: The name is taken.
        """
        return await self._database.write(lambda tx: _add_project(tx, name, shares, now))

    async def projects(self) -> list[Project]:
        found = await self._database.scan(lambda tx: tx.all("project_list"))
        return [rows.project(row) for row in found]

    async def set_shares(self, project: str, shares: int) -> Project:
        """Say how much of the devices a project gets beside others.

        Raises:
            NotFound: There is no such project.
        """
        row = await self._database.write(
            lambda tx: tx.one("project_set_shares", name=project, shares=shares)
        )
        return rows.project(_found(row, f"There is no project {project}."))

    async def members(self, project: str) -> list[str]:
        """Return the names of the accounts in a project.

        Raises:
            NotFound: There is no such project.
        """
        return await self._database.scan(lambda tx: _members(tx, project))

    async def add_member(self, project: str, account: str) -> None:
        """Let an account submit on a project's account and read its jobs.

        Raises:
            NotFound: No such account or project.
        """
        await self._database.write(lambda tx: _add_member(tx, project, account))

    async def remove_member(self, project: str, account: str, now: int) -> None:
        """Take an account out of a project; its tokens for the project are revoked as by `revoke`.

        Raises:
            NotFound: No such account, project or member.
            Conflict: It is the account's own project.
        """
        await self._database.write(lambda tx: _remove_member(tx, project, account, now))

    async def add_token(
        self,
        token: Token,
        *,
        account: str,
        project: str | None,
        digest: bytes,
        most: int | None = None,
    ) -> Token:
        """Store a token's digest for an account, bound to one of its projects.

        Raises:
            NotFound: No such account, or no such project of this account.
            Conflict: The account is disabled.
            LimitExceeded: The account has `most` tokens that sign in.
            Unauthenticated: The token's parent was revoked or has expired.
        """
        return await self._database.write(
            lambda tx: _add_token(tx, token, account, project, digest, most)
        )

    async def live_tokens(self, account: str, now: int, most: int) -> list[Token]:
        """Return the tokens of an account, by its id, that still sign in, the oldest first."""
        found = await self._database.scan(
            lambda tx: tx.all("token_live_list", account=account, now=now, limit=most)
        )
        return [rows.token(row) for row in found]

    async def token(self, account: str, token: str) -> Token | None:
        """Return a token of an account, both by id."""
        row = await self._database.read(lambda tx: tx.one("token_get", id=token, account=account))
        return rows.token(row) if row else None

    async def tokens(self, account: str) -> list[Token]:
        found = await self._database.scan(lambda tx: tx.all("token_list", account=account))
        return [rows.token(row) for row in found]

    async def revoke(self, token: str, now: int) -> list[Token]:
        """Revoke a token and all that were made from it, in one operation.

        Returns:
            All of these tokens, also those that were revoked before.

        Raises:
            NotFound: There is no such token.
        """
        found = await self._database.write(lambda tx: tx.all("token_revoke", id=token, now=now))
        if not found:
            raise NotFound("There is no such token.")
        return [rows.token(row) for row in found]

    async def token_owner(self, digest: bytes) -> TokenOwner | None:
        row = await self._database.read(lambda tx: tx.one("token_by_digest", digest=digest))
        return _token_owner(row) if row else None

    async def owner_of_token(self, token: str) -> TokenOwner | None:
        """As `token_owner`, by the token's id."""
        row = await self._database.read(lambda tx: tx.one("token_by_id", id=token))
        return _token_owner(row) if row else None

    async def find_server_key(self, name: str) -> bytes | None:
        """Return a key that all servers of this database share, if there is one yet."""
        row = await self._database.read(lambda tx: tx.one("server_key_get", name=name))
        return bytes(row[0]) if row else None

    async def replace_server_key(self, name: str, fresh: bytes, now: int) -> None:
        """Let a key be another one from now on."""
        await self._database.write(
            lambda tx: tx.run("server_key_put", name=name, secret=fresh, now=now)
        )

    async def server_key(self, name: str, fresh: bytes, now: int) -> bytes:
        """Return a key that all servers of this database share; `fresh` where there is none yet."""
        return await self._database.write(lambda tx: _server_key(tx, name, fresh, now))


def _found(row: Row | None, detail: str) -> Row:
    if row is None:
        raise NotFound(detail)
    return row


def _token_owner(row: Row) -> TokenOwner:
    *token, name, role, disabled_at = row
    return TokenOwner(rows.token(tuple(token)), name, role, disabled_at is not None)


def _server_key(tx: Tx, name: str, fresh: bytes, now: int) -> bytes:
    tx.run("server_key_add", name=name, secret=fresh, now=now)
    row = tx.one("server_key_get", name=name)
    assert row is not None
    return bytes(row[0])


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


def _add_project(tx: Tx, name: str, shares: int, now: int) -> Project:
    if tx.one("project_by_name", name=name) or tx.one("account_by_name", name=name):
        raise Conflict(f"The name {name} is taken.", field="name")
    tx.run("project_add", id=new_id(now), name=name, shares=shares, now=now)
    return _project(tx, name)


def _project(tx: Tx, name: str) -> Project:
    return rows.project(
        _found(tx.one("project_by_name", name=name), f"There is no project {name}.")
    )


def _account(tx: Tx, name: str) -> Account:
    return rows.account(
        _found(tx.one("account_by_name", name=name), f"There is no account {name}.")
    )


def _members(tx: Tx, project: str) -> list[str]:
    return [name for (name,) in tx.all("member_list", project=_project(tx, project).id)]


def _add_member(tx: Tx, project: str, account: str) -> None:
    tx.run("member_add", account=_account(tx, account).id, project=_project(tx, project).id)


def _remove_member(tx: Tx, project: str, account: str, now: int) -> None:
    member = {"account": _account(tx, account).id, "project": _project(tx, project).id}
    if project == account:
        raise Conflict(f"{project} is the account's own project.")
    if not tx.count("member_remove", **member):
        raise NotFound(f"{account} is no member of {project}.")
    tx.run("token_revoke_member", **member, now=now)


def _add_token(
    tx: Tx, token: Token, account: str, project: str | None, digest: bytes, most: int | None
) -> Token:
    owner = _account(tx, account)
    if owner.disabled_at is not None:
        raise Conflict(f"The account {account} is disabled: no token of it would sign in.")
    if token.parent is not None:
        _require_live(tx, token.parent, owner, token.created_at)
    if most is not None:
        live = tx.all("token_live_list", account=owner.id, now=token.created_at, limit=most)
        if len(live) >= most:
            raise LimitExceeded(f"You have {most} tokens (limit tokens).")
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
        parent=token.parent,
    )
    row = tx.one("token_get", id=token.id, account=owner.id)
    assert row is not None
    return rows.token(row)


def _require_live(tx: Tx, parent: str, owner: Account, now: int) -> None:
    """Refuse a parent that signs in no more: its tree was revoked, and nothing may grow from it."""
    row = tx.one("token_get", id=parent, account=owner.id)
    found = rows.token(row) if row else None
    if found is None or found.revoked_at is not None or (found.expires_at or now + 1) <= now:
        raise Unauthenticated("The token is gone.")


def _project_of(tx: Tx, account: Account, name: str) -> Project:
    project = _project(tx, name)
    if tx.one("member_get", account=account.id, project=project.id) is None:
        raise NotFound(f"{account.name} is no member of a project {name}.")
    return project
