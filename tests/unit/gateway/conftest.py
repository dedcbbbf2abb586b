from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qwicket import devices
from qwicket.compute import ParserPool
from qwicket.dialects import shown_by
from qwicket.gateway import Gateway
from qwicket.gateway.admin import Admin
from qwicket.model.limits import Limits
from qwicket.store import Store
from support.stores import NOW, open_new_sqlite

LIMITS = Limits.from_names(
    memory_bytes=1 << 30,
    shots=5_000,
    run_time_s=60,
    name_chars=20,
    tags=2,
    password_tries=3,
    wrong_passwords=6,
    passwords_waiting=4,
)


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.ms = NOW

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = open_new_sqlite(tmp_path)
    await opened.devices.seed(devices.built_in(shown_by), "builtin")
    await opened.calibrations.seed(devices.calibrations(), NOW)
    yield opened
    await opened.close()


@pytest.fixture
async def gateway(store: Store, clock: Clock) -> AsyncIterator[Gateway]:
    parsers = ParserPool(LIMITS)
    yield Gateway(store, parsers, LIMITS, clock)
    await parsers.close()


@pytest.fixture
def admin(store: Store, clock: Clock) -> Admin:
    return Admin(store, clock)
