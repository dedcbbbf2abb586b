"""`qwicket device`: list devices, and turn them on and off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from qwicket.cli import completers, options
from qwicket.cli.commands import Section
from qwicket.cli.listing import Row, json_flag, minute_of, print_rows, second_of, size_text
from qwicket.schema import admin as schema

if TYPE_CHECKING:
    from qwicket.cli.administration import Administration


def until(_context: click.Context, _option: click.Parameter, text: str | None) -> datetime | None:
    """Parse a time such as 90m or 2026-11-30T08:00; return it with its zone.

    Raises:
        click.BadParameter: The text is not a time.
    """
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        life_s = options.life_s(_context, _option, text)
        assert life_s is not None
        return datetime.now(UTC) + timedelta(seconds=life_s)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


@click.group(cls=Section)
def device() -> None:
    """List devices, and turn them on and off."""


@device.command("list")
@json_flag
@options.administration
def list_devices(as_json: bool, admin: Administration) -> None:
    """List all devices in the database. `qwicket devices` lists those of a running server."""
    found = admin.get("devices", of=schema.AdminDeviceList)
    headings = ("name", "family", "size", "dialects", "agents", "status")
    print_rows(map(_row, found.devices), headings, as_json)


def _row(of: schema.AdminDeviceBody) -> Row:
    record: dict[str, Any] = {
        "name": of.name,
        "family": of.family,
        "qubits": of.qubits,
        "dialects": of.dialects,
        "provider": of.provider,
        "is_on": of.is_on,
        "reason": of.reason,
        "until": second_of(of.until),
    }
    if of.agents is not None:
        record |= {"agents": of.agents, "last_seen_at": second_of(of.last_seen_at)}
    cells = (
        of.name,
        of.family,
        size_text(of.family, of.qubits),
        ",".join(of.dialects),
        _served(of),
        _off(of),
    )
    return Row(record, cells)


@device.command("on")
@click.argument("name", shell_complete=completers.stored_device)
@options.administration
def turn_on(name: str, admin: Administration) -> None:
    """Turn the device NAME on: it takes and runs jobs again."""
    admin.change("PATCH", "devices", name, body=schema.DeviceChangeBody(is_on=True))


@device.command("off")
@click.argument("name", shell_complete=completers.stored_device)
@click.option("--reason", required=True, help="Reason, which users see.")
@click.option(
    "--until",
    callback=until,
    metavar="TIME",
    help="Time at which it turns on again: 90m, 12h, 3d, or 2026-11-30T08:00 (UTC).",
)
@options.administration
def turn_off(name: str, reason: str, until: datetime | None, admin: Administration) -> None:
    """Turn the device NAME off: it refuses new jobs. Waiting jobs wait, running jobs continue."""
    body = schema.DeviceChangeBody(is_on=False, reason=reason, until=until)
    admin.change("PATCH", "devices", name, body=body)


def _served(of: schema.AdminDeviceBody) -> str:
    if of.agents is None:
        return ""
    if of.agents:
        return f"agents: {of.agents}"
    if of.last_seen_at is None:
        return "no agent yet"
    seen = datetime.fromisoformat(of.last_seen_at)
    return f"away, last seen {seen:%Y-%m-%d %H:%M:%S} UTC"


def _off(of: schema.AdminDeviceBody) -> str:
    if of.is_on:
        return ""
    if of.until is None:
        return f"off: {of.reason}"
    return f"off until {minute_of(of.until)}: {of.reason}"
