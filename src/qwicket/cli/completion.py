"""`qwicket completion`: print a completion script for a shell."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

from qwicket.cli import options

_BEFORE: Final = {
    "zsh": "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }\n",
}
"""Commands that a shell without any configuration needs before the script."""


@click.command(short_help="Print a completion script for a shell.")
@click.argument("shell", type=options.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script with which SHELL completes commands, options and names with the tab key.

    \b
    bash  qwicket completion bash >> ~/.bashrc
    zsh   qwicket completion zsh >> ~/.zshrc
    fish  qwicket completion fish > ~/.config/fish/completions/qwicket.fish
    """  # noqa: D301 - \b is click's mark of a paragraph that is not wrapped
    found = get_completion_class(shell)
    assert found is not None
    made = found(context.find_root().command, {}, "qwicket", "_QWICKET_COMPLETE")
    click.echo(_BEFORE.get(shell, "") + found.source_template % made.source_vars())
