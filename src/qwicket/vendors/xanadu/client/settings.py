"""Settings from arguments, environment variables or a file, in this order."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from qwicket.clients.http.addresses import is_qwicket_token, qwicket_url
from qwicket.clients.http.failures import URL_SOURCE

if TYPE_CHECKING:
    from collections.abc import Mapping

HOST_ARGUMENTS: Final = "the arguments host and port"
DEFAULT_HOST: Final = "platform.strawberryfields.ai"
DEFAULT_PORT: Final = 443
_PREFIX: Final = "XANADU_CLOUD_"
_TOKEN: Final = re.compile(r"[A-Za-z0-9_.-]*")
_QUOTE_OR_LINE_END: Final = re.compile(r"['\"\r\n]")
_LINE: Final = re.compile(r"\s*(?:export\s+)?(\w+)\s*=\s*(.*?)\s*")
_BOOLEANS: Final = {
    **dict.fromkeys(("1", "true", "t", "yes", "y", "on"), True),
    **dict.fromkeys(("0", "false", "f", "no", "n", "off"), False),
}
_UNSET: Final[Any] = object()


def path() -> Path:
    """Return the path of the file: `xanadu-cloud/.env` in the user's configuration folder."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "xanadu-cloud" / ".env"


@dataclass(init=False)
class Settings:
    """Settings of a connection.

    Each field comes from the argument, else the variable of its name with the prefix
    `XANADU_CLOUD_`, else the file, else the default. Without a host, and with no token or a
    Qwicket token, the default address is `QWICKET_URL`. At that address, a missing token is
    `QWICKET_TOKEN`.

    Attributes:
        REFRESH_TOKEN: API key for fetching access tokens.
        ACCESS_TOKEN: Access token of requests.
        HOST: Host name or address of the server.
        PORT: Port of the server.
        TLS: Whether to use HTTPS.
        has_qwicket_token: Whether `REFRESH_TOKEN` is `QWICKET_TOKEN`, which only the server in
            `QWICKET_URL` may receive.

    Raises:
        ValueError: `PORT` or `TLS` is invalid. The error does not quote the value.
    """

    REFRESH_TOKEN: str | None
    ACCESS_TOKEN: str | None
    HOST: str
    PORT: int
    TLS: bool

    def __init__(
        self,
        REFRESH_TOKEN: str | None = _UNSET,  # noqa: N803 - the name in xcc, like the next four
        ACCESS_TOKEN: str | None = _UNSET,  # noqa: N803 - as REFRESH_TOKEN
        HOST: str = _UNSET,  # noqa: N803 - as REFRESH_TOKEN
        PORT: int = _UNSET,  # noqa: N803 - as REFRESH_TOKEN
        TLS: bool = _UNSET,  # noqa: N803 - as REFRESH_TOKEN
    ) -> None:
        file_values = _read(path())

        def setting(name: str, argument: Any, default: Any) -> Any:
            if argument is not _UNSET:
                return argument
            return os.environ.get(_PREFIX + name, file_values.get(_PREFIX + name, default))

        self.REFRESH_TOKEN = setting("REFRESH_TOKEN", REFRESH_TOKEN, None)
        self.ACCESS_TOKEN = setting("ACCESS_TOKEN", ACCESS_TOKEN, None)
        host = setting("HOST", HOST, None)
        self._host_source = _host_source(HOST is not _UNSET, file_values)
        server = qwicket_server()
        is_default = host is None and self._allows_qwicket()
        default = (server if is_default else None) or Address(DEFAULT_HOST, DEFAULT_PORT, True)
        self.HOST = default.host if host is None else host
        self.PORT = _port(setting("PORT", PORT, default.port))
        self.TLS = _boolean(setting("TLS", TLS, default.tls))
        self.has_qwicket_token = (
            server == (self.HOST, self.PORT, self.TLS)
            and self.REFRESH_TOKEN is None
            and self.ACCESS_TOKEN is None
        )
        if self.has_qwicket_token:
            self.REFRESH_TOKEN = os.environ.get("QWICKET_TOKEN") or None

    @property
    def host_source(self) -> str:
        """Source of `HOST`, so that an error names the setting to change."""
        return self._host_source

    def _allows_qwicket(self) -> bool:
        """Return whether there is no token, or a Qwicket server's.

        The refresh token decides, if there is one: access tokens do not show their server.
        """
        token = self.REFRESH_TOKEN or self.ACCESS_TOKEN
        return not token or is_qwicket_token(token)

    def __repr__(self) -> str:
        tokens = {"REFRESH_TOKEN", "ACCESS_TOKEN"}
        items = (
            f"{field.name}={'...' if field.name in tokens and value is not None else repr(value)}"
            for field in fields(self)
            for value in [getattr(self, field.name)]
        )
        return f"Settings({', '.join(items)})"

    def save(self) -> None:
        """Write the file, readable for its owner only.

        Raises:
            ValueError: A setting has an invalid character.
        """
        if not _TOKEN.fullmatch(self.REFRESH_TOKEN or ""):
            raise ValueError("REFRESH_TOKEN must consist of letters, digits, '_', '-' and '.'.")
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        lines = [
            f"{_PREFIX}{name}='{value}'\n" for name, value in values.items() if value is not None
        ]
        if any(_QUOTE_OR_LINE_END.search(str(value)) for value in values.values()):
            raise ValueError("A setting must not contain a quote or a line end.")
        file = path()
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(file, "w", encoding="utf-8", opener=_open_private) as stream:
            stream.writelines(lines)


def load_config(**settings: Any) -> Settings:
    """Return settings from the arguments, else the environment, else the file."""
    return Settings(**settings)


def _host_source(is_given: bool, file_values: Mapping[str, str]) -> str:
    name = f"{_PREFIX}HOST"
    if is_given:
        return HOST_ARGUMENTS
    if name in os.environ:
        return f"{name} and {_PREFIX}PORT"
    return f"{name} and {_PREFIX}PORT in {path()}" if name in file_values else URL_SOURCE


class Address(NamedTuple):
    host: str
    port: int
    tls: bool


def qwicket_server() -> Address | None:
    """Return the address of the server in `QWICKET_URL`; None without one."""
    parts = urlsplit(qwicket_url() or "")
    if not parts.hostname:
        return None
    is_tls = parts.scheme == "https"
    return Address(parts.hostname, parts.port or (443 if is_tls else 80), is_tls)


def _open_private(name: str, flags: int) -> int:
    """Open a file for its owner only, also if it exists with other permissions."""
    descriptor = os.open(name, flags, 0o600)
    os.fchmod(descriptor, 0o600)
    return descriptor


def _read(file: Path) -> dict[str, str]:
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    values = {}
    for line in text.splitlines():
        if match := _LINE.fullmatch(line):
            name, value = match.groups()
            is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
            values[name] = value[1:-1] if is_quoted else value.partition(" #")[0].strip()
    return values


def _port(value: Any) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) < 65_536):
        raise ValueError("PORT must be 1 to 65535.")
    return int(text)


def _boolean(value: Any) -> bool:
    found = _BOOLEANS.get(str(value).strip().lower())
    if found is None:
        raise ValueError("TLS must be true or false.")
    return found
