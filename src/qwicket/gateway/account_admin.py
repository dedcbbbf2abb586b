"""Administration of accounts: create, change, disable, delete and restore them."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

from qwicket.gateway import links
from qwicket.gateway.signin import digest, new_secret
from qwicket.gateway.tokens import NewToken
from qwicket.model.accounts import (
    ADMIN_SCOPES,
    DEFAULT_SCOPES,
    Account,
    JobsOfDeleted,
    Person,
    Project,
    Role,
    Scope,
    Token,
    check_name,
    lower_ascii,
)
from qwicket.model.errors import Conflict, InvalidRequest, LimitExceeded, NotFound
from qwicket.model.ids import new_id
from qwicket.model.limits import SignInLimits
from qwicket.model.people import IMPORT_TOKEN
from qwicket.registrations import hook
from qwicket.store import NewMember

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from qwicket.gateway.links import NewLink
    from qwicket.gateway.passwords import Passwords
    from qwicket.model.budgets import DefaultBudget
    from qwicket.model.people import Absent, ImportPlan
    from qwicket.store import Store
    from qwicket.store.accounts import Listed, ListedAccount
    from qwicket.store.sessions import Session

MAX_PEOPLE: Final = 10_000
"""Limit on the accounts that one request creates; they are stored in one write."""
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")
_INVISIBLE: Final = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    r"\U00013441\U00013442\U00016fe4\U0001d159\U000e0100-\U000e01ef]"
)
"""Characters that are not displayed, beside those that `str.isprintable` knows: Unicode's
Default_Ignorable_Code_Point, and letters and signs that are blank. With them, one address looks
like another."""
_MAX_EMAIL_CHARS: Final = 254
_PLACEHOLDER: Final = "@localhost"
_HASHED_FOR: Final = "administrators"
"""Administrators' passwords are hashed one after the other, from whichever address they come."""


