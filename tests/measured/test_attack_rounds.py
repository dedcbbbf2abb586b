"""The abuse list twice against one live server: how long others wait, and what memory stays."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from abuse.attacks import Target
from abuse.attacks.catalogue import ALWAYS, LIST, SHORT
from measured.conftest import Record, settled_bytes
from support.event_loop import TIMED, logged, longest_ms
from support.server import running_server

MAX_GROWTH = 1.1


@pytest.mark.timeout(1200)
def test_the_abuse_list_twice(tmp_path: Path, record: Record) -> None:
    memory, failed = [], []
    with running_server(tmp_path, *ALWAYS, *SHORT, **TIMED) as live:
        target = Target(live, is_long=False, note=record)
        for _ in range(2):
            for entry in LIST:
                name = f"{entry.number} {entry.title}"
                try:
                    took_ms = longest_ms(logged(live, partial(entry.attack, target)))
                except Exception as error:  # the others are measured nevertheless
                    failed.append(f"{name}: {error!r}")
                else:
                    record(f"{name}: longest callback, CPU", took_ms, at_most=20, unit="ms")
            memory.append(settled_bytes(live.process.pid))
        target.close()
    assert not failed, "\n".join(failed)
    name = "memory after the abuse list, second round / first"
    record(name, memory[1] / memory[0], at_most=MAX_GROWTH, unit="×")
