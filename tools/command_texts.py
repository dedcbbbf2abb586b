"""The commands and their options as text: `make contract` writes it, and a test compares it.

Scripts depend on these names, so the diff of the file is what a reviewer of a change looks at.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from qwicket.cli import main

FILE: Final = Path(__file__).parents[1] / "tests" / "unit" / "cli" / "commands.txt"


def commands() -> dict[str, click.Command]:
    """Return every command by its name, such as `user add`, in the order of the help."""
    return dict(_below(main, ()))


def text() -> str:
    """Return each command with its arguments, and below it its options: one line each."""
    lines = []
    for name, command in {"": main, **commands()}.items():
        context = click.Context(command)
        arguments = [each for each in command.params if isinstance(each, click.Argument)]
        options = [each for each in command.params if isinstance(each, click.Option)]
        words = ["qwicket", *name.split(), *(each.make_metavar(context) for each in arguments)]
        lines.append(" ".join(words))
        lines.extend(f"  {_described(each, context)}" for each in options)
    return "\n".join(lines) + "\n"


def _below(group: click.Group, above: tuple[str, ...]) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield " ".join((*above, name)), command
        if isinstance(command, click.Group):
            yield from _below(command, (*above, name))


def _described(option: click.Option, context: click.Context) -> str:
    flags = ", ".join((*option.opts, *option.secondary_opts))
    value = "" if option.is_flag else option.make_metavar(context)
    facts = [
        *(["required"] if option.required else []),
        *(["repeatable"] if option.multiple else []),
        *([str(option.envvar)] if option.envvar else []),
    ]
    return f"{flags} {value}".strip() + (f"  ({', '.join(facts)})" if facts else "")


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
