"""Gives all HTTP clients of this process one TLS context, which verifies as each of theirs would.

To load the authorities' certificates takes 40 ms, and tests make thousands of clients, nearly all
of them for servers without TLS.
"""

from __future__ import annotations

import httpx

_context = httpx.create_ssl_context()
for _function in (
    *(httpx.Client.__init__, httpx.AsyncClient.__init__, httpx.request, httpx.get, httpx.head),
    *(httpx.options, httpx.post, httpx.put, httpx.patch, httpx.delete),
):
    _defaults = _function.__kwdefaults__ or {}
    assert _defaults["verify"] is True
    _defaults["verify"] = _context
