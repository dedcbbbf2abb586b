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
    # All three: a missing one sends key id and signatures to Amazon.
    "braket": {
        "AWS_ENDPOINT_URL_BRAKET": "/braket",
        "AWS_ENDPOINT_URL_S3": "/s3",
        "AWS_ENDPOINT_URL_STS": "/sts",
    },
}
"""Variables by client, in the order of printing, each with a path of the server."""
_MORE: Final = {
    "qiskit-ibm-runtime": ('export QISKIT_IBM_TOKEN="$QWICKET_TOKEN"',),
    "braket": (
        'export AWS_ACCESS_KEY_ID="$QWICKET_AWS_KEY_ID"',
        'export AWS_SECRET_ACCESS_KEY="$QWICKET_AWS_SECRET"',
        "export AWS_DEFAULT_REGION=us-east-1",
        "export AWS_EC2_METADATA_DISABLED=true",
        "unset AWS_PROFILE AWS_SESSION_TOKEN AWS_REGION BRAKET_ENDPOINT AMZN_BRAKET_OUT_S3_BUCKET",
    ),
}
"""The lines after them by client, the first of which take the token or the key pair."""


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
    """Print lines for a shell that point CLIENT (qiskit-ibm-runtime, braket) here.

    When the lines are run, the token is taken from QWICKET_TOKEN. For braket the key pair is taken
    from QWICKET_AWS_KEY_ID and QWICKET_AWS_SECRET; `qwicket token create --aws` prints both.
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
    return [*found, *_MORE[client]]
