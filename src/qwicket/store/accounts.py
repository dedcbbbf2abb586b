"""Operations on accounts, projects, tokens and the keys of servers.

Tokens and passwords are stored as hashes; only the keys of servers are secrets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import msgspec

from qwicket.model.accounts import (
    ADMIN_SCOPES,
    Account,
    FirstSteps,
    JobsOfDeleted,
    Member,
    MemberRole,
    Preferences,
    Project,
    Role,
    Token,
    check_bounded,
    lower_ascii,
)
from qwicket.model.errors import Conflict, LimitExceeded, NotFound, Unauthenticated
from qwicket.model.ids import new_id
from qwicket.store import rows
from qwicket.store.operations import Operations, read, scan, write
from qwicket.store.rows import existing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qwicket.store.database import Row, Tx

Listed = Literal["", "admins", "disabled", "deleted"]
ListedProjects = Literal["all", "shared", "personal"]
_DAY_MS: Final = 86_400_000


class TokenOwner(NamedTuple):
    """A token and what sign-in needs of its account."""

    token: Token
    account_name: str
    role: Role
    is_disabled: bool


class NewMember(NamedTuple):
    """An account to create with one token.

    Attributes:
        name: Its name.
        email: Its e-mail address, if any.
        project: Name of the project to which the token's jobs count; None for the account's own.
        token: The token; account and project are set when it is stored.
        digest: SHA-256 of the token's secret.
    """

    name: str
    email: str | None
    project: str | None
    token: Token
    digest: bytes


class ListedAccount(NamedTuple):
    """An account in a list of administrators.

    Attributes:
        account: The account.
        seen_at: Unix milliseconds of the last use of a token or session that is known; None if
            there was none.
        projects: Names of its projects.
    """

    account: Account
    seen_at: int | None
    projects: tuple[str, ...]


class ListedProject(NamedTuple):
    """A project in a list of administrators, with the number of its members."""

    project: Project
    n_members: int


class PasswordAccount(NamedTuple):
    """An account, and the hash of its password if it has one."""

    account: Account
    password_hash: str | None


class Accounts(Operations):
    @read
    def check_unused(tx: Tx, name: str, email: str | None) -> None:
        """Check a name and an address of a new account.

        Raises:
            Conflict: The name or e-mail address is taken.
        """
        _check_name(tx, name)
        _check_email(tx, email)

    @write
    def add(
        tx: Tx, name: str, role: Role, *, email: str | None, password_hash: str | None, now: int
    ) -> Account:
        """Create an account and its own project.

        Raises:
            Conflict: The name or e-mail address is taken.
        """
        Accounts.check_unused(tx, name, email)
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
        tx.run("member_add", account=account, project=project, role="lead")
        tx.all("link_end_set_up")
        return Accounts.by_name(tx, name)

    @write
    def add_with_tokens(
        tx: Tx,
        people: Sequence[NewMember],
        now: int,
        *,
        below: str | None = None,
        set_budget: Callable[[Tx, str], object] | None = None,
    ) -> list[Token]:
        """Create accounts with a token each: all or none.

        Args:
            tx: The transaction.
            people: The accounts.
            now: Unix milliseconds.
            below: Name of the project below which the projects of the tokens are created.
            set_budget: Sets the budget of each of these projects, given by name.

        Raises:
            Conflict: A name or address is taken; the text says which.
            NotFound: There is no such project.
        """
        tokens = []
        for member in people:
            made = Accounts.add(
                *(tx, member.name, "member"), email=member.email, password_hash=None, now=now
            )
            if below is not None and member.project is not None:
                Accounts.add_project(tx, member.project, 1, now)
                if set_budget is not None:
                    set_budget(tx, member.project)
            if member.project is not None:
                Accounts.add_member(tx, member.project, made.name)
            tokens.append(
                Accounts.add_token(
                    *(tx, member.token),
                    account=made.name,
                    project=member.project,
                    digest=member.digest,
                )
            )
        return tokens

    @scan
    def all(tx: Tx, *, deleted: bool = False) -> list[Account]:
        """Return all accounts, or those that were deleted and can be restored."""
        name = "account_list_deleted" if deleted else "account_list"
        return [rows.account(row) for row in tx.all(name)]

    @scan
    def page(tx: Tx, after: str, part: str, which: Listed, limit: int) -> list[ListedAccount]:
        """Return accounts in the order of their names.

        Args:
            tx: The transaction.
            after: Name before the first one; empty for the beginning.
            part: Part of the name or e-mail address.
            which: Which accounts; `deleted` are those that can be restored.
            limit: Number of accounts.
        """
        given = {"after": after, "part": lower_ascii(part), "which": which, "limit": limit}
        found = [(rows.account(row[:-2]), row[-2:]) for row in tx.all("account_page", **given)]
        names: dict[str, list[str]] = {account.id: [] for account, _ in found}
        for account, name in tx.all(
            "project_names_of_accounts", jobs=rows.from_texts(tuple(names))
        ):
            names[account].append(name)
        return [
            ListedAccount(each, max(filter(None, used), default=None), tuple(names[each.id]))
            for each, used in found
        ]

    @write
    def disable(tx: Tx, name: str, now: int) -> Account:
        """Disable an account, so that none of its tokens signs in, and end its sessions.

        Raises:
            NotFound: There is no such account.
        """
        account = _update(tx, name, "account_disable", now=now)
        tx.run("session_end_account", account=account.id)
        return account

    @write
    def enable(tx: Tx, name: str) -> Account:
        """Enable an account again; its tokens sign in as before.

        Raises:
            NotFound: There is no such account.
        """
        return _update(tx, name, "account_enable")

    @write
    def set_role(tx: Tx, name: str, role: Role, now: int) -> Account:
        """Set the role. If it is `member`, tokens with scopes of administrators are revoked.

        Raises:
            NotFound: There is no such account.
        """
        account = _update(tx, name, "account_set_role", role=role)
        if role != "admin":
            for scope in ADMIN_SCOPES:
                tx.run("token_revoke_scope", account=account.id, scope=f'"{scope}"', now=now)
        return account

    @write
    def set_email(tx: Tx, name: str, email: str | None) -> Account:
        """Set or remove the e-mail address.

        Raises:
            NotFound: There is no such account.
            Conflict: The address is taken.
        """
        if Accounts.by_name(tx, name).email != email:
            _check_email(tx, email)
        return _update(tx, name, "account_set_email", email=email)

    @write
    def reset(tx: Tx, name: str, password_hash: str | None, now: int) -> Account:
        """Revoke all tokens, end all sessions, and set or remove the password.

        Raises:
            NotFound: There is no such account.
        """
        account = _update(tx, name, "account_set_password", password_hash=password_hash, now=now)
        tx.run("token_revoke_account", account=account.id, now=now)
        tx.run("session_end_account", account=account.id)
        tx.run("link_end_account", account=account.id)
        return account

    @write
    def set_preferences(tx: Tx, account: str, preferences: Preferences) -> None:
        """Set what the person of an account, given by id, prefers at the pages."""
        theme, time_zone = preferences.theme, preferences.time_zone
        tx.run("account_set_preferences", id=account, theme=theme, time_zone=time_zone)

    @read
    def first_steps(tx: Tx, account: str) -> FirstSteps:
        """Return which first steps the person of an account, given by id, has done."""
        return FirstSteps(*map(bool, tx.one("account_first_steps", id=account) or (1, 1, 1)))

    @write
    def hide_first_steps(tx: Tx, account: str) -> None:
        """Hide the first steps from the person of an account, given by id."""
        tx.run("account_hide_first_steps", id=account)

    @write
    def delete(tx: Tx, name: str, jobs: JobsOfDeleted, now: int) -> Account:
        """Delete an account so that it can be restored; its name stays taken until it is purged.

        Raises:
            NotFound: There is no such account.
        """
        account = Accounts.by_name(tx, name)
        tx.run("account_delete", id=account.id, deletion=jobs, now=now)
        tx.run("session_end_account", account=account.id)
        return account

    @write
    def restore(tx: Tx, name: str) -> Account:
        """Restore a deleted account.

        Raises:
            NotFound: No account of this name was deleted, or it cannot be restored any more.
        """
        if not tx.count("account_restore", name=name):
            raise NotFound(f"There is no deleted account {name}.")
        return Accounts.by_name(tx, name)

    @read
    def for_password(tx: Tx, login: str) -> PasswordAccount | None:
        """Return the account of a name or e-mail address, with its password's hash."""
        row = tx.one("account_for_password", login=lower_ascii(login))
        return PasswordAccount(rows.account(row[:-1]), row[-1]) if row else None

    @read
    def by_name(tx: Tx, name: str) -> Account:
        """Return the account of a name or e-mail address, in any case of letters.

        Raises:
            NotFound: There is no such account.
        """
        row = tx.one("account_by_name", name=lower_ascii(name))
        return rows.account(existing(row, f"There is no account {name}."))

    @read
    def by_id(tx: Tx, account: str) -> Account | None:
        """Return an account, also a deleted one."""
        row = tx.one("account_by_id", id=account)
        return rows.account(row) if row else None

    @read
    def projects_of(tx: Tx, account: str) -> list[Project]:
        """Return the projects of which an account, given by id, is a member."""
        return [rows.project(row) for row in tx.all("project_of_account", account=account)]

    @read
    def project(tx: Tx, name: str) -> Project:
        """Return the project of this name. An account's own project has the account's name.

        Raises:
            NotFound: There is no such project.
        """
        row = tx.one("project_by_name", name=name)
        if row is None:
            raise NotFound(f"There is no project {name}.", field="project")
        return rows.project(row)

    @read
    def is_personal(tx: Tx, project: str) -> bool:
        """Return whether a project, given by name, is an account's own."""
        return tx.one("account_is_taken", name=project) is not None

    @write
    def add_project(tx: Tx, name: str, shares: int, now: int) -> Project:
        """Create a project without members, below another one if its name has slashes.

        Raises:
            Conflict: The name is taken, or the project above is an account's own.
            NotFound: There is no project above it.
        """
        _check_name(tx, name)
        above = name.rpartition("/")[0]
        parent = Accounts.project(tx, above).id if above else None
        if parent is not None and Accounts.is_personal(tx, above):
            raise Conflict(
                f"{above} is a person's own project: none can be below it.", field="name"
            )
        project = new_id(now)
        tx.run("project_add", id=project, name=name, shares=shares, now=now)
        if parent is not None:
            for statement in ("project_add_above", "project_add_reservations"):
                tx.run(statement, project=project, parent=parent)
        return Accounts.project(tx, name)

    @scan
    def projects_below(tx: Tx, project: str) -> list[Project]:
        """Return the projects below one, given by id, by name."""
        return [rows.project(row) for row in tx.all("project_list_below", project=project)]

    @scan
    def projects(tx: Tx) -> list[Project]:
        return [rows.project(row) for row in tx.all("project_list")]

    @scan
    def project_page(
        tx: Tx, after: str, part: str, which: ListedProjects, limit: int
    ) -> list[ListedProject]:
        """Return projects in the order of their names; the arguments are as for `page`."""
        given = {"after": after, "part": part, "which": which, "limit": limit}
        found = tx.all("project_page", **given)
        return [ListedProject(rows.project(row[:-1]), int(row[-1])) for row in found]

    @write
    def set_shares(tx: Tx, project: str, shares: int) -> Project:
        """Set the number of shares of a project.

        Raises:
            NotFound: There is no such project.
        """
        row = tx.one("project_set_shares", name=project, shares=shares)
        return rows.project(existing(row, f"There is no project {project}."))

    @write
    def set_retention(tx: Tx, project: str, days: int | None) -> Project:
        """Set after how many days a project's ended jobs are deleted; None keeps them.

        Raises:
            NotFound: There is no such project.
        """
        row = tx.one("project_set_retention", name=project, days=days)
        return rows.project(existing(row, f"There is no project {project}."))

    @scan
    def members(tx: Tx, project: str) -> list[str]:
        """Return the names of the accounts in a project.

        Raises:
            NotFound: There is no such project.
        """
        return [each.name for each in Accounts.memberships(tx, project)]

    @scan
    def memberships(tx: Tx, project: str) -> list[Member]:
        """Return the accounts in a project, by name.

        Raises:
            NotFound: There is no such project.
        """
        found = Accounts.project(tx, project)
        return [Member(*row) for row in tx.all("member_list", project=found.id)]

    @scan
    def member_counts(tx: Tx, account: str) -> dict[str, int]:
        """Return how many members the projects of an account, given by id, have, by their ids."""
        return dict(tx.all("member_counts", account=account))

    @read
    def own_bytes(tx: Tx, account: str) -> dict[str, int]:
        """Return what an account, given by id, stores for each of its projects, by their ids."""
        return dict(tx.all("member_own_bytes", account=account))

    @write
    def add_member(tx: Tx, project: str, account: str, role: MemberRole = "member") -> None:
        """Add an account to a project; a member stays as it is.

        Raises:
            NotFound: No such account or project.
        """
        tx.run("member_add", **_member_key(tx, project, account), role=role)

    @read
    def leads(tx: Tx, account: str, project: str) -> bool:
        """Return whether an account leads a project or one above it; both are given by ids."""
        return tx.one("member_leads", account=account, project=project) is not None

    @write
    def change_member(
        tx: Tx,
        project: str,
        account: str,
        *,
        shares: int | None = None,
        role: MemberRole | None = None,
    ) -> None:
        """Change the shares or the role of a member of a project; None leaves either unchanged.

        With another role, the invitations to it that a lead has made end.

        Raises:
            NotFound: No such account, project or member.
        """
        member = _member_key(tx, project, account)
        if not tx.count("member_change", **member, shares=shares, role=role):
            raise NotFound(f"{account} is not a member of {project}.")
        if role not in (None, "lead"):
            tx.run("member_end_invitations", **member)

    @write
    def remove_member(tx: Tx, project: str, account: str, now: int) -> None:
        """Remove an account from a project, and revoke its tokens for the project as by `revoke`.

        The invitations to it that the account has made end.

        Raises:
            NotFound: No such account, project or member.
            Conflict: The project is the account's own.
        """
        member = _member_key(tx, project, account)
        # The account may be given by its address, or in other letters than those of its name.
        if project == Accounts.by_name(tx, account).name:
            raise Conflict(f"{project} is the account's own project.")
        if not tx.count("member_remove", **member):
            raise NotFound(f"{account} is not a member of {project}.")
        tx.run("token_revoke_member", **member, now=now)
        tx.run("member_end_invitations", **member)

    @write
    def add_token(
        tx: Tx,
        token: Token,
        *,
        account: str,
        project: str | None,
        digest: bytes,
        maximum: int | None = None,
        daily: int | None = None,
    ) -> Token:
        """Store a token's digest for an account, bound to one of its projects.

        Raises:
            InvalidRequest: It has bounds, and scopes with which it could widen them (see
                `check_bounded`).
            NotFound: No such account, or no such project of this account.
            Conflict: The account is disabled.
            LimitExceeded: The account has `maximum` valid tokens, or `daily` that are newer than
                24 hours, revoked ones included; None means no limit.
            Unauthenticated: The token's parent was revoked or has expired, or is not the account's.
        """
        check_bounded(token)
        owner = Accounts.by_name(tx, account)
        if owner.disabled_at is not None:
            raise Conflict(f"The account {account} is disabled, so its tokens cannot sign in.")
        if token.parent is not None:
            _require_valid(tx, token.parent, owner, token.created_at)
        if maximum is not None:
            valid = tx.all(
                "token_valid_list", account=owner.id, now=token.created_at, limit=maximum
            )
            if len(valid) >= maximum:
                raise LimitExceeded(f"You have {maximum} tokens (limit tokens).")
        if daily is not None:
            since = token.created_at - _DAY_MS
            if tx.one("token_made", account=owner.id, since=since, maximum=daily - 1):
                raise LimitExceeded(f"You have made {daily} tokens in 24 hours (limit new_tokens).")
        bound = _project_of(tx, owner, project or owner.name)
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
            name=token.name,
            bounds=None if token.bounds is None else msgspec.json.encode(token.bounds).decode(),
        )
        added = Accounts.token(tx, owner.id, token.id)
        assert added is not None
        return added

    @scan
    def valid_tokens(tx: Tx, account: str, now: int, maximum: int) -> list[Token]:
        """Return up to `maximum` valid tokens of an account, given by id, the oldest first."""
        found = tx.all("token_valid_list", account=account, now=now, limit=maximum)
        return [rows.token(row) for row in found]

    @read
    def token(tx: Tx, account: str, token: str) -> Token | None:
        """Return a token of an account, both by id."""
        row = tx.one("token_get", id=token, account=account)
        return rows.token(row) if row else None

    @scan
    def tokens(tx: Tx, account: str) -> list[Token]:
        return [rows.token(row) for row in tx.all("token_list", account=account)]

    @write
    def revoke(tx: Tx, token: str, now: int) -> list[Token]:
        """Revoke a token and all tokens made from it, in one operation.

        Returns:
            All of these tokens, including those revoked before.

        Raises:
            NotFound: There is no such token.
        """
        found = tx.all("token_revoke", id=token, now=now)
        if not found:
            raise NotFound("There is no such token.")
        return [rows.token(row) for row in found]

    @write
    def revoke_all(tx: Tx, account: str, now: int) -> None:
        """Revoke all tokens of an account, given by id."""
        tx.run("token_revoke_account", account=account, now=now)

    @read
    def token_owner(tx: Tx, digest: bytes) -> TokenOwner | None:
        """Return the token with this digest, even if it is not valid, with its owner."""
        return _token_owner(tx.one("token_by_digest", digest=digest))

    @read
    def owner_of_token(tx: Tx, token: str) -> TokenOwner | None:
        """Return a token, given by id, with its owner; like `token_owner`."""
        return _token_owner(tx.one("token_by_id", id=token))

    @write
    def note_use(tx: Tx, token: str, now: int) -> None:
        """Store when a token was used. Callers bound how often, because each call is a write."""
        tx.run("token_use", id=token, now=now)

    @read
    def find_server_key(tx: Tx, name: str) -> bytes | None:
        """Return a key that all servers of this database share, or None."""
        row = tx.one("server_key_get", name=name)
        return bytes(row[0]) if row else None

    @write
    def replace_server_key(tx: Tx, name: str, former_name: str, fresh: bytes, now: int) -> None:
        """Store a key that all servers of this database share, and its predecessor by a name."""
        former = tx.one("server_key_get", name=name)
        if former is not None:
            tx.run("server_key_put", name=former_name, secret=former[0], now=now)
        tx.run("server_key_put", name=name, secret=fresh, now=now)

    @write
    def get_or_add_server_key(tx: Tx, name: str, fresh: bytes, now: int) -> bytes:
        """Return a key that all servers of this database share; store `fresh` if there is none."""
        tx.run("server_key_add", name=name, secret=fresh, now=now)
        row = tx.one("server_key_get", name=name)
        assert row is not None
        return bytes(row[0])


