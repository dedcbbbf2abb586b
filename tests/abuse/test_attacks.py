"""The abuse list against one live server, a test for each row.

What depends on the machine, `make measured` reports: how long others wait, memory after two rounds.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from abuse.attacks import Target
from abuse.attacks.catalogue import ALWAYS, LIST, SHORT, Entry
from support.repetitions import IS_LONG, databases
from support.server import server_on


@pytest.fixture(scope="module")
def unharmed() -> None:
    """The shared server is not in play."""


@pytest.fixture(scope="module", params=databases("sqlite"))
def target(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Target]:
    options = ALWAYS if IS_LONG else (*ALWAYS, *SHORT)
    with server_on(request.param, request, tmp_path_factory.mktemp("attacked"), *options) as live:
        target = Target(live, is_long=IS_LONG)
        yield target
        target.close()


@pytest.mark.timeout(7200 if IS_LONG else 180)
@pytest.mark.parametrize("entry", LIST, ids=lambda entry: f"{entry.number} {entry.title}")
def test_the_server_holds(target: Target, entry: Entry) -> None:
    entry.attack(target)


def test_every_number_of_the_list_is_there() -> None:
    numbers = {number for entry in LIST for number in entry.number.split("/")}
    assert numbers == {f"A{n}" for n in range(1, 27)}
