"""`qwicket serve`: its options, their checks, and the settings that follow from them."""

from __future__ import annotations

import gc
import ipaddress
import math
import os
import shlex
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from qwicket.cli import options
from qwicket.cli.config import LIMITS
from qwicket.cli.options import setting
from qwicket.extras import missing, require
from qwicket.folders import default_data_dir
from qwicket.model.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qwicket.model.limits import Limits
    from qwicket.server import Settings
    from qwicket.server.settings import OwnAddress


def _networks(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    """Return networks without host bits, as uvicorn requires: 10.1.2.3/8 becomes 10.0.0.0/8."""
    networks = []
    for each in text.split(",") if text else []:
        try:
            networks.append(str(ipaddress.ip_network(each.strip(), strict=False)))
        except ValueError:
            raise click.BadParameter(f"{each!r} is not a network such as 10.0.0.0/8.") from None
    return ",".join(networks) or None


def _address(_context: click.Context, _option: click.Parameter, url: str | None) -> str | None:
    if not url:
        return None
    if not _is_address(url):
        raise click.BadParameter(f"{url!r} is not an address such as https://lab.example.org.")
    return url


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_server = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        return False
    return bool(is_server) and parts.username is None and not parts.query and not parts.fragment


class _Dialects(click.ParamType["frozenset[str] | None"]):
    """Names of dialects, separated by commas.

    Converts to None without the extra `server`, which has the dialects.
    """

    name = "NAME,NAME"

    def convert(
        self, value: Any, _param: click.Parameter | None, _context: click.Context | None
    ) -> frozenset[str] | None:
        if missing("server") or isinstance(value, frozenset):
            return value if isinstance(value, frozenset) else None
        from qwicket.dialects import names

        known = ("native", *names())
        found = [each.strip() for each in value.split(",") if each.strip()]
        for each in found:
            if each not in known:
                near = did_you_mean(each, known) or f" There are {', '.join(known)}."
                self.fail(f"there is no dialect {each[:100]!r}.{near}")
        return frozenset(found) - {"native"}


class _OwnAddress(click.ParamType["OwnAddress | None"]):
    """Address of one dialect: `port=8443,dialect=NAME`, or a table of the settings file.

    Converts to None without the extra `server`, whose packages check addresses.
    """

    name = "port=N,dialect=NAME"

    def convert(
        self, value: Any, _param: click.Parameter | None, _context: click.Context | None
    ) -> OwnAddress | None:
        if missing("server"):
            return None
        import msgspec

        from qwicket.dialects import names
        from qwicket.server.settings import OwnAddress

        if isinstance(value, OwnAddress):
            return value
        table = value
        if isinstance(value, str):
            table = {name: text for name, _, text in _assignments(value)}
        try:
            made = msgspec.convert(
                table,
                OwnAddress,
                strict=not isinstance(value, str),
                dec_hook=lambda kind, text: kind(text),  # paths
            )
        except msgspec.ValidationError as error:
            self.fail(f"{_shown(value)}: {str(error).replace(' - at `$.', ' at `')}.")
        if made.dialect not in names():
            near = did_you_mean(made.dialect, names())
            known = near or f" There are {', '.join(names())}."
            self.fail(f"{_shown(value)}: there is no dialect {made.dialect[:100]!r}.{known}")
        if (made.tls_cert is None) != (made.tls_key is None):
            self.fail(f"{_shown(value)}: tls_cert and tls_key come together.")
        if made.public_url is not None and not _is_address(made.public_url):
            self.fail(
                f"{_shown(value)}: public_url is {made.public_url!r}, not an address such as"
                " https://lab.example.org."
            )
        return made


def _assignments(text: str) -> Iterator[tuple[str, str, str]]:
    return (each.strip().partition("=") for each in text.split(","))


def _shown(value: Any) -> str:
    return str(value)[:100]


def _compute(_context: click.Context, _option: click.Parameter, text: str) -> str:
    if text != "local" and not missing("server"):
        from qwicket.server import compute

        try:
            compute.parse(text)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None
    return text


def _limits(context: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> Limits:
    """Return the limits. An option overrides the environment, and the environment the file."""
    from msgspec.structs import fields

    from qwicket.model.limits import SHARED, Limits

    variable = os.environ.get(str(option.envvar), "")
    limits = [*context.meta.get(LIMITS, []), *variable.split(), *texts]
    # Formats and dialects declare limits, too, and without the extra they cannot be imported.
    if not limits or missing("server"):
        return Limits()
    from qwicket.server.settings import own_limits

    own = own_limits()
    types = {each.name: each.type for of in (*SHARED.values(), *own) for each in fields(of)}
    given, wrong = {}, []
    for text in limits:
        name, _, value = text.partition("=")
        try:
            given[name] = _limit(name, value, types)
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise click.BadParameter(" ".join(wrong))
    return Limits.from_names(*own, **given)


def _limit(name: str, text: str, types: Mapping[str, Any]) -> float | None:
    """Return the value of one limit.

    Raises:
        ValueError: No limit has this name, or the value is not allowed.
    """
    import msgspec

    if name not in types:
        near = did_you_mean(name, types)
        known = f".{near}" if near else f"; there are {', '.join(types)}."
        raise ValueError(f"there is no limit {name[:100]!r}{known}")
    try:
        value: float | None = msgspec.convert(text, types[name], strict=False)
    except msgspec.ValidationError:
        kind = "a whole number" if "int" in str(types[name]) else "a number"
        raise ValueError(f"{name} must be {kind}, not {text[:100]!r}.") from None
    if value is not None and not 0 < value < math.inf:
        raise ValueError(f"{name} must be above 0.")
    return value


@click.command()
@setting(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Address to listen on.",
)
@setting(
    "--port",
    default=8000,
    show_default=True,
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="Port to listen on; 0 takes a free one.",
)
@setting(
    "--listen",
    type=_OwnAddress(),
    multiple=True,
    metavar="port=N,dialect=NAME",
    help="Listen at a further port for one dialect alone, without its path prefix; also host=,"
    " tls_cert=, tls_key=, public_url=, device=. Repeatable; in qwicket.toml a list of tables.",
)
@options.data_dir
@options.database_url
@setting(
    "--device-dir",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder of device files, *.toml: devices at other clouds, and further simulated ones.",
)
@setting(
    "--workers",
    type=click.IntRange(0, 1024),
    metavar="N",
    help="Worker processes; by default one per core. With 0 no engine runs here: jobs run in the"
    " cluster of --compute, or on other machines (`qwicket worker`).",
)
@setting(
    "--no-dispatch",
    is_flag=True,
    help="Run no jobs at all: other servers on the same database do. Needs --workers 0.",
)
@setting(
    "--compute",
    default="local",
    show_default=True,
    callback=_compute,
    metavar="WHERE",
    help="Where jobs run: local, or in a Dask cluster, as dask://HOST:PORT, dask+slurm:, or"
    " MODULE:FUNCTION.",
)
@setting(
    "--compute-min",
    type=click.IntRange(0, 10_000),
    metavar="N",
    help="Minimum number of workers of a Dask cluster that this server starts; by default 1.",
)
@setting(
    "--compute-max",
    type=click.IntRange(1, 10_000),
    metavar="N",
    help="Maximum number of workers of a Dask cluster that this server starts; by default 4.",
)
@setting(
    "--compute-tls-ca",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Certificate of the authority (CA) of a Dask cluster, in PEM.",
)
@setting(
    "--compute-tls-cert",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Certificate of this server in a Dask cluster, in PEM.",
)
@setting(
    "--compute-tls-key",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Private key of that certificate, in PEM.",
)
@setting(
    "--express-slots",
    default=1,
    show_default=True,
    type=click.IntRange(0, 64),
    metavar="N",
    help="Short jobs that run beside the workers while all workers are busy; 0 turns this off, as"
    " does --workers 0.",
)
@setting(
    "--public-url",
    callback=_address,
    metavar="URL",
    help="Address of this server in responses; by default that of the connection.",
)
@setting(
    "--trusted-proxy",
    callback=_networks,
    metavar="CIDR",
    help="Believe X-Forwarded-… headers from these networks, comma-separated.",
)
@setting(
    "--tls-cert",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Certificate chain in PEM; the server then speaks https alone.",
)
@setting(
    "--tls-key",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Private key of the certificate, in PEM and without a password.",
)
@setting(
    "--dialects",
    type=_Dialects(),
    metavar="NAME,NAME",
    help="Dialects that this server offers; by default all. `native` always is.",
)
@setting(
    "--lease-s",
    default=45.0,
    show_default=True,
    type=options.FloatRange(0.5, 3600),
    metavar="SECONDS",
    help="Lease time: a runner without a heartbeat for this long loses its jobs. Servers send four"
    " heartbeats per lease time.",
)
@setting(
    "--stop-grace-s",
    default=20.0,
    show_default=True,
    type=options.FloatRange(0, 86_400),
    metavar="SECONDS",
    help="On SIGTERM, wait this long for running jobs; then queue them again.",
)
@setting(
    "--maintenance-interval-s",
    default=60.0,
    show_default=True,
    type=options.FloatRange(0.5, 3600),
    metavar="SECONDS",
    help="Pause between two rounds of maintenance, which deletes expired drafts and old jobs.",
)
@setting(
    "--access-token-s",
    default=300.0,
    show_default=True,
    type=options.FloatRange(1, 366 * 86_400),
    metavar="SECONDS",
    help="Lifetime of access tokens, which clients get for their token and renew.",
)
@setting(
    "--first-poll-ms",
    default=250,
    show_default=True,
    type=click.IntRange(0, 5_000),
    metavar="MS",
    help="Longest delay of a status read of a new job that is about to end; 0 is off.",
)
@setting(
    "--setup-link/--no-setup-link",
    default=None,
    help="On a database without accounts, print a one-time link to the page that makes the first"
    " one; by default if only this machine reaches the server.",
)
@setting(
    "--no-passwords",
    is_flag=True,
    help="Refuse passwords, at the pages and at every dialect; people sign in with tokens.",
)
@setting(
    "--session-s",
    default=12 * 3_600.0,
    show_default="12 hours",
    type=options.FloatRange(60, 366 * 86_400),
    metavar="SECONDS",
    help="Time after which people must sign in again at the pages under /ui.",
)
@options.identity_provider
@setting(
    "--aws-master-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Master keys of the key pairs with which AWS's clients sign; by default aws-master-keys in"
    " --data-dir. Key pairs need it with --database-url: the same file on every server.",
)
@setting(
    "--allow-private-webhooks",
    is_flag=True,
    help="Allow webhooks with http:// and with addresses of this machine or of private networks,"
    " which every user of the server can then reach.",
)
@setting(
    "--dist",
    default="tls",
    show_default=True,
    type=options.Choice(["tls", "all", "off"]),
    help="Offer this server's own package at /dist, from which users install their client: over"
    " https or to this machine (tls), over http to other machines as well (all), or not (off).",
)
@setting(
    "--keep-days",
    type=options.FloatRange(0.001, 36_500),
    metavar="DAYS",
    help="Delete jobs this many days after they ended; by default they are never deleted.",
)
@options.log_format
@setting("--access-log", is_flag=True, help="Log a line for every response.")
@setting(
    "--limit",
    "limits",
    multiple=True,
    callback=_limits,
    metavar="NAME=VALUE",
    help="Set a limit, for example shots=10000. Repeatable; in qwicket.toml the table [limits].",
)
def serve(**given: Any) -> None:
    """Run the server until SIGTERM or Ctrl-C."""
    # Garbage collections during the imports take a tenth of the start and free nothing. The server
    # enables them again when it has imported everything.
    gc.disable()
    from qwicket.server import Settings
    from qwicket.server.run import run

    settings = Settings(**given)
    for absent, present in settings.half_pairs():
        raise click.UsageError(f"{absent}: it is not set, but {present} is. Set both, or neither.")
    for name in settings.unoffered():
        raise _unoffered(name)
    if settings.oidc_issuer is not None:
        require("--oidc-issuer", "oidc")
    sys.exit(run(settings, _hint(settings)))


def _unoffered(dialect: str) -> click.UsageError:
    return click.UsageError(f"--listen: --dialects leaves {dialect} out, which has an address.")


def check_settings(context: click.Context) -> tuple[Settings, list[click.UsageError]]:
    """Return the settings with which `qwicket serve` would run here, and what it would refuse.

    Args:
        context: Context of another command, with the same environment and settings file.

    Returns:
        The settings, with defaults in place of refused values, and one error for each of these.
    """
    from qwicket.server import Settings

    of_serve = click.Context(serve, info_name="serve", parent=context.parent)
    refused = []
    for option in serve.params:
        try:
            option.handle_parse_result(of_serve, {}, [])
        except click.UsageError as error:
            refused.append(error)
    # click marks a parameter without a value by a member of its own enumeration.
    values = {name: value for name, value in of_serve.params.items() if not isinstance(value, Enum)}
    settings = Settings(**values)
    return settings, [*refused, *map(_unoffered, settings.unoffered())]


def _hint(settings: Settings) -> str:
    """Return the next commands, if a user at a terminal has no database in the folder; else ""."""
    is_first = settings.database_url is None and not (settings.data_dir / "qwicket.db").exists()
    if not is_first or settings.log_format != "text" or not sys.stderr.isatty():
        return ""
    folder = settings.data_dir
    where = "" if folder == default_data_dir() else f" --data-dir {shlex.quote(str(folder))}"
    lines = [
        "",
        "The first job, in another terminal:",
        "",
        f"    qwicket user add ada{where}",
        f"    export QWICKET_TOKEN=$(qwicket token create --user ada{where})",
    ]
    if settings.port != 8000 or settings.host not in {"127.0.0.1", "0.0.0.0", "localhost", "::1"}:  # noqa: S104 - only compared
        lines.append("    export QWICKET_URL=…  # the address above")
    lines += [
        "    qwicket snippet python | python    # or another client: qwicket snippet",
        "",
        "If something is wrong, qwicket doctor says what.",
    ]
    return "\n".join(lines)
