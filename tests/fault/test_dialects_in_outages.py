"""A store whose responses are lost, behind the dialects whose clients repeat failed requests.

Each of these clients repeats a POST after a 503, and none of them sends an idempotency key. So a
submission ends with one job, or with none and a 503. No response leads to a second job.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from qwicket import devices
from qwicket.compute import ParserPool
from qwicket.dialects import mounts, shown_by
from qwicket.gateway import Gateway
from qwicket.gateway.admin import Admin
from qwicket.model.errors import Unavailable
from qwicket.model.jobs import JobQuery
from qwicket.model.limits import Limits
from qwicket.server.router import Router
from qwicket.store import Store
from qwicket.store.database import Database, Tx
from support import iqm
from support.stores import open_new_sqlite
from support.xanadu import TOKEN_PATH, pair

pytestmark = [pytest.mark.anyio, pytest.mark.promise]

LIMITS = Limits.from_names(memory_bytes=1 << 30)
CIRCUIT = '{"qubits": 1, "circuit": []}'
QOBJ = {
    "qobj_id": "q",
    "type": "QASM",
    "schema_version": "1.3.0",
    "header": {},
    "config": {"shots": 10, "memory_slots": 1, "n_qubits": 1},
    "experiments": [{"instructions": [{"name": "measure", "qubits": [0], "memory": [0]}]}],
}
EXPERIMENT = {
    "instructions": [["measure", [0], []]],
    "num_wires": 1,
    "shots": 2,
    "wire_order": "interleaved",
}
NO_REPEAT = {400, 406, 409}
"""What none of these clients sends again when it was a POST."""


class Ask(NamedTuple):
    """A request that stores something, and how to see what is stored.

    Attributes:
        path: Where it is sent.
        body: What is sent.
        listed: Where what is stored is listed.
        count: How many a list shows.
        status: Of a good answer.
        auth: What its client signs in with.
    """

    path: str
    body: dict[str, Any]
    listed: str
    count: Callable[[Any], int]
    status: int
    auth: str = "apiKey"


class Http(httpx.AsyncClient):
    """A client that signs in in each dialect as its own clients do."""

    auths: dict[str, str]

    async def ask(self, ask: Ask) -> httpx.Response:
        headers = {"Authorization": self.auths[ask.auth]}
        return await self.post(ask.path, json=ask.body, headers=headers)


def _total(answer: Any) -> int:
    return int(answer["pagination"]["total"])


def _jobs(answer: Any) -> int:
    return len(answer["jobs"])


ASKS = {
    "IonQ 0.3": Ask(
        "/ionq/v0.3/jobs",
        {"target": "simulator", "input": {"qubits": 1, "circuit": []}},
        "/ionq/v0.4/jobs",
        _jobs,
        200,
    ),
    "IonQ 0.4": Ask(
        "/ionq/v0.4/jobs",
        {"backend": "simulator", "input": {"qubits": 1, "circuit": []}},
        "/ionq/v0.4/jobs",
        _jobs,
        201,
    ),
    "IonQ session": Ask(
        "/ionq/v0.4/sessions",
        {"backend": "qpu.aria-1"},
        "/ionq/v0.4/sessions",
        lambda answer: len(answer["sessions"]),
        201,
    ),
    "IBM direct": Ask(
        "/ibm/api/Jobs",
        {"backend": {"name": "qwicket_simulator"}, "qObject": QOBJ},
        "/ibm/api/Jobs",
        len,
        200,
    ),
    "IBM storage": Ask(
        "/ibm/api/Jobs",
        {"backend": {"name": "qwicket_simulator"}, "allowObjectStorage": True},
        "/ibm/api/Jobs",
        len,
        200,
    ),
    "qBraid today": Ask(
        "/qbraid/api/v1/jobs",
        {
            "deviceQrn": "qbraid:qbraid:sim:statevector",
            "program": {"format": "ionq.circuit.v0", "data": CIRCUIT},
        },
        "/qbraid/api/v1/jobs",
        _total,
        201,
    ),
    "qBraid before": Ask(
        "/qbraid/api/quantum-jobs",
        {"qbraidDeviceId": "qbraid_statevector", "ionqCircuit": CIRCUIT},
        "/qbraid/api/v1/jobs",
        _total,
        201,
    ),
    "qlued": Ask(
        "/qlued/api/v3/singlequdit/post_job",
        {"payload": {"experiment_0": EXPERIMENT}},
        "/v1/jobs",
        _jobs,
        200,
        "Bearer",
    ),
    "Xanadu": Ask(
        "/jobs",
        {"circuit": pair(), "target": "simulon_gaussian", "language": "blackbird:1.0"},
        "/jobs",
        lambda answer: len(answer["data"]),
        201,
        "pass",
    ),
    "IQM": Ask("/iqm/api/v1/jobs/simulator/circuit", iqm.body(), "/v1/jobs", _jobs, 200, "Bearer"),
    "qBraid group": Ask(
        "/qbraid/api/v1/jobs/group", {"name": "g"}, "/qbraid/api/v1/jobs/group", _total, 201
    ),
}


class Brittle:
    """A database that loses answers to what it has done, or is gone after it has done something.

    Attributes:
        lost: How many further answers to writes are lost.
        dies: Whether it is gone after the next write.
        is_gone: Whether it is.
        after_scan: What somebody else does right after the next list was read.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.lost = 0
        self.dies = self.is_gone = False
        self.after_scan: Callable[[], Awaitable[None]] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def write(self, operation: Callable[[Tx], Any], *, durable: bool = True) -> Any:
        self._look()
        answer = await self._database.write(operation, durable=durable)
        self.is_gone = self.dies
        if self.lost:
            self.lost -= 1
            raise Unavailable("The database did not answer.", retry_after_s=1.0)
        return answer

    async def read(self, operation: Callable[[Tx], Any]) -> Any:
        self._look()
        return await self._database.read(operation)

    async def scan(self, operation: Callable[[Tx], Any]) -> Any:
        self._look()
        found = await self._database.scan(operation)
        if self.after_scan is not None:
            meanwhile, self.after_scan = self.after_scan, None
            await meanwhile()
        return found

    def _look(self) -> None:
        if self.is_gone:
            raise Unavailable("The database did not answer.", retry_after_s=1.0)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = open_new_sqlite(tmp_path)
    await opened.devices.seed(devices.built_in(shown_by), "builtin")
    yield opened
    await opened.close()


