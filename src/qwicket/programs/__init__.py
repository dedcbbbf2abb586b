"""Formats of programs: text in, checked circuits out. Knows nothing of jobs, devices or engines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from qwicket.model.analysis import summarise
from qwicket.model.circuits import Checked, QubitCircuit, pack
from qwicket.model.errors import InvalidProgram, InvalidRequest, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.programs import ionq_json, openqasm, qobj

__all__ = ["FORMATS", "Format", "Refusal", "guess", "read", "read_apart", "warm"]


Inputs = Mapping[str, float]
"""Values of a program's declared inputs; angles in radians."""


class Format(NamedTuple):
    """A language that programs come in.

    Attributes:
        name: What a submission calls it.
        version: Rises when the reader starts to give other circuits for the same source.
        read: Reads a source with the values of its inputs. Raises `QwicketError` and nothing else.
        inline_bytes: Largest source that the server reads itself; a reader reads larger ones.
    """

    name: str
    version: int
    read: Callable[[bytes, Limits, Inputs], tuple[QubitCircuit, ...]]
    inline_bytes: int


def _read_ionq(source: bytes, limits: Limits, inputs: Inputs) -> tuple[QubitCircuit, ...]:
    if inputs:
        raise InvalidRequest("inputs: ionq.circuit.v1 has no inputs.", field="inputs")
    return ionq_json.read(source, limits)


def _read_qobj(source: bytes, limits: Limits, inputs: Inputs) -> tuple[QubitCircuit, ...]:
    if inputs:
        raise InvalidRequest("inputs: qobj has no inputs.", field="inputs")
    return qobj.read(source, limits)


_FORMATS: Final = (
    Format("ionq.circuit.v1", ionq_json.VERSION, _read_ionq, 4 << 10),
    Format("openqasm2", openqasm.VERSION, openqasm.read_openqasm2, 0),
    Format("openqasm3", openqasm.VERSION, openqasm.read_openqasm3, 0),
    Format("qobj", qobj.VERSION, _read_qobj, 4 << 10),
)

_HEAD_BYTES: Final = 64 << 10
_QOBJ_KEYS: Final = (b'"qobj_id"', b'"experiments"')
_NO_INPUTS: Final[Inputs] = MappingProxyType({})

FORMATS: Final[Mapping[str, Format]] = MappingProxyType({known.name: known for known in _FORMATS})
"""Every known format by its name."""


def read(format_name: str, source: bytes, limits: Limits, inputs: Inputs = _NO_INPUTS) -> Checked:
    """Read a program and sum it up.

    Args:
        format_name: One of `FORMATS`.
        source: The program's text.
        limits: Bounds on what the program may ask for.
        inputs: A value for each input that the program declares.

    Raises:
        InvalidRequest: No such format, or one without inputs was given some.
        InvalidProgram: The source is refused.
        LimitExceeded: A limit is exceeded.
    """
    known = FORMATS.get(format_name)
    if known is None:
        names = ", ".join(sorted(FORMATS))
        detail = f"format {format_name[:64]!r} is not known; known: {names}"
        raise InvalidRequest(detail, field="format")
    circuits = known.read(source, limits, inputs)
    return Checked(summarise(circuits), pack(circuits))


def guess(source: bytes) -> str:
    """Return the format that a source most likely is in, by its beginning."""
    head = source[:_HEAD_BYTES]
    if head.lstrip()[:1] == b"{":
        return "qobj" if any(key in head for key in _QOBJ_KEYS) else "ionq.circuit.v1"
    return f"openqasm{openqasm.guess_version(head)}"


class Refusal(NamedTuple):
    """A refusal as it travels from the process that read the program."""

    code: str
    detail: str
    field: str | None

    def error(self) -> InvalidRequest | LimitExceeded:
        """Return the error that it was."""
        return _REFUSALS[self.code](self.detail, field=self.field)


_REFUSALS: Final = {kind.code: kind for kind in (InvalidRequest, InvalidProgram, LimitExceeded)}


def read_apart(
    format_name: str, source: bytes, limits: Limits, inputs: Inputs = _NO_INPUTS
) -> Checked | Refusal:
    """Read a program in a process of its own: as `read`, but a refusal is a value."""
    try:
        return read(format_name, source, limits, inputs)
    except (InvalidRequest, LimitExceeded) as error:
        return Refusal(error.code, error.detail, error.field)


def warm() -> None:
    """Do nothing: importing this module has loaded every reader."""
