"""One TLS context for all HTTP clients of this process."""

from __future__ import annotations

import httpx

FUNCTIONS = (
    *(httpx.Client.__init__, httpx.AsyncClient.__init__, httpx.request, httpx.get, httpx.head),
    *(httpx.options, httpx.post, httpx.put, httpx.patch, httpx.delete),
)


def share() -> None:
    """Give all HTTP clients one TLS context, which verifies as each of theirs would.

    To load the authorities' certificates takes 40 ms, and tests make thousands of clients, nearly
    all of them for servers without TLS.
    """
    context = httpx.create_ssl_context()
    for function in FUNCTIONS:
        defaults = function.__kwdefaults__ or {}
        assert defaults["verify"] is True
        defaults["verify"] = context
