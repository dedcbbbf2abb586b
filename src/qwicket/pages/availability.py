"""When a device took jobs in the last `DAYS` days, from its recorded changes."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qwicket.model.devices import DeviceChange, DeviceChanges

DAYS: Final = 30
WIDTH: Final = 600.0
"""Width of the drawing, in units of the SVG image."""
_MAX_ROWS: Final = 50
_DAY_MS: Final = 86_400_000
_UNKNOWN: Final = ""


class Span(NamedTuple):
    """An interval in which a device had one status: `on`, `draining`, `away` or `off`.

    Attributes:
        begin: Unix milliseconds.
        end: Unix milliseconds.
        status: The status; empty before the first recorded change, except in maintenance windows.
        reason: Text for people; may be empty.
    """

    begin: int
    end: int
    status: str
    reason: str

    @property
    def seconds(self) -> float:
        """Its length in seconds."""
        return (self.end - self.begin) / 1000


class Bar(NamedTuple):
    """A span in a drawing that is `WIDTH` wide."""

    x: float
    width: float
    status: str


class Availability(NamedTuple):
    """The last days of a device.

    Attributes:
        rows: The newest spans with a known status, the newest first.
        bars: All spans with a known status as a drawing, the oldest first.
        share: Fraction of the recorded time in which the device was on; None if none is recorded.
    """

    rows: list[Span]
    bars: list[Bar]
    share: float | None


def availability(recorded_changes: DeviceChanges) -> Availability:
    """Return when a device took jobs in the last `DAYS`."""
    now = recorded_changes.at
    since = now - DAYS * _DAY_MS
    spans = list(_spans(recorded_changes, since, now))
    known = [each for each in spans if each.status]
    recorded_s = sum(each.seconds for each in known)
    on_s = sum(each.seconds for each in known if each.status == "on")
    scale = WIDTH / (now - since)
    return Availability(
        known[: -_MAX_ROWS - 1 : -1],
        [
            Bar(
                round((each.begin - since) * scale, 1),
                round((each.end - each.begin) * scale, 1),
                each.status,
            )
            for each in known
        ],
        on_s / recorded_s if recorded_s else None,
    )


def _spans(recorded_changes: DeviceChanges, since: int, now: int) -> Iterator[Span]:
    """Yield the spans between two times, the oldest first; join neighbours that are equal."""
    changes = sorted(recorded_changes.changes, key=lambda each: each.at)
    marks = {since, now}
    for each in (*changes, *recorded_changes.maintenance):
        marks.update(at for at in (each.at, each.until_at) if at and since < at < now)
    last: Span | None = None
    times = sorted(marks)
    for begin, end in pairwise(times):
        status, reason = _at(changes, recorded_changes.maintenance, begin)
        if last is not None and (last.status, last.reason) == (status, reason):
            last = last._replace(end=end)
            continue
        if last is not None:
            yield last
        last = Span(begin, end, status, reason)
    if last is not None:
        yield last


def _at(
    changes: Iterable[DeviceChange], maintenance: Iterable[DeviceChange], at: int
) -> tuple[str, str]:
    """Return the status of a device at a time, and its reason."""
    for window in maintenance:
        if window.at <= at < (window.until_at or 0):
            return "off", window.reason or "maintenance"
    power, reason, is_away, is_known = "on", "", False, False
    for each in changes:
        if each.at > at:
            break
        is_known = True
        if each.status in ("online", "away"):
            is_away = each.status == "away"
        else:
            is_over = each.until_at is not None and each.until_at <= at
            power, reason = ("on", "") if is_over else (each.status, each.reason)
    if not is_known:
        return _UNKNOWN, ""
    if power == "on" and is_away:
        return "away", ""
    return power, reason
