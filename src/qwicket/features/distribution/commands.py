"""How commands on a user's machine find the package that a server offers."""

from __future__ import annotations

import re
from typing import Final

from qwicket.features.distribution import install_from

_LINK: Final = re.compile(
    rb'href="\.\./\.\./(qwicket-[\w.+!]+-py3-none-any\.whl#sha256=[0-9a-f]{64})"'
)
_TIMEOUT_S: Final = 5.0


def find_install_command(url: str) -> str | None:
    """Return the command that installs the package which a server offers, if it offers one.

    Over http another machine is not asked: anyone on the way could answer.

    Args:
        url: Valid address of the server.
    """
    from qwicket.clients.http import HTTPClient, InvalidResponse, NoResponse, Request
    from qwicket.clients.http.failures import is_this_machine
    from qwicket.clients.native import ClientError

    if not (url.startswith("https:") or is_this_machine(url)):
        return None
    client = HTTPClient(url, ClientError)
    try:
        response = client.exchange(Request("GET", "/dist/simple/qwicket/", limit_s=_TIMEOUT_S))
    except (NoResponse, InvalidResponse):
        return None
    finally:
        client.close()
    found = _LINK.search(response.content)
    return install_from(url, found[1].decode()) if found else None
