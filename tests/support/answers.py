"""An answer for which there is room."""

from __future__ import annotations

from qwicket.gateway.answers import Answer, Answers
from qwicket.model.limits import Limits


def answer() -> Answer:
    return Answer(Answers(Limits()))
