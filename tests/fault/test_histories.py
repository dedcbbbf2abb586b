"""Random histories of concurrent callers, each of which the model of the promises must explain."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from qwicket.store import Store, sqlite
from support.history import check_history
from support.history_callers import OpenStores
from support.history_model import Mismatch
from support.history_stores import two_on_postgres, two_on_sqlite
from support.repetitions import runs

pytestmark = [pytest.mark.anyio, pytest.mark.extended, pytest.mark.promise]

SEEDS = runs(4, long=300)
CALLS = 200
CALLS_TO_MEET = {"absence that buys a monopoly": 1000}
"""Calls of a history, for a fault that only many jobs of several projects show."""
CALLS_TO_SHRINK = runs(60, long=CALLS)
TRIES = 150
"""Histories in which a fault must show itself."""

# Defects as changes of the SQL: name of the statement, its text, the wrong text.
FAULTS = {
    "a fence that does not rise": ("lease_take", "set fence = lease.fence + 1", "set fence = 1"),
    "a finish that ignores the nonce": ("job_complete", "lease.nonce = :nonce", "true"),
    "a finish that ignores the fence and nonce": (
        "job_complete",
        "lease.fence = :fence and lease.nonce = :nonce",
        "true",
    ),
    "a lease that outlives its job": (
        "lease_end",
        "delete from lease where",
        "update lease set fence = fence + 1 where",
    ),
    "a double claim": ("job_claim", "state = 'queued'", "state <> 'completed'"),
    "a claim of a device that is off": ("job_claim", "device_state.is_on = 0", "false"),
    "a pause that never ends": ("job_claim", "device_state.until_at > :now", "true"),
    "the dearest first": ("job_claim", "order by share.vtime", "order by share.vtime desc"),
    "the youngest first": ("job_claim", "next.seq\n", "next.seq desc\n"),
    "a version that stands still": ("job_ask_cancel", "version = version + 1,", ""),
    "a change that goes back": ("job_claim", "max(:now_us,", "min(:now_us + 1,"),
    "an attempt that is not counted": ("job_release", "attempts + :counts_as_attempt", "attempts"),
    "an intent that is overwritten": (
        "forward_intend",
        "absent = 0",
        "marker = excluded.marker",
    ),
    "an id that stays with a job that it is not": (
        "forward_forget_sent",
        "vendor_job_id = null",
        "vendor_job_id = vendor_job_id",
    ),
    "a key that is forgotten at once": (
        "idempotency_get",
        "key = :key",
        "key = :key and made_at > 1e15",
    ),
    "a group that takes too many": ("group_job_count", "limit :limit", "limit :limit - 1"),
    "use that is not counted": ("share_charge", "vtime + :charge", "vtime"),
    "a member who has every turn": ("member_share_charge", "vtime + :charge", "vtime"),
    "a project that is overlooked": ("share_open", "has_work = 1, vtime", "vtime"),
    "absence that buys a monopoly": ("share_open", "min(other.vtime) - :advantage", "0"),
    "times that a deletion takes along": (
        "account_outlive",
        "(select change from job where id = :job)",
        "0",
    ),
    "a job that ends before it began": (
        "job_withdraw",
        "max(:now, coalesce",
        "coalesce(:now, coalesce",
    ),
}


@pytest.fixture(params=["sqlite", "postgres"])
def open_stores(request: pytest.FixtureRequest) -> OpenStores:
    if request.param == "sqlite":
        return two_on_sqlite
    return partial(two_on_postgres, request.getfixturevalue("postgres"))


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_the_model_explains_every_history(open_stores: OpenStores, seed: int) -> None:
    await check_history(open_stores, seed, calls=CALLS)


@pytest.mark.timeout(600)  # threads run in any order, so that some faults need many histories
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_store_that_breaks_a_promise_is_found_out(fault: str) -> None:
    with pytest.raises(Mismatch):
        await make_histories(fault, calls=CALLS_TO_MEET.get(fault, CALLS), shrinks=False)


async def test_a_history_that_fails_names_its_seed_and_is_made_small() -> None:
    made: list[list[str]] = []
    for _ in range(3):  # threads run in any order, so that one history may keep a call too many
        with pytest.raises(Mismatch) as found:
            await make_histories("a version that stands still", calls=CALLS_TO_SHRINK, shrinks=True)
        first, *calls = str(found.value).splitlines()
        assert first.startswith("seed ")
        made.append([line.split()[1].split("(")[0] for line in calls])
        if len(made[-1]) == 3:
            break
    assert made[-1] == ["jobs.add", "leases.claim", "jobs.cancel"], made


async def make_histories(fault: str, *, calls: int, shrinks: bool) -> None:
    for seed in range(TRIES):
        await check_history(with_fault(fault), seed, calls=calls, shrinks=shrinks)


def with_fault(fault: str) -> OpenStores:
    name, right, wrong = FAULTS[fault]
    sql = sqlite.named_statements()
    assert right in sql[name]
    faulty_sql = {**sql, name: sql[name].replace(right, wrong)}

    @asynccontextmanager
    async def faulty() -> AsyncIterator[list[Store]]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sqlite, "named_statements", lambda: faulty_sql)
            async with two_on_sqlite() as stores:
                yield stores

    return faulty
