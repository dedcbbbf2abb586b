"""Commands that use a server over HTTP (QWICKET_URL, QWICKET_TOKEN)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from qwicket.cli.options import client_errors

if TYPE_CHECKING:
    from qwicket.clients.native import Job, Result

_BAR_WIDTH: Final = 40
_MOST_BARS: Final = 16


@click.command()
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.option("--device", required=True, metavar="D", help="Name of the device.")
@click.option(
    "--shots", default=1000, show_default=True, type=click.IntRange(1), help="Shots per circuit."
)
@click.option(
    "--format",
    "format_name",
    metavar="F",
    help="Format of the program; by default what the device reads.",
)
@click.option("--wait", is_flag=True, help="Wait for the end and print the counts.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
@client_errors
def submit(
    file: Any, device: str, shots: int, format_name: str | None, wait: bool, as_json: bool
) -> None:
    """Submit the program in FILE ("-" is standard input) and print the job's id."""
    from qwicket.clients.native import connect

    try:
        text = file.read()
    except UnicodeDecodeError:
        raise click.ClickException(f"{Path(file.name).name} is no UTF-8 text.") from None
    with connect() as client:
        job = client.submit(_program(text), device, shots=shots, format=format_name)
        if not wait:
            click.echo(json.dumps(job.info) if as_json else job.id)
            return
        result = job.result()
        click.echo(_as_json(job, result) if as_json else _as_text(job, result))


def _program(text: str) -> Any:
    """Return JSON programs as objects, so that the server reads them as they are."""
    if not text.lstrip().startswith("{"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _as_json(job: Job, result: Result) -> str:
    parts = [
        {"counts": part.counts, "error": part.error, "seed": part.seed} for part in result.parts
    ]
    return json.dumps({"id": job.id, "state": job.state, "parts": parts})


def _as_text(job: Job, result: Result) -> str:
    lines = [f"{job.id}  {job.state}"]
    for part in result.parts:
        lines += [part.error] if part.error else bars(part.counts)
    return "\n".join(lines)


def bars(counts: dict[str, int]) -> list[str]:
    """Return counts as bars, the most frequent outcomes first."""
    total = sum(counts.values())
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    lines = [
        f"  {key}  {n:>7}  {'█' * max(1, round(_BAR_WIDTH * n / total))}"
        for key, n in ranked[:_MOST_BARS]
    ]
    if len(ranked) > _MOST_BARS:
        lines.append(f"  … and {len(ranked) - _MOST_BARS} more outcomes")
    return lines
