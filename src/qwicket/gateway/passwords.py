"""Comparing passwords: at what pace, and what a wrong one is answered.

A right password is never refused for the wrong ones before it. Beyond the limits a try is compared
only after a pause, so that guessing stays slow, and a wrong one is answered 429. Each server counts
for itself, also where several share a database.
"""

from __future__ import annotations

import asyncio
import functools
import secrets
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

import argon2

from qwicket.compute.turns import Turns
from qwicket.gateway.throttle import Bucket, Tries, network
from qwicket.model.errors import TooManyRequests, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from qwicket.model.limits import SignInLimits

_HASHES_AT_ONCE: Final = 2
NAME_PAUSE_S: Final = 2.0
"""Pause before a comparison for a name that had too many wrong ones from the same address."""
ADDRESS_PAUSE_S: Final = 0.25
"""The same for an address that had too many, whatever the names. `passwords_waiting` of them are
through in 16 s: before the client of somebody with the right password gives up."""
_MAX_LOGIN_CHARS: Final = 254  # of the longest e-mail address; longer texts are nobody's
_ANY: Final = 1 << 30

_hasher = argon2.PasswordHasher()


def hash_password(password: str) -> str:
    return _hasher.hash(password)


class _Beyond(NamedTuple):
    """Seconds until another wrong one is allowed: for the name, and for the address."""

    name_s: float
    address_s: float


class Passwords:
    """Compares passwords of all addresses, those of one address one after the other.

    Args:
        limits: Bounds on wrong and waiting passwords.

    Attributes:
        wrong: How many were wrong so far.
    """

    def __init__(self, limits: SignInLimits) -> None:
        self._limits = limits
        self.wrong = 0
        self._tries = Tries(limits.password_tries)
        self._bucket = Bucket(limits.wrong_passwords)
        self._waiting: Counter[str] = Counter()
        self._hashing = Turns(_HASHES_AT_ONCE)
        self._pauses = Turns(_ANY)

    async def check(self, login: str, stored: str | None, password: str, address: str) -> None:
        """Return if the password is right.

        Args:
            login: The name or e-mail address, as given.
            stored: Its hash; None where nobody has the name.
            password: As given.
            address: The client's.

        Raises:
            Unauthenticated: It is wrong.
            TooManyRequests: It is wrong, as were many before it, or too many of this address wait.
        """
        login = login[:_MAX_LOGIN_CHARS]
        async with self._counted(network(address)):
            beyond = _Beyond(self._tries.take(address, login), self._bucket.take(address))
            if await self._compare(login, stored, password, network(address), beyond):
                if not beyond.name_s:
                    self._tries.give_back(address, login)
                if not beyond.address_s:
                    self._bucket.give_back(address)
                return
        self.wrong += 1
        self._refuse(beyond)

    async def _compare(
        self, login: str, stored: str | None, password: str, where: str, beyond: _Beyond
    ) -> bool:
        if beyond.name_s:
            async with self._pauses.turn(f"{where} {login}"):
                await asyncio.sleep(NAME_PAUSE_S)
        if beyond.address_s:
            async with self._pauses.turn(where):
                await asyncio.sleep(ADDRESS_PAUSE_S)
        async with self._hashing.turn(where):
            return await asyncio.to_thread(_matches, stored, password)

    @asynccontextmanager
    async def _counted(self, where: str) -> AsyncIterator[None]:
        most = self._limits.passwords_waiting
        if self._waiting[where] > most:
            raise TooManyRequests(
                f"Over {most} passwords from one address wait (limit passwords_waiting).",
                retry_after_s=1.0,
                limit="passwords_waiting",
                quota=most,
            )
        self._waiting[where] += 1
        try:
            yield
        finally:
            self._waiting[where] -= 1
            if not self._waiting[where]:
                del self._waiting[where]

    def _refuse(self, beyond: _Beyond) -> None:
        if not any(beyond):
            raise Unauthenticated("The name or the password is wrong.")
        limits = self._limits
        name, most, what = "wrong_passwords", limits.wrong_passwords, "from one address"
        if beyond.name_s:
            name, most, what = "password_tries", limits.password_tries, "for one name in a minute"
        raise TooManyRequests(
            f"Over {most} wrong passwords {what} (limit {name}).",
            retry_after_s=max(beyond),
            limit=name,
            quota=most,
        )


@functools.cache
def _decoy() -> str:
    return hash_password(secrets.token_hex())


def _matches(stored: str | None, password: str) -> bool:
    """Compare; without a stored hash against a decoy, so that the time tells nobody who exists."""
    try:
        _hasher.verify(stored or _decoy(), password)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
    return stored is not None
