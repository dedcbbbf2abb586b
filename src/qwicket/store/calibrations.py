"""Operations on calibrations of devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from qwicket.circuits.calibrations import Calibrated, Calibration
from qwicket.model.ids import new_id
from qwicket.store.operations import Operations, read, scan, write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.store.database import Row, Tx

MAX_CALIBRATIONS: Final = 1_000
"""Number of calibrations that are stored of each device, the newest ones."""
_decoder = msgspec.json.Decoder(Calibration)


class CalibrationPage(NamedTuple):
    """A part of a list of calibrations, and the length of the whole list."""

    rows: list[Calibrated]
    n_all: int


class CalibrationTime(NamedTuple):
    """A stored calibration without its figures; `valid_from` is in Unix ms."""

    id: str
    valid_from: int


class Calibrations(Operations):
    """Operations on calibrations, whose rows never change. The oldest are deleted.

    The calibration in force is the last one added whose `valid_from` has passed.
    """

    @write
    def seed(tx: Tx, calibrations: Mapping[str, Calibration], now: int) -> None:
        """Add each calibration to its device, unless it equals the last one of the device."""
        for device, calibration in calibrations.items():
            body = msgspec.json.encode(calibration).decode()
            number, last = tx.one("calibration_last", device=device) or (0, None)
            if body != last:
                tx.run(
                    "calibration_add",
                    id=new_id(now),
                    device=device,
                    number=number + 1,
                    valid_from=calibration.valid_from_ms,
                    body=body,
                )
                tx.run("calibration_trim", device=device, number=number + 1, keep=MAX_CALIBRATIONS)

    @read
    def at(tx: Tx, device: str, at: int) -> Calibrated | None:
        """Return the calibration in force at a time in Unix milliseconds."""
        row = tx.one("calibration_at", device=device, at=at)
        return decode_row(row) if row else None

    @read
    def get(tx: Tx, calibration: str) -> Calibrated | None:
        row = tx.one("calibration_get", id=calibration)
        return decode_row(row) if row else None

    @scan
    def page(
        tx: Tx, device: str, since: int, until: int, offset: int, limit: int
    ) -> CalibrationPage:
        """Return calibrations of a device, the last added first.

        Args:
            device: The device.
            since: First `valid_from`, in Unix milliseconds.
            until: Last `valid_from`.
            offset: Number of calibrations before the page.
            limit: Most calibrations of the page.
        """
        period = {"device": device, "since": since, "until": until}
        ((n_all,),) = tx.all("calibration_count", **period)
        found = tx.all("calibration_list", **period, offset=offset, limit=limit)
        return CalibrationPage([decode_row(row) for row in found], n_all)

    @scan
    def times(tx: Tx, device: str, until: int) -> list[CalibrationTime]:
        """Return the calibrations of a device, the last added first, up to a time of validity."""
        found = tx.all("calibration_times", device=device, until=until)
        return [CalibrationTime(*row) for row in found]


def decode_row(row: Row) -> Calibrated:
    id_, device, valid_from, body = row
    return Calibrated(id_, device, valid_from, _decoder.decode(body))
