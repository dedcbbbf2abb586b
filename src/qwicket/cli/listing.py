"""Output of lists: a table on a terminal, plain lines in a pipe, JSON for scripts."""

from __future__ import annotations

import json
import shutil
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from qwicket.cli.terminal import grid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_GAP: Final = "  "

json_flag = click.option(
    "--json", "as_json", is_flag=True, help="Print one line of JSON, for scripts."
)


class Row(NamedTuple):
    """Row of a list.

    Attributes:
        record: Fields for JSON.
        cells: Cells of the table, under its headings.
    """

    record: Mapping[str, Any]
    cells: Sequence[str]


def show(rows: Iterable[Row], headings: Sequence[str], as_json: bool) -> None:
    """Print a list: a list of objects as JSON; in a pipe, one line per row without empty cells."""
    rows = list(rows)
    if as_json:
        click.echo(one_line([row.record for row in rows]))
    elif is_terminal():
        table([row.cells for row in rows], headings)
    else:
        for row in rows:
            click.echo(_GAP.join(cell for cell in row.cells if cell))


def show_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print names and values in two columns, without empty values."""
    filled = [(name, value) for name, value in facts if value]
    width = max(len(name) for name, _ in filled)
    for name, value in filled:
        click.echo(f"{name.ljust(width)}  {value}")


def size(family: str, wires: int) -> str:
    """Return the size of a device in its family's unit."""
    word = {"qubit": "qubit", "photonic": "mode"}.get(family, "wire")
    return f"{wires:,} {word}{'s' if wires != 1 else ''}"


def one_line(value: Any) -> str:
    """Return a value as one line of JSON."""
    return json.dumps(value, sort_keys=True)


def is_terminal() -> bool:
    return sys.stdout.isatty()


def table(rows: Iterable[Sequence[str]], headings: Sequence[str]) -> None:
    """Print a table that fits the terminal's width."""
    for line in grid(rows, headings, shutil.get_terminal_size().columns):
        click.echo(line)


def iso(at_ms: int | None) -> str | None:
    """Return Unix milliseconds as ISO 8601 in UTC, for JSON."""
    if at_ms is None:
        return None
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def minute(at_ms: int) -> str:
    """Return Unix milliseconds as text, to the minute."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
