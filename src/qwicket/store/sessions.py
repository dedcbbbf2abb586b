"""Operations on sessions of people, and on their identities at an identity provider.

They see digests of cookies and of ID tokens, never the cookies and tokens.

Expired rows are deleted when the next row is added, so that no periodic work is needed.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.model.accounts import MAX_NAME_CHARS
from qwicket.model.errors import Conflict, Unauthenticated
from qwicket.store.accounts import Accounts
from qwicket.store.audit import ABSENT, ActRecorder
from qwicket.store.operations import Operations, read, scan, write

if TYPE_CHECKING:
    from collections.abc import Collection

    from qwicket.model.accounts import Role
    from qwicket.store.database import Tx

MAX_SESSIONS: Final = 20
"""Sessions of one account; one more ends the oldest."""


class ProviderSignIn(NamedTuple):
    """A sign-in at an identity provider, by which changes are recorded in the audit.

    Attributes:
        issuer: Address of the provider.
        subject: Name of the person there, which never changes.
        address: Network address of the client.
        at: Unix milliseconds.
    """

    issuer: str
    subject: str
    address: str
    at: int


class Session(NamedTuple):
    """A session at the pages.

    Attributes:
        digest: SHA-256 of its cookie.
        agent: What the browser called itself at sign-in; None if it is not known.
        address: Network address of the browser at sign-in; None if it is not known.
        created_at: Unix milliseconds.
        used_at: Last use in Unix milliseconds, or up to five minutes earlier; None if not known.
        expires_at: Unix milliseconds of its end.
    """

    digest: bytes
    agent: str | None
    address: str | None
    created_at: int
    used_at: int | None
    expires_at: int

    @property
    def id(self) -> str:
        """A name that does not reveal the cookie."""
        return session_id(self.digest)


def session_id(digest: bytes) -> str:
    """Return the name of the session whose cookie has this SHA-256."""
    return digest.hex()[:16]


class SessionUse(NamedTuple):
    """The account of a session, by id, and the session's last use in Unix milliseconds."""

    account: str
    used_at: int | None


