"""The built-in devices: one TOML file each, and no code."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

import msgspec

from qwicket.model.devices import Device

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["built_in", "load"]


def built_in() -> list[Device]:
    """Return the devices that ship with the package, in listing order."""
    files = resources.files(__name__).iterdir()
    found = [_decode(file.read_bytes()) for file in files if file.name.endswith(".toml")]
    return sorted(found, key=lambda device: (device.position, device.name))


def load(path: Path) -> Device:
    """Read one device from a TOML file.

    Raises:
        msgspec.ValidationError: A key is unknown, missing or of the wrong type; it is named.
    """
    return _decode(path.read_bytes())


def _decode(text: bytes) -> Device:
    return msgspec.toml.decode(text, type=Device)
