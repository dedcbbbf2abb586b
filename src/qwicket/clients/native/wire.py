"""The server's JSON as typed structs, and what is said when it is something else."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec

from qwicket.clients.native.errors import BadAnswer

T = TypeVar("T")

_Id = Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,40}\Z")]
_Word = Annotated[str, msgspec.Meta(pattern=r"^[a-z_]{1,32}\Z")]

Sample = int | float | tuple[float, float]
"""One number of a shot; a complex one is its real and imaginary part."""


class QueueBody(msgspec.Struct, frozen=True):
    position: int
    starts_in_s: float | None = None


class ProgressBody(msgspec.Struct, frozen=True):
    done: float
    text: str = ""


class JobBody(msgspec.Struct, frozen=True):
    """What the client itself needs of a job; its user may read all the rest."""

    id: _Id
    state: _Word
    queue: QueueBody | None = None
    progress: ProgressBody | None = None


class DeviceBody(msgspec.Struct, frozen=True):
    """What the client itself needs of a device."""

    name: str


class ErrorBody(msgspec.Struct, frozen=True):
    code: str
    message: str


class PartBody(msgspec.Struct, frozen=True, kw_only=True):
    counts: dict[str, int] | None = None
    probabilities: dict[str, float] | None = None
    memory: list[str] | None = None
    samples: list[list[Sample]] | None = None
    evs: list[float] | None = None
    stds: list[float] | None = None
    engine: str = ""
    engine_version: str = ""
    registers: list[tuple[str, int]] = []
    notes: list[str] = []
    seed: int | None = None
    seconds: float | None = None
    error: ErrorBody | None = None


class ResultBody(msgspec.Struct, frozen=True):
    parts: list[PartBody]


class JobsBody(msgspec.Struct, frozen=True):
    jobs: list[dict[str, Any]]
    next: int | None = None


class DevicesBody(msgspec.Struct, frozen=True):
    devices: list[dict[str, Any]]


def read(content: bytes, of: type[T]) -> T:
    """Return an answer's body as what it must be.

    Raises:
        BadAnswer: It is something else.
    """
    try:
        return msgspec.json.decode(content, type=of)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        what = str(error)
    except RecursionError:
        what = "nested too deeply"
    raise BadAnswer(f"The answer is not of Qwicket's API ({what}). Is the address right?")


def job(body: dict[str, Any]) -> JobBody:
    """Return what the client needs of a job's document.

    Raises:
        BadAnswer: It is no job.
    """
    try:
        return msgspec.convert(body, JobBody)
    except msgspec.ValidationError as error:
        what = str(error)
    raise BadAnswer(f"The answer is no job of Qwicket's API ({what}). Is the address right?")


def device(body: dict[str, Any]) -> DeviceBody:
    """Return what the client needs of a device's document.

    Raises:
        BadAnswer: It is no device.
    """
    try:
        return msgspec.convert(body, DeviceBody)
    except msgspec.ValidationError as error:
        what = str(error)
    raise BadAnswer(f"The answer is no device of Qwicket's API ({what}). Is the address right?")


def problem(content: bytes) -> dict[str, Any]:
    """Return an error's document, or nothing when the body is none: a proxy's page, for example."""
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
