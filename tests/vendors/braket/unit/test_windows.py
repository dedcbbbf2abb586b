"""Windows of Braket's devices: when one opens."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from qwicket.vendors.braket.windows import next_opening
from support.for_each import for_each

WORK = ("Weekdays", "09:00", "17:00:00")
NIGHT = ("Friday", "22:00:00", "02:00:00")


def capabilities(*windows: Any) -> str:
    names = ("executionDay", "windowStartHour", "windowEndHour")
    listed = [dict(zip(names, window, strict=True)) for window in windows]
    return json.dumps({"service": {"executionWindows": listed}})


@for_each(
    "windows, now, opens",
    [
        ([WORK], "2026-12-01 08:59:59", "2026-12-01 09:00"),  # a Tuesday
        ([WORK], "2026-12-01 09:00:00", None),
        ([WORK], "2026-12-01 17:00:00.9", None),
        ([WORK], "2026-12-01 17:00:01", "2026-12-02 09:00"),
        ([WORK], "2026-12-04 18:00:00", "2026-12-07 09:00"),
        ([WORK, ("Weekend", "06:00", "07:00")], "2026-12-04 18:00:00", "2026-12-05 06:00"),
        ([NIGHT], "2026-12-05 01:30:00", None),
        ([NIGHT], "2026-12-04 01:30:00", "2026-12-04 22:00"),
        ([NIGHT], "2026-12-05 02:30:00", "2026-12-11 22:00"),
        ([NIGHT, ("Saturday", "02:00", "03:00")], "2026-12-05 02:30:00", None),
        ([("Everyday", "00:00:00", "23:59:59")], "2026-12-01 23:59:59.7", None),
        ([("Everyday", "00:00:00", "00:00:00")], "2026-12-01 12:00:00", None),
        ([], "2026-12-01 12:00:00", None),
        ([WORK, ("Fullmoon", "00:00", "01:00")], "2026-12-01 08:00:00", None),
        ([WORK, ("Monday", "24:00", "01:00")], "2026-12-01 08:00:00", None),
    ],
)
def test_a_device_opens_with_its_next_window(
    windows: list[tuple[str, str, str]], now: str, opens: str | None
) -> None:
    found = next_opening(capabilities(*windows), datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert (None if found is None else f"{found:%Y-%m-%d %H:%M}") == opens


@for_each(
    "text",
    ["[]", "{}", "{", capabilities().replace("[]", "7"), capabilities().replace("[]", "[7]")],
)
def test_windows_that_cannot_be_read_are_open(text: str) -> None:
    assert next_opening(text, datetime(2026, 12, 1, tzinfo=UTC)) is None
