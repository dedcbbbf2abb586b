"""Device files of the operator (`qwicket serve --device-dir`), also for devices at other clouds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from qwicket.devices import DeviceFile, built_in
from qwicket.devices.remotes import Remote
from qwicket.model.devices import check_device_name
from qwicket.model.errors import InvalidRequest

if TYPE_CHECKING:
    from qwicket.devices import ShownBy
    from qwicket.model.devices import Device


class OwnDeviceFile(DeviceFile, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device of the operator.

    Attributes:
        remote: Where it is, if another cloud runs its jobs.
    """

    remote: Remote | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.driver == "agent":
            raise ValueError('a device with driver = "agent" is announced by its agent')
        if (self.driver == "remote") != (self.remote is not None):
            raise ValueError('a device with driver = "remote" has a table [remote], no other has')

    def device(self, shown_by: ShownBy) -> Device:
        device = super().device(shown_by)
        return device if self.remote is None else self.remote.completed(device)


def load(path: Path) -> OwnDeviceFile:
    """Read a device file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is invalid.
    """
    return msgspec.toml.decode(path.read_bytes(), type=OwnDeviceFile)


def load_folder(folder: Path) -> dict[Path, OwnDeviceFile]:
    """Read all device files of a folder, in the order of their names.

    Raises:
        InvalidRequest: The folder or a file cannot be read, a file is invalid, or two devices have
            the same name.
    """
    found: dict[Path, OwnDeviceFile] = {}
    try:
        for path in sorted(folder.iterdir()):
            if path.suffix == ".toml":
                found[path] = load(path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InvalidRequest(f"--device-dir: {error.filename or folder}: {reason}.") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise InvalidRequest(f"--device-dir: {path}: {error}") from None
    names = {device.name for device in built_in()}
    for path, file in found.items():
        try:
            check_device_name(file.name)
        except InvalidRequest as error:
            raise InvalidRequest(f"--device-dir: {path}: {error.detail}") from None
        if file.name in names:
            raise InvalidRequest(f"--device-dir: {path}: there is another device {file.name}.")
        names.add(file.name)
    return found
