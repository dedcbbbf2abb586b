"""`qwicket submit`: submit a program as a job, over HTTP."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import click

from qwicket.cli import completers, options, results
from qwicket.cli.commands import INTERRUPTED
from qwicket.cli.job_view import print_page
from qwicket.cli.listing import json_flag, json_line
from qwicket.clients.http import sanitize
from qwicket.model.choices import BEST

if TYPE_CHECKING:
    from qwicket.cli.options import Connect
    from qwicket.clients.native import Client, Job
    from qwicket.clients.native.client import Options

_BY_EXTENSION: Final = {".xbb": "blackbird"}
"""Formats that the extension decides; for other files the device's default or the text does."""


@click.command(short_help="Submit a program and print the job's id.")
@click.argument("file", type=click.File("r", encoding="utf-8-sig"))
@click.option(
    "--device",
    required=True,
    metavar="D",
    shell_complete=completers.device,
    help="Name of the device; several with commas, or best, let the server choose one.",
)
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
    help="Format of the program; by default detected from the extension or the text.",
)
@options.inputs
@click.option(
    "--engine",
    default="",
    metavar="E",
    help="Name of one of the device's engines; by default the one that suits the program.",
)
@click.option(
    "--noise",
    metavar="MODEL",
    shell_complete=completers.noise,
    help="Name of one of the device's noise models; by default none.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    metavar="N",
    help="Seed of the random numbers; by default the server draws one.",
)
@options.weights
@click.option(
    "--output",
    "outputs",
    multiple=True,
    metavar="O",
    help="Output to return: counts, memory, probabilities or samples; by default counts, or what"
    " the device returns. Repeatable.",
)
@click.option(
    "--key",
    metavar="KEY",
    help="Idempotency key: the same program under the same key is the same job for 24 hours.",
)
@click.option("--name", default="", metavar="NAME", help="A name for the job.")
@click.option("--tag", "tags", multiple=True, metavar="T", help="A word to find it by. Repeatable.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Only show what the job would take: run time, start, cost, budgets and candidates.",
)
@click.option("--wait", is_flag=True, help="Wait for the end and print the result.")
@json_flag
@options.server
def submit(
    connect: Connect,
    file: IO[str],
    device: str,
    shots: int,
    format_name: str | None,
    engine: str,
    inputs: tuple[tuple[str, float], ...],
    noise: str | None,
    seed: int | None,
    weights: tuple[tuple[str, float], ...],
    outputs: tuple[str, ...],
    key: str | None,
    name: str,
    tags: tuple[str, ...],
    dry_run: bool,
    wait: bool,
    as_json: bool,
) -> None:
    """Submit the program in FILE ("-" is standard input) and print the job's id.

    The address of the job's page is printed to standard error, and with --json beside the id.
    The token is that of QWICKET_TOKEN or of the profile. The exit status is 1 when the job was
    refused; with --wait it is 3 when it failed, 4 when it was cancelled. The job continues when the
    wait is interrupted. With --dry-run nothing is submitted, and the exit status is 1 when a budget
    would refuse the job.
    """
    from qwicket.clients.native import ProgramText

    try:
        program = ProgramText(file.read())  # or a program of one line could name another file
    except ValueError:
        raise click.ClickException("The program is not UTF-8 text.") from None
    extension = Path(str(getattr(file, "name", ""))).suffix.lower()
    with connect() as client:
        job_options: Options = {
            "engine": engine,
            "inputs": dict(inputs),
            "noise": noise,
            "seed": seed,
        }
        job_options |= {"name": name, "tags": tags, "key": key}
        if chosen := format_name or _BY_EXTENSION.get(extension):
            job_options["format"] = chosen
        if outputs:
            job_options["outputs"] = outputs
        if weights:
            job_options["weights"] = dict(weights)
        names = device.split(",") if "," in device else device
        if dry_run:
            from qwicket.cli.estimates import print_estimate

            sys.exit(print_estimate(client, program, names, shots, job_options, as_json=as_json))
        job = _submitted(client, program, names, shots, job_options)
        if not wait:
            record = {"id": job.id, "url": job.url, "state": job.state}
            if job.body.choice is not None:
                record["device"] = job.body.device
            click.echo(json_line(record) if as_json else job.id)
        if not as_json:
            if job.body.choice is not None:
                click.echo(f"Device: {sanitize(job.body.device)}", err=True)
            print_page(job)
        if wait:
            sys.exit(_follow(job, as_json))


def _submitted(
    client: Client, program: str, device: str | list[str], shots: int, job_options: Options
) -> Job:
    """Submit with the device's defaults for absent options, if the token may read devices.

    Of several devices, the defaults are those of the first.
    """
    from qwicket.clients.native import ApiError

    is_whole = "outputs" in job_options and "format" in job_options
    if is_whole or device == BEST:
        return client.submit(program, device, shots=shots, **job_options)
    try:
        found = client.device(device if isinstance(device, str) else device[0])
    except ApiError as error:
        if error.status == 404:
            raise click.ClickException(f"{error} See: qwicket devices.") from None
        if error.status != 403:
            raise
        return client.submit(program, device, shots=shots, **job_options)
    if isinstance(device, str):
        return found.run(program, shots, **job_options)
    defaults: Options = {**found.default_options(program), **job_options}
    return client.submit(program, device, shots=shots, **defaults)


def _follow(job: Job, as_json: bool) -> int:
    """Wait for a job, print its result or error, and return the exit status."""
    from qwicket.clients.native import ClientError, JobFailed, WaitTimeout

    try:
        if sys.stderr.isatty() and not as_json:
            from qwicket.cli.watch import show_wait

            show_wait(job)
        result = job.result(None)
    except KeyboardInterrupt:
        click.echo(f"\nJob {job.id} continues.", err=True)
        return INTERRUPTED
    except JobFailed as error:
        if as_json:
            failed = {"state": job.state, "error": str(error), "parts": []}
            click.echo(json_line({"id": job.id, "url": job.url, **failed}))
        click.echo(f"Error: {error}", err=True)
        return results.exit_status(job.state)
    except WaitTimeout:  # its text has the id, too
        raise
    except ClientError as error:
        raise click.ClickException(f"Job {job.id} is submitted. {error}") from None
    if as_json:
        click.echo(json_line({"url": job.url, **results.record(job, result)}))
    else:
        click.echo("\n".join(results.lines(job, result)))
    if job.state != "completed":
        click.echo(f"Error: Job {job.id} {job.state}.", err=True)
    return results.exit_status(job.state)
