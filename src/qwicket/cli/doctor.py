"""`qwicket doctor`: what is wrong with an installation, and how to mend it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click

from qwicket.cli import options
from qwicket.cli.listing import is_terminal, json_flag, one_line

if TYPE_CHECKING:
    from qwicket.cli.diagnostics import Finding

_SIGNS: Final = {"ok": "✓", "warning": "!", "wrong": "✗"}
_COLOURS: Final = {"ok": "green", "warning": "yellow", "wrong": "red"}


@click.command(short_help="Say what is wrong with this installation, and how to mend it.")
@json_flag
@options.place
@click.pass_context
def doctor(context: click.Context, as_json: bool, place: options.Place) -> None:
    """Look for what is wrong, whether or not a server runs.

    Looked at are what is installed, the settings that qwicket serve would take (port, TLS files,
    limits, the settings file), the folder or database, the disk, engines, readers, the clock,
    tokens, and the server of QWICKET_URL with QWICKET_TOKEN.

    What is wrong is marked ✗ and makes the exit status 1; what may become so is marked !. Nothing
    is changed, and no secret is printed.
    """
    from qwicket.cli import diagnostics

    told = []
    for finding in diagnostics.all_findings(place, context):
        told.append(finding)
        if not as_json:
            _tell(finding)
    is_ok = all(finding.status != "wrong" for finding in told)
    if as_json:
        click.echo(one_line({"ok": is_ok, "findings": [each._asdict() for each in told]}))
    sys.exit(0 if is_ok else 1)


def _tell(finding: Finding) -> None:
    sign = _SIGNS[finding.status]
    if is_terminal():
        sign = click.style(sign, fg=_COLOURS[finding.status])
    click.echo(f"{sign} {finding.about.ljust(9)} {finding.found}")
    if finding.remedy:
        click.echo(f"  {'':9} {finding.remedy}")
