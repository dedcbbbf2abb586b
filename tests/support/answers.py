"""Answers of which room is kept count."""

from __future__ import annotations

from qwicket.gateway.answers import Answer, Answers
from qwicket.model.accounts import Actor
from qwicket.model.limits import AnswerLimits


def answer(account: str = "", room: Answers | None = None) -> Answer:
    """Return the answer to a request of an account, or of nobody; by default there is room."""
    made = Answer(room or Answers(AnswerLimits()))
    if account:
        made.actor = Actor(
            account=account,
            account_name=account,
            role="member",
            project=account,
            token="",
            scopes=frozenset(),
            devices=frozenset(),
        )
    return made
