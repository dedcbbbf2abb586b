"""Times of the week at which a device of Amazon Braket runs tasks, in UTC.

Between them it is online all the same: tasks wait there.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Final

import msgspec

_WEEK: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAYS: Final = {
    **{day: (number,) for number, day in enumerate(_WEEK)},
    "Everyday": tuple(range(7)),
    "Weekdays": tuple(range(5)),
    "Weekend": (5, 6),
}


class _Window(msgspec.Struct, rename="camel"):
    execution_day: str
    window_start_hour: str
    window_end_hour: str

    def near(self, now: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield begin and end of this window from a day before to a week after a time.

        Raises:
            KeyError, ValueError: Its day or a time is unknown.
        """
        days = _DAYS[self.execution_day]
        begin, end = _time(self.window_start_hour), _time(self.window_end_hour)
        for offset in range(-1, 8):
            day = now.date() + timedelta(days=offset)
            if day.weekday() in days:
                ends_on = day + timedelta(days=end <= begin)  # it may end on the next day
                yield datetime.combine(day, begin), datetime.combine(ends_on, end)


class _Service(msgspec.Struct, rename="camel"):
    execution_windows: tuple[_Window, ...]


class _Capabilities(msgspec.Struct):
    service: _Service


def next_opening(capabilities: str, now: datetime) -> datetime | None:
    """Return when a device opens; None if it is open, or its windows cannot be read.

    Args:
        capabilities: Its capabilities in JSON.
        now: The time.
    """
    now = now.replace(microsecond=0)  # the last second of a window belongs to it
    openings = []
    try:
        found = msgspec.json.decode(capabilities, type=_Capabilities)
        for window in found.service.execution_windows:
            for begin, end in window.near(now):
                if begin <= now <= end:
                    return None
                if begin > now:
                    openings.append(begin)
    except (msgspec.MsgspecError, KeyError, ValueError):
        return None
    return min(openings, default=None)


def _time(text: str) -> time:
    return time.fromisoformat(text).replace(tzinfo=UTC)
