"""Fixtures of tests of servers that are killed, paused and cut off."""

from fault.fixtures import database_url, serve, shared_url

__all__ = ["database_url", "serve", "shared_url"]
