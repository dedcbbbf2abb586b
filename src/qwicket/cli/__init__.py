"""Command line. A command's module is imported for its call, its completion and the main help."""

from __future__ import annotations

import click

from qwicket import __version__
from qwicket.cli.commands import Commands
from qwicket.cli.config import read_config, wrong_settings

__all__ = ["main"]


def _complete(context: click.Context, _option: click.Parameter, shell: str | None) -> None:
    if shell is None:
        return
    from qwicket.cli.completion import script

    click.echo(script(context.command, shell))
    context.exit()


@click.group(
    "qwicket",
    cls=Commands,
    modules={
        "Run a server": {
            "serve": "serve",
            "worker": "worker",
            "user": "accounts",
            "token": "accounts",
            "project": "projects",
            "usage": "usage",
            "status": "status",
            "slurm": "slurm",
            "device": "devices",
            "audit": "audit",
            "backup": "backup",
            "restore": "backup",
            "compact": "backup",
            "doctor": "doctor",
            "demo": "demo",
        },
        "Use a server": {
            "devices": "device_list",
            "submit": "submit",
            "jobs": "jobs",
            "job": "job",
            "result": "jobs",
            "watch": "watch",
            "account": "account",
            "login": "login",
        },
        "Other": {
            "agent": "agent",
            "env": "env",
            "snippet": "snippet",
            # The whole name, as text: only tests load the test bed, so nothing here may import it.
            "cassette": "qwicket.testing.cassettes.commands",
        },
    },
    needs_server=frozenset(
        {
            "audit",
            "backup",
            "cassette",
            "compact",
            "demo",
            "device",
            "project",
            "restore",
            "serve",
            "status",
            "slurm",
            "token",
            "usage",
            "user",
        }
    ),
    context_settings={"max_content_width": 100, "help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="qwicket")
@click.option(
    "--config",
    envvar="QWICKET_CONFIG",
    show_envvar=True,
    type=click.Path(dir_okay=False),
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=read_config,
    help="Settings file; by default qwicket.toml in the current folder, if it exists.",
)
@click.option(
    "--completion",
    type=click.Choice(["bash", "zsh", "fish"]),
    metavar="SHELL",
    is_eager=True,
    expose_value=False,
    callback=_complete,
    help="Print a script with which bash, zsh or fish completes commands, options and names.",
)
@click.pass_context
def main(context: click.Context) -> None:
    """Run and use Qwicket, a self-hosted quantum cloud gateway.

    Options whose help names an environment variable can also be set in qwicket.toml, under the
    option's name. The command line takes precedence over the environment, and the environment
    over the file.
    """
    wrong = wrong_settings(context)
    if wrong and context.invoked_subcommand != "doctor":  # doctor reports them as findings
        raise click.UsageError(" ".join(wrong))
