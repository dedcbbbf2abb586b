"""Bodies of confirmations."""

from __future__ import annotations

from typing import Literal

import msgspec

from qwicket.schema.base import ResponseBody, ResponsePart


class AnswerBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/confirmations/{confirmation}`: answers once.

    Attributes:
        answer: `confirm` lets the token submit this job once, within five minutes.
    """

    answer: Literal["confirm", "refuse"]


class ConfirmationBody(ResponsePart, frozen=True, kw_only=True):
    """A job that a person is asked to confirm.

    Attributes:
        id: Its id.
        state: `waiting`, `confirmed`, `refused`, `used` by a job, or `expired`.
        token: Id of the token that has submitted the job.
        token_name: What its owner calls the token; null without a name.
        device: Name of the device.
        name: Name of the job, which the assistant has chosen.
        format: Format of the program.
        program: The first 4,000 characters of the program.
        shots: Shots of all circuits.
        cost: Estimated cost in credits; null if the device costs nothing.
        asked_at: Time of its first submission.
        answered_at: Time of the answer; null before.
    """

    id: str
    state: str
    token: str
    token_name: str | None = None
    device: str
    name: str = ""
    format: str = ""
    program: str = ""
    shots: int
    cost: float | None = None
    asked_at: str | None = None
    answered_at: str | None = None


class ConfirmationList(ResponseBody, frozen=True, kw_only=True):
    """The jobs that wait for an answer.

    Attributes:
        confirmations: The oldest first.
    """

    confirmations: tuple[ConfirmationBody, ...]
