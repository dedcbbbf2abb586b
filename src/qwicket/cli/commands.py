"""Command groups: lazy imports, examples in `--help`, and errors in one line."""

from __future__ import annotations

import gc
import importlib
import io
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence, Set

    from qwicket.registrations import Command

INTERRUPTED: Final = 130
"""Exit status after Ctrl-C, as in shells: 128 + SIGINT."""

_COLLECT_AT: Final = 50_000
"""New objects between two garbage collections. Collections during the imports free nothing, and by
default take a tenth of the time of an administrator's command."""
_NOT_INSTALLED: Final = 2
"""Exit status of a command whose extra is not installed."""
_UNCUT: Final = 1_000
"""Limit on the characters of a short help text that no command reaches; click's is 45."""
_ENDS: Final = (".", "?", "!", ")")
_PLAIN: Final = {
    "is not a valid integer range": "is not a whole number",
    "is not a valid integer": "is not a whole number",
    "is not a valid float range": "is not a number",
    "is not a valid float": "is not a number",
}
"""Phrases in click's errors, with plain words for them; a phrase precedes shorter ones in it."""


def _groups(context: click.Context | None) -> list[str]:
    """Return the names of the groups of commands in which a command is called."""
    if context is None or isinstance(context.command, Commands):
        return []
    return [*_groups(context.parent), context.command.name or ""]


class Section(click.Group):
    """Group of related commands, with an example in each `--help`."""

    group_class = type  # groups within this one are made of the same class

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command = super().get_command(ctx, cmd_name)
        if command is not None and command.epilog is None:
            from qwicket.cli.examples import epilog

            command.epilog = epilog(" ".join((*(_groups(ctx) or [self.name or ""]), cmd_name)))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        found = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [(name, command.get_short_help_str(_UNCUT)) for name, command in found if command]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class Commands(click.Group):
    """Group whose commands are imported at their first use.

    Args:
        modules: Headings of the help, and under each the names of its commands with the module that
            defines them: one of `qwicket.cli`, or with its whole name. Features add theirs.
        needs_server: Names of the commands that need the extra `server`. Without it their help and
            completion work; a call raises `NotInstalled`.
    """

    def __init__(
        self,
        *args: Any,
        modules: Mapping[str, Mapping[str, str]],
        needs_server: Set[str],
        **attributes: Any,
    ) -> None:
        super().__init__(*args, **attributes)
        self._own = modules
        self._own_need_server = needs_server

    @cached_property
    def _of_features(self) -> list[Command]:
        from qwicket.registrations import features  # late: most calls are of our own commands

        return [command for each in features() for command in each.commands]

    @property
    def _sections(self) -> dict[str, dict[str, str]]:
        """Return the modules of all commands, by heading and name."""
        sections = {heading: dict(own) for heading, own in self._own.items()}
        for each in self._of_features:
            sections[each.heading][each.name] = each.module
        return sections

    def _module(self, name: str) -> str | None:
        """Return the module of a command; None if there is no such command."""
        for own in self._own.values():
            if name in own:
                return own[name]
        return next((each.module for each in self._of_features if each.name == name), None)

    def _needs_server(self, name: str) -> bool:
        if any(name in own for own in self._own.values()):
            return name in self._own_need_server
        return any(each.needs_server for each in self._of_features if each.name == name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:  # click suggests only imported commands
            names = self.list_commands(ctx)
            raise click.exceptions.NoSuchCommand(error.command_name, None, names, ctx) from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for each in self._sections.values() for name in each]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = self._module(cmd_name)
        if name is None:
            return None
        module = importlib.import_module(name if "." in name else f"qwicket.cli.{name}")
        command: click.Command = getattr(module, cmd_name)
        if self._needs_server(cmd_name):
            from qwicket.extras import missing

            if missing("server"):
                _refuse_calls(command, f"{self.name} {cmd_name}")
        if command.epilog is None:
            from qwicket.cli.examples import epilog

            command.epilog = epilog(cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for purpose, names in self._sections.items():
            found = ((name, self.get_command(ctx, name)) for name in names)
            with formatter.section(purpose):
                formatter.write_dl(
                    [
                        (name, command.get_short_help_str(_UNCUT))
                        for name, command in found
                        if command
                    ],
                )

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command and exit: 0, 1 if refused, 2 if called wrongly or without its extra.

        The status is 130 after Ctrl-C, and some commands exit with others. Without
        `standalone_mode` return the command's value, and raise its errors.
        """
        name = prog_name or "qwicket"
        if not standalone_mode:
            return super().main(args, name, complete_var, standalone_mode=False, **extra)
        gc.set_threshold(_COLLECT_AT)
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # a terminal's encoding may lack characters
        try:
            status = super().main(args, name, complete_var, standalone_mode=False, **extra)
        except click.ClickException as error:
            status = _report(error)
        except ImportError as error:
            status = _report_missing_extra(error)
        except (click.Abort, KeyboardInterrupt):
            status = INTERRUPTED
        sys.exit(status)


def _refuse_calls(command: click.Command, name: str) -> None:
    """Make a command, or those of a group, raise `NotInstalled` after parsing its options."""
    if isinstance(command, click.Group):
        for each, below in command.commands.items():
            _refuse_calls(below, f"{name} {each}")
    else:
        from qwicket.extras import require

        command.callback = lambda **_: require(name, "server")


def error_text(error: click.ClickException) -> str:
    """Return a sentence for an error, without click's internal terms."""
    if isinstance(error, click.exceptions.NoSuchCommand | click.NoSuchOption):
        near = " or ".join(repr(each) for each in error.possibilities or ())
        return error.message + (f" Did you mean {near}?" if near else "")
    message = error.format_message()
    for raw, plain in _PLAIN.items():
        message = message.replace(raw, plain)
    return message


def _report(error: click.ClickException) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
    else:
        message = " ".join(error_text(error).split())
        if message[-1:] not in _ENDS:
            message += "."
        if isinstance(error, click.UsageError) and error.ctx is not None:
            message = f"{message} See '{error.ctx.command_path} --help'."
        click.echo(f"Error: {message}", err=True)
    return error.exit_code


def _report_missing_extra(error: ImportError) -> int:
    from qwicket.extras import NotInstalled

    if not isinstance(error, NotInstalled):
        raise error
    click.echo(f"Error: {error}", err=True)
    return _NOT_INSTALLED
