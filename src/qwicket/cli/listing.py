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

    from qwicket.schema.accounts import BoundsBody

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


def print_rows(rows: Iterable[Row], headings: Sequence[str], as_json: bool) -> None:
    """Print rows as a table on a terminal, as plain lines in a pipe, or as one JSON array.

    Plain lines omit empty cells, so columns are not aligned.
    """
    rows = list(rows)
    if as_json:
        click.echo(json_line([row.record for row in rows]))
    elif stdout_is_terminal():
        print_table([row.cells for row in rows], headings)
    else:
        for row in rows:
            click.echo(_GAP.join(cell for cell in row.cells if cell))


def print_fields(fields: Iterable[tuple[str, str]]) -> None:
    """Print names and values in two columns, without empty values."""
    filled = [(name, value) for name, value in fields if value]
    width = max((len(name) for name, _ in filled), default=0)
    for name, value in filled:
        click.echo(f"{name.ljust(width)}  {value}")


def size_text(family: str, count: int) -> str:
    """Return a device's size in its family's unit, such as `5 qubits`, `8 modes` or `3 wires`."""
    unit = {"qubit": "qubit", "photonic": "mode"}.get(family, "wire")
    return f"{count:,} {unit}{'s' if count != 1 else ''}"


def json_line(value: Any) -> str:
    """Return a value as one line of JSON."""
    return json.dumps(value, sort_keys=True)


def stdout_is_terminal() -> bool:
    return sys.stdout.isatty()


def print_table(rows: Iterable[Sequence[str]], headings: Sequence[str]) -> None:
    """Print a table that fits the terminal's width."""
    for line in grid(rows, headings, shutil.get_terminal_size().columns):
        click.echo(line)


def second_of(at: str | None) -> str | None:
    """Return a time of a response in UTC, truncated to seconds, for JSON."""
    if at is None:
        return None
    return datetime.fromisoformat(at).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def minute_of(at: str) -> str:
    """Return a time of a response as text to the minute."""
    return time_to_minute(round(1000 * datetime.fromisoformat(at).timestamp()))


def time_to_minute(at_ms: int) -> str:
    """Return Unix milliseconds as text to the minute, such as `2026-11-20 14:03 UTC`."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def bounds_text(bounds: BoundsBody | None) -> str:
    """Return the bounds of a token in words; empty without bounds."""
    if bounds is None:
        return ""
    import msgspec  # late: few tokens have bounds

    from qwicket.model.bounds import bounds_of

    return bounds_of(**msgspec.structs.asdict(bounds)).text


def amount_text(amount: float) -> str:
    """Return a number with up to six decimals and separators of thousands."""
    return f"{amount:,.6f}".rstrip("0").rstrip(".")
