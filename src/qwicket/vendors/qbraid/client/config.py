"""Settings file `~/.qbraid/qbraidrc`. Writing replaces the whole file atomically."""

from __future__ import annotations

import contextlib
import os
import tempfile
from configparser import Error, RawConfigParser
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qwicket.vendors.qbraid.client.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECTION: Final = "default"


def path() -> Path:
    """Return the path of the file: `QBRAID_CONFIG_FILE`, or `~/.qbraid/qbraidrc`."""
    named = os.environ.get("QBRAID_CONFIG_FILE")
    return Path(named).expanduser() if named else Path.home() / ".qbraid" / "qbraidrc"


def read(name: str) -> str | None:
    """Return a setting of section `default`; None if file, section or setting are missing.

    Raises:
        ConfigError: The file exists, but cannot be read.
    """
    parser = _parsed()
    if not parser.has_section(_SECTION):
        return None
    found = {key.lower(): value for key, value in parser.items(_SECTION)}
    return found.get(name.lower())


def write(settings: Mapping[str, str]) -> None:
    """Write settings into section `default`; keep all other settings, but no comments.

    Only the owner can read the file.

    Raises:
        ConfigError: The file cannot be written, or the existing one cannot be read.
    """
    parser = _parsed()
    if not parser.has_section(_SECTION):
        parser.add_section(_SECTION)
    for name, value in settings.items():
        for old_spelling in [key for key in parser.options(_SECTION) if key.lower() == name]:
            parser.remove_option(_SECTION, old_spelling)
        parser.set(_SECTION, name, value)
    target = path().resolve()  # so that a symbolic link is kept
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _replace(target, parser)
    except OSError as error:
        raise ConfigError(f"{target} cannot be written: {error.strerror}.") from error


class _Parser(RawConfigParser):
    """Parser that preserves the case of keys."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def _parsed() -> RawConfigParser:
    """Parse the file, without interpolation: `%` may occur in a token."""
    parser = _Parser(strict=False)
    file = path()
    try:
        parser.read_string(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        pass
    except (OSError, Error, UnicodeDecodeError) as error:
        # The parser's error quotes the line, which may contain a key.
        raise ConfigError(f"{file} cannot be read: {type(error).__name__}.") from None
    return parser


def _replace(target: Path, parser: RawConfigParser) -> None:
    """Write a temporary file and rename it; `mkstemp` makes it readable for its owner only."""
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".qbraidrc-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            parser.write(file)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
