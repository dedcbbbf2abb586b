"""Options and decorators that several commands share."""

from __future__ import annotations

import functools
import math
import re
import sys
import tomllib
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeVar, cast

import click

from qwicket.cli import completers
from qwicket.folders import default_data_dir

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from datetime import tzinfo

    from qwicket.clients.native import Client
    from qwicket.clients.native.config import Settings
    from qwicket.gateway.admin import Admin
    from qwicket.model.accounts import GroupRights
    from qwicket.store import Store

    Connect = Callable[[], Client]
    """Function that returns a client of the chosen server."""

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DURATION: Final = re.compile(r"([0-9]{1,9})([smhdw])")
_MAX_SECRET_BYTES: Final = 8192
_MAX_DURATION_S: Final = 100 * 366 * 86400

T = TypeVar("T")
F = TypeVar("F", bound="Callable[..., Any]")


def setting(flag: str, *names: str, **attributes: Any) -> Callable[[F], F]:
    """Return an option that the environment and `qwicket.toml` can also set."""
    name = flag.removeprefix("--").partition("/")[0]  # of --on/--off
    variable = "QWICKET_" + name.replace("-", "_").upper()
    return click.option(flag, *names, envvar=variable, show_envvar=True, **attributes)


class Choice(click.Choice[str]):
    """Choice whose error suggests a similar name."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        from qwicket.model.suggestions import did_you_mean

        names = list(map(str, self.choices))
        near = did_you_mean(str(value), names)
        if near:
            return f"{str(value)[:100]!r} is unknown.{near}"
        return f"{str(value)[:100]!r} is not one of {', '.join(map(repr, names))}."

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str | None:
        """Return the choices for an option; None for an argument, whose name is shorter."""
        return None if isinstance(param, click.Argument) else super().get_metavar(param, ctx)


class _Input(click.ParamType[tuple[str, float]]):
    """Value of a program's declared input: `name=value`."""

    name = "name=value"

    def convert(
        self, value: Any, _param: click.Parameter | None, _context: click.Context | None
    ) -> tuple[str, float]:
        name, _, text = str(value).partition("=")
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not name.strip() or not math.isfinite(number):
            self.fail(f"{value!r} does not have the form name=number.")
        return name.strip(), number


inputs = click.option(
    "--input",
    "inputs",
    type=_Input(),
    multiple=True,
    metavar="NAME=VALUE",
    help="Value of an input that the program declares; angles in radians. Repeatable.",
)


weights = click.option(
    "--weight",
    "weights",
    type=_Input(),
    multiple=True,
    metavar="FIGURE=NUMBER",
    help="If the server chooses the device: how much fidelity, start or cost counts, by default 1"
    " each. Repeatable.",
)

data_dir = setting(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=default_data_dir,
    show_default="~/.local/share/qwicket",
    metavar="DIR",
    help="Folder of the embedded database.",
)
database_url = setting(
    "--database-url",
    metavar="URL",
    help="PostgreSQL server in place of the embedded database: postgresql://user:password@host/name"
    " (extra `postgres`). Set an address with a password in the variable or in qwicket.toml,"
    " because other users of this machine can see the options of a command.",
)


log_format = setting(
    "--log-format",
    default="text",
    show_default=True,
    type=Choice(["text", "json"]),
    help="Format of the log: text, or one JSON object per line.",
)

_MAX_TOKEN_BYTES: Final = 4_096
_WORKER_SERVER_OPTIONS: Final = (
    setting("--connect", "url", metavar="URL", help="Address of the server; required."),
    setting(
        "--token-file",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="File with a token of the scope compute:serve.",
    ),
    setting("--token", metavar="TOKEN", help="The token; better in the environment or a file."),
    setting(
        "--insecure",
        is_flag=True,
        help="Allow http:// to another machine: anyone can read the token.",
    ),
    log_format,
)


