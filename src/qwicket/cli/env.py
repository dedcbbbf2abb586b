"""`qwicket env`: the environment variables by which a vendor's client reaches a Qwicket server."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import click

from qwicket.cli import options
from qwicket.registrations import clients

if TYPE_CHECKING:
    from collections.abc import Mapping

CLIENTS: Final[Mapping[str, Mapping[str, str | None]]] = {
    client: names for _, each in clients() for client, names in each.environments.items()
}
"""Environment variables by client, in the order of printing.

`{URL}`, `{HOST}`, `{PORT}` and `{TLS}` stand for parts of the server's address. A value that begins
with `$` names a variable that holds the token or a half of the key pair. None means that the
variable must not be set."""


@click.command(
    short_help="Print the environment variables for a vendor's client.",
    help=f"""Print shell commands that point CLIENT at the server.

    CLIENT is one of {", ".join(CLIENTS)}.

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
    click.echo("\n".join(lines(client, url)))


def lines(client: str, url: str) -> list[str]:
    """Return the shell commands that set and unset the variables of a client.

    Args:
        client: Key of `CLIENTS`.
        url: Address of the server.

    Raises:
        click.UsageError: `url` is not an address.
    """
    from qwicket.clients.http.text import validated_address

    found = variables(client, validated_address(url, click.UsageError))
    unset = [name for name, value in found.items() if value is None]
    return [
        *(f"export {name}={_quoted(value)}" for name, value in found.items() if value is not None),
        *([f"unset {' '.join(unset)}"] if unset else []),
    ]


def variables(
    client: str, url: str, secrets: Mapping[str, str] | None = None
) -> dict[str, str | None]:
    """Return the values of a client's variables by name; None for one that must not be set.

    Args:
        client: Key of `CLIENTS`.
        url: Address of the server.
        secrets: Values of the variables with the token or the key pair. A missing one stays a
            reference, such as `$QWICKET_TOKEN`.
    """
    parts = urlsplit(url)
    is_secure = parts.scheme == "https"
    placeholders = {
        "URL": url.rstrip("/"),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or (443 if is_secure else 80)),
        "TLS": str(is_secure),
    }

    def filled(value: str) -> str:
        if value.startswith("$"):
            return (secrets or {}).get(value[1:], value)
        return re.sub(r"\{(\w+)\}", lambda found: placeholders[found[1]], value)

    return {
        name: None if value is None else filled(value) for name, value in CLIENTS[client].items()
    }


def _quoted(value: str) -> str:
    return f'"{value}"' if value.startswith("$") else shlex.quote(value)
