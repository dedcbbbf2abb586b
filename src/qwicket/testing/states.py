"""Differences between two saved states."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from qwicket.testing.errors import TestBedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SHOWN: Final = 20
"""Changes of each kind in the text of a `Diff`."""
_FILE: Final = "qwicket.db"
_QUERIES: Final[Mapping[str, str]] = {
    "account": "select name, role, disabled_at is not null as is_disabled from account"
    " where deleted_at is null",
    "device": "select device.name, coalesce(is_on, 1) as is_on,"
    " coalesce(is_draining, 0) as is_draining, coalesce(is_paused, 0) as is_paused,"
    " coalesce(reason, '') as reason,"
    " coalesce(message, '') as message, (select id from calibration where device = device.name"
    " order by number desc limit 1) as calibration"
    " from device left join device_state on device_state.device = device.name",
    "job": "select job.id, account.name as account, job.device, job.state, job.name,"
    " job.error_text as error from job join account on account.id = job.account",
}


class Change(NamedTuple):
    """One change.

    Attributes:
        kind: `account`, `device` or `job`.
        name: Name of the account or device, or id of the job.
        before: Fields before the change; None if it did not exist.
        after: Fields after the change; None if it does not exist.
    """

    kind: str
    name: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None

    def __str__(self) -> str:
        if self.before is None:
            return f"+ {self.kind} {self.name}: {_fields(self.after or {})}"
        if self.after is None:
            return f"- {self.kind} {self.name}: {_fields(self.before)}"
        changed = [
            f"{name} {value!r} -> {self.after[name]!r}"
            for name, value in self.before.items()
            if self.after[name] != value
        ]
        return f"~ {self.kind} {self.name}: {', '.join(changed)}"


class Diff(tuple[Change, ...]):
    """Changes between two states. As text, one line each, at most 20 of each kind."""

    __slots__ = ()

    def __str__(self) -> str:
        lines = []
        for kind in _QUERIES:
            found = [each for each in self if each.kind == kind]
            lines += [str(each) for each in found[:_SHOWN]]
            if len(found) > _SHOWN:
                lines.append(f"… {len(found) - _SHOWN:,} more changes of {kind}s")
        return "\n".join(lines) or "(no changes)"


def diff(before: str | Path, after: str | Path) -> Diff:
    """Return the changes of accounts, devices and jobs between two files of `Cloud.save`.

    Raises:
        TestBedError: A file is not a saved state.
    """
    with _opened(before) as old, _opened(after) as new:
        changes = [
            Change(kind, name, was.get(name), now.get(name))
            for kind, query in _QUERIES.items()
            for was, now in [(_rows(old, query), _rows(new, query))]
            for name in dict.fromkeys([*was, *now])
            if was.get(name) != now.get(name)
        ]
    return Diff(changes)


@contextlib.contextmanager
def _opened(state: str | Path) -> Iterator[sqlite3.Connection]:
    with tempfile.TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(state) as saved:
                saved.extract(_FILE, folder)
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise TestBedError(f"{state} is not a state: {error}") from None
        with contextlib.closing(sqlite3.connect(Path(folder) / _FILE)) as database:
            yield database


def _rows(database: sqlite3.Connection, query: str) -> dict[str, dict[str, Any]]:
    """Return the rows of a query by their first column."""
    cursor = database.execute(query)
    names = [each[0] for each in cursor.description[1:]]
    return {row[0]: dict(zip(names, row[1:], strict=True)) for row in cursor}


def _fields(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value!r}" for name, value in row.items() if value not in ("", None))