@pytest.fixture
def database(store: Store) -> Brittle:
    return Brittle(store._database)


@pytest.fixture
async def http(store: Store, database: Brittle) -> AsyncIterator[Http]:
    parsers = ParserPool(LIMITS)
    gateway = Gateway(Store(database, store.changes), parsers, LIMITS, now_ms)
    admin = Admin(store, now_ms)
    await admin.add_account("ada", email=None, password=None)
    secret = (await admin.create_token("ada")).secret
    transport = httpx.ASGITransport(Router(mounts(gateway), LIMITS))
    async with Http(transport=transport, base_url="http://qwicket") as client:
        grant = {"grant_type": "refresh_token", "refresh_token": secret}
        given = (await client.post(TOKEN_PATH, data=grant)).json()["access_token"]
        client.auths = {
            "apiKey": f"apiKey {secret}",
            "Bearer": f"Bearer {secret}",
            "pass": f"Bearer {given}",
        }
        answer = await client.post("/ibm/api/users/loginWithToken", json={"apiToken": secret})
        client.headers.update(
            {
                "api-key": secret,
                "X-Access-Token": answer.json()["id"],
            }
        )
        yield client
    await parsers.close()


async def stored(http: Http, ask: Ask) -> int:
    headers = {"Authorization": http.auths[ask.auth]}
    return ask.count((await http.get(ask.listed, headers=headers)).json())


@pytest.mark.parametrize("name", ASKS)
async def test_an_answer_that_is_lost_once_is_asked_for_again(
    http: Http, database: Brittle, name: str
) -> None:
    ask = ASKS[name]
    database.lost = 1
    answer = await http.ask(ask)
    assert answer.status_code == ask.status, answer.text
    assert await stored(http, ask) == 1


@pytest.mark.parametrize("name", ASKS)
async def test_a_lost_commit_in_a_lasting_outage_is_reported_so_that_no_client_retries(
    http: Http, database: Brittle, name: str
) -> None:
    ask = ASKS[name]
    database.lost, database.dies = 1, True
    answer = await http.ask(ask)
    assert answer.status_code in NO_REPEAT, answer.text
    assert "unknown whether" in answer.text
    database.dies = database.is_gone = False
    assert await stored(http, ask) == 1


@pytest.mark.parametrize("name", ASKS)
async def test_a_store_that_is_gone_right_after_it_stored_is_no_failure(
    http: Http, database: Brittle, name: str
) -> None:
    ask = ASKS[name]
    database.dies = True
    answer = await http.ask(ask)
    assert answer.status_code == ask.status, answer.text
    database.dies = database.is_gone = False
    assert await stored(http, ask) == 1


@pytest.mark.parametrize("name", ASKS)
async def test_a_store_that_is_gone_before_stores_nothing_and_says_so(
    http: Http, database: Brittle, name: str
) -> None:
    ask = ASKS[name]
    database.is_gone = True
    answer = await http.ask(ask)
    assert answer.status_code in {503, *NO_REPEAT}, answer.text
    database.is_gone = False
    assert await stored(http, ask) == 0


JOBS = [name for name in ASKS if not name.endswith(("session", "group", "storage"))]


@pytest.mark.parametrize("name", JOBS)
async def test_a_job_that_is_deleted_while_it_is_listed_is_left_out(
    http: Http, store: Store, database: Brittle, name: str
) -> None:
    ask = ASKS[name]
    for _ in range(3):
        assert (await http.ask(ask)).status_code == ask.status
    ada = (await store.accounts.by_name("ada")).id
    gone, *_ = [job.id for job in await store.jobs.page(JobQuery(account=ada))]
    deleted = asyncio.Event()

    async def delete() -> None:
        await store.jobs.cancel(gone, actor=ada, now=now_ms())
        await store.jobs.delete(gone)
        deleted.set()

    database.after_scan = delete
    headers = {"Authorization": http.auths[ask.auth]}
    answer = await http.get(ask.listed, headers=headers)
    assert answer.status_code == 200, answer.text
    assert deleted.is_set()
    if ask.listed != "/v1/jobs":  # the native dialect lists jobs from one look-up
        assert gone not in answer.text
    assert await stored(http, ask) == 2
