from __future__ import annotations

from datetime import UTC, time
from typing import Any

import pytest
from requests.exceptions import RequestException

from qwicket.vendors.xanadu.client import Device
from support.bad_server import BadServer, answer
from vendors.xanadu.unit.client.making import connecting

UP = {"monday": ["15:00:00+00:00", "22:59:59+00:00"]}
ON: dict[str, Any] = {"target": "X8_01", "status": "online", "expected_uptime": UP}
OFF = {**ON, "target": "X12_02", "status": "offline"}


def test_devices_are_listed_and_filtered_here() -> None:
    with BadServer(answer(200, {"data": [ON, OFF]})) as server, connecting(server.url) as made:
        assert [device.target for device in Device.list(made)] == ["X8_01", "X12_02"]
        (off,) = Device.list(made, status="offline")
        assert (off.target, off.up) == ("X12_02", False)
        assert [request.path for request in server.requests] == ["/devices"] * 2


def test_each_document_of_a_device_is_read_once() -> None:
    script = [answer(200, ON), answer(200, {"modes": 8}), answer(200, {}), answer(200, OFF)]
    with BadServer(*script) as server, connecting(server.url) as made:
        device = Device("X8_01", made)
        assert (device.status, device.up) == ("online", True)
        assert device.overview == {"target": "X8_01", "status": "online"}
        hours = time(15, tzinfo=UTC), time(22, 59, 59, tzinfo=UTC)
        assert list(device.expected_uptime.items()) == [
            ("monday", hours),
            *((day, None) for day in ("tuesday", "wednesday", "thursday", "friday")),
            *((day, None) for day in ("saturday", "sunday")),
        ]
        assert device.specification == device.specification == {"modes": 8}
        assert device.certificate == device.certificate == {}
        device.clear()
        assert device.status == "offline"
        paths = [request.path for request in server.requests]
    assert paths == [
        "/devices/X8_01",
        "/devices/X8_01/specifications",
        "/devices/X8_01/certificate",
        "/devices/X8_01",
    ]


@pytest.mark.parametrize("hours", [{"monday": None}, {"monday": ["x", "y"]}, [1], "monday"])
def test_hours_that_make_no_sense_are_an_error(hours: Any) -> None:
    with (
        BadServer(answer(200, {**ON, "expected_uptime": hours})) as server,
        connecting(server.url) as made,
        pytest.raises(RequestException, match="unknown format"),
    ):
        _ = Device("X8_01", made).expected_uptime
