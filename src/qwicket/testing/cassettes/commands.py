"""`qwicket cassette`: record a vendor's responses, replay them, compare them with Qwicket's."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from qwicket.cli.commands import Section
from qwicket.testing.errors import CassetteError, TestBedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qwicket.testing.cassettes.sessions import Recording, Replay

_FILE: Final = click.Path(dir_okay=False, path_type=Path)
_KEY_ENV: Final = "QWICKET_CASSETTE_KEY"
_AWS_SECRETS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def _pairs(
    context: click.Context, parameter: click.Parameter, given: tuple[str, ...]
) -> dict[str, str]:
    """Return the values of a repeatable option NAME=VALUE by their names."""
    found = {}
    for each in given:
        name, mark, value = each.partition("=")
        if not name or not mark or not value:
            raise click.BadParameter(f"{each!r} is not {parameter.make_metavar(context)}")
        found[name] = value
    return found


def _serving_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of commands that serve until Ctrl-C or until COMMAND ends."""
    for add in (
        click.argument("command", nargs=-1, type=click.UNPROCESSED),
        click.option("--client", metavar="NAME", help="Client whose variables COMMAND gets."),
        click.option("--port", default=0, show_default=True, help="Port; 0 takes a free one."),
    ):
        function = add(function)
    return function


@click.group(cls=Section, short_help="Record a vendor's responses, replay them, compare them.")
def cassette() -> None:
    """Record a vendor's responses without secrets, replay them, and compare them with Qwicket's.

    A cassette is one JSON file. It needs no account and no network to replay.
    """


@cassette.command(short_help="Record what passes between a client and a vendor.")
@click.argument("file", type=_FILE)
@click.option(
    "--target",
    "targets",
    multiple=True,
    required=True,
    callback=_pairs,
    metavar="PATH=URL",
    help="Path at the recording server, and the vendor's address for it. Repeatable.",
)
@click.option(
    "--key-env",
    metavar="NAME",
    default=_KEY_ENV,
    show_default=True,
    help="Environment variable with the vendor's key.",
)
@click.option(
    "--aws",
    is_flag=True,
    help="Sign each request anew with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.",
)
@click.option("--key-file", type=_FILE, help="File with the vendor's key, instead of a variable.")
@_serving_options
def record(
    file: Path,
    targets: Mapping[str, str],
    key_env: str,
    aws: bool,
    key_file: Path | None,
    client: str | None,
    port: int,
    command: tuple[str, ...],
) -> None:
    """Record into FILE what passes between a client and a vendor.

    COMMAND gets the variables of the client; recording ends with it, or else with Ctrl-C. The
    client signs in with a placeholder, and only the recorder sees the key. Recognised secrets are
    removed from FILE; read it before you publish it.
    """
    from qwicket.testing.cassettes.sessions import Recording
    from qwicket.testing.values import AwsKeys

    key = None if aws else os.environ.get(key_env)
    try:
        if key_file is not None:
            key = key_file.read_text().strip()
        keys = AwsKeys.from_environment() if aws else None
        recording = Recording(file, targets, key=key, aws=keys, port=port)
        with recording:
            hidden = (key_env, *(_AWS_SECRETS if aws else ()))
            status = _run(recording, client, command, hidden)
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None
    except (CassetteError, TestBedError) as error:
        raise click.ClickException(f"{error}") from None
    click.echo(f"Wrote {file}.", err=True)
    raise SystemExit(status)


@cassette.command(short_help="Answer from a cassette.")
@click.argument("file", type=_FILE)
@click.option("--lenient", is_flag=True, help="Accept other orders, bodies, and repeated requests.")
@_serving_options
def replay(
    file: Path, lenient: bool, client: str | None, port: int, command: tuple[str, ...]
) -> None:
    """Answer requests from FILE.

    COMMAND gets the variables of the client; replaying ends with it, or else with Ctrl-C. Without
    --lenient, all requests must come in the recorded order with the recorded queries and bodies.
    Those that do not match are printed, and the exit status is 1.
    """
    from qwicket.testing.cassettes.sessions import Replay

    try:
        with Replay(file, strict=not lenient, port=port) as playing:
            status = _run(playing, client, command)
    except (CassetteError, TestBedError) as error:
        raise click.ClickException(f"{error}") from None
    raise SystemExit(status)


@cassette.command(short_help="Compare a vendor's responses with Qwicket's.")
@click.argument("file", type=_FILE)
@click.option(
    "--name",
    "names",
    multiple=True,
    callback=_pairs,
    metavar="VENDOR=QWICKET",
    help="Vendor's name, such as a device's, and Qwicket's name for it. Repeatable.",
)
@click.option("--ignore", multiple=True, metavar="FIELD", help="Field to leave out, with *.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(file: Path, names: Mapping[str, str], ignore: tuple[str, ...], as_json: bool) -> None:
    """Send the requests of FILE to a Qwicket server, and print each field that differs.

    Ids, times and numbers are compared by their kind. The exit status is 1 if anything differs.
    """
    import msgspec

    from qwicket.testing.process import server

    try:
        with server() as cloud:
            found = cloud.check(file, names=names, ignore=ignore)
    except (CassetteError, TestBedError) as error:
        raise click.ClickException(f"{error}") from None
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        click.echo("\n".join(map(str, found)) or "No response differs.")
    raise SystemExit(1 if found else 0)


def _run(
    session: Recording | Replay,
    client: str | None,
    command: tuple[str, ...],
    hidden: Sequence[str] = (),
) -> int:
    """Run a command with the variables of a client, or wait for a signal; return its status."""
    variables = session.variables(client or "qwicket")
    found = {name: value for name, value in variables.items() if value is not None}
    if not command:
        lines = "".join(f"\n  export {name}={value}" for name, value in found.items())
        click.echo(f"Listening on {session.url}; for the client:{lines}", err=True)
        _wait()
        return 0
    dropped = {*hidden, *variables}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    try:
        return subprocess.run(command, env={**kept, **found}, check=False).returncode  # noqa: S603 - the user's
    except FileNotFoundError:
        raise click.ClickException(f"There is no command {command[0]!r}.") from None


def _wait() -> None:
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    stopped.wait()
