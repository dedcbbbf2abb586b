"""Settings from `qwicket.toml`, as defaults of the options that bear their names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_FILE: Final = Path("qwicket.toml")
LIMITS: Final = "qwicket.limits"
"""Where the context keeps the file's limits, as `--limit` has them."""


def read_config(context: click.Context, _option: click.Parameter, value: str | None) -> None:
    """Fill the defaults of every command from the file.

    Raises:
        click.UsageError: The file cannot be read, or has a key that is no setting.
    """
    path = Path(value) if value else DEFAULT_FILE
    settings = {key.replace("-", "_"): item for key, item in _read(path, not value).items()}
    if not settings:
        return
    context.meta[LIMITS] = _limits(path, settings.pop("limits", {}))
    commands = dict(_commands(context))
    unknown = sorted(set(settings).difference(*(_names(each) for each in commands.values())))
    if unknown:
        raise click.UsageError(f"{path}: there is no setting {', '.join(unknown)}.")
    texts = {key: _text(path, key, item) for key, item in settings.items()}
    context.default_map = {}
    for names, command in commands.items():
        table = context.default_map
        for name in names:
            table = table.setdefault(name, {})
        table.update({key: texts[key] for key in _names(command) & set(texts)})


def _read(path: Path, may_be_absent: bool) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8")
        import tomllib  # here, because most people have no such file

        return tomllib.loads(text)
    except OSError as error:
        if may_be_absent and isinstance(error, FileNotFoundError):
            return {}
        raise click.UsageError(f"{path}: {error.strerror}.") from None
    except ValueError as error:  # no TOML, or no UTF-8
        raise click.UsageError(f"{path}: {error}.") from None


def _limits(path: Path, table: Any) -> list[str]:
    if not isinstance(table, dict):
        raise click.UsageError(f"{path}: limits must be a table, [limits].")
    return [f"{name}={_text(path, f'limits.{name}', item)}" for name, item in table.items()]


def _text(path: Path, key: str, item: Any) -> str:
    """Return a value as it would stand on the command line, where options check their types."""
    if not isinstance(item, str | int | float):
        raise click.UsageError(f"{path}: {key} must be one text or number.")
    return str(item)


def _commands(
    context: click.Context, group: click.Command | None = None, names: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """All commands that do something, each under the names that lead to it."""
    command = group or context.command
    if not isinstance(command, click.Group):
        yield names, command
        return
    for name in command.list_commands(context):
        yield from _commands(context, command.get_command(context, name), (*names, name))


def _names(command: click.Command) -> set[str]:
    """Return the names of a command's settings: the options that the environment can set."""
    options = [option for option in command.params if isinstance(option, click.Option)]
    return {each.name for each in options if each.name and each.envvar and not each.multiple}
