"""Bounds of tokens at admission, and questions to a person. Few submissions need this module."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import structs

from qwicket.model.bounds import ANSWER_MS
from qwicket.model.errors import ConfirmationNeeded, ConfirmationRefused
from qwicket.store.use import needed_by

if TYPE_CHECKING:
    from qwicket.model.accounts import Actor
    from qwicket.model.errors import QwicketError
    from qwicket.model.jobs import NewJob
    from qwicket.store.bounds import TokenBounds

_HASHED_INLINE_BYTES: Final = 64 << 10
"""Up to this size a program is hashed on the event loop."""


async def bounded(actor: Actor, new: NewJob) -> NewJob:
    """Return a new job with the bounds of its token, and what a person must confirm."""
    if actor.bounds is None or new.error is not None or new.is_dry_run:
        return new
    question = b""
    if actor.bounds.reason_to_ask(needed_by(new)):
        is_small = len(new.source) <= _HASHED_INLINE_BYTES
        question = _digest(new) if is_small else await asyncio.to_thread(_digest, new)
    return structs.replace(new, token=actor.token, bounds=actor.bounds, question=question)


def _digest(new: NewJob) -> bytes:
    """Return the digest of what an answer is bound to, beside the token."""
    needed = needed_by(new)
    program = (new.format, hashlib.sha256(new.source).digest(), new.inputs)
    bound = (new.account, new.device, program, needed.shots, needed.cost)
    return hashlib.sha256(msgspec.msgpack.encode(bound, order="sorted")).digest()


async def ask(bounds: TokenBounds, new: NewJob) -> QwicketError:
    """Ask a person to confirm a job that was refused without it; return the refusal."""
    asked = await bounds.ask(new)
    assert new.bounds is not None
    if asked.answered_at is not None and not asked.is_confirmed:
        return ConfirmationRefused(
            "A person has refused this job. Do not submit it again, unless they ask for it."
        )
    page = f"/ui/confirmations/{asked.id}"
    sentence = f"Please open {page} and confirm or refuse the job."
    reason = new.bounds.reason_to_ask(needed_by(new))
    return ConfirmationNeeded(
        f"This job of {asked.amount} on {new.device} was not submitted, because this token asks a"
        f' person first {reason}. Say to the person: "{sentence}" Submit it again, unchanged,'
        f" within {ANSWER_MS // 60_000} minutes of the confirmation.",
        sentence=sentence,
        page=page,
    )
