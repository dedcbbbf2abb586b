"""Imports of files of people: what one would change, and the change in one write."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from qwicket.model.budgets import EACH, from_stored_amount, iso_day
from qwicket.model.people import IMPORT_TOKEN, ImportPlan, PersonChange, refuse
from qwicket.registrations import hook
from qwicket.store import rows
from qwicket.store.accounts import Accounts
from qwicket.store.operations import Operations, scan, write

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from qwicket.model.accounts import Account, Project, Token
    from qwicket.model.budgets import Budget
    from qwicket.model.people import Absent, PersonLine
    from qwicket.store.database import Tx


class ImportToken(NamedTuple):
    """A token for an account that an import adds; `account` and `project` are set in the write."""

    token: Token
    digest: bytes


class Imported(NamedTuple):
    """What an import has changed.

    Attributes:
        plan: Its changes.
        tokens: The tokens that it made, by the name of their account.
    """

    plan: ImportPlan
    tokens: Mapping[str, Token]

    def audited(self) -> Mapping[str, object]:
        """Return what the audit keeps."""
        return self.plan.audited()


class _Membership(NamedTuple):
    """A member of a project of the file."""

    account: str
    name: str
    is_admin: bool
    is_disabled: bool
    role: str


class People(Operations):
    """Operations on files of people."""

    @scan
    def plan(tx: Tx, lines: Sequence[PersonLine], absent: Absent, enables: bool) -> ImportPlan:
        """Return what the import of some lines would change.

        Args:
            tx: The transaction.
            lines: Valid lines, which do not contradict each other.
            absent: What happens to members of the file's projects whom the file does not name:
                `disable` disables those who are in no other project than their own, and removes
                the others from the file's projects. Leads and administrators stay.
            enables: Whether disabled accounts of the file are enabled.

        Raises:
            InvalidRequest: Lines contradict what is stored; the text names each.
        """
        return _Planner(tx, lines).plan(absent, enables)

    @write
    def apply(
        tx: Tx,
        lines: Sequence[PersonLine],
        absent: Absent,
        enables: bool,
        tokens: Mapping[str, ImportToken],
        now: int,
    ) -> Imported:
        """Change what `plan` returns: all or nothing.

        `tokens` has a token for each name of the file; new accounts get theirs. It is empty if no
        tokens are made.
        """
        plan = People.plan(tx, lines, absent, enables)
        by_line: dict[int | None, PersonLine] = {each.line: each for each in lines}
        firsts: dict[str, PersonLine] = {}
        for each in lines:
            firsts.setdefault(each.name, each)
        # Two people may exchange their addresses, which are unique at every moment.
        for change in plan.changes:
            if change.kind == "email":
                Accounts.set_email(tx, change.name, None)
        for change in plan.changes:
            _change(tx, change, by_line, now)
        made = {}
        for change in plan.changes:
            if change.kind == "add" and tokens:
                wanted = tokens[change.name]
                made[change.name] = Accounts.add_token(
                    tx,
                    wanted.token,
                    account=change.name,
                    project=firsts[change.name].project,
                    digest=wanted.digest,
                )
        return Imported(plan, made)


def _change(tx: Tx, change: PersonChange, lines: Mapping[int | None, PersonLine], now: int) -> None:
    name, project = change.name, change.project
    match change.kind:
        case "add":
            email = change.after or None
            Accounts.add(tx, name, "member", email=email, password_hash=None, now=now)
        case "email":
            Accounts.set_email(tx, name, change.after)
        case "enable":
            Accounts.enable(tx, name)
        case "join":
            Accounts.add_member(tx, project, name)
            Accounts.change_member(tx, project, name, role=lines[change.line].role)
        case "role":
            Accounts.change_member(tx, project, name, role=lines[change.line].role)
        case "budget":
            line, put = lines[change.line], hook("put_budget")
            assert put is not None
            for wanted in line.budgets:
                if wanted.text == change.after:
                    put(tx, project, name if line.project else "", wanted, now)
        case "expires":
            ends_at = lines[change.line].expires_at
            for token, _ in _import_tokens(tx, [Accounts.by_name(tx, name).id]):
                tx.run("token_set_expiry", id=token, expires_at=ends_at)
        case "leave":
            Accounts.remove_member(tx, project, name, now)
        case "disable":
            Accounts.disable(tx, name, now)


class _Planner:
    """What the database has of the people of a file, read at once, since a file may be long."""

    def __init__(self, tx: Tx, lines: Sequence[PersonLine]) -> None:
        self._tx = tx
        self._lines = lines
        self._names = tuple({each.name: None for each in lines})
        asked = rows.from_texts(self._names)
        found = [rows.account(row) for row in tx.all("account_of_names", jobs=asked)]
        self._accounts: dict[str, Account] = {each.name: each for each in found}
        emails = rows.from_texts(tuple(each.email for each in lines if each.email))
        owners = [rows.account(row) for row in tx.all("account_of_emails", jobs=emails)]
        self._owners = {each.email: each for each in owners}
        wanted = tuple({each.project: None for each in lines if each.project})
        every = rows.from_texts((*wanted, *self._names))
        projects = [rows.project(row) for row in tx.all("project_of_names", jobs=every)]
        self._projects: dict[str, Project] = {each.name: each for each in projects}
        self._members: dict[str, dict[str, _Membership]] = defaultdict(dict)
        for project, account, name, role, disabled_at, member in tx.all(
            "member_of_projects", jobs=rows.from_texts(wanted)
        ):
            self._members[project][name] = _Membership(
                account, name, role == "admin", disabled_at is not None, member
            )
        self._wanted = wanted

    def plan(self, absent: Absent, enables: bool) -> ImportPlan:
        """Return the changes; see `People.plan`."""
        refuse(list(self._errors()))
        budgets, ends = self._budgets(), self._expiries()
        changes: list[PersonChange] = []
        disabled: list[str] = []
        seen: set[str] = set()
        emails = {each.name: each.email for each in self._lines if each.email}
        for line in self._lines:
            account = self._accounts.get(line.name)
            if line.name not in seen:
                seen.add(line.name)
                changes += self._account(line, account, emails.get(line.name))
                if account is not None and account.disabled_at is not None:
                    if enables:
                        changes.append(PersonChange(line.line, line.name, "enable"))
                    else:
                        disabled.append(line.name)
            changes += self._membership(line)
            changes += _budget_changes(line, budgets)
            changes += _expiry_change(line, ends)
        if absent == "disable":
            changes += self._absent(seen)
        return ImportPlan(tuple(changes), tuple(disabled))

    def _errors(self) -> Iterator[str]:
        """Yield what the database has against lines."""
        new_emails = {each.name: each.email for each in self._lines if each.email}
        for line in self._lines:
            at, account = f"line {line.line}:", self._accounts.get(line.name)
            if account is None and line.name in self._projects:
                yield f"{at} the name {line.name} is taken by a project."
            if account is not None and account.deleted_at is not None:
                yield f"{at} {line.name} was deleted; restore the account first."
            if line.project is not None and line.project not in {*self._projects, line.name}:
                yield f"{at} there is no project {line.project}."
            owner = self._owners.get(line.email or "")
            # An owner whom the file gives another address leaves this one free.
            if (
                owner is not None
                and owner.name != line.name
                and new_emails.get(owner.name, line.email) == line.email
            ):
                yield f"{at} the e-mail address {line.email} is taken by {owner.name}."
            if line.budgets and hook("put_budget") is None:
                yield f"{at} this server has no budgets."

    def _account(
        self, line: PersonLine, account: Account | None, email: str | None
    ) -> Iterator[PersonChange]:
        if account is None:
            yield PersonChange(line.line, line.name, "add", after=email or "")
        elif email is not None and account.email != email:
            before = "" if account.email.endswith("@localhost") else account.email
            yield PersonChange(line.line, line.name, "email", before=before, after=email)

    def _membership(self, line: PersonLine) -> Iterator[PersonChange]:
        if line.project is None or line.project == line.name:
            return
        found = self._members[line.project].get(line.name)
        if found is None:
            role = line.role or "member"
            yield PersonChange(line.line, line.name, "join", line.project, after=role)
        elif line.role is not None and found.role != line.role:
            yield PersonChange(
                line.line, line.name, "role", line.project, before=found.role, after=line.role
            )

    def _budgets(self) -> dict[tuple[str, str, str, str], Budget]:
        """Return budgets on all devices by project, member (or empty), unit and period."""
        read = hook("budgets_in")
        named = [each.project or each.name for each in self._lines if each.budgets]
        projects = [self._projects[name].id for name in {*named} if name in self._projects]
        if read is None or not projects:
            return {}
        return {
            (name, budget.member, budget.unit, budget.period): budget
            for budget, name in read(self._tx, projects)
            if not budget.device and budget.member != EACH
        }

    def _expiries(self) -> dict[str, list[int | None]]:
        """Return the ends of the tokens that imports made, by the name of their account."""
        asked = {each.name for each in self._lines if each.expires_at is not None}
        ids = {each.id: name for name, each in self._accounts.items() if name in asked}
        found: dict[str, list[int | None]] = defaultdict(list)
        for _, (account, ends_at) in _import_tokens(self._tx, tuple(ids)):
            found[ids[account]].append(ends_at)
        return found

    def _absent(self, named: set[str]) -> Iterator[PersonChange]:
        """Yield what happens to members of the file's projects whom it does not name."""
        gone = {
            each.account: each.name
            for members in self._members.values()
            for each in members.values()
            if not (each.is_admin or each.is_disabled or each.name in named)
        }
        leads = {
            each.name
            for members in self._members.values()
            for each in members.values()
            if each.role == "lead"
        }
        others: dict[str, set[str]] = defaultdict(set)
        for account, project in self._tx.all(
            "project_names_of_accounts", jobs=rows.from_texts(tuple(gone))
        ):
            others[gone[account]].add(project)
        for name in sorted({*gone.values()} - leads):
            left = others[name] - {*self._wanted, name}
            if not left:
                yield PersonChange(None, name, "disable")
                continue
            for project in sorted(others[name] & {*self._wanted} - {name}):
                yield PersonChange(None, name, "leave", project)