class AccountAdmin:
    """Administration of accounts.

    An existing account can also be named by its e-mail address, in any case of letters, except in
    `restore_account`.

    Args:
        store: The database.
        now_ms: Clock; returns Unix milliseconds.
        aws_master_file: File of the master keys of AWS's key pairs; None allows no key pairs.
        passwords: Returns the server's service for passwords; None is one without a server.
        are_passwords_on: Whether the server accepts passwords.
    """

    def __init__(
        self,
        store: Store,
        now_ms: Callable[[], int],
        aws_master_file: Path | None = None,
        *,
        passwords: Callable[[], Passwords] | None = None,
        are_passwords_on: bool = True,
    ) -> None:
        self.store = store
        self.now_ms = now_ms
        self._aws_master_file = aws_master_file
        self._passwords = passwords or _own_passwords
        self._are_passwords_on = are_passwords_on

    async def add_account(
        self, name: str, role: Role = "member", *, email: str | None, password: str | None
    ) -> Account:
        """Create an account with a project of its own.

        Raises:
            InvalidRequest: The name, address or password is invalid.
            Conflict: The name or address is in use.
        """
        check_name(name)
        checked_address = checked_email(email)
        hashed = None
        if password is not None:
            await self.store.accounts.check_unused(name, checked_address)
            hashed = await self._hash(password)
        return await self.store.accounts.add(
            name, role, email=checked_address, password_hash=hashed, now=self.now_ms()
        )

    async def add_accounts(
        self,
        people: Sequence[Person],
        *,
        project: str | None = None,
        below: str | None = None,
        budget: DefaultBudget | None = None,
        scopes: Sequence[str] = (),
        life_s: int | None = None,
    ) -> list[tuple[str, NewToken]]:
        """Create accounts with a token each: all or none.

        Args:
            people: Names and addresses of the new accounts.
            project: Project that they become members of, and to which their tokens' jobs count; by
                default each account's own.
            below: In place of it, the project below which each gets a project.
            budget: What the jobs of each of these projects may use.
            scopes: Scopes of the tokens, except those of administrators and labs; by default the
                three that reading and submitting need.
            life_s: Seconds until the tokens expire; by default never.

        Returns:
            Name and token of each, in the order of `people`.

        Raises:
            InvalidRequest: A scope is invalid, or a name or address; the text says whose.
            Conflict: A name or address is in use, or occurs twice.
            NotFound: There is no such project.
            LimitExceeded: There are more than `MAX_PEOPLE`, or the budget is too large.
        """
        if project is not None and below is not None:
            raise InvalidRequest("below: give either project or below.", field="below")
        if budget is not None and below is None:
            raise InvalidRequest("budget: give below, too.", field="budget")
        set_budget = None
        if budget is not None:
            budgets = hook("budget_administration")
            if budgets is None:
                raise InvalidRequest("budget: this server has no budgets.", field="budget")
            set_budget = budgets(self.store, self.now_ms).setter(budget)
        if len(people) > MAX_PEOPLE:
            raise LimitExceeded(
                f"accounts: there are {len(people):,}; {MAX_PEOPLE:,} at once are allowed.",
                field="accounts",
            )
        now = self.now_ms()
        granted = _member_scopes(scopes)
        checked = [_checked(number, each) for number, each in enumerate(people, start=1)]
        secrets = [new_secret() for _ in people]
        members = [
            NewMember(
                name=person.name,
                email=person.email,
                project=project if below is None else f"{below}/{person.name}",
                token=Token(
                    id=new_id(now),
                    account="",
                    project="",
                    scopes=granted,
                    devices=(),
                    created_at=now,
                    expires_at=None if life_s is None else now + 1000 * life_s,
                ),
                digest=digest(secret),
            )
            for person, secret in zip(checked, secrets, strict=True)
        ]
        tokens = await self.store.accounts.add_with_tokens(
            members, now, below=below, set_budget=set_budget
        )
        return [
            (member.name, NewToken(token, secret))
            for member, token, secret in zip(members, tokens, secrets, strict=True)
        ]

    async def import_people(
        self,
        text: str,
        *,
        absent: Absent = "keep",
        enables: bool = False,
        makes_tokens: bool = False,
        is_dry_run: bool = False,
    ) -> tuple[ImportPlan, list[tuple[str, NewToken]]]:
        """Make accounts, memberships, budgets and the ends of tokens like a file: all or nothing.

        Args:
            text: The file; see `gateway.people_file.read`.
            absent: What happens to members of its projects whom it does not name; see
                `store.people`.
            enables: Whether disabled accounts of the file are enabled.
            makes_tokens: Whether new accounts get a token each.
            is_dry_run: Whether nothing is changed.

        Returns:
            What was changed, or would be, and the tokens of new accounts.

        Raises:
            InvalidRequest: Lines are invalid; the text names the first ones.
            LimitExceeded: There are too many lines, or a project gets too many budgets.
        """
        from qwicket.gateway import people_file  # late: few requests need it
        from qwicket.store.people import ImportToken

        now = self.now_ms()
        lines = await asyncio.to_thread(people_file.read, text, now)
        people = self.store.people
        if is_dry_run:
            return await people.plan(lines, absent, enables), []
        ends = {each.name: each.expires_at for each in lines if each.expires_at is not None}
        secrets = {each.name: new_secret() for each in lines} if makes_tokens else {}
        tokens = {
            name: ImportToken(_import_token(now, ends.get(name)), digest(secret))
            for name, secret in secrets.items()
        }
        plan, made = await people.apply(lines, absent, enables, tokens, now)
        return plan, [(name, NewToken(token, secrets[name])) for name, token in made.items()]

    async def accounts(self, *, deleted: bool = False) -> list[Account]:
        """Return all accounts, or those that were deleted and can be restored."""
        return await self.store.accounts.all(deleted=deleted)

    async def people(
        self, *, after: str, part: str, which: Listed, limit: int
    ) -> list[ListedAccount]:
        """Return accounts in the order of their names, after a name; see `store.accounts.page`."""
        return await self.store.accounts.page(after, part, which, limit)

    async def deleted_account(self, name: str) -> Account:
        """Return a deleted account that can be restored.

        Raises:
            NotFound: There is none.
        """
        for each in await self.accounts(deleted=True):
            if each.name == lower_ascii(name):
                return each
        raise NotFound(f"There is no account {name}.")

    async def projects_of(self, account: Account) -> list[Project]:
        """Return the projects of an account."""
        return await self.store.accounts.projects_of(account.id)

    async def sessions(self, account: Account) -> list[Session]:
        """Return the sessions of an account, newest first."""
        return await self.store.sessions.all(account.id, self.now_ms())

    async def account(self, name: str) -> Account:
        """Return an account.

        Raises:
            NotFound: There is no such account.
        """
        return await self.store.accounts.by_name(name)

    async def disable_account(self, name: str) -> Account:
        """Disable an account, so that its tokens no longer sign in. Its jobs continue.

        Raises:
            NotFound: There is no such account.
        """
        return await self.store.accounts.disable(name, self.now_ms())

    async def enable_account(self, name: str) -> Account:
        """Enable an account again, with its tokens.

        Raises:
            NotFound: There is no such account.
        """
        return await self.store.accounts.enable(name)

    async def set_role(self, name: str, role: Role) -> Account:
        """Set the role. A former administrator loses the tokens with scopes of administrators.

        Raises:
            NotFound: There is no such account.
        """
        return await self.store.accounts.set_role(name, role, self.now_ms())

    async def set_email(self, name: str, email: str | None) -> Account:
        """Set or remove the e-mail address.

        Raises:
            InvalidRequest: It is not an address.
            NotFound: There is no such account.
            Conflict: The address is in use.
        """
        return await self.store.accounts.set_email(name, checked_email(email))

    async def reset_account(self, name: str, *, password: str | None) -> Account:
        """Revoke all tokens of an account, and set its password or remove it.

        Raises:
            InvalidRequest: The password is too short or too long.
            NotFound: There is no such account.
        """
        hashed = None if password is None else await self._hash(password)
        return await self.store.accounts.reset(name, hashed, self.now_ms())

    async def make_password_link(self, name: str) -> NewLink:
        """Make a one-time link with which the person sets the account's password.

        Raises:
            NotFound: There is no such account.
            Conflict: The account is disabled, or the server accepts no passwords.
        """
        if not self._are_passwords_on:
            raise Conflict(links.NO_PASSWORDS)
        return await links.make(self.store, "password", name, self.now_ms())

    async def make_sign_in_link(self, name: str) -> NewLink:
        """Make a one-time link that signs in to an account on the server's own machine.

        Raises:
            NotFound: There is no such account.
            Conflict: The account is disabled.
        """
        return await links.make(self.store, "sign_in", name, self.now_ms())

    async def delete_account(self, name: str, *, jobs: JobsOfDeleted = "keep") -> Account:
        """Delete an account, and cancel its unfinished jobs.

        The account can be restored for `RESTORABLE_S` (30 days); the jobs stay cancelled. After
        that time it loses its name and address, and `jobs` decides whether its jobs are kept,
        without a name, or removed.

        Raises:
            NotFound: There is no such account.
        """
        now = self.now_ms()
        account = await self.store.accounts.delete(name, jobs, now)
        await self.store.jobs.cancel_account(account.id, actor="admin", now=now)
        return account

    async def restore_account(self, name: str) -> Account:
        """Restore a deleted account, given by its name, with its tokens.

        Raises:
            NotFound: No account of this name was deleted, or it cannot be restored any more.
        """
        return await self.store.accounts.restore(lower_ascii(name))

    async def _hash(self, password: str) -> str:
        return await self._passwords().hash(password, _HASHED_FOR)


