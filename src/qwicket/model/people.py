"""People of a file, and what an import of the file changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from qwicket.model.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qwicket.model.accounts import MemberRole
    from qwicket.model.budgets import BudgetPeriod, BudgetUnit

Absent = Literal["keep", "disable"]
"""What happens to the members of the file's projects that the file does not name."""
ChangeKind = Literal[
    "add", "email", "enable", "join", "role", "budget", "expires", "leave", "disable"
]
IMPORT_TOKEN: Final = "import"  # noqa: S105 - a name
"""Name of the tokens that an import makes."""
FIELD: Final = "csv"
"""Field of a request that has a file."""
_SHOWN_ERRORS: Final = 10
_MAX_NAMED: Final = 200
"""Names that the audit keeps of one import."""


class WantedBudget(NamedTuple):
    """A budget of a line.

    Attributes:
        unit: What is counted.
        period: When the use starts again from zero.
        maximum: What may be used in a period, as it is stored.
        text: The budget as people write it.
    """

    unit: BudgetUnit
    period: BudgetPeriod
    maximum: int
    text: str


class PersonLine(NamedTuple):
    """A line of a file of people. A field that is None or empty changes nothing.

    Attributes:
        line: Number of the line.
        name: Name of the account.
        email: Its e-mail address.
        project: Name of a project of which it is a member.
        role: What it may do in the project.
        budgets: What its jobs may use in the project, or in its own project without one.
        expires_at: End of the token that an import made for it, in Unix milliseconds.
    """

    line: int
    name: str
    email: str | None = None
    project: str | None = None
    role: MemberRole | None = None
    budgets: tuple[WantedBudget, ...] = ()
    expires_at: int | None = None


class PersonChange(NamedTuple):
    """What an import changes, or would change.

    Attributes:
        line: Number of the line that asks for it; None for people whom the file does not name.
        name: Name of the account.
        kind: What is done.
        project: Name of the project that it concerns; empty for the account itself.
        before: What it replaces, as people read it; empty for nothing.
        after: What it sets.
    """

    line: int | None
    name: str
    kind: ChangeKind
    project: str = ""
    before: str = ""
    after: str = ""


class ImportPlan(NamedTuple):
    """What an import changes, and what it leaves.

    Attributes:
        changes: Its changes, in the order of the file.
        disabled: Accounts of the file that are disabled and stay so.
    """

    changes: tuple[PersonChange, ...]
    disabled: tuple[str, ...]

    def audited(self) -> Mapping[str, Any]:
        """Return the number of changes by kind, and the first accounts that have some."""
        numbers: dict[str, int] = {}
        for each in self.changes:
            numbers[each.kind] = numbers.get(each.kind, 0) + 1
        names = list(dict.fromkeys(each.name for each in self.changes))
        return {"changed": numbers, "names": names[:_MAX_NAMED]}


def refuse(errors: Sequence[str]) -> None:
    """Raise `InvalidRequest` with the first errors of a file, if there are some."""
    if not errors:
        return
    shown = [f"{each[:1].upper()}{each[1:]}" for each in errors[:_SHOWN_ERRORS]]
    if len(errors) > _SHOWN_ERRORS:
        shown.append(f"There are {len(errors) - _SHOWN_ERRORS:,} further errors.")
    raise InvalidRequest(" ".join(shown), field=FIELD)
