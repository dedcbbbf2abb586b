"""Decodes the server's JSON, and says what is wrong with what is something else."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from qwicket import schema
from qwicket.clients.native.errors import BadAnswer

T = TypeVar("T")


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


def job(body: dict[str, Any]) -> schema.jobs.JobBody:
    """Return a job's document as its struct.

    Raises:
        BadAnswer: It is no job.
    """
    return converted(body, schema.jobs.JobBody, "no job")


def converted(body: dict[str, Any], of: type[T], said: str = "not") -> T:
    """Return a document as a struct.

    Raises:
        BadAnswer: It is something else.
    """
    try:
        return msgspec.convert(body, of)
    except msgspec.ValidationError as error:
        what = str(error)
    raise BadAnswer(f"The answer is {said} of Qwicket's API ({what}). Is the address right?")


def problem(content: bytes) -> dict[str, Any]:
    """Return an error's document, or nothing when the body is none: a proxy's page, for example."""
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