def server_of_workers(command: F) -> F:
    """Add the options that name a server, and the token to run its jobs, to a command."""
    for option in reversed(_WORKER_SERVER_OPTIONS):
        command = option(command)
    return command


@contextmanager
def logging_to_stderr(log_format: Literal["text", "json"], *secrets: str) -> Iterator[None]:
    """Log to standard error in a format, without these secrets; also an error that ends the block.

    Raises:
        SystemExit: The block ended with a `ClickException`, which is in the log as JSON.
    """
    from qwicket.server.logs import hide_secrets, log_startup_failure, start_log

    start_log(log_format)
    hide_secrets(*secrets)
    try:
        yield
    except click.ClickException as error:
        if log_format == "text":
            raise
        log_startup_failure(error.format_message(), log_format)
        raise SystemExit(error.exit_code) from None


def required_address(url: str | None, *, is_insecure: bool) -> str:
    """Return `--connect`; refuse to send a token over http:// to another machine, unless allowed.

    Raises:
        click.UsageError: There is no address.
        click.BadParameter: The address is malformed, or not encrypted.
    """
    from urllib.parse import urlsplit

    if url is None:
        raise click.UsageError("Missing option '--connect'.")
    from qwicket.clients.http.failures import is_loopback

    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise click.BadParameter(f"{url!r} is not an address.", param_hint="--connect") from None
    if parts.scheme == "http" and not is_loopback(host) and not is_insecure:
        raise click.BadParameter(
            f"{url} is not encrypted, and the token reads the programs of all users. Use https://,"
            " or --insecure in a network that you trust.",
            param_hint="--connect",
        )
    return url


def token_of(token: str | None, token_file: Path | None) -> str:
    """Return the token in the file, if there is a file, else the given token."""
    if token_file is not None:
        token = _token_in(token_file)
    if not token:
        raise click.ClickException("No token: pass --token-file or set QWICKET_TOKEN.")
    return token


def _token_in(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(_MAX_TOKEN_BYTES).decode("ascii").strip()
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise click.ClickException(f"{file} does not contain a token.") from None


def read_toml(file: Path) -> dict[str, Any]:
    """Read a TOML file; turn errors into one line."""
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}.") from None
    except ValueError as error:  # invalid TOML or UTF-8
        raise click.ClickException(f"{file} is not valid TOML: {str(error).rstrip('.')}.") from None


class _Groups(click.ParamType["Mapping[str, GroupRights]"]):
    """Rights of the groups of an identity provider, by name: JSON, or a table of `qwicket.toml`."""

    name = "json"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Mapping[str, GroupRights]:
        import msgspec

        from qwicket.model.accounts import GroupRights, check_project_name
        from qwicket.model.errors import InvalidRequest

        if not isinstance(value, str):
            return cast("Mapping[str, GroupRights]", value)
        try:
            found = msgspec.json.decode(value, type=dict[str, GroupRights])
            for rights in found.values():
                for project in rights.projects:
                    check_project_name(project, "project")
        except (msgspec.DecodeError, InvalidRequest) as error:
            self.fail(
                f"{str(error).rstrip('.')}. It must be like"
                ' {"staff": {"role": "admin", "projects": ["lab"]}}.',
                param,
                ctx,
            )
        return found


def _issuer(_context: click.Context, _option: click.Parameter, url: str | None) -> str | None:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url or "")
        is_local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    except ValueError:
        raise click.BadParameter(f"{url!r} is not an address.") from None
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_local)
    if url and not (is_safe and parts.hostname and not parts.query and not parts.fragment):
        raise click.BadParameter(
            f"{url!r} is not an address such as https://login.example.org/realms/lab; http:// is"
            " for this machine alone."
        )
    return url or None


