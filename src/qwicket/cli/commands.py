"""A group whose commands are imported when they are called, and whose errors are one line."""

from __future__ import annotations

import importlib
import io
import sys
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

INTERRUPTED: Final = 130
"""Exit status after Ctrl-C, as shells have it: 128 + SIGINT."""


class Commands(click.Group):
    """Commands by name.

    Args:
        modules: What commands are for, and those that are, in the order in which help lists them:
            the name of each, and the module of `qwicket.cli` that has it under this name.
    """

    def __init__(
        self, *args: Any, modules: Mapping[str, Mapping[str, str]], **attributes: Any
    ) -> None:
        super().__init__(*args, **attributes)
        self._sections = modules
        self._modules = {name: module for each in modules.values() for name, module in each.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._modules:
            return None
        module = importlib.import_module(f"qwicket.cli.{self._modules[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for purpose, names in self._sections.items():
            found = ((name, self.get_command(ctx, name)) for name in names)
            with formatter.section(purpose):
                formatter.write_dl(
                    [(name, command.get_short_help_str(100)) for name, command in found if command],
                )

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command and exit: 0, 1 when it was refused, 2 when it was called wrongly."""
        name = prog_name or "qwicket"
        if not standalone_mode:
            return super().main(args, name, complete_var, standalone_mode=False, **extra)
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # not every terminal has every letter
        try:
            status = super().main(args, name, complete_var, standalone_mode=False, **extra)
        except click.ClickException as error:
            status = _tell(error)
        except (click.Abort, KeyboardInterrupt):
            status = INTERRUPTED
        sys.exit(status)


def _tell(error: click.ClickException) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
    else:
        message = " ".join(error.format_message().split())
        if isinstance(error, click.UsageError) and error.ctx is not None:
            message = f"{message.rstrip('.')}. See '{error.ctx.command_path} --help'."
        click.echo(f"Error: {message}", err=True)
    return error.exit_code
