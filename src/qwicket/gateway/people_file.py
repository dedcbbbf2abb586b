"""Reads the file of people of an import: CSV with a line for each person or membership."""

from __future__ import annotations

import csv
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final, cast, get_args

from qwicket.gateway.account_admin import checked_email
from qwicket.model.accounts import MemberRole, check_name, check_project_name
from qwicket.model.budgets import checked_maximum
from qwicket.model.errors import InvalidRequest, LimitExceeded, QwicketError
from qwicket.model.people import FIELD, PersonLine, WantedBudget, refuse
from qwicket.model.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from qwicket.model.budgets import BudgetPeriod, BudgetUnit

COLUMNS: Final = ("name", "email", "project", "role", "budget", "expires")
MAX_LINES: Final = 10_000
"""Limit on the lines of a file, because one write takes all of them."""
_ROLES: Final[tuple[str, ...]] = get_args(MemberRole)
_BUDGET: Final = re.compile(
    r"(\d{1,15}(?:\.\d{1,6})?) (jobs|shots|seconds|credits)(?: (?:per|each) (day|week|month))?"
)
_EXAMPLE: Final = "such as '100 jobs per month' or '3600 seconds', several joined by ' + '"
_UNITS: Final = {"credits": "cost"}
"""Words for units whose names in the API are others."""


def read(text: str, now: int) -> list[PersonLine]:
    """Return the lines of a file.

    Args:
        text: CSV whose first line names the columns: `name`, and any others of `COLUMNS`. Cells
            are separated by commas, or by semicolons if the first line has some.
        now: Unix milliseconds.

    Raises:
        InvalidRequest: The file is malformed; the text names the line of each of the first errors.
        LimitExceeded: It has too many lines.
    """
    rows = _rows(text)
    columns = _columns(next(rows, (1, []))[1])
    found: list[PersonLine] = []
    errors: list[str] = []
    for line, cells in rows:
        if len(found) + len(errors) >= MAX_LINES:
            raise LimitExceeded(f"{FIELD} has more than {MAX_LINES:,} people.", field=FIELD)
        try:
            if len(cells) > len(columns):
                raise InvalidRequest(
                    f"it has {len(cells)} cells; there are {len(columns)} columns."
                )
            found.append(_person(line, dict(zip(columns, cells, strict=False)), now))
        except QwicketError as error:
            errors.append(f"line {line}: {error.detail}")
    refuse(errors + _contradictions(found))
    if not found:
        raise InvalidRequest("Line 2: the file names nobody.", field=FIELD)
    return found


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the cells of each line that is not blank."""
    lines = text.removeprefix("\ufeff").splitlines()
    delimiter = ";" if lines and ";" in lines[0] else ","
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        detail = f"Line {reader.line_num} is no CSV: {error}."
        raise InvalidRequest(detail, field=FIELD) from None


def _columns(names: Sequence[str]) -> Sequence[str]:
    for name in names:
        if name not in COLUMNS:
            hint = did_you_mean(name, COLUMNS)
            raise InvalidRequest(
                f"Line 1: {name[:100]!r} is not a column; there are {', '.join(COLUMNS)}.{hint}",
                field=FIELD,
            )
    if "name" not in names or len(set(names)) < len(names):
        detail = "Line 1 must name the columns, each once, and name must be one of them."
        raise InvalidRequest(detail, field=FIELD)
    return names


def _person(line: int, cells: dict[str, str], now: int) -> PersonLine:
    role, project = cells.get("role") or None, cells.get("project") or None
    if role is not None and role not in _ROLES:
        raise InvalidRequest(f"role must be one of {', '.join(_ROLES)}; not {role[:100]!r}.")
    if role is not None and project is None:
        raise InvalidRequest("role needs a project, in which the person has it.")
    return PersonLine(
        line=line,
        name=check_name(cells.get("name", "")),
        email=checked_email(cells.get("email") or None),
        project=None if project is None else check_project_name(project, "project"),
        role=cast("MemberRole | None", role),
        budgets=tuple(_budgets(cells.get("budget", ""))),
        expires_at=_expires_at(cells.get("expires", ""), now),
    )


def _budgets(cell: str) -> Iterator[WantedBudget]:
    seen: set[tuple[str, str]] = set()
    for text in filter(None, (each.strip() for each in cell.split("+"))):
        match = _BUDGET.fullmatch(text)
        if match is None:
            raise InvalidRequest(f"budget must be {_EXAMPLE}; not {text[:100]!r}.")
        amount, word, period = match.groups(default="total")
        unit = cast("BudgetUnit", _UNITS.get(word, word))
        if (unit, period) in seen:
            raise InvalidRequest(f"budget has two amounts of {word} for the same period.")
        seen.add((unit, period))
        maximum = checked_maximum(unit, float(amount))
        yield WantedBudget(unit, cast("BudgetPeriod", period), maximum, text)


def _expires_at(cell: str, now: int) -> int | None:
    """Return the end of a day in UTC."""
    if not cell:
        return None
    try:
        day = date.fromisoformat(cell)
        end = datetime.combine(day + timedelta(days=1), time(), UTC)
    except (ValueError, OverflowError):
        detail = f"expires must be a day, such as 2027-02-28; not {cell[:100]!r}."
        raise InvalidRequest(detail) from None
    at = int(1000 * end.timestamp())
    if at <= now:
        raise InvalidRequest(f"expires has passed: {cell}.")
    return at


def _contradictions(people: Iterable[PersonLine]) -> list[str]:
    """Return an error for each line that repeats or contradicts an earlier one."""
    errors: list[str] = []
    first: dict[tuple[Any, ...], PersonLine] = {}
    for each in people:
        seen = first.setdefault(("membership", each.name, each.project), each)
        if seen is not each:
            where = f" in {each.project}" if each.project else ""
            errors.append(f"line {each.line}: {each.name}{where} is in line {seen.line} already.")
        for field in ("email", "expires_at"):
            value = getattr(each, field)
            if value is None:
                continue
            seen = first.setdefault((field, each.name), each)
            if getattr(seen, field) != value:
                what = field.removesuffix("_at")
                errors.append(
                    f"line {each.line}: {each.name} has another {what} in line {seen.line}."
                )
        if each.email is not None:
            seen = first.setdefault(("address", each.email), each)
            if seen.name != each.name:
                errors.append(
                    f"line {each.line}: {seen.name} has the email {each.email} in line {seen.line}."
                )
    return errors
