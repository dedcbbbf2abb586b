"""Callers of a store, which make random calls, valid and invalid ones."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec

from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.devices import built_in
from qwicket.model.accounts import Token
from qwicket.model.devices import DeviceStatus
from qwicket.model.failures import Failure
from qwicket.model.groups import NewGroup
from qwicket.model.ids import new_id
from qwicket.model.jobs import Lease, Runner
from qwicket.model.states import JobState
from qwicket.store import Store
from support.history_tape import Call, Taped, present_call
from support.stores import NOW, make_token, new_job

CALLERS = 4
DEVICES = ("simulator", "clifford")
RUNNERS = ("one", "two", "three")
SHARES = {"ada": 1, "bob": 2, "cat": 1}
SECONDS = (0.0, 0.001, 0.004, 0.01, 1.0, 30.0)
WAITING_LIMIT = 20
HOUR_MS = 3600 * 1000

OpenStores = Callable[[], AbstractAsyncContextManager[list[Store]]]


@dataclass
class World:
    """What callers know: enough for valid and for invalid calls."""

    stores: list[Store]
    tokens: list[Token]
    rng: random.Random
    tape: list[Call] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    drafts: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    leases: list[Lease] = field(default_factory=list)
    intents: list[Lease] = field(default_factory=list)
    sent: list[Lease] = field(default_factory=list)
    clock: int = NOW
    settled: int = 0
    reached: Callable[[], int] = lambda: 0

    def now(self) -> int:
        """Return the time. It often stands still, so that times are equal; sometimes it jumps."""
        jump = self.rng.random()
        if jump < 0.01:
            self.clock += self.rng.choice((-1, 1)) * HOUR_MS
        elif jump < 0.013:
            self.clock += 25 * HOUR_MS
        self.clock += self.rng.choice((0, 0, 0, 1, 7))
        return self.clock

    async def take(self, call: Call, store: Store) -> Any:
        """Make a call and record it; a refusal is an answer, too."""
        present_call.set(call)
        call.since = self.settled
        try:
            call.answer = await call.start(store)
        except Exception as error:
            call.answer = error
        call.is_read = call.has_only_read()
        if call.is_read:
            call.at = self.reached()
        else:
            self.settled = max(self.settled, call.at)
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
        elif call.name == "job_groups.open":
            known.groups.append(answer.id)
        elif call.name == "leases.claim":
            known.leases += [each.lease for each in answer.taken]
        elif call.name == "forwards.claim_unattended" and answer is not None:
            known.leases.append(answer.lease)
        elif call.name == "forwards.record_intent":
            known.intents.append(call.args[0])
        elif call.name == "forwards.record_sent":
            known.sent.append(call.args[0])

    def _new(self, now: int, **changes: Any) -> Any:
        token = self._rng.choice(self._world.tokens)
        groups = self._world.groups
        has_group = groups and self._rng.random() < 0.4
        with_key = self._rng.random() < 0.3
        seconds = self._rng.choice(SECONDS)
        named: dict[str, Any] = {
            "device": self._rng.choice(DEVICES),
            "project": self._rng.choice((token, token, *self._world.tokens)).project,
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
        return Call("jobs.admit", (draft, self._new(now))) if draft else None

    def refuse(self, now: int) -> Call | None:
        draft = self._some(self._world.drafts, self._world.jobs)
        return Call("jobs.refuse", (draft, Failure("bad_program", "No."), now)) if draft else None

    def expire_drafts(self, now: int) -> Call:
        return Call("maintenance.expire_drafts", (now,))

    def cancel(self, now: int) -> Call | None:
        job = self._some(self._world.jobs, [new_id(now)])
        return Call("jobs.cancel", (job, now)) if job else None

    def delete(self, now: int) -> Call | None:
        job = self._some(self._world.jobs, self._world.jobs)
        return Call("jobs.delete", (job,)) if job else None

    def delete_old(self, now: int) -> Call:
        return Call("maintenance.delete_ended", (now - 2 * HOUR_MS,))

    def claim(self, now: int) -> Call:
        maximum = self._rng.choice((1, 1, 8))
        return Call("leases.claim", (self._device(), self._rng.choice(RUNNERS), now, maximum))

    def claim_unattended(self, now: int) -> Call:
        return Call("forwards.claim_unattended", (self._device(), self._rng.choice(RUNNERS)))

    def finish(self, now: int) -> Call | None:
        body = Encoded(self._rng.randbytes(4), b"sha")
        bad = Failure("overflow", "Too much.")
        results = ((body,), (body, body), (body, bad), bad)
        ran = RunResult(self._rng.choice(results), self._rng.choice((0.0, 0.5, 40.0)))
        return self._under_lease("leases.finish", ran, now)

    def release(self, now: int) -> Call | None:
        return self._under_lease("leases.release", "a reason", now, self._rng.random() < 0.5)

    def cancel_stopped(self, now: int) -> Call | None:
        return self._under_lease("leases.cancel_stopped", now)

    def record_intent(self, now: int) -> Call | None:
        return self._under_lease("forwards.record_intent", f"mark{self._rng.randrange(100)}", now)

    def record_sent(self, now: int) -> Call | None:
        id = f"theirs{self._rng.randrange(100)}"
        if self._world.intents and self._rng.random() < 0.5:
            return Call("forwards.record_sent", (self._world.intents[-1], id, now))
        return self._under_lease("forwards.record_sent", id, now)

    def forget_sent(self, now: int) -> Call | None:
        del now
        if self._world.sent and self._rng.random() < 0.7:
            return Call("forwards.forget_sent", (self._world.sent[-1],))
        return self._under_lease("forwards.forget_sent")

    def void_runner(self, now: int) -> Call:
        return Call("leases.void_runner", (self._rng.choice(RUNNERS), now))

    def void_orphaned_leases(self, now: int) -> Call:
        return Call("leases.void_orphaned_leases", (now,))

    def heartbeat(self, now: int) -> Call:
        return Call(
            "leases.record_heartbeat", (Runner(self._rng.choice(RUNNERS), "server", 0, 0), now)
        )

    def open_group(self, now: int) -> Call:
        token = self._rng.choice(self._world.tokens)
        new = NewGroup(
            id=new_id(now),
            account=token.account,
            project=token.project,
            dialect="native",
            now=now,
            device=self._rng.choice((None, None, *DEVICES)),
            jobs_limit=self._rng.choice((None, 1, 2)),
            expires_at=self._rng.choice((None, now + 30)),
        )
        return Call("job_groups.open", (new,))

    def close_group(self, now: int) -> Call | None:
        group = self._some(self._world.groups, [new_id(now)])
        return Call("job_groups.close", (group, now)) if group else None

    def cancel_group(self, now: int) -> Call | None:
        group = self._some(self._world.groups, self._world.groups)
        return Call("jobs.cancel_group", (group, now)) if group else None

    def set_status(self, now: int) -> Call:
        until_at = self._rng.choice((None, now + 5))
        off = DeviceStatus(is_on=False, reason="a pause", until_at=until_at)
        status = self._rng.choice((DeviceStatus(), DeviceStatus(), off))
        return Call("devices.set_status", (self._device(), status, now))

    def repair_fair_share(self, now: int) -> Call:
        return Call("maintenance.repair_fair_share", (now,))

    def delete_expired_keys(self, now: int) -> Call:
        return Call("maintenance.delete_expired_keys", (now,))

    def read_job(self, now: int) -> Call | None:
        job = self._some(self._world.jobs, [new_id(now)])
        return Call(self._rng.choice(("jobs.get", "jobs.results")), (job,)) if job else None

    def read_held(self, now: int) -> Call:
        return Call("leases.held", (self._rng.choice(RUNNERS),))

    def read_queue(self, now: int) -> Call:
        return Call("queues.state", (self._device(),))

    def _device(self) -> str:
        return self._rng.choice(DEVICES)

    def _some(self, likely: Sequence[str], rarely: Sequence[str]) -> str | None:
        """Return one of the last 12 of `likely`, or in 15 % of calls one of `rarely`."""
        pool = likely[-12:] if self._rng.random() < 0.85 else rarely
        return self._rng.choice(pool) if pool else None

    def _under_lease(self, name: str, *args: Any) -> Call | None:
        """Return a call under a lease: most times a recent one, sometimes an old or forged one."""
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
    Caller.expire_drafts: 2,
    Caller.cancel: 7,
    Caller.delete: 4,
    Caller.delete_old: 1,
    Caller.claim: 28,
    Caller.claim_unattended: 4,
    Caller.finish: 14,
    Caller.release: 8,
    Caller.cancel_stopped: 3,
    Caller.record_intent: 5,
    Caller.record_sent: 5,
    Caller.forget_sent: 4,
    Caller.void_runner: 3,
    Caller.void_orphaned_leases: 2,
    Caller.heartbeat: 2,
    Caller.open_group: 4,
    Caller.close_group: 1,
    Caller.cancel_group: 1,
    Caller.set_status: 4,
    Caller.repair_fair_share: 2,
    Caller.delete_expired_keys: 1,
    Caller.read_job: 6,
    Caller.read_held: 2,
    Caller.read_queue: 3,
}
