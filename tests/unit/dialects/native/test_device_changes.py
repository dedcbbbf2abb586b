"""Changes of a device by administrators: an error names the field that is wrong."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from qwicket.dialects.native.admin.devices import _check_device_change
from qwicket.model.errors import InvalidRequest
from qwicket.schema.admin import DeviceChangeBody

LATER = "2099-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"is_on": True, "until": LATER}, "until"),
        ({"message": "x", "until": LATER}, "until"),
        ({"is_on": True, "reason": "x"}, "reason"),
        ({"message": "x", "reason": "x"}, "reason"),
        ({"is_on": False, "is_draining": True}, "is_draining"),
        ({"is_on": True, "is_paused": True}, "is_paused"),
        ({"message": "x", "is_paused": True}, "is_paused"),
        ({}, "is_on"),
    ],
)
def test_error_names_the_wrong_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        _check_device_change(msgspec.convert(change, DeviceChangeBody))
    assert refused.value.field == field
