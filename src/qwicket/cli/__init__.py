"""The command line. Each command's module imports what it needs only when it runs."""

from __future__ import annotations

import click

from qwicket import __version__
from qwicket.cli.accounts import token, user
from qwicket.cli.config import read_config
from qwicket.cli.demo import demo
from qwicket.cli.jobs import submit
from qwicket.cli.serve import serve

__all__ = ["main"]


@click.group(context_settings={"max_content_width": 100, "help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="qwicket")
@click.option(
    "--config",
    envvar="QWICKET_CONFIG",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=read_config,
    help="Settings file; by default qwicket.toml in the working folder, if there is one.",
)
def main() -> None:
    """Run and use Qwicket: one small gate to every quantum cloud.

    Every option can also be set in the environment as QWICKET_… and in qwicket.toml; the command
    line wins over the environment, the environment over the file.
    """


for command in (serve, user, token, submit, demo):
    main.add_command(command)
