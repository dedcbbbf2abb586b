"""`qwicket serve`."""

from __future__ import annotations

import ipaddress
import math
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from qwicket.cli import options
from qwicket.cli.config import LIMITS
from qwicket.cli.options import setting

if TYPE_CHECKING:
    from qwicket.model.limits import Limits
    from qwicket.server import Settings
    from qwicket.server.settings import LogFormat


def _networks(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    """Return the networks as uvicorn takes them: without bits beyond their prefix."""
    networks = []
    for each in text.split(",") if text else []:
        try:
            networks.append(str(ipaddress.ip_network(each.strip(), strict=False)))
        except ValueError:
            raise click.BadParameter(f"{each!r} is no network such as 10.0.0.0/8.") from None
    return ",".join(networks) or None


def _address(_context: click.Context, _option: click.Parameter, url: str | None) -> str | None:
    if not url:
        return None
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or parts.username is not None or parts.query or parts.fragment:
        raise click.BadParameter(f"{url!r} is no address such as https://lab.example.org.")
    return url


def _finite(_context: click.Context, _option: click.Parameter, value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):  # a range lets NaN through
        raise click.BadParameter(f"{value} is no time.")
    return value


def _limits(context: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> Limits:
    """Return the limits; each by itself is set by a flag, else the environment, else the file."""
    import msgspec

    from qwicket.model.limits import Limits

    variable = os.environ.get(str(option.envvar), "")
    given: dict[str, str] = {}
    for text in [*context.meta.get(LIMITS, []), *variable.split(), *texts]:
        name, _, value = text.partition("=")
        if name not in Limits.__struct_fields__:
            known = ", ".join(Limits.__struct_fields__)
            raise click.BadParameter(f"there is no limit {name!r}; there are {known}.")
        given[name] = value
    try:
        limits = msgspec.convert(given, Limits, strict=False)
    except msgspec.ValidationError as error:
        raise click.BadParameter(f"{error}.") from None
    for name in given:
        value = getattr(limits, name)
        if value is not None and not 0 < value < math.inf:
            raise click.BadParameter(f"{name} must be above 0.")
    return limits


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
@options.place
@setting(
    "--workers",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="Worker processes; by default one per core.",
)
@setting(
    "--express-slots",
    default=1,
    show_default=True,
    type=click.IntRange(0, 64),
    metavar="N",
    help="Short jobs that run beside the workers while all of those are busy; 0 is none.",
)
@setting(
    "--public-url",
    callback=_address,
    metavar="URL",
    help="Address that answers name; by default that of the connection.",
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
    "--lease-s",
    default=45.0,
    show_default=True,
    type=click.FloatRange(0.5, 3600),
    callback=_finite,
    metavar="SECONDS",
    help="Lease time of runners; a server proves life four times in it.",
)
@setting(
    "--pass-s",
    default=300.0,
    show_default=True,
    type=click.FloatRange(1, 366 * 86_400),
    callback=_finite,
    metavar="SECONDS",
    help="Life of the access tokens that clients make from their token and renew.",
)
@setting(
    "--ibm-pass-s",
    default=14 * 86_400.0,
    show_default="14 days",
    type=click.FloatRange(1, 366 * 86_400),
    callback=_finite,
    metavar="SECONDS",
    help="Life of the access tokens of IBM's clients, which never renew them.",
)
@setting(
    "--first-poll-ms",
    default=250,
    show_default=True,
    type=click.IntRange(0, 5_000),
    metavar="MS",
    help="Hold the first status read of a job that is about to end for so long at most; 0 is off.",
)
@setting(
    "--keep-days",
    type=click.FloatRange(0.001, 36_500),
    callback=_finite,
    metavar="DAYS",
    help="Delete jobs so long after they ended; by default they are kept.",
)
@setting(
    "--log-format",
    default="text",
    show_default=True,
    type=click.Choice(["text", "json"]),
    help="How lines of the log look: text, or one JSON object each.",
)
@setting("--access-log", is_flag=True, help="Log a line for every answer.")
@setting(
    "--limit",
    "limits",
    multiple=True,
    callback=_limits,
    metavar="NAME=VALUE",
    help="Set a limit, for example shots=10000. Repeatable; in qwicket.toml the table [limits].",
)
def serve(
    host: str,
    port: int,
    place: options.Place,
    workers: int | None,
    express_slots: int,
    public_url: str | None,
    trusted_proxy: str | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    lease_s: float,
    pass_s: float,
    ibm_pass_s: float,
    first_poll_ms: int,
    keep_days: float | None,
    log_format: LogFormat,
    access_log: bool,
    limits: Limits,
) -> None:
    """Run the server until SIGTERM or Ctrl-C."""
    from qwicket.server import Settings, run

    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key come together.")
    settings = Settings(
        host=host,
        port=port,
        data_dir=place.data_dir,
        database_url=place.database_url,
        workers=workers,
        express_slots=express_slots,
        public_url=public_url,
        trusted_proxy=trusted_proxy,
        tls_cert=tls_cert,
        tls_key=tls_key,
        lease_s=lease_s,
        pass_s=pass_s,
        ibm_pass_s=ibm_pass_s,
        first_poll_ms=first_poll_ms,
        keep_days=keep_days,
        log_format=log_format,
        access_log=access_log,
        limits=limits,
    )
    sys.exit(run(settings, _hint(settings)))


def _hint(settings: Settings) -> str:
    """Return what to type next, for a person at a terminal whose folder is still empty."""
    is_first = settings.database_url is None and not (settings.data_dir / "qwicket.db").exists()
    if not is_first or settings.log_format != "text" or not sys.stderr.isatty():
        return ""
    from qwicket.server.settings import default_data_dir

    folder = settings.data_dir
    where = "" if folder == default_data_dir() else f" --data-dir {shlex.quote(str(folder))}"
    lines = [
        "",
        "Nobody has an account yet. In another terminal:",
        "",
        f"    qwicket user add ada{where}",
        f"    export QWICKET_TOKEN=$(qwicket token create --user ada{where})",
    ]
    if settings.port != 8000 or settings.host not in {"127.0.0.1", "0.0.0.0", "localhost", "::1"}:  # noqa: S104 - only compared
        lines.append("    export QWICKET_URL=…  # the address above")
    lines += [
        "    qwicket snippet python | python    # or another client: qwicket snippet",
        "",
        "qwicket doctor says what is wrong, if something is.",
    ]
    return "\n".join(lines)
