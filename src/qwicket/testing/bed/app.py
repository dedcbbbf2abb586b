"""Application of the test bed: a server with faults, scenarios, a journal and a clock."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import deque
from typing import TYPE_CHECKING, Final, cast

from msgspec import structs

from qwicket.dialects import offered
from qwicket.dialects.requests import CONTENT, REFUSAL
from qwicket.model.accounts import DEFAULT_SCOPES
from qwicket.model.errors import Conflict, InvalidRequest, NotOffered, codes
from qwicket.model.limits import INT64_MAX
from qwicket.model.suggestions import did_you_mean
from qwicket.registrations import features
from qwicket.scheduling import LivenessMonitor
from qwicket.server.app import App, now_ms
from qwicket.store.backup import FILE
from qwicket.testing.bed.clock import Clock
from qwicket.testing.bed.control import PREFIX, Control
from qwicket.testing.bed.events import AgentTokens, Events, EventWrites
from qwicket.testing.bed.faults import Faults, Injection
from qwicket.testing.bed.journal import RECORD, JournalKeeper
from qwicket.testing.bed.past import Past
from qwicket.testing.bed.scenarios import SLOTS, ScenarioAdmission, ScenarioDriver, Scenarios
from qwicket.testing.bed.store import BedStore, save
from qwicket.testing.bed.strictness import refusal, unknown_names
from qwicket.testing.bed.waiting import BedWaiter
from qwicket.testing.values import Credentials

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from qwicket.dialects.routing import Route
    from qwicket.drivers import Driver
    from qwicket.gateway.admission import Admission
    from qwicket.model.accounts import Actor
    from qwicket.server import Settings
    from qwicket.store import Store
    from qwicket.testing.bed.draws import Draws
    from qwicket.testing.bed.world import World, WorldDevice
    from qwicket.testing.values import BudgetUnit, Fault, Journal, Scenario

ACCOUNT: Final = "tester"
"""Account of tests that name none."""
_DIALECTS: Final = {
    "/v1": "native",
    "/v1/admin": "native",
    **{at: each.name for each in offered() for at in each.mounts},
    **{alias: each.name for each in offered() for alias in each.aliases},
    **{each.api: each.name for each in features() if each.api},
}
"""Name of the dialect, or of the feature, by the path of its application."""
_NO_LIMIT: Final = 1_000_000
"""Limit that no test reaches."""
_MAX_READ_BYTES: Final = 64 << 20
"""Limit on the part of a body that is read before the server reads it."""
_START_S: Final = 15.0
"""Longest wait in real seconds for jobs to start before the clock jumps."""
_START_PAUSE_S: Final = 0.005
_CREATED_AT: Final = 1_577_836_800.0
"""2020-01-01 in Unix seconds: the time at which a test bed with a seed creates its accounts."""


class Bed(App):
    """Server with faults for requests, scenarios for jobs, and a journal of requests to dialects.

    Args:
        settings: Settings of the server, with SQLite and without express slots.
        secret: Secret that requests to the control interface must have.
        draws: Repeatable random numbers; None for unpredictable ones.
        strict: Whether parameters and fields that no route declares are refused; None reports them
            in the journal, and False ignores them.
    """

    # Tests seldom have two jobs at the same time, so few processes suffice and save memory.
    parsers = 1
    warm_up = "qwicket.engines:prepare"  # a simulator is imported by the first job that needs it
    starts_parsers = False  # the server itself parses short programs

    def __init__(
        self,
        settings: Settings,
        secret: str,
        draws: Draws | None = None,
        *,
        strict: bool | None = None,
    ) -> None:
        limits = settings.limits
        # Tests send wrong tokens often; production limits would then refuse the right ones too.
        sign_in = structs.replace(limits.sign_in, wrong_tokens=_NO_LIMIT)
        super().__init__(structs.replace(settings, limits=structs.replace(limits, sign_in=sign_in)))
        self.clock = Clock()
        self.clock.install()
        self._monotonic = self.clock.passed
        self._folder = settings.data_dir
        self._draws = draws
        self._strict = strict
        self.journal = JournalKeeper(self._name_of, warns=strict is None)
        self.faults = Faults(self._tokens_of)
        self.scenarios = Scenarios(self._name_of, lambda device: device in self._families)
        self._names: dict[str, str] = {}
        self._credentials: dict[str, Credentials] = {}
        self._control = Control(self, secret)
        self.journal.hide(secret)

    async def start(self) -> None:
        if self._draws is not None:
            self.clock.move(at=_CREATED_AT, rate=0.0)  # ids of accounts contain their time
        await super().start()
        self._gateway.auth.clock = self.clock.passed
        jobs = self._gateway.jobs
        jobs.admission = cast("Admission", ScenarioAdmission(jobs.admission, self.scenarios))
        store, find = self._bed_store, jobs.waiter.find
        is_counted = store.jobs.waits_for_polls
        jobs.waiter = BedWaiter(store.changes, find, self.clock.sleep, is_counted)
        self.events = Events(
            self._gateway,
            self._bed_store,
            EventWrites(self._bed_store._database),
            self.scenarios,
            self._revoke_of,
            self._forget,
            now_ms,
        )
        self._bed_store.jobs.scenario_events = self.events
        self.agents = AgentTokens(
            self._gateway.admin, self._bed_store.leases, self.journal.hide, now_ms
        )
        self._past = Past(
            self._gateway,
            self._bed_store,
            scenarios=self.scenarios,
            families=self._families,
            dispatcher=self._dispatcher,
            actor=self._actor,
            now_ms=now_ms,
        )
        await self._bed_store.cleaning.remember_devices()
        await self.credentials(ACCOUNT)
        self.clock.restore()

    def _open_store(self) -> Store:
        store = super()._open_store()
        self._bed_store = BedStore.over(
            store, self._folder / FILE, self.scenarios, self.journal, now_ms, self.clock.sleep
        )
        return self._bed_store

    def _in_front_of(self, driver: Driver) -> Driver:
        cancel = self._bed_store.jobs.cancel_by_operator
        self._driver = ScenarioDriver(driver, self.scenarios, cancel, self.clock.sleep)
        return self._driver

    def _watch(self, store: Store, runner: str) -> LivenessMonitor:
        self._liveness = LivenessMonitor(
            store,
            runner,
            now_ms,
            self.clock.passed,
            lease_s=self._settings.lease_s,
            sleep=self.clock.pause,
            gap_s=math.inf,  # after a jump no heartbeats were missed
        )
        return self._liveness

    def _name_of(self, account: str) -> str:
        return self._names.get(account, "")

    def _tokens_of(self, account: str) -> list[str]:
        found = self._credentials.get(account)
        own = [] if found is None else [found.token, found.aws_key_id]
        return [*own, *self.agents.of(account)]

    # --- commands of the control interface --------------------------------------------------------

    def add_fault(self, fault: Fault) -> None:
        """Add a fault.

        Raises:
            InvalidRequest: It names a dialect that does not exist.
        """
        _check_name("dialect", fault.dialect, _DIALECTS.values())
        self.faults.add(fault)

    async def add_scenario(self, scenario: Scenario) -> None:
        """Add a scenario.

        Raises:
            InvalidRequest: It names a dialect, a device or an error code that does not exist, so
                it would apply to no job.
        """
        _check_name("dialect", scenario.dialect, _DIALECTS.values())
        devices = await self._bed_store.devices.all()
        _check_name("device", scenario.device, (each.name for each in devices))
        if scenario.kind == "refuse":
            _check_name("code", scenario.code, codes())
        self.scenarios.add(scenario)

    async def credentials(self, name: str, *, life_s: int | None = None) -> Credentials:
        """Return the credentials of an account; create the account if it does not exist.

        Args:
            name: Name of the account.
            life_s: Seconds until new credentials expire; None means never.
        """
        if name not in self._credentials:
            service = self._gateway.admin
            with contextlib.suppress(Conflict):  # it exists in a saved state
                await service.add_account(name, "member", email=None, password=None)
            account = await self._bed_store.accounts.by_name(name)
            scopes = (*DEFAULT_SCOPES, "tokens:write")
            token = await service.create_token(name, scopes=scopes, life_s=life_s)
            pair = await service.create_token(name, aws=True, life_s=life_s)
            self._names[account.id] = name
            self._credentials[name] = Credentials(
                name, token.secret, pair.aws_key_id or "", pair.secret
            )
            self.journal.hide(token.secret, pair.secret)
        return self._credentials[name]

    async def agent_token(self, name: str, devices: Sequence[str]) -> str:
        """Return a new token of an account with which an agent serves devices until the reset."""
        await self.credentials(name)
        return await self.agents.add(name, devices)

    async def _actor(self, name: str) -> Actor:
        return await self._gateway.auth.by_token((await self.credentials(name)).token, "")

    async def set_device(self, device: WorldDevice) -> None:
        """Add or change a device."""
        await self._past.set_device(device)
        self._bed_store.changes.resync()

    async def move_clock(
        self, *, at: float | None = None, by: float | None = None, rate: float | None = None
    ) -> None:
        """Change the time, and how fast it runs; see `Clock.move`.

        Before the clock jumps, jobs that can start do so. If the lease time has passed on the
        clock, leases end at once.
        """
        if at is not None or by is not None:
            await self._await_starts()
        await self._liveness.look()
        self.clock.move(at=at, by=by, rate=rate)
        await self._liveness.void_silent(ignore_newer=True)
        self._bed_store.changes.resync()  # forecasts are from another time

    async def _await_starts(self) -> None:
        """Wait until the jobs that can start on the test bed itself have started."""
        leases, queues = self._bed_store.leases, self._bed_store.queues
        memory_bytes = self._limits.jobs.memory_bytes or INT64_MAX
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline and len(self._driver.running) < SLOTS:
            devices = (await leases.claimable(now_ms())).devices & self._families.keys()
            waiting = await queues.waiting_work(devices, maximum=1, memory_bytes=memory_bytes)
            held = {each.lease.job for each in await leases.held(self._runner.id)}
            if not waiting.jobs and held <= self._driver.running:
                return
            await asyncio.sleep(_START_PAUSE_S)

    async def load(self, world: World) -> None:
        """Set the clock, and add the accounts, devices and jobs of a fixture file."""
        now = None
        if world.clock is not None:
            await self.move_clock(at=world.clock.timestamp(), rate=1.0)
            now = round(1000 * world.clock.timestamp())  # the clock runs on while jobs are made
        for account in world.accounts:
            await self.credentials(account.name)
        for device in world.devices:
            await self._past.set_device(device)
        await self._past.add_jobs(world.jobs, now)
        self._bed_store.changes.resync()

    async def revoke(self, name: str) -> None:
        """Revoke all tokens of an account; `credentials` then creates new ones."""
        for token in await self._gateway.admin.tokens(name):
            if token.revoked_at is None:
                await self._gateway.admin.revoke_token(token.id)
        self._credentials.pop(name, None)

    async def _revoke_of(self, account: str) -> None:
        await self.revoke(self._names[account])

    def _forget(self, account: str) -> None:
        self._credentials.pop(self._names[account], None)

    async def budget(self, name: str, maximum: float, unit: BudgetUnit, device: str | None) -> None:
        """Limit the total that the jobs of an account may use; see `Cloud.budget`."""
        actor = await self._actor(name)
        projects = await self._bed_store.accounts.projects_of(actor.account)
        project = next(each.name for each in projects if each.id == actor.project)
        await self.events.budget(project, maximum, unit, device)

    async def save(self, path: Path) -> None:
        """Write a ZIP file with the whole state: the database, and the master key of key pairs."""
        await asyncio.to_thread(save, self._folder, path)

    async def reset(self) -> None:
        """Forget faults, scenarios, budgets and journal; delete jobs; restore devices and clock.

        Accounts and their tokens stay, except the tokens of agents.
        """
        self.faults.clear()
        self.scenarios.clear()
        self.clock.restore()
        await self.agents.end()
        await self._liveness.look()  # heartbeats of agents that return begin again at 0
        await self._bed_store.clear()
        await self.events.restore()
        self.journal.clear()
        if self._draws is not None:
            self._draws.restart_seeds()

    def read(self, after: int) -> Journal:
        """Return the entries of the journal after a number."""
        return self.journal.read(after)

    # --- requests ---------------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._router is None:
            await super().__call__(scope, receive, send)
            return
        if scope["path"].startswith(PREFIX):
            await self._control(scope, receive, send)
            return
        dialect = _DIALECTS.get(self._router.find(scope["path"]).prefix)
        if dialect is None or self._control.has_secret(scope):
            await super().__call__(scope, receive, send)
            return
        await self._journaled(dialect, scope, receive, send)

    async def _journaled(self, dialect: str, scope: Scope, receive: Receive, send: Send) -> None:
        record = self.journal.begin(dialect, scope)
        RECORD.set(record)
        scope.pop(CONTENT, None)  # so that the body passes through `received`
        app: ASGIApp = super().__call__
        body = b""
        if self.faults.need_bodies:
            body, receive = await _read_ahead(receive)
        entry = self.faults.take(dialect, scope, body)
        if entry is not None:
            record.fault = entry.fault.kind
            app = Injection(entry, app, record, self.journal, send)
        route, is_known = self._route(scope)
        record.route = route
        if not is_known:
            record.unknown = True
            text = f"Qwicket has no route {scope['method']} {scope['path']}."
            scope = {**scope, REFUSAL: NotOffered(text[:400])}
        elif route is not None and self._strict:
            body, receive = await _read_ahead(receive)
            query = scope["query_string"].decode("latin-1")
            record.warnings = unknown_names(dialect, route, query, body)
            if record.warnings:
                scope = {**scope, REFUSAL: refusal(record.warnings)}

        async def received() -> Message:
            message = await receive()
            record.received(message)
            return message

        async def sent(message: Message) -> None:
            record.sent(message)
            await send(message)

        try:
            await app(scope, received, sent)
        finally:
            if not record.body:  # nothing reads the body of a request that a fault refuses
                record.received({"type": "http.request", "body": body})
            record.seconds = self.journal.now() - record.at

    def _route(self, scope: Scope) -> tuple[Route | None, bool]:
        """Return the route of a request, and False if its dialect has none for it."""
        assert self._router is not None
        mount = self._router.find(scope["path"])
        find = getattr(mount.app, "route", None)  # only dialects have it
        if find is None:
            return None, True
        route: Route | None = find(scope["method"], scope["path"].removeprefix(mount.prefix))
        return route, route is not None


async def _read_ahead(receive: Receive) -> tuple[bytes, Receive]:
    """Return the body of a request, and a `receive` that repeats it.

    The route's own limit on the size is checked later, so reading stops above 64 MiB here.
    """
    messages: deque[Message] = deque()
    size = 0
    while True:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        is_last = message["type"] != "http.request" or not message.get("more_body")
        if is_last or size > _MAX_READ_BYTES:
            break

    async def again() -> Message:
        return messages.popleft() if messages else await receive()

    return b"".join(each.get("body", b"") for each in messages), again


def _check_name(option: str, name: str, known: Iterable[str]) -> None:
    names = [*dict.fromkeys(known)]
    if name and name not in names:
        hint = did_you_mean(name, names) or f" There are {', '.join(names)}."
        raise InvalidRequest(f"{option}: there is no {name[:100]!r}.{hint}", field=option)
