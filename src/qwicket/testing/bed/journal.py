"""Journal of the requests to dialects and of the responses. Reading it removes secrets."""

from __future__ import annotations

import re
import time
from collections import deque
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from qwicket.testing.bed.strictness import unknown_names
from qwicket.testing.values import MIN_SECRET_CHARS, Exchange, Journal

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Message, Scope

    from qwicket.dialects.routing import Route

_MAX_ENTRIES: Final = 5_000
_MAX_BYTES: Final = 64 << 10
"""Bytes of each body that are kept."""
_HIDDEN: Final = "***"
_SHOWN_HEADERS: Final = frozenset(
    {
        *("accept", "accept-encoding", "allow", "connection", "content-encoding"),
        *("content-length", "content-type", "etag", "host", "idempotency-key", "if-none-match"),
        *("location", "retry-after", "transfer-encoding", "user-agent", "x-request-id"),
        *("x-amz-target", "x-amzn-errortype", "date", "server"),
    }
)
_PRIVATE_NAMES: Final = (
    r"(?!clientToken\b)"  # an idempotency key, by which equal submissions differ
    r"[\w.-]*(?:token|secret|passw|apikey|api[-_]key|authorization|credential|signature)[\w.-]*"
)
_IN_JSON: Final = re.compile(rf'("{_PRIVATE_NAMES}"\s*:\s*)"(?:[^"\\]|\\.)*"', re.IGNORECASE)
_IN_QUERY: Final = re.compile(rf"((?:^|[?&\s]){_PRIVATE_NAMES}=)[^&\s]+", re.IGNORECASE)
_TOKENS: Final = re.compile(r"\bqw_[\w-]{8,}|\beyJ[\w-]{8,}\.[\w.-]+")

RECORD: Final[ContextVar[Record | None]] = ContextVar("record", default=None)
"""Entry of the request that is being handled."""


class Record:
    """Entry that is filled while its request is handled."""

    __slots__ = (
        *("account", "response_body", "response_headers", "at", "body", "created", "dialect"),
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
        self.response_headers: list[tuple[bytes, bytes]] = []
        self.response_body = b""
        self.seconds = 0.0
        self.fault = ""
        self.unknown = False
        self.route: Route | None = None
        self.warnings: list[str] | None = None
        self.jobs: dict[str, None] = {}
        self.created: list[str] = []

    def received(self, message: Message) -> None:
        if message["type"] == "http.request":
            self.body += message.get("body", b"")[: _MAX_BYTES - len(self.body)]

    def sent(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.response_headers = [*message["headers"]]
        elif message["type"] == "http.response.body":
            self.response_body += message.get("body", b"")[: _MAX_BYTES - len(self.response_body)]


class JournalKeeper:
    """Keeps the newest entries, and the times at which jobs ended.

    Args:
        name_of: Function that returns the name of an account, by its id.
        warns: Whether parameters and fields that no route declares are reported.
    """

    def __init__(self, name_of: Callable[[str], str], *, warns: bool = True) -> None:
        self._name_of = name_of
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
        """Remove these secrets, unless they are too short, from everything that is read later."""
        self._secrets.update(each for each in secrets if len(each) >= MIN_SECRET_CHARS)

    def begin(self, dialect: str, scope: Scope) -> Record:
        """Add an entry and return it."""
        self._number += 1
        self._dropped += len(self._records) == _MAX_ENTRIES
        record = Record(self._number, self.now(), dialect, scope)
        self._records.append(record)
        return record

    def job_ended(self, job: str) -> None:
        self._ended.setdefault(job, self.now())

    def earlier(self, record: Record) -> Record | None:
        """Return the last entry with status 200 of a GET with the same URL and `Authorization`.

        None if there is none, or if the request is no GET.
        """
        if record.scope["method"] != "GET":
            return None
        mine = _identity(record)
        for each in reversed(self._records):
            if each.number < record.number and each.status == 200 and _identity(each) == mine:
                return each
        return None

    def read(self, after: int = 0) -> Journal:
        """Return the entries after a number, without secrets."""
        records = [each for each in self._records if each.number > after]
        for each in records:
            self.hide(*_credentials(each.scope))
        redact = self._redactor()
        for each in records:
            if self._warns and each.warnings is None and each.status:
                each.warnings = _warnings(each)  # only now, so that no request waits for it
        found = tuple(_exchange(each, redact, self._name_of(each.account)) for each in records)
        return Journal(found, self._dropped, {**self._ended})

    def _redactor(self) -> Redactor:
        texts = sorted(self._secrets, key=len, reverse=True)
        return Redactor(re.compile("|".join(map(re.escape, texts))) if texts else None)


class Redactor:
    """Replaces secrets in texts: known ones, and those that names or forms reveal.

    Args:
        known: Pattern of the known secrets; None without any.
    """

    def __init__(self, known: re.Pattern[str] | None) -> None:
        self._known = known

    def __call__(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(_HIDDEN, text)
        text = _IN_JSON.sub(rf'\1"{_HIDDEN}"', text)
        return _TOKENS.sub(_HIDDEN, _IN_QUERY.sub(rf"\1{_HIDDEN}", text))

    def headers(self, headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
        """Return headers by lower-case name; those that may be secret have the value `***`."""
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


def _credentials(scope: Scope) -> list[str]:
    """Return the credentials of a request: the words in headers with names of secrets."""
    values = [
        value.decode("latin-1")
        for name, value in scope["headers"]
        if re.fullmatch(_PRIVATE_NAMES, name.decode("latin-1"), re.IGNORECASE)
    ]
    return [word.rpartition("=")[2].strip(",") for value in values for word in value.split()]


def _identity(record: Record) -> tuple[object, ...]:
    scope = record.scope
    signed_in = [value for name, value in scope["headers"] if name == b"authorization"]
    return scope["method"], scope["path"], scope["query_string"], *signed_in


def _exchange(record: Record, redact: Redactor, account: str) -> Exchange:
    scope = record.scope
    return Exchange(
        number=record.number,
        at=record.at,
        seconds=record.seconds,
        dialect=record.dialect,
        account=account,
        method=scope["method"],
        path=redact(scope["path"]),
        query=redact(scope["query_string"].decode("latin-1")),
        headers=redact.headers(scope["headers"]),
        body=redact(record.body.decode("utf-8", "replace")),
        status=record.status,
        response_headers=redact.headers(record.response_headers),
        response_body=redact(record.response_body.decode("utf-8", "replace")),
        fault=record.fault,
        unknown=record.unknown,
        jobs=tuple(record.jobs),
        created=tuple(record.created),
        warnings=tuple(map(redact, record.warnings or ())),
    )
