"""Conversion between rows and values, where several modules need it.

The columns of a row come in the order of the struct's fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from qwicket.model.accounts import Account, Project, Scope, Token
from qwicket.model.bounds import Bounds
from qwicket.model.errors import NotFound
from qwicket.model.jobs import Job, Projects, Runner
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from collections.abc import Collection

    from qwicket.model.failures import Failure
    from qwicket.store.database import Row

_STATE: Final = Job.__struct_fields__.index("state")
_TAGS: Final = Job.__struct_fields__.index("tags")
_STATES: Final = {state.value: state for state in JobState}
_texts = msgspec.json.Decoder(tuple[str, ...])
_scopes = msgspec.json.Decoder(tuple[Scope, ...])
_bounds = msgspec.json.Decoder(Bounds)


def existing(row: Row | None, detail: str) -> Row:
    """Return a row, or raise `NotFound`."""
    if row is None:
        raise NotFound(detail)
    return row


def job(row: Row) -> Job:
    """Return a job. It is built by position, which is faster: lists read thousands of jobs."""
    values = list(row)
    values[_STATE] = _STATES[row[_STATE]]
    values[_TAGS] = texts(row[_TAGS])
    return Job(*values)


def account(row: Row) -> Account:
    """Return an account; one without an e-mail address gets NAME@localhost."""
    columns = _columns(Account, row)
    return Account(**columns | {"email": columns["email"] or f"{columns['name']}@localhost"})


def project(row: Row) -> Project:
    return Project(**_columns(Project, row))


def token(row: Row) -> Token:
    columns = dict(zip(Token.__struct_fields__, row, strict=True))
    columns["scopes"] = _scopes.decode(columns["scopes"])
    columns["devices"] = texts(columns["devices"])
    if columns["bounds"] is not None:
        columns["bounds"] = _bounds.decode(columns["bounds"])
    return Token(**columns)


def _columns(struct: type[msgspec.Struct], row: Row) -> dict[str, Any]:
    return dict(zip(struct.__struct_fields__, row, strict=True))


def texts(column: str) -> tuple[str, ...]:
    """Return the texts of a column that holds a JSON array."""
    return () if column == "[]" else _texts.decode(column)


def from_texts(values: tuple[str, ...]) -> str:
    """Return texts as a JSON array."""
    return msgspec.json.encode(values).decode() if values else "[]"


def filter_text(names: Collection[str]) -> str | None:
    """Return "|a|b|" for names, in which SQL looks for "|name|"; without names None, no filter."""
    return "|" + "|".join(sorted(names)) + "|" if names else None


def project_columns(projects: Projects) -> dict[str, str | int | None]:
    """Return the parameters of the conditions `{takes:…}`; without ids all projects are taken."""
    return {"projects": filter_text(projects.ids), "are_left": int(projects.are_left)}


def runner(row: Row) -> Runner:
    """Return a runner from its columns, of which the last two are its projects."""
    *columns, ids, are_left = row
    found = Runner(*columns)
    if ids is None:
        return found
    projects = Projects(frozenset(ids[1:-1].split("|")), bool(are_left))
    return msgspec.structs.replace(found, projects=projects)


def runner_columns(runner: Runner) -> dict[str, Any]:
    """Return the columns of a runner."""
    return msgspec.structs.asdict(runner) | project_columns(runner.projects)


def failure_columns(failure: Failure | None) -> dict[str, str | None]:
    """Return the columns of a failure, without NUL, which PostgreSQL cannot store."""
    if failure is None:
        return {"error_code": None, "error_text": None}
    text = failure.message.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return {"error_code": failure.code, "error_text": text}
