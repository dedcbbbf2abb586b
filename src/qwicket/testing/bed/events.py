"""Events of scenarios: an account, a session or a device changes while a client waits for a job.

Also the tokens of labs' agents, which end with a reset.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from msgspec import structs

from qwicket.model.accounts import Scope
from qwicket.model.errors import NotFound
from qwicket.model.ids import new_id
from qwicket.registrations import hook
from qwicket.store.operations import Operations, write
from qwicket.testing.bed.journal import RECORD
from qwicket.testing.values import EVENTS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from qwicket.circuits.calibrations import Calibration, GateFigures, QubitFigures
    from qwicket.gateway import Gateway
    from qwicket.gateway.admin import Admin
    from qwicket.gateway.tokens import NewToken
    from qwicket.model.devices import Device
    from qwicket.model.jobs import Job
    from qwicket.store import Leases, Store
    from qwicket.store.batch import Session
    from qwicket.store.database import Database, Tx
    from qwicket.testing.bed.journal import Record
    from qwicket.testing.bed.scenarios import Scenarios
    from qwicket.testing.values import BudgetUnit, Scenario

_CACHE_S: Final = 0.11
"""Longer than the 0.1 s for which a server caches tokens and the state of devices."""


class Events:
    """Applies the events of scenarios: after the submission of a job, or during its n-th read.

    Args:
        gateway: Services of the server.
        store: The database.
        writes: Changes that no service makes.
        scenarios: Scenarios of jobs, some of which are events.
        revoke: Revokes the tokens of the account with an id.
        forget: Forgets the tokens of the account with an id, so that the account gets new ones
            when they are needed.
        now_ms: Clock; returns Unix milliseconds.
    """

    def __init__(
        self,
        gateway: Gateway,
        store: Store,
        writes: EventWrites,
        scenarios: Scenarios,
        revoke: Callable[[str], Awaitable[None]],
        forget: Callable[[str], None],
        now_ms: Callable[[], int],
    ) -> None:
        self._gateway = gateway
        self._store = store
        self._writes = writes
        self._scenarios = scenarios
        self._revoke = revoke
        self._forget = forget
        self._now_ms = now_ms
        self._reads: dict[str, int] = {}
        self._last_request: dict[str, Record] = {}
        self._devices: dict[str, Device] = {}
        self._has_changes = False

    async def count_access(self, job: Job) -> None:
        """Count the current request as an access to a job, once; apply an event that is due."""
        scenario, record = self._scenarios.get(job.id), RECORD.get()
        if scenario is None or record is None or scenario.kind not in EVENTS:
            return
        if self._last_request.get(job.id) is record:
            return
        self._last_request[job.id] = record
        count = self._reads.get(job.id, -1) + 1  # the submission counts as 0
        self._reads[job.id] = count
        if count == (scenario.polls or 0):
            await self._apply(scenario, job)
            await asyncio.sleep(_CACHE_S)

    async def budget(
        self, project: str, maximum: float, unit: BudgetUnit, device: str | None
    ) -> None:
        """Limit the total that the jobs of a project may use."""
        self._has_changes = True
        await self._budgets().put(project, unit, "total", maximum, device=device)

    def _budgets(self) -> Any:
        """Return the administration of budgets."""
        kind: Any = hook("budget_administration")
        if kind is None:
            raise NotFound("This server has no budgets.")
        return self._gateway.feature(kind)

    async def restore(self) -> None:
        """Undo the changes of events and remove all budgets; ended tokens stay ended."""
        self._reads.clear()
        self._last_request.clear()
        if not self._has_changes:
            return
        self._has_changes = False
        if hook("budget_administration") is not None:
            budgets = self._budgets()
            for each in await budgets.all():
                await budgets.remove(each.budget.id)
        for device in self._devices.values():
            await self._writes.put_device(device)
        self._devices.clear()
        await self._writes.remove_calibrations()
        await asyncio.sleep(_CACHE_S)

    async def _apply(self, scenario: Scenario, job: Job) -> None:
        self._has_changes = True
        match scenario.kind:
            case "revoke_token":
                await self._revoke(job.account)
            case "expire_token":
                await self._writes.expire_tokens(job.account, self._now_ms())
                self._forget(job.account)
            case "close_session":
                if job.group is not None:
                    await self._store.job_groups.close(job.group, self._now_ms())
            case "spend_budget":
                await self._writes.set_budget(job.project, self._now_ms())
            case "change_limits":
                await self._change_limits(job.device, scenario)
            case _:
                await self._recalibrate(job.device, scenario.factor)

    async def _change_limits(self, name: str, scenario: Scenario) -> None:
        device = await self._store.devices.get(name)
        assert device is not None, name  # a job on it exists
        self._devices.setdefault(name, device)
        spec = device.spec
        spec = structs.replace(
            spec,
            max_shots=spec.max_shots if scenario.max_shots is None else scenario.max_shots,
            qubits=spec.qubits if scenario.qubits is None else scenario.qubits,
        )
        await self._writes.put_device(structs.replace(device, spec=spec))

    async def _recalibrate(self, name: str, factor: float) -> None:
        now = self._now_ms()
        found = await self._store.calibrations.at(name, now)
        assert found is not None, name  # `Scenarios.decide` refuses the job otherwise
        worse = worsen(found.body, factor, now)
        body = msgspec.json.encode(worse).decode()
        await self._writes.add_calibration(name, body, now)


class AgentTokens:
    """Tokens with which labs' agents serve devices until the next reset.

    Args:
        admin: Service that creates and revokes tokens.
        leases: The agents, and the leases of their jobs.
        hide: Keeps a secret out of the journal.
        now_ms: Clock; returns Unix milliseconds.
    """

    def __init__(
        self,
        admin: Admin,
        leases: Leases,
        hide: Callable[[str], None],
        now_ms: Callable[[], int],
    ) -> None:
        self._admin = admin
        self._leases = leases
        self._hide = hide
        self._now_ms = now_ms
        self._tokens: list[tuple[str, NewToken]] = []
        """Each with the name of its account."""

    async def add(self, account: str, devices: Sequence[str]) -> str:
        """Return a new token of an account; the token serves devices and does nothing else."""
        scopes = [Scope.DEVICES_SERVE]
        made = await self._admin.create_token(account, scopes=scopes, devices=devices)
        self._tokens.append((account, made))
        self._hide(made.secret)
        return made.secret

    def of(self, account: str) -> list[str]:
        """Return the tokens of an account."""
        return [made.secret for name, made in self._tokens if name == account]

    async def end(self) -> None:
        """Revoke all tokens; if there were any, remove all agents."""
        tokens, self._tokens = self._tokens, []
        for _, made in tokens:
            await self._admin.revoke_token(made.token.id)
        if not tokens:
            return
        await asyncio.sleep(_CACHE_S)
        for runner in await self._leases.runners():
            if runner.kind == "agent":
                await self._leases.void_runner(runner.id, self._now_ms())


class EventWrites(Operations):
    """Changes of the database that no service of a server makes."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._added: list[str] = []

    async def add_calibration(self, device: str, body: str, now: int) -> None:
        """Add a calibration, given as JSON, that is valid from now on."""
        id_ = new_id(now)
        self._added.append(id_)
        await self._database.write(lambda tx: _add_calibration(tx, id_, device, body, now))

    async def remove_calibrations(self) -> None:
        """Remove the calibrations that `add_calibration` has added."""
        added, self._added = self._added, []
        if added:
            await self._remove_calibrations(added)

    @write
    def _remove_calibrations(tx: Tx, ids: list[str]) -> None:
        listed = ", ".join(map(_text, ids))
        cast("Session", tx).command(f"delete from calibration where id in ({listed})")  # noqa: S608 - escaped

    @write
    def expire_tokens(tx: Tx, account: str, now: int) -> None:
        cast("Session", tx).command(
            f"update token set expires_at = {int(now)} where account = {_text(account)}"  # noqa: S608 - escaped
        )

    @write
    def set_budget(tx: Tx, project: str, now: int) -> None:
        """Replace a project's budgets by one of which nothing is left."""
        values = f"{_text(new_id(now))}, {_text(project)}, '', 'jobs', 'total', 1, 1, 0, {int(now)}"
        session = cast("Session", tx)
        session.command(f"delete from budget where project = {_text(project)}")  # noqa: S608 - escaped
        session.command(f"insert into budget values ({values})")  # noqa: S608 - escaped

    @write
    def put_device(tx: Tx, device: Device) -> None:
        body = _text(msgspec.json.encode(device).decode())
        cast("Session", tx).command(
            f"update device set body = {body} where name = {_text(device.name)}"  # noqa: S608 - escaped
        )


