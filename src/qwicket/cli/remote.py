"""`qwicket devices` and `account`: what there is for whoever holds a token, over HTTP."""

from __future__ import annotations

from shutil import get_terminal_size
from typing import TYPE_CHECKING, Final

import click

from qwicket.cli import completing, options
from qwicket.cli.listing import Row, is_terminal, json_flag, one_line, show, show_facts, size
from qwicket.cli.options import server
from qwicket.clients.http import sanitized
from qwicket.clients.native.progress import duration
from qwicket.clients.native.wire import convert
from qwicket.schema.accounts import AccountBody

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qwicket.cli.options import Connect
    from qwicket.schema.devices import DeviceBody

_FAMILIES: Final = ("qubit", "photonic", "atoms")
_ONLINE: Final = "on"
_NARROW: Final = 80
"""Columns of a terminal below which a description would be one word a line."""
_HEADS: Final = ("name", "family", "size", "status", "description")


def _standing(device: DeviceBody) -> str:
    until = f" until {sanitized(device.until)[:16].replace('T', ' ')} UTC" if device.until else ""
    return f"{sanitized(device.status)}{until}"


def _cells(device: DeviceBody) -> tuple[str, ...]:
    width = size(device.family, device.qubits) if device.qubits else ""
    texts = (device.name, device.family, width, _standing(device), device.description)
    return tuple(map(sanitized, texts))


def _device_facts(device: DeviceBody) -> Iterator[tuple[str, str]]:
    """Yield all there is to show of a device, each with its name."""
    name, family, width, standing, description = _cells(device)
    yield "device", name
    yield "status", f"{standing}: {sanitized(device.reason)}" if device.reason else standing
    if queue := device.queue:
        starts = queue.starts_in_s
        begins = "" if not starts else f", a job now starts in about {duration(starts)}"
        yield "queue", f"{queue.length:,} waiting{begins}"
    yield from (("family", family), ("size", width), ("description", description))
    if device.max_shots:
        yield "shots", f"{device.max_shots:,} at most"
    for name in ("formats", "outputs", "noise_models", "engines", "gates", "native_gates"):
        yield name.replace("_", " "), ", ".join(map(sanitized, getattr(device, name)))


def _account_facts(account: AccountBody) -> Iterator[tuple[str, str]]:
    """Yield all there is to show of an account and its token, each with its name."""
    token = account.token
    yield "account", f"{sanitized(account.name)} ({sanitized(account.role)})"
    yield "e-mail", sanitized(account.email)
    yield "project", sanitized(token.project)
    yield "token", sanitized(token.id)
    yield "scopes", " ".join(map(sanitized, token.scopes))
    yield "devices", " ".join(map(sanitized, token.devices)) or "all"
    yield "expires", sanitized(token.expires_at)[:16].replace("T", " ") or "never"


@click.command(short_help="List the server's devices, or show one.")
@click.argument("name", required=False, shell_complete=completing.device)
@click.option("--family", type=options.Choice(_FAMILIES), help="Only devices of this family.")
@click.option("--online", is_flag=True, help="Only devices that take jobs and have who runs them.")
@json_flag
@server
def devices(
    connect: Connect, name: str | None, family: str | None, online: bool, as_json: bool
) -> None:
    """List the devices that jobs can be submitted to; with NAME show one, and how busy it is.

    On a narrow terminal the descriptions are left out.
    """
    if name is not None and (family or online):
        raise click.UsageError("--family and --online choose from a list: give no NAME with them.")
    with connect() as client:
        found = [client.device(name)] if name is not None else client.devices()
    if name is None:
        chosen = [
            Row(device.info, _cells(device.body))
            for device in found
            if family in (None, device.family) and (device.status == _ONLINE or not online)
        ]
        is_narrow = is_terminal() and get_terminal_size().columns < _NARROW
        if is_narrow:
            chosen = [row._replace(cells=row.cells[:-1]) for row in chosen]
        show(chosen, _HEADS[:-1] if is_narrow else _HEADS, as_json)
    elif as_json:
        click.echo(one_line(found[0].info))
    else:
        show_facts(_device_facts(found[0].body))


@click.command(short_help="Say whose token yours is, and what it may do.")
@json_flag
@server
def account(connect: Connect, as_json: bool) -> None:
    """Say on which account and project the token signs in, what it may do and for how long."""
    with connect() as client:
        found, where = client.account(), client.url
    if as_json:
        click.echo(one_line(found))
    else:
        show_facts((("server", where), *_account_facts(convert(found, AccountBody))))