def _budget_changes(
    line: PersonLine, budgets: Mapping[tuple[str, str, str, str], Budget]
) -> Iterator[PersonChange]:
    project, member = line.project or line.name, line.name if line.project else ""
    for wanted in line.budgets:
        found = budgets.get((project, member, wanted.unit, wanted.period))
        if found is not None and found.maximum == wanted.maximum:
            continue
        before = "" if found is None else f"{from_stored_amount(wanted.unit, found.maximum):g}"
        yield PersonChange(line.line, line.name, "budget", project, before, wanted.text)


def _expiry_change(line: PersonLine, ends: dict[str, list[int | None]]) -> Iterator[PersonChange]:
    if line.expires_at is None:
        return
    other = [each for each in ends.pop(line.name, ()) if each != line.expires_at]
    if other:
        before = "never" if other[0] is None else _last_day(other[0])
        after = _last_day(line.expires_at)
        yield PersonChange(line.line, line.name, "expires", before=before, after=after)


def _last_day(ends_at: int) -> str:
    return iso_day(ends_at - 1)


def _import_tokens(tx: Tx, accounts: Sequence[str]) -> Iterator[tuple[str, tuple[str, int | None]]]:
    """Yield the id of each token that an import made, with its account and its end."""
    asked = rows.from_texts(tuple(accounts))
    for token, account, ends_at in tx.all("token_of_import", jobs=asked, name=IMPORT_TOKEN):
        yield token, (account, ends_at)
