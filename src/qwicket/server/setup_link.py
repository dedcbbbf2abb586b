"""The link to the page that makes the first account, printed once when a server starts."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qwicket.gateway.links import SET_UP_S
from qwicket.server.logs import announce_secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.gateway import Gateway
    from qwicket.server.settings import LogFormat, Settings

_TERMINAL: Final = Path("/dev/tty")
_TEXT: Final = "There is no account yet. Make the first one within {} minutes at\n\n    {}\n\n"


async def offer(
    gateway: Gateway,
    settings: Settings,
    sockets: Sequence[socket.socket],
    terminal: Path = _TERMINAL,
) -> None:
    """Print the link if the database has no account and this server may offer one.

    It may if people sign in with passwords and single sign-on creates no accounts, and as the
    setting `setup_link` says. The link is printed to the
    terminal, or to standard error where there is none, and stands in no other log.

    Args:
        gateway: The server's services.
        settings: The operator's settings.
        sockets: Where the server listens.
        terminal: File of the terminal.
    """
    if settings.no_passwords or settings.oidc_create:
        return
    hosts = [ipaddress.ip_address(each.getsockname()[0]) for each in sockets]
    is_wanted = settings.setup_link
    if not (all(host.is_loopback for host in hosts) if is_wanted is None else is_wanted):
        return
    link = await gateway.links.make_set_up()
    if link is not None:
        url = settings.public_url or _url(settings, sockets[0])
        address = url.rstrip("/") + link.path
        _print(_TEXT.format(SET_UP_S // 60, address), settings.log_format, terminal)


def _url(settings: Settings, first: socket.socket) -> str:
    host, port = first.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = socket.gethostname()
    elif ":" in host:
        host = f"[{host}]"
    return f"{'https' if settings.tls_cert else 'http'}://{host}:{port}"


def _print(text: str, log_format: LogFormat, terminal: Path) -> None:
    with suppress(OSError), terminal.open("w", encoding="utf-8") as opened:
        opened.write(text)
        return
    announce_secret(text, log_format)
