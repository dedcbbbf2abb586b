"""Writes device files: TOML that `load_folder` reads, with a line for each qubit and pair."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

import msgspec
from msgspec import structs

if TYPE_CHECKING:
    from qwicket.devices import DeviceFile


def device_toml(file: DeviceFile) -> str:
    """Return the text of a device file, without the fields that have their default."""
    device, spec = _given(file), _given(file.spec)
    calibration = {} if file.calibration is None else _given(file.calibration)
    qubits, pairs = calibration.pop("qubits", {}), calibration.pop("pairs", ())
    for table in ("spec", "calibration"):
        device.pop(table, None)
    lines = [*_lines(device), "", "[spec]", *_lines(spec)]
    if calibration:
        lines += ["", "[calibration]", *_lines(calibration)]
    if pairs:
        lines += ["pairs = [", *(f"    {_value(each)}," for each in pairs), "]"]
    if qubits:
        lines += ["", "[calibration.qubits]", *_lines(qubits)]
    return "\n".join(lines) + "\n"


def _given(value: msgspec.Struct) -> dict[str, Any]:
    """Return the fields whose value differs from their default."""
    found = {each.name: getattr(value, each.name) for each in structs.fields(value)}
    defaults = {each.name: each.default for each in structs.fields(value)}
    given = {name: each for name, each in found.items() if each != defaults[name]}
    return cast("dict[str, Any]", msgspec.to_builtins(given, builtin_types=(datetime,)))


def _lines(table: Mapping[Any, Any]) -> Iterator[str]:
    return (f"{name} = {_value(value)}" for name, value in table.items())


def _value(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        given = ((name, each) for name, each in value.items() if each is not None)
        return "{ " + ", ".join(f"{name} = {_value(each)}" for name, each in given) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    # TOML writes texts, numbers, true and false as JSON does, but does not allow a bare DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
