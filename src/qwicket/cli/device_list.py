"""`qwicket devices`, over HTTP."""

from __future__ import annotations

from shutil import get_terminal_size
from typing import TYPE_CHECKING, Final

import click

from qwicket.cli import completers, options
from qwicket.cli.listing import (
    Row,
    json_flag,
    json_line,
    print_fields,
    print_rows,
    size_text,
    stdout_is_terminal,
)
from qwicket.cli.options import server
from qwicket.clients.http import sanitize
from qwicket.clients.native.progress import start_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qwicket.cli.options import Connect
    from qwicket.schema.devices import DeviceBody, ReservationPart

_FAMILIES: Final = ("qubit", "photonic", "atoms")
_ONLINE: Final = "on"
_NARROW: Final = 80
"""Width of a terminal below which a description would have one word per line."""
_HEADINGS: Final = ("name", "family", "size", "status", "description")


def _status_text(device: DeviceBody) -> str:
    until = f" until {sanitize(device.until)[:16].replace('T', ' ')} UTC" if device.until else ""
    return f"{sanitize(device.status)}{until}"


def _cells(device: DeviceBody) -> tuple[str, ...]:
    size = size_text(device.family, device.qubits) if device.qubits else ""
    texts = (device.name, device.family, size, _status_text(device), device.description)
    return tuple(map(sanitize, texts))


def _device_fields(device: DeviceBody) -> Iterator[tuple[str, str]]:
    """Yield names and values of a device's properties."""
    name, family, size, status, description = _cells(device)
    yield "device", name
    yield "status", f"{status}: {sanitize(device.reason)}" if device.reason else status
    if device.message:
        yield "message", sanitize(device.message)
    for window in device.reservations or ():
        yield sanitize(window.kind), _window_text(window)
    if queue := device.queue:
        starts = start_text(queue) if queue.starts_in_s else ""
        begins = f", a job now {starts}" if starts else ""
        yield "queue", f"{queue.length:,} waiting{begins}"
    yield from (("family", family), ("size", size), ("description", description))
    if device.max_shots:
        yield "shots", f"{device.max_shots:,} at most"
    for name in ("formats", "outputs", "noise_models", "engines", "gates", "native_gates"):
        yield name.replace("_", " "), ", ".join(map(sanitize, getattr(device, name)))


def _window_text(window: ReservationPart) -> str:
    """Return when a device is reserved, for which of the account's projects, and why."""
    begin, end = (
        sanitize(at)[:16].replace("T", " ") for at in (window.begin or "", window.until or "")
    )
    slots = "" if window.slots is None else f"{window.slots:,} slots "
    projects = ", ".join(map(sanitize, window.projects))
    reason = f": {sanitize(window.reason)}" if window.reason else ""
    return f"{slots}from {begin} until {end} UTC{f' for {projects}' if projects else ''}{reason}"


@click.command(short_help="List the server's devices, or show one.")
@click.argument("name", required=False, shell_complete=completers.device)
@click.option("--family", type=options.Choice(_FAMILIES), help="Only devices of this family.")
@click.option("--online", is_flag=True, help="Only devices that take and run jobs.")
@json_flag
@server
def devices(
    connect: Connect, name: str | None, family: str | None, online: bool, as_json: bool
) -> None:
    """List the server's devices; with NAME, show one device with its queue.

    On a narrow terminal the list has no descriptions.
    """
    if name is not None and (family or online):
        raise click.UsageError("--family and --online filter the list: use them without NAME.")
    with connect() as client:
        found = [client.device(name)] if name is not None else client.devices()
    if name is None:
        chosen = [
            Row(device.info, _cells(device.body))
            for device in found
            if family in (None, device.family) and (device.status == _ONLINE or not online)
        ]
        is_narrow = stdout_is_terminal() and get_terminal_size().columns < _NARROW
        if is_narrow:
            chosen = [row._replace(cells=row.cells[:-1]) for row in chosen]
        print_rows(chosen, _HEADINGS[:-1] if is_narrow else _HEADINGS, as_json)
    elif as_json:
        click.echo(json_line(found[0].info))
    else:
        print_fields(_device_fields(found[0].body))
