"""Bounds of tokens: what their jobs use in a day, and the jobs that a person confirms.

Operations on jobs call `check` in their transactions; `use.settle` gives back what was not used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import structs

from qwicket.model.bounds import ANSWER_MS, OPEN_MS, Confirmation
from qwicket.model.budgets import TokenUse
from qwicket.model.errors import (
    BoundReached,
    ConfirmationNeeded,
    Conflict,
    LimitExceeded,
    NotFound,
)
from qwicket.model.ids import new_id
from qwicket.store.operations import Operations, read, scan, write
from qwicket.store.use import needed_by, reserved_of_token

if TYPE_CHECKING:
    from qwicket.model.jobs import NewJob
    from qwicket.store.database import Row, Tx

_MAX_OPEN: Final = 20
"""Limit on the questions of one token that wait, because a person reads them all."""
_PROGRAM_CHARS: Final = 4_000
"""Characters of a program that a person reads."""


def check(tx: Tx, new: NewJob) -> None:
    """Count a new job in the day of its token, and use the confirmation that it needs.

    Raises:
        BoundReached: The day has no room for it.
        ConfirmationNeeded: No person has confirmed it, or they have more than five minutes ago.
    """
    assert new.bounds is not None
    reserved, bounds = reserved_of_token(new), new.bounds
    if reserved is not None:

        def refusal() -> BoundReached:
            used = TokenBounds.used(tx, reserved.token, reserved.day)
            return BoundReached(bounds.refusal(needed_by(new), used))

        daily = {"daily_shots": bounds.daily_shots, "daily_cost": bounds.daily_cost}
        tx.require("token_day_add", refusal, **structs.asdict(reserved), **daily)
    if new.question:
        tx.require(
            "confirmation_use",
            ConfirmationNeeded,
            token=new.token,
            digest=new.question,
            now=new.now,
            answered_since=new.now - ANSWER_MS,
        )


class TokenBounds(Operations):
    """Operations on the use of tokens with bounds, and on questions to their owners."""

    @read
    def used(tx: Tx, token: str, day: int) -> TokenUse:
        """Return what jobs of a token have used or reserved on a day."""
        row = tx.one("token_day_get", token=token, day=day)
        return TokenUse(token, day, 0, 0) if row is None else TokenUse(*row)

    @write
    def ask(tx: Tx, new: NewJob) -> Confirmation:
        """Ask a person to confirm a job, unless it was asked and the question or answer holds.

        Raises:
            LimitExceeded: Too many questions of the token wait.
        """
        asked_since = new.now - OPEN_MS
        asked = {"token": new.token, "digest": new.question, "asked_since": asked_since}
        found = tx.one("confirmation_find", **asked, answered_since=new.now - ANSWER_MS)
        if found is not None:
            return _confirmation(found)
        row = tx.one("confirmation_count", token=new.token, asked_since=asked_since)
        if row is not None and int(row[0]) >= _MAX_OPEN:
            raise LimitExceeded(
                f"{_MAX_OPEN} jobs of this token wait for the answer of a person, as many as may:"
                " ask the person to answer, at the page of any of them.",
                field="program",
            )
        question, needed = new_id(new.now), needed_by(new)
        text = new.source[: 4 * _PROGRAM_CHARS].decode("utf-8", "replace")[:_PROGRAM_CHARS]
        tx.run(
            "confirmation_add",
            id=question,
            token=new.token,
            account=new.account,
            digest=new.question,
            device=new.device,
            name=new.name,
            format=new.format,
            program=text.replace("\0", "\N{REPLACEMENT CHARACTER}"),
            shots=needed.shots,
            cost=None if new.cost is None else needed.cost,
            now=new.now,
        )
        return TokenBounds.confirmation(tx, new.account, question)

    @read
    def confirmation(tx: Tx, account: str, id: str) -> Confirmation:
        """Return a question to an account.

        Raises:
            NotFound: The account has no such question.
        """
        row = tx.one("confirmation_get", account=account, id=id)
        if row is None:
            raise NotFound("There is no such confirmation.")
        return _confirmation(row)

    @scan
    def waiting(tx: Tx, account: str, now: int) -> list[Confirmation]:
        """Return the questions to an account that wait for an answer, the oldest first."""
        found = tx.all("confirmation_list", account=account, asked_since=now - OPEN_MS)
        return [_confirmation(row) for row in found]

    @write
    def answer(
        tx: Tx, account: str, id: str, *, is_confirmed: bool, answered_by: str, now: int
    ) -> Confirmation:
        """Answer a question to an account, once; the same answer again changes nothing.

        Args:
            tx: The transaction.
            account: Id of the account.
            id: Id of the question.
            is_confirmed: Whether the answer is yes.
            answered_by: Id of the token that answers; empty for a session.
            now: Unix milliseconds.

        Raises:
            NotFound: The account has no such question.
            Conflict: It has another answer, was used, or was asked too long ago.
        """
        before = TokenBounds.confirmation(tx, account, id)
        answered = tx.count(
            "confirmation_answer",
            id=id,
            account=account,
            is_confirmed=int(is_confirmed),
            answered_by=answered_by,
            now=now,
            asked_since=now - OPEN_MS,
        )
        state = before.state_at(now)
        if not answered and state != ("confirmed" if is_confirmed else "refused"):
            raise Conflict(
                "This was asked more than an hour ago: the assistant can submit the job again."
                if before.answered_at is None
                else "This was answered already: the assistant can ask again."
            )
        return TokenBounds.confirmation(tx, account, id)


def _confirmation(row: Row) -> Confirmation:
    return Confirmation(**dict(zip(Confirmation.__struct_fields__, row, strict=True)))