def _secret_file(
    _context: click.Context, _option: click.Parameter, path: Path | None
) -> Path | None:
    from qwicket.model.secret_files import mode_for_others

    if path is not None:
        try:
            with path.open("rb") as file:
                mode = mode_for_others(file)
        except OSError as error:
            raise click.BadParameter(f"{path} cannot be read: {error.strerror}.") from None
        if mode:
            raise click.BadParameter(f"others can read {path} (mode {mode:04o}): chmod 600 {path}")
    return path


_PROVIDER_OPTIONS: Final = (
    setting(
        "--oidc-issuer",
        callback=_issuer,
        metavar="URL",
        help="Issuer address of the identity provider (OpenID Connect) where people sign in.",
    ),
    setting("--oidc-client-id", metavar="ID", help="Id of this server at the provider."),
    setting(
        "--oidc-client-secret-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        callback=_secret_file,
        metavar="FILE",
        help="File with the secret of this server at the provider; leave out with PKCE alone.",
    ),
    setting(
        "--oidc-device-client-id",
        metavar="ID",
        help="Id of `qwicket login` at the provider; by default that of the server.",
    ),
    setting(
        "--oidc-audiences",
        default="",
        metavar="NAMES",
        help="Further audiences whose ID tokens are accepted, separated by spaces.",
    ),
    setting(
        "--oidc-scopes",
        default="openid profile email",
        show_default=True,
        metavar="SCOPES",
        help="Scopes to ask the provider for, separated by spaces.",
    ),
    setting(
        "--oidc-name-claim",
        default="preferred_username",
        show_default=True,
        metavar="CLAIM",
        help="Claim with the name of a person, from which the account's name is made.",
    ),
    setting(
        "--oidc-groups-claim",
        default="groups",
        show_default=True,
        metavar="CLAIM",
        help="Claim with the groups of a person.",
    ),
    setting(
        "--oidc-groups",
        type=_Groups(),
        default="{}",
        metavar="JSON",
        help="Projects and role that each group gives; in qwicket.toml the table [oidc_groups].",
    ),
    setting("--oidc-create", is_flag=True, help="Create an account at a person's first sign-in."),
    setting(
        "--oidc-link-email",
        is_flag=True,
        help="Let a first sign-in take the account with the same e-mail address, if the provider"
        " has verified the address.",
    ),
)


def identity_provider(command: F) -> F:
    """Add the settings of an identity provider to a command."""
    for option in reversed(_PROVIDER_OPTIONS):
        command = option(command)
    return command


_url = click.option(
    "--url",
    metavar="URL",
    help="Address of the server; by default that of --profile, else QWICKET_URL, else that of the"
    " default profile, else this machine.",
)
_profile = click.option(
    "--profile",
    metavar="NAME",
    shell_complete=completers.profile,
    help="Profile in ~/.config/qwicket/config.toml; by default QWICKET_PROFILE.",
)


_url_of_server = click.option(
    "--url",
    metavar="URL",
    help="Work on the running server at this address, with an administrator's token in"
    " QWICKET_TOKEN, and not on the database.",
)
_profile_of_server = click.option(
    "--profile",
    metavar="NAME",
    shell_complete=completers.profile,
    help="Work on the running server of this profile in ~/.config/qwicket/config.toml, and not"
    " on the database.",
)


class ServerLocation(NamedTuple):
    """A running server: its address, or a profile of the client's configuration."""

    url: str | None
    profile: str | None


class DataLocation(NamedTuple):
    """Location of the data: a folder, or a PostgreSQL server."""

    data_dir: Path
    database_url: str | None


def data_location(command: F) -> F:
    """Add the options of the data location to a command, as one argument `location`."""

    @functools.wraps(command)
    def with_location(*, data_dir: Path, database_url: str | None, **others: Any) -> Any:
        return command(location=DataLocation(data_dir, database_url), **others)

    return cast(F, data_dir(database_url(with_location)))


Location = DataLocation | ServerLocation


