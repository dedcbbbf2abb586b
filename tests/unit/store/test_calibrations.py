from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from qwicket import devices
from qwicket.circuits.calibrations import Calibration, GateFigures
from qwicket.model.accounts import Token
from qwicket.store import Store, open_sqlite
from qwicket.store.calibrations import MAX_CALIBRATIONS
from support.stores import NOW, add_job

pytestmark = [pytest.mark.anyio, pytest.mark.needs_vendors]

ARIA = "qpu.aria-1"
START = datetime.fromtimestamp(NOW / 1000, UTC)


def calibration(hours: float = 0.0, error: float = 0.01) -> Calibration:
    return structs.replace(
        devices.calibrations()[ARIA],
        valid_from=START + timedelta(hours=hours),
        two_qubit=GateFigures(error=error, duration_s=6e-4),
    )


@pytest.fixture
async def seeded(store: Store) -> Store:
    await store.devices.seed(devices.built_in(), "builtin")
    return store


async def bodies(store: Store, limit: int = 9) -> list[Calibration]:
    page = await store.calibrations.page(ARIA, 0, NOW, 0, limit)
    return [each.body for each in page.rows]


@pytest.mark.both_databases
async def test_a_row_is_added_only_when_the_body_changed(seeded: Store) -> None:
    first, second = calibration(), calibration(error=0.02)
    for each in (first, first, second, second, first):
        await seeded.calibrations.seed({ARIA: each}, NOW)
    assert await bodies(seeded) == [first, second, first]
    assert await bodies(seeded, 1) == [first]
    page = await seeded.calibrations.page(ARIA, 0, NOW, 0, 9)
    assert len({each.id for each in page.rows}) == page.n_all == 3
    second_page = await seeded.calibrations.page(ARIA, 0, NOW, 1, 1)
    assert (second_page.rows, second_page.n_all) == (page.rows[1:2], 3)
    times = await seeded.calibrations.times(ARIA, NOW)
    assert times == [(each.id, each.valid_from) for each in page.rows]
    assert await seeded.calibrations.times(ARIA, NOW - 1) == []
    assert await seeded.calibrations.page(ARIA, NOW + 1, NOW + 9, 0, 9) == ([], 0)


async def test_the_last_one_that_is_valid_by_then_is_in_force(seeded: Store) -> None:
    hour = 3_600_000
    for each in (calibration(0, 0.01), calibration(2, 0.02), calibration(2, 0.03)):
        await seeded.calibrations.seed({ARIA: each}, NOW)
    errors = []
    for at in (NOW - 1, NOW, NOW + 2 * hour - 1, NOW + 2 * hour, NOW + 9 * hour):
        found = await seeded.calibrations.at(ARIA, at)
        errors.append(found and found.body.two_qubit.error)
    assert errors == [None, 0.01, 0.01, 0.03, 0.03]
    assert await seeded.calibrations.at("simulator", NOW) is None
    assert [each.two_qubit.error for each in await bodies(seeded)] == [0.01]


@pytest.mark.both_databases
async def test_a_calibration_is_found_by_its_id(seeded: Store) -> None:
    await seeded.calibrations.seed({ARIA: calibration()}, NOW)
    found = await seeded.calibrations.at(ARIA, NOW)
    assert found is not None
    assert (found.device, found.valid_from, found.body) == (ARIA, NOW, calibration())
    assert await seeded.calibrations.get(found.id) == found
    assert await seeded.calibrations.get("nothing") is None


async def test_servers_that_start_at_once_do_not_double_it(tmp_path: Path) -> None:
    stores = [open_sqlite(tmp_path) for _ in range(4)]
    await stores[0].devices.seed(devices.built_in(), "builtin")
    await asyncio.gather(
        *(each.calibrations.seed(devices.calibrations(), NOW) for each in stores for _ in range(3))
    )
    assert (await stores[0].calibrations.page(ARIA, 0, NOW, 0, 9)).n_all == 1
    for each in stores:
        await each.close()


@pytest.mark.both_databases
async def test_of_two_writers_that_count_alike_one_adds_the_row(seeded: Store) -> None:
    """As on a database where neither sees the other before its commit."""

    def add(tx: Any) -> int:
        row = {"device": ARIA, "number": 1, "valid_from": NOW, "body": "{}"}
        return sum(tx.count("calibration_add", id=name, **row) for name in ("one", "other"))

    assert await seeded._database.write(add) == 1


async def test_a_job_keeps_the_id_of_its_calibration(seeded: Store, ada: Token) -> None:
    assert (await add_job(seeded, ada)).calibration is None
    job = await add_job(seeded, ada, calibration="c")
    assert job.calibration == "c"
    assert await seeded.jobs.get(job.id) == job


async def test_the_oldest_go_when_a_device_has_many(seeded: Store) -> None:
    first = calibration(error=0.5)
    await seeded.calibrations.seed({ARIA: first}, NOW)
    for number in range(MAX_CALIBRATIONS):
        await seeded.calibrations.seed({ARIA: calibration(error=number / 1e6)}, NOW)
    page = await seeded.calibrations.page(ARIA, 0, NOW, MAX_CALIBRATIONS - 1, 9)
    assert page.n_all == MAX_CALIBRATIONS
    assert [each.body.two_qubit.error for each in page.rows] == [0.0]
    assert (await bodies(seeded, 1))[0].two_qubit.error == (MAX_CALIBRATIONS - 1) / 1e6
