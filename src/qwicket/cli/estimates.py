"""`qwicket submit --dry-run`: what a job would take, and how its device is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from qwicket.cli.listing import amount_text, json_line, print_fields
from qwicket.clients.http import sanitize
from qwicket.clients.native import ApiError
from qwicket.clients.native.progress import duration
from qwicket.model.choices import BEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qwicket.clients.native import Client
    from qwicket.clients.native.client import Options
    from qwicket.schema.jobs import (
        BoundsNeedBody,
        BudgetNeedBody,
        CandidateBody,
        ChoiceBody,
        EstimateBody,
    )


def print_estimate(
    client: Client,
    program: str,
    device: str | list[str],
    shots: int,
    options: Options,
    *,
    as_json: bool,
) -> int:
    """Print what a job would take; return the exit status: 1 if a budget would refuse it."""
    is_whole = "outputs" in options and "format" in options
    if not is_whole and device != BEST:
        first = device if isinstance(device, str) else device[0]
        options = {**_default_options(client, program, first), **options}
    found = client.estimate(program, device, shots=shots, **options)
    if as_json:
        click.echo(json_line(msgspec.to_builtins(found)))
    else:
        print_fields(_fields(found))
    refusals = [each.refusal for each in found.budgets if each.refusal]
    if found.bounds is not None and found.bounds.refusal:
        refusals.append(found.bounds.refusal)
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


def _fields(estimate: EstimateBody) -> Iterator[tuple[str, str]]:
    circuits = "circuit" if estimate.circuits == 1 else "circuits"
    yield "device", sanitize(estimate.device)
    program = f"{sanitize(estimate.format)}, {estimate.circuits:,} {circuits}"
    yield "program", f"{program}, {estimate.qubits:,} qubits"
    yield "shots", f"{estimate.shots:,}"
    yield "run time", _time(estimate.run_s)
    yield "waiting", f"{estimate.waiting:,} jobs"
    yield (
        "starts",
        "unknown" if estimate.starts_in_s is None else f"in about {_time(estimate.starts_in_s)}",
    )
    if estimate.cost is not None:
        yield "cost", f"{estimate.cost:,.6g} credits"
    for each in estimate.budgets:
        yield "budget", _need(each)
    if estimate.bounds is not None:
        yield "token", _left(estimate.bounds)
    yield from choice_fields(estimate.choice)


def choice_fields(choice: ChoiceBody | None) -> Iterator[tuple[str, str]]:
    """Yield the candidates of a choice, the chosen one first, with their figures."""
    for each in choice.candidates if choice else ():
        yield "candidate", f"{sanitize(each.device)}: {_candidate(each)}"


def _candidate(each: CandidateBody) -> str:
    if each.score is None:
        return f"refused: {sanitize(each.refusal)}"
    start = "unknown" if each.starts_in_s is None else f"in about {_time(each.starts_in_s)}"
    fidelity = "unknown" if each.fidelity is None else f"{each.fidelity:.4g}"
    cost = "" if each.cost is None else f", {each.cost:,.6g} credits"
    return f"score {each.score:.4g}, fidelity {fidelity}, starts {start}{cost}"


def _left(bounds: BoundsNeedBody) -> str:
    parts = []
    if bounds.shots_left is not None:
        parts.append(f"{bounds.shots_left:,} shots left today")
    if bounds.cost_left is not None:
        parts.append(f"{amount_text(bounds.cost_left)} credits left today")
    if bounds.asks_first:
        parts.append("asks a person first")
    return ", ".join(parts)


def _time(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds < 1 else duration(seconds)


def _need(need: BudgetNeedBody) -> str:
    where = f" on {sanitize(need.device)}" if need.device else ""
    per = "in total" if need.period == "total" else f"a {sanitize(need.period)}"
    unit = {"cost": "credits"}.get(need.unit, sanitize(need.unit))
    verdict = ": not enough" if need.refusal else ""
    return (
        f"needs {amount_text(need.needed)} of {amount_text(need.left)} {unit} left"
        f" ({amount_text(need.maximum)} {per}{where}){verdict}"
    )
