"""Adapter of `requests` that applies the deadline of `ends_by`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter

from qwicket.clients.http import deadline_connections

if TYPE_CHECKING:
    import urllib3


class DeadlineAdapter(HTTPAdapter):
    """Adapter of `requests` whose connections end by the deadline of `ends_by`."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = deadline_connections.DEADLINE_POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> urllib3.ProxyManager:
        manager: urllib3.ProxyManager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = deadline_connections.DEADLINE_POOLS
        return manager
