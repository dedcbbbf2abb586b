"""Ten thousand or more damaged programs, in processes as limited as the server's parsers.

The seeds are fixed, so that failures can be reproduced. `make long` adds further seeds.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qwicket.compute import ForkServer, Pool
from qwicket.model.limits import Limits
from support.pools import WORKER_PATH
from support.repetitions import runs
from unit.programs.openqasm.mutation import Tally, fuzz

LIMITS = Limits()
PROGRAMS = runs(10_000, long=100_000)
CHUNK = 5_000
MAX_S = 1.0


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pool]:
    """One process with a reader's limits."""
    monkeypatch.setenv("PYTHONPATH", WORKER_PATH)
    made = Pool(
        1,
        fork_server=ForkServer("qwicket.programs:warm_up"),
        memory_bytes=LIMITS.parsing.parse_memory_bytes,
    )
    yield made
    made.close()


@pytest.mark.parametrize("first", range(0, PROGRAMS, CHUNK))
def test_damaged_programs_are_read_or_refused_in_time(pool: Pool, first: int) -> None:
    tally = pool.submit(fuzz, first, CHUNK, timeout_s=150, returns=Tally).future.result()
    assert not tally.faults, "\n\n".join(tally.faults[:3])
    assert tally.n_read + tally.n_refused == CHUNK
    assert min(tally.n_read, tally.n_refused) > CHUNK // 10, "the damage is too small or too great"
    seconds, *which = tally.slowest[0]
    assert seconds < MAX_S, which
