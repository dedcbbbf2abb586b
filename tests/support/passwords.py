"""Hashes of passwords that cost next to nothing, for tests of what follows a sign-in."""

from __future__ import annotations

import argon2

_CHEAPEST = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def cheap_hash(password: str) -> str:
    """Return a hash that is made in 0.1 ms instead of 200.

    It is verified as fast, because a hash says with which parameters it was made.
    """
    return _CHEAPEST.hash(password)
