from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from qwicket.devices import built_in, calibrations
from qwicket.model.accounts import Token
from qwicket.model.devices import DeviceChange, DeviceStatus, Presence, Provider
from qwicket.model.errors import Conflict, NotFound
from qwicket.model.jobs import Runner
from qwicket.store import Store
from qwicket.store.devices import KEPT_CHANGES
from support.reservations import reserve
from support.stores import NOW

pytestmark = pytest.mark.anyio


async def test_seeded_devices_come_back_in_listing_order(store: Store) -> None:
    first, last = (
        structs.replace(built_in()[0], name=name, position=position)
        for name, position in (("zeta", 1), ("alpha", 2))
    )
    await store.devices.seed([last, first], "builtin")
    assert await store.devices.all() == [first, last]
    assert await store.devices.get("zeta") == first
    assert await store.devices.get("nowhere") is None


async def test_seeding_again_follows_the_file_but_not_over_another_origin(store: Store) -> None:
    device = built_in()[0]
    await store.devices.seed([device], "agent")
    await store.devices.seed([structs.replace(device, position=99)], "builtin")
    assert await store.devices.get(device.name) == device
    await store.devices.seed([structs.replace(device, position=99)], "agent")
    assert (await store.devices.all())[0].position == 99


async def test_a_device_is_on_until_someone_turns_it_off(store: Store) -> None:
    await store.devices.seed(built_in(), "builtin")
    assert (await store.devices.status("simulator", NOW)).is_on
    off = DeviceStatus(is_on=False, reason="service", until_at=NOW + 10)
    await store.devices.set_status("simulator", off, NOW)
    assert await store.devices.status("simulator", NOW) == off
    assert (await store.devices.status("simulator", NOW + 10)).is_on


