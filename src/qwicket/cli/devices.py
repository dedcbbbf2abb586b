"""`qwicket device`: list devices, set their state, message and maintenance, make device files."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from msgspec import structs

from qwicket.cli import completers, options
from qwicket.cli.commands import Section
from qwicket.cli.listing import Row, json_flag, minute_of, print_rows, second_of, size_text
from qwicket.cli.providers import provider
from qwicket.devices.remotes import kinds
from qwicket.extras import require
from qwicket.schema import admin as schema
from qwicket.schema import reservations as windows

if TYPE_CHECKING:
    from qwicket.cli.administration import Administration


@click.group(cls=Section)
def device() -> None:
    """List devices, and set their state, message and maintenance."""


device.add_command(provider)


@device.command("list")
@json_flag
@options.administration
def list_devices(as_json: bool, admin: Administration) -> None:
    """List all devices, with their agents and status. `qwicket devices` lists those users see."""
    found = admin.get("devices", of=schema.AdminDeviceList)
    headings = ("name", "family", "size", "dialects", "agents", "status")
    print_rows(map(_row, found.devices), headings, as_json)


def _row(device: schema.AdminDeviceBody) -> Row:
    record: dict[str, Any] = {
        "name": device.name,
        "family": device.family,
        "qubits": device.qubits,
        "dialects": device.dialects,
        "provider": device.provider,
        "is_on": device.is_on,
        "is_draining": device.is_draining,
        "is_paused": device.is_paused,
        "reason": device.reason,
        "until": second_of(device.until),
        "message": device.message,
    }
    if device.agents is not None:
        record |= {"agents": device.agents, "last_seen_at": second_of(device.last_seen_at)}
    cells = (
        device.name,
        device.family,
        size_text(device.family, device.qubits),
        ",".join(device.dialects),
        _agents_text(device),
        _status_text(device),
    )
    return Row(record, cells)


@device.command("on")
@click.argument("name", shell_complete=completers.stored_device)
@options.administration
def turn_on(name: str, admin: Administration) -> None:
    """Turn the device NAME on: it takes and runs jobs again, and its message is removed."""
    admin.change("PATCH", "devices", name, body=schema.DeviceChangeBody(is_on=True))


_until = click.option(
    "--until",
    callback=options.utc_time,
    metavar="TIME",
    help="Time at which it turns on again: 90m, 12h, 3d, or 2026-11-30T08:00 (UTC).",
)


@device.command("off")
@click.argument("name", shell_complete=completers.stored_device)
@click.option("--reason", required=True, help="Reason, which users see.")
@_until
@options.administration
def turn_off(name: str, reason: str, until: datetime | None, admin: Administration) -> None:
    """Turn the device NAME off: it refuses new jobs. Waiting jobs wait, running jobs continue."""
    body = schema.DeviceChangeBody(is_on=False, reason=reason, until=until)
    admin.change("PATCH", "devices", name, body=body)


@device.command("pause")
@click.argument("name", shell_complete=completers.stored_device)
@click.option("--reason", required=True, help="Reason, which users see.")
@_until
@options.administration
def pause(name: str, reason: str, until: datetime | None, admin: Administration) -> None:
    """Pause the device NAME: it takes jobs and starts none. Running jobs continue."""
    body = schema.DeviceChangeBody(is_on=False, is_paused=True, reason=reason, until=until)
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

    Jobs that would still run when it begins do not start before it. `qwicket reservation` lists
    and removes windows.
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


@device.command("probe", short_help="Show the devices of another cloud.")
@click.argument("name", required=False)
@click.option(
    "--kind",
    type=options.Choice([*kinds()]),
    metavar="KIND",
    default="qwicket",
    show_default=True,
    help=f"API of the other cloud: {', '.join(kinds())}.",
)
@click.option("--url", required=True, metavar="URL", help="Its address, as in a device file.")
@click.option(
    "--iam-url",
    default="",
    metavar="URL",
    help="Address at which the key is exchanged for access tokens; by default `/iam` below --url.",
)
@click.option("--instance", default="", metavar="CRN", help="The account's instance there.")
@click.option("--key-file", default="", metavar="FILE", help="File with the key; mode 0600.")
@click.option("--key-env", default="", metavar="NAME", help="Environment variable with the key.")
@click.option("--profile", default="", metavar="NAME", help="Profile of Amazon's with the key.")
@click.option("--role-arn", default="", metavar="ARN", help="Role of Amazon's to assume.")
@click.option("--sts-url", default="", metavar="URL", help="Address of STS, which gives its keys.")
@click.option("--region", default="", metavar="REGION", help="Region; Amazon's kind needs it.")
@click.option("--bucket", default="", metavar="URL", help="Address of the bucket for results.")
@click.option(
    "--as",
    "own_name",
    default="",
    metavar="NAME",
    help="Name of the device here; by default `far-` and its name there.",
)
@click.option(
    "--write",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the device file here; by default it is printed.",
)
def probe(
    name: str | None,
    kind: str,
    url: str,
    iam_url: str,
    instance: str,
    key_file: str,
    key_env: str,
    profile: str,
    role_arn: str,
    sts_url: str,
    region: str,
    bucket: str,
    own_name: str,
    path: Path | None,
) -> None:
    """Show the devices of another cloud, or the device file of its device NAME."""
    require("qwicket device probe", "server")
    from qwicket.devices.remotes import NoKey, Remote
    from qwicket.drivers.remote.clouds import CloudError
    from qwicket.drivers.remote.probe import device_toml, list_remote_devices
    from qwicket.model.suggestions import did_you_mean

    try:
        remote = Remote(
            kind=kind,
            url=url,
            device=name or "",
            iam_url=iam_url,
            instance=instance,
            key_file=key_file,
            key_env=key_env,
            profile=profile,
            role_arn=role_arn,
            sts_url=sts_url,
            region=region,
            bucket=bucket,
        )
        found = {each.name: each for each in list_remote_devices(remote, remote.key())}
    except (NoKey, CloudError, ValueError) as error:
        raise click.ClickException(f"{error}.") from None
    if name is None:
        rows = [
            Row(each._asdict(), (each.name, each.family, str(each.qubits), each.status))
            for each in found.values()
        ]
        print_rows(rows, ("name", "family", "qubits", "status"), as_json=False)
        return
    if name not in found:
        raise click.ClickException(f"{url} has no device {name}.{did_you_mean(name, found)}")
    _write(device_toml(found[name], remote, own_name), path)


@device.command("check", short_help="Run one Bell pair on a device of another cloud.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--shots",
    type=click.IntRange(1, 10_000),
    default=100,
    show_default=True,
    metavar="N",
    help="Number of shots.",
)
@click.option("--yes", is_flag=True, help="Send it without asking.")
def check(file: Path, shots: int, yes: bool) -> None:
    """Run one Bell pair on the device of a device FILE at another cloud, and show its cost.

    No server is needed. The Bell pair is sent once; after a lost response the marker is printed, by
    which you find the job there.
    """
    require("qwicket device check", "server")
    import asyncio

    from qwicket.devices.files import load
    from qwicket.devices.remotes import NoKey
    from qwicket.dialects import shown_by
    from qwicket.drivers.remote.check import CheckFailed, run_bell_pair

    try:
        found = load(file)
        remote, device = found.remote, found.device(shown_by)
        if remote is None or remote.pass_through or device.family != "qubit":
            raise ValueError("only a device of qubits at another cloud can be checked so")
        question = f"Send a Bell pair of {shots} shots to {remote.device} at {remote.url}?"
        if not yes:
            click.confirm(f"{question} This may cost money.", abort=True, err=True)
        result = asyncio.run(
            run_bell_pair(
                *(device, remote, remote.key(), shots),
                lambda id: click.echo(f"It was sent; its id there is {id}."),
            )
        )
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}.") from None
    except (NoKey, CheckFailed, ValueError) as error:
        raise click.ClickException(f"{file}: {error}.") from None
    click.echo(f"Counts: {', '.join(f'{bits}: {n}' for bits, n in result.counts.items())}")
    if result.seconds:
        click.echo(f"Run time there: {result.seconds:g} s")
    cost = "unknown" if result.credits is None else f"{result.credits:.6g} credits"
    click.echo(f"Cost: {cost}")


_SNAPSHOT = click.Path(path_type=Path)


@device.command("import", short_help="Make a device file from a vendor's snapshot.")
@click.argument("snapshot", type=_SNAPSHOT)
@click.argument("configuration", type=_SNAPSHOT, required=False)
@click.option(
    "--relaxes-to",
    type=options.Choice(["zero", "mixed"]),
    help="State to which qubits relax. With `mixed`, Clifford circuits may use all qubits of a"
    " wide machine; by default it depends on the machine.",
)
@click.option(
    "--as",
    "own_name",
    default="",
    metavar="NAME",
    help="Name of the device here; by default `twin_` and its name there.",
)
@click.option(
    "--write",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the device file here; by default it is printed.",
)
def import_device(
    snapshot: Path,
    configuration: Path | None,
    relaxes_to: Literal["zero", "mixed"] | None,
    own_name: str,
    path: Path | None,
) -> None:
    """Make the device file of a twin from a vendor's public snapshot.

    SNAPSHOT is a JSON file with a calibration in a vendor's form, or a folder with props_*.json and
    conf_*.json of one machine. CONFIGURATION is a second file, with the pairs of qubits, where the
    first has none. The file is for `qwicket serve --device-dir`. Nothing is sent anywhere.
    """
    from qwicket.devices.figures import Unreadable
    from qwicket.devices.vendor_files import device_of_vendor_file, snapshot_files
    from qwicket.devices.writing import device_toml
    from qwicket.model.devices import check_device_name
    from qwicket.model.errors import InvalidRequest

    try:
        if own_name:
            check_device_name(own_name)
        files = snapshot_files(snapshot)
        if configuration is not None:
            files = [files[0], configuration]
        found = device_of_vendor_file(own_name, *(each.read_bytes() for each in files))
        if relaxes_to is not None and found.calibration is not None:
            calibration = structs.replace(found.calibration, relaxes_to=relaxes_to)
            found = structs.replace(found, calibration=calibration)
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}.") from None
    except (Unreadable, InvalidRequest) as error:
        name = "--as" if isinstance(error, InvalidRequest) else str(snapshot)
        raise click.ClickException(f"{name}: {error}") from None
    _write(device_toml(found), path)


def _write(text: str, path: Path | None) -> None:
    """Write a device file, or print it; no file is replaced."""
    if path is None:
        click.echo(text, nl=False)
        return
    try:
        with path.open("x") as file:
            file.write(text)
    except OSError as error:
        raise click.ClickException(f"--write: {path}: {error.strerror}.") from None
    click.echo(f"{path} is written. Check it; then start `qwicket serve --device-dir` with it.")


def _agents_text(device: schema.AdminDeviceBody) -> str:
    if device.agents is None:
        return ""
    if device.agents:
        return f"agents: {device.agents}"
    if device.last_seen_at is None:
        return "no agent yet"
    seen = datetime.fromisoformat(device.last_seen_at)
    return f"away, last seen {seen:%Y-%m-%d %H:%M:%S} UTC"


def _status_text(device: schema.AdminDeviceBody) -> str:
    if device.is_on:
        return f"draining: {device.reason}" if device.is_draining else ""
    state = "paused" if device.is_paused else "off"
    if device.until is None:
        return f"{state}: {device.reason}"
    return f"{state} until {minute_of(device.until)}: {device.reason}"
