"""The built-in devices with their calibrations, one TOML file each, and the noise models."""

from __future__ import annotations

from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from qwicket.circuits.calibrations import Calibration
from qwicket.circuits.noise import NoiseModel
from qwicket.model.devices import Device, DeviceSpec, DriverKind, Family
from qwicket.registrations import vendors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    ShownBy = Callable[[Family, Sequence[str]], tuple[str, ...]]

__all__ = [
    "DeviceFile",
    "built_in",
    "calibrations",
    "load",
    "noise_models",
    "off_reasons",
]


class DeviceFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device from a file. A simulated device with a calibration is a twin.

    Attributes:
        dialects: Dialects that show it, in addition to the native one; by default all that
            support its family and formats.
        calibration: Its calibration, if any.
        off: Reason why it is off until an administrator turns it on; None if it is on.

    The other fields are those of `Device`.
    """

    name: str
    family: Family
    provider: str
    driver: DriverKind
    position: int
    spec: DeviceSpec
    dialects: tuple[str, ...] | None = None
    calibration: Calibration | None = None
    off: str | None = None

    def __post_init__(self) -> None:
        if self.calibration is not None:
            self.calibration.check(self.spec.qubits)

    def device(self, shown_by: ShownBy) -> Device:
        """Return the device without its calibration, which is stored separately as it changes."""
        shown = shown_by(self.family, self.spec.formats)
        if self.dialects is not None:
            shown = tuple(name for name in shown if name in ("native", *self.dialects))
        others = {
            name: getattr(self, name) for name in Device.__struct_fields__ if name != "dialects"
        }
        return Device(dialects=shown, **others)


class Addition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a vendor adds to a device of the core: `core_devices.toml` in its folder.

    Attributes:
        dialects: Dialects that show the device.
        formats: Formats that it takes.
        gates: Gates that its clients see.
        noise_models: Noise models that its jobs may request.
    """

    dialects: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    noise_models: tuple[str, ...] = ()

    def to(self, file: DeviceFile) -> DeviceFile:
        """Return a device with these additions."""
        spec = msgspec.structs.replace(
            file.spec,
            formats=(*file.spec.formats, *self.formats),
            gates=(*file.spec.gates, *self.gates),
            noise_models=(*file.spec.noise_models, *self.noise_models),
        )
        dialects = (*(file.dialects or ()), *self.dialects)
        return msgspec.structs.replace(file, spec=spec, dialects=dialects)


def built_in(shown_by: ShownBy = lambda *_: ("native",)) -> list[Device]:
    """Return the built-in devices in listing order.

    Args:
        shown_by: Returns the dialects that show a family and formats; by default the native one.
    """
    found = [file.device(shown_by) for file in _files()]
    return sorted(found, key=lambda device: (device.position, device.name))


def calibrations() -> dict[str, Calibration]:
    """Return the built-in calibrations by device name."""
    return {file.name: file.calibration for file in _files() if file.calibration is not None}


def off_reasons() -> dict[str, str]:
    """Return the reasons why built-in devices are off, by device name."""
    return {file.name: file.off for file in _files() if file.off is not None}


@cache
def noise_models() -> Mapping[str, NoiseModel]:
    """Return the noise models by name. Jobs may use those that their device lists."""
    folders = [resources.files(each) for each in (__name__, *[it.package for it in vendors()])]
    files = [folder / "noise" / "models.toml" for folder in folders]
    texts = [file.read_bytes() for file in files if file.is_file()]
    tables = [msgspec.toml.decode(text, type=dict[str, list[NoiseModel]]) for text in texts]
    return MappingProxyType({it.name: it for table in tables for it in table["models"]})


def load(path: Path) -> DeviceFile:
    """Read one device, with its calibration if any, from a TOML file.

    Raises:
        OSError: The file cannot be read.
        msgspec.DecodeError: The file is not TOML.
        msgspec.ValidationError: A key is unknown or missing, or a value is invalid.
    """
    return _decode(path.read_bytes())


@cache
def _files() -> tuple[DeviceFile, ...]:
    folders = [resources.files(__name__)]
    folders += [resources.files(vendor.package) / "devices" for vendor in vendors()]
    files = [file for folder in folders if folder.is_dir() for file in folder.iterdir()]
    found = [_decode(file.read_bytes()) for file in files if file.name.endswith(".toml")]
    for vendor in vendors():
        path = resources.files(vendor.package) / "core_devices.toml"
        if path.is_file():
            added = msgspec.toml.decode(path.read_bytes(), type=dict[str, Addition])
            found = [added[it.name].to(it) if it.name in added else it for it in found]
    return tuple(found)


def _decode(text: bytes) -> DeviceFile:
    return msgspec.toml.decode(text, type=DeviceFile)
