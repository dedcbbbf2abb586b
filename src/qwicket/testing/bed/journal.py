"""The journal: every request and its answer. Secrets are removed when it is read."""

from __future__ import annotations

import re
import time
from collections import deque
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from qwicket.testing.bed.strictness import unknown_names
from qwicket.testing.values import Exchange, Journal

if TYPE_CHECKING:
    from starlette.types import Message, Scope

    from qwicket.dialects.routing import Route

_MAX_ENTRIES: Final = 5_000
_MAX_BYTES: Final = 64 << 10
_SHORTEST_CHARS: Final = 8
_HIDDEN: Final = "***"
_SHOWN_HEADERS: Final = frozenset(
    {
        *("accept", "accept-encoding", "allow", "connection", "content-encoding"),
        *("content-length", "content-type", "etag", "host", "idempotency-key", "if-none-match"),
        *("location", "retry-after", "transfer-encoding", "user-agent", "x-request-id"),
        *("x-amz-target", "x-amzn-errortype", "date", "server"),
    }
)
_NAMES: Final = (
    r"[\w.-]*(?:token|secret|passw|apikey|api[-_]key|authorization|credential|signature)[\w.-]*"
)
_IN_JSON: Final = re.compile(rf'("{_NAMES}"\s*:\s*)"(?:[^"\\]|\\.)*"', re.IGNORECASE)
_IN_QUERY: Final = re.compile(rf"((?:^|[?&\s]){_NAMES}=)[^&\s]+", re.IGNORECASE)
_TOKENS: Final = re.compile(r"\bqw_[\w-]{8,}|\beyJ[\w-]{8,}\.[\w.-]+")

RECORD: Final[ContextVar[Record | None]] = ContextVar("record", default=None)
"""The entry of the request that is being handled."""


class Record:
    """An entry that grows while its request is handled."""

    __slots__ = (
        *("account", "answer", "answer_headers", "at", "body", "created", "dialect"),
        *("fault", "jobs", "number", "route", "scope", "seconds", "status", "unknown", "warnings"),
    )

    def __init__(self, number: int, at: float, dialect: str, scope: Scope) -> None:
        self.number = number
        self.at = at
        self.dialect = dialect
        self.scope = scope
        self.account = ""
        self.body = b""
        self.status = 0
        self.answer_headers: list[tuple[bytes, bytes]] = []
        self.answer = b""
        self.seconds = 0.0
        self.fault = ""
        self.unknown = False
        self.route: Route | None = None
        self.warnings: list[str] | None = None
        self.jobs: dict[str, None] = {}
        self.created: list[str] = []

    def received(self, message: Message) -> None:
        if message["type"] == "http.request" and len(self.body) < _MAX_BYTES:
            self.body += message.get("body", b"")[:_MAX_BYTES]

    def sent(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.answer_headers = [*message["headers"]]
        elif message["type"] == "http.response.body" and len(self.answer) < _MAX_BYTES:
            self.answer += message.get("body", b"")[:_MAX_BYTES]


class JournalKeeper:
    """Keeps the newest entries, and the times at which jobs ended.

    Args:
        warns: Whether parameters and fields that no route declares are reported.
    """

    def __init__(self, *, warns: bool = True) -> None:
        self._warns = warns
        self._began = time.monotonic()
        self._records: deque[Record] = deque(maxlen=_MAX_ENTRIES)
        self._number = 0
        self._dropped = 0
        self._ended: dict[str, float] = {}
        self._secrets: set[str] = set()

    def now(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._began

    def clear(self) -> None:
        self._records.clear()
        self._ended.clear()
        self._dropped = 0

    def hide(self, *secrets: str) -> None:
        """Remove these texts wherever they occur."""
        self._secrets.update(each for each in secrets if len(each) >= _SHORTEST_CHARS)

    def begin(self, dialect: str, scope: Scope) -> Record:
        """Return a new entry."""
        self._number += 1
        self._dropped += len(self._records) == _MAX_ENTRIES
        record = Record(self._number, self.now(), dialect, scope)
        self._records.append(record)
        return record

    def job_ended(self, job: str) -> None:
        self._ended.setdefault(job, self.now())

    def earlier(self, record: Record) -> Record | None:
        """Return the last complete entry of the same GET by the same client, if there is one."""
        mine = _identity(record)
        for each in reversed(self._records):
            if each.number < record.number and each.status == 200 and _identity(each) == mine:
                return each
        return None

    def read(self, after: int = 0) -> Journal:
        """Return the entries after a number, without secrets."""
        records = [each for each in self._records if each.number > after]
        for each in records:
            self.hide(*_presented(each.scope))
        hide = self._hider()
        for each in records:
            if self._warns and each.warnings is None and each.status:
                each.warnings = _warnings(each)  # only now, so that no request waits for it
        found = tuple(_exchange(each, hide) for each in records)
        return Journal(found, self._dropped, {**self._ended})

    def _hider(self) -> Hider:
        texts = sorted(self._secrets, key=len, reverse=True)
        return Hider(re.compile("|".join(map(re.escape, texts))) if texts else None)


class Hider:
    """Replaces secrets in texts.

    Args:
        known: Matches the secrets that are known.
    """

    def __init__(self, known: re.Pattern[str] | None) -> None:
        self._known = known

    def __call__(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(_HIDDEN, text)
        text = _IN_JSON.sub(rf'\1"{_HIDDEN}"', text)
        return _TOKENS.sub(_HIDDEN, _IN_QUERY.sub(rf"\1{_HIDDEN}", text))

    def headers(self, headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
        """Return headers; of those that may be secret only their names."""
        found: dict[str, str] = {}
        for name, value in headers:
            key = name.decode("latin-1").lower()
            shown = self(value.decode("latin-1")) if key in _SHOWN_HEADERS else _HIDDEN
            found[key] = f"{found[key]}, {shown}" if key in found else shown
        return found


def _warnings(record: Record) -> list[str]:
    if record.route is None:
        return []
    query = record.scope["query_string"].decode("latin-1")
    return unknown_names(record.dialect, record.route, query, record.body)


def _presented(scope: Scope) -> list[str]:
    """Return what a request signs in with: the words of headers that are not shown."""
    values = [
        value.decode("latin-1")
        for name, value in scope["headers"]
        if re.fullmatch(_NAMES, name.decode("latin-1"), re.IGNORECASE)
    ]
    return [word.rpartition("=")[2].strip(",") for value in values for word in value.split()]


def _identity(record: Record) -> tuple[object, ...]:
    scope = record.scope
    signed_in = [value for name, value in scope["headers"] if name == b"authorization"]
    return scope["method"], scope["path"], scope["query_string"], *signed_in


def _exchange(record: Record, hide: Hider) -> Exchange:
    scope = record.scope
    return Exchange(
        number=record.number,
        at=record.at,
        seconds=record.seconds,
        dialect=record.dialect,
        account=record.account,
        method=scope["method"],
        path=hide(scope["path"]),
        query=hide(scope["query_string"].decode("latin-1")),
        headers=hide.headers(scope["headers"]),
        body=hide(record.body.decode("utf-8", "replace")),
        status=record.status,
        answer_headers=hide.headers(record.answer_headers),
        answer=hide(record.answer.decode("utf-8", "replace")),
        fault=record.fault,
        unknown=record.unknown,
        jobs=tuple(record.jobs),
        created=tuple(record.created),
        warnings=tuple(map(hide, record.warnings or ())),
    )
