"""The fixtures of localqpu's own plugin."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from localqpu import connect
from localqpu.control_client import GUARD, LocalqpuControl, RunningServer


@pytest.fixture(scope="session", autouse=True)
def guard() -> Iterator[None]:
    """Refuse connections to other machines."""
    with GUARD:
        yield


@pytest.fixture(scope="session")
def localqpu_server() -> RunningServer:
    address = urlsplit(os.environ["QWICKET_URL"])
    assert address.hostname
    assert address.port
    return RunningServer(address.hostname, address.port)


@pytest.fixture
def localqpu_control(localqpu_server: RunningServer) -> Iterator[LocalqpuControl]:
    control = LocalqpuControl(localqpu_server.url)
    control.reset()
    yield control
    control.reset()


@pytest.fixture
def localqpu_service(localqpu_server: RunningServer, localqpu_control: LocalqpuControl) -> Any:
    return connect(localqpu_server.port, localqpu_server.host)
