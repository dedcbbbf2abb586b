"""Qobj documents as typed structs, which name only the fields that the readers need."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from qwicket.programs.json_text import SHOWN_CHARS, Int64, quoted

Complex = float | tuple[float, ...]
"""A real number, or a real and an imaginary part."""

Parameter = float | str | tuple[float | tuple[Complex, ...], ...]
"""An angle, a letter of a label, an amplitude, or a matrix of rows."""


class Instruction(msgspec.Struct, gc=False):
    name: str
    qubits: tuple[Int64, ...] = ()
    params: tuple[Parameter, ...] = ()
    memory: Int64 | tuple[Int64, ...] | None = None
    register: Int64 | tuple[Int64, ...] | None = None
    conditional: Int64 | None = None
    mask: str | None = None
    relation: str | None = None
    val: str | None = None


class Config(msgspec.Struct):
    """Configuration of an experiment, or of a document for all its experiments."""

    n_qubits: Int64 | None = None
    memory_slots: Int64 | None = None
    meas_level: Int64 | None = None
    noise_model: msgspec.Raw = msgspec.Raw(b"null")
    shots: Int64 | None = None
    memory: bool | None = None
    seed_simulator: Int64 | None = None
    method: str | None = None


class Header(msgspec.Struct):
    creg_sizes: msgspec.Raw = msgspec.Raw(b"null")


class Experiment(msgspec.Struct):
    instructions: tuple[Instruction, ...]
    config: Config | None = None
    header: Header | None = None


class Qobj(msgspec.Struct):
    qobj_id: str
    type: str
    schema_version: str
    experiments: tuple[Experiment, ...]
    config: Config
    header: Header


decoder: Final = msgspec.json.Decoder(Qobj)


# --- where a refusal points -----------------------------------------------------------------------


class _InstructionName(msgspec.Struct):
    name: str = ""


class _ExperimentNames(msgspec.Struct):
    instructions: tuple[_InstructionName, ...] = ()


class _Names(msgspec.Struct):
    experiments: tuple[_ExperimentNames, ...] = ()


_names_decoder: Final = msgspec.json.Decoder(_Names)
_PATH: Final = re.compile(r"experiments\[(\d+)\](?:\.instructions\[(\d+)\])?")


def place(experiment: int, instruction: int, name: str) -> str:
    """Return a place such as `experiments[0].instructions[3] (cx): `."""
    shown = name if name.isidentifier() and len(name) <= SHOWN_CHARS else quoted(name)
    words = f"experiments[{experiment}].instructions[{instruction}]"
    return f"{words} ({shown}): " if name else f"{words}: "


def place_of_path(source: bytes, path: str) -> str:
    """Return `place` for a path such as `experiments[0].instructions[3].params[1]`.

    A path outside of instructions has less: that of the experiment, or nothing.
    """
    found = _PATH.match(path)
    if found is None:
        return ""
    if found[2] is None:
        return f"{found[0]}: "
    try:
        experiments = _names_decoder.decode(source).experiments
        name = experiments[int(found[1])].instructions[int(found[2])].name
    except (msgspec.MsgspecError, RecursionError, IndexError):  # also of another key `experiments`
        return f"{found[0]}: "
    return place(int(found[1]), int(found[2]), name)
