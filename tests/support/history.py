"""Random histories of a store: made by callers at once, taped inside the writer, held to the model.

Writers follow each other on both databases (docs/decisions/0002), so the order in which operations
run is the order of their commits; a counter inside each operation writes it down. Reads are not
in that order: each must show how things stood at some moment between its question and its answer.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import msgspec

from qwicket.devices import built_in
from qwicket.model.accounts import Token
from qwicket.model.devices import DeviceStatus
from qwicket.model.groups import NewGroup
from qwicket.model.ids import new_id
from qwicket.model.jobs import Assignment, Lease, Ran, Runner
from qwicket.model.outcomes import Encoded, Failure
from qwicket.model.states import JobState
from qwicket.store import Changed, Store
from qwicket.store.database import Database, Tx
from support.history_model import Mismatch, Model
from support.stores import NOW, make_token, new_job

CALLERS = 4
DEVICES = ("simulator", "clifford")
RUNNERS = ("one", "two", "three")
SHARES = {"ada": 1, "bob": 2, "cat": 1}
SECONDS = (0.0, 0.001, 0.004, 0.01, 1.0, 30.0)
WAITING_LIMIT = 20
HOUR_MS = 3600 * 1000
SHRINK_S = 60.0
READS = {"jobs.get", "jobs.results", "jobs.line", "leases.held"}

OpenStores = Callable[[], AbstractAsyncContextManager[list[Store]]]


@dataclass
class Call:
    """One call of the store: what was asked, and what came of it.

    `at` is its place in the order of commits; a read has the places between which it happened.
    """

    name: str
    args: tuple[Any, ...]
    at: int = 0
    since: int = 0
    answer: Any = None
    told: tuple[Changed, ...] = ()

    def start(self, store: Store) -> Awaitable[Any]:
        room, verb = self.name.split(".")
        named = {
            "jobs.add": lambda: store.jobs.add(self.args[0], waiting_limit=self.args[1]),
            "jobs.cancel": lambda: store.jobs.cancel(
                self.args[0], actor="somebody", now=self.args[1]
            ),
            "jobs.cancel_group": lambda: store.jobs.cancel_group(
                self.args[0], actor="somebody", now=self.args[1]
            ),
            "jobs.line": lambda: store.jobs.line(self.args[0], limit=1_000),
            "leases.claim": lambda: store.leases.claim(*self.args[:3], most=self.args[3]),
            "leases.release": lambda: store.leases.release(*self.args[:3], blamed=self.args[3]),
            "leases.beat": lambda: asyncio.wrap_future(store.leases.beat(*self.args)),
        }
        if self.name in named:
            return named[self.name]()
        asked: Awaitable[Any] = getattr(getattr(store, room), verb)(*self.args)
        return asked

    def __str__(self) -> str:
        args = ", ".join(_short(each) for each in self.args)
        return f"{self.at:4} {self.name}({args}) -> {_short(self.answer)}"


_present: ContextVar[Call] = ContextVar("call")


class Taped:
    """A database that writes down when each operation ran, and what it gave and told."""

    def __init__(self, database: Database, place: Callable[[], int]) -> None:
        self._database = database
        self._place = place

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def write(self, operation: Callable[[Tx], Any], *, durable: bool = True) -> Any:
        return await self._database.write(self._taped(operation), durable=durable)

    def submit(self, operation: Callable[[Tx], Any]) -> Future[Any]:
        return self._database.submit(self._taped(operation))

    def _taped(self, operation: Callable[[Tx], Any]) -> Callable[[Tx], Any]:
        call = _present.get()

        def run(tx: Tx) -> Any:
            call.at = self._place()
            before = len(tx.changes)  # type: ignore[attr-defined]
            answer = operation(tx)
            call.told = tuple(tx.changes[before:])  # type: ignore[attr-defined]
            return answer

        return run


@dataclass
class World:
    """What callers know: enough to ask for sensible and for foolish things."""

    stores: list[Store]
    tokens: list[Token]
    rng: random.Random
    tape: list[Call] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    drafts: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    leases: list[Lease] = field(default_factory=list)
    clock: int = NOW
    settled: int = 0
    reached: Callable[[], int] = lambda: 0

    def now(self) -> int:
        """Time mostly stands still, so that times collide; sometimes the clock is wrong."""
        jump = self.rng.random()
        if jump < 0.01:
            self.clock += self.rng.choice((-1, 1)) * HOUR_MS
        elif jump < 0.013:
            self.clock += 25 * HOUR_MS
        self.clock += self.rng.choice((0, 0, 0, 1, 7))
        return self.clock

    async def take(self, call: Call, store: Store) -> Any:
        """Make a call and note it; a refusal is an answer, too."""
        _present.set(call)
        call.since = self.settled
        try:
            call.answer = await call.start(store)
        except Exception as error:
            call.answer = error
        if call.name in READS:
            call.at = self.reached()
        self.settled = max(self.settled, call.at if call.name not in READS else 0)
        self.tape.append(call)
        return call.answer


@asynccontextmanager
async def world(open_stores: OpenStores, seed: int) -> AsyncIterator[World]:
    """Yield a world with accounts, devices and runners, on taped stores of one database."""
    async with open_stores() as stores:
        first = stores[0]
        tokens = [await make_token(first, name) for name in SHARES]
        for name, shares in SHARES.items():
            await first.accounts.set_shares(name, shares)
        await first.devices.seed(built_in(), "builtin")
        for runner in RUNNERS:
            await first.leases.add_runner(runner, "server", NOW)
        reached = 0

        def place() -> int:
            nonlocal reached
            reached += 1
            return reached

        taped = [Store(Taped(store._database, place), store.changes) for store in stores]
        yield World(taped, tokens, random.Random(seed), reached=lambda: reached)


class Caller:
    """Makes calls, one after the other, beside other callers."""

    def __init__(self, world: World, seed: int, number: int) -> None:
        self._world = world
        self._store = world.stores[number % len(world.stores)]
        self._rng = random.Random(seed * CALLERS + number)

    async def run(self, calls: int) -> None:
        for _ in range(calls):
            (choice,) = self._rng.choices(list(_CHOICES), list(_CHOICES.values()))
            call = choice(self, self._world.now())
            if call is not None:
                self._learn(call, await self._world.take(call, self._store))

    def _learn(self, call: Call, answer: Any) -> None:
        known = self._world
        if isinstance(answer, Exception):
            return
        if call.name == "jobs.add":
            known.jobs.append(answer.id)
            if answer.state is JobState.DRAFT:
                known.drafts.append(answer.id)
        elif call.name == "groups.open":
            known.groups.append(answer.id)
        elif call.name == "leases.claim":
            known.leases += [each.lease for each in answer]
        elif call.name == "leases.claim_unattended" and answer is not None:
            known.leases.append(answer.lease)

    def _new(self, now: int, **changes: Any) -> Any:
        token = self._rng.choice(self._world.tokens)
        groups = self._world.groups
        has_group = groups and self._rng.random() < 0.4
        with_key = self._rng.random() < 0.3
        seconds = self._rng.choice(SECONDS)
        named: dict[str, Any] = {
            "device": self._rng.choice(DEVICES),
            "priority": self._rng.choice((0, 0, 0, 1)),
            "est_seconds": seconds,
            "group": self._rng.choice(groups[-3:]) if has_group else None,
            "idempotency_key": f"key{self._rng.randrange(5)}" if with_key else None,
            "digest": self._rng.choice((b"this", b"this", b"that")),
        }
        return new_job(token, now, **{**named, **changes})

    def submit(self, now: int) -> Call:
        return Call("jobs.add", (self._new(now), WAITING_LIMIT))

    def submit_draft(self, now: int) -> Call:
        draft = self._new(now, state=JobState.DRAFT, expires_at=now + self._rng.randrange(20))
        return Call("jobs.add", (draft, WAITING_LIMIT))

    def submit_refused(self, now: int) -> Call:
        refused = self._new(now, error=Failure("bad_program", "It makes no sense."))
        return Call("jobs.add", (refused, WAITING_LIMIT))

    def admit(self, now: int) -> Call | None:
        draft = self._some(self._world.drafts, self._world.jobs)
        return draft and Call("jobs.admit", (draft, self._new(now)))

    def refuse(self, now: int) -> Call | None:
        draft = self._some(self._world.drafts, self._world.jobs)
        return draft and Call("jobs.refuse", (draft, Failure("bad_program", "No."), now))

    def expire(self, now: int) -> Call:
        return Call("upkeep.expire_drafts", (now,))

    def cancel(self, now: int) -> Call | None:
        job = self._some(self._world.jobs, [new_id(now)])
        return job and Call("jobs.cancel", (job, now))

    def delete(self, now: int) -> Call | None:
        job = self._some(self._world.jobs, self._world.jobs)
        return job and Call("jobs.delete", (job,))

    def delete_old(self, now: int) -> Call:
        return Call("upkeep.delete_ended", (now - 2 * HOUR_MS,))

    def claim(self, now: int) -> Call:
        most = self._rng.choice((1, 1, 8))
        return Call("leases.claim", (self._device(), self._rng.choice(RUNNERS), now, most))

    def claim_unattended(self, now: int) -> Call:
        return Call("leases.claim_unattended", (self._device(), self._rng.choice(RUNNERS), now))

    def finish(self, now: int) -> Call | None:
        body = Encoded(self._rng.randbytes(4), b"sha")
        bad = Failure("overflow", "Too much.")
        results = ((body,), (body, body), (body, bad), bad)
        ran = Ran(self._rng.choice(results), self._rng.choice((0.0, 0.5, 40.0)))
        return self._under_lease("leases.finish", ran, now)

    def release(self, now: int) -> Call | None:
        return self._under_lease("leases.release", "a reason", now, self._rng.random() < 0.5)

    def stopped(self, now: int) -> Call | None:
        return self._under_lease("leases.stopped", now)

    def intend(self, now: int) -> Call | None:
        return self._under_lease("leases.intend", f"mark{self._rng.randrange(100)}", now)

    def sent(self, now: int) -> Call | None:
        return self._under_lease("leases.sent", f"theirs{self._rng.randrange(100)}", now)

    def void_runner(self, now: int) -> Call:
        return Call("leases.void_runner", (self._rng.choice(RUNNERS), now))

    def void_orphans(self, now: int) -> Call:
        return Call("leases.void_orphans", (now,))

    def beat(self, now: int) -> Call:
        return Call("leases.beat", (Runner(self._rng.choice(RUNNERS), "server", 0, 0), now))

    def open_group(self, now: int) -> Call:
        token = self._rng.choice(self._world.tokens)
        new = NewGroup(
            id=new_id(now),
            account=token.account,
            project=token.project,
            door="native",
            now=now,
            device=self._rng.choice((None, None, *DEVICES)),
            jobs_limit=self._rng.choice((None, 1, 2)),
            expires_at=self._rng.choice((None, now + 30)),
        )
        return Call("groups.open", (new,))

    def close_group(self, now: int) -> Call | None:
        group = self._some(self._world.groups, [new_id(now)])
        return group and Call("groups.close", (group, now))

    def cancel_group(self, now: int) -> Call | None:
        group = self._some(self._world.groups, self._world.groups)
        return group and Call("jobs.cancel_group", (group, now))

    def set_status(self, now: int) -> Call:
        until_at = self._rng.choice((None, now + 5))
        off = DeviceStatus(is_on=False, reason="a pause", until_at=until_at)
        status = self._rng.choice((DeviceStatus(), DeviceStatus(), off))
        return Call("devices.set_status", (self._device(), status, now))

    def mend(self, now: int) -> Call:
        return Call("upkeep.mend_shares", (now,))

    def forget(self, now: int) -> Call:
        return Call("upkeep.forget_keys", (now,))

    def look(self, now: int) -> Call | None:
        job = self._some(self._world.jobs, [new_id(now)])
        return job and Call(self._rng.choice(("jobs.get", "jobs.results")), (job,))

    def renew(self, now: int) -> Call:
        return Call("leases.held", (self._rng.choice(RUNNERS),))

    def line(self, now: int) -> Call:
        return Call("jobs.line", (self._device(),))

    def _device(self) -> str:
        return self._rng.choice(DEVICES)

    def _some(self, likely: Sequence[str], rarely: Sequence[str]) -> str | None:
        """Return one of the last few, now and then another one."""
        pool = likely[-12:] if self._rng.random() < 0.85 else rarely
        return self._rng.choice(pool) if pool else None

    def _under_lease(self, name: str, *args: Any) -> Call | None:
        """Return a call under a lease: most times a fresh one, at times an old or a forged one."""
        leases = self._world.leases
        if not leases:
            return None
        lease = self._rng.choice(leases[-6:] if self._rng.random() < 0.8 else leases)
        forged = self._rng.random()
        if forged < 0.04:
            lease = msgspec.structs.replace(lease, nonce=self._rng.randbytes(16).hex())
        elif forged < 0.08:
            lease = msgspec.structs.replace(lease, fence=lease.fence + self._rng.choice((-1, 1)))
        return Call(name, (lease, *args))


_CHOICES: dict[Callable[[Caller, int], Call | None], int] = {
    Caller.submit: 34,
    Caller.submit_draft: 5,
    Caller.submit_refused: 1,
    Caller.admit: 5,
    Caller.refuse: 2,
    Caller.expire: 2,
    Caller.cancel: 7,
    Caller.delete: 4,
    Caller.delete_old: 1,
    Caller.claim: 28,
    Caller.claim_unattended: 4,
    Caller.finish: 14,
    Caller.release: 8,
    Caller.stopped: 3,
    Caller.intend: 5,
    Caller.sent: 3,
    Caller.void_runner: 3,
    Caller.void_orphans: 2,
    Caller.beat: 2,
    Caller.open_group: 4,
    Caller.close_group: 1,
    Caller.cancel_group: 1,
    Caller.set_status: 4,
    Caller.mend: 2,
    Caller.forget: 1,
    Caller.look: 6,
    Caller.renew: 2,
    Caller.line: 3,
}


async def check_history(
    open_stores: OpenStores, seed: int, *, calls: int, shrinks: bool = True
) -> None:
    """Make a history and hold it to the model.

    Raises:
        Mismatch: With the seed, and the smallest history found that fails when it is made again.
    """
    async with world(open_stores, seed) as made:
        callers = [Caller(made, seed, number) for number in range(CALLERS)]
        await asyncio.gather(*(caller.run(calls // CALLERS) for caller in callers))
        await _look_at_all(made)
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
    """Explain a tape by the model.

    Raises:
        Mismatch: It cannot be explained.
    """
    writes = sorted((c for c in tape if c.name not in READS), key=lambda c: c.at)
    reads = {index: call for index, call in enumerate(tape) if call.name in READS}
    doubts: dict[int, Mismatch] = {}
    _explain_reads(model, reads, doubts, 0)
    for call in writes:
        try:
            model.apply(call.name, call.args, call.answer, call.told)
        except Mismatch as mismatch:
            raise Mismatch(f"at {call.at} {call.name}: {mismatch}") from mismatch
        _explain_reads(model, reads, doubts, call.at)
    if reads:
        index, call = next(iter(reads.items()))
        raise Mismatch(f"between {call.since} and {call.at} {call.name}: {doubts[index]}")


def _explain_reads(
    model: Model, reads: dict[int, Call], doubts: dict[int, Mismatch], at: int
) -> None:
    """Forget the reads that show how things stand after `at`; keep what speaks against others."""
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
    """Return a smaller history that fails when made again, one call after the other.

    What fails only by chance of timing is returned as it was.
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
    """Make calls anew; return them and what failed, or None when nothing did."""
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
        await _look_at_all(made)
        model = _model(made)
    try:
        check(model, made.tape)
    except Mismatch as mismatch:
        return tape, made.tokens, mismatch
    return None


async def _look_at_all(made: World) -> None:
    """Read everything there is, when all is quiet."""
    await made.take(Call("upkeep.mend_shares", (made.clock,)), made.stores[0])
    asked = [("jobs.line", DEVICES), ("leases.held", RUNNERS)]
    asked += [("jobs.get", tuple(made.jobs)), ("jobs.results", tuple(made.jobs))]
    for name, things in asked:
        for each in dict.fromkeys(things):
            await made.take(Call(name, (each,)), made.stores[-1])


def _model(made: World) -> Model:
    projects = zip(made.tokens, SHARES.values(), strict=True)
    return Model({token.project: shares for token, shares in projects}, RUNNERS)


def _renamed(value: Any, names: dict[str, str]) -> Any:
    """Return a value with the accounts, projects and nonces of another making."""
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


def _short(value: Any) -> str:
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return "[" + ", ".join(_short(each) for each in value) + "]"
    if isinstance(value, Assignment):
        value = value.lease
    if isinstance(value, msgspec.Struct):
        names = ("id", "job", "state", "account", "project", "device", "now", "fence", "nonce")
        shown = {name: getattr(value, name) for name in names if hasattr(value, name)}
        return f"{type(value).__name__}{shown}"
    return repr(value)
