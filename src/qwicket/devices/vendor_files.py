"""Reads calibrations in the forms in which vendors publish them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Final

import msgspec

from qwicket.circuits.calibrations import (
    Calibration,
    GateFigures,
)
from qwicket.devices import DeviceFile
from qwicket.devices.figures import (
    Snapshot,
    Unreadable,
    qubit_figures,
    sorted_pairs,
    time_of,
)
from qwicket.devices.virtual import device_file
from qwicket.registrations import SnapshotReader, vendors

_READERS: Final = (
    SnapshotReader(
        "qwicket.devices.vendor_files:ionq", "IonQ's characterization (fidelity, timing)"
    ),
)
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]+")
_MAX_NAME_CHARS: Final = 63
"""Limit of `model.devices.check_device_name`."""
_IONQ_NATIVE: Final = {"forte": ("gpi", "gpi2", "zz")}
_IONQ_DEFAULT: Final = ("gpi", "gpi2", "ms")


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
    readers = (*_READERS, *[each for vendor in vendors() for each in vendor.snapshots])
    for reader in readers:
        found: Snapshot | None = resolve_name(reader.read)(read)
        if found is not None:
            return found
    raise Unreadable(f"The file is none of these: {'; '.join(each.form for each in readers)}.")


def ionq(read: Sequence[Mapping[str, Any]]) -> Snapshot | None:
    """Return the figures of an IonQ characterization, the first of a list; None for another."""
    characterization = read[0]
    if isinstance(characterization.get("characterizations"), list):
        characterization = characterization["characterizations"][0]
    if "fidelity" not in characterization or "timing" not in characterization:
        return None
    fidelity, timing = characterization["fidelity"], characterization["timing"]
    spam = _error(fidelity["spam"])
    qubits = int(characterization["qubits"])
    made_at = characterization["date"]
    is_number = isinstance(made_at, int | float)
    pairs = characterization.get("connectivity")
    machine = str(characterization.get("backend") or characterization.get("target") or "")
    family = next((each for each in _IONQ_NATIVE if each in machine), "")
    calibration = Calibration(
        valid_from=datetime.fromtimestamp(made_at, UTC) if is_number else time_of(made_at),
        source=f"IonQ's characterization of {machine or 'a machine'}",
        qubit=qubit_figures(timing["t1"], timing["t2"], spam, spam),
        one_qubit=GateFigures(error=_error(fidelity["1q"]), duration_s=timing["1q"]),
        two_qubit=GateFigures(error=_error(fidelity["2q"]), duration_s=timing["2q"]),
        connectivity=None if pairs is None else sorted_pairs(pairs),
        readout_s=timing.get("readout"),
        reset_s=timing.get("reset"),
        relaxes_to="mixed",
    )
    native = _IONQ_NATIVE.get(family, _IONQ_DEFAULT)
    return Snapshot(machine or "a machine", qubits, calibration, native)


def _error(fidelity: Any) -> float:
    """Return the error of a fidelity: a number, or an object with a mean or a median."""
    if isinstance(fidelity, dict):
        found = fidelity.get("mean")
        fidelity = fidelity["median"] if found is None else found
    return round(1 - float(fidelity), 12)
