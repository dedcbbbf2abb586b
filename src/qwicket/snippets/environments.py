"""Environment variables by which clients of vendors and features reach a server."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

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


def lines(client: str, url: str) -> list[str]:
    """Return the shell commands that set and unset the variables of a client.

    They also add the server's host to those that no proxy is used for.

    Args:
        client: Key of `CLIENTS`.
        url: Valid address of the server.
    """
    found = variables(client, url)
    unset = [name for name, value in found.items() if value is None]
    return [
        *(f"export {name}={_quoted(value)}" for name, value in found.items() if value is not None),
        *([f"unset {' '.join(unset)}"] if unset else []),
        _no_proxy_line(urlsplit(url).hostname or ""),
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


def no_proxy(url: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return `NO_PROXY` and `no_proxy` of an environment with the host of an address added.

    Of the two, clients read either, and some let one hide the other.
    """
    upper, lower = environ.get("NO_PROXY", ""), environ.get("no_proxy", "")
    host = urlsplit(url).hostname or ""
    found = {"NO_PROXY": upper or lower, "no_proxy": lower or upper}
    return {
        name: hosts if host in hosts.split(",") else f"{hosts},{host}".lstrip(",")
        for name, hosts in found.items()
    }


def _no_proxy_line(host: str) -> str:
    """Return the shell command that does what `no_proxy` does."""
    upper, lower = "${NO_PROXY:-${no_proxy:-}}", "${no_proxy:-${NO_PROXY:-}}"
    return f'export NO_PROXY="{upper},{host}" no_proxy="{lower},{host}"'


def _quoted(value: str) -> str:
    return f'"{value}"' if value.startswith("$") else shlex.quote(value)
