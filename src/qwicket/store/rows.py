"""Rows to values and back: the only place that knows how a column is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from qwicket.model.accounts import Account, Project, Scope, Token
from qwicket.model.errors import NotFound
from qwicket.model.jobs import Job
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from collections.abc import Collection

    from qwicket.model.outcomes import Failure
    from qwicket.store.database import Row

_STATE: Final = Job.__struct_fields__.index("state")
_TAGS: Final = Job.__struct_fields__.index("tags")
_texts = msgspec.json.Decoder(tuple[str, ...])


def existing(row: Row | None, detail: str) -> Row:
    """Return a row, or raise `NotFound`."""
    if row is None:
        raise NotFound(detail)
    return row


def job(row: Row) -> Job:
    values = list(row)
    values[_STATE] = JobState(row[_STATE])
    values[_TAGS] = texts(row[_TAGS])
    return Job(*values)


def account(row: Row) -> Account:
    id_, name, role, email, created_at, disabled_at = row
    return Account(
        id=id_,
        name=name,
        role=role,
        email=email or f"{name}@localhost",
        created_at=created_at,
        disabled_at=disabled_at,
    )


def project(row: Row) -> Project:
    id_, name, shares, created_at, stored_bytes = row
    return Project(
        id=id_, name=name, shares=shares, created_at=created_at, stored_bytes=stored_bytes
    )


def token(row: Row) -> Token:
    id_, owner, of_project, scopes, devices, created_at, expires_at, revoked_at, parent = row
    return Token(
        id=id_,
        account=owner,
        project=of_project,
        scopes=tuple(Scope(scope) for scope in texts(scopes)),
        devices=texts(devices),
        created_at=created_at,
        expires_at=expires_at,
        revoked_at=revoked_at,
        parent=parent,
    )


def texts(column: str) -> tuple[str, ...]:
    return () if column == "[]" else _texts.decode(column)


def from_texts(values: tuple[str, ...]) -> str:
    return msgspec.json.encode(values).decode() if values else "[]"


def choice(devices: Collection[str]) -> str | None:
    """Return the parameter `devices` of statements that a token limits; None is no limit."""
    return "|" + "|".join(sorted(devices)) + "|" if devices else None


def words(failure: Failure | None) -> dict[str, str | None]:
    """Return the columns of a failure. PostgreSQL keeps no NUL, which a program's text may have."""
    if failure is None:
        return {"error_code": None, "error_text": None}
    text = failure.message.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return {"error_code": failure.code, "error_text": text}
