from __future__ import annotations

import pytest
from msgspec import structs

from qwicket.devices import built_in
from qwicket.model.devices import DeviceStatus
from qwicket.model.errors import NotFound
from qwicket.store import Store
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


async def test_an_unknown_device_has_no_status_to_set(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.devices.set_status("nowhere", DeviceStatus(), NOW)
