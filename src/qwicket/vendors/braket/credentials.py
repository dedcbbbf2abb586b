"""Keys of Amazon's accounts: of a device file's key, and of profiles in Amazon's own file."""

from __future__ import annotations

import configparser
import os
from pathlib import Path
from typing import Final, NamedTuple

from qwicket.devices.remotes import NoKey, secret_text

_FILE: Final = "~/.aws/credentials"
_FIELDS: Final = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
_ELSEWHERE: Final = ("role_arn", "credential_process", "sso_session", "sso_start_url")
"""Fields of profiles whose keys another service or program would have to give."""


class Credentials(NamedTuple):
    """A key pair of an account.

    Attributes:
        key_id: Id of the pair, which requests show.
        secret: Its secret, which no request contains.
        session_token: Token of a temporary pair; empty for a lasting one.
    """

    key_id: str
    secret: str
    session_token: str = ""


def credentials_of(key: str) -> Credentials:
    """Return the key pair in a device's key: id, secret, and perhaps the token of a session.

    Raises:
        ValueError: The key has other parts; the text does not quote it.
    """
    parts = key.split()
    if not 2 <= len(parts) <= 3:
        raise ValueError(
            "the key must be a key id and a secret, and of a temporary key pair a session token"
        )
    return Credentials(*parts)


def of_profile(name: str) -> str:
    """Return the key of a profile in Amazon's file, as `credentials_of` reads it.

    Raises:
        NoKey: The file cannot be used, or the profile has no key pair.
    """
    path = Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or _FILE).expanduser()
    found = configparser.ConfigParser(interpolation=None, default_section="")
    try:
        found.read_string(secret_text(path, "profile"))
    except configparser.Error:
        raise NoKey(f"profile: {path} is malformed") from None  # the error would quote a line
    if not found.has_section(name):
        raise NoKey(f"profile: {path} has no profile {name}")
    profile = found[name]
    refused = next((each for each in _ELSEWHERE if each in profile), None)
    if refused is not None:
        instead = "set role_arn in the device file" if refused == "role_arn" else "use a key pair"
        raise NoKey(f"profile: {name} has {refused}, which is not supported; {instead}")
    parts = [profile.get(field, "") for field in _FIELDS]
    if not all(parts[:2]):
        raise NoKey(f"profile: {name} needs {_FIELDS[0]} and {_FIELDS[1]}")
    return " ".join(parts).strip()