def _token_owner(row: Row | None) -> TokenOwner | None:
    if row is None:
        return None
    *token, name, role, disabled_at = row
    return TokenOwner(rows.token(tuple(token)), name, role, disabled_at is not None)


def _check_name(tx: Tx, name: str) -> None:
    if tx.one("account_is_taken", name=name) or tx.one("project_by_name", name=name):
        raise Conflict(f"The name {name} is taken.", field="name")


def _check_email(tx: Tx, email: str | None) -> None:
    if email is not None and tx.one("account_has_email", email=email):
        raise Conflict(f"The e-mail address {email} is taken.", field="email")


def _update(tx: Tx, name: str, statement: str, /, **values: object) -> Account:
    """Run a statement on an account, given by its name or address; return the changed account."""
    account = Accounts.by_name(tx, name)
    tx.run(statement, id=account.id, **values)
    return Accounts.by_name(tx, account.name)


def _member_key(tx: Tx, project: str, account: str) -> dict[str, str]:
    return {
        "account": Accounts.by_name(tx, account).id,
        "project": Accounts.project(tx, project).id,
    }


def _require_valid(tx: Tx, parent: str, owner: Account, now: int) -> None:
    """Raise `Unauthenticated` unless a parent token is the owner's and valid."""
    found = Accounts.token(tx, owner.id, parent)
    if found is None or found.revoked_at is not None or (found.expires_at or now + 1) <= now:
        raise Unauthenticated("You are not signed in with a valid token.")


def _project_of(tx: Tx, account: Account, name: str) -> Project:
    project = Accounts.project(tx, name)
    if tx.one("member_get", account=account.id, project=project.id) is None:
        raise NotFound(f"{account.name} is not a member of a project {name}.")
    return project
