"""Changes to `requests`: deadlines, and no credentials in redirects to other servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter

from qwicket.clients.http import addresses, deadline_connections

if TYPE_CHECKING:
    import urllib3
    from requests import PreparedRequest, Response


def drop_credentials(redirected: PreparedRequest, response: Response, *names: str) -> None:
    """Remove headers with credentials from a redirect to another scheme, host or port.

    It replaces the body of `Session.rebuild_auth`, which would add credentials from `.netrc`.
    """
    if addresses.origin(redirected.url or "") != addresses.origin(response.request.url or ""):
        for name in ("Authorization", *names):
            redirected.headers.pop(name, None)


class DeadlineAdapter(HTTPAdapter):
    """Adapter of `requests` whose requests end by the deadline of `ends_by`."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = deadline_connections.DEADLINE_POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> urllib3.ProxyManager:
        manager: urllib3.ProxyManager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = deadline_connections.DEADLINE_POOLS
        return manager
