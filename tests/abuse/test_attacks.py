"""The abuse list against one live server, twice; `make abuse` shows the table.

The long form (`QWICKET_ABUSE=long`) tries more, on both databases.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import pytest

from abuse.attacks import Target
from abuse.attacks.catalogue import LIST, Entry
from support.event_loop import MEASURED, assert_loop_stays_free
from support.processes import resident_bytes
from support.repetitions import IS_LONG, databases
from support.server import server_on

ALWAYS = ("--limit", "waiting_jobs=200000", "--limit", f"memory_bytes={1 << 30}")
"""The flood is of more jobs than one project may have by default. A job has as much memory on each
machine, so that the widest programs are of 25 qubits everywhere."""
SHORT = ("--limit", "head_timeout_s=2", "--limit", "body_timeout_s=2", "--limit", "keep_alive_s=6")
"""The short form does not wait for the deadlines that users have."""
MAX_GROWTH = 1.1
SETTLED_S = 12.0
"""Every 10 s the server gives back the memory that it no longer needs."""


@pytest.fixture(scope="module")
def unharmed() -> None:
    """The shared server is not in play."""


@pytest.fixture(scope="module", params=databases("sqlite"))
def target(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Target]:
    options = ALWAYS if IS_LONG else (*ALWAYS, *SHORT)
    folder = tmp_path_factory.mktemp("attacked")
    with server_on(request, folder, *options, **MEASURED) as live:
        target = Target(live, is_long=IS_LONG)
        yield target
        target.close()


def run(target: Target, entry: Entry) -> tuple[str, str | None]:
    """Run one attack; return its row and, where the server did not hold, why."""
    head = f"{entry.number:6} {entry.title:32}"
    attack, outcomes, began = entry.attack, [], time.monotonic()
    try:
        loop_ms = assert_loop_stays_free(target.live, lambda: outcomes.append(attack(target)))
    except AssertionError as error:
        broken = str(error) or repr(error)
        return f"{head} BROKEN {broken[:300]}", f"{entry.number} {entry.title}: {broken}"
    loop = ", then ".join(f"{longest_ms:4.1f}" for longest_ms in loop_ms)
    took = f"{time.monotonic() - began:5.1f} s, loop {loop} ms"
    return f"{head} held {took}  {outcomes[-1].tried}: {outcomes[-1].worst}", None


def _show(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def settled_bytes(target: Target, *, enough: float) -> int:
    """Return the server's memory once it is no more than enough, or after `SETTLED_S`."""
    deadline = time.monotonic() + SETTLED_S
    while (held := resident_bytes(target.live.process.pid)) > enough:
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    return held


@pytest.mark.alone
@pytest.mark.timeout(7200 if IS_LONG else 1200)
def test_the_server_holds_against_the_abuse_list_twice(
    target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    memory: list[int] = []
    broken = []
    for attempt in (1, 2):
        for entry in LIST:
            row, why = run(target, entry)
            with capsys.disabled():
                _show(row)
            if why is not None:
                broken.append(why)
        memory.append(settled_bytes(target, enough=MAX_GROWTH * memory[0] if memory else 0))
        with capsys.disabled():
            _show(f"after round {attempt}: {memory[-1] >> 20} MiB resident\n")
    assert not broken, "\n".join(broken)
    assert memory[1] <= MAX_GROWTH * memory[0]


def test_every_number_of_the_list_is_there() -> None:
    numbers = {number for entry in LIST for number in entry.number.split("/")}
    assert numbers == {f"A{n}" for n in range(1, 27)}
