"""`qwicket devices` and `account`: what there is for whoever holds a token, over HTTP."""

from __future__ import annotations

from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
import msgspec

from qwicket.cli import completing, options
from qwicket.cli.listing import Row, is_terminal, json_flag, one_line, show, show_facts, size
from qwicket.cli.options import server
from qwicket.clients.http import plain
from qwicket.clients.native import BadAnswer
from qwicket.clients.native.progress import duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qwicket.cli.options import Connect

T = TypeVar("T")

_FAMILIES: Final = ("qubit", "photonic", "atoms")
_ONLINE: Final = "on"
_NARROW: Final = 80
"""Columns of a terminal below which a description would be one word a line."""
_HEADS: Final = ("name", "family", "size", "status", "description")


class _Queue(msgspec.Struct, frozen=True):
    length: int = 0
    starts_in_s: float | None = None


class _Device(msgspec.Struct, frozen=True, kw_only=True):
    """What people are shown of a device."""

    name: str
    family: str = ""
    description: str = ""
    provider: str = ""
    status: str = ""
    reason: str = ""
    until: str | None = None
    qubits: int | None = None
    max_shots: int | None = None
    formats: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    native_gates: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    noise_models: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()
    queue: _Queue | None = None

    @property
    def standing(self) -> str:
        until = f" until {plain(self.until)[:16].replace('T', ' ')} UTC" if self.until else ""
        return f"{plain(self.status)}{until}"

    @property
    def cells(self) -> tuple[str, ...]:
        width = "" if self.qubits is None else size(self.family, self.qubits)
        told = (self.name, self.family, width, self.standing, self.description)
        return tuple(map(plain, told))

    def facts(self) -> Iterator[tuple[str, str]]:
        """Yield all there is to show, each with its name."""
        yield "device", plain(self.name)
        yield "status", f"{self.standing}: {plain(self.reason)}" if self.reason else self.standing
        if self.queue is not None:
            starts = self.queue.starts_in_s
            begins = "" if not starts else f", a job now starts in about {duration(starts)}"
            yield "queue", f"{self.queue.length:,} waiting{begins}"
        _, family, width, _, description = self.cells
        yield from (("family", family), ("size", width), ("description", description))
        if self.max_shots is not None:
            yield "shots", f"{self.max_shots:,} at most"
        for name in ("formats", "outputs", "noise_models", "engines", "gates", "native_gates"):
            yield name.replace("_", " "), ", ".join(map(plain, getattr(self, name)))


class _Token(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    project: str = ""
    scopes: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    expires_at: str | None = None


class _Account(msgspec.Struct, frozen=True, kw_only=True):
    """What people are shown of whose token theirs is."""

    name: str
    role: str = ""
    email: str = ""
    token: _Token

    def facts(self) -> Iterator[tuple[str, str]]:
        """Yield all there is to show, each with its name."""
        yield "account", f"{plain(self.name)} ({plain(self.role)})"
        yield "e-mail", plain(self.email)
        yield "project", plain(self.token.project)
        yield "token", plain(self.token.id)
        yield "scopes", " ".join(map(plain, self.token.scopes))
        yield "devices", " ".join(map(plain, self.token.devices)) or "all"
        yield "expires", plain(self.token.expires_at)[:16].replace("T", " ") or "never"


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
    bodies = [each.info for each in found]
    if name is None:
        chosen = [
            Row(body, device.cells)
            for body in bodies
            for device in [_read(body, _Device)]
            if family in (None, device.family) and (device.status == _ONLINE or not online)
        ]
        is_narrow = is_terminal() and get_terminal_size().columns < _NARROW
        if is_narrow:
            chosen = [row._replace(cells=row.cells[:-1]) for row in chosen]
        show(chosen, _HEADS[:-1] if is_narrow else _HEADS, as_json)
    elif as_json:
        click.echo(one_line(bodies[0]))
    else:
        show_facts(_read(bodies[0], _Device).facts())


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
        show_facts((("server", where), *_read(found, _Account).facts()))


def _read(body: dict[str, Any], of: type[T]) -> T:
    try:
        return msgspec.convert(body, of)
    except msgspec.ValidationError as error:
        what = str(error)
    raise BadAnswer(f"The answer is not of Qwicket's API ({what}). Is the address right?")
