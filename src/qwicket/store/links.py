"""Operations on one-time links. They see digests of the links' codes, never the codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from qwicket.model.errors import Forbidden
from qwicket.store.accounts import Accounts
from qwicket.store.audit import ABSENT, ActRecorder
from qwicket.store.operations import Operations, read, write
from qwicket.store.sessions import Sessions

if TYPE_CHECKING:
    from qwicket.model.accounts import Account
    from qwicket.store.database import Tx

Kind = Literal["set_up", "password", "sign_in"]
NOT_VALID: Final = "This link does not exist, or has ended, or was used. Ask for a new one."


class Link(NamedTuple):
    """What a link lets its holder do once.

    Attributes:
        kind: `set_up` makes the first account, an administrator's; `password` sets the account's
            password; `sign_in` signs in to the account.
        account: Name of the account; empty for `set_up`.
    """

    kind: Kind
    account: str


class Use(NamedTuple):
    """The use of a link: the digest of its code, the client's address, and Unix milliseconds."""

    digest: bytes
    address: str
    at: int


class Links(Operations):
    """Operations on one-time links."""

    @write
    def add(
        tx: Tx, kind: Kind, account: str, digest: bytes, *, now: int, expires_at: int
    ) -> Account:
        """Store a link of an account, given by name, in place of its former ones.

        Raises:
            NotFound: There is no such account.
        """
        found = Accounts.by_name(tx, account)
        tx.run("link_expire", now=now)
        tx.run("link_end_account", account=found.id)
        values = {"digest": digest, "kind": kind, "expires_at": expires_at}
        tx.run("link_add", account=found.id, **values)
        return found

    @write
    def add_set_up(tx: Tx, digest: bytes, expires_at: int) -> bool:
        """Store a link that sets up the server; return False if there is an account."""
        return bool(tx.count("link_add_set_up", digest=digest, expires_at=expires_at))

    @read
    def find(tx: Tx, digest: bytes, now: int) -> Link | None:
        """Return the link with this code if it can be used now."""
        row = tx.one("link_get", digest=digest, now=now)
        return Link(*row) if row else None

    @write
    def set_up(tx: Tx, use: Use, name: str, *, password_hash: str) -> Account:
        """Create the first account, an administrator's.

        Raises:
            Forbidden: The link cannot be used.
        """
        _existing(tx, use, "set_up")
        if use.digest not in {bytes(row[0]) for row in tx.all("link_end_set_up")}:
            raise Forbidden(NOT_VALID)
        made = Accounts.add(tx, name, "admin", email=None, password_hash=password_hash, now=use.at)
        _recorder(use, made, "create_account").record(tx, ABSENT)
        return made

    @write
    def set_password(tx: Tx, use: Use, *, password_hash: str) -> Account:
        """Set the password of the link's account, and end all of its sessions.

        Raises:
            Forbidden: The link cannot be used.
        """
        account = _take(tx, use, "password")
        Sessions.set_password(tx, account.id, password_hash, b"", use.at)
        _recorder(use, account, "set_password").note(tx)
        return account

    @write
    def sign_in(tx: Tx, use: Use) -> Account:
        """Return the link's account.

        Raises:
            Forbidden: The link cannot be used.
        """
        account = _take(tx, use, "sign_in")
        _recorder(use, account, "sign_in").note(tx)
        return account


def _existing(tx: Tx, use: Use, kind: Kind) -> Link:
    found = Links.find(tx, use.digest, use.at)
    if found is None or found.kind != kind:
        raise Forbidden(NOT_VALID)
    return found


def _take(tx: Tx, use: Use, kind: Kind) -> Account:
    found = _existing(tx, use, kind)
    if not tx.count("link_take", digest=use.digest):  # another server was faster
        raise Forbidden(NOT_VALID)
    return Accounts.by_name(tx, found.account)


def _recorder(use: Use, account: Account, action: str) -> ActRecorder:
    """Return the recorder of what the use of a link changes: the act of the account itself."""
    return ActRecorder(
        at=use.at,
        actor=account.id,
        actor_name=account.name,
        address=use.address,
        action=action,
        kind="account",
        keys=(account.name,),
        details={"link": True},
    )
