"""The file of settings, `~/.qbraid/qbraidrc`: read leniently, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from configparser import Error, RawConfigParser
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qwicket.clients.qbraid.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECTION: Final = "default"


def path() -> Path:
    """Return where the file is: `QBRAID_CONFIG_FILE`, or in the home folder."""
    named = os.environ.get("QBRAID_CONFIG_FILE")
    return Path(named).expanduser() if named else Path.home() / ".qbraid" / "qbraidrc"


def read(name: str) -> str | None:
    """Return a setting of section `default`; None when file, section or setting are missing.

    Raises:
        ConfigError: There is a file, and it cannot be read.
    """
    parser = _parsed()
    if not parser.has_section(_SECTION):
        return None
    found = {key.lower(): value for key, value in parser.items(_SECTION)}
    return found.get(name.lower())


def write(settings: Mapping[str, str]) -> None:
    """Write settings into section `default`; what else is in the file stays, but for comments.

    The file is the owner's alone, and takes the place of the former one at once.

    Raises:
        ConfigError: It cannot be written, or the former one not be read.
    """
    parser = _parsed()
    if not parser.has_section(_SECTION):
        parser.add_section(_SECTION)
    for name, value in settings.items():
        for former in [key for key in parser.options(_SECTION) if key.lower() == name]:
            parser.remove_option(_SECTION, former)
        parser.set(_SECTION, name, value)
    target = path().resolve()  # a link stays a link
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _replace(target, parser)
    except OSError as error:
        raise ConfigError(f"{target} cannot be written: {error.strerror}.") from error


class _Parser(RawConfigParser):
    """Keys keep their case."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def _parsed() -> RawConfigParser:
    """Return the file's content: raw, so that `%` is a character like any other."""
    parser = _Parser(strict=False)
    file = path()
    try:
        parser.read_string(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        pass
    except (OSError, Error, UnicodeDecodeError) as error:
        # The error of the parser quotes the line, which may hold a key.
        raise ConfigError(f"{file} cannot be read: {type(error).__name__}.") from None
    return parser


def _replace(target: Path, parser: RawConfigParser) -> None:
    """Write beside the file and rename; `mkstemp` makes files that only their owner can read."""
    handle, draft = tempfile.mkstemp(dir=target.parent, prefix=".qbraidrc-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            parser.write(file)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(draft).unlink()
        raise
