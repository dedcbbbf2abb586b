"""Worlds: fixture files with accounts, devices and jobs for a test bed. Some come with Qwicket."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final

import msgspec

from qwicket.testing.errors import TestBedError

_ONE_QUBIT_FACTOR: Final = 0.1
"""Error of gates on one qubit relative to gates on two, if `noise` is one number."""


def names() -> list[str]:
    """Return the names of the worlds that come with Qwicket."""
    files = resources.files(__name__).iterdir()
    return sorted(each.name.removesuffix(".toml") for each in files if each.name.endswith(".toml"))


def read_world(world: str | Path) -> dict[str, Any]:
    """Return a world in the form of the command `load`, with the texts of calibration files.

    Args:
        world: Path of a TOML file, or name of a world that comes with Qwicket.

    Raises:
        TestBedError: There is no such file or world, it is not TOML, or a calibration file cannot
            be read.
    """
    path = Path(world)
    if isinstance(world, str) and world in names():
        text = (resources.files(__name__) / f"{world}.toml").read_text("utf-8")
    else:
        try:
            text = path.read_text("utf-8")
        except OSError:
            known = ", ".join(names())
            raise TestBedError(
                f"world: there is no file {str(path)!r}; with Qwicket come {known}."
            ) from None
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TestBedError(f"{path}: {error}") from None
    devices = content.get("devices")
    if isinstance(devices, list):
        content["devices"] = [device_table(each, path.parent) for each in devices]
    return content


def device_table(table: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return a device in the form of the command `device`.

    Args:
        table: A device of a fixture file, or the options of `Cloud.device`.
        folder: Folder of its calibration files.

    Raises:
        TestBedError: A calibration file cannot be read.
    """
    device = {**table}
    noise = device.get("noise")
    if isinstance(noise, int | float) and not isinstance(noise, bool):
        device["noise"] = {"two_qubit": noise, "one_qubit": _ONE_QUBIT_FACTOR * noise}
    calibration = device.pop("calibration", None)
    if calibration is None:
        return device
    given = calibration if isinstance(calibration, list | tuple) else [calibration]
    device["calibration"] = [text for each in given for text in _texts(each, folder)]
    return device


def _texts(calibration: Any, folder: Path) -> list[str]:
    if not isinstance(calibration, str | Path):
        return [msgspec.json.encode(calibration).decode()]
    from qwicket.devices.figures import Unreadable
    from qwicket.devices.vendor_files import snapshot_files

    try:
        return [each.read_text("utf-8") for each in snapshot_files(folder / calibration)]
    except (OSError, Unreadable) as error:
        raise TestBedError(f"calibration: {error}") from None
