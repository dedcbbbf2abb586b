"""Operations on invitations. They see digests of codes, never the codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.model.errors import Forbidden, LimitExceeded, NotFound
from qwicket.store.accounts import Accounts
from qwicket.store.audit import ABSENT, ActRecorder
from qwicket.store.operations import Operations, read, scan, write

if TYPE_CHECKING:
    from qwicket.model.accounts import Account, InvitedRole, Token
    from qwicket.store.database import Tx
    from qwicket.store.links import Use


_MAX_OF_PROJECT: Final = 64
"""Limit on the invitations of a project to which a lead adds one."""


class Invitation(NamedTuple):
    """The right to create accounts.

    Attributes:
        id: Its id.
        project: Name of the project that the accounts join, if any.
        role: What they may do in the project.
        maximum: Limit on `used`.
        used: Number of accounts that it has created, or that joined the project by it.
        created_at: Unix milliseconds.
        expires_at: Unix milliseconds of the invitation's end.
        made_by: Name of who made it; None if that is not known.
    """

    id: str
    project: str | None
    role: InvitedRole
    maximum: int
    used: int
    created_at: int
    expires_at: int
    made_by: str | None


class InvitationStore(Operations):
    """Operations on invitations."""

    @write
    def add(tx: Tx, new: Invitation, digest: bytes, *, by_lead: bool) -> Invitation:
        """Store an invitation, and delete those that have ended.

        Args:
            tx: The transaction.
            new: The invitation.
            digest: Digest of its code.
            by_lead: Whether a lead of the project makes it, not an administrator. Each person leads
                a project of their own, and must not invite everybody to the server by it.

        Raises:
            NotFound: There is no such project.
            Forbidden: A lead invites to the own project of a person.
            LimitExceeded: A lead invites to a project that has too many invitations.
        """
        project = None if new.project is None else Accounts.project(tx, new.project).id
        tx.run("invitation_expire", now=new.created_at)
        if by_lead:
            _check_lead(tx, new, project)
        tx.run(
            "invitation_add",
            id=new.id,
            digest=digest,
            project=project,
            role=new.role,
            maximum=new.maximum,
            now=new.created_at,
            expires_at=new.expires_at,
            made_by=new.made_by,
        )
        return new

    @scan
    def all(tx: Tx, now: int, project: str | None = None) -> list[Invitation]:
        """Return the valid invitations of a project, given by id, or all, the newest first."""
        found = tx.all("invitation_list", now=now, project=project)
        return [Invitation(*row) for row in found]

    @read
    def find(tx: Tx, digest: bytes, now: int) -> Invitation | None:
        """Return the invitation with this code if it can be used now."""
        row = tx.one("invitation_get", digest=digest, now=now)
        return Invitation(*row) if row else None

    @write
    def remove(tx: Tx, id: str, project: str | None = None) -> None:
        """Delete an invitation of a project, given by id, or of any; its accounts stay.

        Raises:
            NotFound: There is no such invitation.
        """
        if not tx.count("invitation_remove", id=id, project=project):
            raise NotFound("There is no such invitation.")

    @write
    def accept(
        tx: Tx,
        use: Use,
        name: str,
        *,
        email: str | None,
        password_hash: str | None,
        token: Token | None,
        token_digest: bytes,
    ) -> Account:
        """Create an account, with a token if one is given, whose jobs count to the project.

        Raises:
            Forbidden: The invitation does not exist, or has ended, or was used up.
            Conflict: The name or e-mail address is taken; the invitation was not used.
        """
        found = _use(tx, use)
        account = Accounts.add(
            *(tx, name, "member"), email=email, password_hash=password_hash, now=use.at
        )
        act = _act(use, found, account, "accept_invitation", "account", account.name)
        act.record(tx, ABSENT)
        if found.project is not None:
            Accounts.add_member(tx, found.project, name, found.role)
        if token is not None:
            Accounts.add_token(tx, token, account=name, project=found.project, digest=token_digest)
        return account

    @write
    def join(tx: Tx, use: Use, account: str) -> None:
        """Add an existing account, given by name, to the project of an invitation.

        Raises:
            Forbidden: The invitation does not exist, or has ended, or was used up; or it is for no
                project.
        """
        found = InvitationStore.find(tx, use.digest, use.at)
        if found is None or found.project is None:
            raise Forbidden(NOT_VALID)
        if account not in Accounts.members(tx, found.project):
            _use(tx, use)
            Accounts.add_member(tx, found.project, account, found.role)
            joined = Accounts.by_name(tx, account)
            member = (found.project, joined.name)
            _act(use, found, joined, "join_project", "member", *member).record(tx, ABSENT)


NOT_VALID: Final = "The invitation does not exist, or has ended, or was used up. Ask for a new one."


def _check_lead(tx: Tx, new: Invitation, project: str | None) -> None:
    """Check an invitation that a lead makes; the project is given by id."""
    if Accounts.is_personal(tx, new.project or ""):
        raise Forbidden(
            f"project: {new.project} is a person's own project, to which only administrators"
            " invite.",
            field="project",
        )
    count = tx.one("invitation_count", project=project)
    if count is not None and count[0] >= _MAX_OF_PROJECT:
        raise LimitExceeded(
            f"project: {new.project} has {_MAX_OF_PROJECT} invitations, the most allowed. Delete"
            " some.",
            field="project",
        )


def _use(tx: Tx, use: Use) -> Invitation:
    found = InvitationStore.find(tx, use.digest, use.at)
    if found is None or not tx.count("invitation_use", id=found.id, now=use.at):
        raise Forbidden(NOT_VALID)
    return found


def _act(
    use: Use, found: Invitation, account: Account, action: str, kind: str, *keys: str
) -> ActRecorder:
    """Return the recorder of what the use of an invitation changes: the account's own act."""
    given = {"project": found.project, "invited_by": found.made_by}
    return ActRecorder(
        at=use.at,
        actor=account.id,
        actor_name=account.name,
        address=use.address,
        action=action,
        kind=kind,
        keys=keys,
        details={
            "invitation": found.id,
            "role": account.role,
            **{name: value for name, value in given.items() if value is not None},
        },
    )
