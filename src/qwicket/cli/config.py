"""Settings from `qwicket.toml`, as defaults of the options that bear their names."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

import click

DEFAULT_FILE: Final = Path("qwicket.toml")


def read_config(context: click.Context, _option: click.Parameter, value: str | None) -> None:
    """Fill the defaults of every command from the file.

    Raises:
        click.UsageError: The file cannot be read, or has a key that no option bears.
    """
    path = Path(value) if value else DEFAULT_FILE
    if not value and not path.exists():
        return
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise click.UsageError(f"{path}: {error}") from None
    settings = {key.replace("-", "_"): item for key, item in table.items()}
    if isinstance(settings.get("limits"), dict):
        settings["limit"] = [f"{name}={item}" for name, item in settings.pop("limits").items()]
    known: set[str] = set()
    context.default_map = _defaults(context.command, settings, known)
    unknown = sorted(set(settings) - known)
    if unknown:
        raise click.UsageError(f"{path}: there is no setting {', '.join(unknown)}.")


def _defaults(command: click.Command, settings: dict[str, Any], known: set[str]) -> dict[str, Any]:
    if isinstance(command, click.Group):
        return {name: _defaults(sub, settings, known) for name, sub in command.commands.items()}
    names = {option.name for option in command.params if isinstance(option, click.Option)}
    known |= names & set(settings)
    return {key: item for key, item in settings.items() if key in names}
