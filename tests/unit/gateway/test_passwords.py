"""How many passwords are compared, for whom, and how soon."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Literal

import argon2
import httpx
import pytest

from qwicket.dialects import mounts
from qwicket.gateway import Gateway
from qwicket.gateway.passwords import Passwords
from qwicket.model.errors import TooManyRequests, Unauthenticated
from qwicket.model.limits import SignInLimits
from qwicket.server.router import Router

pytestmark = pytest.mark.anyio

LIMITS = SignInLimits(password_tries=3, wrong_passwords=6, passwords_waiting=4)
HASHER = argon2.PasswordHasher(1, 8, 1)  # many times faster than the hashes of accounts
HERE = "127.0.0.1"
RIGHT = "correct horse"
STORED = HASHER.hash(RIGHT)


def quick(
    limits: SignInLimits = LIMITS,
    *,
    hasher: argon2.PasswordHasher = HASHER,
    name_pause_s: float = 0.02,
) -> Passwords:
    """Return passwords with comparisons and pauses that are short enough for tests."""
    return Passwords(limits, hasher=hasher, name_pause_s=name_pause_s, address_pause_s=0.01)


async def tried(passwords: Passwords, name: str, password: str, address: str) -> str:
    """Try a password; return the limit that was reached, `refused` or `in`."""
    try:
        await passwords.check(name, STORED if name == "ada" else None, password, address)
    except TooManyRequests as error:
        return error.limit if 0 < (error.retry_after_s or 0) <= 60 else "no Retry-After"
    except Unauthenticated:
        return "refused"
    return "in"


async def test_wrong_passwords_are_limited_per_address_and_name_and_right_ones_never() -> None:
    passwords = quick()
    wrong = [await tried(passwords, "ada", "wrong", "10.0.0.1") for _ in range(4)]
    assert wrong == ["refused"] * 3 + ["password_tries"]
    assert await tried(passwords, "ada", RIGHT, "10.0.0.1") == "in"
    assert await tried(passwords, "ada", "wrong", "10.0.0.1") == "password_tries"
    assert await tried(passwords, "ada", "wrong", "10.0.0.2") == "refused"
    assert await tried(passwords, "bob", "wrong", "10.0.0.1") == "refused"


async def test_many_names_tried_from_one_address_are_limited_together() -> None:
    passwords = quick()
    tries = [await tried(passwords, f"name{k}", "wrong", "10.0.0.1") for k in range(12)]
    assert tries[:6] == ["refused"] * LIMITS.wrong_passwords
    assert tries.count("wrong_passwords") >= 4, "one a second is given back"
    assert await tried(passwords, "ada", RIGHT, "10.0.0.1") == "in"
    assert await tried(passwords, "name0", "wrong", "10.0.0.2") == "refused"


async def test_right_passwords_of_one_address_use_up_nothing() -> None:
    passwords = quick()
    assert {await tried(passwords, "ada", RIGHT, "10.0.0.1") for _ in range(10)} == {"in"}
    assert await tried(passwords, "ada", "wrong", "10.0.0.1") == "refused"


async def test_right_passwords_at_the_same_time_are_all_let_in() -> None:
    """More people than any limit on wrong passwords behind one address, or with one name."""
    passwords = quick()
    crowd = {f"pupil{k}": HASHER.hash(f"pupil{k}'s password") for k in range(200)}
    checks = [
        passwords.check(name, stored, f"{name}'s password", "192.0.2.1")
        for name, stored in crowd.items()
    ]
    assert await asyncio.gather(*checks) == [None] * 200
    same = [tried(passwords, "ada", RIGHT, "192.0.2.1") for _ in range(200)]
    assert await asyncio.gather(*same) == ["in"] * 200


async def test_wrong_passwords_at_the_same_time_count_as_well() -> None:
    passwords = quick()
    sent = [tried(passwords, "ada", "wrong", "10.0.0.1") for _ in range(5)]
    assert sorted(await asyncio.gather(*sent)) == ["password_tries"] * 2 + ["refused"] * 3


async def test_a_class_behind_one_address_signs_in_beside_a_guesser() -> None:
    passwords = quick(SignInLimits())
    pupils = {f"pupil{k}": HASHER.hash(f"pupil{k}'s password") for k in range(30)}

    async def guessed(number: int) -> str:
        return await tried(passwords, f"name{number % 40}", "a guess", "192.0.2.1")

    guesses = [await guessed(number) for number in range(150)]
    assert guesses.count("wrong_passwords") > 20
    guesser = [asyncio.create_task(guessed(7)) for _ in range(5)]
    checks = [
        passwords.check(name, stored, f"{name}'s password", "192.0.2.1")
        for name, stored in pupils.items()
    ]
    assert await asyncio.gather(*checks) == [None] * 30, "none is refused"
    limited = await asyncio.gather(*guesser)
    assert limited.count("wrong_passwords") >= 3, "one a second is given back"


async def test_guesses_beyond_the_limit_are_slow() -> None:
    """At 2 s each, a day of guessing one name from one address tries 43,200 passwords."""
    passwords = quick(name_pause_s=0.5)
    for _ in range(3):
        await tried(passwords, "ada", "wrong", "10.0.0.1")
    began = time.monotonic()
    sent = [tried(passwords, "ada", f"guess {k}", "10.0.0.1") for k in range(3)]
    await asyncio.gather(*sent)
    assert time.monotonic() - began >= 1.5, "one after the other"


async def test_many_names_tried_from_one_address_delay_no_other_address() -> None:
    go_on = threading.Event()

    class Slow(argon2.PasswordHasher):
        def verify(self, *stored_and_given: str | bytes) -> Literal[True]:
            if stored_and_given[1] == "guess":
                assert go_on.wait(30)
            return super().verify(*stored_and_given)

    passwords = quick(hasher=Slow(1, 8, 1))
    maximum = LIMITS.passwords_waiting
    tries = [
        asyncio.create_task(tried(passwords, f"name{k}", "guess", "192.0.2.1"))
        for k in range(maximum + 30)
    ]
    assert await tried(passwords, "ada", RIGHT, "192.0.2.2") == "in"
    go_on.set()
    crowd = await asyncio.gather(*tries)
    assert crowd.count("refused") >= LIMITS.wrong_passwords
    assert crowd.count("wrong_passwords") >= maximum + 1
    assert crowd.count("passwords_waiting") > 0


async def test_an_unknown_name_costs_as_much_as_a_wrong_password() -> None:
    """The time does not reveal which names exist: both compare a hash of the same cost."""
    compared: list[argon2.Parameters] = []

    class Noting(argon2.PasswordHasher):
        def verify(self, *stored_and_given: str | bytes) -> Literal[True]:
            compared.append(argon2.extract_parameters(str(stored_and_given[0])))
            return super().verify(*stored_and_given)

    passwords = Passwords(LIMITS, hasher=Noting())
    for stored in (await passwords.hash(RIGHT, "127.0.0.1"), None):
        with pytest.raises(Unauthenticated):
            await passwords.check("ada", stored, "wrong", "127.0.0.1")
    assert len(compared) == 2
    assert compared[0] == compared[1]


class HeldHashes:
    """Hashes that all begin and do not end before `go_on`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.n_begun = 0
        self.go_on = threading.Event()

        def held(*_: object) -> str:
            self.n_begun += 1
            assert self.go_on.wait(60)
            return STORED

        # The library's, so that a place which hashes without the lanes is held as well.
        monkeypatch.setattr(argon2.PasswordHasher, "hash", held)


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[HeldHashes]:
    held = HeldHashes(monkeypatch)
    yield held
    held.go_on.set()


def caller(gateway: Gateway, address: str, secret: str = "") -> httpx.AsyncClient:
    """Return a client of all dialects in this process."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(Router(mounts(gateway), gateway.limits), client=(address, 1)),
        base_url="http://localhost",
        headers={"Authorization": f"Bearer {secret}"} if secret else {},
    )
