"""Operations on calibrations of devices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from qwicket.circuits.calibrations import Calibrated, Calibration
from qwicket.model.ids import new_id
from qwicket.store.operations import Operations, read, scan, write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.store.database import Row, Tx

_decoder = msgspec.json.Decoder(Calibration)


class Calibrations(Operations):
    """Operations on calibrations, whose rows never change.

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
    def history(tx: Tx, device: str, at: int, limit: int) -> list[Calibrated]:
        """Return the calibrations with a `valid_from` up to a time, the last added first."""
        found = tx.all("calibration_list", device=device, at=at, limit=limit)
        return [decode_row(row) for row in found]


def decode_row(row: Row) -> Calibrated:
    id_, device, valid_from, body = row
    return Calibrated(id_, device, valid_from, _decoder.decode(body))
