"""Fixtures of tests of the store."""

from support.store_fixtures import ada, open_store, runner, store, told

__all__ = ["ada", "open_store", "runner", "store", "told"]
