"""Operations on reservations and maintenance windows of devices.

Both are called windows. The statements that claim jobs read them in their own transaction, so a
window that one server stores holds at all servers on the database from its commit on.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from msgspec import structs

from qwicket.features.reservations import FEATURE
from qwicket.model.errors import Conflict, NotFound
from qwicket.model.limits import INT64_MAX
from qwicket.model.reservations import Reservation
from qwicket.store.operations import Operations, read, scan, write
from qwicket.store.rows import existing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.store import Store
    from qwicket.store.database import Row, Tx

_COLUMNS: Final = tuple(
    [each.removeprefix("reservation.") for each in FEATURE.columns["reservation"].split(", ")]
)
_KEPT_MS: Final = 7 * 86_400_000
"""Time for which windows are kept after their end."""
_FLAGS: Final = ("is_exclusive", "withholds_results")


class ReservationStore(Operations):
    """Operations on windows."""

    @write
    def add(tx: Tx, new: Sequence[Reservation], projects: Sequence[str]) -> list[Reservation]:
        """Store windows, all or none.

        Args:
            tx: The transaction.
            new: The windows, without their projects.
            projects: Names of the projects whose jobs may run in them.

        Raises:
            NotFound: There is no such project.
            Conflict: A new window is a reservation, and its device has another one in this time.
        """
        ids = frozenset(_project(tx, name) for name in projects)
        return [_add(tx, structs.replace(each, projects=ids)) for each in new]

    @scan
    def all(tx: Tx, now: int) -> list[Reservation]:
        """Return the windows that have not ended, by their start."""
        return complete(tx, tx.all("reservation_list", now=now))

    @read
    def of_device(tx: Tx, device: str, now: int, before: int = INT64_MAX) -> list[Reservation]:
        """Return the windows of a device that have not ended and begin before a time."""
        return windows(tx, device, now, before)

    @read
    def get(tx: Tx, reservation: str) -> Reservation | None:
        row = tx.one("reservation_get", id=reservation)
        return complete(tx, [row])[0] if row else None

    @read
    def project_names(tx: Tx, reservation: str) -> list[str]:
        """Return the names of a reservation's projects, without those below them, in order."""
        return sorted(name for (name,) in tx.all("reservation_project_names", id=reservation))

    @read
    def project_names_for(tx: Tx, reservation: str, account: str) -> list[str]:
        """Return the names of a reservation's projects of which an account is a member."""
        found = tx.all("reservation_projects_of_member", id=reservation, account=account)
        return sorted(name for (name,) in found)

    @write
    def remove(tx: Tx, reservation: str, now: int, *, with_series: bool = False) -> None:
        """Delete a window, or all of its weekly series; show the results that it withholds.

        Raises:
            NotFound: There is no such window.
        """
        detail = f"There is no reservation or maintenance window {reservation}."
        found = existing(tx.one("reservation_get", id=reservation), detail)
        if found[_COLUMNS.index("withholds_results")]:
            tx.run("reservation_release_results", id=reservation, now=now)
        series = found[_COLUMNS.index("series")]
        if with_series and series is not None:
            tx.run("reservation_delete_series", series=series)
        else:
            tx.run("reservation_delete", id=reservation)


def windows(tx: Tx, device: str, now: int, before: int) -> list[Reservation]:
    """Return the windows of a device that have not ended and begin before a time."""
    return complete(tx, tx.all("reservation_of_device", device=device, now=now, before=before))


async def delete_ended(store: Store, now: int) -> None:
    """Delete the windows that ended a while ago."""
    before = now - _KEPT_MS
    await store.maintenance.run_if_due("reservation_due", "reservation_purge", before=before)


def complete(tx: Tx, rows: Sequence[Row]) -> list[Reservation]:
    """Return the windows of some rows, with their devices and projects, by their start."""
    made = [_reservation(tx, row) for row in rows]
    return sorted(made, key=lambda each: (each.from_at, each.id))


def _project(tx: Tx, name: str) -> str:
    row = tx.one("project_by_name", name=name)
    if row is None:
        raise NotFound(f"There is no project {name}.", field="project")
    return str(row[0])


def _add(tx: Tx, new: Reservation) -> Reservation:
    if new.kind == "reservation":
        for device in new.devices:
            _check_overlap(tx, new, device)
    columns = {name: getattr(new, name) for name in _COLUMNS}
    flags = {name: int(columns[name]) for name in _FLAGS}
    tx.run("reservation_add", **columns | flags)
    for device in new.devices:
        tx.run("reservation_device_add", device=device, until_at=new.until_at, reservation=new.id)
    for project in new.projects:
        tx.run("reservation_project_add", reservation=new.id, project=project)
    for project in new.projects:
        tx.run("reservation_project_add_below", reservation=new.id, project=project)
    return new


def _check_overlap(tx: Tx, new: Reservation, device: str) -> None:
    times = {"from_at": new.from_at, "until_at": new.until_at}
    row = tx.one("reservation_overlap", device=device, **times)
    if row is not None:
        reservation, from_at, until_at = row
        raise Conflict(
            f"{device} is reserved from {_time(from_at)} to {_time(until_at)} (reservation"
            f" {reservation}): choose another time, or remove that one.",
            field="from",
        )


def _reservation(tx: Tx, row: Row) -> Reservation:
    values = dict(zip(_COLUMNS, row, strict=True))
    values |= {name: bool(values[name]) for name in _FLAGS}
    made = Reservation(**values, devices=(values["device"],))
    if made.is_exclusive:
        devices = tx.all("reservation_devices", id=made.id)
        made = structs.replace(made, devices=tuple(sorted(device for (device,) in devices)))
    if made.kind == "reservation":
        projects = tx.all("reservation_projects", id=made.id)
        made = structs.replace(made, projects=frozenset(project for (project,) in projects))
    return made


def _time(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
