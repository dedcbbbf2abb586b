"""Settings in `qwicket.toml`, as defaults of the options with their names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_FILE: Final = Path("qwicket.toml")
LIMITS: Final = "qwicket.limits"
"""Key in the context's `meta` of the file's limits, in the format of `--limit`."""
_NAMES: Final = frozenset({"dialects"})
"""Settings that are lists of names, or these names separated by commas."""
_TABLES: Final = frozenset({"oidc_groups"})
"""Settings that are tables in the file, and JSON elsewhere."""
_LISTS: Final = frozenset({"listen"})
"""Settings that are lists of tables in the file, and repeatable elsewhere."""
_WRONG: Final = "qwicket.wrong_settings"
"""Key in the context's `meta` of the errors of the file."""
FILE: Final = "qwicket.settings_file"
"""Key in the context's `meta` of the file's path, if it was read."""
_TEXTS: Final = "qwicket.settings"
"""Key in the context's `meta` of the file's values by the names of settings."""


def read_config(context: click.Context, _option: click.Parameter, value: str | None) -> None:
    """Set the defaults of every command from the file; collect the file's errors."""
    path = Path(value) if value else DEFAULT_FILE
    wrong: list[str] = context.meta.setdefault(_WRONG, [])
    try:
        found = _read(path, may_be_absent=not value)
    except click.UsageError as error:
        wrong.append(error.message)
        return
    settings = {key.replace("-", "_"): item for key, item in found.items()}
    if not settings:
        return
    context.meta[FILE] = path.resolve()
    known = _known_settings(context, {*settings} - {"limits"})
    texts: dict[str, Any] = {}
    for key, item in settings.items():
        try:
            if key == "limits":
                context.meta[LIMITS] = _limits(path, item)
            elif key in known:
                texts[key] = _list(path, key, item) if key in _LISTS else _text(path, key, item)
        except click.UsageError as error:
            wrong.append(error.message)
    if unknown := sorted({*settings} - {*known, "limits"}):
        wrong.append(_unknown(path, unknown, known))
    context.meta[_TEXTS] = texts
    context.default_map = _Defaults(context, context.command, texts)


def setting_of_file(name: str) -> str | None:
    """Return a setting in the file, for commands without an option of this name."""
    text: str | None = click.get_current_context().meta.get(_TEXTS, {}).get(name)
    return text


class _Defaults(dict[str, Any]):
    """Defaults of the commands of a group, made for the command that is called.

    Making them for every command would import all of their modules.

    Args:
        context: Context of the outermost group.
        group: The group.
        texts: Values by the names of settings.
    """

    def __init__(self, context: click.Context, group: click.Command, texts: dict[str, Any]) -> None:
        super().__init__()
        self._context = context
        self._group = group
        self._texts = texts

    def get(self, name: str, default: Any = None, /) -> Any:
        """Return the defaults of a command, or of the commands of a group within this one."""
        command = _command(self._context, self._group, name)
        if isinstance(command, click.Group):
            return _Defaults(self._context, command, self._texts)
        if command is None:
            return default
        return {key: self._texts[key] for key in _names(command) & set(self._texts)}


def _known_settings(context: click.Context, wanted: set[str]) -> set[str]:
    """Return the names of the settings of `qwicket serve`, if it has all that are wanted.

    Else return those of all commands, which imports all of their modules.
    """
    serve = _command(context, context.command, "serve")
    of_serve = set() if serve is None else _names(serve)
    if wanted <= of_serve:
        return of_serve
    return set().union(*map(_names, _commands(context, context.command)))


def _unknown(path: Path, keys: list[str], known: set[str]) -> str:
    """Return the error for unknown keys, with suggestions."""
    from qwicket.model.suggestions import did_you_mean

    near = "".join(did_you_mean(key, sorted(known)) for key in keys)
    return f"{path}: there is no setting {', '.join(keys)}.{near}"


def wrong_settings(context: click.Context) -> list[str]:
    """Return the errors of the settings file."""
    found: list[str] = context.meta.get(_WRONG, [])
    return found


def _read(path: Path, *, may_be_absent: bool) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8")
        import tomllib  # imported here, because most installations have no such file

        return tomllib.loads(text)
    except OSError as error:
        if may_be_absent and isinstance(error, FileNotFoundError):
            return {}
        raise click.UsageError(f"{path}: {error.strerror}.") from None
    except ValueError as error:  # invalid TOML or UTF-8
        raise click.UsageError(f"{path} is not valid TOML: {str(error).rstrip('.')}.") from None


def _limits(path: Path, table: Any) -> list[str]:
    if not isinstance(table, dict):
        raise click.UsageError(f"{path}: limits must be a table, [limits].")
    return [f"{name}={_text(path, f'limits.{name}', item)}" for name, item in table.items()]


def _list(path: Path, key: str, item: Any) -> list[dict[str, Any]]:
    if not isinstance(item, list) or not all(isinstance(each, dict) for each in item):
        raise click.UsageError(f"{path}: {key} must be a list of tables, [[{key}]].")
    return item


def _text(path: Path, key: str, item: Any) -> str:
    """Return a value as text, so that the option validates it like an argument."""
    if isinstance(item, dict) and key in _TABLES:
        import json

        return json.dumps(item, default=str)
    if key in _NAMES and isinstance(item, list) and all(isinstance(each, str) for each in item):
        return ",".join(item)
    if not isinstance(item, str | int | float):
        raise click.UsageError(f"{path}: {key} must be a text or a number.")
    return str(item)


def _command(context: click.Context, group: click.Command, name: str) -> click.Command | None:
    return group.get_command(context, name) if isinstance(group, click.Group) else None


def _commands(context: click.Context, command: click.Command) -> Iterator[click.Command]:
    """Yield all commands of a group, and of those in it, that are not groups."""
    if not isinstance(command, click.Group):
        yield command
        return
    for name in command.list_commands(context):
        found = _command(context, command, name)
        if found is not None:
            yield from _commands(context, found)


def _names(command: click.Command) -> set[str]:
    """Return the names of a command's settings: its options with an environment variable.

    `--limit` is no setting here, because the file has limits in the table [limits].
    """
    options = [option for option in command.params if isinstance(option, click.Option)]
    return {each.name for each in options if each.name and each.envvar and each.name != "limits"}
