from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from qwicket.dialects.native import streams
from qwicket.dialects.native.streams import Stream, Streams
from qwicket.dialects.requests import Request
from qwicket.gateway import Gateway
from qwicket.model.accounts import Actor, Scope
from qwicket.model.errors import Unauthenticated
from qwicket.model.limits import Limits
from qwicket.model.states import JobState

pytestmark = pytest.mark.anyio

ADA = Actor(
    account="a",
    account_name="ada",
    role="member",
    project="p",
    token="t",
    scopes=frozenset({Scope.JOBS_READ}),
    devices=frozenset(),
)
BEGIN = b"retry: 2000\n\n"


class Jobs:
    """The jobs of an account. When a change is waited for, the server stops."""

    def __init__(self, n_jobs: int) -> None:
        self.n_jobs = n_jobs
        self.is_stopping = False

    async def last_change(self, actor: Actor) -> int:
        return self.n_jobs

    async def changed(self, actor: Actor, change: int, limit: int) -> list[SimpleNamespace]:
        after = range(change + 1, self.n_jobs + 1)
        return [SimpleNamespace(change=number, state=JobState.QUEUED) for number in after[:limit]]

    @contextmanager
    def watch(self, actor: Actor) -> Iterator[SimpleNamespace]:
        async def changed(timeout_s: float) -> bool:
            self.is_stopping = True
            return False

        yield SimpleNamespace(changed=changed)


def gateway(n_jobs: int = 0) -> Gateway:
    limits = Limits.from_names(streams=3, streams_each=2)
    made = SimpleNamespace(limits=limits, jobs=Jobs(n_jobs), open_streams=Counter())
    return cast(Gateway, made)


async def sent(*texts: bytes | Exception, method: str = "GET", **options: float) -> list[bytes]:
    """Return the chunks of a response with these texts."""

    async def tell() -> AsyncGenerator[bytes, None]:
        for text in texts:
            if isinstance(text, Exception):
                raise text
            yield text

    async def receive() -> Any:
        await asyncio.Event().wait()

    pieces: list[bytes] = []

    async def send(message: Any) -> None:
        pieces.append(message.get("body", b""))

    request: Request[None] = Request({"type": "http", "method": method, "headers": []})
    of = gateway()
    all_of_them = Streams(of, **options)
    await Stream(all_of_them, request, ADA, tell)({"type": "http"}, receive, send)
    assert not of.open_streams
    return pieces[1:]


async def test_a_quiet_stream_says_now_and_then_that_it_is_there() -> None:
    """Comments, which clients pass over (WHATWG HTML, section 9.2.6), and proxies do not cut."""
    assert await sent(b"", b"one", b"") == [BEGIN, b"one", b""]
    quiet, one, again, end = (await sent(b"", b"one", b"", heartbeat_s=0.0))[1:]
    assert quiet == again
    assert quiet.startswith(b":")
    assert quiet.endswith(b"\n\n")
    assert (one, end) == (b"one", b"")


async def test_a_heartbeat_comes_before_the_shortest_timeout_of_proxies() -> None:
    """nginx waits 60 s for the next byte by default (proxy_read_timeout)."""
    assert streams._HEARTBEAT_S + streams._CHECK_S < 60


async def test_a_stream_ends_whole_when_its_token_counts_no_more() -> None:
    assert await sent(b"one", Unauthenticated(), b"two") == [BEGIN, b"one", b""]


@pytest.mark.parametrize("n_jobs", [0, 1, 49, 50, 51, 230])
async def test_all_changes_are_sent_before_waiting_for_new_ones(
    n_jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_event", lambda number, *_: b"%d" % number)
    all_of_them = Streams(gateway(n_jobs), gather_s=0.0)

    async def check() -> None:
        """Accept the token."""

    told = [text async for text in all_of_them._account(check, ADA, 0, "http://q")]
    assert [text for text in told if text] == [
        b"id: 0\n\n",
        *(b"%d" % (n + 1) for n in range(n_jobs)),
    ]


async def test_who_asks_for_the_head_alone_gets_no_body() -> None:
    assert await sent(b"one", method="HEAD") == [b""]
