"""Reads calibrations in the forms in which vendors publish them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Final

import msgspec

from qwicket.circuits.calibrations import (
    Calibration,
)
from qwicket.devices import DeviceFile
from qwicket.devices.figures import (
    Snapshot,
    Unreadable,
)
from qwicket.devices.virtual import device_file
from qwicket.registrations import vendors

_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]+")
_MAX_NAME_CHARS: Final = 63
"""Limit of `model.devices.check_device_name`."""


def device_of_vendor_file(name: str, *texts: bytes) -> DeviceFile:
    """Return a device with the calibration of a vendor's JSON.

    Args:
        name: Name of the device here; if empty, `twin_` and the name of the machine.
        texts: The document of a vendor, and perhaps a second one of the same machine.

    Raises:
        Unreadable: The JSON has none of these forms, or a figure is missing.
    """
    read: list[dict[str, Any]] = []
    for text in texts:
        try:
            read.append(msgspec.json.decode(text, type=dict[str, Any]))
        except msgspec.DecodeError as error:
            raise Unreadable(f"The file is not a JSON object: {error}") from None
    with _errors():
        found = _checked(read)
        name = name or f"twin_{_NOT_IN_NAMES.sub('_', found.machine)}"[:_MAX_NAME_CHARS]
        native = () if found.native_gates is None else (found.native_gates,)
        return device_file(
            name, found.qubits, f"Twin of {found.machine}", found.calibration, *native
        )


def calibration_of_document(document: dict[str, Any]) -> Calibration:
    """Return the calibration in a vendor's JSON.

    Args:
        document: As for `device_of_vendor_file`, decoded.

    Raises:
        Unreadable: The JSON has none of these forms, or a figure is missing.
    """
    with _errors():
        return _checked([document]).calibration


def _checked(read: Sequence[dict[str, Any]]) -> Snapshot:
    found = _snapshot(read)
    msgspec.convert(msgspec.to_builtins(found.calibration), Calibration)  # checks the ranges
    return found


@contextmanager
def _errors() -> Iterator[None]:
    """Translate exceptions that wrong fields raise. A KeyError has the name of what is missing.

    Raises:
        Unreadable: A field is missing or wrong.
    """
    try:
        yield
    except (KeyError, IndexError) as error:
        raise Unreadable(f"The file has no {error.args[0]!r}.") from None
    except (TypeError, AttributeError) as error:
        raise Unreadable(f"A field of the file has another type: {error}.") from None
    except Unreadable:
        raise
    except (ValueError, ArithmeticError, msgspec.ValidationError) as error:
        raise Unreadable(f"The file has a wrong figure: {error}.") from None


def snapshot_files(path: Path) -> list[Path]:
    """Return the files of a vendor's snapshot: a file, or those in the folder of a Qiskit machine.

    Raises:
        Unreadable: The folder does not have exactly one props_*.json, or has several conf_*.json.
    """
    if not path.is_dir():
        return [path]
    properties, configurations = (_named(path, kind) for kind in ("props", "conf"))
    if len(properties) != 1 or len(configurations) > 1:
        count = len(properties), len(configurations)
        raise Unreadable(
            f"{path} has {count[0]} files props_*.json and {count[1]} conf_*.json; a folder of one"
            " machine has one of the first, and at most one of the second."
        )
    return properties + configurations


def _named(folder: Path, kind: str) -> list[Path]:
    """Return the file of a kind with the folder's name; if there is none, all of this kind."""
    own = folder / f"{kind}_{folder.name}.json"
    return [own] if own.exists() else sorted(folder.glob(f"{kind}_*.json"))


def _snapshot(read: Sequence[dict[str, Any]]) -> Snapshot:
    readers = [each for vendor in vendors() for each in vendor.snapshots]
    for reader in readers:
        found: Snapshot | None = resolve_name(reader.read)(read)
        if found is not None:
            return found
    raise Unreadable(f"The file is none of these: {'; '.join(each.form for each in readers)}.")
