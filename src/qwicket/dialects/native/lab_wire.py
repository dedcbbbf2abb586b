"""JSON of the routes on which labs announce their devices, as typed structs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from qwicket import schema
from qwicket.circuits.calibrations import Calibration
from qwicket.dialects.bodies import check_document, decode
from qwicket.model.devices import DeviceSpec, Family

if TYPE_CHECKING:
    from qwicket.model.devices import Device
    from qwicket.model.limits import Limits


class AnnounceBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`PUT /v1/agent/devices/{name}`: a lab's device.

    Attributes:
        family: Family of the programs that it runs.
        spec: Capabilities of the device.
        dialects: Dialects that show it, besides the native one.
    """

    family: Family
    spec: DeviceSpec
    dialects: tuple[str, ...] = ()


class AnnouncedBody(schema.base.ResponseBody, frozen=True, kw_only=True):
    """A lab's device as it was announced.

    Attributes:
        name: Name of the device in submissions.
        family: Family of the programs that it runs.
        provider: Name of the account that announced it first.
        dialects: Dialects that show it.
        spec: Capabilities of the device.
    """

    name: str
    family: Family
    provider: str
    dialects: tuple[str, ...]
    spec: DeviceSpec


class CalibrationBody(Calibration, frozen=True, kw_only=True):
    """One calibration.

    Attributes:
        id: Id of the calibration, as jobs show it.
        device: Name of the device.
    """

    id: str
    device: str


class CalibratedBody(schema.base.ResponseBody, frozen=True, kw_only=True):
    """A stored calibration.

    Attributes:
        valid_from: Time from which it is valid.
    """

    valid_from: datetime


_announce: Final = msgspec.json.Decoder(AnnounceBody)
_calibration: Final = msgspec.json.Decoder(Calibration)


def announcement(text: bytes, limits: Limits) -> AnnounceBody:
    """Decode the announcement of a lab's device.

    Raises:
        InvalidRequest: The body is malformed; `field` names the field.
        LimitExceeded: The body is too large.
    """
    check_document(text, "body", limits)
    return decode(text, _announce)


def calibration(text: bytes, limits: Limits) -> Calibration:
    """Decode a calibration.

    Raises:
        InvalidRequest: The body is malformed; `field` names the field.
        LimitExceeded: The body is too large.
    """
    check_document(text, "body", limits)
    return decode(text, _calibration)


def device(device: Device) -> AnnouncedBody:
    """Return a lab's device as it was announced."""
    return AnnouncedBody(
        name=device.name,
        family=device.family,
        provider=device.provider,
        dialects=device.dialects,
        spec=device.spec,
    )
