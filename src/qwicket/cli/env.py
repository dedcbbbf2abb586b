"""`qwicket env`: the environment variables by which a vendor's client reaches a Qwicket server."""

from __future__ import annotations

import click

from qwicket.cli import options
from qwicket.snippets.environments import CLIENTS, lines


@click.command(
    short_help="Print the environment variables for a vendor's client.",
    help=f"""Print shell commands that point CLIENT at the server.

    CLIENT is one of {", ".join(CLIENTS)}.

    They add the server's host to NO_PROXY, so that no proxy is asked for it.

    When they run, the commands read the token from QWICKET_TOKEN, or the key pair from
    QWICKET_AWS_KEY_ID and QWICKET_AWS_SECRET; `qwicket token create --aws` prints both.
    """,
)
@click.argument("client", type=options.Choice([*CLIENTS]), metavar="CLIENT")
@click.option(
    "--url",
    envvar="QWICKET_URL",
    show_envvar=True,
    default="http://127.0.0.1:8000",
    show_default=True,
    metavar="URL",
    help="Address of the server.",
)
def env(client: str, url: str) -> None:
    """Print shell commands that point a client at the server."""
    from qwicket.clients.http.text import validated_address

    click.echo("\n".join(lines(client, validated_address(url, click.UsageError))))
