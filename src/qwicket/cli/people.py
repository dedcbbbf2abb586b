"""`qwicket user add --from` and `import`: many accounts, and a file with the token of each."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import click
from msgspec.structs import replace

from qwicket.model.accounts import NAME_PATTERN
from qwicket.schema import admin as schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.cli.administration import Administration

_MAX_BYTES: Final = 16 << 20
_COLUMNS: Final = {"name", "email"}


def add_people(
    file: Path,
    folder: Path,
    admin: Administration,
    *,
    project: str | None,
    below: str | None,
    budget: schema.DefaultBudgetBody | None,
    life_s: int | None,
) -> int:
    """Add the accounts of a file, and write their tokens; return the number of accounts.

    Raises:
        click.ClickException: The file or the folder cannot be used, or an account cannot be added;
            then none was. Or the accounts were added, but the server's response has others, or a
            token could not be written; the text says so.
    """
    people = read(file)
    _prepare(folder, [each.name for each in people])
    body = schema.PeopleBody(
        accounts=tuple(people), project=project, below=below, budget=budget, life_s=life_s
    )
    made = admin.post("bulk", "accounts", body=body, of=schema.SecretList).accounts
    _write(folder, made, {each.name for each in people}, file)
    return len(made)


def import_people(
    file: Path,
    admin: Administration,
    *,
    folder: Path | None,
    absent: Literal["keep", "disable"],
    enable: bool,
    is_dry_run: bool,
) -> schema.ImportedBody:
    """Make accounts and memberships like a file, and write the tokens of new accounts.

    Raises:
        click.ClickException: As for `add_people`.
    """
    body = schema.ImportBody(
        csv=_text(file), absent=absent, enable=enable, tokens=folder is not None, dry_run=True
    )
    planned = admin.post("bulk", "people", body=body, of=schema.ImportedBody)
    if is_dry_run or not planned.changes:
        return planned
    # A server's name may be a path.
    names = [
        each.name
        for each in planned.changes
        if each.kind == "add" and NAME_PATTERN.fullmatch(each.name)
    ]
    if folder is not None:
        _prepare(folder, names)
    done = admin.post("bulk", "people", body=replace(body, dry_run=False), of=schema.ImportedBody)
    if folder is not None:
        _write(folder, done.accounts, set(names), file)
    return done


def _prepare(folder: Path, names: Sequence[str]) -> None:
    """Make a folder, and check that a file of each name can be written there."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        taken = [name for name in names if (folder / name).exists()]
    except OSError as error:
        raise click.ClickException(f"{folder}: {error.strerror}.") from None
    if taken:
        raise click.ClickException(f"{folder / taken[0]} exists already.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise click.ClickException(f"{folder}: no files can be written there.")


def read(file: Path) -> list[schema.PersonBody]:
    """Return the people in a CSV or JSON file.

    Raises:
        click.ClickException: The file cannot be read, is too large or names no account, or it
            is malformed; then the text names the line, or the number of the JSON object.
    """
    text = _text(file)
    try:
        rows = _json(text) if text.lstrip().startswith(("[", "{")) else _csv(text)
    except ValueError as error:
        raise click.ClickException(f"{file}: {error}") from None
    if not rows:
        raise click.ClickException(f"{file} names no account.")
    return rows


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(_MAX_BYTES + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise click.ClickException(f"{file} is not UTF-8 text.") from None
    if len(content) > _MAX_BYTES:
        raise click.ClickException(f"{file} has more than {_MAX_BYTES >> 20} MiB.")
    return text


def _json(text: str) -> list[schema.PersonBody]:
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply.") from None
    if not isinstance(found, list):
        raise ValueError("it must be a list of objects with name and email.")
    return [_person(f"object {k}", each) for k, each in enumerate(found, start=1)]


def _csv(text: str) -> list[schema.PersonBody]:
    lines = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    try:
        if "name" not in (lines.fieldnames or ()):
            raise ValueError("the first line must have the columns: name,email.")
        return [_person(f"line {lines.line_num}", dict(row)) for row in lines]
    except csv.Error as error:
        raise ValueError(f"line {lines.line_num}: {error}.") from None


def _person(place: str, row: Any) -> schema.PersonBody:
    if not isinstance(row, dict) or set(row) - _COLUMNS or "name" not in row:
        raise ValueError(f"{place}: it must have a name, may have an email, and nothing else.")
    name, email = row["name"], row.get("email") or None
    if not isinstance(name, str) or not isinstance(email, str | None):
        raise ValueError(f"{place}: name and email must be texts.")
    return schema.PersonBody(name=name.strip(), email=email.strip() if email else None)


def _write(folder: Path, made: Sequence[schema.SecretBody], names: set[str], source: Path) -> None:
    # A server's name may be a path, which would be written with the server's content.
    if others := {each.name for each in made} - names:
        raise click.ClickException(
            f"The server added {min(others)[:100]!r}, which is not in {source}."
            " No token was written."
        )
    for token in made:
        path = folder / token.name
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(token.secret)
        except OSError as error:
            raise click.ClickException(
                f"{path}: {error.strerror}. The accounts were added; for those without a file use"
                " qwicket token create."
            ) from None
