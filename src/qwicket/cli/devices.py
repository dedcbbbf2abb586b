"""`qwicket device`: list devices, turn them on and off, maintenance windows and messages."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from qwicket.cli import completers, options
from qwicket.cli.commands import Section
from qwicket.cli.listing import Row, json_flag, minute_of, print_rows, second_of, size_text
from qwicket.schema import admin as schema
from qwicket.schema import reservations as windows

if TYPE_CHECKING:
    from qwicket.cli.administration import Administration


@click.group(cls=Section)
def device() -> None:
    """List devices, and set their state, message and maintenance."""


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
        "is_draining": of.is_draining,
        "reason": of.reason,
        "until": second_of(of.until),
        "message": of.message,
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
    callback=options.utc_time,
    metavar="TIME",
    help="Time at which it turns on again: 90m, 12h, 3d, or 2026-11-30T08:00 (UTC).",
)
@options.administration
def turn_off(name: str, reason: str, until: datetime | None, admin: Administration) -> None:
    """Turn the device NAME off: it refuses new jobs. Waiting jobs wait, running jobs continue."""
    body = schema.DeviceChangeBody(is_on=False, reason=reason, until=until)
    admin.change("PATCH", "devices", name, body=body)


@device.command("drain")
@click.argument("name", shell_complete=completers.stored_device)
@click.option("--reason", required=True, help="Reason, which users see.")
@options.administration
def drain(name: str, reason: str, admin: Administration) -> None:
    """Let the device NAME drain: it refuses new jobs, and runs those that wait."""
    body = schema.DeviceChangeBody(is_on=True, is_draining=True, reason=reason)
    admin.change("PATCH", "devices", name, body=body)


@device.command("message")
@click.argument("name", shell_complete=completers.stored_device)
@click.argument("text")
@options.administration
def set_message(name: str, text: str, admin: Administration) -> None:
    """Show TEXT to all users of the device NAME; an empty text removes the message."""
    admin.change("PATCH", "devices", name, body=schema.DeviceChangeBody(message=text))


@device.command("maintenance")
@click.argument("name", shell_complete=completers.stored_device)
@options.window
@click.option("--reason", required=True, help="Reason, which users see.")
@click.option(
    "--weeks",
    type=click.IntRange(1, 260),
    default=1,
    show_default=True,
    metavar="N",
    help="Repeat it weekly, at the same local time; N windows altogether.",
)
@options.administration
def add_maintenance(
    name: str, window: options.Window, reason: str, weeks: int, admin: Administration
) -> None:
    """Turn the device NAME off in a time window, once or weekly, and on again after it.

    Jobs that would still run when it begins do not start before it. `qwicket reservations` lists
    windows, and `qwicket unreserve` removes them.
    """
    body = windows.NewMaintenanceBody(
        device=name,
        begin=window.begin,
        until=window.until,
        drain_s=window.drain_s,
        timezone=window.timezone,
        reason=reason,
        weeks=weeks,
    )
    made = admin.post("maintenance", body=body, of=windows.ReservationList)
    for each in made.reservations:
        click.echo(f"{each.id}  {minute_of(each.begin or '')} to {minute_of(each.until or '')}")


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
        return f"draining: {of.reason}" if of.is_draining else ""
    if of.until is None:
        return f"off: {of.reason}"
    return f"off until {minute_of(of.until)}: {of.reason}"