def _import_token(now: int, expires_at: int | None) -> Token:
    return Token(
        id=new_id(now),
        account="",
        project="",
        scopes=DEFAULT_SCOPES,
        devices=(),
        created_at=now,
        expires_at=expires_at,
        name=IMPORT_TOKEN,
    )


def _own_passwords() -> Passwords:
    from qwicket.gateway.passwords import Passwords  # late: few commands set a password

    return Passwords(SignInLimits())


def _checked(number: int, person: Person) -> Person:
    """Validate one of several people, counted from 1; return the person with the stored address."""
    try:
        return Person(check_name(person.name), checked_email(person.email))
    except InvalidRequest as error:
        field = f"accounts[{number - 1}].{error.field}"
        raise InvalidRequest(f"Account {number}: {error.detail}", field=field) from None


def _member_scopes(wanted: Sequence[str]) -> tuple[Scope, ...]:
    allowed = [scope for scope in Scope if scope not in {*ADMIN_SCOPES, Scope.DEVICES_SERVE}]
    for scope in wanted:
        if scope not in allowed:
            raise InvalidRequest(
                f"scopes: {scope[:100]!r} is not one of {', '.join(allowed)}.", field="scopes"
            )
    return tuple(Scope(scope) for scope in dict.fromkeys(wanted)) or DEFAULT_SCOPES


def checked_email(email: str | None) -> str | None:
    """Return an e-mail address as it is stored: with `lower_ascii`, as sign-in compares it.

    Raises:
        InvalidRequest: It is not an address, or is a placeholder for none.
    """
    if email is None:
        return None
    if lower_ascii(email).endswith(_PLACEHOLDER):
        raise InvalidRequest(
            f"email must not end in {_PLACEHOLDER}: {email[:100]!r} stands for no address.",
            field="email",
        )
    is_visible = email.isprintable() and not _INVISIBLE.search(email)
    if not _EMAIL.fullmatch(email) or not is_visible or len(email) > _MAX_EMAIL_CHARS:
        raise InvalidRequest(
            f"email must be an e-mail address of at most {_MAX_EMAIL_CHARS} visible characters;"
            f" not {email[:100]!a}.",
            field="email",
        )
    return lower_ascii(email)
