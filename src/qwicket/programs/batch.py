"""Format `batch`: several programs in one job, each in a format of its own.

    [{"format": "openqasm3", "source": "OPENQASM 3.0; …"}, …]

Each becomes one circuit, in the order sent. Limits on JSON bytes, circuits and operations hold for
all programs together, others for each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from qwicket.circuits.qubit import QubitCircuit
from qwicket.model.errors import InvalidProgram, InvalidRequest, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.programs import json_text
from qwicket.programs.json_text import check_limit, quoted

Reader = Callable[[bytes, Limits, Mapping[str, float]], Sequence[QubitCircuit]]


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One program of a batch. Without a format, it is detected."""

    format: str = ""
    source: str


_decoder: Final = msgspec.json.Decoder(tuple[Member, ...])


def write(members: tuple[Member, ...]) -> bytes:
    """Return the JSON text of a batch."""
    return msgspec.json.encode(members)


def members(source: bytes, guess: Callable[[bytes], str]) -> tuple[Member, ...]:
    """Return the programs of a batch that `read` accepted, each with its format."""
    return tuple([_with_format(each, guess) for each in _decoder.decode(source)])


def _with_format(member: Member, guess: Callable[[bytes], str]) -> Member:
    return (
        member
        if member.format
        else Member(format=guess(member.source.encode()), source=member.source)
    )


def read(
    source: bytes, limits: Limits, readers: Mapping[str, Reader], guess: Callable[[bytes], str]
) -> tuple[QubitCircuit, ...]:
    """Read every program of a batch.

    Args:
        source: JSON text.
        limits: Bounds on all programs together and on each.
        readers: Reader of each allowed format.
        guess: Returns the format of a program that has none.

    Raises:
        InvalidProgram: The text is not a batch, or a program is refused; the detail says which.
        LimitExceeded: A limit is exceeded.
    """
    check_limit("program_json_bytes", len(source), limits.programs.program_json_bytes)
    batch = json_text.decode(_decoder, source, lambda *_: "")
    if not batch:
        raise InvalidProgram("the batch has no programs")
    check_limit("circuits", len(batch), limits.programs.circuits)
    circuits: list[QubitCircuit] = []
    n_ops = 0
    for number, member in enumerate(batch):
        circuits.append(_circuit(number, _with_format(member, guess), limits, readers))
        n_ops += len(circuits[-1].ops)
        check_limit("operations", n_ops, limits.programs.operations, " or more")
    return tuple(circuits)


def _circuit(
    number: int, member: Member, limits: Limits, readers: Mapping[str, Reader]
) -> QubitCircuit:
    reader = readers.get(member.format)
    if reader is None:
        known = ", ".join(readers)
        text = f"program {number}: format {quoted(member.format)} is not one of {known}"
        raise InvalidProgram(text, field=f"[{number}].format")
    try:
        found = reader(member.source.encode(), limits, {})
    except (InvalidRequest, LimitExceeded) as refusal:
        kind = LimitExceeded if isinstance(refusal, LimitExceeded) else InvalidProgram
        place = f"[{number}].{refusal.field}" if refusal.field else f"[{number}]"
        raise kind(f"program {number}: {refusal.detail}", field=place) from None
    if len(found) != 1:
        text = f"program {number} has {len(found)} circuits: in a batch each has one"
        raise InvalidProgram(text, field=f"[{number}]")
    return found[0]
