"""`qwicket reservation`: devices for projects in a time window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from qwicket.cli import completers, options
from qwicket.cli.commands import Section
from qwicket.cli.listing import Row, json_flag, json_line, minute_of, print_rows, second_of
from qwicket.schema import reservations as schema

if TYPE_CHECKING:
    from qwicket.cli.administration import Administration

_HEADINGS: Final = ("id", "device", "from", "until", "for", "what", "reason")


@click.group(cls=Section, short_help="Reserve a device for projects in a time window.")
def reservation() -> None:
    """Add, list and remove reservations of devices and maintenance windows."""


@reservation.command("add", short_help="Reserve a device for projects in a time window.")
@click.argument("device", shell_complete=completers.stored_device)
@click.option(
    "--project",
    "projects",
    multiple=True,
    required=True,
    metavar="P",
    help="Project whose jobs may start in the window. Repeatable.",
)
@options.window
@click.option(
    "--slots",
    type=click.IntRange(1, 10_000),
    metavar="N",
    help="Reserve N slots of the device, and leave the others to other projects; by default all.",
)
@click.option(
    "--exclusive",
    is_flag=True,
    help="Also reserve the other devices that use the same workers.",
)
@click.option(
    "--exam",
    type=click.IntRange(1, 10_000),
    metavar="N",
    help="Exam: only tokens of the projects may submit, and each account has at most N jobs"
    " waiting on the device.",
)
@click.option(
    "--withhold-results",
    is_flag=True,
    help="With --exam: show results of jobs that are submitted in the exam only after its end.",
)
@click.option("--reason", default="", help="Reason, which users see.")
@json_flag
@options.administration
def add(
    device: str,
    projects: tuple[str, ...],
    window: options.Window,
    slots: int | None,
    exclusive: bool,
    exam: int | None,
    withhold_results: bool,
    reason: str,
    as_json: bool,
    admin: Administration,
) -> None:
    """Reserve DEVICE for projects in a time window; print the id of the reservation.

    In the window, jobs of other projects wait, or share the slots that --slots leaves. Before it,
    those that might still run when it begins do not start. Running jobs are not stopped.
    """
    body = schema.NewReservationBody(
        device=device,
        projects=projects,
        begin=window.begin,
        until=window.until,
        slots=slots,
        exclusive=exclusive,
        drain_s=window.drain_s,
        exam_waiting=exam,
        withhold_results=withhold_results,
        reason=reason,
    )
    made = admin.post("reservations", body=body, of=schema.ReservationBody)
    click.echo(json_line(_record(made)) if as_json else made.id)


@reservation.command("list", short_help="List reservations and maintenance windows.")
@json_flag
@options.administration
def list_reservations(as_json: bool, admin: Administration) -> None:
    """List the reservations and maintenance windows of devices that have not ended."""
    found = admin.get("reservations", of=schema.ReservationList).reservations
    print_rows([Row(_record(each), _cells(each)) for each in found], _HEADINGS, as_json)


@reservation.command("remove", short_help="Remove a reservation or maintenance window.")
@click.argument("reservation_id", metavar="ID")
@click.option("--series", is_flag=True, help="Remove all windows of its weekly series.")
@options.administration
def remove(reservation_id: str, series: bool, admin: Administration) -> None:
    """Remove the reservation or maintenance window ID: it ends at once, or does not begin."""
    query = {"series": "true"} if series else None
    admin.change("DELETE", "reservations", reservation_id, query=query)


def _record(reservation: schema.ReservationBody) -> dict[str, Any]:
    record: dict[str, Any] = msgspec.to_builtins(reservation)
    return record | {"from": second_of(reservation.begin), "until": second_of(reservation.until)}


def _cells(reservation: schema.ReservationBody) -> tuple[str, ...]:
    details = (
        []
        if reservation.slots is None
        else [f"{reservation.slots:,} {'slot' if reservation.slots == 1 else 'slots'}"]
    )
    details += ["exclusive"] * reservation.exclusive
    if reservation.exam_waiting is not None:
        details.append(f"exam, {reservation.exam_waiting:,} waiting")
    details += ["results withheld"] * reservation.withhold_results
    if reservation.series is not None:
        details.append("weekly")
    return (
        reservation.id,
        reservation.device,
        minute_of(reservation.begin or ""),
        minute_of(reservation.until or ""),
        ",".join(reservation.projects) or reservation.kind,
        ", ".join(details),
        reservation.reason,
    )
