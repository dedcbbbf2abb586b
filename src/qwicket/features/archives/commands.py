"""`qwicket archive`, over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from qwicket.cli import completers, options

if TYPE_CHECKING:
    from qwicket.cli.options import Connect


@click.command(short_help="Save a job with its program and result in one file.")
@click.argument("job_id", metavar="ID", shell_complete=completers.job)
@click.argument("file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@options.server
def archive(connect: Connect, job_id: str, file: Path) -> None:
    """Save the job ID, which must have ended, in FILE.

    FILE is a ZIP file of JSON and NumPy arrays: the job, its program and options, the calibration
    under which it was submitted, and its result. An existing file is replaced. In Python,
    qwicket.clients.native.read_archive(FILE) reads it without a server.
    """
    with connect() as client:
        job = client.job(job_id)
        if not job.is_final:
            raise click.ClickException(
                f"Job {job.id} is {job.state}. Wait for it with: qwicket watch {job.id}"
            )
        try:
            job.archive(file)
        except OSError as error:
            raise click.ClickException(f"{file}: {error.strerror}.") from None
    click.echo(f"{job.id}  {file}  {file.stat().st_size:,} bytes")