@pytest.mark.both_databases
async def test_an_unknown_device_has_no_status_to_set(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.devices.set_status("nowhere", DeviceStatus(), NOW)


@pytest.mark.both_databases
async def test_devices_of_a_provider_that_is_not_active_are_not_offered(store: Store) -> None:
    own = built_in()[0]
    lab = structs.replace(own, name="lab_sodium", provider="lab", position=own.position + 1)
    await store.devices.seed([own, lab], "builtin")
    assert await store.devices.offered() == [own, lab]
    await store.devices.set_active("lab", False)
    await store.devices.seed([lab], "builtin")  # as every start of a server does
    assert await store.devices.offered() == [own]
    assert await store.devices.find("lab_sodium") is None
    assert await store.devices.snapshot("lab_sodium", NOW) is None
    assert await store.devices.all() == [own, lab]
    await store.devices.set_active("lab", True)
    assert await store.devices.find("lab_sodium") == lab


@pytest.mark.both_databases
async def test_providers_are_added_once_and_listed_by_name(store: Store) -> None:
    await store.devices.seed(built_in(), "builtin")
    assert await store.devices.add_provider("lab") == Provider("lab", is_active=True)
    with pytest.raises(Conflict):
        await store.devices.add_provider("lab")
    await store.devices.set_active("lab", False)
    assert await store.devices.providers() == [Provider("lab", False), Provider("qwicket", True)]
    with pytest.raises(NotFound):
        await store.devices.set_active("nobody", False)


async def test_a_device_that_ships_off_stays_as_it_was_turned_later(store: Store) -> None:
    await store.devices.seed(built_in(), "builtin")
    await store.devices.turn_off_new({"simulator": "out of use"}, NOW)
    status = await store.devices.status("simulator", NOW)
    assert (status.is_on, status.reason) == (False, "out of use")
    await store.devices.set_status("simulator", DeviceStatus(), NOW)
    await store.devices.turn_off_new({"simulator": "out of use"}, NOW)
    assert (await store.devices.status("simulator", NOW)).is_on


@pytest.mark.both_databases
async def test_only_changes_of_a_state_are_recorded(store: Store) -> None:
    await store.devices.seed(built_in(), "builtin")
    off = DeviceStatus(is_on=False, reason="service", until_at=NOW + 10)
    for number, status in enumerate((DeviceStatus(), off, off, DeviceStatus(is_draining=True))):
        await store.devices.set_status("simulator", status, NOW + number)
    await store.devices.set_message("simulator", "hello", NOW + 9)
    found = await store.devices.changes("simulator", NOW + 20)
    assert found.changes == [
        DeviceChange(NOW + 3, "draining"),
        DeviceChange(NOW + 1, "off", "service", NOW + 10),
    ]
    assert (await store.devices.changes("clifford", NOW)).changes == []


async def test_the_first_and_the_last_agent_of_a_device_are_recorded(store: Store) -> None:
    device = built_in()[0]
    await store.devices.seed([device], "agent")
    for number, runner in enumerate(("one", "two")):
        agent = Runner(runner, "agent", 0, 1, device=device.name)
        store.leases.record_heartbeat(agent, NOW + number).result()
        store.leases.record_heartbeat(agent, NOW + number).result()
    for number, runner in enumerate(("one", "two")):
        await store.leases.void_runner(runner, NOW + 10 + number)
    await store.leases.add_runner("server", "server", NOW)
    await store.leases.void_runner("server", NOW + 20)
    found = await store.devices.changes(device.name, NOW)
    assert [(each.at, each.status) for each in found.changes] == [
        (NOW + 11, "away"),
        (NOW, "online"),
    ]


async def test_a_device_keeps_its_newest_changes(store: Store) -> None:
    await store.devices.seed(built_in(), "builtin")
    for number in range(KEPT_CHANGES + 20):
        status = DeviceStatus(is_on=False, reason=str(number))
        await store.devices.set_status("simulator", status, NOW + number)
    found = (await store.devices.changes("simulator", NOW)).changes
    assert [each.reason for each in found[:2]] == ["219", "218"]
    assert (len(found), found[-1].reason) == (KEPT_CHANGES, "20")


@pytest.mark.both_databases
async def test_a_device_that_is_parked_has_a_change_once(store: Store) -> None:
    await store.devices.seed(built_in(), "builtin")
    for number in range(2):
        await store.devices.turn_off_new({"simulator": "no engine"}, NOW + number)
    found = (await store.devices.changes("simulator", NOW)).changes
    assert found == [DeviceChange(NOW, "off", "no engine")]


@pytest.mark.needs_vendors
@pytest.mark.both_databases
async def test_all_devices_are_read_at_once_as_each_by_itself(store: Store, ada: Token) -> None:
    own = built_in()[0]
    names = ("on", "off", "over", "draining", "window", "said")
    devices = [structs.replace(own, name=name) for name in names]
    for name, driver in (("lab", "agent"), ("away", "agent"), ("far", "remote"), ("new", "remote")):
        devices.append(structs.replace(own, name=name, driver=driver))
    await store.devices.seed(devices, "builtin")
    for name, status in {
        "off": DeviceStatus(is_on=False, reason="service", until_at=NOW + 10),
        "over": DeviceStatus(is_on=False, reason="service", until_at=NOW - 10),
        "draining": DeviceStatus(is_draining=True, reason="soon"),
        "lab": DeviceStatus(is_on=False, reason="holiday"),
    }.items():
        await store.devices.set_status(name, status, NOW)
    await store.devices.set_message("said", "cooling", NOW)
    await reserve(store, kind="maintenance", device="window", from_at=NOW - 5, until_at=NOW + 5)
    for agent in ("one", "two"):
        await store.leases.renew(Runner(agent, "agent", 0, 1, "lab"), (), 0, NOW)
    await store.forwards.put_mirror("far", NOW, is_online=False, reason="full", n_waiting=3)
    for days in (2, 1, -1):
        at = datetime.fromtimestamp(NOW / 1000, UTC) - timedelta(days=days)
        twin = structs.replace(calibrations()["qpu.aria-1"], valid_from=at)
        await store.calibrations.seed({"on": twin}, NOW)

    found = await store.devices.conditions(devices, NOW)
    for device in devices:
        assert found[device.name] == await store.devices.condition(device, NOW), device.name
    assert found["lab"].presence == Presence(2, NOW)
    assert found["far"].presence == Presence(0, NOW, "full", 3)
    assert not found["window"].status.is_on
    assert found["on"].calibration is not None
    assert (await store.devices.conditions(devices[1:3], NOW)).keys() == {"off", "over"}
