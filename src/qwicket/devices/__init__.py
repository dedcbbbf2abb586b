"""The built-in devices and noise models: one TOML file each, and no code."""

from __future__ import annotations

from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from qwicket.model.devices import Device
from qwicket.model.noise import NoiseModel

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["built_in", "load", "noise_models"]


def built_in() -> list[Device]:
    """Return the devices that ship with the package, in listing order."""
    files = resources.files(__name__).iterdir()
    found = [_decode(file.read_bytes()) for file in files if file.name.endswith(".toml")]
    return sorted(found, key=lambda device: (device.position, device.name))


@cache
def noise_models() -> Mapping[str, NoiseModel]:
    """Return the noise models that a job may ask for by name, where its device lists them."""
    files = (resources.files(__name__) / "noise").iterdir()
    models = [msgspec.toml.decode(file.read_bytes(), type=NoiseModel) for file in files]
    return MappingProxyType({model.name: model for model in models})


def load(path: Path) -> Device:
    """Read one device from a TOML file.

    Raises:
        msgspec.ValidationError: A key is unknown, missing or of the wrong type; it is named.
    """
    return _decode(path.read_bytes())


def _decode(text: bytes) -> Device:
    return msgspec.toml.decode(text, type=Device)
