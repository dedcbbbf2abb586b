"""What no client may be made to repeat: submissions of which the store's answer is lost."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from qwicket import devices
from qwicket.compute import Readers
from qwicket.dialects import mounts
from qwicket.gateway import Gateway
from qwicket.gateway.admin import Admin
from qwicket.gateway.groups import Groups
from qwicket.model.errors import Unavailable
from qwicket.model.limits import Limits
from qwicket.server.http import Front
from qwicket.store import Store, open_sqlite

pytestmark = pytest.mark.anyio

LIMITS = Limits(memory_bytes=1 << 30)
CIRCUIT = '{"qubits": 1, "circuit": []}'
BODIES: dict[str, dict[str, Any]] = {
    "/qbraid/api/v1/jobs": {
        "deviceQrn": "qbraid:qbraid:sim:statevector",
        "program": {"format": "ionq.circuit.v0", "data": CIRCUIT},
    },
    "/qbraid/api/quantum-jobs": {
        "qbraidDeviceId": "qbraid_statevector",
        "ionqCircuit": CIRCUIT,
    },
}


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Deaf(Gateway):
    """Loses so many answers of the store to a submission, which it has carried out."""

    lost = 0

    async def submit(self, *args: Any, **options: Any) -> Any:
        job = await super().submit(*args, **options)
        if self.lost:
            self.lost -= 1
            raise Unavailable("The database did not answer.", retry_after_s=1.0)
        return job


class DeafGroups:
    """Loses the answer to the opening of a group, which it has carried out."""

    def __init__(self, groups: Groups) -> None:
        self._groups = groups

    def __getattr__(self, name: str) -> Any:
        return getattr(self._groups, name)

    async def open(self, *args: Any, **options: Any) -> None:
        await self._groups.open(*args, **options)
        raise Unavailable("The database did not answer.", retry_after_s=1.0)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = open_sqlite(tmp_path)
    await opened.devices.seed(devices.built_in(), "builtin")
    yield opened
    await opened.close()


@pytest.fixture
async def gateway(store: Store) -> AsyncIterator[Deaf]:
    readers = Readers(LIMITS)
    yield Deaf(store, readers, LIMITS, now_ms)
    await readers.close()


@pytest.fixture
async def http(gateway: Deaf, store: Store) -> AsyncIterator[httpx.AsyncClient]:
    admin = Admin(store, now_ms)
    await admin.add_account("ada", email=None, password=None)
    secret = (await admin.create_token("ada")).secret
    transport = httpx.ASGITransport(Front(mounts(gateway), LIMITS))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://qwicket", headers={"api-key": secret}
    ) as client:
        yield client


@pytest.mark.parametrize("path", BODIES)
async def test_an_answer_that_is_lost_once_is_asked_for_again(
    gateway: Deaf, http: httpx.AsyncClient, path: str
) -> None:
    gateway.lost = 1
    answer = await http.post(path, json=BODIES[path])
    assert answer.status_code == 201
    listed = (await http.get("/qbraid/api/v1/jobs")).json()
    assert listed["pagination"]["total"] == 1


@pytest.mark.parametrize("path", BODIES)
async def test_one_that_stays_away_is_told_so_that_no_client_repeats_it(
    gateway: Deaf, http: httpx.AsyncClient, path: str
) -> None:
    gateway.lost = 2
    answer = await http.post(path, json=BODIES[path])
    assert answer.status_code == 409
    assert "Look at your jobs" in answer.json()["message"]
    assert (await http.get("/qbraid/api/v1/jobs")).json()["pagination"]["total"] == 1


async def test_a_group_whose_answer_is_lost_is_not_opened_twice(
    gateway: Deaf, http: httpx.AsyncClient
) -> None:
    gateway.groups = DeafGroups(gateway.groups)  # type: ignore[assignment]  # it stands for them
    answer = await http.post("/qbraid/api/v1/jobs/group", json={"name": "g"})
    assert answer.status_code == 409
    assert "not known" in answer.json()["message"]
    assert (await http.get("/qbraid/api/v1/jobs/group")).json()["pagination"]["total"] == 1
