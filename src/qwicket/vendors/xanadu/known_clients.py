"""What the product shows and tests of the clients of Xanadu Cloud."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from qwicket.registrations import Clients, JobCode, Snippet, UsualHost


def _open(url: str, token: str) -> Any:
    from qwicket.vendors.xanadu.client import Connection

    parts = urlsplit(url)
    return Connection(token, host=parts.hostname or "", port=parts.port or 80, tls=False)


_XCC: Final = Snippet("xanadu-cloud-client 0.3.2", suite="xanadu/xcc_0_3", dialect="xanadu")

CLIENTS: Final = Clients(
    environments={
        "xcc": {
            "XANADU_CLOUD_HOST": "{HOST}",
            "XANADU_CLOUD_PORT": "{PORT}",
            "XANADU_CLOUD_TLS": "{TLS}",
            "XANADU_CLOUD_REFRESH_TOKEN": "$QWICKET_TOKEN",
            "XANADU_CLOUD_ACCESS_TOKEN": None,
        }
    },
    hosts={"platform.xanadu.ai": UsualHost("xanadu-cloud-client", "set XANADU_CLOUD_HOST")},
    snippets={
        "curl-xanadu": Snippet("curl (Xanadu)", "sh", dialect="xanadu"),
        "qwicket-xanadu": Snippet("qwicket.clients.xanadu", dialect="xanadu"),
        "xcc": _XCC,
        "strawberryfields": Snippet(
            "strawberryfields 0.23.0", suite="xanadu/strawberryfields_0_23", dialect="xanadu"
        ),
    },
    snippet="xcc",
    job_codes={"xcc": JobCode(_XCC.client, "xanadu", ("blackbird",), _XCC.suite)},
    open=_open,
)
