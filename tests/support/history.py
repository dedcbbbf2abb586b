"""Random histories of a store: concurrent calls are recorded and compared with the model.

Reads have no place in the order of commits: each must show the state at some moment between its
call and its answer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from qwicket.model.accounts import Token
from qwicket.model.jobs import Assignment, Lease
from support.history_callers import (
    CALLERS,
    DEVICES,
    RUNNERS,
    SHARES,
    Caller,
    OpenStores,
    World,
    world,
)
from support.history_model import Mismatch, Model
from support.history_tape import Call

SHRINK_S = 60.0


async def check_history(
    open_stores: OpenStores, seed: int, *, calls: int, shrinks: bool = True
) -> None:
    """Make a history and compare it with the model.

    Raises:
        Mismatch: Names the seed, and the smallest history found that fails when it is repeated.
    """
    async with world(open_stores, seed) as made:
        callers = [Caller(made, seed, number) for number in range(CALLERS)]
        await asyncio.gather(*(caller.run(calls // CALLERS) for caller in callers))
        await _read_all(made)
        model = _model(made)
    try:
        check(model, made.tape)
    except Mismatch as mismatch:
        if not shrinks:
            raise
        small, cause = await shrink(open_stores, made, mismatch)
        lines = "\n".join(str(call) for call in small)
        raise Mismatch(f"seed {seed}: {cause}\n{lines}") from None


def check(model: Model, tape: Sequence[Call]) -> None:
    """Check that the model explains a recorded history.

    Raises:
        Mismatch: It does not.
    """
    writes = sorted((c for c in tape if not c.is_read), key=lambda c: c.at)
    reads = {index: call for index, call in enumerate(tape) if call.is_read}
    doubts: dict[int, Mismatch] = {}
    _explain_reads(model, reads, doubts, 0)
    for call in writes:
        try:
            model.apply(call.name, call.args, call.answer, call.published)
        except Mismatch as mismatch:
            raise Mismatch(f"at {call.at} {call.name}: {mismatch}") from mismatch
        _explain_reads(model, reads, doubts, call.at)
    if reads:
        index, call = next(iter(reads.items()))
        raise Mismatch(f"between {call.since} and {call.at} {call.name}: {doubts[index]}")


def _explain_reads(
    model: Model, reads: dict[int, Call], doubts: dict[int, Mismatch], at: int
) -> None:
    """Remove the reads that show the state after `at`; note why each other one does not."""
    for index, call in tuple(reads.items()):
        if call.since <= at <= call.at:
            try:
                model.shows(call.name, call.args, call.answer)
            except Mismatch as mismatch:
                doubts[index] = mismatch
            else:
                del reads[index]


async def shrink(
    open_stores: OpenStores, made: World, mismatch: Mismatch
) -> tuple[list[Call], Mismatch]:
    """Return a smaller history that fails when its calls are repeated one after the other.

    A history that fails only with other timing is returned unchanged.
    """
    until = time.monotonic() + SHRINK_S
    history, cause = sorted(made.tape, key=lambda call: call.at), mismatch
    tokens = made.tokens
    size = len(history) // 2
    while size:
        for start in range(0, len(history), size):
            if time.monotonic() > until:
                return history, cause
            again = await _again(open_stores, history[:start] + history[start + size :], tokens)
            if again is not None:
                history, tokens, cause = again
                break
        else:
            size //= 2
    return history, cause


async def _again(
    open_stores: OpenStores, history: Sequence[Call], tokens: Sequence[Token]
) -> tuple[list[Call], list[Token], Mismatch] | None:
    """Repeat calls on a new database; return them and what failed, or None if nothing did."""
    async with world(open_stores, 0) as made:
        names: dict[str, str] = {}
        for old, new in zip(tokens, made.tokens, strict=True):
            names |= {old.account: new.account, old.project: new.project}
        for call in history:
            fresh = Call(call.name, tuple(_renamed(each, names) for each in call.args))
            answer = await made.take(fresh, made.stores[0])
            for was, now in zip(_leases(call.answer), _leases(answer), strict=False):
                names[was.nonce] = now.nonce
        tape = list(made.tape)
        await _read_all(made)
        model = _model(made)
    try:
        check(model, made.tape)
    except Mismatch as mismatch:
        return tape, made.tokens, mismatch
    return None


async def _read_all(made: World) -> None:
    """Read everything, while nothing else runs."""
    await made.take(Call("maintenance.repair_fair_share", (made.clock,)), made.stores[0])
    asked = [("queues.state", DEVICES), ("leases.held", RUNNERS)]
    asked += [("jobs.get", tuple(made.jobs)), ("jobs.results", tuple(made.jobs))]
    for name, things in asked:
        for each in dict.fromkeys(things):
            await made.take(Call(name, (each,)), made.stores[-1])


def _model(made: World) -> Model:
    projects = zip(made.tokens, SHARES.values(), strict=True)
    return Model({token.project: shares for token, shares in projects}, RUNNERS)


def _renamed(value: Any, names: dict[str, str]) -> Any:
    """Return a value with the accounts, projects and nonces of the repetition."""
    if not isinstance(value, msgspec.Struct):
        return value
    fields = {name: getattr(value, name) for name in value.__struct_fields__}
    changed = {
        name: names[held]
        for name, held in fields.items()
        if isinstance(held, str) and held in names
    }
    return msgspec.structs.replace(value, **changed)


def _leases(answer: Any) -> list[Lease]:
    given = answer if isinstance(answer, list) else [answer]
    return [each.lease for each in given if isinstance(each, Assignment)]
