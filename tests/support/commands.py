"""Check that command lines and environment variables in files exist in `qwicket`."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path

import click

from qwicket.cli import main
from support.snippets import ROOT


def assert_known(words: list[str]) -> None:
    """Check that a command and its options exist."""
    command: click.Command = main
    while isinstance(command, click.Group):
        if command.invoke_without_command and (not words or words[0].startswith("--")):
            break
        found = command.get_command(click.Context(command), words.pop(0))
        assert found is not None, words
        command = found
    known = {flag for option in command.params for flag in option.opts}
    own = words[: words.index("--")] if "--" in words else words  # another command follows
    assert {word.partition("=")[0] for word in own if word.startswith("--")} <= known


@functools.cache
def variables() -> frozenset[str]:
    """Return the variables of the environment that commands and clients read."""
    read = re.compile(r"\bQWICKET_[A-Z_]+[A-Z]\b")
    sources = (path.read_text("utf-8") for path in (ROOT / "src" / "qwicket").rglob("*.py"))
    named = {name for text in sources for name in read.findall(text)}
    return frozenset(named | {*_of_options(main)})


def _of_options(command: click.Command) -> Iterator[str]:
    for option in command.params:
        if isinstance(option, click.Option) and isinstance(option.envvar, str):
            yield option.envvar
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            if found := command.get_command(context, name):
                yield from _of_options(found)


def names(path: Path) -> set[str]:
    """Return the variables of `qwicket` that a file names."""
    return set(re.findall(r"\bQWICKET_[A-Z_]+\b", path.read_text("utf-8")))
