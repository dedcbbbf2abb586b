"""The memory of large responses that many clients ask for and do not read, in every dialect."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from abuse.test_untaken_answers import (
    DIALECTS,
    LARGEST_BYTES,
    LIMITS,
    MB,
    ROOM_BYTES,
    Make,
    ask,
    held_bytes,
    limited,
    status,
    submitted,
)
from measured.conftest import Record
from support import raw
from support.processes import resident_bytes
from support.programs import BELL
from support.server import LiveServer
from support.waiting import until

MANY = 40
SENT_BYTES = int(Path("/proc/sys/net/ipv4/tcp_wmem").read_text().split()[2])
"""What the kernel takes at most from the server for a client that takes nothing."""


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with limited(tmp_path_factory.mktemp("narrow"), LIMITS) as live:
        yield live


@pytest.mark.parametrize("make", DIALECTS, ids=lambda make: make.__name__)
def test_what_slow_readers_hold(narrow: LiveServer, make: Make, record: Record) -> None:
    name = make.__name__.replace("_", "-")
    token, other = narrow.token(name), narrow.token()
    with httpx.Client(base_url=narrow.url, timeout=60) as http, ExitStack() as stack:
        large = make(http, token)
        field, _, value = large.header.partition(": ")
        whole = http.get(large.path, headers={field: value})
        assert SENT_BYTES + ROOM_BYTES < len(whole.content) < LARGEST_BYTES, whole.status_code
        poll = submitted(http, other, program=BELL, shots=10)
        until(lambda: held_bytes(http) == 0, "the room is empty")
        before = resident_bytes(narrow.process.pid)
        held: list[int] = []

        def polls_on() -> bool:
            threading.Event().wait(0.1)  # so that polls do not delay the response that is prepared
            begun = http.get(f"/v1/jobs/{poll}", headers={"Authorization": f"Bearer {other}"})
            assert begun.status_code == 200, "another account polls on"
            held.append(held_bytes(http))
            return held[-1] > 0

        readers = ask(stack, narrow, large, MANY)
        until(polls_on, "answers are held")
        statuses = [status(each) for each in readers]
        refused = raw.answer(readers[[code != 200 for code in statuses].index(True)])
        assert set(statuses) == {200, large.full}, statuses
        assert 1 <= int(refused.headers["retry-after"]) <= 10
        grown = resident_bytes(narrow.process.pid) - before
        what = f"{MANY} clients that read nothing of {name}"
        record(f"{what}: memory", grown / MB, at_most=200, unit="MiB")
        most = max(*held, held_bytes(http)) / MB
        record(f"{what}: held at once", most, at_most=(ROOM_BYTES + LARGEST_BYTES) / MB, unit="MiB")
        until(lambda: held_bytes(http) == 0, "they are cut", timeout_s=60)
        assert http.get(large.path, headers={field: value}).content == whole.content