class Sessions(Operations):
    @write
    def start(
        tx: Tx,
        account: str,
        digest: bytes,
        *,
        now: int,
        expires_at: int,
        replaced: bytes | None,
        agent: str = "",
        address: str = "",
    ) -> None:
        """Store a session of an account, given by id.

        Args:
            tx: The transaction.
            account: Id of the account.
            digest: SHA-256 of the cookie.
            now: Unix milliseconds.
            expires_at: Unix milliseconds of its end.
            agent: What the browser calls itself.
            address: Network address of the browser.
            replaced: Digest of the session that the new one replaces, or None.

        Raises:
            Unauthenticated: The account is disabled.
        """
        tx.run("session_expire", now=now)
        if replaced is not None:
            tx.run("session_end", digest=replaced)
        values = {"digest": digest, "account": account, "now": now, "expires_at": expires_at}
        if not tx.count("session_add", **values, agent=agent, address=address):
            raise Unauthenticated("The account is disabled.")
        tx.run("session_trim", account=account, digest=digest, keep=MAX_SESSIONS - 1)

    @read
    def account(tx: Tx, digest: bytes, now: int) -> SessionUse | None:
        """Return the account of a session that has not ended."""
        row = tx.one("session_account", digest=digest, now=now)
        return SessionUse(*row) if row else None

    @write
    def note_use(tx: Tx, digest: bytes, now: int) -> None:
        """Store when a session was used. Callers bound how often, because each call is a write."""
        tx.run("session_use", digest=digest, now=now)

    @scan
    def all(tx: Tx, account: str, now: int) -> list[Session]:
        """Return the sessions of an account, given by id, the newest first."""
        found = tx.all("session_list", account=account, now=now)
        return [Session(bytes(row[0]), *row[1:]) for row in found]

    @write
    def end_others(tx: Tx, account: str, digest: bytes) -> None:
        """End all sessions of an account, given by id, but one."""
        tx.run("session_end_others", account=account, digest=digest)

    @write
    def set_password(tx: Tx, account: str, password_hash: str, kept: bytes, now: int) -> None:
        """Change the password of an account, given by id; end its links and its other sessions.

        Args:
            tx: The transaction.
            account: Id of the account.
            password_hash: Hash of the new password.
            kept: Digest of the session that stays; empty for none.
            now: Unix milliseconds.
        """
        tx.run("account_set_password", id=account, password_hash=password_hash, now=now)
        tx.run("session_end_others", account=account, digest=kept)
        tx.run("link_end_account", account=account)

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
    def link(tx: Tx, sign_in: ProviderSignIn, email: str) -> str | None:
        """Link a person to the account with this e-mail address; return its id.

        A person who has an account already keeps it. Return None if there is no account.

        Raises:
            Unauthenticated: The account is disabled.
            Conflict: The account belongs to another person at this provider; the text has its name.
        """
        found = Sessions.of_identity(tx, sign_in.issuer, sign_in.subject)
        row = None if found else tx.one("account_with_email", email=email)
        if row is None:
            return found
        account, name, disabled_at = row
        if disabled_at is not None:
            raise Unauthenticated("The account is disabled.")
        if not _add_identity(tx, sign_in, account):
            raise Conflict(f"The account {name} belongs to another person at the provider.")
        identity = (sign_in.issuer, sign_in.subject)
        _act(sign_in, account, name, "link_account", "identity", *identity).record(tx, ABSENT)
        return str(account)

    @write
    def create_account(tx: Tx, sign_in: ProviderSignIn, name: str, email: str | None) -> str:
        """Create an account for a person at an identity provider; return its id.

        If the name is taken, it gets a number; if the e-mail address is taken, it is left out. A
        person who has an account already keeps it.
        """
        found = Sessions.of_identity(tx, sign_in.issuer, sign_in.subject)
        if found is not None:
            return found
        if email is not None and tx.one("account_has_email", email=email):
            email = None
        made = Accounts.add(
            *(tx, _free_name(tx, name), "member"), email=email, password_hash=None, now=sign_in.at
        )
        _add_identity(tx, sign_in, made.id)
        act = _act(sign_in, made.id, made.name, "create_account", "account", made.name)
        act.record(tx, ABSENT)
        return made.id

    @write
    def apply_rights(
        tx: Tx,
        sign_in: ProviderSignIn,
        account: str,
        *,
        role: Role | None,
        projects: Collection[str],
        managed: Collection[str],
    ) -> list[str]:
        """Set the role and the memberships that the groups of a person give.

        Args:
            tx: The transaction.
            sign_in: The sign-in that states the groups.
            account: Id of the account.
            role: The role; None changes none.
            projects: Names of the projects that the account is to be a member of.
            managed: Names of all projects that groups give. The account leaves those not in
                `projects`, except its own.

        Returns:
            Names of projects that do not exist; none if the account does not.
        """
        found = Accounts.by_id(tx, account)
        if found is None:
            return []
        if role is not None and role != found.role:
            act = _act(sign_in, account, found.name, "change_account", "account", found.name)
            before = act.state(tx)
            Accounts.set_role(tx, found.name, role, sign_in.at)
            act.record(tx, before)
        names = {each.name for each in Accounts.projects_of(tx, account)}
        missing = []
        for name in sorted(managed):
            member = (name, found.name)
            if name in projects and name not in names:
                if tx.one("project_by_name", name=name):
                    Accounts.add_member(tx, *member)
                    act = _act(sign_in, account, found.name, "add_member", "member", *member)
                    act.record(tx, ABSENT)
                else:
                    missing.append(name)
            elif name not in projects and name in names and name != found.name:
                act = _act(sign_in, account, found.name, "remove_member", "member", *member)
                before = act.state(tx)
                Accounts.remove_member(tx, *member, sign_in.at)
                act.record(tx, before)
        return missing


def _act(
    sign_in: ProviderSignIn, account: str, name: str, action: str, kind: str, *keys: str
) -> ActRecorder:
    """Return the recorder of what a sign-in changes: the act of the account itself."""
    return ActRecorder(
        at=sign_in.at,
        actor=account,
        actor_name=name,
        address=sign_in.address,
        action=action,
        kind=kind,
        keys=keys,
        details={"single_sign_on": {"issuer": sign_in.issuer, "subject": sign_in.subject}},
    )


def _add_identity(tx: Tx, sign_in: ProviderSignIn, account: str) -> bool:
    """Add an identity to an account; return False if it has another one of this issuer."""
    issuer, subject = sign_in.issuer, sign_in.subject
    return bool(
        tx.count("identity_add", issuer=issuer, subject=subject, account=account, now=sign_in.at)
    )


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