def administration(command: F) -> F:
    """Add the options of the data location or a running server, as one argument `admin`."""

    @functools.wraps(command)
    def with_admin(
        *,
        data_dir: Path,
        database_url: str | None,
        url: str | None,
        profile: str | None,
        **others: Any,
    ) -> Any:
        from qwicket.cli.administration import Administration

        location: Location = DataLocation(data_dir, database_url)
        if url is not None or profile is not None:
            location = ServerLocation(url, profile)
        return command(admin=Administration(location), **others)

    of_server = _url_of_server(_profile_of_server(report_client_errors(with_admin)))
    return cast(F, data_dir(database_url(of_server)))


def stdin_line(what: str) -> str:
    """Read a secret from one line of standard input, unbuffered: the rest is of later reads.

    Raises:
        click.ClickException: There is none, or it is not UTF-8.
    """
    buffered = sys.stdin.buffer
    line: bytes = getattr(buffered, "raw", buffered).readline(_MAX_SECRET_BYTES)
    try:
        secret = line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise click.ClickException(f"The {what} is not UTF-8 text.") from None
    if not secret:
        raise click.ClickException(f"There is no {what} on standard input.")
    return secret


def ask_password(text: str, default: str | None = None) -> str:
    """Ask at the terminal for a new password, twice; once for an empty one, if that is allowed."""
    while True:
        given: str = click.prompt(text, default, hide_input=True, show_default=False)
        if given == default or click.prompt("Again", hide_input=True) == given:
            return given
        click.echo("The two are different.", err=True)


