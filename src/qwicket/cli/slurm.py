"""`qwicket slurm`: devices as licences of Slurm, and use beside that of its jobs."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

import click

from qwicket.cli import options
from qwicket.cli.commands import Section
from qwicket.cli.listing import Row, json_flag, print_rows
from qwicket.cli.usage import days, print_csv

if TYPE_CHECKING:
    from datetime import datetime

    from qwicket.cli.administration import Administration
    from qwicket.scaling.accounting import SlurmJob
    from qwicket.schema.budgets import UseBody

_COLUMNS: Final = (
    *("slurm_job", "project", "account", "jobs", "shots", "seconds", "cost"),
    *("said_account", "slurm_account", "slurm_user", "state", "cpu_seconds", "agrees"),
)
_log = logging.getLogger(__name__)


@click.group(cls=Section, short_help="Connect a server with Slurm: licences and accounting.")
def slurm() -> None:
    """Connect a server with Slurm, where its commands sacctmgr and sacct are."""


@slurm.command()
@click.option("--once", is_flag=True, help="Set the numbers once, and end.")
@click.option(
    "--device",
    "names",
    multiple=True,
    metavar="NAME",
    help="A device that becomes a licence; by default all. Repeatable.",
)
@click.option(
    "--server",
    default="qwicket",
    show_default=True,
    metavar="NAME",
    help="Name of the server of licences: jobs ask for device@NAME, in lower case.",
)
@click.option(
    "--cluster",
    default="",
    metavar="NAME",
    help="Name of Slurm's cluster; by default that of slurm.conf.",
)
@click.option(
    "--every-s",
    default=30.0,
    show_default=True,
    type=options.FloatRange(1, 86_400),
    metavar="SECONDS",
    help="Time between two looks at the devices.",
)
@options.administration
def licenses(
    once: bool,
    names: tuple[str, ...],
    server: str,
    cluster: str,
    every_s: float,
    admin: Administration,
) -> None:
    """Keep a remote licence of Slurm for each slot of a device.

    A job of Slurm with --licenses=device@qwicket then waits until the device has a free slot.
    Licences of slots that jobs from elsewhere take, or of a device that is off, are reserved. The
    command needs the rights of an operator in Slurm. After SIGTERM or Ctrl-C the licences stay as
    they are.
    """
    from qwicket.clients.native import ClientError
    from qwicket.scaling import SiteError
    from qwicket.scaling.licenses import Licenses
    from qwicket.schema.admin import SlotsList

    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    mirrored, leaving = Licenses(server, cluster), threading.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        if not once:
            signal.signal(each, lambda _number, _frame: leaving.set())
    while True:
        try:
            found = {each.device: each for each in admin.get("slots", of=SlotsList).devices}
            if unknown := set(names) - found.keys():
                raise click.BadParameter(
                    f"there is no device {min(unknown)!r}.", param_hint="--device"
                )
            for line in mirrored.mirror(found[name] for name in names or found):
                _log.info("%s", line)
        except (SiteError, ClientError) as error:
            if once:
                raise click.ClickException(f"{error}") from None
            _log.error("%s", error)
        if once or leaving.wait(every_s):
            return


@slurm.command("usage")
@days
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values with a heading.")
@json_flag
@options.administration
def joined_usage(
    first: datetime | None,
    last: datetime | None,
    as_csv: bool,
    as_json: bool,
    admin: Administration,
) -> None:
    """Show what jobs used, beside the rows of sacct for the jobs of Slurm that their clients named.

    The column "agrees" is "no" where sacct knows no such job, or another account than the client
    said: nothing else checks what clients say.
    """
    from qwicket.scaling import SiteError
    from qwicket.scaling.accounting import slurm_jobs
    from qwicket.schema.budgets import UseList

    if as_csv and as_json:
        raise click.UsageError("Give --csv or --json, not both.")
    query = {"by": "slurm_job,slurm_account,project,account"}
    for name, day in (("from", first), ("to", last)):
        if day is not None:
            query[name] = day.date().isoformat()
    used = [each for each in admin.get("usage", query=query, of=UseList).usage if each.slurm_job]
    try:
        known = slurm_jobs([each.slurm_job or "" for each in used])
    except SiteError as error:
        raise click.ClickException(f"{error}.") from None
    records = [_joined(each, known.get(each.slurm_job or "")) for each in used]
    if as_csv:
        print_csv(_COLUMNS, records)
    else:
        rows = [Row(each, [str(each[name]) for name in _COLUMNS]) for each in records]
        print_rows(rows, _COLUMNS, as_json)


def _joined(use: UseBody, job: SlurmJob | None) -> dict[str, Any]:
    """Return a line: what was used, and what Slurm knows of the job."""
    agrees = job is not None and use.slurm_account in ("", job.account)
    return {
        "slurm_job": use.slurm_job,
        "project": use.project,
        "account": use.account,
        "jobs": use.jobs,
        "shots": use.shots,
        "seconds": use.seconds,
        "cost": use.cost,
        "said_account": use.slurm_account,
        "slurm_account": job.account if job else "",
        "slurm_user": job.user if job else "",
        "state": job.state if job else "",
        "cpu_seconds": job.cpu_s if job else 0,
        "agrees": "yes" if agrees else "no",
    }
