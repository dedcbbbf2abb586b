"""From version 0.2.0 on, servers of two versions work beside each other on one database.

So each later migration only adds what the former version does not have to know. That it goes on
beside such an addition is tested with a live server in tests/fault/test_rolling_restart.py.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import qwicket.store

FOLDER = Path(qwicket.store.__file__).parent / "sql" / "migrations"
RELEASED = 34
"""Number of the last migration of version 0.2.0; raised with each one until that is released."""
BREAKING = {
    "a column or table is removed": r"\bdrop\s+(table|column)\b",
    "a column or table is renamed": r"\brename\b",
    "a column is changed": r"\balter\s+column\b",
    "a constraint is added": r"\badd\s+constraint\b",
    "a new column must be given": r"\badd\s+column\b(?![^;,]*\bdefault\b)[^;,]*\bnot\s+null\b",
    "rows must be unique": r"\bcreate\s+unique\s+index\b",
}


def breaks(text: str) -> list[str]:
    """Return why the former version cannot work beside a migration."""
    code = re.sub(r"--[^\n]*", "", text).lower()
    return [reason for reason, pattern in BREAKING.items() if re.search(pattern, code)]


def later() -> list[Path]:
    return [each for each in sorted(FOLDER.glob("*.sql")) if int(each.name[:4]) > RELEASED]


def test_migrations_after_the_release_only_add() -> None:
    found = {each.name: breaks(each.read_text()) for each in later()}
    assert not {name: reasons for name, reasons in found.items() if reasons}


@pytest.mark.parametrize(
    ("text", "is_breaking"),
    [
        ("alter table job drop column name;", True),
        ("DROP TABLE runner;", True),
        ("alter table a rename to b;", True),
        ("alter table a rename column b to c;", True),
        ("alter table a alter column b set not null;", True),
        ("alter table a add column b text not null;", True),
        ("create unique index i on a (b);", True),
        ("alter table a add constraint c check (b > 0);", True),
        ("alter table a add column b text;", False),
        ("alter table a add column b integer not null default 0;", False),
        ("create table a (b text not null unique);", False),
        ("create index i on a (b);\n-- this does not drop column c", False),
        ("update a set b = 1 where b is null;", False),
    ],
)
def test_what_breaks_the_former_version(text: str, is_breaking: bool) -> None:
    assert bool(breaks(text)) is is_breaking


def test_the_rule_begins_where_the_release_ends() -> None:
    numbers = [int(each.name[:4]) for each in sorted(FOLDER.glob("*.sql"))]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= RELEASED
    assert any(breaks(each.read_text()) for each in FOLDER.glob("*.sql")), "it can fail"
