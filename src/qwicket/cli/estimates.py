"""`qwicket submit --dry-run`: what a job would take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from qwicket.cli.listing import json_line, print_fields
from qwicket.clients.http import sanitize
from qwicket.clients.native import ApiError
from qwicket.clients.native.progress import duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qwicket.clients.native import Client
    from qwicket.clients.native.client import Options
    from qwicket.schema.jobs import BudgetNeedBody, EstimateBody


def print_estimate(
    client: Client, program: str, device: str, shots: int, options: Options, *, as_json: bool
) -> int:
    """Print what a job would take; return the exit status: 1 if a budget would refuse it."""
    if "outputs" not in options or "format" not in options:
        options = {**_default_options(client, program, device), **options}
    found = client.estimate(program, device, shots=shots, **options)
    if as_json:
        click.echo(json_line(msgspec.to_builtins(found)))
    else:
        print_fields(_fields(found))
    refusals = [each.refusal for each in found.budgets if each.refusal]
    for refusal in refusals:
        click.echo(f"Error: {sanitize(refusal)}", err=True)
    return 1 if refusals else 0


def _default_options(client: Client, program: str, device: str) -> Options:
    """Return the device's default options for a program, if the token may read devices."""
    try:
        return client.device(device).default_options(program)
    except ApiError as error:
        if error.status == 404:
            raise click.ClickException(f"{error} See: qwicket devices.") from None
        if error.status != 403:
            raise
    return {}


def _fields(of: EstimateBody) -> Iterator[tuple[str, str]]:
    circuits = "circuit" if of.circuits == 1 else "circuits"
    yield "device", sanitize(of.device)
    yield "program", f"{sanitize(of.format)}, {of.circuits:,} {circuits}, {of.qubits:,} qubits"
    yield "shots", f"{of.shots:,}"
    yield "run time", _time(of.run_s)
    yield "waiting", f"{of.waiting:,} jobs"
    yield "starts", "unknown" if of.starts_in_s is None else f"in about {_time(of.starts_in_s)}"
    if of.cost is not None:
        yield "cost", f"{of.cost:,.6g} credits"
    for each in of.budgets:
        yield "budget", _need(each)


def _time(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds < 1 else duration(seconds)


def _need(of: BudgetNeedBody) -> str:
    where = f" on {sanitize(of.device)}" if of.device else ""
    per = "in total" if of.period == "total" else f"a {sanitize(of.period)}"
    unit = {"cost": "credits"}.get(of.unit, sanitize(of.unit))
    verdict = ": not enough" if of.refusal else ""
    return (
        f"needs {of.needed:,.6g} of {of.left:,.6g} {unit} left"
        f" ({of.maximum:,.6g} {per}{where}){verdict}"
    )
