"""Invitations of administrators and leads of projects, with which people create accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.features.invitations.store import NOT_VALID, Invitation, InvitationStore
from qwicket.gateway.account_admin import checked_email
from qwicket.gateway.signin import digest, new_secret
from qwicket.model.accounts import DEFAULT_SCOPES, Token, check_name, is_trusted_name
from qwicket.model.errors import Forbidden, InvalidRequest
from qwicket.model.ids import new_id
from qwicket.store.links import Use

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwicket.gateway import Gateway
    from qwicket.gateway.signin import SignIn
    from qwicket.model.accounts import Account, Actor, InvitedRole, SignInSettings
    from qwicket.store import Store

_MAX_CODE_CHARS: Final = 64
_MAX_USES: Final = 10_000
_MAX_LIFE_S: Final = 366 * 86_400


class NewInvitation(NamedTuple):
    """An invitation with its code, which is shown once."""

    invitation: Invitation
    code: str


class NewAccount(NamedTuple):
    """An account that an invitation created.

    Attributes:
        account: The account.
        project: Name of the project to which the jobs of its token count.
        secret: The token; None if none was requested.
    """

    account: Account
    project: str
    secret: str | None


class InvitationAdmin:
    """Administration of invitations.

    Args:
        store: The database.
        now_ms: Clock; returns Unix milliseconds.
    """

    def __init__(self, store: Store, now_ms: Callable[[], int]) -> None:
        self._store = store.feature(InvitationStore)
        self._now_ms = now_ms

    async def add(
        self,
        *,
        project: str | None,
        uses: int,
        life_s: int,
        role: InvitedRole = "member",
        made_by: str | None = None,
        by_lead: bool = False,
    ) -> NewInvitation:
        """Make an invitation.

        Args:
            project: Name of the project that the accounts join.
            uses: Number of accounts that can be created, or can join the project, with it.
            life_s: Seconds until it ends.
            role: What the accounts may do in the project.
            made_by: Name of who makes it.
            by_lead: Whether a lead of the project makes it, not an administrator.

        Raises:
            InvalidRequest: A number is out of its range, or there is a role without a project.
            NotFound: There is no such project.
            Forbidden: A lead invites to the own project of a person.
            LimitExceeded: A lead invites to a project that has too many invitations.
        """
        for name, value, maximum in (("uses", uses, _MAX_USES), ("life_s", life_s, _MAX_LIFE_S)):
            if not 1 <= value <= maximum:
                raise InvalidRequest(
                    f"{name} must be from 1 to {maximum}; not {value}.", field=name
                )
        if project is None and role != "member":
            raise InvalidRequest(f"role: {role} needs a project.", field="role")
        code, now = new_secret(), self._now_ms()
        new = Invitation(
            id=new_id(now),
            project=project,
            role=role,
            maximum=uses,
            used=0,
            created_at=now,
            expires_at=now + 1000 * life_s,
            made_by=made_by,
        )
        return NewInvitation(await self._store.add(new, digest(code), by_lead=by_lead), code)

    async def all(self, project: str | None = None) -> list[Invitation]:
        """Return the valid invitations of a project, given by id, or all, the newest first."""
        return await self._store.all(self._now_ms(), project)

    async def remove(self, id: str, project: str | None = None) -> None:
        """Delete an invitation of a project, given by id, or of any; its accounts stay.

        Raises:
            NotFound: There is no such invitation.
        """
        await self._store.remove(id, project)


class Invitations:
    """Invitations for people who have a code.

    Args:
        store: The database.
        sign_in: Counts wrong codes by the client's address, together with wrong tokens; hashes
            passwords.
        now_ms: Clock; returns Unix milliseconds.
        settings: How people sign in.
    """

    @classmethod
    def from_gateway(cls, gateway: Gateway) -> Invitations:
        """Return the service of a gateway."""
        return cls(gateway.store, gateway.auth, gateway.now_ms, gateway.sign_in)

    def __init__(
        self, store: Store, sign_in: SignIn, now_ms: Callable[[], int], settings: SignInSettings
    ) -> None:
        self._store = store.feature(InvitationStore)
        self._accounts = store.accounts
        self._sign_in = sign_in
        self._are_passwords_on = settings.are_passwords_on
        self._links_emails = settings.links_emails
        self._now_ms = now_ms

    async def find(self, code: str, address: str) -> Invitation:
        """Return the invitation with this code.

        Raises:
            Forbidden: It does not exist, or has ended, or was used up.
            TooManyRequests: The code is not valid, and neither were many others from this address.
        """
        found = None
        if len(code) <= _MAX_CODE_CHARS:
            found = await self._store.find(digest(code), self._now_ms())
        if found is None:
            self._sign_in.count_wrong(address)
            raise Forbidden(NOT_VALID, field="invitation")
        return found

    async def accept(
        self,
        code: str,
        name: str,
        address: str,
        *,
        email: str | None,
        password: str | None,
        has_token: bool,
    ) -> NewAccount:
        """Create an account.

        Args:
            code: Code of the invitation.
            name: Name of the account and of its own project.
            address: Address of the client.
            email: E-mail address, which also serves as a name at sign-in.
            password: Password, for the pages and for clients that sign in with one.
            has_token: Whether a token is made, too. Its jobs count to the invitation's project, or
                to the account's own if the invitation has none.

        Raises:
            Forbidden: As for `find`.
            TooManyRequests: As for `find`.
            InvalidRequest: The name, e-mail address or password is invalid, or passwords are turned
                off; or an e-mail address is given although sign-in by the identity provider links
                accounts by e-mail address.
            Conflict: The name or e-mail address is in use; the invitation was not used.
        """
        invitation = await self.find(code, address)
        check_name(name)
        if is_trusted_name(name):
            raise InvalidRequest(
                f"name: only administrators give the name {name!r}, which others would trust.",
                field="name",
            )
        checked_address = checked_email(email)
        if checked_address is not None and self._links_emails:
            # Otherwise the address's real owner would be signed in to somebody else's account.
            raise InvalidRequest(
                "email: leave it out. On this server the address that the identity provider states"
                " gives a person the account with this address.",
                field="email",
            )
        if password is not None and not self._are_passwords_on:
            raise InvalidRequest(
                "password: this server accepts no passwords; leave it out.", field="password"
            )
        hashed = None
        if password is not None:
            # First, because whoever has a code could have passwords hashed without end.
            await self._accounts.check_unused(name, checked_address)
            hashed = await self._sign_in.passwords.hash(password, address)
        now = self._now_ms()
        secret = new_secret() if has_token else None
        token = Token(
            id=new_id(now),
            account="",
            project="",
            scopes=DEFAULT_SCOPES,
            devices=(),
            created_at=now,
        )
        account = await self._store.accept(
            Use(digest(code), address, now),
            name,
            email=checked_address,
            password_hash=hashed,
            token=token if secret else None,
            token_digest=digest(secret or ""),
        )
        return NewAccount(account, invitation.project or name, secret)

    async def actor(self, account: Account) -> Actor:
        """Return the actor of an account that was just created."""
        return await self._sign_in.by_account(account.id)

    async def join(self, actor: Actor, code: str, address: str) -> None:
        """Add the actor's account to the invitation's project; for a member, nothing changes.

        Raises:
            Forbidden: As for `find`; or the invitation is for no project.
            TooManyRequests: As for `find`.
        """
        await self.find(code, address)
        use = Use(digest(code), address, self._now_ms())
        await self._store.join(use, actor.account_name)
