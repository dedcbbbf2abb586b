"""Fixtures of hostile tests."""

from abuse.fixtures import client, jobs, tokens, unharmed

__all__ = ["client", "jobs", "tokens", "unharmed"]
