"""The server's log: plain lines, or one JSON object each. Secrets that it recognises are replaced.

A thread writes the access log; a request only appends an entry to its queue.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import time
from collections import deque
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

if TYPE_CHECKING:
    from starlette.types import Scope

    from qwicket.server.settings import LogFormat

REQUEST: Final[ContextVar[str]] = ContextVar("request", default="")
"""Id of the current request."""
_MAX_ENTRIES: Final = 10_000
"""Limit on lines that wait to be written."""
_PAUSE_S: Final = 0.1
"""Pause between writes, so that lines are written together."""
_PATH_CHARS: Final = 200
"""Longest path in the access log."""
_PATH_SAFE: Final = "/:@!$&'()*+,;=~"
_HIDDEN: Final = "[secret]"
_TOKEN: Final = re.compile(r"qw_[A-Za-z0-9]{8,}|QWAK[A-Z2-7]{16}\.[\w-]{8,}")
_CREDENTIALS: Final = re.compile(r"(?<=://)[^\s/@\"']++(?=@)")  # in a database's address
_DOTTED: Final = re.compile(r"(?<![\w-])[\w-]++\.[\w.-]*+")
_BASE64_JSON: Final = "eyJ"  # `{"`, with which every JSON Web Token begins
_INDENT: Final = "\n    "
_SHORTEST_CHARS: Final = 4
"""Shorter secrets are not replaced, because they would also be parts of other words."""
_known_secrets: Final[list[str]] = []

_log = logging.getLogger("qwicket")
_access = logging.getLogger("qwicket.access")


def start_log(log_format: LogFormat) -> None:
    """Send log records of level INFO and above to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if log_format == "json" else TextLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def hide_secrets(*secrets: str) -> None:
    """Replace these texts in every log line; texts shorter than 4 characters are ignored."""
    for secret in secrets:
        if len(secret) >= _SHORTEST_CHARS:
            # Also as a JSON text, in which `"` and `ä` have escapes.
            _known_secrets.extend({secret, json.dumps(secret)[1:-1]})


def announce(text: str, log_format: LogFormat) -> None:
    """Print a message for the operator: as a plain line, or as a JSON record of the log."""
    if log_format == "json":
        _log.info(text)
    else:
        sys.stderr.write(f"{without_secrets(text)}\n")
        sys.stderr.flush()


def announce_secret(text: str, log_format: LogFormat) -> None:
    """Print a message with a secret, in the form of the log, which would replace the secret."""
    line = text
    if log_format == "json":
        shown = {"time": _time(time.time()), "level": "info", "logger": _log.name}
        line = json.dumps({**shown, "event": " ".join(text.split())}) + "\n"
    sys.stderr.write(line)
    sys.stderr.flush()


def log_startup_failure(reason: str, log_format: LogFormat) -> None:
    """Print why the server cannot start."""
    if log_format == "json":
        _log.error(reason)
    else:
        sys.stderr.write(f"Error: {without_secrets(reason)}\n")


def without_secrets(line: str) -> str:
    """Return a line in which everything that looks like a secret is replaced.

    Some dialects have tokens in paths.

    The time is linear in the length, because any client can cause a long line. So `_DOTTED` starts
    at the beginning of a word only, instead of at every `eyJ` within one.
    """
    for secret in _known_secrets:
        line = line.replace(secret, _HIDDEN)
    line = _CREDENTIALS.sub(_HIDDEN, _TOKEN.sub(_HIDDEN, line))
    return _DOTTED.sub(_without_web_token, line) if _BASE64_JSON in line else line


def _without_web_token(dotted: re.Match[str]) -> str:
    before, begin, _ = dotted[0].partition(_BASE64_JSON)
    return before + _HIDDEN if begin else before


def one_record(text: str) -> str:
    """Return a text that cannot imitate another log record or move the cursor.

    Lines after the first are indented; characters that do not print are escaped.
    """
    if text.isprintable():
        return text
    lines = text.split("\n")
    return _INDENT.join(line if line.isprintable() else _escaped(line) for line in lines)


def _escaped(line: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


class TextLines(logging.Formatter):
    """Plain format: time, level, logger, text, then the fields of `_about`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s%(about)s")

    def format(self, record: logging.LogRecord) -> str:
        record.about = "".join(f" {name}={value}" for name, value in _about(record).items())
        return one_record(without_secrets(super().format(record)))


class JsonLines(logging.Formatter):
    """JSON format: time, level, logger, event, the fields of `_about`; trace if any."""

    def format(self, record: logging.LogRecord) -> str:
        shown: dict[str, Any] = {
            "time": _time(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **_about(record),
        }
        if record.exc_info:
            shown["trace"] = self.formatException(record.exc_info)
        return without_secrets(json.dumps(shown))


def _about(record: logging.LogRecord) -> dict[str, Any]:
    """Return the ids of request and job, and status, time and address of a response, if any."""
    request = getattr(record, "request", "") or REQUEST.get()
    job = getattr(record, "job", "")
    about: dict[str, Any] = {}
    if request:
        about["request"] = request
    if job:
        about["job"] = job
    return about | getattr(record, "access", {})


def _time(seconds: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d}Z"


def _clipped(path: str) -> str:
    """Return a path cut between segments, because half a secret would not be recognised."""
    return path if len(path) <= _PATH_CHARS else f"{path[:_PATH_CHARS].rpartition('/')[0]}/..."


class _Entry(NamedTuple):
    scope: Scope
    request: str
    status: int
    seconds: float


class AccessLog:
    """One line per routed HTTP request, without query, headers or body; websockets have none.

    Args:
        max_entries: Number of lines that may wait for the writer thread.

    Attributes:
        dropped: Lines that were not written because the log is read too slowly.
    """

    def __init__(self, *, max_entries: int = _MAX_ENTRIES) -> None:
        self._entries: deque[_Entry] = deque()
        self._max_entries = max_entries
        self._is_closed = threading.Event()
        self.dropped = 0
        self._thread = threading.Thread(target=self._write, name="access-log", daemon=True)
        self._thread.start()

    def add(self, scope: Scope, request: str, status: int, seconds: float) -> None:
        """Queue a line for the writer thread; never blocks."""
        if len(self._entries) < self._max_entries:
            self._entries.append(_Entry(scope, request, status, seconds))
        else:
            self.dropped += 1

    def close(self) -> None:
        """Write all queued lines and stop."""
        self._is_closed.set()
        self._thread.join()

    def _write(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._is_closed.wait(_PAUSE_S)
            self._write_entries()

    def _write_entries(self) -> None:
        while self._entries:
            entry = self._entries.popleft()
            scope = entry.scope
            # Quoted, because a client may write a line break.
            path = quote(without_secrets(_clipped(scope["path"])), safe=_PATH_SAFE + "[]")
            client = scope.get("client")
            about = {
                "status": entry.status,
                "seconds": round(entry.seconds, 6),
                "address": quote(str(client[0]), safe=_PATH_SAFE) if client else "",
            }
            extra = {"request": entry.request, "access": about}
            _access.info("%s %s", scope.get("method", "WEBSOCKET"), path, extra=extra)
