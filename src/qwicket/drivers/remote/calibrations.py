"""Reads the calibrations of devices at other clouds, in the forms of their vendors."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from qwicket.drivers.remote.clouds import CloudError

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwicket.circuits.calibrations import Calibration
    from qwicket.drivers.remote.failures import ErrorTranslator

_log = logging.getLogger(__name__)


def calibration(errors: ErrorTranslator, read: Callable[[], Any]) -> Calibration | None:
    """Return a device's calibration, if it can be read; a device runs jobs without one, too.

    Args:
        errors: Translates the errors of `read`.
        read: Requests the vendor's document, which is empty for a device without calibration.

    Returns:
        The calibration; None if the device has no readable one.
    """
    from qwicket.devices.figures import Unreadable  # late, as the next: few devices need it
    from qwicket.devices.vendor_files import calibration_of_document

    try:
        with errors.reading(on_404=CloudError):
            document = read()
        return calibration_of_document(document) if document else None
    except (CloudError, Unreadable) as error:
        # Without the text: it may quote the cloud, and the cloud may quote the key.
        _log.debug("a calibration could not be read (%s)", type(error).__name__)
        return None
