"""`qwicket doctor`: report problems of an installation, with remedies."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click

from qwicket.cli import options
from qwicket.cli.bench import bench
from qwicket.cli.commands import Section
from qwicket.cli.listing import json_flag, json_line, stdout_is_terminal

if TYPE_CHECKING:
    from qwicket.cli.findings import Finding

_SIGNS: Final = {"ok": "✓", "warning": "!", "wrong": "✗"}
_COLOURS: Final = {"ok": "green", "warning": "yellow", "wrong": "red"}


@click.group(
    cls=Section,
    invoke_without_command=True,
    short_help="Report problems of this installation, with remedies.",
)
@json_flag
@click.option(
    "--deep",
    is_flag=True,
    help="Also read the whole database: its pages, and whether its rows agree with each other.",
)
@options.data_location
@click.pass_context
def doctor(
    context: click.Context, as_json: bool, deep: bool, location: options.DataLocation
) -> None:
    """Check this installation, whether or not a server runs.

    The checks cover installed packages, the settings of qwicket serve (port, TLS files, limits,
    the settings file), the folder or database, the disk, engines, parsers, the clock, tokens, and
    the server in QWICKET_URL with QWICKET_TOKEN.

    --deep reads every job and result, which takes about 10 s for a million small jobs. Servers may
    run, and are not delayed.

    Problems are marked ✗ and make the exit status 1; warnings are marked !. The command changes
    nothing and prints no secrets.
    """
    if context.invoked_subcommand is not None:
        return
    from qwicket.cli import diagnostics

    findings = []
    for finding in diagnostics.all_findings(location, context, is_deep=deep):
        findings.append(finding)
        if not as_json:
            _print(finding)
    is_ok = all(finding.status != "wrong" for finding in findings)
    if as_json:
        records = [finding._asdict() for finding in findings]
        click.echo(json_line({"ok": is_ok, "findings": records}))
    sys.exit(0 if is_ok else 1)


doctor.add_command(bench)


def _print(finding: Finding) -> None:
    sign = _SIGNS[finding.status]
    if stdout_is_terminal():
        sign = click.style(sign, fg=_COLOURS[finding.status])
    click.echo(f"{sign} {finding.about.ljust(9)} {finding.found}")
    if finding.remedy:
        click.echo(f"  {'':9} {finding.remedy}")
