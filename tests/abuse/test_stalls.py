"""No request body blocks the event loop for long, however it is made."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.types import Message

from abuse.dialects import IONQ, NATIVE, Dialect
from qwicket import devices
from qwicket.compute import ParserPool
from qwicket.dialects import mounts, shown_by
from qwicket.gateway import Gateway
from qwicket.gateway.admin import Admin
from qwicket.model.limits import Limits
from qwicket.server.router import Router
from support.pairwise import by_row, pairs
from support.stores import open_new_sqlite

pytestmark = pytest.mark.extended

LONGEST_GAP_S = 0.35
"""Several times what is measured, for machines with other work: 0.1 s for the worst of these."""
MB = 1 << 20
LIMITS = Limits.from_names(memory_bytes=1 << 30)


def keys(size: int) -> bytes:
    return b"{" + b",".join(b'"%d":1' % n for n in range(size // 12)) + b"}"


def items(item: bytes, size: int) -> bytes:
    return b"[" + (item + b",") * (size // (len(item) + 1)) + item + b"]"


HEAVY: dict[str, Callable[[], bytes]] = {
    "texts": lambda: items(b'""', 15 * MB),
    "numbers": lambda: items(b"0", 15 * MB),
    "lists": lambda: items(b"[]", 15 * MB),
    "keys": lambda: keys(14 * MB),
    "a megabyte of brackets": lambda: b"[" * (MB // 2) + b"]" * (MB // 2),
    "a megabyte of pyramids": lambda: b'{"a":[' + items(b"[" * 60 + b"]" * 60, MB - 200)[1:] + b"}",
    "a megabyte of objects": lambda: b'{"a":' + items(b"{}", MB - 20) + b"}",
    "a megabyte of quotes": lambda: (
        b'{"a":' + items(b'""', MB - 200) + b',"b":' + b"[" * 65 + b"]" * 65 + b"}"
    ),
    "text": lambda: b'"' + b"x" * 15 * MB + b'"',
    "escapes": lambda: b'"' + b"\\n" * 7 * MB + b'"',
    "backslashes and a NUL": lambda: b'"' + b"\\\\" * 7 * MB + b'\\u0000"',
    "backslashes that are no NULs": lambda: b'"' + b"\\\\u0000" * 2 * MB + b'"',
}
"""Made for each test: together they are over 100 MB."""
FIELDS = [
    *((NATIVE, field) for field in ("tags", "inputs", "outputs", "name", "program", "unheard")),
    *((IONQ, field) for field in ("metadata", "settings", "noise", "name", "input", "unheard")),
]


class Server:
    """All dialects in process, without runners, and a task that ticks beside them."""

    def __init__(self, folder: Path) -> None:
        self._loop = asyncio.Runner()
        self._parsers = ParserPool(LIMITS)
        self._store = open_new_sqlite(folder)
        self._router = Router(mounts(Gateway(self._store, self._parsers, LIMITS, _now)), LIMITS)
        self._token = self._loop.run(self._prepare())

    async def _prepare(self) -> str:
        await self._store.devices.seed(devices.built_in(shown_by), "builtin")
        admin = Admin(self._store, _now)
        await admin.add_account("ada", email=None, password=None)
        return (await admin.create_token("ada")).secret

    def close(self) -> None:
        self._loop.run(self._store.close())
        self._loop.run(self._parsers.close())
        self._loop.close()

    def longest_gap_s(self, dialect: Dialect, body: bytes) -> tuple[int, float]:
        """Send a submission; return its status, and how long the loop was away at worst.

        In processor time of this process, all threads together: others' work does not count.
        """

        async def send() -> tuple[int, float]:
            gap_s = 0.0

            async def tick() -> None:
                nonlocal gap_s
                while True:
                    began = time.process_time()
                    await asyncio.sleep(0)
                    gap_s = max(gap_s, time.process_time() - began)

            ticking = asyncio.create_task(tick())
            await asyncio.sleep(0)  # it ticks before, and once more after
            status = await self._post(dialect, body)
            await asyncio.sleep(0)
            ticking.cancel()
            return status, gap_s

        return self._loop.run(send())

    async def _post(self, dialect: Dialect, body: bytes) -> int:
        status = 0

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(str(message["status"]))

        auth = [(k.lower().encode(), v.encode()) for k, v in dialect.auth(self._token).items()]
        scope = {
            "type": "http",
            "method": "POST",
            "path": dialect.jobs,
            "scheme": "http",
            "query_string": b"",
            "headers": [*auth, (b"content-length", b"%d" % len(body))],
            "client": ("192.0.2.1", 1),
        }
        await self._router(scope, receive, send)
        return status


def _now() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture(scope="module")
def unharmed() -> None:
    """No live server is in play."""


@pytest.fixture(scope="module")
def dialects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("stalls"))
    yield server
    server.close()


@pytest.mark.parametrize(
    ("at", "values"),
    # What has a reader of its own gets all of it: a program, a document, what is left unread.
    by_row(pairs(FIELDS, HEAVY, keep=lambda at, _: at[1] in ("program", "metadata", "unheard"))),
)
def test_no_body_keeps_the_loop_from_others(
    dialects: Server, at: tuple[Dialect, str], values: list[str]
) -> None:
    dialect, field = at
    for heavy in values:
        status, gap_s = dialects.longest_gap_s(dialect, dialect.text(**{field: HEAVY[heavy]()}))
        assert 400 <= status < 500 or (dialect is IONQ and status == 201), heavy
        assert gap_s < LONGEST_GAP_S, heavy
