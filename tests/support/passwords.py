"""Hashes of passwords that cost next to nothing, for tests of what follows a sign-in."""

from __future__ import annotations

import argon2

_CHEAPEST = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def cheap_hash(password: str) -> str:
    """Return a hash that is made and compared in 0.1 ms instead of 200: it names its own cost."""
    return _CHEAPEST.hash(password)
