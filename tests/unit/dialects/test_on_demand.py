"""Dialects that are made with their first request."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, cast

import pytest

from qwicket.dialects import DialectSettings, mounts, offered
from qwicket.dialects.on_demand import DialectOnDemand
from qwicket.dialects.routing import Dialect
from support.for_each import for_each

pytestmark = pytest.mark.needs_vendors


NOTHING = cast(Any, None)
made_in: list[threading.Thread] = []


class Asked:
    """An application that counts its requests."""

    def __init__(self) -> None:
        self.requests = 0
        self.routes = ("its routes",)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.requests += 1


asked = Asked()


def make(gateway: Any, settings: Any) -> Any:
    made_in.append(threading.current_thread())
    return asked


@pytest.fixture
def on_demand() -> DialectOnDemand:
    made_in.clear()
    asked.requests = 0
    return DialectOnDemand(f"{__name__}:make", NOTHING, DialectSettings())


@pytest.mark.anyio
async def test_requests_that_come_together_make_one_dialect_in_a_thread(
    on_demand: DialectOnDemand,
) -> None:
    assert not made_in
    await asyncio.gather(*(on_demand({}, NOTHING, NOTHING) for _ in range(5)))
    assert asked.requests == 5
    assert len(made_in) == 1
    assert made_in[0] is not threading.main_thread()


def test_routes_are_those_of_the_dialect(on_demand: DialectOnDemand) -> None:
    for _ in range(2):
        assert list[object](on_demand.routes) == ["its routes"]
    assert len(made_in) == 1


@for_each("at", [at for each in offered() for at in each.mounts])
def test_a_registration_names_a_function_that_makes_a_dialect(at: str) -> None:
    found = mounts(NOTHING)[at]
    assert isinstance(found, DialectOnDemand)
    assert isinstance(found._make(), Dialect)
