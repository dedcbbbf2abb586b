"""`qwicket env`: the variables by which a vendor's client reaches this server."""

from __future__ import annotations

import shlex
from typing import Final

import click

_RUNTIME: Final = "/ibm/runtime"
CLIENTS: Final = {
    "qiskit-ibm-runtime": {
        # First: without it the client sends the token to IBM.
        "IAM_URL": f"{_RUNTIME}/iam",
        "GLOBAL_SEARCH_URL": f"{_RUNTIME}/search",
        "GLOBAL_CATALOG_URL": f"{_RUNTIME}/catalog",
        "QISKIT_IBM_URL": f"{_RUNTIME}/experimental/api/v1",
    },
}
"""Variables by client, in the order of printing, each with a path of the server."""
_TOKENS: Final = {"qiskit-ibm-runtime": "QISKIT_IBM_TOKEN"}
"""The variable of the token by client."""


@click.command(short_help="Print the variables that point a vendor's client here.")
@click.argument("client", type=click.Choice([*CLIENTS]), metavar="CLIENT")
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
    """Print lines for a shell that point CLIENT (qiskit-ibm-runtime) here.

    The token is taken from QWICKET_TOKEN when the lines are run.
    """
    click.echo("\n".join(lines(client, url)))


def lines(client: str, url: str) -> list[str]:
    """Return the lines for a client of the server at `url`.

    Raises:
        click.UsageError: `url` is not an address.
    """
    from qwicket.clients.http.text import validated_address

    base = validated_address(url, click.UsageError).rstrip("/")
    found = [f"export {name}={shlex.quote(base + path)}" for name, path in CLIENTS[client].items()]
    return [*found, f'export {_TOKENS[client]}="$QWICKET_TOKEN"']
