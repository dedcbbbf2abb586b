"""`qwicket serve`."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qwicket.cli import options

if TYPE_CHECKING:
    from qwicket.model.limits import Limits


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    envvar="QWICKET_HOST",
    help="Address to listen on.",
)
@click.option(
    "--port",
    default=8000,
    show_default=True,
    type=click.IntRange(0, 65535),
    envvar="QWICKET_PORT",
    help="Port to listen on; 0 takes a free one.",
)
@options.data_dir
@options.database_url
@click.option(
    "--compute",
    default="local",
    show_default=True,
    envvar="QWICKET_COMPUTE",
    metavar="local|dask://…",
    help="Where engines run.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 1024),
    envvar="QWICKET_WORKERS",
    help="Worker processes; by default one per core.",
)
@click.option(
    "--public-url",
    envvar="QWICKET_PUBLIC_URL",
    metavar="URL",
    help="Address that answers name; by default that of the connection.",
)
@click.option(
    "--trusted-proxy",
    envvar="QWICKET_TRUSTED_PROXY",
    metavar="CIDR",
    help="Believe X-Forwarded-… headers from these addresses, comma-separated.",
)
@click.option("--tls-cert", envvar="QWICKET_TLS_CERT", metavar="FILE", help="Certificate.")
@click.option("--tls-key", envvar="QWICKET_TLS_KEY", metavar="FILE", help="Its key.")
@click.option(
    "--lease-s",
    default=45.0,
    show_default=True,
    envvar="QWICKET_LEASE_S",
    type=click.FloatRange(0.5, 3600),
    help="Seconds after which a silent runner's jobs are offered again.",
)
@click.option(
    "--limit",
    "limit",
    multiple=True,
    envvar="QWICKET_LIMIT",
    metavar="NAME=VALUE",
    help="Set a limit, for example shots=10000. Repeatable.",
)
def serve(
    host: str,
    port: int,
    data_dir: Path,
    compute: str,
    workers: int | None,
    public_url: str | None,
    trusted_proxy: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    lease_s: float,
    limit: tuple[str, ...],
) -> None:
    """Run the server until SIGTERM or Ctrl-C."""
    if compute != "local":
        raise click.UsageError(
            f"--compute {compute} is not supported by this version: engines run in local processes."
        )
    if tls_cert or tls_key:
        raise click.UsageError(
            "--tls-cert and --tls-key are not supported by this version: put a proxy that speaks"
            " TLS in front, and name it with --trusted-proxy."
        )
    from qwicket.server import Settings, run

    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    settings = Settings(
        host=host,
        port=port,
        data_dir=data_dir,
        workers=workers,
        public_url=public_url,
        trusted_proxy=trusted_proxy,
        lease_s=lease_s,
        limits=_limits(limit),
    )
    sys.exit(run(settings))


def _limits(texts: tuple[str, ...]) -> Limits:
    import msgspec

    from qwicket.model.limits import Limits

    given: dict[str, Any] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name not in Limits.__struct_fields__:
            known = ", ".join(Limits.__struct_fields__)
            raise click.UsageError(f"--limit: there is no limit {name!r}; there are {known}.")
        given[name] = value
    try:
        return msgspec.convert(given, Limits, strict=False)
    except msgspec.ValidationError as error:
        raise click.UsageError(f"--limit: {error}") from None
