"""Hashing of passwords, and their verification with rate limits.

A hash takes 0.1 s of a processor and 64 MiB. Two are computed at a time, in threads of their own,
and one per address; addresses take turns. Requests without a password never wait for them.

Right passwords are never counted, however many come at the same time. After too many wrong ones, a
password is compared only after a pause, which slows guessing down, and a wrong one receives 429. A
right one is refused only if too many passwords of its address pause. Each server counts separately,
even on a shared database.
"""

from __future__ import annotations

import asyncio
import functools
import os
import secrets
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import argon2

from qwicket.compute.fair_slots import FairSlots
from qwicket.gateway.throttle import AttemptCounter, Bucket, network
from qwicket.model.errors import InvalidRequest, TooManyRequests, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from qwicket.model.limits import SignInLimits

T = TypeVar("T")

_HASHES_AT_ONCE: Final = 2
_NICENESS: Final = 10
"""Niceness of the threads that hash, each of which uses four cores: without it, submissions beside
them took twice as long."""
_NAME_PAUSE_S: Final = 2.0
"""Waiting passwords for one name over its limit pause one after the other, each for this time."""
_ADDRESS_PAUSE_S: Final = 0.25
"""64 pausing passwords (limit `passwords_waiting`) for different names pause for 64 × 0.25 s = 16 s
in all, so a client with the right password gets its response within its timeout."""
_MAX_LOGIN_CHARS: Final = 254  # length of the longest e-mail address
_MIN_CHARS: Final = 8
_MAX_CHARS: Final = 1_024
_UNLIMITED: Final = 1 << 30

_hasher: Final = argon2.PasswordHasher()


class _RetryTimes(NamedTuple):
    """Seconds until a wrong password no longer receives 429, for the name and for the address.

    0 if within the limit.
    """

    name_s: float
    address_s: float


class Passwords:
    """Hashes and compares passwords, one at a time per address.

    Args:
        limits: Bounds on wrong and waiting passwords.
        hasher: Hashes passwords, and compares them with their hashes.
        name_pause_s: Pause before a comparison for a name with too many wrong passwords from one
            address.
        address_pause_s: Pause before a comparison for an address with too many wrong passwords for
            all names together.
        clock: Returns seconds; None is the monotonic clock.

    Attributes:
        wrong: Number of wrong passwords so far.
    """

    def __init__(
        self,
        limits: SignInLimits,
        *,
        hasher: argon2.PasswordHasher = _hasher,
        name_pause_s: float = _NAME_PAUSE_S,
        address_pause_s: float = _ADDRESS_PAUSE_S,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._limits = limits
        self._hasher = hasher
        self._name_pause_s = name_pause_s
        self._address_pause_s = address_pause_s
        self.wrong = 0
        self._tries = AttemptCounter(limits.password_tries, clock)
        self._bucket = Bucket(limits.wrong_passwords, clock)
        self._waiting: Counter[str] = Counter()
        self._hashing = FairSlots(_HASHES_AT_ONCE)
        # asyncio's own threads parse the bodies of requests, which must not wait for hashes.
        # On Linux a thread has a niceness of its own, and argon2's threads inherit it.
        self._threads = ThreadPoolExecutor(
            _HASHES_AT_ONCE, "password", initializer=os.nice, initargs=(_NICENESS,)
        )
        # Pauses of one name at one address, or of one address, follow each other; all others are
        # concurrent.
        self._pauses = FairSlots(_UNLIMITED)

    async def hash(self, password: str, address: str) -> str:
        """Return the hash of a new password.

        Args:
            password: The password.
            address: Address of the client, or another name of those who wait for each other.

        Raises:
            InvalidRequest: The password is too short or too long.
        """
        if not _MIN_CHARS <= len(password) <= _MAX_CHARS:
            raise InvalidRequest(
                f"A password has {_MIN_CHARS} to {_MAX_CHARS} characters.", field="password"
            )
        async with self._hashing.slot(network(address)):
            return await self._in_thread(self._hasher.hash, password)

    async def check(self, login: str, stored: str | None, password: str, address: str) -> None:
        """Verify a password.

        Args:
            login: The name or e-mail address.
            stored: Hash of the account's password; None if there is no such account, or it has no
                password.
            password: The password.
            address: Address of the client; an IPv6 address counts as its /64.

        Raises:
            Unauthenticated: The password is wrong.
            TooManyRequests: The password is wrong, and so were many before; or it has to pause,
                and too many passwords of this address do already.
        """
        login, where = login[:_MAX_LOGIN_CHARS], network(address)
        is_right = False
        async with self._hashing.slot(where):
            # The address has one slot, so all passwords that are counted now were wrong. 0: within
            # the limit, and the attempt is counted until `give_back`; else it is not counted.
            retry_times = _RetryTimes(self._tries.take(address, login), self._bucket.take(address))
            if not any(retry_times):
                is_right = await self._in_thread(self._matches, stored, password)
        if any(retry_times):
            async with self._counted(where):
                await self._pause(login, where, retry_times)
                async with self._hashing.slot(where):
                    is_right = await self._in_thread(self._matches, stored, password)
        if not is_right:
            self.wrong += 1
            self._refuse(retry_times)
        if not retry_times.name_s:
            self._tries.give_back(address, login)
        if not retry_times.address_s:
            self._bucket.give_back(address)

    async def _pause(self, login: str, where: str, retry_times: _RetryTimes) -> None:
        if retry_times.name_s:
            async with self._pauses.slot(f"{where} {login}"):
                await asyncio.sleep(self._name_pause_s)
        if retry_times.address_s:
            async with self._pauses.slot(where):
                await asyncio.sleep(self._address_pause_s)

    async def _in_thread(self, call: Callable[..., T], *arguments: str | None) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, call, *arguments)

    def _matches(self, stored: str | None, password: str) -> bool:
        """Compare with the stored hash or a decoy, so that the time does not reveal accounts."""
        try:
            self._hasher.verify(stored or self._decoy, password)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False
        return stored is not None

    @functools.cached_property
    def _decoy(self) -> str:
        return self._hasher.hash(secrets.token_hex())

    @asynccontextmanager
    async def _counted(self, where: str) -> AsyncIterator[None]:
        maximum = self._limits.passwords_waiting
        if self._waiting[where] > maximum:  # one more than may pause, as one is usually compared
            raise TooManyRequests(
                f"Over {maximum} passwords from one address wait after too many wrong ones (limit"
                " passwords_waiting).",
                retry_after_s=1.0,
                limit="passwords_waiting",
                quota=maximum,
            )
        self._waiting[where] += 1
        try:
            yield
        finally:
            self._waiting[where] -= 1
            if not self._waiting[where]:
                del self._waiting[where]

    def _refuse(self, retry_times: _RetryTimes) -> None:
        if not any(retry_times):
            raise Unauthenticated("The name or the password is wrong.")
        limits = self._limits
        name, maximum, scope = "wrong_passwords", limits.wrong_passwords, "from one address"
        if retry_times.name_s:
            name, maximum, scope = (
                "password_tries",
                limits.password_tries,
                "for one name in a minute",
            )
        raise TooManyRequests(
            f"Over {maximum} wrong passwords {scope} (limit {name}).",
            retry_after_s=max(retry_times),
            limit=name,
            quota=maximum,
        )
