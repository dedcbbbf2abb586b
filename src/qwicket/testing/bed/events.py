"""Events: what happens to an account, a session or a device while a client waits for a job."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, cast

import msgspec
from msgspec import structs

from qwicket.model.ids import new_id
from qwicket.store.operations import Operations, write
from qwicket.testing.bed.journal import RECORD
from qwicket.testing.values import EVENTS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qwicket.circuits.calibrations import Calibration, GateFigures, QubitFigures
    from qwicket.gateway import Gateway
    from qwicket.model.devices import Device
    from qwicket.model.jobs import Job
    from qwicket.store import Store
    from qwicket.store.batch import Session
    from qwicket.store.database import Database, Tx
    from qwicket.testing.bed.journal import Record
    from qwicket.testing.bed.scenarios import Scenarios
    from qwicket.testing.values import BudgetUnit, Scenario

_CACHE_S: Final = 0.11
"""A server remembers tokens and the state of a device for 0.1 s."""


class Events:
    """Lets the events of scenarios happen: after the submission of a job, or the n-th read of it.

    Args:
        gateway: The services of the server.
        store: The database.
        operations: Changes that no service makes.
        scenarios: Say what happens.
        revoke: Revokes the tokens of the account with an id.
        forget: Forgets them, so that the account gets others when it is asked for again.
        now_ms: Clock; returns Unix milliseconds.
    """

    def __init__(
        self,
        gateway: Gateway,
        store: Store,
        operations: Unusual,
        scenarios: Scenarios,
        revoke: Callable[[str], Awaitable[None]],
        forget: Callable[[str], None],
        now_ms: Callable[[], int],
    ) -> None:
        self._gateway = gateway
        self._store = store
        self._operations = operations
        self._scenarios = scenarios
        self._revoke = revoke
        self._forget = forget
        self._now_ms = now_ms
        self._reads: dict[str, int] = {}
        self._last: dict[str, Record] = {}
        self._devices: dict[str, Device] = {}
        self._happened = False

    async def after(self, job: Job) -> None:
        """Count a request that made or read a job, once; let the event happen that it waits for."""
        scenario, record = self._scenarios.of(job.id), RECORD.get()
        if scenario is None or record is None or scenario.kind not in EVENTS:
            return
        if self._last.get(job.id) is record:
            return
        self._last[job.id] = record
        count = self._reads.get(job.id, -1) + 1
        self._reads[job.id] = count
        if count == (scenario.polls or 0):
            await self._happen(scenario, job)
            await asyncio.sleep(_CACHE_S)

    async def budget(
        self, project: str, maximum: float, unit: BudgetUnit, device: str | None
    ) -> None:
        """Set what the jobs of a project may use in all."""
        self._happened = True
        await self._gateway.budgets.put(project, unit, "total", maximum, device=device)

    async def restore(self) -> None:
        """Undo what events and budgets have changed, but for tokens."""
        self._reads.clear()
        self._last.clear()
        if not self._happened:
            return
        self._happened = False
        for each in await self._gateway.budgets.all():
            await self._gateway.budgets.remove(each.budget.id)
        for device in self._devices.values():
            await self._operations.put_device(device)
        self._devices.clear()
        await self._operations.remove_calibrations()
        await asyncio.sleep(_CACHE_S)

    async def _happen(self, scenario: Scenario, job: Job) -> None:
        self._happened = True
        match scenario.kind:
            case "revoke_token":
                await self._revoke(job.account)
            case "expire_token":
                await self._operations.expire_tokens(job.account, self._now_ms())
                self._forget(job.account)
            case "close_session":
                if job.group is not None:
                    await self._store.groups.close(job.group, self._now_ms())
            case "spend_budget":
                await self._operations.set_budget(job.project, self._now_ms())
            case "change_limits":
                await self._change_limits(job.device, scenario)
            case _:
                await self._recalibrate(job.device, scenario.factor)

    async def _change_limits(self, name: str, scenario: Scenario) -> None:
        device = await self._store.devices.get(name)
        assert device is not None, name  # it has a job
        self._devices.setdefault(name, device)
        spec = device.spec
        spec = structs.replace(
            spec,
            max_shots=spec.max_shots if scenario.max_shots is None else scenario.max_shots,
            qubits=spec.qubits if scenario.qubits is None else scenario.qubits,
        )
        await self._operations.put_device(structs.replace(device, spec=spec))

    async def _recalibrate(self, name: str, factor: float) -> None:
        now = self._now_ms()
        found = await self._store.calibrations.at(name, now)
        assert found is not None, name  # else its job was refused
        worse = worsened(found.body, factor, now)
        body = msgspec.json.encode(worse).decode()
        await self._operations.add_calibration(name, body, now)


class Unusual(Operations):
    """Changes of the database that no service of a server makes."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._added: list[str] = []

    async def add_calibration(self, device: str, body: str, now: int) -> None:
        """Add a calibration that is valid from now on."""
        id_ = new_id(now)
        self._added.append(id_)
        await self._database.write(lambda tx: _add_calibration(tx, id_, device, body, now))

    async def remove_calibrations(self) -> None:
        """Remove the calibrations that were added."""
        added, self._added = self._added, []
        if added:
            await self._remove_calibrations(added)

    @write
    def _remove_calibrations(tx: Tx, ids: list[str]) -> None:
        listed = ", ".join(map(_text, ids))
        cast("Session", tx).command(f"delete from calibration where id in ({listed})")  # noqa: S608 - ours

    @write
    def expire_tokens(tx: Tx, account: str, now: int) -> None:
        cast("Session", tx).command(
            f"update token set expires_at = {int(now)} where account = {_text(account)}"  # noqa: S608 - ours
        )

    @write
    def set_budget(tx: Tx, project: str, now: int) -> None:
        """Give a project a budget of which nothing is left."""
        values = f"{_text(new_id(now))}, {_text(project)}, '', 'jobs', 'total', 1, 1, 0, {int(now)}"
        session = cast("Session", tx)
        session.command(f"delete from budget where project = {_text(project)}")  # noqa: S608 - ours
        session.command(f"insert into budget values ({values})")  # noqa: S608 - ours

    @write
    def put_device(tx: Tx, device: Device) -> None:
        body = _text(msgspec.json.encode(device).decode())
        cast("Session", tx).command(
            f"update device set body = {body} where name = {_text(device.name)}"  # noqa: S608 - ours
        )


def _add_calibration(tx: Tx, id_: str, device: str, body: str, now: int) -> None:
    number, _ = tx.one("calibration_last", device=device) or (0, None)
    tx.run("calibration_add", id=id_, device=device, number=number + 1, valid_from=now, body=body)


def _text(text: str) -> str:
    """Return a text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def worsened(calibration: Calibration, factor: float, now: int) -> Calibration:
    """Return a calibration of now with `factor` times the errors and lifetimes as much shorter."""

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
