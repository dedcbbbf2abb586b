"""Network backend of httpcore, for webhooks and the asynchronous client.

Nothing else imports this module, because importing httpcore takes time.
"""

from __future__ import annotations

from typing import Any

import httpcore


class Connections(httpcore.AnyIOBackend):
    """Raises `httpcore.ConnectError` also for a connection that is closed while it opens."""

    async def connect_tcp(self, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        """Open a connection; see `httpcore.AnyIOBackend`.

        Raises:
            httpcore.ConnectError: It cannot be opened, or the other side has closed it already.
            httpcore.ConnectTimeout: It was not opened in time.
        """
        stream = await super().connect_tcp(*args, **options)
        try:
            # uvloop drops the socket of a closed connection unless it was read before. httpcore
            # reads it later, and does not expect the AttributeError.
            stream.get_extra_info("socket")
        except AttributeError:
            raise httpcore.ConnectError("The connection was closed while it opened.") from None
        return stream
