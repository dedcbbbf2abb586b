"""`qwicket device`: list devices, and turn them on and off."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from qwicket.cli import completers, options
from qwicket.cli.commands import Section
from qwicket.cli.listing import Row, iso_time, json_flag, print_rows, size_text, time_to_minute

if TYPE_CHECKING:
    from qwicket.model.devices import Device, DeviceStatus, Presence


def until_ms(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    """Parse a time such as 90m or 2026-11-30T08:00; return Unix time in milliseconds.

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
        return time.time_ns() // 1_000_000 + 1000 * life_s
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


@click.group(cls=Section)
def device() -> None:
    """List devices, and turn them on and off."""


@device.command("list")
@json_flag
@options.data_location
def list_devices(as_json: bool, location: options.DataLocation) -> None:
    """List all devices in the database. `qwicket devices` lists those of a running server."""
    devices = options.as_admin(location, lambda admin: admin.devices())
    headings = ("name", "family", "size", "dialects", "agents", "status")
    print_rows([_row(*each) for each in devices], headings, as_json)


def _row(of: Device, status: DeviceStatus, presence: Presence | None) -> Row:
    record: dict[str, Any] = {
        "name": of.name,
        "family": of.family,
        "qubits": of.spec.qubits,
        "dialects": of.dialects,
        "provider": of.provider,
        "is_on": status.is_on,
        "reason": status.reason,
        "until": iso_time(status.until_at),
    }
    if presence is not None:
        record |= {"agents": presence.agents, "last_seen_at": iso_time(presence.seen_at)}
    cells = (
        of.name,
        of.family,
        size_text(of.family, of.spec.qubits),
        ",".join(of.dialects),
        _served(presence),
        _off(status),
    )
    return Row(record, cells)


@device.command("on")
@click.argument("name", shell_complete=completers.stored_device)
@options.data_location
def turn_on(name: str, location: options.DataLocation) -> None:
    """Turn the device NAME on: it takes and runs jobs again."""
    options.as_admin(location, lambda admin: admin.turn_on(name))


@device.command("off")
@click.argument("name", shell_complete=completers.stored_device)
@click.option("--reason", required=True, help="Reason, which users see.")
@click.option(
    "--until",
    callback=until_ms,
    metavar="TIME",
    help="Time at which it turns on again: 90m, 12h, 3d, or 2026-11-30T08:00 (UTC).",
)
@options.data_location
def turn_off(name: str, reason: str, until: int | None, location: options.DataLocation) -> None:
    """Turn the device NAME off: it refuses new jobs. Waiting jobs wait, running jobs continue."""
    options.as_admin(location, lambda admin: admin.turn_off(name, reason, until_at=until))


def _served(presence: Presence | None) -> str:
    if presence is None:
        return ""
    if presence.agents:
        return f"agents: {presence.agents}"
    if presence.seen_at is None:
        return "no agent yet"
    seen = datetime.fromtimestamp(presence.seen_at / 1000, UTC)
    return f"away, last seen {seen:%Y-%m-%d %H:%M:%S} UTC"


def _off(status: DeviceStatus) -> str:
    if status.is_on:
        return ""
    if status.until_at is None:
        return f"off: {status.reason}"
    return f"off until {time_to_minute(status.until_at)}: {status.reason}"
