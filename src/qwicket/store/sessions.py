"""Operations on sessions of people, and on their identities at an identity provider.

They see digests of cookies and of ID tokens, never the cookies and tokens.

Expired rows are deleted when the next row is added, so that no periodic work is needed.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final

from qwicket.model.accounts import MAX_NAME_CHARS
from qwicket.model.errors import Conflict, Unauthenticated
from qwicket.store.accounts import Accounts
from qwicket.store.operations import Operations, read, write

if TYPE_CHECKING:
    from collections.abc import Collection

    from qwicket.model.accounts import Role
    from qwicket.store.database import Tx

MAX_SESSIONS: Final = 20
"""Sessions of one account; one more ends the oldest."""


class Sessions(Operations):
    @write
    def start(
        tx: Tx, account: str, digest: bytes, *, now: int, expires_at: int, replaced: bytes | None
    ) -> None:
        """Store a session of an account, given by id.

        Args:
            tx: The transaction.
            account: Id of the account.
            digest: SHA-256 of the cookie.
            now: Unix milliseconds.
            expires_at: Unix milliseconds of its end.
            replaced: Digest of the session that the new one replaces, or None.

        Raises:
            Unauthenticated: The account is disabled.
        """
        tx.run("session_expire", now=now)
        if replaced is not None:
            tx.run("session_end", digest=replaced)
        values = {"digest": digest, "account": account, "now": now, "expires_at": expires_at}
        if not tx.count("session_add", **values):
            raise Unauthenticated("The account is disabled.")
        tx.run("session_trim", account=account, digest=digest, keep=MAX_SESSIONS - 1)

    @read
    def account(tx: Tx, digest: bytes, now: int) -> str | None:
        """Return the id of the account of a session that has not ended."""
        row = tx.one("session_account", digest=digest, now=now)
        return row[0] if row else None

    @write
    def end(tx: Tx, digest: bytes) -> None:
        """End a session, on all servers at once."""
        tx.run("session_end", digest=digest)

    @write
    def use_id_token(tx: Tx, digest: bytes, *, now: int, expires_at: int) -> bool:
        """Record that an ID token is used; return False if it was used before.

        Args:
            tx: The transaction.
            digest: SHA-256 of the signed part of the token.
            now: Unix milliseconds.
            expires_at: Unix milliseconds from which the token is refused as expired, so that its
                row is not needed.
        """
        tx.run("id_token_expire", now=now)
        return bool(tx.count("id_token_use", digest=digest, expires_at=expires_at))

    @read
    def of_identity(tx: Tx, issuer: str, subject: str) -> str | None:
        """Return the id of the account of a person at an identity provider."""
        row = tx.one("identity_account", issuer=issuer, subject=subject)
        return row[0] if row else None

    @write
    def link(tx: Tx, issuer: str, subject: str, email: str, now: int) -> str | None:
        """Link a person to the account with this e-mail address; return its id.

        A person who has an account already keeps it. Return None if there is no account.

        Raises:
            Unauthenticated: The account is disabled.
            Conflict: The account belongs to another person at this provider; the text has its name.
        """
        found = Sessions.of_identity(tx, issuer, subject)
        row = None if found else tx.one("account_with_email", email=email)
        if row is None:
            return found
        account, name, disabled_at = row
        if disabled_at is not None:
            raise Unauthenticated("The account is disabled.")
        if not tx.count("identity_add", issuer=issuer, subject=subject, account=account, now=now):
            raise Conflict(f"The account {name} belongs to another person at the provider.")
        return str(account)

    @write
    def create_account(
        tx: Tx, issuer: str, subject: str, name: str, email: str | None, now: int
    ) -> str:
        """Create an account for a person at an identity provider; return its id.

        If the name is taken, it gets a number; if the e-mail address is taken, it is left out. A
        person who has an account already keeps it.
        """
        found = Sessions.of_identity(tx, issuer, subject)
        if found is not None:
            return found
        if email is not None and tx.one("account_has_email", email=email):
            email = None
        made = Accounts.add(
            *(tx, _free_name(tx, name), "member"), email=email, password_hash=None, now=now
        )
        tx.run("identity_add", issuer=issuer, subject=subject, account=made.id, now=now)
        return made.id

    @write
    def apply_rights(
        tx: Tx,
        account: str,
        *,
        role: Role | None,
        projects: Collection[str],
        managed: Collection[str],
        now: int,
    ) -> list[str]:
        """Set the role and the memberships that the groups of a person give.

        Args:
            tx: The transaction.
            account: Id of the account.
            role: The role; None changes none.
            projects: Names of the projects that the account is to be a member of.
            managed: Names of all projects that groups give. The account leaves those not in
                `projects`, except its own.
            now: Unix milliseconds.

        Returns:
            Names of projects that do not exist; none if the account does not.
        """
        found = Accounts.by_id(tx, account)
        if found is None:
            return []
        if role is not None and role != found.role:
            Accounts.set_role(tx, found.name, role, now)
        names = {each.name for each in Accounts.projects_of(tx, account)}
        missing = []
        for name in sorted(managed):
            if name in projects and name not in names:
                if tx.one("project_by_name", name=name):
                    Accounts.add_member(tx, name, found.name)
                else:
                    missing.append(name)
            elif name not in projects and name in names and name != found.name:
                Accounts.remove_member(tx, name, found.name, now)
        return missing


def _free_name(tx: Tx, name: str) -> str:
    """Return a name that no account and no project has: this one, or with a number."""
    for number in count(1):
        end = "" if number == 1 else f"-{number}"
        candidate = name[: MAX_NAME_CHARS - len(end)] + end
        if tx.one("account_is_taken", name=candidate) is None and (
            tx.one("project_by_name", name=candidate) is None
        ):
            return candidate
    raise AssertionError
