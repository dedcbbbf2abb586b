"""Messages for a PostgreSQL database that cannot be opened, with the remedy.

No message shows a password. libpq has no error codes before a session begins, so its English text
is matched. Messages in other languages are quoted within a general sentence.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, Final

from psycopg import errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg

OLDEST: Final = 140000
"""The oldest version that the PostgreSQL project still supports, as libpq numbers it."""
_NO_SERVER: Final = (
    *("Connection refused", "No such file or directory", "timeout expired", "timed out"),
    *("No route to host", "Network is unreachable", "could not translate host name"),
    *("failed to resolve host", "Name or service not known", "Is the server running"),
    *("server closed the connection unexpectedly", "Temporary failure in name resolution"),
)
_SETTING: Final = "--database-url (QWICKET_DATABASE_URL)"
_MAX_CHARS: Final = 300


def explain_error(error: Exception, settings: Mapping[str, Any]) -> str:
    """Return why a database could not be opened, and the remedy.

    Args:
        error: The exception of psycopg.
        settings: Its connection settings, perhaps with a password.
    """
    text = str(error)
    where, user, name = _where(settings), _user(settings), _database(settings)
    if "database" in text and "does not exist" in text:
        command = shlex.join(["createdb", *_options(settings), name])
        return f"PostgreSQL at {where} has no database {name}. Create it: {command}"
    if "password" in text and ("authentication failed" in text or "no password supplied" in text):
        if "no password supplied" in text:
            problem = f"asks for a password of user {user}"
        else:
            problem = f"does not accept the password of user {user}"
        return f"PostgreSQL at {where} {problem}. Set the right one in {_SETTING}."
    if "role" in text and "does not exist" in text:
        command = shlex.join(["createuser", *_options(settings, with_user=False), user])
        return f"PostgreSQL at {where} has no user {user}. Create it: {command} --pwprompt"
    if "no pg_hba.conf entry" in text:
        return (
            f"PostgreSQL at {where} does not let user {user} sign in to the database {name} from"
            " this machine. Add a line for it to the server's pg_hba.conf."
        )
    if isinstance(error, errors.InsufficientPrivilege) or "permission denied" in text:
        return (
            f"The user {user} has no right to use the database {name} at {where}"
            f" ({_short(text, settings)}). Make {user} its owner:"
            f" alter database {name} owner to {user}"
        )
    if any(sign in text for sign in _NO_SERVER):
        return (
            f"No PostgreSQL server responds at {where} ({_cause(text, settings)})."
            f" Start it, or change {_SETTING}."
        )
    return f"The database {name} at {where} cannot be opened: {_short(text, settings)}."


def too_old(connection: psycopg.Connection[Any], settings: Mapping[str, Any]) -> str:
    """Return why the version of a server is not supported; "" if it is."""
    version = connection.info.server_version
    if version >= OLDEST:
        return ""
    return (
        f"PostgreSQL at {_where(settings)} is version {version // 10_000};"
        f" Qwicket needs {OLDEST // 10_000} or newer. Upgrade the server."
    )


def _where(settings: Mapping[str, Any]) -> str:
    host = settings.get("host") or settings.get("hostaddr") or "this machine"
    return f"{host}:{settings['port']}" if settings.get("port") else str(host)


def _user(settings: Mapping[str, Any]) -> str:
    from getpass import getuser

    return str(settings.get("user") or getuser())


def _database(settings: Mapping[str, Any]) -> str:
    return str(settings.get("dbname") or _user(settings))


def _options(settings: Mapping[str, Any], *, with_user: bool = True) -> list[str]:
    """Return the options by which PostgreSQL's own commands reach the same server."""
    flags = {"host": "-h", "port": "-p"} | ({"user": "-U"} if with_user else {})
    return [
        word
        for key, flag in flags.items()
        if settings.get(key)
        for word in (flag, str(settings[key]))
    ]


def _cause(text: str, settings: Mapping[str, Any]) -> str:
    """Return the system's message, which follows the last colon of libpq's first line."""
    return _short(text.strip().splitlines()[0].rpartition(": ")[2], settings)


def _short(text: str, settings: Mapping[str, Any]) -> str:
    """Return an error's first line without a password in it."""
    line = text.strip().splitlines()[0] if text.strip() else "no reason given"
    if password := settings.get("password"):
        line = line.replace(str(password), "…")
    return line[:_MAX_CHARS].rstrip(".")