def duration_s(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    """Parse a duration such as 90d or 12h; return seconds.

    Raises:
        click.BadParameter: The text is not a duration.
    """
    if text is None:
        return None
    match = _DURATION.fullmatch(text)
    if match is None:
        raise click.BadParameter(f"{text!r} is not a duration. Use 90d, 12h or 30m, for example.")
    seconds = int(match[1]) * _UNITS[match[2]]
    if not 0 < seconds <= _MAX_DURATION_S:
        raise click.BadParameter(f"{text!r} is not between 1s and {_MAX_DURATION_S // 86400}d.")
    return seconds


class FloatRange(click.FloatRange):
    """Number between two bounds; click's own type accepts nan."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return float(number)


class Day(click.DateTime):
    """Day such as 2026-11-01."""

    name = "day"

    def __init__(self) -> None:
        super().__init__(["%Y-%m-%d"])

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{value!r} is not a day such as 2026-11-01.", param, ctx)


def utc_time(
    _context: click.Context, _option: click.Parameter, text: str | None
) -> datetime | None:
    """Parse a time such as 90m or 2026-11-30T08:00, in UTC if it has no zone; return it.

    Raises:
        click.BadParameter: The text is not a time.
    """
    return None if text is None else _time(text, UTC)


def _time(text: str, zone: tzinfo) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        match = _DURATION.fullmatch(text)
        seconds = int(match[1]) * _UNITS[match[2]] if match else 0
        if not 0 < seconds <= _MAX_DURATION_S:
            raise click.BadParameter(
                f"{text!r} is not a time. Use 90m, 3d or 2026-11-30T08:00, for example."
            ) from None
        return datetime.now(UTC) + timedelta(seconds=seconds)
    return at if at.tzinfo else at.replace(tzinfo=zone)


class Window(NamedTuple):
    """A time window of a device, as options give it.

    Attributes:
        begin: Its start; None is now.
        until: Its end.
        timezone: IANA name of the zone of times that name none.
        drain_s: Seconds before the start in which no job of another project starts, and before
            maintenance none at all; None is the server's default.
    """

    begin: datetime | None
    until: datetime
    timezone: str
    drain_s: int | None


def window(command: F) -> F:
    """Add the options of a time window, as one argument `window`."""

    @functools.wraps(command)
    def with_window(
        *, begin: str | None, end: str, timezone: str, drain: int | None, **others: Any
    ) -> Any:
        zone = _zone(timezone)
        found = Window(
            None if begin is None else _time(begin, zone), _time(end, zone), timezone, drain
        )
        return command(window=found, **others)

    for option in (
        click.option(
            "--drain",
            callback=duration_s,
            metavar="DURATION",
            help="Time before the start in which no job of others starts, however short;"
            " by default 10s, on devices of labs 60s.",
        ),
        click.option(
            "--timezone",
            default="UTC",
            show_default=True,
            metavar="NAME",
            help="Time zone of times without one, such as Europe/Berlin.",
        ),
        click.option(
            "--to",
            "end",
            required=True,
            metavar="TIME",
            help="End: 90m, 12h or 3d from now, or 2026-11-30T14:00.",
        ),
        click.option("--from", "begin", metavar="TIME", help="Start, like --to; by default now."),
    ):
        with_window = option(with_window)
    return cast(F, with_window)


def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise click.BadParameter(
            f"{name[:100]!r} is not a time zone. Use a name such as UTC or Europe/Berlin.",
            param_hint="'--timezone'",
        ) from None


def as_admin(location: DataLocation, work: Callable[[Admin], Awaitable[T]]) -> T:
    """Run an administrator's operation on the database; a server may run at the same time.

    Raises:
        click.ClickException: The operation was refused, or the database cannot be used.
    """
    import time

    from qwicket.gateway.admin import Admin

    return with_store(location, lambda store: work(Admin(store, lambda: time.time_ns() // 10**6)))


def with_store(location: DataLocation, work: Callable[[Store], Awaitable[T]]) -> T:
    """Run an operation on the database; a server may run at the same time.

    Raises:
        click.ClickException: The operation was refused, or the database cannot be used.
    """
    import asyncio
    import logging

    from qwicket.model.errors import QwicketError
    from qwicket.store import open_postgres, open_sqlite

    async def do() -> T:
        url = location.database_url
        store = open_postgres(url) if url else open_sqlite(location.data_dir)
        try:
            return await work(store)
        finally:
            await store.close()

    # The store logs tracebacks; here the error is one line.
    log = logging.getLogger("qwicket")
    if not log.hasHandlers():
        log.addHandler(logging.NullHandler())
    try:
        return asyncio.run(do())
    except QwicketError as error:
        raise click.ClickException(error.detail) from None
    except OSError as error:
        raise click.ClickException(f"{location.data_dir}: {error.strerror}.") from None


def report_client_errors(command: Callable[..., T]) -> Callable[..., T]:
    """Turn the client's errors into one line and exit status 1."""

    @functools.wraps(command)
    def guarded(*args: Any, **kwargs: Any) -> T:
        from qwicket.clients.native import ApiError, ClientError

        try:
            return command(*args, **kwargs)
        except ApiError as error:
            raise click.ClickException(f"{error} {error.remedy}") from None
        except ClientError as error:
            raise click.ClickException(str(error)) from None

    return guarded


def server(command: F) -> F:
    """Add the options that name a server to a command, as one argument `connect`."""

    @functools.wraps(command)
    def with_connect(*, url: str | None, profile: str | None, **others: Any) -> Any:
        def connect() -> Client:
            from qwicket.clients.native.client import client_from

            return client_from(_settings(url, profile))

        return command(connect=connect, **others)

    return cast(F, _url(_profile(report_client_errors(with_connect))))


def server_settings(command: F) -> F:
    """Add the options that name a server to a command, as one argument `chosen`: its settings."""

    @functools.wraps(command)
    def with_settings(*, url: str | None, profile: str | None, **others: Any) -> Any:
        return command(chosen=_settings(url, profile), **others)

    return cast(F, _url(_profile(report_client_errors(with_settings))))


def _settings(url: str | None, profile: str | None) -> Settings:
    """Return settings of a client, which reads the environment itself.

    It decides which token is sent where.
    """
    from qwicket.clients.native.config import settings

    found = settings(url, profile=profile)
    return replace(found, url_source="--url") if url else found
