"""Settings of a client: arguments, environment variables, and profiles in a TOML file.

default = "lab"

[profiles.lab]
url = "https://quantum.example.org"
token = "qw_…"            # or token_file = "~/.secrets/qwicket"
timeout = 60              # optional, like deadline
"""

from __future__ import annotations

import math
import os
import re
import stat
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qwicket.clients.native.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEFAULT_URL: Final = "http://127.0.0.1:8000"
_URL: Final = "QWICKET_URL"
_TIMEOUT_S: Final = 30.0
_DEADLINE_S: Final = 90.0
_NUMBER: Final = (int, float)
_KEYS: Final[dict[str, type | tuple[type, ...]]] = {
    "url": str,
    "token": str,
    "token_file": str,
    "timeout": _NUMBER,
    "deadline": _NUMBER,
}
_POSITION: Final = re.compile(r"\(at (line \d+, column \d+|end of document)\)")
_OTHERS_READ: Final = stat.S_IRGRP | stat.S_IROTH


@dataclass(frozen=True)
class Settings:
    """Settings of a client.

    Attributes:
        url: Address of the server.
        token: The secret.
        timeout_s: Seconds for one response.
        deadline_s: Seconds during which a failed request is repeated.
        url_source: Where the address comes from: the argument, a variable, or a profile; for the
            default address the variable that would replace it.
    """

    url: str
    token: str = field(repr=False)
    timeout_s: float
    deadline_s: float
    url_source: str = _URL


def settings(
    url: str | None = None,
    token: str | None = None,
    profile: str | None = None,
    config: str | Path | None = None,
    timeout: float | None = None,
    deadline: float | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Return settings from the arguments, else the environment, else the profile, else defaults.

    For address and token, a profile that the argument `profile` names takes precedence over the
    environment. A profile's token is only sent to the profile's address.

    Raises:
        ClientError: There is no token, the file or the profile is invalid, or a time is not
            positive and finite.
    """
    chosen = _profile(profile, config, environ)
    variables = {"url": environ.get(_URL), "token": environ.get("QWICKET_TOKEN")}
    layers = [chosen, variables] if profile is not None else [variables, chosen]
    profile_url = chosen.get("url", DEFAULT_URL)
    address = url or _first(layers, "url") or DEFAULT_URL
    url_source = _URL
    if url:
        url_source = "the argument url"
    elif next((layer for layer in layers if layer.get("url")), variables) is chosen:
        url_source = f"the profile in {path_of(config, environ)}"
    is_profile_url = address.rstrip("/") == profile_url.rstrip("/")
    if not is_profile_url:
        layers.remove(chosen)
    secret = token or _first(layers, "token")
    if not secret:
        is_withheld = bool(chosen.get("token")) and not is_profile_url
        why = f" The profile's token is only sent to {profile_url}." if is_withheld else ""
        raise ClientError(
            "No token: set QWICKET_TOKEN, add one to a profile in"
            f" {path_of(config, environ)}, or in Python pass token=….{why}"
        )
    return Settings(
        address,
        secret,
        _TIMEOUT_S if (seconds := _seconds(timeout, chosen.get("timeout"))) is None else seconds,
        _DEADLINE_S if (seconds := _seconds(deadline, chosen.get("deadline"))) is None else seconds,
        url_source,
    )


def _first(layers: Sequence[Mapping[str, Any]], key: str) -> str | None:
    return next((str(layer[key]) for layer in layers if layer.get(key)), None)


def _seconds(given: float | None, configured: float | None) -> float | None:
    seconds = configured if given is None else given
    if seconds is not None and not 0 < seconds < math.inf:
        raise ClientError("timeout and deadline must be positive numbers of seconds.")
    return seconds


def path_of(config: str | Path | None, environ: Mapping[str, str]) -> Path:
    """Return the path of the settings file."""
    named = config or environ.get("QWICKET_CLIENT_CONFIG")
    if named:
        return _expanded(str(named))
    folder = environ.get("XDG_CONFIG_HOME") or "~/.config"
    return _expanded(folder) / "qwicket" / "config.toml"


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:  # the user has no home folder, as in some containers
        return Path(path)


def _profile(
    name: str | None, config: str | Path | None, environ: Mapping[str, str]
) -> dict[str, Any]:
    """Return the chosen or the default profile; {} if there is neither."""
    path = path_of(config, environ)
    wanted = name or environ.get("QWICKET_PROFILE")
    must_exist = bool(wanted or config or environ.get("QWICKET_CLIENT_CONFIG"))
    document = _document(path, must_exist)
    wanted = wanted or document.get("default")
    if wanted is None:
        return {}
    if not isinstance(wanted, str):
        raise ClientError(f"{path}: default must be a text.")
    profiles = document.get("profiles", {})
    if not isinstance(profiles, dict) or not isinstance(profiles.get(wanted), dict):
        known = ", ".join(sorted(profiles)) if isinstance(profiles, dict) and profiles else "none"
        raise ClientError(f"{path} has no profile {wanted!r}. Its profiles: {known}.")
    return _checked(profiles[wanted], f"{path}, profile {wanted!r}", path)


def _document(path: Path, must_exist: bool) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        if not must_exist:
            return {}
        is_hidden = isinstance(error, PermissionError)
        reason = "permission denied" if is_hidden else "the file does not exist"
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except UnicodeDecodeError:
        reason = "it is not UTF-8 text"
    except tomllib.TOMLDecodeError as error:
        # The error's text may quote a line with a token, so only its position is shown.
        position = _POSITION.search(str(error))
        reason = f"it is not valid TOML{f' (at {position[1]})' if position else ''}"
    raise ClientError(f"{path} cannot be read: {reason}.")


def _checked(profile: dict[str, Any], where: str, path: Path) -> dict[str, Any]:
    """Validate a profile and read its token file. Errors do not quote values."""
    for key, value in profile.items():
        kind = _KEYS.get(key)
        if kind is None:
            raise ClientError(f"{where}: unknown key {key!r}. Valid keys: {', '.join(_KEYS)}.")
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ClientError(f"{where}: {key} must be a {'text' if kind is str else 'number'}.")
    if "token" in profile and "token_file" in profile:
        raise ClientError(f"{where}: give token or token_file, not both.")
    if "token" in profile:
        _warn_if_open(path)
    elif "token_file" in profile:
        return profile | {"token": _secret_in(_expanded(profile["token_file"]), where)}
    return profile


def _secret_in(path: Path, where: str) -> str:
    try:
        secret = path.read_text("utf-8").strip()
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except UnicodeDecodeError:
        reason = "it is not UTF-8 text"
    else:
        _warn_if_open(path)
        return secret
    raise ClientError(f"{where}: {path} cannot be read: {reason}.")


def _warn_if_open(path: Path) -> None:
    if path.stat().st_mode & _OTHERS_READ:
        warnings.warn(
            f"{path} contains a token, but other users can read it: chmod 600 {path}", stacklevel=2
        )
