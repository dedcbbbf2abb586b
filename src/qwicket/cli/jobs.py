"""Commands that use a server over HTTP (QWICKET_URL, QWICKET_TOKEN)."""

from __future__ import annotations

import json
import sys
from typing import IO, TYPE_CHECKING, Any, Final

import click

from qwicket.cli.commands import INTERRUPTED
from qwicket.cli.options import client_errors, inputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.clients.native import Job, Result

_BAR_WIDTH: Final = 40
_MOST_BARS: Final = 16


@click.command(short_help="Submit a program and print the job's id.")
@click.argument("file", type=click.File("r", encoding="utf-8-sig"))
@click.option("--device", required=True, metavar="D", help="Name of the device.")
@click.option(
    "--shots",
    default=1000,
    show_default=True,
    type=click.IntRange(1),
    metavar="N",
    help="Shots per circuit.",
)
@click.option(
    "--format",
    "format_name",
    metavar="F",
    help="Format of the program; by default told from its text.",
)
@inputs
@click.option(
    "--engine",
    default="",
    metavar="E",
    help="Name of one of the device's engines; by default the one that suits the program.",
)
@click.option("--wait", is_flag=True, help="Wait for the end and print the counts.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON, for scripts.")
@client_errors
def submit(
    file: IO[str],
    device: str,
    shots: int,
    format_name: str | None,
    engine: str,
    inputs: tuple[tuple[str, float], ...],
    wait: bool,
    as_json: bool,
) -> None:
    """Submit the program in FILE ("-" is standard input) and print the job's id.

    The server is that of QWICKET_URL, by default http://127.0.0.1:8000, and the token that of
    QWICKET_TOKEN. The exit status is 1 when the job was refused or, with --wait, did not
    complete. The job goes on when the wait is interrupted.
    """
    from qwicket.clients.native import connect

    try:
        program = file.read()
    except ValueError:
        raise click.ClickException("The program is no UTF-8 text.") from None
    with connect() as client:
        job = client.submit(
            program, device, shots=shots, format=format_name, engine=engine, inputs=dict(inputs)
        )
        if wait:
            _follow(job, as_json)
        else:
            click.echo(_json(id=job.id, state=job.state) if as_json else job.id)


def _follow(job: Job, as_json: bool) -> None:
    """Wait for a job and print what it gave."""
    from qwicket.clients.native import ClientError, JobFailed, WaitTimeout

    try:
        result = job.result()
    except KeyboardInterrupt:
        click.echo(f"\nJob {job.id} goes on.", err=True)
        sys.exit(INTERRUPTED)
    except JobFailed as error:
        if as_json:
            click.echo(_json(id=job.id, state=job.state, error=str(error), parts=[]))
        raise
    except WaitTimeout:
        raise
    except ClientError as error:
        raise click.ClickException(f"Job {job.id} is submitted. {error}") from None
    click.echo(_as_json(job, result) if as_json else _as_text(job, result))
    if job.state != "completed":
        raise click.ClickException(f"Job {job.id} {job.state}.")


def _as_json(job: Job, result: Result) -> str:
    parts = [
        {"counts": part.counts, "engine": part.engine, "error": part.error, "seed": part.seed}
        for part in result.parts
    ]
    return _json(id=job.id, state=job.state, error=None, parts=parts)


def _json(**values: Any) -> str:
    return json.dumps(values, sort_keys=True)


def _as_text(job: Job, result: Result) -> str:
    lines = [f"{job.id}  {job.state}"]
    for part in result.parts:
        lines += [f"  {part.error}"] if part.error else bars(part.counts)
    return "\n".join(lines)


def bars(counts: Mapping[str, int]) -> list[str]:
    """Return counts as bars, the most frequent outcomes first."""
    total = sum(counts.values())
    ranked = sorted(
        (item for item in counts.items() if item[1]), key=lambda item: (-item[1], item[0])
    )
    lines = [
        f"  {key}  {n:>7}  {'█' * max(1, round(_BAR_WIDTH * n / total))}"
        for key, n in ranked[:_MOST_BARS]
    ]
    if len(ranked) > _MOST_BARS:
        lines.append(f"  … and {len(ranked) - _MOST_BARS} more outcomes")
    return lines
