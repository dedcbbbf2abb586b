"""`qwicket --completion`: a script with which a shell completes commands."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

_BEFORE: Final = {
    "zsh": "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }\n",
}
"""Commands that a shell without any configuration needs before the script."""


def script(main: click.Command, shell: str) -> str:
    """Return the script of a shell: `bash`, `zsh` or `fish`."""
    found = get_completion_class(shell)
    assert found is not None
    made = found(main, {}, "qwicket", "_QWICKET_COMPLETE")
    return _BEFORE.get(shell, "") + found.source_template % made.source_vars()