def _add_calibration(tx: Tx, id_: str, device: str, body: str, now: int) -> None:
    number, _ = tx.one("calibration_last", device=device) or (0, None)
    tx.run("calibration_add", id=id_, device=device, number=number + 1, valid_from=now, body=body)


def _text(text: str) -> str:
    """Return a text as an SQL literal. Only statements of the test bed are built this way."""
    return "'" + text.replace("'", "''") + "'"


def worsen(calibration: Calibration, factor: float, now: int) -> Calibration:
    """Return a calibration with larger errors and shorter lifetimes.

    Args:
        calibration: The calibration.
        factor: Factor of all errors, which stay at most 1, and divisor of all lifetimes.
        now: Beginning of its validity in Unix milliseconds.
    """

    def gate(figures: GateFigures) -> GateFigures:
        return structs.replace(figures, error=min(1.0, figures.error * factor))

    def qubit(figures: QubitFigures) -> QubitFigures:
        return structs.replace(
            figures,
            t1_s=figures.t1_s / factor,
            t2_s=figures.t2_s / factor,
            one_for_zero=min(1.0, figures.one_for_zero * factor),
            zero_for_one=min(1.0, figures.zero_for_one * factor),
            gate=None if figures.gate is None else gate(figures.gate),
        )

    return structs.replace(
        calibration,
        valid_from=datetime.fromtimestamp(now / 1000, UTC),
        qubit=qubit(calibration.qubit),
        one_qubit=gate(calibration.one_qubit),
        two_qubit=gate(calibration.two_qubit),
        qubits={number: qubit(each) for number, each in calibration.qubits.items()},
        pairs=tuple(
            structs.replace(each, error=min(1.0, each.error * factor)) for each in calibration.pairs
        ),
    )
